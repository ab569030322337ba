"""The sums of products of people's scores: which are measured, and how far one person can move them.

A person's score at public coefficients is a short list of whole numbers whose squares add up to at most a public
bound's square. Every product of two of its numbers is measured once, those of two different ones times 7 and squares
times 5: 7² ≤ 2 · 5², so the whole list of products moves by no more than 5 times the square of the bound, as it would
with the squares alone, and what stands in two places of the matrix has less noise. docs/proofs/meat.md has the proof.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from pets.errors import QueryError
from pets.plan.fitted.design import SPARE, Design, design_of, squared
from pets.plan.fitted.row_weights import check_weights, row_weight
from pets.plan.measure import Cell, RowWeight, Scores, Sensitivity
from pets.query_model.nodes.meat import Meat
from pets.query_model.nodes.newton import GRID
from pets.schema.domain import Domain

SQUARE, PRODUCT = 5, 7
"""Public factors: of a square, and of a product of two different numbers."""
ENOUGH = 16
"""Bits of the bound of a score under noise: no more are of use. There are 8 at least: a schema states 2^40 people."""
WORD = 26
"""Bits of either half of a number of a score that is exact, at most."""
SHARE_BITS = 10
"""Bits of a row's weight."""
LONG = 53
"""Bits of a product of columns that a double holds."""


@dataclass(frozen=True)
class Products:
    """The sums.

    Attributes:
        design: of the columns.
        cells: the columns, whose scores are multiplied.
        row_weight: of each row (``None``: all count in full).
        scores: how a person's score is made.
        lists: the lengths of the lists of sums, the number of people last.
        of_person: how far one person moves them, in one group.
        units: what each sum is divided by, so that it is in units of the norm's square.
    """

    design: Design
    cells: tuple[Cell, ...]
    row_weight: RowWeight | None
    scores: Scores
    lists: tuple[int, ...]
    of_person: Sensitivity
    units: tuple[int, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The name of each sum."""
        names = [self.design.name(one.monomial) for one in self.design.columns]
        pairs = [f"{names[i]}, {names[j]}" for i, j in places(len(names))]
        halves = ("",) if len(self.lists) == 2 else (" (upper)", " (middle)", " (lower)")
        return (*(f"scores {pair}{half}" for half in halves for pair in pairs), "people")


def places(count: int) -> list[tuple[int, int]]:
    """The upper triangle of a matrix, row by row."""
    return [(i, j) for i in range(count) for j in range(i, count)]


def reach(design: Design) -> float:
    """The greatest length of a row's weighted columns, rounded up a little."""
    most = Fraction(squared([one.monomial for one in design.columns], None))
    return math.sqrt(most if design.weights is None else min(most, design.weights))


def products_of(
    asked: Meat, fields: Mapping[str, Domain], table: str, rows: int, people: int, greatest: int
) -> Products:
    """The sums that are measured.

    Args:
        rows: of one person in one group, at most.
        people: at most.
        greatest: what no sum may pass.

    Raises:
        QueryError: for columns without numbers, other coefficients than the columns', and sums that could pass it.
    """
    design = design_of(asked.moments, fields, table)
    p = len(design.columns)
    if len(asked.at) != p:
        raise QueryError(
            f"the regression has {p} coefficients ({', '.join(design.terms[:4])}, …), and {len(asked.at)} are given; "
            "give one for each"
        )
    columns = [one.monomial for one in design.columns]
    fine = asked.norm is None
    room = (greatest // (people * (PRODUCT if fine else SQUARE << SPARE))).bit_length() - 1
    half = room // 2
    longest = max(columns, key=design.largest)
    if design.largest(longest).bit_length() > LONG:
        raise QueryError(f"{design.name(longest)!r} has too many steps for scores; use a coarser step for one of them")
    if design.weights is not None:
        check_weights(design)
    norm = asked.norm
    if norm is None:  # (no row of the public domains has a greater one)
        half = min(half, WORD)
        norm = rows * (1 + Fraction(sum(map(abs, asked.at)), 1 << GRID))
        bits, split, most = 2 * half - 1, half, PRODUCT << 2 * half
    else:
        bits, split = min(half, ENOUGH), 0
        most = SQUARE << 2 * bits
    scores = Scores(asked.at, (asked.outcome, design.weight(asked.outcome)), norm, 1 << bits, split)
    pairs = places(p)
    lists = (len(pairs),) * (3 if split else 1) + (1,)
    people_times = times_of_people(scores)
    width = sum(lists)
    whole, square = (2 * SQUARE + PRODUCT * (p - 1)) * (1 << 2 * bits) // 2 + people_times, most**2 + people_times**2
    if split:
        whole, square = width * most, width * most**2
    of_person = Sensitivity(width, whole, square, most)
    units = [(PRODUCT if i != j else SQUARE) << 2 * bits - part for part in parts_of(split) for i, j in pairs]
    weight = None if design.weights is None else row_weight(design, design.weights, SHARE_BITS)
    cells = tuple(Cell(1, tuple((n, design.weight(n), power) for n, power in one[0]), one[1]) for one in columns)
    return Products(design, cells, weight, scores, lists, of_person, (*units, people_times))


def parts_of(split: int) -> tuple[int, ...]:
    """By list of products, the bits that its numbers stand above the last ones."""
    return (2 * split, split, 0) if split else (0,)


def times_of_people(scores: Scores) -> int:
    """What one person adds to the number of people: an eighth of the greatest square."""
    bits = 2 * (scores.split or scores.bound.bit_length() - 1)
    return SQUARE << bits - 3
