"""How many rows of a person a query counts, and in how many groups."""
