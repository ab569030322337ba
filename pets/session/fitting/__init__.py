"""Fitting models: what may be fitted, and what it will be worth."""
