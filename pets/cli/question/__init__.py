"""What the flags of a question say, as the objects that they stand for."""
