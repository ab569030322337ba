"""Shares of a total: a released count over the sum of the counts of its group.

Post-processing of a release. The interval is Fieller's (1954) for a cell over a sum that the cell is a part of. With a
count c of noise s beside a total N of m cells, c − pN = (1 − p)c − p(N − c) has the noise s²((1 − p)² + (m − 1)p²), and
the interval holds each p for which it is within z times that; with half a step more, as noise is of whole numbers.

Source: Fieller, "Some problems in interval estimation", Journal of the Royal Statistical Society B 16, 1954.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pets.common.integers import Floats
from pets.errors import QueryError, did_you_mean
from pets.release.estimate import Column, noise_of
from pets.release.views import keys

if TYPE_CHECKING:
    import pandas as pd

    from pets.release.views import Answer


def counted(answer: Answer, name: str) -> Column:
    """A count of this release; raises :class:`QueryError` for any other output."""
    column = answer.estimates[name]
    if not column.output.traits.counts or column.output.traits.shape != "linear":
        outputs = [one.output for one in answer.estimates]
        counts = [one.name for one in outputs if one.traits.counts and one.traits.shape == "linear"]
        which = f"such as {counts[0]!r}" if counts else "so ask for pets.count() beside it"
        raise QueryError(f"{name!r} is no count; shares are of a count of rows or of people, {which}")
    return column


def shares(answer: Answer, name: str, within: Sequence[str], confidence: float) -> pd.DataFrame:
    """One row a group: the keys, ``share``, ``share_low``, ``share_high``; NaN where noise could be the whole total."""
    import pandas as pd

    column, named = counted(answer, name), answer.plan.layout.columns()
    for key in within:
        if key not in named:
            raise QueryError(f"{key!r} is not a key of this release{did_you_mean(key, named)}")
    whole = list(zip(*(named[key] for key in within), strict=True)) if within else [()] * answer.plan.groups
    order = {label: place for place, label in enumerate(dict.fromkeys(whole))}
    place = np.array([order[label] for label in whole], dtype=np.int64)
    count = column.estimate.astype(np.float64)
    total, cells = np.bincount(place, count)[place], np.bincount(place)[place]
    part = column.output.parts[0]
    found = np.full((3, len(count)), np.nan)
    for many in np.unique(cells).tolist():
        noise, rows = noise_of(answer, confidence, many), cells == many
        limit = 0.0 if noise.exact else max(one.half_width([(part, 1.0)]) for one in (noise.empty, noise.careful))
        single = noise_of(answer, confidence)
        reach = np.zeros(int(rows.sum()))
        if not noise.exact:
            near = total[rows] <= 2 * limit
            reach = np.where(near, *(one.reach(part, one.widest) for one in (single.careful, single)))
        ends = interval(count[rows], total[rows], many, reach)
        found[:, rows] = np.where(total[rows] > limit, np.clip(ends, 0.0, 1.0), np.nan)
    out: dict[str, Any] = dict(keys(answer))
    out["share"] = found[0]
    if answer.mechanism != "none":
        out |= {"share_low": found[1], "share_high": found[2]}
    return pd.DataFrame(out)


def interval(count: Floats, total: Floats, cells: int, reach: Floats) -> npt.NDArray[np.float64]:
    """Shares of totals of so many cells, and the ends of their intervals; NaN where noise could be a total.

    ``reach``: how far the noise of one cell reaches, :meth:`pets.release.estimate.Noise.reach`.
    """
    h = reach**2
    a, b, c = total**2 - cells * h, count * total - h, count**2 - h
    known = (total > 0) & (a > 0)
    a = np.where(known, a, 1.0)
    root = np.sqrt(np.maximum(b**2 - a * c, 0.0))
    parts = (count / np.where(known, total, 1.0), (b - root) / a, (b + root) / a)
    return np.array([np.where(known, part, np.nan) for part in parts])
