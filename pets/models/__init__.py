"""Models: what is fitted to rows from released sums alone, from the formula to the intervals that contain the noise."""
