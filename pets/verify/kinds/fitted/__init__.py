"""What the checker knows of sums that models are fitted to."""
