"""Workload: which marginals of a table are measured, as ordinary queries with their shares of the budget.

The workload is fixed by public knowledge alone: every column by itself, and every pair. What of it a model then uses is
chosen from the noisy answers (:mod:`pets.synthetic.dp_model.select`), so choosing looks at no row, costs nothing, and
works where nobody ever sees the exact answers (encrypted or federated).

Source: McKenna, Miklau and Sheldon, "Winning the NIST contest" (2021), section 3 (select, measure, generate). That
paper measures only the pairs of a spanning tree, chosen by looking at rows; measuring all pairs costs each of them
√(pairs in all ÷ pairs in the tree) more noise and buys a far richer model (benchmarks/bench_synthetic.py).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from pets.errors import UserError
from pets.query_model.aggregate import count
from pets.query_model.query import Query, query
from pets.release.estimate import Noise
from pets.release.release import Release
from pets.synthetic.dp_model.columns import Modelled

Clique = tuple[int, ...]
Floats = npt.NDArray[np.float64]

SINGLES = Fraction(1, 10)
"""The share of the budget for columns by themselves; the pairs' sums tell of them too."""

MAX_CELLS = 2_000_000
MEASURE = "n"


@dataclass(frozen=True)
class Marginal:
    """One noisy marginal.

    Attributes:
        clique: the places of its columns in the workload.
        values: noisy counts, one axis a column.
        sigma: the standard deviation of the noise on each.
    """

    clique: Clique
    values: Floats
    sigma: float

    @property
    def total(self) -> float:
        """The noisy number of rows that it adds up to."""
        return float(self.values.sum())

    def joined(self, other: Marginal) -> Marginal:
        """Two independent measurements of one marginal as one, weighted by their precision."""
        mine, theirs = self.sigma**-2, other.sigma**-2
        values = (self.values * mine + other.values * theirs) / (mine + theirs)
        return replace(self, values=values, sigma=(mine + theirs) ** -0.5)


@dataclass(frozen=True)
class Workload:
    """Every column and every pair of columns of one table.

    Attributes:
        rows: K, rows of one person that count (``None``: the schema's default).
        people: the question whose people are counted in place of a table's rows.
        links: the pairs that are measured, each with its weight (none: every pair, all alike).

    Raises:
        UserError: when the pairs have more cells than can be measured.
    """

    table: str
    columns: tuple[Modelled, ...]
    rows: int | None = None
    people: Query | None = None
    links: tuple[tuple[Clique, int], ...] = ()

    def __post_init__(self) -> None:
        cells = sum(math.prod(self._shape(clique)) for clique in self.cliques)
        if cells > MAX_CELLS:
            widest = max(self.columns, key=lambda column: column.size)
            raise UserError(
                f"the pairs of these {len(self.columns)} columns have {cells:,} cells and at most {MAX_CELLS:,} can "
                f"be measured; {widest.name!r} has the most values ({widest.size:,}): use a coarser one, wider "
                "bins, or fewer columns"
            )

    @property
    def sizes(self) -> tuple[int, ...]:
        """Slots of each column."""
        return tuple(column.size for column in self.columns)

    @property
    def singles(self) -> tuple[Clique, ...]:
        """Each column by itself."""
        return tuple((place,) for place in range(len(self.columns)))

    @property
    def pairs(self) -> tuple[Clique, ...]:
        """Every two columns, or those that are linked."""
        if self.links:
            return tuple(pair for pair, _ in self.links)
        return tuple(itertools.combinations(range(len(self.columns)), 2))

    @property
    def cliques(self) -> tuple[Clique, ...]:
        """All that is measured."""
        return self.singles + self.pairs

    def cells(self, clique: Clique) -> int:
        """Cells of one marginal, of those that rows may be in."""
        return math.prod(self.columns[place].size for place in clique)

    def names(self, clique: Clique) -> tuple[str, ...]:
        """The columns of a marginal."""
        return tuple(self.columns[place].name for place in clique)

    def query(self, clique: Clique) -> Query:
        """The marginal as an ordinary question: bounded, priced and measured like any other."""
        keys = [replace(self.columns[place].key, label=f"c{place}") for place in clique]
        asked = query(self.table) if self.people is None else self.people
        asked = asked.group_by(*keys).agg(**{MEASURE: count()})
        return asked if self.rows is None else asked.bound(rows=self.rows)

    def shares(self, budget: Fraction = Fraction(1)) -> list[tuple[Clique, Fraction]]:
        """Each marginal's share of the budget; they add up to it.

        Of linked pairs a share is in proportion to weight × cells^⅔: for a given price that makes the weighted sum of
        their errors least, since the error of a marginal is in proportion to cells ÷ √share.
        """
        pairs = self.pairs
        singles = budget * (SINGLES if pairs else 1)
        out = [(clique, singles / len(self.singles)) for clique in self.singles]
        if self.links:
            parts = [round(1000 * weight * self.cells(pair) ** (2 / 3)) for pair, weight in self.links]
            whole = sum(parts)
            return out + [(pair, (budget - singles) * part / whole) for pair, part in zip(pairs, parts, strict=True)]
        return out + [(clique, (budget - singles) / len(pairs)) for clique in pairs]

    def read(self, clique: Clique, release: Release) -> Marginal:
        """The marginal that a release holds, without the slots that no row can be in."""
        noise = Noise(release.mechanism, release.scales)
        # a marginal without noise (dummy data) still needs a weight
        sigma = max(noise.deviation(0), 1e-3) if release.mechanism != "none" else 1e-3
        values = release.values.astype(np.float64).reshape(self._shape(clique))
        return Marginal(clique, values[np.ix_(*(self.columns[place].possible for place in clique))], sigma)

    def _shape(self, clique: Clique) -> tuple[int, ...]:
        """Of the answer."""
        return tuple(self.columns[place].dimension.size for place in clique)


def displaced(sigma: float, cells: int, rows: float) -> float:
    """The total variation distance that noise alone is expected to make: ½ Σ |noise| ÷ rows.

    It passes 1 where noise is all there is. (E|noise| is σ√(2/π) for a normal law, and a little less for Laplace.)

    >>> round(displaced(10, 4, 500), 4)
    0.0319
    """
    return sigma * math.sqrt(2 / math.pi) * cells / rows / 2


def slot_counts(marginals: Mapping[Clique, Marginal], place: int) -> tuple[Floats, float]:
    """The noisy count of each slot of a column, and its standard deviation.

    Every marginal with the column tells of it; each is weighted by its precision.
    """
    counts: Floats = np.zeros(1)
    precision = 0.0
    for clique, one in marginals.items():
        if place in clique:
            axis = clique.index(place)
            summed = one.values.size // one.values.shape[axis]
            weight = 1 / (one.sigma**2 * summed)
            counts = counts + weight * one.values.sum(axis=tuple(at for at in range(len(clique)) if at != axis))
            precision += weight
    return counts / precision, float(precision**-0.5)


def total_of(marginals: Sequence[Marginal]) -> float:
    """The number of rows, by the noisy totals of all marginals, each weighted by its precision; at least 1."""
    weights = np.array([1 / (marginal.sigma**2 * marginal.values.size) for marginal in marginals])
    return max(1.0, float(weights @ np.array([marginal.total for marginal in marginals]) / weights.sum()))


def total_error(marginals: Sequence[Marginal]) -> float:
    """The standard deviation of :func:`total_of`."""
    return float(sum(1 / (marginal.sigma**2 * marginal.values.size) for marginal in marginals) ** -0.5)
