"""Synthetic tables from a session: the request, its quote, what is refused as hopeless, and the ways to make one."""
