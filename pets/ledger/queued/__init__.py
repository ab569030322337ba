"""Queued: a question that waits for an answering process, and when what became of it may be seen."""
