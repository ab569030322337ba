"""Engines: a snapshot as tables, and the expressions over its codes that every engine computes alike."""
