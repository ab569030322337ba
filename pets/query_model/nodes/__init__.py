"""Nodes of a question beside conditions and keys: what aggregates share, second moments, derived columns, names."""
