"""Stored: a snapshot's files in its folder, of many parts, and the seal by which a changed one is refused."""
