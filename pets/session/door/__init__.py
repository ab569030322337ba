"""The door for tables outside the grid: they wait, are looked at, and leave on a person's word alone."""
