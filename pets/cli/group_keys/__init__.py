"""Keys that nobody listed, on the command line."""
