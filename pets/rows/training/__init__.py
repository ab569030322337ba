"""Training: the sum over people of what each moves the weights by."""
