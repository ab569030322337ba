"""Further kinds of releases and of what is made of them, a file each, for the checker."""
