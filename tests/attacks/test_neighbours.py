"""Attempts to make one person count for more than the plan says, or to let them move what others contribute.

Each is a way in which bounding has failed somewhere: duplicated joins, ids that look alike, values that overflow or are
no numbers, an order that depends on other people, a projection after the bound.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pandas as pd
import pytest

from pets import KeySet, col, count, count_units, histogram, mean, quantile, query, rate, sum, variance
from pets.plan.plan import make_plan
from pets.query_model.query import Query
from pets.rows.snapshot import Snapshot
from pets.rows.tabulate import LOCAL as ENGINES
from pets.rows.tabulate import tabulate
from pets.schema.schema import Category, Date, Domain, Identifier, Integer, Lookup, Real, Schema, Table, Unit
from tests.generative import neighbours

COLUMNS: dict[str, Domain] = {
    "id": Identifier(),
    "g": Category(["a", "b", "c", "d", "e", "f"]),
    "x": Integer(-50, 1000),
    "y": Real(0, 1000, "0.01"),
    "day": Date("2020-01-01", "2020-12-31"),
}
ASKED = (
    query("t")
    .group_by("g")
    .agg(
        n=count(),
        u=count_units(),
        s=sum("x"),
        m=mean("y"),
        v=variance("x"),
        r=rate(col("x") > 10),
        h=histogram("x", [-50, 0, 500, 1000]),
        q=quantile("y"),
    )
)
PEOPLE = [
    {"id": str(i), "g": "abcdef"[(i + j) % 6], "x": str(7 * i - 9 * j), "y": str(i / 3), "day": f"2020-{1 + j:02d}-11"}
    for i in range(12)
    for j in range(i % 4 + 1)
]


def schema(max_rows: int = 3, rows: int | None = None, trim: bool = False) -> Schema:
    return Schema({"t": Table(Unit("id", max_rows, rows, trim), COLUMNS)})


def row(**given: Any) -> dict[str, Any]:
    return {"id": "evil", "g": "a", "x": "1000", "y": "1000", "day": "2020-06-01"} | given


QUERIES: dict[str, Query] = {
    "everything": ASKED,
    "fewer rows": ASKED.bound(rows=1),
    "capped groups": ASKED.bound(groups=1),
    "filtered": ASKED.where(col("x") > 0),
    "filtered and capped": ASKED.where(~(col("x") == 3)).bound(groups=2),
    "ungrouped": query("t").agg(n=count(), u=count_units(), s=sum("x"), m=mean("y")),
    "bins and months": ASKED.group_by(col("x").bins([-50, 0, 100, 1000]), col("day").month()).bound(groups=2),
    "key set": ASKED.group_by(KeySet.product({"g": ["b", "f"]})).bound(groups=1),
}

EVIL: dict[str, list[dict[str, Any]]] = {
    "ten thousand identical rows": [row()] * 10_000,
    "one row in each group, many times": [row(g=g) for g in "abcdef"] * 50,
    "values far outside the bounds": [row(x=x, y=y) for x, y in (("9" * 25, "1e300"), ("-" + "9" * 25, "-1e300"))] * 9,
    "values at the end of 64 bits": [row(x=str(2**63 - 1)), row(x=str(2**63)), row(x=str(-(2**63)))] * 5,
    "no numbers": [row(x=v, y=v) for v in ("NaN", "inf", "-inf", "nan", "1e999", "")] * 5,
    "nulls everywhere": [{"id": "evil", "g": None, "x": None, "y": None, "day": None}] * 20,
    "one null, one not": [row(g=None), row(x=None), row(y=None), row(day=None)] * 6,
    "the same content as others": [dict(r, id="evil") for r in PEOPLE],
    "rows that differ in one cell only": [row(day=f"2020-{m:02d}-{d:02d}") for m in (1, 2, 3) for d in range(1, 28)],
    "alternating ends": [row(g="abcdef"[i % 6], x=("-50", "1000")[i % 2]) for i in range(30)],
}


@pytest.fixture(scope="module", params=EVIL.values(), ids=EVIL.keys())
def with_and_without(request: pytest.FixtureRequest) -> tuple[Snapshot, Snapshot]:
    """Two snapshots that differ in one evil person, their rows in different orders."""
    found = schema(3, 2)
    return (
        neighbours.snapshot_of(found, neighbours.shuffled({"t": PEOPLE + request.param}, 1)),
        neighbours.snapshot_of(found, neighbours.shuffled({"t": PEOPLE}, 2)),
    )


@pytest.mark.parametrize("asked", QUERIES.values(), ids=QUERIES.keys())
def test_nobody_counts_for_more_than_the_plan_says(with_and_without: tuple[Snapshot, Snapshot], asked: Query) -> None:
    neighbours.promise_kept(make_plan(asked, schema(3, 2)), *with_and_without)


def test_nobody_moves_what_others_keep(with_and_without: tuple[Snapshot, Snapshot]) -> None:
    before, after = (Counter(neighbours.rows_kept(snapshot)) for snapshot in with_and_without)
    assert (before - after).total() == 1 and not after - before


def keeps_the_promise(found: Schema, data: dict[str, list[dict[str, Any]]], asked: Query, person: str) -> None:
    plan = make_plan(asked, found)
    before = neighbours.snapshot_of(found, neighbours.shuffled(data, 1))
    after = neighbours.snapshot_of(found, neighbours.shuffled(neighbours.without(found, data, "t", person), 2))
    neighbours.promise_kept(plan, before, after)
    gone = Counter(neighbours.rows_kept(before)) - Counter(neighbours.rows_kept(after))
    come = Counter(neighbours.rows_kept(after)) - Counter(neighbours.rows_kept(before))
    assert gone.total() <= 1 and not come, "others' rows moved"


@pytest.mark.parametrize("person", [str(i) for i in range(12)])
def test_every_ordinary_person_can_leave(person: str) -> None:
    keeps_the_promise(schema(2), {"t": PEOPLE}, ASKED, person)


@pytest.mark.parametrize("key", [0, 1, 2**64 - 1])
def test_the_promise_holds_for_every_key(key: int) -> None:
    found, evil = schema(2), [row(g="abcdef"[i % 6], x=str(i)) for i in range(40)]
    plan = make_plan(ASKED, found)
    before = neighbours.snapshot_of(found, {"t": PEOPLE + evil}, key=key)
    after = neighbours.snapshot_of(found, {"t": PEOPLE[::-1]}, key=key)
    neighbours.promise_kept(plan, before, after)


def test_the_order_of_rows_changes_nothing() -> None:
    evil = [row(g="abcdef"[i % 6], x=str(i)) for i in range(40)]
    kept = [
        neighbours.rows_kept(neighbours.snapshot_of(schema(), neighbours.shuffled({"t": PEOPLE + evil}, s)))
        for s in range(4)
    ]
    assert all(rows == kept[0] for rows in kept)


def test_people_with_the_same_rows_do_not_all_keep_the_same_ones() -> None:
    """A hash without the person in it would make one choice for everybody."""
    rows = [row(id=f"p{i}", x=str(x)) for i in range(60) for x in range(10)]
    kept = neighbours.rows_kept(neighbours.snapshot_of(schema(1), {"t": rows}))
    assert len(set(kept)) > 5


@pytest.mark.parametrize(
    ("ids", "trim", "people"),
    [
        (["7", " 7", "7 "], False, 3),
        (["7", " 7", "7 "], True, 1),
        (["7", "7\t", "\n7"], True, 1),
        (["é", "e\u0301"], True, 2),
        (["A", "a"], True, 2),
        (["1", "1.0", "01", "1e0"], True, 4),
        (["x" * 64 + "1", "x" * 64 + "2"], False, 2),
    ],
)
def test_who_is_one_person_is_exactly_what_the_schema_says(ids: list[str], trim: bool, people: int) -> None:
    """Ids that are one person's are bounded as one, however they are written; others are never merged."""
    found = schema(2, trim=trim)
    rows = [row(id=i) for i in ids for _ in range(4)]
    plan = make_plan(query("t").agg(n=count(), u=count_units()), found)
    before = neighbours.snapshot_of(found, {"t": rows})
    for engine in ENGINES:
        assert tabulate(plan, before, engine).reveal().tolist() == [2 * people, people]


