"""Refusals of questions about people, and their remedies."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pets
from pets import col
from pets.query_model.columns import Col
from pets.query_model.feature_form import feature_from_json
from pets.query_model.features import Computed, Filled, Reading, Rows, Versus
from pets.query_model.nodes.derived import Age, Linear
from pets.query_model.people import People
from pets.query_model.query import Query
from pets.query_model.sql.people.writing import PeopleWriter
from tests.remedies import Case

STAYS = pets.events("stays")
FIRST = STAYS.first("admitted", by="admitted")
LAST = STAYS.last("admitted", by="admitted")
N = STAYS.count(max=5)
AGE = col("born").age_at(FIRST)
ROWS = Rows("stays")
SCHEMA = pets.Schema({"stays": pets.Table(pets.Unit("id", max_rows=5), {"id": pets.Identifier()}, people=9)})


def deep() -> object:
    one = N
    for _ in range(20):
        one = one.fill(0)
    return one


def reading(**form: object) -> object:
    return feature_from_json({"feature": "count", "rows": {"table": "stays"}, "most": 3} | form)


def nested(levels: int) -> object:
    form: object = N.to_json()
    for _ in range(levels):
        form = {"feature": "fill", "of": form, "value": 0}
    return People.from_json({"features": [["n", form]]})


def compared_with(levels: int, kind: str) -> object:
    """The form of rows that are compared with rows that are compared with …, by conditions of kind versus or within."""
    form: object = {"feature": "exists", "rows": {"table": "stays"}}
    rest = {"op": ">="} if kind == "versus" else {"days": [0, 1]}
    for _ in range(levels):
        where = {"filter": kind, "column": "admitted", "feature": form} | rest
        form = {"feature": "exists", "rows": {"table": "stays", "where": where}}
    return form


def compared(levels: int, kind: str) -> object:
    return Query.from_json({"table": "stays", "people": {"features": [["n", compared_with(levels, kind)]]}})


def too_deep(levels: int, kind: str) -> Callable[[], object]:
    return lambda: compared(levels, kind)


DEEP = [(kind, levels) for kind in ("versus", "within") for levels in (12, 190, 400)]


def condition(levels: int) -> object:
    """The same in the condition of a query."""
    where = {"filter": "versus", "column": "a", "op": "==", "feature": compared_with(levels, "versus")}
    return Query.from_json({"table": "stays", "where": where})


def measure(levels: int) -> object:
    """The same in the condition of a measure."""
    where = {"filter": "within", "column": "a", "days": [0, 1], "feature": compared_with(levels, "within")}
    return Query.from_json({"table": "stays", "agg": {"n": {"agg": "count", "where": where}}})


def wide_and_deep() -> object:
    """Each part within its limit, and all together deeper than Python follows."""
    form: object = {"feature": "exists", "rows": {"table": "stays"}}
    for _ in range(11):
        where: object = {"filter": "versus", "column": "a", "op": "==", "feature": form}
        for _ in range(98):
            where = {"filter": "not", "term": where}
        form = {"feature": "exists", "rows": {"table": "stays", "where": where}}
    return Query.from_json({"table": "stays", "people": {"features": [["n", form]]}})


def rows(value: object) -> object:
    return Rows("stays", value)  # type: ignore[arg-type]


def printed(query: Query) -> Callable[[], object]:
    return lambda: PeopleWriter(query, SCHEMA)


MANY = pets.case((col("n") > 1, "x"), default="y")
CASES = [
    Case(
        printed(pets.people(k=MANY, n=N).where(col("n") > 0)),
        "name a feature that reads rows before it",
        printed(pets.people(n=N, k=MANY).where(col("n") > 0)),
    ),
    Case(
        lambda: col("a").within(3, days=(1, 2)),
        "within(first, days=(1, 30))",
        lambda: col("a").within(FIRST, days=(1, 30)),
    ),  # type: ignore[arg-type]
    Case(lambda: col("a").age_at("b"), "or age_at(first)", lambda: col("a").age_at(FIRST)),  # type: ignore[arg-type]
    Case(lambda: feature_from_json([]), "a mapping with 'feature'", lambda: feature_from_json(N.to_json())),
    Case(lambda: feature_from_json({"feature": "days"}), "lacks a part", lambda: feature_from_json(N.to_json())),
    Case(lambda: reading(colour="red"), "'colour' is no part of a feature", lambda: reading()),
    Case(lambda: N.bins([0, 1]), "name='age'", lambda: N.bins([0, 1], name="age")),
    Case(
        lambda: FIRST >= "2020-01-01",
        "pets.people(first=first).where(col('first') >= …)",
        lambda: pets.people(first=FIRST).where(col("first") >= "2020-01-01"),
    ),
    Case(
        lambda: bool(FIRST),
        "name it in pets.people(…) and compare it there",
        lambda: pets.people(first=FIRST).where(col("first") >= "2020-01-01"),
    ),
    Case(lambda: N % 2, "constant multiples and // are computed", lambda: N // 2),
    Case(lambda: N / 2, "write 0.5 * feature", lambda: 0.5 * N),
    Case(
        lambda: N + col("age"),  # type: ignore[operator]
        "pets.people(n=…).with_columns(more=col('n') + col('age'))",
        lambda: pets.people(n=N).with_columns(more=col("n") + col("age")),
    ),
    Case(lambda: FIRST - FIRST, "leave it out", lambda: LAST - FIRST),
    Case(lambda: (LAST - FIRST + 1).days(0, 9), "such as (later - earlier).days", lambda: (LAST - FIRST).days(0, 9)),
    Case(lambda: pets.min_of(N, 1, 2), "features and at most one number", lambda: pets.min_of(N, 1)),
    Case(
        lambda: Computed(Age("1", "2022-01-01"), (FIRST,)),
        "as first - second or pets.min_of(…) do",
        lambda: LAST - FIRST,
    ),
    Case(
        lambda: Computed(Linear((("1", Fraction(1)), ("2", Fraction(1)))), (N, FIRST)),
        "once, in the order of their forms",
        lambda: Computed(Linear((("1", Fraction(1)), ("2", Fraction(1)))), (FIRST, N)),
    ),
    Case(
        lambda: STAYS.first("a", by="b", nth=0),
        "first(nth=…) must be a whole number from 1 to 999, not 0",
        lambda: STAYS.first("a", by="b", nth=1),
    ),
    Case(
        lambda: STAYS.last("a", by="a", nth=1000),
        "last(nth=…) must be a whole number from 1 to 999",
        lambda: STAYS.last("a", by="a", nth=999),
    ),
    Case(
        lambda: reading(feature="first", most=None, column="a", by="a", nth=2.5),
        "first(nth=…) must be a whole number",
        lambda: reading(feature="first", most=None, column="a", by="a", nth=2),
    ),
    Case(lambda: Reading("min", ROWS, "a", nth=2), "min takes no nth; leave it out", lambda: Reading("min", ROWS, "a")),
    Case(lambda: STAYS.episodes("a", gap=-1, max=3), "such as gap=30", lambda: STAYS.episodes("a", gap=30, max=3)),
    Case(
        lambda: STAYS.intervals("a", FIRST, days=[0, 0]),
        "such as days=[0, 30, 60]",
        lambda: STAYS.intervals("a", FIRST, days=[0, 30, 60]),
    ),
    Case(
        lambda: STAYS.intervals("a", FIRST, days=[0, 10**7]),
        "at most 4,000,000 days",
        lambda: STAYS.intervals("a", FIRST, days=[0, 4_000_000]),
    ),
    Case(
        lambda: pets.case("many", default="few"),  # type: ignore[arg-type]
        "such as (col('n') >= 3, 'many')",
        lambda: pets.case((col("n") >= 3, "many"), default="few"),
    ),
    Case(
        lambda: pets.case((col("n") >= FIRST, "many"), default="few"),
        "such as col('n') >= 3",
        lambda: pets.case((col("n") >= 3, "many"), default="few"),
    ),
    Case(
        lambda: pets.case((col("n") >= 3, 1), default="few"),  # type: ignore[arg-type]
        "texts such as 'many'",
        lambda: pets.case((col("n") >= 3, "1"), default="few"),
    ),
    Case(
        lambda: pets.people(sex=pets.case((col("sex") == "F", "f"), default=None)),
        "pets.people(of='patients')",
        lambda: pets.people(of="patients", own=pets.case((col("sex") == "F", "f"), default=None)),
    ),
    Case(lambda: (LAST - FIRST).days(0, 10**9), "at most 4,000,000 days", lambda: (LAST - FIRST).days(0, 4_000_000)),
    Case(lambda: (LAST - FIRST).days(9, 1), "swap them", lambda: (LAST - FIRST).days(1, 9)),
    Case(lambda: (LAST - FIRST).days(0, 1.5), "two whole numbers", lambda: (LAST - FIRST).days(0, 1)),  # type: ignore[arg-type]
    Case(
        lambda: Filled("x", 0),
        "pets.events('stays').first('admitted', by='admitted')",
        lambda: Filled(FIRST, "2020-01-01"),
    ),  # type: ignore[arg-type]
    Case(lambda: STAYS.bound(rows=0), "from 1 to 1,000,000", lambda: STAYS.bound(rows=1)),
    Case(lambda: STAYS.sum("cost"), ".sum('cost', clip=(0, 1000))", lambda: STAYS.sum("cost", clip=(0, 1000))),
    Case(lambda: STAYS.sum("cost", clip=(5, 5)), "such as clip=(0, 1000)", lambda: STAYS.sum("cost", clip=(0, 1000))),
    Case(lambda: STAYS.sum("cost", clip="ab"), "such as clip=(0, 10)", lambda: STAYS.sum("cost", clip=(0, 10))),  # type: ignore[arg-type]
    Case(deep, "nested at most 12 deep", lambda: N.fill(0)),
    Case(lambda: Versus("a", "=", FIRST), "a comparison is one of ==", lambda: Versus("a", "==", FIRST)),  # type: ignore[arg-type]
    Case(
        lambda: col("a").within(FIRST, days=(None, None)),
        "such as within(first, days=(1, 30))",
        lambda: col("a").within(FIRST, days=(1, 30)),
    ),
    Case(lambda: rows("age"), "such as col('age') >= 18", lambda: rows(col("age") >= 18)),
    Case(lambda: Reading("median", ROWS, "a"), "a feature is one of first, last", lambda: Reading("mean", ROWS, "a")),  # type: ignore[arg-type]
    Case(lambda: Reading("exists", "stays"), "reads rows of a table", lambda: Reading("exists", ROWS)),  # type: ignore[arg-type]
    Case(lambda: STAYS.count(), "such as count(max=20)", lambda: STAYS.count(max=20)),
    Case(lambda: Reading("exists", ROWS, "a"), "takes no column; leave it out", lambda: Reading("exists", ROWS)),
    Case(lambda: STAYS.median, "events have no 'median'; did you mean 'mean'", lambda: STAYS.mean("days")),
    Case(lambda: pets.people(n=STAYS), "such as .exists() or .count(max=20)", lambda: pets.people(n=STAYS.exists())),  # type: ignore[arg-type]
    Case(
        lambda: pets.people(sex=Col("sex")),  # type: ignore[arg-type]
        "columns of the person table are there by their own names",
        lambda: pets.people(of="patients").group_by("sex"),
    ),
    Case(lambda: pets.people(n=3), "such as pets.events('stays').exists()", lambda: pets.people(n=STAYS.exists())),  # type: ignore[arg-type]
    Case(lambda: People("n"), "pairs of a name and a feature", lambda: People((("n", N),))),  # type: ignore[arg-type]
    Case(
        lambda: People(tuple((f"n{number}", N) for number in range(65))),
        "at most 64 features",
        lambda: People(tuple((f"n{number}", N) for number in range(64))),
    ),
    Case(lambda: People((("n", N), ("n", FIRST))), "name each once", lambda: People((("n", N), ("f", FIRST)))),
    Case(lambda: pets.people(), "pets.people(of='patients')", lambda: pets.people(of="patients")),
    Case(
        lambda: pets.people(age=N).group_by(AGE.bins([0, 50])),
        "such as .bins([0, 18, 65], name='age_then')",
        lambda: pets.people(age=N).group_by(AGE.bins([0, 50], name="age_then")),
    ),
    Case(lambda: People.from_json([]), "a mapping with 'features' and 'of'", lambda: nested(1)),
    Case(lambda: People.from_json({"features": ["n"]}), "a list of names with their features", lambda: nested(1)),
    Case(lambda: nested(5000), "nested too deeply", lambda: nested(1)),
    *(Case(too_deep(levels, kind), "ask two questions", lambda: compared(11, "versus")) for kind, levels in DEEP),
    Case(lambda: condition(200), "ask two questions", lambda: condition(11)),
    Case(lambda: measure(200), "ask two questions", lambda: measure(11)),
    Case(wide_and_deep, "the query is nested too deeply; ask two questions", lambda: compared(1, "versus")),
    Case(
        lambda: col("a").between(FIRST, LAST),
        "write (col('a') >= first) & (col('a') <= last)",
        lambda: STAYS.where((col("a") >= FIRST) & (col("a") <= LAST)),
    ),
    Case(
        lambda: col("a") > col("b"),
        ".with_columns(more=col('a') - col('b')).where(col('more') > 0)",
        lambda: pets.query("t").with_columns(more=col("a") - col("b")).where(col("more") > 0),
    ),
    Case(
        lambda: pets.people(a=FIRST, b=LAST).where(col("a") <= col("b")),
        "name the days between them, (later - earlier).days(0, 365), or compare rows of events: .where(col('a') <= ",
        lambda: pets.people(wait=(LAST - FIRST).days(0, 365), n=STAYS.where(col("admitted") <= LAST).exists()),
    ),
    Case(
        lambda: Query("other", people=People((("n", N),))),
        "built from pets.people(…)",
        lambda: pets.people(n=N),
    ),
    Case(
        lambda: pets.people(n=N).bound(rows=2),
        "pets.events('stays').bound(rows=3)",
        lambda: pets.people(n=pets.events("stays").bound(rows=3).count(max=5)),
    ),
    Case(
        lambda: pets.people(n=N).agg(k=pets.count()).sql(SCHEMA),
        "pets.people(of='stays', …)",
        lambda: pets.people(of="stays", n=N).agg(k=pets.count()).sql(SCHEMA),
    ),
    Case(
        lambda: pets.query("stays").group_by(N.bins([0, 5], name="n")),
        "pets.people(n=…).group_by('n')",
        lambda: pets.people(n=N).group_by("n"),
    ),
]
