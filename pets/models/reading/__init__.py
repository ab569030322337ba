"""Reading: what whoever comes from other libraries looks for on a fit."""
