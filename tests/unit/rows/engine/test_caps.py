"""Which rows of a person count in a group, against the rule itself, told in plain Python over the kept rows."""

from __future__ import annotations

import bisect
import random
from collections import Counter
from collections.abc import Callable

import pandas as pd
import pytest

import pets
from pets import col
from pets.plan.plan import make_plan
from pets.rows.snapshot import Snapshot
from pets.rows.tabulate import LOCAL as ENGINES
from pets.rows.tabulate import tabulate

R = random.Random(8)
DAYS = ("mon", "tue", "wed")
VISITS = pd.DataFrame(
    [
        {"id": f"p{R.randrange(40)}", "day": R.choice(DAYS), "hour": R.randrange(24), "spent": R.randrange(50)}
        for _ in range(300)
    ]
)
VISITS["on"] = [f"2024-03-0{3 + DAYS.index(day)}" for day in VISITS["day"]]  # Sunday to Tuesday: two weeks
SEEN = ["2023-12-31 23:59", "2024-01-01 00:00", "2024-01-31 08:00", "2024-02-29 23:59", "2024-03-01 00:30", None]
VISITS["left"] = [day if place % 4 else None for place, day in enumerate(VISITS["on"])]
VISITS["seen"] = [SEEN[place % 6] for place in range(300)]
PEOPLE = pd.DataFrame([{"id": f"p{i}", "old": i % 3 == 0} for i in range(40)])
ROWS = 7


def schema(ranked: bool) -> pets.Schema:
    columns = {
        "id": {"type": "identifier"},
        "day": {"type": "category", "values": list(DAYS), "nullable": False},
        "hour": {"type": "integer", "min": 0, "max": 23, "nullable": False},
        "spent": {"type": "integer", "min": 0, "max": 49, "nullable": False},
        "on": {"type": "date", "min": "2024-03-03", "max": "2024-03-05", "nullable": False},
        "left": {"type": "date", "min": "2024-03-03", "max": "2024-03-05"},
        "seen": {"type": "datetime", "min": "2023-12-31 12:00", "max": "2024-03-01 01:00"},
    }
    unit = {"column": "id", "max_rows": ROWS} | (
        {
            "rank_within": [
                ["day"],
                ["day", "hour"],
                ["on"],
                ["on.week"],
                ["hour", "on.mmwr_week"],
                ["left.week"],
                ["seen.period.month"],
            ]
        }
        if ranked
        else {}
    )
    people = {"unit": {"column": "id", "max_rows": 1}, "columns": {"id": {"type": "identifier"}, "old": "boolean"}}
    table = {"unit": unit, "columns": columns, "person_table": "people"}
    return pets.Schema.load({"tables": {"visits": table, "people": people}})


SCHEMAS = {name: schema(name == "ranked") for name in ("ranked", "not ranked")}
SNAPSHOTS = {
    name: Snapshot.make(one, "visits", {"visits": VISITS, "people": PEOPLE}, key=3, progress=False)
    for name, one in SCHEMAS.items()
}
BY_DAY = pets.query("visits").group_by("day")
Row = dict[str, int]
Meets = Callable[[Row], bool]
Group = Callable[[Row], object]


def always(_: Row) -> bool:
    return True


def day(row: Row) -> int:
    return row["day"]


def half(row: Row) -> tuple[int, int]:
    return row["day"], row["hour"] // 12


CASES: dict[str, tuple[pets.Query, Meets, Group]] = {
    "by the key": (BY_DAY, always, day),
    "a condition on the key": (BY_DAY.where(col("day") != "mon"), lambda row: row["day"] > 0, day),
    "a condition on the person": (BY_DAY.where(col("old") == True), lambda row: row["old"] == 1, day),  # noqa: E712
    "a condition on the rows": (BY_DAY.where(col("spent") > 20), lambda row: row["spent"] > 20, day),
    "bins": (pets.query("visits").group_by("day", col("hour").bins([0, 12, 24])), always, half),
    "each day": (pets.query("visits").group_by(col("on").day()), always, lambda row: row["on"]),
    "each week": (pets.query("visits").group_by(col("on").week()), always, lambda row: row["on"] > 0),
    "each week of some days": (
        pets.query("visits").where(col("on") != "2024-03-04").group_by(col("on").week()),
        lambda row: row["on"] != 1,
        lambda row: row["on"] > 0,
    ),
    "each epidemiological week, and a column": (
        pets.query("visits").where(col("hour") >= 0).group_by(col("on").mmwr_week(), "hour"),
        always,
        lambda row: row["hour"],
    ),
    "each month, and no month": (
        pets.query("visits").group_by(col("seen").period("month")),
        always,
        lambda row: bisect.bisect([720, 720 + 31 * 1440, 720 + 60 * 1440, 720 + 60 * 1440 + 61], row["seen"]),
    ),
    "each week, and no week": (
        pets.query("visits").group_by(col("left").week()),
        always,
        lambda row: (row["left"] + 1) // 2,  # Sunday, then Monday and Tuesday, then none
    ),
    "the coarser of two ranks": (BY_DAY.where(col("hour") >= 0), always, day),
}
BOUNDS = [(7, None, 1), (7, 2, 1), (5, 2, 2), (4, 1, 3)]


