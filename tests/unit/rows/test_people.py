"""The table of people: counter-examples of what must not happen, and bounds that are reached.

Each is a wrong form of a feature or of a join that changed other people's numbers when one person left.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

import pets
from pets import col, testing
from pets.errors import InternalError, QueryError
from pets.plan.plan import make_plan
from pets.plan.predicate import Texts, met
from pets.query_model.query import Query
from pets.rows.people.sql import PeopleSql, Source
from pets.rows.tabulate import LOCAL as ENGINES
from pets.rows.tabulate import tabulate
from tests.generative.neighbours import Moved

ROWS = 9
SCHEMA = pets.Schema(
    {
        "p": pets.Table(pets.Unit("id"), {"id": pets.Identifier(), "sex": pets.Category(["F", "M"])}, people=10_000),
        "stays": pets.Table(
            pets.Unit("id", max_rows=ROWS),
            {
                "id": pets.Identifier(),
                "day": pets.Date("2020-01-01", "2022-12-31"),
                "kind": pets.Category(["a", "b", "c", "d"]),
                "cost": pets.Real(0, 1, "0.1"),
            },
            "p",
            people=10_000,
        ),
        "drugs": pets.Table(
            pets.Unit("id", max_rows=ROWS),
            {"id": pets.Identifier(), "day": pets.Date("2020-01-01", "2022-12-31")},
            "p",
            people=10_000,
        ),
    }
)
STAYS, DRUGS = pets.events("stays"), pets.events("drugs")
FIRST = STAYS.first("day", by="day")
KINDS = "abcd"


def day(number: int) -> str:
    return (dt.date(2020, 1, 1) + dt.timedelta(number)).isoformat()


def data(without: str = "", people: int = 60) -> dict[str, list[dict[str, Any]]]:
    """Rows of some people; every third has no drugs, every fifth is not in the person table; two rows of one day."""
    names = [f"n{number}" for number in range(people)]
    stays = [
        {"id": name, "day": day(number % 7 + 10 * (k // 2)), "kind": KINDS[(number + k) % 4], "cost": f"0.{k}"}
        for number, name in enumerate(names)
        for k in range(4)
    ]
    drugs = [
        {"id": name, "day": day(number % 5 + 9 * k)}
        for number, name in enumerate(names)
        if number % 3
        for k in range(3)
    ]
    own = [{"id": name, "sex": "FM"[number % 2]} for number, name in enumerate(names) if number % 5]
    made = {"p": own, "stays": stays, "drugs": drugs}
    return {table: [row for row in rows if row["id"] != without] for table, rows in made.items()}


def linked(rows: dict[str, list[dict[str, Any]]]) -> Any:
    from tests import strategies

    sources = {name: strategies.source(SCHEMA.table(name), found) for name, found in rows.items()}
    return testing.linked(SCHEMA, sources, list(SCHEMA.tables))


def vector(query: Query, rows: dict[str, list[dict[str, Any]]], engine: str = "duckdb") -> list[int]:
    return tabulate(make_plan(query, SCHEMA), linked(rows), engine).reveal().tolist()


COHORT = (
    pets.people(
        first=FIRST,
        kind=STAYS.first("kind", by="day"),
        drugs=DRUGS.where(col("day") >= FIRST).count(max=9),
        cost=STAYS.sum("cost", clip=(0, 2)),
    )
    .where(~col("first").is_null())
    .group_by("kind", "sex")
    .agg(n=pets.count(), drugs=pets.sum("drugs"), cost=pets.sum("cost"))
)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_person_who_leaves_takes_one_row_and_no_more(engine: str) -> None:
    """Not so where tables are joined by codes of their own, or a rank hashes a code, or ties fall by the clock."""
    plan, before = make_plan(COHORT, SCHEMA), vector(COHORT, data(), engine)
    for name in ("n0", "n1", "n29", "n59"):
        after = vector(COHORT, data(without=name), engine)
        for measure, block in zip(plan.measures, plan.blocks, strict=True):
            moved = Moved.between(before[block], after[block])
            assert moved.l0 <= 1, f"{measure.name} without {name}"
            assert not moved.passes(measure.sensitivity)


def test_the_same_question_is_answered_the_same_again() -> None:
    """``arg_min`` of a date alone is not repeatable where two rows have one date."""
    rows = linked(data(people=3000))
    plan = make_plan(COHORT, SCHEMA)
    answers = {tuple(tabulate(plan, rows, "duckdb").reveal().tolist()) for _ in range(3)}
    assert len(answers) == 1
    assert answers == {tuple(tabulate(plan, rows, "polars").reveal().tolist())}


@pytest.mark.parametrize("engine", ENGINES)
def test_two_columns_of_one_first_row_come_from_one_row(engine: str) -> None:
    """Of the two rows of the first day one is taken, by chance; its kind and its cost go together."""
    rows = data()
    for row in rows["stays"]:
        row["kind"] = KINDS[int(row["cost"][-1])]
    query = (
        pets.people(kind=STAYS.first("kind", by="day"), cost=STAYS.first("cost", by="day"))
        .where(~col("kind").is_null())
        .group_by("kind", col("cost").bins([0, "0.1", "0.2", 1]))
        .agg(n=pets.count())
    )
    found = vector(query, rows, engine)
    # by kind: the bins of cost, and no value
    a, b, *others = (found[start : start + 4] for start in range(0, len(found), 4))
    assert a[0] > 10 and b[1] > 10 and a[0] + b[1] == 60
    assert not any(a[1:]) and not any([b[0], *b[2:]]) and not any(any(part) for part in others)


def on(name: str, *days: int) -> list[dict[str, Any]]:
    """A person's stays on such days (-1: no day), of the kinds a, b, c, … and of the costs 0, 0.1, 0.2, …"""
    return [
        {"id": name, "day": "" if number < 0 else day(number), "kind": KINDS[place], "cost": f"0.{place}"}
        for place, number in enumerate(days)
    ]


