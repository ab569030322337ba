"""Who is protected in a table."""
