"""What can be said before anything is spent: price, expected error, and the better mechanism."""