@pytest.mark.parametrize("engine", ENGINES)
def test_the_nth_row_is_counted_by_the_order(engine: str) -> None:
    """From both ends, by the column itself and by another one; no value beyond the rows that have an order."""
    stays = [*on("one", 5), *on("two", 9, 4), *on("three", 7, 3, 5), *on("lost", 8, -1, -1, 2), *on("none", -1)]
    rows = {"p": [], "stays": stays, "drugs": []}

    def told(feature: Any, keys: list[Any]) -> list[int]:
        by = pets.KeySet.of([{"x": key} for key in keys])
        return vector(pets.people(of="stays", x=feature).group_by(by).agg(n=pets.count()), rows, engine)

    days = [day(number) for number in (2, 3, 4, 5, 7, 8, 9)]
    for nth, first, last in (
        (1, [1, 1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1, 1]),
        (2, [0, 0, 0, 1, 0, 1, 1], [1, 0, 1, 1, 0, 0, 0]),
        (3, [0, 0, 0, 0, 1, 0, 0], [0, 1, 0, 0, 0, 0, 0]),
        (4, [0] * 7, [0] * 7),
        (999, [0] * 7, [0] * 7),
    ):
        assert told(STAYS.first("day", by="day", nth=nth), days) == first
        assert told(STAYS.last("day", by="day", nth=nth), days) == last
    assert told(STAYS.first("kind", by="day", nth=2), ["a", "b", "c", "d"]) == [2, 0, 1, 0]
    assert told(STAYS.last("kind", by="day", nth=2), ["a", "b", "c", "d"]) == [0, 1, 1, 1]
    assert told(STAYS.where(col("kind") != "b").first("day", by="day", nth=2), days) == [0, 0, 0, 0, 1, 1, 0]
    missing = pets.people(of="stays", x=STAYS.first("kind", by="day", nth=2)).agg(n=pets.count(col("x").is_null()))
    assert vector(missing, rows, engine) == [2]


