"""Forecast of a fit: the standard errors that an answer will have, at some numbers of rows. It reads no row."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from pets.common.integers import Floats
from pets.models.least_squares import Places, back
from pets.plan.fitted.design import Design, Monomial
from pets.plan.measure import Measure

SIZES = (1_000, 10_000, 100_000)
"""Numbers of rows at which a quote shows expected standard errors."""


def even(design: Design, monomial: Monomial) -> Fraction:
    """The mean of a monomial, each column evenly and independently spread over its public values, from -1 to 1.

    >>> even(Design({}, "y", (), (), ()), ((), ()))
    Fraction(1, 1)
    """
    mean = Fraction(1)
    for name, power in monomial[0]:
        weight, cells = design.weight(name), design.domains[name].cells
        mean *= _power(cells, weight.scale, weight.offset, power) / Fraction(weight.largest) ** power
    for name, _ in monomial[1]:
        mean /= design.domains[name].cells
    return mean


def _power(cells: int, scale: int, offset: int, power: int) -> Fraction:
    """The mean of (scale · code − offset)^power over the codes; of many codes, of the even law between the ends."""
    if power % 2:
        return Fraction(0)  # the weights lie evenly on both sides of 0
    if cells <= 1000:
        return Fraction(sum((scale * code - offset) ** power for code in range(cells)), cells)
    return Fraction((scale * (cells - 1) - offset) ** power, power + 1)


def errors(design: Design, measure: Measure, deviation: float, rows: int) -> tuple[Floats, Floats, float]:
    """By coefficient, the standard errors that noise and sampling make; and κ: columns spread as :func:`even` says.

    Coefficients of half a unit on the scaled columns together, and what is left of an outcome that is spread evenly.
    """
    places, p = Places.of(design), len(design.columns)
    means = np.array([float(even(design, one)) for one in design.monomials] + [0.0])
    units = np.array([cell.unit for cell in measure.cells], dtype=np.float64)
    noise = np.append((deviation / units) ** 2, 0.0)
    matrix = rows * means[places.matrix]
    inverse = np.linalg.inv(matrix)
    size = 0.5 / math.sqrt(p)
    middle = np.array([[noise[places.matrix[i, j]] * size**2 for j in range(p)] for i in range(p)]).sum(axis=1)
    made = inverse @ np.diag(noise[places.vector] + middle) @ inverse
    left = means[places.last] * inverse
    turn, _ = back(design)
    parts = [np.sqrt(np.diag(turn @ one @ turn.T)) for one in (made, left)]
    roots: Floats = np.linalg.eigvalsh(matrix)
    return parts[0], parts[1], float(roots[0] / (math.sqrt(noise[places.matrix].max()) * math.sqrt(p)))
