"""Networks: what a trained one does with new rows, and one that several sites trained together."""
