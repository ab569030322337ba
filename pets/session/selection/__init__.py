"""Selection: the k groups with most people or rows, chosen by noise and paid for once."""
