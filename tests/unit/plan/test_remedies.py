"""Each refusal of a plan names a remedy, and the remedy works."""

from __future__ import annotations

from fractions import Fraction

import pytest

import pets
from pets import KeySet, col
from pets.plan.plan import make_plan
from pets.plan.predicate import resolve
from tests.remedies import Case, check
from tests.unit.plan import people_remedies, text_remedies
from tests.unit.plan.fitted import design_remedies, exits_remedies
from tests.unit.plan.trained.train_remedies import TRAININGS

pytestmark = pytest.mark.chance(0)

COLUMNS = {
    "id": pets.Identifier(),
    "age": pets.Integer(0, 120),
    "sex": pets.Category(["F", "M"]),
    "one": pets.Integer(5, 5),
    "big": pets.Integer(0, 2**60),
    "wide": pets.Real(0, 10**12, 1),
    "cost": pets.Real(0, 100, "0.5"),
    "seen": pets.Date("1900-01-01", "2024-12-31"),
    "at": pets.DateTime("2020-01-01 00:00", "2020-12-31 23:59"),
    "rang": pets.Time(),
    "mid": pets.Integer(0, 2**50),
    "code": pets.Category([str(number) for number in range(3000)]),
    "other": pets.Category([str(number) for number in range(3000)]),
    "ill": pets.Boolean(),
    "many": pets.Category([str(number) for number in range(12_000)]),
}
LONG = pets.DateTime("1000-01-01 00:00", "3000-12-31 23:59")
WIDE = {f"w{number}": pets.Category([str(value) for value in range(3000)]) for number in range(6)}


def plan(query: object, people: int = 1000, **more: pets.Domain) -> object:
    table = pets.Table(pets.Unit("id", max_rows=5), COLUMNS | more, people=people)
    return make_plan(query, pets.Schema({"t": table}))  # type: ignore[arg-type]


T = pets.query("t")
N = pets.count()


def compiled(condition: object) -> object:
    return resolve(condition, COLUMNS, "t")  # type: ignore[arg-type]


def of(query: object, says: str, mended: object, **more: int) -> Case:
    return Case(lambda: plan(query, **more), says, lambda: plan(mended, **more))


def made(says: str, wrong: object, right: object) -> Case:
    """Of derived columns."""
    return of(T.with_columns(x=wrong).agg(n=N), says, T.with_columns(x=right).agg(n=N))  # type: ignore[arg-type]


