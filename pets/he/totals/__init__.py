"""Encrypted totals, step by step: round, envelope, total, opening."""
