"""Lowered: the table of people of one plan, as an engine counts it: like a snapshot that keeps one row a person."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pets.errors import InternalError
from pets.plan.plan import Plan
from pets.rows.linked import Linked
from pets.rows.people import dense
from pets.rows.people.frames import people_frame
from pets.rows.people.spark_sql import SparkPeopleSql
from pets.rows.people.sql import NARROW, PeopleSql, Source
from pets.rows.snapshot import Snapshot

if TYPE_CHECKING:
    import pyarrow as pa


FEW = 2**16
"""Groups that may have an array, too, beside that of people."""


class People:
    """The rows of a question about people; made for one plan, and gone with it.

    Attributes:
        table, schema_digest: as the plan has them.
        columns: each column that the plan uses to its physical name.
        relation: what its rows are called.
        before: SQL that stands before a statement on ``relation`` (DuckDB).
    """

    relation = "snap"
    ranks: Mapping[tuple[str, ...], str] = MappingProxyType({})  # a person is one row

    def __init__(self, plan: Plan, linked: Linked) -> None:
        of = plan.people_of
        if of is None or not set(of.tables) <= set(linked.tables):
            raise InternalError("the plan and the linked tables do not belong together")
        if any(linked.snapshots[name].schema_digest != plan.schema_digest for name in of.tables):
            raise InternalError("the plan and the snapshots belong to different schemas")
        self._plan, self._linked = plan, linked
        self.table = plan.table
        self.schema_digest = plan.schema_digest
        made = PeopleSql(plan, {name: Source(linked.relation(name), linked.columns(name)) for name in of.tables})
        self.columns = made.columns
        self.before = made.statement()
        self._sums = made.sums

    def connection(self) -> Any:
        """The Ibis DuckDB backend that holds the linked tables."""
        return self._linked.connection()

    @property
    def linked(self) -> Mapping[str, Snapshot]:
        """The snapshots that the question reads, by table."""
        assert self._plan.people_of is not None
        return {name: self._linked.snapshots[name] for name in self._plan.people_of.tables}

    def spark(self, views: Mapping[str, str]) -> str:
        """The rows as a statement of Spark, over views of the linked tables, by table."""
        made = SparkPeopleSql(
            self._plan, {name: Source(view, self._linked.columns(name)) for name, view in views.items()}
        )
        return f"{made.statement()}SELECT * FROM {self.relation}"

    def tell(self, cursor: Any) -> None:
        """Tell a cursor of that backend how many people it is to group, where it groups all of them into few groups."""
        if self._sums and self._plan.groups <= FEW:
            held = [snapshot.report for snapshot in self._linked.snapshots.values()]
            rows = sum(report.rows_kept for report in held)
            dense.tell(cursor, max(report.people for report in held), rows, self._sums)

    def unbound(self) -> Any:
        """The rows as an Ibis table of no backend: what it compiles to reads ``relation``, which ``before`` makes."""
        import ibis

        assert self._plan.people_of is not None
        steps = self._plan.people_of.steps
        types = {
            self.columns[name]: "int32" if steps[index].domain.codes < NARROW else "int64"
            for name, index in self._plan.people_of.names
        }
        return ibis.table({"person": "int64", "rank": "int32"} | types, name=self.relation)

    def ensure_wide(self) -> bool:
        """No person has two rows here."""
        return False

    def arrow(self) -> pa.Table:
        """The rows as Arrow, made by Polars."""
        import polars as pl

        assert self._plan.people_of is not None
        frames, columns = {}, {}
        for table in self._plan.people_of.tables:
            frame = pl.from_arrow(self._linked.arrow(table))
            assert isinstance(frame, pl.DataFrame)
            frames[table] = frame.with_columns(pl.exclude(pl.String).cast(pl.Int64))
            columns[table] = self._linked.columns(table)
        return people_frame(self._plan, frames, columns).to_arrow()
