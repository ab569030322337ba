"""The release: sealed numbers, estimates, and every way to show them."""
