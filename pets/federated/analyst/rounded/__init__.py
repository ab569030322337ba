"""Rounded: what is made of the key holder's grid, and held against it."""
