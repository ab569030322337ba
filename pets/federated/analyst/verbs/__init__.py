"""Verbs of a federation that have a file of their own."""
