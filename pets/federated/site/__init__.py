"""A site: its session, its rules for what may leave, and what it tells of its account."""
