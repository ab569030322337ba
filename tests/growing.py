"""Deliveries of one table, for tests of snapshots that grow: who is in them, and what each person keeps."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

import pets
from pets.rows.growing import append
from pets.rows.snapshot import Snapshot

Row = tuple[str | None, str, str]
"""A person, when the row arrived, and a value; all as a file holds them."""

COLUMNS = {
    "id": pets.Identifier(),
    "load": pets.Integer(1, 99, nullable=False),
    "v": pets.Integer(0, 9),
}


def schema(max_rows: int = 3, people: int = 1000) -> pets.Schema:
    unit = pets.Unit("id", max_rows=max_rows, arrival="load")
    return pets.Schema({"t": pets.Table(unit, COLUMNS, people=people)}, dataset="deliveries")


def frame(rows: Sequence[Row]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=["id", "load", "v"], dtype=object)


def kept(made: Snapshot) -> Counter[tuple[tuple[int, ...], ...]]:
    """What each person keeps, in the order of rank, as a multiset over people: codes of people mean nothing."""
    people: dict[int, list[tuple[int, ...]]] = {}
    names = [made.columns[name] for name in ("load", "v")]
    for row in made.arrow().to_pylist():
        people.setdefault(row["person"], []).append((row["rank"], *(row[name] for name in names)))
    return Counter(tuple(sorted(rows)) for rows in people.values())


def grown(of: pets.Schema, deliveries: Sequence[Sequence[Row]], folder: Path) -> Snapshot:
    """The first delivery made ready in a folder, and the others added one after the other."""
    made = Snapshot.make(of, "t", {"t": frame(deliveries[0])}, folder=folder, progress=False)
    for rows in deliveries[1:]:
        made = append(of, "t", frame(rows), folder, progress=False)
    return made


def whole(of: pets.Schema, deliveries: Sequence[Sequence[Row]], folder: Path, like: Path) -> Snapshot:
    """All of them made ready at once, under the rank key of another folder."""
    folder.mkdir(mode=0o700)
    shutil.copy2(like / "t.key", folder / "t.key")
    rows = [row for part in reversed(deliveries) for row in part]
    return Snapshot.make(of, "t", {"t": frame(rows)}, folder=folder, progress=False)