@pytest.mark.parametrize(
    "ids", [pd.Series([7, 7, 7, 8]), pd.Series([7.0, 7.0, 7.0, 8.0]), pd.Series(["7", "7", "7", "8"])]
)
def test_the_type_of_the_id_column_does_not_split_a_person(ids: pd.Series[Any]) -> None:
    found = schema(2)
    data = pd.DataFrame([row(id=None, g=g) for g in "abcd"]).assign(id=ids)
    snapshot = Snapshot.make(found, "t", {"t": data}, key=1, progress=False)
    plan = make_plan(query("t").agg(n=count(), u=count_units()), found)
    assert tabulate(plan, snapshot).reveal().tolist() == [3, 2]


# ── joins: a person table must not fan out ────────────────────────────────────────────────────────────────────────────

JOINED = Schema(
    {
        "t": Table(Unit("id", 3), COLUMNS, person_table="p"),
        "p": Table(Unit("pid", 1), {"pid": Identifier(), "sex": Category(["F", "M"]), "age": Integer(0, 120)}),
    }
)
BY_PERSON = (
    query("t")
    .group_by("sex")
    .agg(n=count(), u=count_units(), age=sum("age"), m=mean("age"), v=variance("age"), h=histogram("sex"))
)


@pytest.mark.parametrize(
    "own",
    [
        [],
        [{"pid": "evil", "sex": "F", "age": "120"}],
        [{"pid": "evil", "sex": "F", "age": "120"}] * 50,
        [{"pid": "evil", "sex": s, "age": str(a)} for s in ("F", "M", None) for a in range(0, 121, 10)],
        [{"pid": "evil", "sex": "F", "age": "9e99"}, {"pid": "evil ", "sex": "M", "age": "3"}],
    ],
    ids=["none", "one", "fifty alike", "many different", "look-alike"],
)
@pytest.mark.parametrize("asked", [BY_PERSON, BY_PERSON.bound(groups=1), BY_PERSON.where(col("age") > 60)])
def test_a_person_table_does_not_multiply_rows(own: list[dict[str, Any]], asked: Query) -> None:
    others = [{"pid": str(i), "sex": "FM"[i % 2], "age": str(i * 7)} for i in range(12)]
    data = {"t": PEOPLE + [row(g=g) for g in "abcdef"], "p": others + own}
    keeps_the_promise(JOINED, data, asked, "evil")
    snapshot = neighbours.snapshot_of(JOINED, data)
    plan = make_plan(query("t").agg(n=count(), u=count_units()), JOINED)
    wanted = Counter(r["id"] for r in data["t"])
    assert tabulate(plan, snapshot).reveal().tolist() == [sum_of(min(n, 3) for n in wanted.values()), len(wanted)]


