"""Staged: a table read once, its cells as codes, before anything is known of people."""
