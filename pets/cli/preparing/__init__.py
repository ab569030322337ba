"""Preparing tables, and what became of their rows."""
