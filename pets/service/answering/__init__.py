"""Answering: child processes that take jobs from the queue, and whoever watches them. No row is read anywhere else."""