def sum_of(numbers: Any) -> int:
    """Python's own sum, whose name is taken here."""
    total = 0
    for number in numbers:
        total += number
    return total


def test_a_look_up_does_not_multiply_rows() -> None:
    columns = COLUMNS | {"of": Category(["u", "v"], lookup=Lookup("g", {"a": "u", "b": "u", "c": "v"}))}
    found = Schema({"t": Table(Unit("id", 3), columns)})
    asked = query("t").group_by("of").agg(n=count(), u=count_units(), s=sum("x")).bound(groups=1)
    keeps_the_promise(found, {"t": PEOPLE + [row(g=g) for g in "abcdef"] * 3}, asked, "evil")


def test_a_person_without_a_row_changes_nothing() -> None:
    """Somebody who is in the person table only contributes nothing to rows."""
    data = {"t": PEOPLE, "p": [{"pid": str(i), "sex": "F", "age": "30"} for i in range(20)]}
    plan = make_plan(BY_PERSON, JOINED)
    before = neighbours.snapshot_of(JOINED, data)
    after = neighbours.snapshot_of(JOINED, neighbours.without(JOINED, data, "t", "19"))
    for engine in ENGINES:
        assert not any(step.l0 for step in neighbours.movements(plan, before, after, engine))


# ── one row per person ────────────────────────────────────────────────────────────────────────────────────────────────


def test_one_row_per_person_moves_everything_by_one_row() -> None:
    columns = {name: domain for name, domain in COLUMNS.items() if name != "id"}
    found = Schema({"t": Table(Unit(None), columns)})
    data = {"t": [{k: v for k, v in r.items() if k != "id"} for r in PEOPLE]}
    plan = make_plan(ASKED, found)
    before = neighbours.snapshot_of(found, data)
    for index in (0, 7, len(PEOPLE) - 1):
        fewer = {"t": [r for i, r in enumerate(data["t"]) if i != index]}
        steps = neighbours.promise_kept(plan, before, neighbours.snapshot_of(found, neighbours.shuffled(fewer, index)))
        assert all(measure.sensitivity.l0 == 1 for measure in plan.measures if measure.kind not in ("tree",))
        assert any(step.l0 for step in steps[0])


# ── a big crowd: bounds do not depend on how many others there are ────────────────────────────────────────────────────


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_in_a_crowd() -> None:
    crowd = [
        row(id=f"c{i}", g="abcdef"[(i * j) % 6], x=str((i * 31 + j) % 1051 - 50), y=str(i % 997))
        for i in range(20_000)
        for j in range(i % 5 + 1)
    ]
    evil = [row(g="abcdef"[i % 6], x=("-50", "1000")[i % 2]) for i in range(500)]
    for asked in QUERIES.values():
        keeps_the_promise(schema(4, 3), {"t": crowd + evil}, asked, "evil")
