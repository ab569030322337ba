"""The account of everything that ever left: who asked what, when, at what cost, and what is left."""
