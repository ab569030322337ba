"""Estimates: from noisy whole numbers and the scale of their noise to answers with intervals.

Post-processing only: nothing here reads rows or draws noise, so nothing here can weaken a guarantee. Intervals speak
of the noise alone, around the *bounded* answer that the plan describes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from statistics import NormalDist
from typing import Literal, Protocol, cast

import numpy as np
import numpy.typing as npt

from pets.common.codec import Json, fraction
from pets.common.integers import Floats, Ints, Numbers, combined, divide, exact, over
from pets.errors import InternalError, QueryError, did_you_mean, shown
from pets.plan.fitted.exits import solved
from pets.plan.measure import Measure, Output
from pets.plan.plan import Plan
from pets.query_model.traits import Shape
from pets.release import consistent_tree
from pets.release.moments import second_moments
from pets.release.moments.ratio_ends import ratio_ends
from pets.release.noise_quantiles import half_width

Mechanism = Literal["gaussian", "laplace", "none"]
MECHANISMS: tuple[Mechanism, ...] = ("gaussian", "laplace", "none")
EMPTY = 1e-4
"""The chance, at most, that a group without rows is called estimable."""
RARE = 0.05
"""An interval covers as often as it says among the releases in which its group is called estimable, for every group of
which that is said in at least this share of releases."""
_FEW = 1000  # cells summed, up to which the law of their noise is added up; beyond, its normal limit is as good


@dataclass(frozen=True)
class Column:
    """One output: its estimate and the ends of its interval, one entry a group (for a histogram: one row a group).

    Whole numbers stay whole; NaN means *not estimable*: the group has too few rows for the noise.
    """

    output: Output
    estimate: Numbers
    low: Numbers
    high: Numbers

    def at(self, places: Ints) -> Column:
        """The same output of some groups, in this order."""
        return Column(self.output, self.estimate[places], self.low[places], self.high[places])


@dataclass(frozen=True)
class Estimates:
    """All outputs of one answer, in the order in which they were asked for.

    Attributes:
        confidence: of each interval: the chance that it holds the exact bounded answer.
        exact: there is no noise; the ends of each interval are the value.
    """

    columns: tuple[Column, ...]
    confidence: float
    exact: bool

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if isinstance(name, str) and column.output.name == name:
                return column
        known = [column.output.name for column in self.columns]
        raise QueryError(f"{shown(name)} is not an output of this release{did_you_mean(name, known)}")

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)


@dataclass(frozen=True)
class Noise:
    """The noise on each measure's cells, where ``cells`` cells were added up.

    Attributes:
        scales: the noise's parameter for each measure (σ of the discrete Gaussian, b of the discrete Laplace).
    """

    mechanism: Mechanism
    scales: tuple[float, ...]
    confidence: float = 0.95
    cells: int = 1

    def __post_init__(self) -> None:
        if self.mechanism not in MECHANISMS:
            raise InternalError(f"there is no mechanism {self.mechanism!r}")
        right = all(math.isfinite(s) and (s == 0 if self.exact else s > 0) for s in self.scales)
        if not right or not 0 < self.confidence < 1 or self.cells < 1:
            raise InternalError("the noise of an answer is a positive scale for each measure (0 where there is none)")

    @property
    def exact(self) -> bool:
        """There is no noise."""
        return self.mechanism == "none"

    def half_width(self, terms: Sequence[tuple[int, float]]) -> float:
        """The smallest h such that Σ coefficient · noise lies within ±h with the wanted confidence.

        ``terms`` are (measure index, coefficient).
        """
        noisy = [(abs(coefficient), index) for index, coefficient in terms if coefficient]
        if self.exact or not noisy:
            return 0.0
        if self.mechanism != "none" and self.cells <= _FEW:
            few = tuple((coefficient, self.scales[index]) for coefficient, index in noisy for _ in range(self.cells))
            return float(half_width(self.mechanism, few, self.confidence))
        merged = tuple((coefficient, self.deviation(index)) for coefficient, index in noisy)
        return float(half_width("gaussian", merged, self.confidence))

    def deviation(self, index: int) -> float:
        """The standard deviation of one measure's noise."""
        scale = self.scales[index]
        if self.mechanism == "laplace":
            # discrete Laplace: Var = 2p/(1−p)², p = exp(−1/b)
            p = math.exp(-1 / scale)
            scale = math.sqrt(2 * p) / -math.expm1(-1 / scale)
        return scale * math.sqrt(self.cells)

    def reach(self, index: int, z: Floats | float) -> Floats:
        """How far z deviations of one measure's noise reach, for a ratio of what has such noise.

        Noise is of whole numbers, and an interval that stops between two of them holds less than z says. So it is no
        less than what holds this noise alone, and half a step more: by exact enumeration that is enough at each scale.
        """
        return np.maximum(z * self.deviation(index), self.half_width([(index, 1.0)])) + 0.5

    @property
    def normal(self) -> float:
        """z: the half-width of a normal variable of standard deviation 1."""
        return 0.0 if self.exact else NormalDist().inv_cdf((1 + self.confidence) / 2)

    @property
    def widest(self) -> float:
        """z for any sum of such noises, whatever their number: a single Laplace variable has the heaviest tails."""
        return self._single if self.mechanism == "laplace" else self.normal

    @property
    def _single(self) -> float:
        return -math.log(1 - self.confidence) / math.sqrt(2)

    @property
    def careful(self) -> Noise:
        """The same noise with intervals that are right also where few releases call a group estimable.

        Among those releases the noise on the group's rows is mostly upward. If an interval misses in α·RARE of all
        releases, it misses in at most α of those that are chosen, however they are, if they are RARE of all.
        """
        return replace(self, confidence=1 - (1 - self.confidence) * RARE)

    @property
    def empty(self) -> Noise:
        """The same noise, whose upper half-width is passed with the chance :data:`EMPTY`."""
        return replace(self, confidence=1 - 2 * EMPTY)

    def spread(self, *deviations: Floats | float) -> Floats:
        """z for a sum of independent noises of these standard deviations, element by element.

        Normal noise has one z. For Laplace noise it lies between the normal one (many equal terms) and that of a single
        Laplace variable, ln(1/(1−confidence))/√2; in between, in proportion to the excess kurtosis, which is right at
        both ends and within 1 % at 95 % between them.
        """
        z = self.normal
        squares = [np.square(np.asarray(d, dtype=np.float64)) for d in deviations]
        if self.mechanism != "laplace":
            return np.full(np.broadcast_shapes(*(s.shape for s in squares)), z)
        total = cast(Floats, sum(squares))
        peaked = cast(Floats, sum(np.square(s) for s in squares))
        kurtosis = np.divide(peaked, np.square(total), out=np.ones_like(total), where=total > 0)
        return z + (self._single - z) * kurtosis / self.cells


