"""Second moments of noisy sums: variances, covariances and correlations, and the ends of their intervals."""
