"""What models are fitted to: which sums of products of columns are measured."""
