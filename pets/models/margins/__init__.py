"""Margins: what a fit says of whole populations, were all in them alike in one column."""
