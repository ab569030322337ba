"""Rows: data to snapshot to exact sums. The only folder that touches them."""
