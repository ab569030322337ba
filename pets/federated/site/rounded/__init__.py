"""Rounded counts: what a site gives of its grid under a rule of disclosure control, and what it says of it."""
