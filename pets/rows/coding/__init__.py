"""From cells to codes: what a column's texts and values become, in SQL."""
