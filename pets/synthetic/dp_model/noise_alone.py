"""Noise alone: the share of rows that the noise of marginals puts in the wrong place, and whether rows were enough.

A forecast needs σ, slots and a number of rows, all of them public; a verdict needs released noisy numbers
(post-processing). Nothing here reads a row or draws noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from pets.synthetic.dp_model.workload import Clique, Floats, Marginal, Workload, displaced, slot_counts
from pets.synthetic.synthetic_release import Misfit

SIZES = (500, 1_000, 10_000, 100_000)
"""Numbers of rows at which a quote shows the error."""

GOOD = 0.05
"""The share of rows in the wrong place up to which rows are enough."""

PAIRS = "multivariately plausible: pairs of columns are kept as far as noise and the model allow"
SINGLES = "univariately plausible: columns are kept each by itself; of pairs, nothing is promised"
VALID = "valid: every value is one that the schema allows; how often each one comes is mostly noise"

Z = 1.959964
_NAMED = 3  # rare values of one column that a note names
_MOST_NAMED = 9


@dataclass(frozen=True)
class NoiseAlone:
    """One marginal before it is measured.

    Attributes:
        columns: of it.
        cells: in it.
        sigma: the standard deviation of the noise on each.
    """

    columns: tuple[str, ...]
    cells: int
    sigma: float

    def at(self, rows: float) -> float:
        """The expected total variation distance that noise alone makes, 0 to 1."""
        return min(1.0, displaced(self.sigma, self.cells, rows))


@dataclass(frozen=True)
class Forecast:
    """What noise alone will do to the marginals of a table.

    Attributes:
        singles, pairs: each column by itself; every two of them.
    """

    singles: tuple[NoiseAlone, ...]
    pairs: tuple[NoiseAlone, ...]

    @property
    def total_sigma(self) -> float:
        """The standard deviation of the noise on the number of rows."""
        return float(sum(1 / (one.sigma**2 * one.cells) for one in (*self.singles, *self.pairs)) ** -0.5)

    def columns_at(self, rows: float) -> float:
        """The mean over columns."""
        return sum(one.at(rows) for one in self.singles) / len(self.singles)

    def pairs_at(self, rows: float) -> float | None:
        """The mean over pairs; ``None`` for a single column."""
        return sum(one.at(rows) for one in self.pairs) / len(self.pairs) if self.pairs else None

    def rows_for(self, marginals: Sequence[NoiseAlone], share: float = GOOD) -> int:
        """Rows from which the mean over some marginals is at most ``share``, in two digits, rounded up."""
        rows = sum(displaced(one.sigma, one.cells, 1) for one in marginals) / len(marginals) / share
        unit: int = 10 ** max(0, math.floor(math.log10(max(rows, 1))) - 1)
        return math.ceil(rows / unit) * unit

    def scaled(self, factor: float) -> Forecast:
        """The same with so many times the noise."""
        singles, pairs = (
            tuple(replace(one, sigma=one.sigma * factor) for one in some) for some in (self.singles, self.pairs)
        )
        return Forecast(singles, pairs)


@dataclass(frozen=True)
class Verdict:
    """Whether rows were enough.

    Attributes:
        words: one sentence, for the first line.
        level: on the spectrum of the Office for National Statistics (2019).
    """

    words: str
    level: str


def verdict(misfits: Sequence[Misfit], rows: float, what: str = "rows") -> Verdict:
    """Judged by the noise on the marginals and the noisy number of rows (or of ``what`` is counted) alone."""
    singles = [min(1.0, one.noise) for one in misfits if len(one.columns) == 1]
    pairs = [min(1.0, one.noise) for one in misfits if len(one.columns) == 2]
    single = sum(singles) / len(singles)
    if not pairs:
        alone = f"noise alone puts about {_share(single)} of about {rows:,.0f} {what} in the wrong place"
        if single <= GOOD:
            return Verdict(f"Enough {what} for its one column: {alone}.", SINGLES)
        return Verdict(
            f"NOT ENOUGH {what.upper()}: {alone}; test programs with this table, and conclude nothing.", VALID
        )
    pair = sum(pairs) / len(pairs)
    alone = (
        f"of about {rows:,.0f} {what}, noise alone puts about {_share(single)} in the wrong place of a column and "
        f"about {_share(pair)} in the wrong place of a pair of columns"
    )
    if max(single, pair) <= GOOD:
        return Verdict(f"Enough {what}: {alone}.", PAIRS)
    if single <= GOOD:
        words = f"Enough {what} for columns by themselves, NOT FOR PAIRS: {alone}; rely on no pair."
        return Verdict(words, SINGLES)
    return Verdict(f"NOT ENOUGH {what.upper()}: {alone}; test programs with this table, and conclude nothing.", VALID)


def _share(share: float) -> str:
    return "100 %" if share >= 0.995 else f"{100 * share:.0f} %" if share >= 0.0995 else f"{100 * share:.2g} %"


@dataclass(frozen=True)
class Rare:
    """A value whose noisy count is below its own noise.

    Attributes:
        column, value: which.
        made: its share of the model's rows.
        measured, half: its noisy share, and half of its 95 % interval.
    """

    column: str
    value: str
    made: float
    measured: float
    half: float

    def __str__(self) -> str:
        told = f"measured {100 * self.measured:.1f} % ± {100 * self.half:.1f} %"
        return f"{self.column} {self.value!r} ({100 * self.made:.1f} % of the model's rows, {told})"


def rare_values(
    workload: Workload, marginals: Mapping[Clique, Marginal], share: Callable[[Clique], Floats], total: float
) -> tuple[Rare, ...]:
    """The values that rows may have though their noisy count is below its noise, most inflated first."""
    found = []
    for place, column in enumerate(workload.columns):
        counts, sigma = slot_counts(marginals, place)
        half, made = Z * sigma, share((place,))
        for slot in range(len(counts)):
            if counts[slot] < half and made[slot] * total >= 1:
                label = str(column.labels[slot])
                found.append(Rare(column.name, label, float(made[slot]), float(counts[slot]) / total, half / total))
    return tuple(sorted(found, key=lambda one: one.measured - one.made))


def rare_note(rare: Sequence[Rare]) -> tuple[str, ...]:
    """What a reader must know of them: nothing where there are none."""
    if not rare:
        return ()
    named: list[Rare] = []
    for one in rare:
        if len(named) < _MOST_NAMED and sum(other.column == one.column for other in named) < _NAMED:
            named.append(one)
    rest = f", and {len(rare) - len(named):,} more (settings, 'below_noise')" if len(rare) > len(named) else ""
    return (
        "Rare values whose noisy count is below its noise, so that they may come several times as often here as among "
        f"the real rows: {', '.join(map(str, named))}{rest}.",
    )
