"""Row weights of a regression: min(1, R² ÷ ‖x‖²), in whole numbers, and how far a row can move the sums with them.

Noise must hide the row that moves the sums furthest, which is one with every number at an end of its range; few rows
are like it. With a public R², a row whose scaled columns have a squared length ‖x‖² beyond it counts only R² ÷ ‖x‖².
The weight rests on what explains alone, never on the outcome. docs/proofs/moments.md has the bound and its proof.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, combinations

from pets.errors import QueryError
from pets.plan.fitted.design import Design, shared, squared
from pets.plan.measure import Cell, Length, RowWeight, Sensitivity

BITS = (10, 8, 6)
"""Bits of a row's weight: the most for which there is room."""
SCALE = 36
"""Bits behind the point of a squared length."""
MAX_WIDE = 10
"""Categories of more than two values in a regression with row weights."""


@dataclass(frozen=True)
class Sums:
    """What is measured for a regression.

    Attributes:
        cells: each sum.
        row_weight: of each row (``None``: all count in full).
        of_row: how far one row can move all sums together.
    """

    cells: tuple[Cell, ...]
    row_weight: RowWeight | None
    of_row: Sensitivity


def sums_of(design: Design, rows: int, greatest: int) -> Sums:
    """The sums of a design, so fine that none can pass ``greatest`` with so many rows.

    Raises:
        QueryError: where a product is too large to be summed for so many people, or a column too fine for weights.
    """
    if design.weights is None:
        cells = design.cells(rows, greatest)
        units = [cell.unit for cell in cells]
        most = squared(design.monomials, [unit**2 for unit in units])
        return Sums(cells, None, Sensitivity(_entries(design), squared(design.monomials, units), most, max(units)))
    check_weights(design)
    longest, patterns = design.weights, set(_patterns(design))
    deltas = [max(_most(longest, one, pattern) for pattern in patterns) for one in ((1, 0, 0), (0, 1, 0))]
    split = shared(*deltas)
    shares = [split[block] * 2 ** len(one[1]) for one, block in zip(design.monomials, design.blocks, strict=True)]
    greatest_share = max(shares)
    shares = [share / greatest_share for share in shares]
    for bits in BITS:
        try:
            cells = design.cells(rows, greatest, shares, bits)
            break
        except QueryError:
            if bits == BITS[-1]:
                raise
    factors = [Fraction(0)] * 3
    for cell, block in zip(cells, design.blocks, strict=True):
        factors[block] = max(factors[block], Fraction(cell.unit**2, 2 ** len(cell.levels)))
    units = [cell.unit << bits for cell in cells]
    full = squared(design.monomials, [unit**2 for unit in units])
    most = min(full, math.floor(4**bits * max(_most(longest, factors, pattern) for pattern in patterns)))
    entries = _entries(design)
    whole = min(squared(design.monomials, units), math.isqrt(entries * most))  # by Cauchy and Schwarz
    return Sums(cells, row_weight(design, longest, bits), Sensitivity(entries, whole, most, max(units)))


def _entries(design: Design) -> int:
    return squared(design.monomials, None)


def check_weights(design: Design) -> None:
    """Refuse what has no weights in whole numbers of 64 bits, or whose bound would take too long to find."""
    off = "or fit every row in full: weights=None"
    wide = [name for name in design.domains if design.wide(name)]
    if len(wide) > MAX_WIDE:
        raise QueryError(
            f"rows have weights in a regression on at most {MAX_WIDE} categories of more than two values, not "
            f"{len(wide)}; take fewer, {off}"
        )
    for term in design.products:
        if _largest(design, term) ** 2 > 1 << SCALE:
            raise QueryError(f"{':'.join(term)!r} has too many steps for row weights; use a coarser step for it, {off}")


def _numbers(design: Design, term: tuple[str, ...]) -> list[str]:
    """The columns of a term whose square is not the same in every row where it is not 0."""
    return [name for name in term if design.domains[name].cells > 2 and not design.wide(name)]


def _largest(design: Design, term: tuple[str, ...]) -> int:
    return math.prod(design.weight(name).largest for name in _numbers(design, term))


def row_weight(design: Design, longest: Fraction, bits: int) -> RowWeight:
    """The weight of each row, in whole numbers: squared lengths are rounded up, so weights down."""
    start, parts = 1, []
    for term in design.products:
        numbers = tuple((name, design.weight(name)) for name in _numbers(design, term))
        beyond = tuple(name for name in term if design.wide(name))
        if numbers or beyond:
            times = -(-(1 << SCALE + len(beyond)) // _largest(design, term) ** 2)
            parts.append(Length(times, numbers, beyond))
        else:
            start += 1
    return RowWeight(bits, math.floor(longest * (1 << bits + SCALE)), start << SCALE, tuple(parts))


Pattern = tuple[int, int, int, int]
"""Of rows that have the first value of some categories: the squared length that all of them have; the sum of fourth
powers of the columns without a number in it; what the columns with numbers can add; how many have numbers alone."""


def _patterns(design: Design) -> Iterator[Pattern]:
    """What rows can have, by which of their categories have another value than the first."""
    terms = [
        (frozenset(name for name in term if design.wide(name)), _numbers(design, term), len(term))
        for term in design.products
    ]
    wide = sorted(frozenset().union(*(one[0] for one in terms)))
    pure = sum(len(numbers) == size for _, numbers, size in terms)
    for chosen in chain.from_iterable(combinations(wide, size) for size in range(len(wide) + 1)):
        there = [(1 << len(beyond), numbers) for beyond, numbers, _ in terms if beyond <= set(chosen)]
        fixed = [one for one, numbers in there if not numbers]
        yield 1 + sum(fixed), sum(one**2 for one in fixed), sum(one for one, numbers in there if numbers), pure


def _most(longest: Fraction, factors: tuple[int, int, int] | list[Fraction], pattern: Pattern) -> Fraction:
    """The greatest w² · (a·Q + b·τ + c) over squared lengths τ that a pattern allows.

    Q = (τ² + 1 + min(τ − f, n) − Φ) ÷ 2 bounds the sum of squares of what X'X has of a row. Up to R² it all grows;
    beyond, w = R² ÷ τ, and in 1 ÷ τ it is of the second degree on both sides of τ = f + n: so it is greatest at an end
    of a piece, or at a vertex.
    """
    first, fourth, more, pure = pattern
    a, b, c = (Fraction(one) for one in factors)

    def value(at: Fraction) -> Fraction:
        square = (at**2 + 1 + min(at - first, Fraction(pure)) - fourth) / 2
        return min(Fraction(1), longest / at) ** 2 * (a * square + b * at + c)

    low, high = Fraction(first), Fraction(first + more)
    tried = [low, high, *(one for one in (longest, Fraction(first + pure)) if low < one < high)]
    for slope, level in ((a / 2 + b, a * (1 - first - fourth) / 2 + c), (b, a * (1 + pure - fourth) / 2 + c)):
        if slope and low < (vertex := -2 * level / slope) < high:
            tried.append(vertex)
    return max(map(value, tried))
