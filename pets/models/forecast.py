"""Forecast of a fit: the standard errors that an answer will have, at some numbers of rows. It reads no row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from pets.common.integers import Floats
from pets.dp.calibrate import calibrate
from pets.models.least_squares import FEW, POOR, Places, back, kappa_of
from pets.plan.fitted.design import Design, Monomial, design_of
from pets.plan.measure import Measure, RowWeight
from pets.plan.plan import Plan
from pets.protection.budget import Budget
from pets.protection.protection import DP, Protection
from pets.query_model.nodes.design import Moments

if TYPE_CHECKING:
    import pandas as pd

SIZES = (1_000, 10_000, 100_000)
"""Numbers of rows at which a quote shows expected standard errors."""
_POINTS = 1 << 13


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
    means = np.append(_means(design, measure.row_weight), 0.0)
    units = np.array(measure.units, dtype=np.float64)
    noise = np.append((deviation / units) ** 2, 0.0)
    matrix = rows * means[places.matrix]
    inverse = np.linalg.inv(matrix)
    size = 0.5 / math.sqrt(p)
    middle = np.array([[noise[places.matrix[i, j]] * size**2 for j in range(p)] for i in range(p)]).sum(axis=1)
    made = inverse @ np.diag(noise[places.vector] + middle) @ inverse
    left = float(measure.heaviest) * means[places.last] / means[places.matrix[0, 0]] * inverse
    turn, _ = back(design)
    parts = [np.sqrt(np.diag(turn @ one @ turn.T)) for one in (made, left)]
    return parts[0], parts[1], kappa_of(design, places, matrix, np.sqrt(noise))[0]


def _means(design: Design, row_weight: RowWeight | None) -> Floats:
    """The mean of each monomial: exactly, or where rows have weights over many points that lie evenly."""
    if row_weight is None:
        return np.array([float(even(design, one)) for one in design.monomials])
    codes = _points(design)
    deviations = {}
    for name, code in codes.items():
        weight = design.weight(name)
        deviations[name] = weight.scale * code - weight.offset
    length = np.full(_POINTS, float(row_weight.start))
    for part in row_weight.parts:
        product = np.full(_POINTS, float(part.times))
        for name, _ in part.factors:
            product = product * deviations[name] ** 2
        for name in part.beyond:
            product = product * (codes[name] > 0)
        length = length + product
    share = np.minimum(1.0, row_weight.top / length / 2**row_weight.bits)
    out = []
    for numbers, levels in design.monomials:
        value = share
        for name, power in numbers:
            value = value * (deviations[name] / design.weight(name).largest) ** power
        for name, level in levels:
            value = value * (codes[name] == level)
        out.append(value.mean())
    return np.array(out)


def _points(design: Design) -> dict[str, Floats]:
    """Codes of rows whose columns lie evenly and independently: multiples of the roots of primes, without wholes."""
    out: dict[str, Floats] = {}
    prime, primes = 2, list[int]()
    for name, domain in design.domains.items():
        while any(prime % one == 0 for one in primes):
            prime += 1
        primes.append(prime)
        out[name] = np.floor((np.arange(1, _POINTS + 1) * math.sqrt(prime)) % 1.0 * domain.cells)
    return out


@dataclass(frozen=True)
class ErrorForecast:
    """The standard errors that coefficients will have.

    Attributes:
        terms: the names of the coefficients.
        noise, sampling: by number of rows, in the order of :data:`SIZES`, the standard errors that noise and the choice
            of people will make: where columns are spread evenly over their public values. Real columns lie closer
            together, and both are then greater.
        health: by number of rows, κ: below 1 there will be no coefficients, below 4 they are poor.
        weights: R², where rows have weights.
        rows: of a person, at most.
    """

    terms: tuple[str, ...]
    noise: tuple[tuple[float, ...], ...]
    sampling: tuple[tuple[float, ...], ...]
    health: tuple[float, ...]
    weights: float | None = None
    rows: int = 1

    @classmethod
    def of(cls, plan: Plan, protection: Protection, budget: Budget) -> ErrorForecast:
        """Of a plan's one list of a regression's sums: of exact ones, without noise."""
        (measure,), ((_, asked),) = plan.measures, plan.query.aggregates
        assert isinstance(asked, Moments)
        design = design_of(asked, plan.fields, plan.table)
        weights = None if asked.weights is None else float(asked.weights)
        deviation = calibrate(plan, protection, budget).scales[0] if isinstance(protection, DP) else 1e-300
        noise, sampling, kappa = zip(*(errors(design, measure, deviation, rows) for rows in SIZES), strict=True)
        each = [tuple(tuple(one.tolist()) for one in found) for found in (noise, sampling)]
        return cls(design.terms, each[0], each[1], kappa, weights)

    @property
    def table(self) -> pd.DataFrame:
        """One row a term: the expected standard error, and noise's part of it, at each number of rows."""
        import pandas as pd

        columns: dict[str, Sequence[float]] = {}
        for rows, noise, sampling in zip(SIZES, self.noise, self.sampling, strict=True):
            columns[f"error_at_{rows}"] = [math.hypot(*pair) for pair in zip(noise, sampling, strict=True)]
            columns[f"noise_at_{rows}"] = list(noise)
        return pd.DataFrame(columns, index=pd.Index(self.terms, name="term"))

    @property
    def lines(self) -> list[str]:
        """The same in text, with what will not be estimable."""
        said = ["Expected standard errors, of columns that are spread evenly over their public values (noise alone):"]
        if self.weights is not None:
            said.insert(0, f"Weighted least squares, R² = {self.weights:.6g}; weights=None is the ordinary one.")
        if self.rows > 1:
            said.append(
                f"A person has up to {self.rows} rows. Where they differ less than those of different people, errors "
                f"of sampling are greater than these: up to {math.sqrt(self.rows):.3g} times."
            )
        width = max(map(len, self.terms))
        head = "".join(f"{f'n = {rows:,}':>26}" for rows in SIZES)
        said.append(f"  {'':<{width}}{head}")
        for place, term in enumerate(self.terms):
            pairs = zip(self.noise, self.sampling, strict=True)
            cells = [f"{math.hypot(a[place], b[place]):,.3g} ({a[place]:,.3g})" for a, b in pairs]
            said.append(f"  {term:<{width}}" + "".join(f"{cell:>26}" for cell in cells))
        for rows, health in zip(SIZES, self.health, strict=True):
            if health < POOR:
                what = "no coefficients" if health < FEW else "poor ones"
                said.append(f"At n = {rows:,} expect {what} (κ = {health:.2g}): take fewer terms, or more epsilon.")
        return said
