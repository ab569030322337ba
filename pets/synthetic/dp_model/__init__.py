"""Tables with a guarantee: noisy marginals, a model of them, and rows drawn from it."""
