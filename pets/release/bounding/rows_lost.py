"""RowsLost: a release of people by their number of rows, read as what each bound K would leave out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pets.common.percent import percent
from pets.errors import QueryError, shown
from pets.query_model.aggregate import tails
from pets.query_model.query import Query
from pets.release import views
from pets.release.bounding.full import full
from pets.release.bounding.loss import Loss, Range
from pets.release.estimate import noise_of, split

if TYPE_CHECKING:
    import pandas as pd

    from pets.release.release import Release

OUTPUT = "people"


def question(table: str, by: str | Sequence[str] | None = None) -> Query:
    """The query whose release a :class:`RowsLost` reads: people by their number of rows, by group where asked."""
    keys = () if by is None else (by,) if not isinstance(by, (list, tuple)) else tuple(by)
    return Query(table).group_by(*keys).agg(**{OUTPUT: tails()})


@dataclass(frozen=True)
class RowsLost:
    """How many rows each bound K leaves out, from one release; whatever is read of it costs nothing more.

    Attributes:
        release: the sealed answer, with its certificate.

    Rows beyond ``max_rows`` are in no snapshot, so they are not seen here either.

    Raises:
        QueryError: when the release holds no counts of people by their number of rows.
    """

    release: Release

    def __post_init__(self) -> None:
        if len(self._parts) != 1:
            raise QueryError(
                "rows lost are read from a release of one pets.tails(); ask for it with "
                "session.rows_lost('stays', pets.DP(epsilon=0.1))"
            )

    @property
    def _parts(self) -> list[int]:
        """The places of the measures of people by rows."""
        return [place for place, measure in enumerate(self.release.plan.measures) if measure.kind == "tails"]

    @cached_property
    def loss(self) -> Loss:
        """The numbers, group by group."""
        release, plan = self.release, self.release.plan
        (part,) = self._parts
        noise = noise_of(release, release.confidence)
        noise = replace(noise, scales=(noise.scales[part],))
        whole = plan.where is None and plan.measures[part].where is None and not plan.layout.dimensions
        return Loss(split(plan, release.values)[part], noise, whole)

    @property
    def table_name(self) -> str:
        """Whose rows."""
        return self.release.table_name

    @property
    def whole(self) -> bool:
        """It is about all rows of the table: no condition, no groups."""
        return self.loss.falls

    @property
    def kept(self) -> int:
        """The rows of a person that snapshots keep: the greatest K."""
        return self.loss.kept

    @property
    def table(self) -> pd.DataFrame:
        """One row a group and K: the keys, ``rows`` (K), and three numbers, each with ``…_low`` and ``…_high``.

        ``people``: those with at least K rows; ``lost``: rows that K leaves out; ``counted``: the share of rows that it
        counts (of those that snapshots keep). The ends hold the exact number with the release's confidence.
        """
        import pandas as pd

        ks, groups = range(1, self.kept + 1), self.release.plan.groups
        people = self.loss.people()
        by_k = {"lost": [self.loss.lost(k) for k in ks], "counted": [self.loss.share(k) for k in ks]}
        out: dict[str, Any] = {}
        for name, labels in views.keys(self.release).items():
            out[name] = (
                [label for label in labels for _ in ks]
                if isinstance(labels, list)
                else labels.repeat(self.kept).reset_index(drop=True)
            )
        out["rows"] = list(ks) * groups
        for name in ("people", *by_k):
            for end, suffix in (("estimate", ""), ("low", "_low"), ("high", "_high")):
                found = (
                    getattr(people, end)
                    if name == "people"
                    else np.array([getattr(one, end) for one in by_k[name]]).transpose()
                )
                out[name + suffix] = found.reshape(-1)
        return pd.DataFrame(out)

    def at(self, rows: int) -> Range:
        """The rows that K = ``rows`` leaves out, by group."""
        self.check(rows)
        return self.loss.lost(rows)

    def check(self, rows: object) -> None:
        """Refuse what is no K of the table."""
        if isinstance(rows, bool) or not isinstance(rows, int) or not 1 <= rows <= self.kept:
            raise QueryError(
                f"rows must be a whole number from 1 to {self.kept}, the rows that snapshots keep, not {shown(rows)}"
            )

    def full(self, release: Release, output: str) -> pd.DataFrame:
        """Intervals that hold a release's *full* answer, over all kept rows, with its confidence: they are wide.

        See :func:`pets.release.bounding.full.full`, which says of what they hold and what is refused.
        """
        return full(self.release, self.loss, release, output)

    def sentence(self, rows: int) -> str:
        """What share of all rows K = ``rows`` counts, in words; ``""`` where it is not about the whole table."""
        if not self.whole:
            return ""
        share, lost = self.loss.share(rows), self.at(rows)
        parts = [float(part[0]) for part in (share.estimate, share.low, share.high)]
        told = "an unknown share"
        if not np.isnan(parts).any():
            about, low, high = (percent(round(part, 3)) for part in parts)
            told = f"about {about} ({low} to {high})"
        return (
            f"K = {rows} counts {told} of the rows of {self.table_name!r} that snapshots keep, and leaves out "
            f"{lost.estimate[0]:,.0f} ({lost.low[0]:,.0f} to {lost.high[0]:,.0f})."
        )

    def __str__(self) -> str:
        by = ", ".join(dimension.name for dimension in self.release.plan.layout.dimensions)
        about = f"Rows lost of {self.table_name!r}{f' by {by}' if by else ''}, for each bound K"
        table = self.table.round(3)
        lines = [f"{about}:", table.head(40).to_string(index=False)]
        lines += [f"… and {len(table) - 40:,} more lines (.table has all of them)"] if len(table) > 40 else []
        return "\n".join([*lines, f"Rows beyond {self.kept} of a person are in no snapshot.", self.release.guarantee])

    __repr__ = __str__
