"""Code lists: a condition of many codes, and the file in which they stand."""
