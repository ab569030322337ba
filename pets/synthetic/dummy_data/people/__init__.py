"""Invented people who meet the condition of a question about people: what they shall be, their rows, and a check."""
