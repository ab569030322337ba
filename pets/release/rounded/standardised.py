"""Directly standardised rates of rounded counts: from what is shown alone, with an interval that holds the rounding.

Its interval holds Dobson's with Byar's limits of every table of counts that is shown so, the exact one among them. So
where rounding is fine beside chance it is a little wider than the interval of the exact counts, and never narrower.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pets.common.integers import Floats, Ints
from pets.errors import QueryError, did_you_mean, shown
from pets.release.rounded.counts import Counted, Counts
from pets.release.standardise import byar, public_people, standard_of, strata

if TYPE_CHECKING:
    import pandas as pd

TRIED = 10_000
"""Numbers of events of which each has its limits computed; of more, a bound is used that holds for all of them."""


@dataclass(frozen=True)
class Between:
    """Numbers of which a reader knows the ends.

    Attributes:
        shown: as a table shows them; low, high: the ends.
        hidden: where a hidden cell is part of one.
    """

    shown: Floats
    low: Floats
    high: Floats
    hidden: npt.NDArray[np.bool_]

    def at(self, places: Ints) -> Between:
        """Some of them."""
        return Between(self.shown[places], self.low[places], self.high[places], self.hidden[places])


def standardised(
    table: Counted,
    events: str,
    among: str | Mapping[Any, float],
    by: str,
    population: str | Mapping[Any, float],
    per: float,
    confidence: float,
) -> pd.DataFrame:
    """See :meth:`pets.release.rounded.verbs.RoundedVerbs.standardise`."""
    import pandas as pd

    plan, named = table.plan, table.plan.layout.columns()
    cases = _between(counted(table, events))
    if isinstance(among, str):
        counted(table, among)
    weights, standard = standard_of(plan, by, population, per, confidence)
    people = _people(table, among, list(named.values()))
    rows = []
    for stratum, at, share in strata(plan, by, weights):
        value, low, high = ends(cases.at(at), people.at(at), share, confidence)
        rows.append((*stratum, per * value, per * low, per * high))
    found = pd.DataFrame(rows, columns=[*(name for name in named if name != by), "rate", "rate_low", "rate_high"])
    found.attrs["standard"] = standard
    return found


def ends(cases: Between, people: Between, share: Floats, confidence: float) -> tuple[float, float, float]:
    """A directly standardised rate of what is shown (NaN where a part is hidden), and its ends.

    Of events x and people n with share w of the standard, Dobson's interval of Σ w·x/n reaches √V·f(X) down and up,
    with V = Σ w²·x/n², X = Σ x and f(X) what Byar's limits are from X, over √X. V is greatest at the most events of the
    fewest people, and so is Σ w·x/n; f is looked at for each X that is possible. NaN where an age may have nobody.
    """
    if not (people.low > 0).all():
        return math.nan, math.nan, math.nan
    value = math.nan
    if not (cases.hidden | people.hidden).any():
        value = float((share * cases.shown / people.shown).sum())
    least = float((share * cases.low / people.high).sum())
    most = float((share * cases.high / people.low).sum())
    deviation = math.sqrt(float((share**2 * cases.high / people.low**2).sum()))
    totals = int(cases.low.sum()), int(cases.high.sum())
    below, above = reaches(*totals, confidence)
    up = deviation * above
    if totals[0] == 0:  # nobody at all: the limit is that of the age in which one event would weigh most
        up = max(up, float((share / people.low).max()) * byar(0, confidence)[1])
    return value, max(0.0, least - deviation * below), most + up


def reaches(low: int, high: int, confidence: float) -> tuple[float, float]:
    """How far Byar's limits lie at most below and above a Poisson number of events, over its root, from low to high.

    Of more numbers than are tried one by one: with z the quantile, below at most z + 1/(3·√X), and above at most
    (z·√(X+1) + 2/3 + z²/3 + z³/(27·√(X+1)))/√X, both of which fall with X.
    """
    below = above = 0.0
    last = min(high, low + TRIED)
    for events in range(max(low, 1), last + 1):
        ends_ = byar(events, confidence)
        below = max(below, (events - ends_[0]) / math.sqrt(events))
        above = max(above, (ends_[1] - events) / math.sqrt(events))
    if high > last:
        z, root, more = NormalDist().inv_cdf((1 + confidence) / 2), math.sqrt(last), math.sqrt(last + 1)
        below = max(below, z + 1 / (3 * root))
        above = max(above, (z * more + 2 / 3 + z**2 / 3 + z**3 / (27 * more)) / root)
    return below, above


def counted(table: Counted, name: object) -> Counts:
    """The counts of one output; raises :class:`QueryError` where it is none."""
    names = [one.name for one in table.plan.outputs]
    if not isinstance(name, str) or name not in names:
        raise QueryError(f"{shown(name)} is not an output of this release{did_you_mean(str(name), names)}")
    parts = table.counts()[names.index(name)]
    if len(parts) != 1:
        raise QueryError(f"{name!r} is a rate, and this takes a count; release one beside it, pets.count(where=…)")
    return parts[0]


def _between(counts: Counts) -> Between:
    shown_, low, high = (part.astype(np.float64) for part in (counts.shown, counts.low, counts.high))
    return Between(shown_, low, high, counts.hidden > 0)


def _people(table: Counted, among: str | Mapping[Any, float], keys: list[Any]) -> Between:
    if isinstance(among, str):
        return _between(counted(table, among))
    people = public_people(among, keys)
    return Between(people, people, people, np.zeros(len(people), dtype=np.bool_))
