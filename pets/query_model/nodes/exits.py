"""Who leaves when: a frozen node of a time and of whether it ended in an event, cut into bins of time."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import ClassVar

from pets.common.arguments import plain_fields
from pets.common.codec import Json, number, whole
from pets.errors import QueryError, shown
from pets.query_model.expression import Filter
from pets.query_model.nodes.aggregate_base import Aggregate, check_column, check_where, named
from pets.query_model.nodes.bin_edges import edges_of

BINS = 24
"""Bins where nothing is said: with more of them the noise on each grows, with fewer a curve is coarse."""
MAX_BINS = 1000
"""Bins of one survival curve."""


@plain_fields(QueryError)
@dataclass(frozen=True)
class Exits(Aggregate):
    """Rows that leave in each bin of time, with the event or without it, for survival curves and their comparison.

    A row without a time, or of which nobody knows whether it ended in the event, does not count. One whose time is the
    last edge or later stays to the end of all bins.

    Attributes:
        time: how long each row was followed: a number, from 0 on.
        event: whether that ended in the event: a boolean.
        edges: the ends of the bins; a bin has the times from one edge up to, not with, the next.
        bins: in place of edges, into how many bins the column's public range is cut up to its largest value, which has
            one more bin of its own; of as many values as it has, one bin is one value. 24 where neither is given.
        where: only rows that meet this condition.
        columns: time and event; it follows from them.
    """

    time: str
    event: str
    edges: tuple[Fraction, ...] | None = None
    bins: int | None = None
    where: Filter | None = None
    columns: tuple[str, ...] = field(default=(), init=False)
    kind: ClassVar[str] = "survival"

    def __post_init__(self) -> None:
        for name in ("time", "event"):
            object.__setattr__(self, name, named(getattr(self, name)))
            check_column(f"a survival curve's {name}", getattr(self, name))
        if self.time == self.event:
            raise QueryError(f"column {self.time!r} is the time and the event; name two columns")
        check_where(self.where)
        if self.edges is not None and self.bins is not None:
            raise QueryError("a survival curve takes edges or bins, not both; leave one out")
        if self.edges is not None:
            object.__setattr__(self, "edges", edges_of(self.edges))
        else:
            try:
                object.__setattr__(self, "bins", BINS if self.bins is None else whole(self.bins))
            except ValueError:
                raise QueryError(f"bins must be a whole number, not {shown(self.bins)}") from None
        asked = self.bins if self.edges is None else len(self.edges)
        if asked is None or not 2 <= asked <= MAX_BINS + (self.edges is not None):
            what = "bins" if self.edges is None else "edges of bins"
            raise QueryError(f"a survival curve has from 2 to {MAX_BINS:,} {what}, not {shown(asked)}; take 24")
        object.__setattr__(self, "columns", (self.time, self.event))

    def to_json(self) -> Json:
        out: Json = {"agg": self.kind, "time": {"column": self.time}, "event": {"column": self.event}}
        out |= {"bins": self.bins} if self.edges is None else {"edges": [number(edge) for edge in self.edges]}
        return out if self.where is None else out | {"where": self.where.to_json()}
