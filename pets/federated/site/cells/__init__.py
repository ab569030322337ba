"""Cells: the groups of exact totals, and what two answers tell of them by subtraction."""
