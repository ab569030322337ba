"""Pairs of data sets: they differ in exactly one person, hit the bounds, and are the same for the same seed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pandas as pd
import pytest

import pets
from pets.testing import pairs
from pets.testing.neighbours import CROWDS, HABITS, PERSON, rows_of, without

COLUMNS: dict[str, Any] = {
    "id": pets.Identifier(),
    "g": pets.Category(["a", "b", "c"]),
    "x": pets.Integer(-3, 9),
    "y": pets.Real("0.5", "2", "0.25"),
    "day": pets.Date("2020-01-01", "2020-12-31"),
    "at": pets.DateTime("2020-01-01 00:00", "2020-12-31 23:00", "hour"),
    "rang": pets.Time("06:00", "21:59"),
    "emergency": pets.Boolean(),
}
SCHEMA = pets.Schema(
    {
        "t": pets.Table(pets.Unit("id", max_rows=3), COLUMNS, person_table="p"),
        "p": pets.Table(pets.Unit("pid", max_rows=1), {"pid": pets.Identifier(), "sex": pets.Category(["F", "M"])}),
    }
)
MADE = list(pairs(SCHEMA, None, 21))


def counted(world: Any) -> dict[str, Counter[tuple[str | None, ...]]]:
    return {name: Counter(tuple(row.values()) for row in table.to_pylist()) for name, table in world.items()}


@pytest.mark.parametrize("pair", MADE, ids=lambda pair: pair.story)
def test_they_differ_in_one_person(pair: Any) -> None:
    larger, smaller = counted(pair.larger), counted(pair.smaller)
    assert all(not smaller[name] - larger[name] for name in larger)
    more = {row[0] for name in larger for row in larger[name] - smaller[name]}
    assert len(more) == 1 and not any(row[0] in more for name in smaller for row in smaller[name])


def test_crowds_are_within_every_bound_and_over_all_of_them() -> None:
    for crowd, fits in zip(CROWDS, (True, False), strict=True):
        for pair in (one for one in MADE if one.story.startswith(crowd)):
            most = max(Counter(pair.smaller["t"]["id"].to_pylist()).values())
            assert (most == 1) is fits or (most > 3) is not fits
    assert {crowd for crowd in CROWDS for one in MADE if one.story.startswith(crowd)} == set(CROWDS)


def test_the_one_person_has_more_rows_than_count_at_every_end() -> None:
    seen: dict[str, set[Any]] = {name: set() for name in COLUMNS}
    for pair in MADE:
        mine = [row for row in pair.larger["t"].to_pylist() if row["id"] == PERSON]
        if mine:
            assert len(mine) > 3
        for row in mine:
            for name, cell in row.items():
                seen[name].add(cell)
    assert {"a", "b", "c"} <= seen["g"] and {"-3", "9", "1e30", None} <= seen["x"]
    assert {"0.5", "2.0"} <= seen["y"] and {"2020-01-01", "2020-12-31"} <= seen["day"]
    assert {"2020-01-01 00:00:00", "2020-12-31 23:00:00"} <= seen["at"] and {"true", "false"} <= seen["emergency"]
    assert {habit for habit in HABITS for one in MADE if habit in one.story} == set(HABITS)
    assert any("one of them leaves" in one.story for one in MADE)


def test_the_same_seed_gives_the_same_and_another_other_people() -> None:
    again, other = list(pairs(SCHEMA, None, 3)), list(pairs(SCHEMA, None, 3, seed=1))
    assert [(one.larger, one.smaller, one.key) for one in again] == [(o.larger, o.smaller, o.key) for o in MADE[:3]]
    assert all(one.larger != two.larger and one.key != two.key for one, two in zip(again, other, strict=True))


def test_given_rows_are_used_and_somebody_may_be_named() -> None:
    data = {
        "t": pd.DataFrame({"id": [7, 7, 8, None], "g": ["a", "b", None, "c"], "x": [1.0, 2.0, None, 4.0]}),
        "p": [{"pid": "7", "sex": "F"}, {"pid": "8", "sex": "M"}],
    }
    first, *others = pairs(SCHEMA, data, 4, person=7)
    assert "the person who was named" in first.story
    assert sorted(row["id"] or "" for row in first.smaller["t"].to_pylist()) == ["", "8"]
    assert first.larger["t"].num_rows == 4 and first.smaller["p"].to_pylist() == [{"pid": "8", "sex": "M"}]
    assert {row["x"] for row in first.larger["t"].to_pylist()} == {"1", "2", None, "4"}
    assert len(others) == 3
    with pytest.raises(pets.UserError, match="nobody in the data has the id 9"):
        list(pairs(SCHEMA, data, 1, person=9))
    with pytest.raises(pets.UserError, match="give the data too"):
        list(pairs(SCHEMA, None, 1, person=7))


def test_where_each_row_is_a_person_one_row_is_added() -> None:
    by_row = pets.Schema({"t": pets.Table(pets.Unit(None), {"x": pets.Integer(0, 9)})})
    for pair in pairs(by_row, None, 12):
        assert pair.larger["t"].num_rows == pair.smaller["t"].num_rows + 1


def test_cells_are_read_as_texts() -> None:
    frame = pd.DataFrame(
        {
            "a": [True, None, False],
            "b": pd.to_datetime(["2020-01-05", None, "2020-01-05 10:30"], format="ISO8601"),
            "c": [1.5, float("nan"), 2.0],
        }
    )
    assert rows_of(frame) == [
        {"a": "true", "b": "2020-01-05", "c": "1.5"},
        {"a": None, "b": None, "c": None},
        {"a": "false", "b": "2020-01-05 10:30:00", "c": "2"},
    ]
    rows = {"t": [{"id": "1"}, {"id": "2"}, {"id": None}], "p": [{"pid": "1"}]}
    assert without(SCHEMA, rows, "1") == {"t": [{"id": "2"}, {"id": None}], "p": []}
