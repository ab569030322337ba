"""Checkers that rest on nothing of pets: each file can be copied away, read in an evening, and run alone."""