CASES = [
    # times of day
    Case(
        lambda: compiled(col("rang") == 830),
        "so compare it with a time such as '08:30'",
        lambda: compiled(col("rang") == "08:30"),
    ),
    Case(
        lambda: compiled(col("rang") == "8 h"),
        "is not a time of day such as 08:30",
        lambda: compiled(col("rang") == "08:30"),
    ),
    of(T.group_by(col("rang").day()).agg(n=N), "group by col('rang').hour()", T.group_by(col("rang").hour()).agg(n=N)),
    of(
        T.group_by(col("rang").weekday()).agg(n=N),
        "or by bins",
        T.group_by(col("rang").bins(["08:00", "16:00"])).agg(n=N),
    ),
    of(
        T.agg(n=pets.histogram("rang")),
        "leave it out, and group by col('rang')",
        T.group_by(col("rang").hour()).agg(n=N),
    ),
    of(
        T.group_by(col("rang").bins([0, 8])).agg(n=N),
        "such as ['08:00', '16:00', '24:00']",
        T.group_by(col("rang").bins(["08:00", "16:00", "24:00"])).agg(n=N),
    ),
    of(
        T.agg(c=pets.covariance("age", "one")),
        "varies with nothing; leave it out",
        T.agg(c=pets.covariance("age", "cost")),
    ),
    made("numbers and dates", col("sex") + 1, col("age") + 1),
    made("col('left') - col('came')", col("seen") + col("at"), col("seen") - col("at")),
    made("move it by whole days", col("seen") + 0.5, col("seen") + 1),
    made("fewer days", col("seen") + 10**7, col("seen") + 10),
    made("take the days between dates first", pets.min_of("seen", "age"), pets.min_of("age", "one")),
    made("between two dates", col("age").age_at(col("seen")), col("seen").age_at(col("at"))),
    made("take the days between two dates first", col("seen") // 7, col("age") // 7),
    made("a coarser step", col("big") // 7, col("age") // 7),
    made("map and prefix are of a category", col("age").prefix(3), col("sex").prefix(3)),
    made("there are: F, M", col("sex").map({"X": "x"}), col("sex").map({"F": "x"})),
    made("use another name", col("sex").map({"F": "missing"}), col("sex").map({"F": "none"})),
    made("columns with coarser steps", col("big") + col("big") * 7, col("age") + col("age") * 7),
    made("choose a coarser step", col("wide") * Fraction(1, 10**40), col("wide") * Fraction(1, 10)),
    made(
        "in the order of their groups",
        col("many").map({str(n): "ab"[n % 2] for n in range(12_000)}),
        col("many").map({str(n): "ab"[n // 6000] for n in range(12_000)}),
    ),
    of(
        T.with_columns(age=col("big") + 1).agg(n=N),
        "another name",
        T.with_columns(years=col("big") + 1).agg(n=N),
    ),
    of(
        T.where(col("code").startswith("x")).agg(n=N),
        "there are",
        T.where(col("code").startswith("1")).agg(n=N),
    ),
    of(T.where(col("age").startswith("x")).agg(n=N), "values of a category", T.where(col("age") == 1).agg(n=N)),
    Case(
        lambda: plan(T.group_by(*WIDE).agg(n=N), **WIDE),
        "group by fewer columns or coarser bins",
        lambda: plan(T.group_by("sex").agg(n=N)),
    ),
    of(T.group_by(col("seen").hour()).agg(n=N), "a column of type datetime", T.group_by(col("at").hour()).agg(n=N)),
    Case(
        lambda: plan(T.group_by(col("long").period("hour")).agg(n=N), long=LONG),
        "group by a longer period",
        lambda: plan(T.group_by(col("long").period("year")).agg(n=N), long=LONG),
    ),
    of(
        T.group_by(KeySet(["age"], [(1,), ("1",)])).agg(n=N),
        "list each group once",
        T.group_by(KeySet(["age"], [(1,)])).agg(n=N),
    ),
    of(
        T.group_by("big").agg(n=N),
        "group by bins or a KeySet of bins",
        T.group_by("age", col("big").bins([0, 10, 20])).agg(n=N),
    ),
    of(
        T.group_by("wide").agg(n=N),
        "such as col('wide').bins([0, 10, 20])",
        T.group_by(col("wide").bins([0, 10, 20])).agg(n=N),
    ),
    of(
        T.group_by(col("sex").bins([0, 1])).agg(n=N),
        "bins need an integer or real column",
        T.group_by(col("age").bins([0, 1])).agg(n=N),
    ),
    of(
        T.group_by(col("seen").bins([0, 1])).agg(n=N),
        "cut its bins at days, such as ['2022-01-01', '2022-04-01']",
        T.group_by(col("seen").bins(["2022-01-01", "2022-04-01"])).agg(n=N),
    ),
    of(
        T.group_by(col("seen").bins(["2022-01-01", "2022-04-01 12:00"])).agg(n=N),
        "cut its bins at days, such as",
        T.group_by(col("at").bins(["2022-01-01", "2022-04-01 12:00"])).agg(n=N),
    ),
    of(
        T.group_by(col("at").bins([0, 1])).agg(n=N),
        "cut its bins at days or moments, such as ['2022-01-01', '2022-01-01 12:00']",
        T.group_by(col("at").bins(["2022-01-01", "2022-01-01 12:00"])).agg(n=N),
    ),
    of(
        T.group_by(col("age").bins(["2022-01-01", "2022-04-01"])).agg(n=N),
        "cut its bins at numbers, such as [0, 18, 65]",
        T.group_by(col("age").bins([0, 18, 65])).agg(n=N),
    ),
    of(T.group_by(col("sex").year()).agg(n=N), "need a date column", T.group_by(col("seen").year()).agg(n=N)),
    of(
        T.group_by(KeySet(["sex"], [("f",)])).agg(n=N),
        "there are: F, M",
        T.group_by(KeySet(["sex"], [("F",)])).agg(n=N),
    ),
    of(
        T.group_by("code", "other").agg(n=N),
        "use bins, fewer columns or a KeySet",
        T.group_by(KeySet(["code", "other"], [("1", "2")])).agg(n=N),
    ),
    of(T.group_by("at").agg(n=N), "such as col('at').period('month')", T.group_by(col("at").period("month")).agg(n=N)),
    of(T.agg(s=pets.sum("sex")), "this needs an integer or real column", T.agg(s=pets.sum("age"))),
    of(T.agg(s=pets.mean("ill")), "use rate(col('ill') == …)", T.agg(s=pets.rate(col("ill") == True))),  # noqa: E712
    of(T.agg(s=pets.sum("one")), "count its rows instead", T.agg(s=pets.count(~col("one").is_null()))),
    of(
        T.group_by("code").agg(q=pets.quantile("wide", 0.5, bins=2000)),
        "fewer bins or groups",
        T.group_by("sex").agg(q=pets.quantile("wide", 0.5, bins=50)),
    ),
    of(
        T.group_by("code").agg(
            **{f"q{at}": pets.quantile(name, 0.5, bins=500) for at, name in enumerate(("wide", "big"))}
        ),
        "use coarser bins or ask for fewer measures",
        T.group_by("code").agg(q=pets.quantile("wide", 0.5, bins=500)),
    ),
    of(T.agg(s=pets.sum("age", clip=(500, 600))), "whole numbers 0 to 120", T.agg(s=pets.sum("age", clip=(0, 100)))),
    of(
        T.agg(s=pets.variance("cost", step="0.7")),
        "the column's steps of 0.5",
        T.agg(s=pets.variance("cost", step="1.5")),
    ),
    of(T.agg(s=pets.variance("cost", step=500)), "choose a finer one", T.agg(s=pets.variance("cost", step=1))),
    of(
        T.agg(h=pets.histogram("wide")),
        "such as histogram('wide', [0, 10, 20])",
        T.agg(h=pets.histogram("wide", [0, 10, 20])),
    ),
    Case(lambda: plan(3), "built from pets.query('table')", lambda: plan(T.agg(n=N))),
    of(T, "add .agg(n=pets.count())", T.agg(n=N)),
    of(T.bound(rows=9).agg(n=N), "ask for at most 5", T.bound(rows=5).agg(n=N)),
    of(
        T.group_by("sex").bound(groups=10**6).agg(n=N),
        "lower it or leave it out",
        T.group_by("sex").bound(groups=2).agg(n=N),
    ),
    of(T.agg(s=pets.sum("big")), "a tighter clip", T.agg(s=pets.sum("big", clip=(0, 1000)))),
    Case(
        lambda: plan(T.agg(s=pets.sum("mid")), people=10_000),
        "state a smaller 'people'",
        lambda: plan(T.agg(s=pets.sum("mid")), people=100),
    ),
    Case(
        lambda: plan(T.agg(s=pets.variance("wide"))),
        "use a coarser step",
        lambda: plan(T.agg(s=pets.variance("wide", step=10**6))),
    ),
    Case(lambda: compiled(3), "build one from col(...)", lambda: compiled(col("age") > 3)),
    of(T.where(col("aeg") > 3).agg(n=N), "did you mean 'age'?", T.where(col("age") > 3).agg(n=N)),
    of(T.where(col("id") == "x").agg(n=N), "identifiers may not appear in a query", T.agg(people=pets.count_units())),
    of(T.where(col("age") > "x").agg(n=N), "compare it with a number", T.where(col("age") > 3).agg(n=N)),
    of(T.where(col("seen") > 3).agg(n=N), "compare it with a date", T.where(col("seen") > "2024-01-01").agg(n=N)),
    of(T.where(col("sex") > "F").agg(n=N), "use == , != or isin", T.where(col("sex") == "F").agg(n=N)),
    of(T.where(col("sex") == "f").agg(n=N), "there are: F, M", T.where(col("sex") == "F").agg(n=N)),
    *people_remedies.CASES,
    *design_remedies.CASES,
    *exits_remedies.CASES,
    *TRAININGS,
    *text_remedies.CASES,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says[:40])
def test_each_refusal_names_a_remedy_that_works(case: Case) -> None:
    check(case)
