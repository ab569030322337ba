"""Parts of a question that are written as text."""
