"""Least squares from released sums: coefficients, and how far noise and the choice of people move each of them.

Everything is post-processing of one released list of sums. Exact sums are solved in fractions, so that nothing is
rounded before the end. With noise, β̂ = Â⁻¹b̂ moves by Â⁻¹(δb − δA·β̂) to first order, where each measured sum's noise
enters in every place in which the sum stands; its variance is added to that of sampling, s²Â⁻¹ (the delta method).

Where rows have weights w ≤ m, all sums are weighted, and so is what is called the number of rows. m·s²(X'WX)⁻¹ is then
not less than what the choice of people makes, s²(X'WX)⁻¹X'W²X(X'WX)⁻¹. m is public: 1, or less where no row counts in
full.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from pets.common.integers import Floats, Ints
from pets.plan.fitted.design import Design, Monomial, times
from pets.plan.measure import Measure

FEW = 1.0
"""κ below which no coefficient is given."""
POOR = 4.0
"""κ below which a coefficient is given with a warning."""
Exact = list[list[Fraction]]


@dataclass(frozen=True)
class Means:
    """The mean of each column of a design over the rows, by their weights, and what moves it and the coefficients.

    Attributes:
        means: of each column; the intercept's is 1.
        of_coefficients, of_means: a column a measured sum: how far one standard deviation of its noise moves them.
        covariance: of the means, by the choice of people.
    """

    means: Floats
    of_coefficients: Floats
    of_means: Floats
    covariance: Floats

    def turned(self, coefficients: Floats, columns: Floats) -> Means:
        """In other columns, which are these times a matrix, as are their coefficients."""
        return Means(
            columns @ self.means,
            coefficients @ self.of_coefficients,
            columns @ self.of_means,
            columns @ self.covariance @ columns.T,
        )


_NO_MEANS = Means(np.empty(0), np.empty((0, 0)), np.empty((0, 0)), np.empty((0, 0)))


@dataclass(frozen=True)
class Solved:
    """A line in the scaled columns of its design.

    Attributes:
        coefficients: one a column; empty where they cannot be given.
        noise, sampling: the covariance that noise makes, and the one that the choice of people makes.
        rows: that it is about, as released.
        squares: the sum of squared residuals over its degrees of freedom, in the outcome's scale.
        health: κ, the least eigenvalue of X'X over what noise alone makes of it; infinite without noise.
        direction: of that eigenvalue, one entry a column.
        why: why no coefficient is given (``""``: they are).
        means: of the columns, where there are coefficients.
        inverse: of X'X; empty where no coefficient is given.
    """

    coefficients: Floats
    noise: Floats
    sampling: Floats
    rows: float
    squares: float
    health: float
    direction: Floats
    why: str = ""
    means: Means = _NO_MEANS
    inverse: Floats = field(default_factory=lambda: np.empty((0, 0)))


@dataclass(frozen=True)
class Places:
    """Where each measured sum stands in the normal equations.

    Attributes:
        matrix: of X'X, the number of the sum that stands there; -1 for a sum that is 0 in every row.
        vector: the same of X'y.
        last: and of y'y.
    """

    matrix: Ints
    vector: Ints
    last: int

    @classmethod
    def of(cls, design: Design) -> Places:
        """The places of a design's sums."""
        at = {one: place for place, one in enumerate(design.monomials)}
        y: Monomial = (((design.outcome, 1),), ())

        def place(one: Monomial, other: Monomial) -> int:
            product = times(one, other, design.domains)
            return -1 if product is None else at[product]

        found = [one.monomial for one in design.columns]
        matrix = [[place(one, other) for other in found] for one in found]
        return cls(np.array(matrix), np.array([place(one, y) for one in found]), place(y, y))


