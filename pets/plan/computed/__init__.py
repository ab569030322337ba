"""Computed columns of a plan: their exact bounds, and how their codes are made."""
