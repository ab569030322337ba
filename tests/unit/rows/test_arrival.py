"""Rows in order of arrival: a person's first rows count, and what comes later moves none of them."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import pytest

import pets
from pets.rows.snapshot import Snapshot

Row = tuple[str, int, int]
COLUMNS = {
    "id": pets.Identifier(),
    "load": pets.Integer(1, 99, nullable=False),
    "v": pets.Integer(0, 10**6, nullable=False),
}


def schema(max_rows: int = 4) -> pets.Schema:
    return pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=max_rows, arrival="load"), COLUMNS)})


def kept(rows: Sequence[Row], key: int = 7, max_rows: int = 4) -> dict[int, list[tuple[int, int]]]:
    """By a person's first value, which says who they are: (load, v) in the order of rank."""
    frame = pd.DataFrame(list(rows), columns=["id", "load", "v"])
    made = Snapshot.make(schema(max_rows), "t", {"t": frame}, key=key, progress=False)
    found = made.arrow().to_pandas().sort_values(["person", "rank"])
    load, v = made.columns["load"], made.columns["v"]
    out: dict[int, list[tuple[int, int]]] = {}
    for _, own in found.groupby("person"):
        values = [(int(a) + 1, int(b)) for a, b in zip(own[load], own[v], strict=True)]
        out[values[0][1] // 1000] = values
    return out


def rows_of(load: int, people: range, each: int) -> list[Row]:
    """So many rows of each person in one load, each with a value of its own."""
    return [(str(p), load, 1000 * p + 10 * load + i) for p in people for i in range(each)]


def test_later_rows_change_no_rank() -> None:
    first = rows_of(1, range(200), 3)
    before, after = kept(first), kept([*rows_of(2, range(100, 300), 3), *first])
    assert all(after[person][:3] == rows for person, rows in before.items())
    assert all([load for load, _ in after[p]] == [1, 1, 1, *([2] if p >= 100 else [])] for p in range(200))
    assert all(len(after[person]) == 3 for person in range(200, 300))
    # among those that arrive together the choice is random, and nobody's is like everybody's
    alone = kept(rows_of(2, range(300), 3))
    assert all(after[person] == alone[person] for person in range(200, 300))
    places = [[v % 10 for _, v in alone[person]].index(0) for person in range(300)]
    assert all(places.count(place) > 60 for place in range(3))


def test_who_has_enough_is_not_moved_by_anything_that_comes() -> None:
    first = rows_of(1, range(50), 4)
    assert kept(first) == kept([*first, *rows_of(2, range(50), 9)])


def test_identical_rows_come_in_order_of_arrival() -> None:
    rows: list[Row] = [(str(p), load, 1000 * p + v) for p in range(200) for load in (1, 2, 3) for v in (0, 0, 5)]
    found = kept(rows, max_rows=8)
    assert len(found) == 200
    assert all([load for load, _ in own] == [1, 1, 1, 2, 2, 2, 3, 3] for own in found.values())


@pytest.mark.parametrize("gone", ["0", "7"])
def test_one_person_moves_nobody_else(gone: str) -> None:
    rows = [*rows_of(1, range(20), 2), *rows_of(2, range(0, 20, 3), 3), *rows_of(2, range(0, 20, 3), 3)]
    whole = kept(rows)
    assert kept([row for row in rows[::-1] if row[0] != gone]) == {p: own for p, own in whole.items() if p != int(gone)}


def test_a_row_that_has_not_arrived_is_dropped_and_one_out_of_bounds_arrives_at_the_nearer() -> None:
    frame = pd.DataFrame({"id": ["a", "a", "b"], "load": ["", "500", "-3"], "v": ["1", "2", "3"]})
    made = Snapshot.make(schema(), "t", {"t": frame}, key=1, progress=False)
    assert made.report.rows_dropped == 1 and made.report.rows_kept == 2
    assert sorted(made.arrow()[made.columns["load"]].to_pylist()) == [0, 98]
