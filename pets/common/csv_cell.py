"""Cells of CSV files that people open in a spreadsheet."""

from __future__ import annotations


def no_formula(cell: str) -> str:
    """A text for a cell of a CSV file that people open in a spreadsheet, which would read some as a formula.

    >>> no_formula("=1+1"), no_formula("ward 1")
    ("'=1+1", 'ward 1')
    """
    return f"'{cell}" if cell.lstrip()[:1] in tuple("=+-@\t\r") else cell
