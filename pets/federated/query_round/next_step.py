"""Next step: the coefficients that follow from a step's sums, exactly, so that sites and analyst reckon the same ones.

Newton's method solves X'WX · move = X'(y − μ). Both sides are whole numbers on one fixed point, so the solution is a
fraction without rounding, and the next coefficients are the floats nearest to it: the same bits on every machine. A
site can therefore hold what it is asked against the sums that the sites signed, and no coefficients are anybody's
choice.
"""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np

from pets.errors import QueryError
from pets.federated.query_round.regression_step import Step
from pets.plan.vector import Ints

_UNDETERMINED = (
    "the covariates do not determine one best fit: one is empty, or follows from the others, or separates the outcomes"
)


def first_step(step: Step) -> bool:
    """Whether a step is the beginning of a fit: it follows nothing, and every coefficient is zero."""
    return not step.before and not any(step.beta)


def next_step(step: Step, sums: Ints, before: str, bits: int) -> Step:
    """The step that follows a step whose query has the id ``before`` and gave these sums, on a fixed point of ``bits``.

    Raises:
        QueryError: where the sums determine none.
    """
    size = len(step.beta)
    rows, numbers = int(sums[0]), [int(number) for number in sums[1:]]
    score = numbers[size * (size + 1) // 2 : -1]
    if first_step(step) and step.family == "poisson":
        # at zero every mean is 1: the fit starts at the mean outcome instead (coarsely, since any start will do)
        mean = 1 + Fraction(score[0], max(1, rows) << bits)
        if mean <= 0:
            raise QueryError("all outcomes are the same, so no finite fit exists")
        start = round(math.log(mean) * 2**20) / 2**20
        return replace(step, beta=(start, *step.beta[1:]), before=before)
    moves = solved(_square(numbers, size), score)
    beta = tuple(_nearest(Fraction(old) + move) for old, move in zip(step.beta, moves, strict=True))
    return replace(step, beta=beta, before=before)


def solved(matrix: list[list[int]], right: list[int]) -> list[Fraction]:
    """The exact solution of a square system of whole numbers.

    Source: Bareiss 1968, *Sylvester's Identity and Multistep Integer-Preserving Gaussian Elimination*: every division
    below is exact, so numbers stay as short as determinants are.

    Raises:
        QueryError: where there is none, or more than one.

    >>> solved([[2, 1], [1, 3]], [3, 5])
    [Fraction(4, 5), Fraction(7, 5)]
    """
    size = len(matrix)
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    last = 1
    for place in range(size):
        pivot = next((number for number in range(place, size) if rows[number][place]), None)
        if pivot is None:
            raise QueryError(_UNDETERMINED)
        rows[place], rows[pivot] = rows[pivot], rows[place]
        head = rows[place]
        for row in rows[place + 1 :]:
            factor = row[place]
            for column in range(place + 1, size + 1):
                row[column] = (row[column] * head[place] - factor * head[column]) // last
            row[place] = 0
        last = head[place]
    out = [Fraction(0)] * size
    for place in reversed(range(size)):
        row = rows[place]
        known = sum((row[column] * out[column] for column in range(place + 1, size)), Fraction(0))
        out[place] = (row[size] - known) / row[place]
    return out


def _square(numbers: list[int], size: int) -> list[list[int]]:
    """X'WX from its upper half."""
    out = [[0] * size for _ in range(size)]
    for place, (row, column) in enumerate(zip(*np.triu_indices(size), strict=True)):
        out[row][column] = out[column][row] = numbers[place]
    return out


def _nearest(value: Fraction) -> float:
    try:
        return float(value)
    except OverflowError:
        raise QueryError(
            "the fit does not settle: its coefficients grow without end, so no finite fit exists"
        ) from None
