"""Totals of many sites' vectors that show nobody's part: masked, encrypted, or local noise."""
