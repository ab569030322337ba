"""Logistic and Poisson regressions: noisy Newton steps on released sums, and the fit that all of them make."""
