"""Cross-tables: one output by two keys, with margins that are the sums of their cells, and the error of each number.

Post-processing of a release. A margin of m cells is their sum, so a table always adds up, and its noise is √m times
that of a cell. A question by one key alone has less noise, and need not agree with the cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from pets.common.html_table import block
from pets.errors import QueryError, did_you_mean, shown
from pets.release.estimate import Noise
from pets.release.views import PAIRS, keys

if TYPE_CHECKING:
    import pandas as pd

    from pets.release.views import Answer


@dataclass(frozen=True, eq=False)
class CrossTable:
    """An output by two keys.

    Attributes:
        table: a data frame with margins: each number is the noisy one, and rows and columns add up.
        errors: the standard deviation of the noise on each number (0 where there is none; not of chance).
        note: what a reader must know of the margins; ``""`` where there is nothing.
    """

    table: pd.DataFrame = field(repr=False)
    errors: pd.DataFrame = field(repr=False)
    note: str = ""

    def __repr__(self) -> str:
        return "\n\n".join(part for part in (str(self.table), self.note) if part)

    def _repr_html_(self) -> str:
        return block(self.table.to_html() + (f"<p>{escape(self.note)}</p>" if self.note else ""))


def crosstab(answer: Answer, name: str, rows: str, columns: str, margins: str) -> CrossTable:
    """The cross-table of an output; other keys are summed over."""
    import pandas as pd

    column, named = answer.estimates[name], keys(answer, times=False)
    if column.output.traits.shape != "linear":
        raise QueryError(
            f"{name!r} is a {column.output.kind}, which does not add up; name a count or a sum of the release"
        )
    for key in (rows, columns):
        if not isinstance(key, str):
            raise QueryError(
                f"rows and columns are each the name of one key, such as rows={next(iter(named), 'age')!r}, not "
                f"{shown(key)}; other keys are summed over, and release.table has all of them"
            )
        if key not in named:
            raise QueryError(f"{key!r} is not a key of this release{did_you_mean(key, list(named))}")
    if rows == columns:
        raise QueryError(f"a cross-table has two keys, and {rows!r} is one; name another key for the columns")
    if not isinstance(margins, str):
        raise QueryError(f"margins is what the margins are called, such as 'All', not {shown(margins)}")
    labels = [_labels(answer, key, named[key]) for key in (rows, columns)]
    if any(margins in side for side in labels):
        raise QueryError(f"{margins!r} is a key itself; call the margins otherwise, such as margins='Total'")
    at = [np.array([side.index(one) for one in named[key]]) for side, key in zip(labels, (rows, columns), strict=True)]
    # with a margin in each direction
    shape = (len(labels[0]) + 1, len(labels[1]) + 1)
    total, cells = np.zeros(shape, dtype=column.estimate.dtype), np.zeros(shape, dtype=np.int64)
    for i in (at[0], np.full_like(at[0], shape[0] - 1)):
        for j in (at[1], np.full_like(at[1], shape[1] - 1)):
            np.add.at(total, (i, j), column.estimate)
            np.add.at(cells, (i, j), 1)
    noise, output = Noise(answer.mechanism, answer.scales), column.output
    weights = zip(output.parts, (output.factor, output.centre), strict=False)
    one = 0.0 if noise.exact else sum((float(c) * noise.deviation(part)) ** 2 for part, c in weights) ** 0.5
    index = pd.Index([*labels[0], margins], name=rows)
    across = pd.Index([*labels[1], margins], name=columns)
    table = pd.DataFrame(total, index=index, columns=across)
    errors = pd.DataFrame(one * np.sqrt(cells), index=index, columns=across)
    if (cells == 0).any():  # a KeySet need not list every combination
        table, errors = table.where(cells > 0), errors.where(cells > 0)
    twice = output.traits.counts == "people" and bool((cells > 1).any())
    note = f"Margins of {name!r} count {PAIRS}: a person once in each group." if twice else ""
    return CrossTable(table, errors, note)


def _labels(answer: Answer, key: str, called: Sequence[Any]) -> list[Any]:
    """What the groups are called by a key, in the key's own order, whatever order a KeySet has them in."""
    layout = answer.plan.layout
    (dimension,) = (one for one in layout.dimensions if one.name == key)
    order = {label: place for place, label in enumerate(dimension.labels)}
    pairs = zip(layout.columns()[key], called, strict=True)
    return list(dict.fromkeys(name for _, name in sorted(pairs, key=lambda pair: order[pair[0]])))