class Noisy(Protocol):
    """What is read of a release to know its noise."""

    @property
    def mechanism(self) -> Mechanism:
        """Whose noise is on it."""

    @property
    def scales(self) -> tuple[float, ...]:
        """Of the noise on each measure."""

    @property
    def sharing(self) -> Json | None:
        """Whose shares of noise it has, where it is of several sites."""


def noise_of(answer: Noisy, confidence: float = 0.95, cells: int = 1) -> Noise:
    """The noise on an answer, where so many of its cells are added up.

    Where sites add Laplace noise each by itself, their total has as many draws of it on each cell: its scales are those
    of a Gaussian of the same variance, and what its intervals must hold is the sum of the draws.
    """
    sharing = answer.sharing or {}
    told = sharing.get("noise")
    if told is None or told["mechanism"] != "laplace":
        return Noise(answer.mechanism, answer.scales, confidence, cells)
    scales = tuple(float(fraction(scale)) for scale in told["scales"])
    return Noise("laplace", scales, confidence, cells * len(sharing["answered"]))


def rows_limit(measures: Sequence[Measure], output: Output, noise: Noise) -> float:
    """The number of rows up to which a group is not estimable: noise alone could be all of it (0: every group is)."""
    shape, both = output.traits.shape, (noise.empty, noise.careful)
    if noise.exact or shape in ("linear", "bins"):
        return 0.0
    rows = output.parts[-1]
    if shape == "rank":
        spread = consistent_tree.prefix_variances(measures[rows].levels)[2]
        return max(float(one.reach(rows, one.widest)) for one in both) * math.sqrt(spread)
    return max(one.half_width([(rows, 1.0)]) for one in both)


