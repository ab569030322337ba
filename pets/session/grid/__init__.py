"""The protected grid of a dataset: how it is named, and how questions are answered by sums of its cells."""
