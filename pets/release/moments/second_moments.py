"""Second moments: variances, covariances and correlations of noisy sums, with intervals that hold the noise.

Every interval is made of all that noises of together z standard deviations can make of the answer: the image of an
ellipsoid, whose axes are what z deviations of each noise of whole numbers reach (:meth:`Cells.reaches`). Where an
answer is made of several such parts (a correlation, a division by n − 1), the ends of the parts are taken together,
which holds the image and may be a little too wide.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt

from pets.common.integers import Floats, Ints, divide, products
from pets.plan.measure import Measure, Output
from pets.release.moments.variance_ends import covariance_ends, variance_ends


class Noise(Protocol):
    """What is read of the noise on each measure (:class:`pets.release.estimate.Noise`)."""

    @property
    def exact(self) -> bool:
        """There is no noise."""

    @property
    def widest(self) -> float:
        """z for any sum of such noises."""

    @property
    def careful(self) -> Noise:
        """The same, right also where few releases call a group estimable."""

    def deviation(self, index: int) -> float:
        """The standard deviation of one measure's noise."""


class Cells(Protocol):
    """What is read of the noisy values of some groups (:class:`pets.release.estimate.Cells`)."""

    @property
    def measures(self) -> tuple[Measure, ...]:
        """What was measured."""

    @property
    def noise(self) -> Noise:
        """The noise on it."""

    def part(self, output: Output, place: int) -> Ints:
        """The noisy values of one of an output's measures."""

    def limit(self, output: Output) -> float:
        """The number of rows up to which a group is not estimable."""

    def spread(self, near: npt.NDArray[np.bool_], *deviations: Floats) -> Floats:
        """z for a sum of noises of these deviations."""

    def reaches(self, output: Output, z: Floats, near: npt.NDArray[np.bool_]) -> list[Floats]:
        """How far z deviations of the noise of each part reach, never less than the noise of whole numbers does."""


CURVED = 8.0
"""Times the limit: up to so many rows, a variance bends over the width of the noise."""
_BLOCK = 2048  # groups that are looked at together
_FEW = 64  # the same where a thousand points are looked at for each: as many as fit the processor's own memory


Estimate = tuple[Floats, Floats, Floats, npt.NDArray[np.bool_]]
"""A value, the ends of its interval, and whether it is estimable."""


