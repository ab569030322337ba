"""Quiz: answers are marked with hints and a score, and never told."""