@pytest.mark.parametrize("engine", ENGINES)
def test_rows_of_one_day_are_different_rows(engine: str) -> None:
    """The second has the day of the first; and the first, second and third kinds are those of three rows."""
    rows = data()
    rows["stays"] = [row for number in range(40) for row in on(f"n{number}", 5, 5, 5)]
    same = pets.people(of="stays", x=STAYS.first("day", by="day", nth=2), y=STAYS.last("day", by="day", nth=3))
    asked = same.where((col("x") == day(5)) & (col("y") == day(5))).agg(n=pets.count())
    assert vector(asked, rows, engine) == [40]
    of = {f"x{nth}": STAYS.first("kind", by="day", nth=nth) for nth in (1, 2, 3)}
    of |= {f"y{nth}": STAYS.last("kind", by="day", nth=nth) for nth in (1, 2, 3)}
    found = vector(pets.people(of="stays", **of).group_by("x1", "x2", "x3").agg(n=pets.count()), rows, engine)
    cells = [place for place, number in enumerate(found) if number]
    kinds = {(place // 25 % 5, place // 5 % 5, place % 5) for place in cells}
    assert all(sorted(one) == [0, 1, 2] for one in kinds) and len(kinds) > 2 and sum(found) == 40
    # of rows of one day the last ones come by rank, too
    for nth in (1, 2, 3):
        alike = pets.people(of="stays", x=of[f"x{nth}"], y=of[f"y{nth}"]).group_by("x", "y").agg(n=pets.count())
        told = vector(alike, rows, engine)
        assert sum(told[place * 5 + place] for place in range(3)) == 40


def test_a_row_that_nobody_can_have_is_told() -> None:
    """Before anything is paid for it: a person keeps nine rows."""
    for feature, said in (
        (STAYS.first("day", by="day", nth=9), False),
        (STAYS.first("day", by="day", nth=10), True),
        (STAYS.bound(rows=3).last("kind", by="day", nth=4), True),
    ):
        query = pets.people(of="stays", x=feature).agg(n=pets.count(~col("x").is_null()))
        assert ("so nobody has a value in row" in str(pets.explain(query, SCHEMA))) is said


def test_the_first_row_is_written_as_before() -> None:
    for how in ("first", "last"):
        made, plain = (getattr(STAYS, how)("kind", by="day", **nth) for nth in ({"nth": 1}, {}))
        assert made == plain and "nth" not in made.to_json() and made.nth is None
        other = getattr(STAYS, how)("kind", by="day", nth=2)
        assert other.to_json() == plain.to_json() | {"nth": 2} and other.key != plain.key
        both = make_plan(pets.people(of="stays", x=plain, y=other).group_by("x", "y").agg(n=pets.count()), SCHEMA)
        assert both.people_of is not None
        assert ["nth" in step.to_json() for step in both.people_of.steps] == [False, True]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_person_with_two_rows_in_the_person_table_counts_once(engine: str) -> None:
    rows = data()
    rows["p"] += [{"id": "n1", "sex": "F"}, {"id": "n1", "sex": "M"}]
    query = pets.people(first=FIRST).where(~col("first").is_null()).group_by("sex").agg(n=pets.count())
    assert sum(vector(query, rows, engine)) == 60


def test_who_is_in_does_not_depend_on_which_tables_there_are() -> None:
    """Somebody without rows would meet this; how many such people there are nobody knows."""
    absent = pets.people(n=DRUGS.count(max=9)).where(col("n") == 0).agg(n=pets.count())
    with pytest.raises(QueryError, match="somebody without a row in any table meets the condition"):
        make_plan(absent, SCHEMA)
    named = pets.people(of="stays", n=DRUGS.count(max=9)).where(col("n") == 0).agg(n=pets.count())
    assert vector(named, data()) == [20]
    for wrong in (~(col("n") > 0), (col("n") < 5) | (col("n") > 7), col("n").isin([0, 1])):
        with pytest.raises(QueryError, match="name the table of those who are meant"):
            make_plan(pets.people(n=DRUGS.count(max=9)).where(wrong).agg(n=pets.count()), SCHEMA)


def test_a_column_of_texts_that_is_not_named_changes_nothing() -> None:
    columns = dict(SCHEMA.table("p").columns) | {"town": pets.Text(8)}
    texts = pets.Schema(
        {**SCHEMA.tables, "p": pets.Table(pets.Unit("id"), columns, people=10_000)}, dataset=SCHEMA.dataset
    )
    several = DRUGS.count(max=9)
    asked = pets.people(n=several).where(col("n") > 0).agg(n=pets.count(), rows=pets.sum("n"))
    plan = make_plan(asked, texts)
    assert plan.people_of == make_plan(asked, SCHEMA).people_of
    # and who would meet it without any row is still found
    with pytest.raises(QueryError, match="somebody without a row in any table meets the condition"):
        make_plan(pets.people(n=several).where(col("sex").is_null() & (col("n") < 9)).agg(n=pets.count()), texts)
    with pytest.raises(QueryError, match=r"pets\.events\('p'\)\.where\(col\('town'\) == …\)\.exists\(\)"):
        make_plan(pets.people(n=several).where(col("town").is_null()).agg(n=pets.count()), texts)


def test_no_condition_on_texts_is_asked_of_codes() -> None:
    """A person without rows has no text; were a feature's text filled, the condition would not see it."""
    with pytest.raises(InternalError, match="no column of people holds them"):
        met(Texts("town", ("",)), {"town": 0})


def test_no_value_meets_no_comparison_either_way() -> None:
    """As of `NOT IN` beside a null: who has no first drug has no drug after it, and none before it."""
    drug = DRUGS.first("day", by="day")
    for where in (col("day") >= drug, ~(col("day") >= drug), ~col("day").within(drug, days=(0, 900))):
        query = (
            pets.people(of="stays", n=STAYS.where(where).exists(), drug=drug)
            .where(col("drug").is_null())
            .agg(n=pets.count(col("n") == True))  # noqa: E712
        )
        assert vector(query, data()) == [0]
    either = STAYS.where((col("day") >= drug) | ~(col("day") >= drug)).count(max=9)
    assert vector(pets.people(of="stays", n=either).agg(n=pets.sum("n")), data()) == [160]


@pytest.mark.parametrize("engine", ENGINES)
def test_sums_are_exact_in_whatever_order(engine: str) -> None:
    """0.1 + 0.2 + 0.3 is above 0.6 in floats, and 0.3 + 0.2 + 0.1 is not."""
    query = (
        pets.people(of="stays", cost=STAYS.sum("cost", clip=(0, 5))).group_by(col("cost").bins([0, "0.6", 1]))
    ).agg(n=pets.count())
    assert vector(query, data(), engine) == [0, 60, 0]  # 0.0 + 0.1 + 0.2 + 0.3


def test_every_measure_reaches_its_bound() -> None:
    """One person planted at the upper end of each feature."""
    query = (
        pets.people(of="stays", cost=STAYS.sum("cost", clip=(0, 2)), n=DRUGS.count(max=7), seen=STAYS.exists())
        .group_by("sex")
        .agg(
            n=pets.count(),
            cost=pets.mean("cost"),
            square=pets.variance("n"),
            seen=pets.rate(col("seen") == True),  # noqa: E712
            bins=pets.histogram("n", [0, 4, 8]),
            middle=pets.median("n"),
            people=pets.count_units(),
        )
    )
    rows = data()
    rows["stays"] += [{"id": "evil", "day": day(3), "kind": "a", "cost": "1"}] * ROWS
    rows["drugs"] += [{"id": "evil", "day": day(3)}] * ROWS
    plan = make_plan(query, SCHEMA)
    fewer = {table: [row for row in found if row["id"] != "evil"] for table, found in rows.items()}
    before, after = vector(query, rows), vector(query, fewer)
    for measure, block in zip(plan.measures, plan.blocks, strict=True):
        moved, bound = Moved.between(before[block], after[block]), measure.sensitivity
        assert moved == Moved(bound.l0, bound.l1, bound.l2_squared, bound.linf), measure.name


def test_the_condition_is_met_before_other_tables_are_read() -> None:
    plan = make_plan(COHORT.where(col("first").between("2020-01-01", "2020-06-30")), SCHEMA)
    assert plan.people_of is not None
    rows = linked(data())
    sources = {name: Source(rows.relation(name), rows.columns(name)) for name in plan.people_of.tables}
    text = PeopleSql(plan, sources).statement()
    base, _, rest = text.partition("g1_")
    assert "BETWEEN 0 AND 181" in base
    # rows of one day are told apart by their rank, whatever the order in which they are read
    assert "* 16 + x.rank)" in text
    assert "JOIN base b ON x.person = b.person" in rest
    for word in ("ORDER BY", "OVER", "LIMIT", "hash"):
        assert word not in text
