"""Notebooks: what `%load_ext pets` brings."""
