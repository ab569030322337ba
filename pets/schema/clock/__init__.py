"""Columns of times of day."""
