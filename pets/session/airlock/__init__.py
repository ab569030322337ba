"""The airlock: files that an analyst wants to take out, and what other people decide about them."""
