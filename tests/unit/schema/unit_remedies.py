"""Refusals of units and of columns of text, and their remedies."""

from __future__ import annotations

import pets
from pets import KeySet, col
from pets.schema.schema import Table
from tests.remedies import Act, Case

AGES = pets.DateTime("1700-01-01 00:00", "2024-12-31 23:59")
ID = {"id": pets.Identifier(), "day": pets.Date("2020-01-01", "2020-12-31"), "ages": AGES}
CODE = pets.Text(6, form="icd10")
TEXTS = pets.Schema({"t": Table(pets.Unit("id", max_rows=3), ID | {"code": CODE})})
T = pets.query("t")
N = pets.count()


def ranked(*within: str) -> Act:
    return lambda: Table(pets.Unit("id", max_rows=3, rank_within=(within,)), ID)


def arriving(column: str) -> Act:
    more = {
        "came": pets.DateTime("2020-01-01 00:00", "2020-12-31 23:59", nullable=False),
        "load": pets.Integer(1, 99, nullable=False),
        "ward": pets.Category(["A", "B"], nullable=False),
    }
    return lambda: Table(pets.Unit("id", max_rows=3, arrival=column), ID | more)


def owned(arrival: str | None) -> Act:
    """A schema whose person table says by what rows arrive."""
    born = pets.Date("1900-01-01", "2020-12-31", nullable=False)
    people = Table(pets.Unit("id", arrival="born" if arrival else None), {"id": pets.Identifier(), "born": born})
    return lambda: pets.Schema({"t": Table(pets.Unit("id", max_rows=3), ID, "people"), "people": people})


def asked(query: object) -> Act:
    return lambda: pets.explain(query, TEXTS)  # type: ignore[arg-type]


CODED = asked(T.where(col("code") == "i21.0").agg(n=N))

CASES = [
    # units
    Case(
        lambda: pets.Unit("id", max_rows=0),
        "max_rows must be a whole number from 1 to 10000",
        lambda: pets.Unit("id", max_rows=1),
    ),
    Case(lambda: pets.Unit(None, max_rows=3), "max_rows must be left out or 1", lambda: pets.Unit(None)),
    Case(lambda: pets.Unit(None, max_rows=3), "max_rows must be left out or 1", lambda: pets.Unit(None, max_rows=1)),
    Case(
        lambda: pets.Unit("id", trim="no"),  # type: ignore[arg-type]
        "trim must be true or false",
        lambda: pets.Unit("id", trim=False),
    ),
    Case(
        lambda: pets.Unit("id", max_rows=3, rank_within=((),)),
        "such as [[day], [day, ward]]",
        lambda: pets.Unit("id", max_rows=3, rank_within=(("day",), ("day", "ward"))),
    ),
    Case(
        lambda: pets.Unit("id", max_rows=3, rank_within=tuple((f"c{at}",) for at in range(9))),
        "keep at most 8, those that most queries use",
        lambda: pets.Unit("id", max_rows=3, rank_within=tuple((f"c{at}",) for at in range(8))),
    ),
    Case(lambda: pets.Unit(None, rank_within=(("day",),)), "leave rank_within out", lambda: pets.Unit(None)),
    Case(lambda: pets.Unit(None, arrival="day"), "leave arrival out", lambda: pets.Unit(None)),
    Case(arriving("dya"), "did you mean 'day'", arriving("came")),
    Case(arriving("day"), "declare it nullable: false", arriving("came")),
    Case(arriving("ward"), "a date, a date-time or a whole number", arriving("load")),
    Case(owned("born"), "leave arrival out", owned(None)),
    Case(ranked("dya"), "did you mean 'day'", ranked("day")),
    Case(ranked("dya.week"), "such as admitted.week", ranked("day.week")),
    Case(ranked("day.day"), "a period that is coarser than the column", ranked("day", "day.period.month")),
    Case(ranked("id.week"), "such as admitted.week", ranked("day.mmwr_week")),
    Case(ranked("id"), "name columns that queries group by", ranked("day")),
    Case(ranked("ages.period.hour"), "name a longer period, such as ages.week", ranked("ages.week")),
    # columns of text
    Case(lambda: pets.Text(6, form="icd"), "did you mean 'icd10'", lambda: pets.Text(6, form="icd10")),
    Case(lambda: pets.Text(2, form="icd10"), "raise it", lambda: pets.Text(3, form="icd10")),
    Case(lambda: pets.Text(0), "a whole number from 1 to 200", lambda: pets.Text(1)),
    Case(asked(T.where(col("code") == 2.5).agg(n=N)), "compare it with a text in quotes", CODED),
    Case(
        asked(T.where(col("code") == "").agg(n=N)),
        "use is_null()",
        asked(T.where(col("code").is_null()).agg(n=N)),
    ),
    Case(asked(T.where(col("code") == "two words").agg(n=N)), "write such a text", CODED),
    Case(lambda: CODE.encode("I21"), "compare it with ==, != or isin", CODED),
    Case(
        lambda: CODE.encode("I21"),
        "or group by keys that were listed",
        asked(T.group_by(KeySet(["code"], [("I210",)])).agg(n=N)),
    ),
]
