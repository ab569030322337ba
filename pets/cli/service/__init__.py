"""Commands of the query service: run it, and make tokens for it."""
