"""Refusals of snapshots that grow, and their remedies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pets.rows.growing import append
from pets.schema.schema import Schema, Table
from tests.growing import Row, frame, grown, schema
from tests.remedies import Act, Case

FIRST: list[Row] = [("a", "1", "1"), ("b", "1", "2")]
LATE: list[Row] = [("a", "1", "3"), ("b", "2", "3")]
AGAIN: list[Row] = [*FIRST, LATE[1]]


def without(**unit: object) -> Schema:
    table = schema().table("t")
    return Schema({"t": Table(replace(table.unit, **unit), table.columns)})  # type: ignore[arg-type]


def adding(
    rows: list[Row], of: Schema | None = None, spoilt: Callable[[Path], object] | None = None, *, anew: bool = False
) -> Act:
    """Rows added to a stored snapshot, or the snapshot made anew from all of them."""
    known = schema() if of is None else of

    def act(folder: Path) -> object:
        grown(known, [FIRST], folder / "s")
        if spoilt is not None:
            spoilt(next((folder / "s").rglob("*-people.parquet")))
        return grown(known, [[*FIRST, *rows]], folder / "s") if anew else append(known, "t", frame(rows), folder / "s")

    return act


def of_spark(folder: Path) -> object:
    """Rows that a Spark session has a name for, added to a stored snapshot."""
    grown(schema(), [FIRST], folder / "s")
    return append(schema(), "t", "table:later", folder / "s")


def cut(counters: Path) -> None:
    counters.write_bytes(counters.read_bytes()[:-1])


CASES = [
    Case(adding(AGAIN), "where it holds some of these already, give the others alone", adding(AGAIN[2:])),
    Case(adding(LATE), "make the snapshot anew from all rows", adding(LATE, anew=True)),
    Case(
        adding(LATE[1:], without(arrival=None)),
        "make the snapshot anew from all rows",
        adding(LATE[1:], without(arrival=None), anew=True),
    ),
    Case(of_spark, "give the later rows as frame.toArrow(), or as one Parquet or CSV file", adding(LATE[1:])),
    Case(adding(LATE[1:], spoilt=cut), "make it again", adding(LATE[1:], spoilt=cut, anew=True)),
]