@dataclass
class Cells:
    """The noisy values of some groups, measure by measure, ready to be made into outputs.

    Attributes:
        blocks: for each measure, ``(groups, width)``.
    """

    measures: tuple[Measure, ...]
    blocks: tuple[Ints, ...]
    noise: Noise
    _trees: dict[int, consistent_tree.Distribution] = field(default_factory=dict, repr=False)

    def column(self, output: Output) -> Column:
        """One output, with its interval."""
        made: dict[Shape, Callable[[Output], Column]] = {
            "linear": self._linear,
            "bins": self._linear,
            "ratio": self._ratio,
            "moments": partial(self._moment, second_moments.variance),
            "root": partial(self._moment, second_moments.deviation),
            "joint": partial(self._moment, second_moments.covariance),
            "correlation": partial(self._moment, second_moments.correlation),
            "rank": self._quantile,
        }
        return made[output.traits.shape](output)

    def limit(self, output: Output) -> float:
        """The number of rows up to which a group is not estimable."""
        return rows_limit(self.measures, output, self.noise)

    def part(self, output: Output, place: int) -> Ints:
        """The noisy values of one of an output's measures."""
        return self.blocks[output.parts[place]][:, 0]

    # counts and sums ------------------------------------------------------------------------------------------

    def _sum(self, output: Output) -> tuple[Numbers, int]:
        """factor · first part + centre · second part, as whole numbers over one denominator."""
        coefficients = (output.factor, output.centre)[: len(output.parts)]
        below = math.lcm(*(c.denominator for c in coefficients))
        parts = [self.part(output, i) for i in range(len(coefficients))]
        return combined([(int(c * below), part) for c, part in zip(coefficients, parts, strict=True)]), below

    def _linear(self, output: Output) -> Column:
        if output.units or self.measures[output.parts[0]].kind == "exits":
            return self._scaled(output)
        if output.traits.shape == "bins":
            value, below = self.blocks[output.parts[0]], 1
        else:
            value, below = self._sum(output)
        coefficients = (output.factor, output.centre)[: len(output.parts)]
        half = self.noise.half_width([(p, float(c)) for p, c in zip(output.parts, coefficients, strict=True)])
        # values lie on a grid of 1/below, and so does the smallest interval that is wide enough
        steps = math.ceil(half * below - 1e-9)
        low, high = combined([(1, value)], -steps), combined([(1, value)], steps)
        whole = output.whole and self.noise.exact
        return Column(output, *(over(numbers, below, whole) for numbers in (value, low, high)))

    def _scaled(self, output: Output) -> Column:
        """A list of sums, each over its own unit; or of counts that are solved from sums of them."""
        (part,) = output.parts
        if self.measures[part].kind == "exits":
            found, spread = solved(self.blocks[part], self.measures[part].levels, self.noise.exact)
            reach = self.noise.widest * self.noise.deviation(part) * spread
            return Column(output, found, found - reach, found + reach) if reach.any() else Column(output, *[found] * 3)
        units: Floats = np.array(output.units, dtype=np.float64)
        value = self.blocks[part] / units
        half = self.noise.half_width([(part, 1.0)]) / units
        return Column(output, value, value - half, value + half)

    # ratios ---------------------------------------------------------------------------------------------------

    def _ratio(self, output: Output) -> Column:
        """Centre + factor · total/rows; the interval is Fieller's (1954), moved inside the public bounds.

        Where the interval of ``rows`` reaches zero, Fieller's is unbounded: the data do not say whether anybody is
        there, and the group is not estimable.
        """
        total, rows = self.part(output, 0), self.part(output, 1)
        numerator, below = self._sum(output)
        safe = np.where(rows > 0, rows, 1)
        value = divide(numerator, combined([(below, safe)]))
        if self.noise.exact:
            return self.clipped(output, value, value, value, rows > 0)
        sd_total, sd_rows = self.noise.deviation(output.parts[0]), self.noise.deviation(output.parts[1])
        t, n = total.astype(np.float64), safe.astype(np.float64)
        limit = self.limit(output)
        z = self.spread(rows <= 2 * limit, np.full(len(t), sd_total), t / n * sd_rows)
        on_total, on_rows = self.reaches(output, z, rows <= 2 * limit)
        known = (rows > limit) & (n > on_rows)
        factor, centre = float(output.factor), float(output.centre)
        ends = ratio_ends(t, np.where(known, n, on_rows + 1), on_total, on_rows)
        low, high = (centre + factor * end for end in ends)
        return self.clipped(output, value, low, high, known)

    def _moment(self, estimated: Callable[[Cells, Output], second_moments.Estimate], output: Output) -> Column:
        return self.clipped(output, *estimated(self, output))

    def spread(self, near: npt.NDArray[np.bool_], *deviations: Floats) -> Floats:
        """z for each group: the careful one where ``near`` the limit, so that only some releases are past it."""
        return np.where(near, self.noise.careful.spread(*deviations), self.noise.spread(*deviations))

    def reaches(self, output: Output, z: Floats, near: npt.NDArray[np.bool_]) -> list[Floats]:
        """How far z deviations reach of the noise of each part, group by group; careful where ``near`` the limit."""
        noise = self.noise
        return [np.where(near, noise.careful.reach(part, z), noise.reach(part, z)) for part in output.parts]

    def clipped(self, output: Output, value: Floats, low: Floats, high: Floats, known: npt.NDArray[np.bool_]) -> Column:
        """An output moved inside its public bounds; NaN where it is not known."""
        ends = float(output.low), float(output.high)
        return Column(output, *(np.where(known, np.clip(part, *ends), np.nan) for part in (value, low, high)))

    # quantiles ------------------------------------------------------------------------------------------------

    def _quantile(self, output: Output) -> Column:
        """The smallest value with a share q at or below it; inside a bin of several values, on a straight line.

        The interval's ends are the outer values of their bins: what happens inside a bin was not measured.
        """
        if output.q is None:
            raise InternalError("a quantile has a share q")
        part = output.parts[0]
        if part not in self._trees:
            levels = self.measures[part].levels
            self._trees[part] = consistent_tree.distribution(self.blocks[part], levels, self.noise.exact)
        found = self._trees[part]
        limit = self.limit(output)
        near = found.rows <= 2 * limit
        z = np.where(near, self.noise.careful.widest, self.noise.widest)
        at = consistent_tree.locate(found, output.q, self.reaches(output, z, near)[0])
        first = np.array([float(edge) for edge in output.bins[:-1]])
        last = np.array([float(edge - output.factor) for edge in output.bins[1:]])
        known = found.rows > limit
        value = first[at.bin] + (last - first)[at.bin] * at.inside
        if self.noise.exact:
            return self.clipped(output, value, value, value, known)
        return self.clipped(output, value, first[at.low], last[at.high], known)


