"""What a straight line is fitted with, beside its sums."""
