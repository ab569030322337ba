"""Networks that are trained: what explains what, by which layers."""
