"""Rows invented from a schema, and the files that they are written to."""
