"""Operands: the plain numbers that columns are computed with."""

from __future__ import annotations

from fractions import Fraction
from typing import NoReturn

from pets.common.codec import fraction, number
from pets.errors import QueryError, shown


def exact(value: object) -> Fraction:
    """A number, also as JSON writes it: a text."""
    try:
        return fraction(value)
    except ValueError:
        raise _no_number(value) from None


def operand(value: object) -> Fraction:
    """A number that a column is computed with; a text is none, whatever it says."""
    if isinstance(value, str):
        raise _no_number(value)
    return exact(value)


def _no_number(value: object) -> QueryError:
    return QueryError(
        f"columns are computed with columns and plain numbers, such as 2 * col('age') + 1, not {shown(value)}"
    )


def divided(what: str, by: object) -> NoReturn:
    """Refuse a quotient of columns by a number, which is written as a multiple of them."""
    below = operand(by)
    if not below:
        raise QueryError("a column is not divided by 0; multiply it, such as 0.5 * col('age')")
    share = 1 / below
    written = number(share)
    factor = f"Fraction({share.numerator}, {share.denominator})" if "/" in str(written) else written
    raise QueryError(f"a column is divided by a number as a multiple of it; write {factor} * {what}")
