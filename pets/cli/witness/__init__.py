"""Commands about witnesses: of whoever is one, and of a log that asks them."""
