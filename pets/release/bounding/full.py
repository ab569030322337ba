"""Full: intervals for the answer over all kept rows, which a bounded release does not give by itself.

The rows that a bound leaves out may all lie in one group, so an interval holds the full answer only if it has the whole
loss in it. Shifting every group by the overall share is not sound: the loss is not spread evenly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pets.common.integers import Floats
from pets.errors import QueryError
from pets.release import views
from pets.release.bounding.loss import Loss
from pets.release.estimate import Column, estimated, noise_of

if TYPE_CHECKING:
    import pandas as pd

    from pets.release.release import Release

_OVER_SITES = "federated "
"""How the snapshot of an answer over several sites begins: each answer has one of its own."""


def full(lost: Release, loss: Loss, release: Release, output: str) -> pd.DataFrame:
    """The keys, ``low``, ``high`` and ``width``: an interval a group for a count or a sum over all kept rows.

    It is [x − z·s, x + z·s + U] for a count, with U the upper bound of the rows lost (of the group, where ``lost`` was
    released by the same keys); for a sum each of the U rows may add any value in the column's bounds. It holds with the
    release's confidence, half of what it may miss for each of the two releases. It is wide: a larger K is better.

    Raises:
        QueryError: for an output that is no count or sum of rows, for another table, snapshot or grouping, and for a
            release that caps groups, since rows lost that way are not counted here; also for answers over sites.
    """
    import pandas as pd

    column, plan = release.estimates[output], release.plan
    if any(one.snapshot_id.startswith(_OVER_SITES) for one in (release, lost)):
        raise QueryError(
            "of answers over several sites nobody can tell whether they are about the same rows; release it with a "
            "larger K, of which rows_lost(…).table says what it leaves out"
        )
    if (release.table_name, release.snapshot_id) != (lost.table_name, lost.snapshot_id):
        raise QueryError("the rows lost are of another table or snapshot; ask for both of the same one")
    if plan.group_cap is not None or plan.group_rows is not None:
        raise QueryError(
            "the release caps groups, or rows in each, and rows lost to that are not counted; release it with "
            "bound(rows=…) alone"
        )
    traits = column.output.traits
    if traits.shape != "linear":
        raise QueryError(f"{output!r} is a {traits.kind}, and no bound on rows lost bounds its error; use a larger K")
    same = lost.query.keys == release.query.keys and lost.query.keyset == release.query.keyset
    if not loss.falls and not (same and lost.query.condition is None):
        raise QueryError("the rows lost are by other groups; ask for them by the release's own keys, or by none")
    sure = (1 + release.confidence) / 2  # each of the two misses half as often as both together may
    outer: Column = estimated(plan, release.values, noise_of(release, sure))[output]
    most = loss.lost(plan.rows).high  # passed in at most half of 1 - confidence: one end of a two-sided interval
    left: Floats = np.zeros(plan.groups) if traits.counts == "people" else np.broadcast_to(most, plan.groups)
    below, above = (0.0, 1.0) if traits.counts else (float(column.output.low), float(column.output.high))
    low = outer.low.astype(np.float64) + left * min(below, 0.0)
    high = outer.high.astype(np.float64) + left * max(above, 0.0)
    return pd.DataFrame({**views.keys(release), "low": low, "high": high, "width": high - low})