def expected(rows: list[Row], meets: Meets, group: Group, bound: tuple[int, int | None, int]) -> Counter[object]:
    """Rank, condition, first groups, first rows of each: the counts by group."""
    most_rows, groups, most = bound
    entered: dict[int, list[object]] = {}
    taken: Counter[tuple[int, object]] = Counter()
    for row in sorted(rows, key=lambda row: row["rank"]):
        place, mine = group(row), entered.setdefault(row["person"], [])
        if row["rank"] > most_rows or not meets(row):
            continue
        if place not in mine and (groups is None or len(mine) < groups):
            mine.append(place)
        if place in mine and taken[row["person"], place] < most:
            taken[row["person"], place] += 1
    out: Counter[object] = Counter()
    for (_, place), number in taken.items():
        out[place] += number
    return out


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("prepared", SCHEMAS)
@pytest.mark.parametrize("case", CASES)
def test_the_first_rows_of_each_group_count(case: str, prepared: str, engine: str) -> None:
    asked, meets, group = CASES[case]
    snapshot = SNAPSHOTS[prepared]
    names = {"rank": "rank", "person": "person"} | dict(snapshot.columns)
    found = snapshot.arrow().to_pydict()
    rows = [{name: int(found[own][i]) for name, own in names.items()} for i in range(len(found["rank"]))]
    for bound in BOUNDS:
        given = dict(zip(("rows", "groups", "rows_per_group"), bound, strict=True))
        plan = make_plan(asked.agg(n=pets.count()).bound(**given), SCHEMAS[prepared])
        wanted = expected(rows, meets, group, bound)
        # there are rows in every group, so these are the vector's, in the order of their codes
        exact = [wanted.get(place, 0) for place in sorted({group(row) for row in rows})]  # type: ignore[type-var]
        assert tabulate(plan, snapshot, engine).reveal().tolist() == exact, bound


def test_somebody_with_a_row_each_hour_counts_once_a_day() -> None:
    """A rank within day and hour says nothing of the day: by it this person would count six times."""
    busy = pd.DataFrame(
        [
            {"id": "p1", "day": "tue", "hour": hour, "spent": 1, "on": "2024-03-04", "left": None, "seen": None}
            for hour in range(6)
        ]
    )
    told = schema(ranked=True)
    snapshot = Snapshot.make(told, "visits", {"visits": busy, "people": PEOPLE}, key=3, progress=False)
    by_day = BY_DAY.agg(n=pets.count()).bound(rows_per_group=1)
    by_hour = pets.query("visits").group_by("day", "hour").agg(n=pets.count()).bound(rows_per_group=1)
    assert tabulate(make_plan(by_day, told), snapshot).reveal().tolist() == [0, 1, 0]
    assert tabulate(make_plan(by_hour, told), snapshot).reveal().sum() == 6


def test_stored_ranks_are_written_beside_the_rank_and_found_again(tmp_path: object) -> None:
    told = SCHEMAS["ranked"]
    sources = {"visits": VISITS, "people": PEOPLE}
    Snapshot.make(told, "visits", sources, folder=str(tmp_path), key=3, progress=False)
    opened = Snapshot.open(told, "visits", str(tmp_path))
    assert dict(opened.ranks) == {
        ("day",): "g0",
        ("day", "hour"): "g1",
        ("hour", "on.mmwr_week"): "g2",
        ("left.week",): "g3",
        ("on",): "g4",
        ("on.week",): "g5",
        ("seen.period.month",): "g6",
    }
    found = opened.arrow().to_pydict()
    days = found[opened.columns["day"]]
    within: Counter[tuple[int, int]] = Counter()
    for place in sorted(range(len(days)), key=lambda place: int(found["rank"][place])):
        within[found["person"][place], days[place]] += 1
        assert found["g0"][place] == within[found["person"][place], days[place]]