def exact(design: Design, measure: Measure, values: Sequence[int]) -> Solved:
    """The line through sums without noise, in fractions until the end."""
    places, p = Places.of(design), len(design.columns)
    times = [cell.times * unit // cell.unit for cell, unit in zip(measure.cells, measure.units, strict=True)]
    whole = [Fraction(int(value), one) for value, one in zip(values, times, strict=True)] + [Fraction(0)]
    largest = [design.largest(one.monomial) for one in design.columns]
    top = design.weight(design.outcome).largest
    matrix = [[whole[places.matrix[i, j]] / (largest[i] * largest[j]) for j in range(p)] for i in range(p)]
    vector = [whole[places.vector[i]] / (largest[i] * top) for i in range(p)]
    square, rows = whole[places.last] / top**2, matrix[0][0]
    nothing = (np.empty(0), np.empty((0, 0)), np.empty((0, 0)), float(rows), math.nan, math.inf)
    inverse = _inverse(matrix)
    if inverse is None:
        direction = np.linalg.eigh(np.array(matrix, dtype=np.float64))[1][:, 0] if rows else np.eye(p)[0]
        return Solved(*nothing, direction, why="the terms do not determine one best line")
    if rows <= p:
        return Solved(*nothing, np.eye(p)[0], why="there are no more rows than coefficients")
    beta = [sum((a * b for a, b in zip(row, vector, strict=True)), Fraction(0)) for row in inverse]
    left = square - sum((a * b for a, b in zip(beta, vector, strict=True)), Fraction(0))
    spread = left / (rows - p)
    sampling = np.array([[float(measure.heaviest * spread * one) for one in row] for row in inverse])
    least = np.array([float(one) for one in beta])
    own = np.array([[float(one) for one in row] for row in inverse])
    about = np.array([[float(one / rows) for one in row] for row in matrix])
    people = Means(about[0], np.empty((p, 0)), np.empty((p, 0)), _of_people(about, float(rows), measure))
    return Solved(
        least, np.zeros((p, p)), sampling, float(rows), float(spread), math.inf, np.eye(p)[0], means=people, inverse=own
    )


def _of_people(about: Floats, rows: float, measure: Measure) -> Floats:
    """The covariance that the choice of people makes of the columns' means: at most m times that of rows in full."""
    return np.asarray(float(measure.heaviest) * (about - np.outer(about[0], about[0])) / rows)


def _inverse(matrix: Exact) -> Exact | None:
    """The inverse of a symmetric matrix by Gauss and Jordan; ``None`` where there is none."""
    p = len(matrix)
    rows = [[*row, *(Fraction(int(i == j)) for j in range(p))] for i, row in enumerate(matrix)]
    for at in range(p):
        pivot = next((i for i in range(at, p) if rows[i][at]), None)
        if pivot is None:
            return None
        rows[at], rows[pivot] = rows[pivot], rows[at]
        first = rows[at][at]
        rows[at] = [one / first for one in rows[at]]
        for i in range(p):
            factor = rows[i][at]
            if i != at and factor:
                rows[i] = [one - factor * other for one, other in zip(rows[i], rows[at], strict=True)]
    return [row[p:] for row in rows]


def kappa_of(design: Design, places: Places, matrix: Floats, noise: Floats) -> tuple[float, Floats]:
    """κ, and the direction that the columns tell least of: X'X against what noise alone would make of it.

    Args:
        noise: of each sum, and 0 for what is 0 in every row.
    """
    # weighted sums of a category's values are measured as those of columns of 0 and √2
    stretch = np.array([2.0 ** (len(one.levels) / 2) if design.weights else 1.0 for one in design.columns])
    both = np.outer(stretch, stretch)
    roots, directions = np.linalg.eigh(matrix * both)
    # noise of the greatest deviation in each place has a norm of about this
    return float(roots[0] / ((noise[places.matrix] * both).max() * math.sqrt(len(stretch)))), directions[:, 0]


def noisy(design: Design, measure: Measure, values: Sequence[int], deviation: float) -> Solved:
    """The line through noisy sums.

    Args:
        deviation: of the noise on each measured whole number.
    """
    places, p = Places.of(design), len(design.columns)
    units = np.array(measure.units, dtype=np.float64)
    sums = np.append(np.array([float(int(value)) for value in values]) / units, 0.0)
    noise = np.append(deviation / units, 0.0)
    matrix, vector, square = sums[places.matrix], sums[places.vector], sums[places.last]
    kappa, direction = kappa_of(design, places, matrix, noise)
    rows = float(matrix[0, 0])
    nothing = (np.empty(0), np.empty((0, 0)), np.empty((0, 0)), rows, math.nan, kappa, direction)
    if rows - p <= 4 * noise[places.matrix[0, 0]]:
        return Solved(*nothing, why="there are too few rows for this noise")
    if kappa < FEW:
        return Solved(*nothing, why="noise could be all of what tells some terms apart")
    beta = np.linalg.solve(matrix, vector)
    inverse = np.linalg.inv(matrix)
    moves = inverse @ _moves(places, beta, len(units))
    made = (moves * noise[:-1] ** 2) @ moves.T
    left = square - beta @ vector
    # with noise that is as great as what is left, no smaller spread is known
    least = math.sqrt(float(np.sum((_left(places, beta, len(units)) * noise[:-1]) ** 2)))
    spread = max(float(left), least) / (rows - p)
    about = matrix / rows
    of_means = np.zeros((p, len(noise)))
    of_means[np.arange(p), places.matrix[0]] = 1 / rows  # (of what is 0 in every row nothing is in the first one)
    of_means[:, places.matrix[0, 0]] -= about[0] / rows
    people = Means(about[0], moves * noise[:-1], (of_means * noise)[:, :-1], _of_people(about, rows, measure))
    sampling = float(measure.heaviest) * spread * inverse
    return Solved(beta, made, sampling, rows, spread, kappa, direction, means=people, inverse=inverse)


def _moves(places: Places, beta: Floats, cells: int) -> Floats:
    """How the noise of each sum enters b − A·β, coefficient by coefficient."""
    p = len(beta)
    out = np.zeros((p, cells + 1))
    for i in range(p):
        np.add.at(out[i], places.vector[i], 1.0)
        np.add.at(out[i], places.matrix[i], -beta)
    return out[:, :-1]


def _left(places: Places, beta: Floats, cells: int) -> Floats:
    """How the noise of each sum enters y'y − 2β'X'y + β'X'Xβ."""
    out = np.zeros(cells + 1)
    np.add.at(out, places.vector, -2 * beta)
    np.add.at(out, places.matrix.reshape(-1), np.outer(beta, beta).reshape(-1))
    out[places.last] += 1.0
    return out[:-1]


def back(design: Design) -> tuple[Floats, Floats]:
    """From the scaled columns to the columns' own units: a matrix and what is added to it (the outcome's middle).

    A number x is middle + unit · w, with w its weight; so a product of numbers is a sum of products of weights, each of
    which is a column of the design too.
    """
    p = len(design.columns)
    at = {(one.term, tuple(sorted(one.levels.items()))): i for i, one in enumerate(design.columns)}
    own = [[Fraction(0)] * p for _ in range(p)]  # by column: what its own units are of the weights' columns
    for j, one in enumerate(design.columns):
        plain = [name for name in one.term if name not in one.levels]
        for chosen in range(1 << len(plain)):
            inside = [name for bit, name in enumerate(plain) if chosen >> bit & 1]
            factor = Fraction(1)
            for name in plain:
                middle, unit = scale(design, name)
                factor *= unit if name in inside else middle
            term = tuple(name for name in one.term if name in inside or name in one.levels)
            own[at[term, tuple(sorted(one.levels.items()))]][j] += factor
    turned = _inverse(own)
    assert turned is not None, "products stand with what they are made of, so the matrix is triangular"
    middle, unit = scale(design, design.outcome)
    top = design.weight(design.outcome).largest
    largest = [design.largest(one.monomial) for one in design.columns]
    matrix = [[float(unit * top * turned[i][j] / largest[j]) for j in range(p)] for i in range(p)]
    added = np.zeros(p)
    added[0] = float(middle)
    return np.array(matrix), added


def scale(design: Design, column: str) -> tuple[Fraction, Fraction]:
    """The middle of a column's public range, and its own units a weight: of two values that are no numbers, 0 and 1."""
    domain, weight = design.domains[column], design.weight(column)
    own = design.measured(column)
    origin, spacing = Fraction(getattr(domain, "origin", 0) if own else 0), Fraction(1)
    spacing = Fraction(getattr(domain, "spacing", 1)) if own else spacing
    unit = spacing / weight.scale
    return origin + unit * weight.offset, unit