def estimate(
    plan: Plan, values: Ints, mechanism: Mechanism, scales: tuple[float, ...], confidence: float = 0.95
) -> Estimates:
    """The answer that a noisy vector gives, with an interval around every number.

    Args:
        plan: what was measured.
        values: the vector, as it was released.
        mechanism: whose noise is on it.
        scales: of the noise on each measure.
        confidence: of each interval.

    Raises:
        InternalError: if the vector or the scales are not the plan's.
    """
    return estimated(plan, values, Noise(mechanism, scales, confidence))


def estimated(plan: Plan, values: Ints, noise: Noise) -> Estimates:
    """:func:`estimate` of a vector that has this noise."""
    cells = Cells(plan.measures, split(plan, values), noise)
    if len(noise.scales) != len(plan.measures):
        raise InternalError("there is one scale for each measure of the plan")
    return Estimates(tuple(cells.column(output) for output in plan.outputs), noise.confidence, noise.exact)


def split(plan: Plan, values: Ints) -> tuple[Ints, ...]:
    """The vector's block of each measure, as ``(groups, width)``."""
    if values.shape != (plan.size,) or not exact(values):
        raise InternalError("the vector is not laid out by this plan")
    return tuple(
        values[block].reshape(plan.groups, measure.width)
        for measure, block in zip(plan.measures, plan.blocks, strict=True)
    )
