"""Averages: sums and means of a column that a rounded table is grouped by, from its shown counts alone.

A number of people is shown for each value of the column, or each bin of values; what is added up here is a function of
these numbers, so it tells nothing that they do not, whoever contributes most. Its ends are those of every table of
counts that is shown so.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from pets.common.codec import fraction
from pets.common.integers import Ints
from pets.errors import QueryError, did_you_mean, shown
from pets.plan.layout import Dimension
from pets.plan.plan import Plan
from pets.release.rounded.counts import Counted, Counts
from pets.release.rounded.standardised import counted
from pets.release.standardise import combinations
from pets.schema.numeric import Numeric

if TYPE_CHECKING:
    import pandas as pd

Values = dict[int, tuple[Fraction, Fraction]]
"""By slot of a key, the least and the greatest value that it holds; the slot of a missing value has none."""


def averages(table: Counted, column: str, people: str | None) -> pd.DataFrame:
    """See :meth:`pets.release.rounded.verbs.RoundedVerbs.averages`."""
    import pandas as pd

    plan, named = table.plan, table.plan.layout.columns()
    dimension = next((one for one in plan.layout.dimensions if one.name == column), None)
    if dimension is None:
        raise QueryError(
            f"{shown(column)} is not a key of this table{did_you_mean(str(column), named)}; release counts by it, as "
            "the grid has it: pets.query(…).group_by(…).agg(n=pets.count())"
        )
    values, counts = values_of(plan, dimension), counted(table, _only_count(plan) if people is None else people)
    slot = {str(label): place for place, label in enumerate(dimension.labels)}
    places = [slot[str(label)] for label in named[column]]
    rows = []
    for stratum, every in combinations(plan, column):
        at = [place for place in every.tolist() if places[place] in values]
        held = [values[places[place]] for place in at]
        rows.append((*stratum, *_averaged(_some(counts, at), held, table.rule.middle)))
    parts = [f"{what}{end}" for what in ("sum", "mean") for end in ("", "_low", "_high")]
    return pd.DataFrame(rows, columns=[*(name for name in named if name != column), *parts])


def values_of(plan: Plan, dimension: Dimension) -> Values:
    """The values of each slot; raises :class:`QueryError` for a key whose slots are no numbers."""
    domain = plan.fields[dimension.column]
    if not isinstance(domain, Numeric) or dimension.cycle is not None:
        raise QueryError(
            f"{dimension.name!r} has no numbers to average; name a key of numbers, such as col('age').bins([0, 18, 65])"
        )
    if dimension.breaks:
        starts = zip(dimension.slots, itertools.pairwise([*dimension.breaks, domain.cells]), strict=True)
        runs = [(slot, low, min(high, domain.cells) - 1) for slot, (low, high) in starts]
    else:
        runs = [(code, code, code) for code in range(domain.cells)]
    out: Values = {}
    for slot, low, high in runs:
        if slot >= 0 and low <= high:
            ends = fraction(domain.decode(low)), fraction(domain.decode(high))
            before = out.get(slot, ends)
            out[slot] = min(before[0], ends[0]), max(before[1], ends[1])
    return out


def _averaged(counts: Counts, values: list[tuple[Fraction, Fraction]], middle: int) -> tuple[float, ...]:
    """Sum, its ends, mean and its ends; the numbers themselves are missing where only hidden cells have people."""
    low, high = counts.low.tolist(), counts.high.tolist()
    total = sum((a + b) / 2 * n for (a, b), n in zip(values, counts.shown.tolist(), strict=True))
    number, hidden = int(counts.shown.sum()), int(counts.hidden.sum())
    known = number > 0 and number != hidden * middle
    least = sum(min(a * few, a * many) for (a, _), few, many in zip(values, low, high, strict=True))
    most = sum(max(b * few, b * many) for (_, b), few, many in zip(values, low, high, strict=True))
    down = _least_mean([a for a, _ in values], low, high)
    up = _least_mean([-b for _, b in values], low, high)
    means = (math.nan if down is None else float(down), math.nan if up is None else float(-up))
    first = (float(total), float(total) / number) if known else (math.nan, math.nan)
    return first[0], float(least), float(most), first[1], *means


def _least_mean(values: list[Fraction], low: list[int], high: list[int]) -> Fraction | None:
    """The least mean of values of which each has from ``low`` to ``high`` people; ``None``: nobody can be there.

    At the least mean m each value below m has as many people as it can, and each above as few: so it is one of those
    that give the most people to the k least values.
    """
    order = sorted(range(len(values)), key=values.__getitem__)
    total = sum((values[i] * low[i] for i in order), Fraction(0))
    people = sum(low)
    found = total / people if people else None
    for i in order:
        total += values[i] * (high[i] - low[i])
        people += high[i] - low[i]
        if people and (found is None or total / people < found):
            found = total / people
    return found


def _some(counts: Counts, at: list[int]) -> Counts:
    places: Ints = np.array(at, dtype=np.int64)
    return Counts(*(part[places] for part in (counts.shown, counts.hidden, counts.low, counts.high)))


def _only_count(plan: Plan) -> str:
    names = [one.name for one in plan.outputs if one.traits.counts]
    if len(names) != 1:
        raise QueryError(f"say by which count people are counted: people='…', one of {', '.join(names) or 'none'}")
    return names[0]