def variance(cells: Cells, output: Output) -> Estimate:
    """factor² · (E[w²] − E[w]²), divided by n or by n − 1."""
    square, total, rows = (cells.part(output, place) for place in range(3))
    centre = cells.measures[output.parts[0]].centre
    value = _variance_of(square, total, rows, centre, output.factor**2)
    if cells.noise.exact:
        return _divided(output, rows, (value, value, value), rows > int(output.sample), np.zeros(len(rows)))
    s, t, n = (part.astype(np.float64) for part in (square, total, _positive(rows)))
    slopes = (1 / n, -2 * t / n**2, -s / n**2 + 2 * t**2 / n**3)
    moves = [np.abs(d) * cells.noise.deviation(p) for d, p in zip(slopes, output.parts, strict=True)]
    limit = cells.limit(output)
    near, unit = rows <= 2 * limit, float(output.factor) ** 2
    reaches = cells.reaches(output, cells.spread(near, *moves), near)
    half = unit * np.sqrt(cast(Floats, sum(np.square(d * reach) for d, reach in zip(slopes, reaches, strict=True))))
    low, high = value - half, value + half
    few = np.flatnonzero((rows > limit) & (rows <= CURVED * limit))
    for some in np.array_split(few, -(-len(few) // _FEW)) if len(few) else ():
        ends = variance_ends(s[some] / n[some], t[some] / n[some], *(reach[some] / n[some] for reach in reaches))
        low[some], high[some] = (unit * (end + centre) for end in ends)
    cut = _cut(cells, output)
    # a value moves by at most ``cut``, and so does a standard deviation
    low = np.square(np.maximum(np.sqrt(np.maximum(low, 0.0)) - cut, 0.0))
    high = np.square(np.sqrt(np.maximum(high, 0.0)) + cut)
    return _divided(output, rows, (value, low, high), rows > limit, reaches[-1])


def deviation(cells: Cells, output: Output) -> Estimate:
    """The root of the variance, and of the ends of its interval."""
    value, low, high, known = variance(cells, output)
    roots = [np.sqrt(np.maximum(part, 0.0)) for part in (value, low, high)]
    return roots[0], roots[1], roots[2], known


def _positive(rows: Ints) -> Ints:
    return np.where(rows > 0, rows, 1)


def _variance_of(square: Ints, total: Ints, rows: Ints, centre: int, unit: Fraction) -> Floats:
    """unit · (Σw² ÷ n − (Σw ÷ n)²), in whole numbers and rounded once."""
    safe, up = _positive(rows), unit.numerator
    top = products([(up, square, safe), (up * centre, safe, safe), (-up, total, total)])
    return divide(top, products([(unit.denominator, safe, safe)]))


def _divided(
    output: Output,
    rows: Ints,
    parts: tuple[Floats, Floats, Floats],
    known: npt.NDArray[np.bool_],
    noise: Floats,
) -> Estimate:
    """Divided by n − 1 in place of n, where it is a sample's; n is known but for what its own noise reaches."""
    if not output.sample:
        return (*parts, known)
    n = rows.astype(np.float64)
    known = known & (n - noise > 1)
    by = [np.where(known, m / np.where(known, m - 1, 1.0), 1.0) for m in (n, n + noise, n - noise)]
    value, low, high = parts
    # the greater factor widens an end on its own side of 0
    lows, highs = np.where(low < 0, by[2], by[1]), np.where(high < 0, by[1], by[2])
    return value * by[0], low * lows, high * highs, known


def _cut(cells: Cells, output: Output) -> float:
    """How far a value can lie from the middle of the run of grid steps that it was counted in."""
    weight = cells.measures[output.parts[0]].weight
    if weight is None or weight.coarse == 1:
        return 0.0
    return float(output.factor * weight.scale / weight.coarse * (weight.coarse - 1) / 2)


# two columns ----------------------------------------------------------------------------------------------------------


def covariance(cells: Cells, output: Output) -> Estimate:
    """factor · (E[w₁w₂] − E[w₁]·E[w₂]), divided by n or by n − 1."""
    product, first, second, rows = (cells.part(output, place) for place in range(4))
    value = _covariance_of(product, first, second, rows, output.factor)
    if cells.noise.exact:
        return _divided(output, rows, (value, value, value), rows > int(output.sample), np.zeros(len(rows)))
    reaches, known = _widest(cells, output, rows)
    low, high = (float(output.factor) * end for end in _ends((product, first, second), rows, reaches))
    return _divided(output, rows, (value, low, high), known, reaches[-1])


def _widest(cells: Cells, output: Output, rows: Ints) -> tuple[list[Floats], npt.NDArray[np.bool_]]:
    """How far each noise reaches, by the greatest z, of one noise alone; who is estimable."""
    limit = cells.limit(output)
    near = rows <= 2 * limit
    reaches = cells.reaches(output, np.where(near, cells.noise.careful.widest, cells.noise.widest), near)
    return reaches, (rows > limit) & (rows > reaches[-1])


def _covariance_of(product: Ints, first: Ints, second: Ints, rows: Ints, unit: Fraction) -> Floats:
    """unit · (Σw₁w₂ ÷ n − Σw₁ ÷ n · Σw₂ ÷ n), in whole numbers and rounded once."""
    safe, up = _positive(rows), unit.numerator
    top = products([(up, product, safe), (-up, first, second)])
    return divide(top, products([(unit.denominator, safe, safe)]))


def _ends(sums: tuple[Ints, Ints, Ints], rows: Ints, reaches: list[Floats]) -> tuple[Floats, Floats]:
    """How small and how great noises that reach so far (of the sums, then of the rows) make a covariance."""
    n = _positive(rows).astype(np.float64)
    low, high = np.empty(len(n)), np.empty(len(n))
    for start in range(0, len(n), _BLOCK):
        some = slice(start, start + _BLOCK)
        moves = [reach[some] / n[some] for reach in reaches]
        moves[-1] = np.minimum(moves[-1], 0.999)  # of groups that are not estimable: their rows may be noise
        low[some], high[some] = covariance_ends(*(part[some] / n[some] for part in sums), *moves)
    return low, high


def correlation(cells: Cells, output: Output) -> Estimate:
    """The covariance over the roots of both variances; each end is of the worst that all three can be at once."""
    product, first, second, square, other, rows = (cells.part(output, place) for place in range(6))
    centres = [cells.measures[output.parts[place]].centre for place in (3, 4)]
    sides = ((square, first, centres[0]), (other, second, centres[1]))
    spreads = [_variance_of(squares, totals, rows, centre, Fraction(1)) for squares, totals, centre in sides]
    positive = (rows > 0) & (spreads[0] > 0) & (spreads[1] > 0)
    below = np.sqrt(np.where(positive, spreads[0], 1.0)) * np.sqrt(np.where(positive, spreads[1], 1.0))
    value = _covariance_of(product, first, second, rows, Fraction(1)) / below
    if cells.noise.exact:
        return value, value, value, positive
    reaches, known = _widest(cells, output, rows)
    low, high = _ends((product, first, second), rows, [*reaches[:3], reaches[5]])
    least, most = np.ones(len(rows)), np.ones(len(rows))
    for (squares, totals, centre), place in zip(sides, (0, 1), strict=True):
        # a variance is a covariance with itself, whose one noise is in both factors: so √2 times as great in each
        twice = math.sqrt(2) * reaches[1 + place]
        ends = _ends((squares, totals, totals), rows, [reaches[3 + place], twice, twice, reaches[5]])
        least = least * np.sqrt(np.maximum(ends[0] + centre, 0.0))
        most = most * np.sqrt(np.maximum(ends[1] + centre, 0.0))
    safe, great = np.where(least > 0, least, 1.0), np.where(most > 0, most, 1.0)
    down = np.where(low < 0, np.where(least > 0, low / safe, -1.0), low / great)
    up = np.where(high < 0, high / great, np.where(least > 0, high / safe, 1.0))
    return value, np.minimum(down, value), np.maximum(up, value), known & positive
