"""Encrypted tables: columns that an untrusted store computes on unread."""
