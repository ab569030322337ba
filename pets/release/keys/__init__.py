"""Keys that nobody listed, once they are released: sealed, shown, and grouped by."""
