"""Selection: which of the groups that are public already have most people or rows."""
