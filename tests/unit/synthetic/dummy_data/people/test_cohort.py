"""Invented people who meet a question about people: judged by an engine that knows nothing of how they were made."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import pets
from pets import col
from pets.errors import UserError
from pets.query_model.query import Query
from pets.schema.rules import Derived, Order
from pets.synthetic.dummy_data.people.cohort import cohort
from pets.synthetic.dummy_data.texts import listed
from pets.testing.exact_answers import exact

SCHEMA = pets.Schema(
    {
        "patients": pets.Table(
            pets.Unit("id", max_rows=1),
            {
                "id": pets.Identifier(),
                "sex": pets.Category(["F", "M"], nullable=False),
                "born": pets.Date("1930-01-01", "2019-12-31"),
            },
        ),
        "stays": pets.Table(
            pets.Unit("id", max_rows=6),
            {
                "id": pets.Identifier(),
                "code": pets.Category(["I21", "I22", "J18", "Z00"]),
                "kind": pets.Category(["heart", "lung"], lookup=pets.Lookup("code", {"I21": "heart", "J18": "lung"})),
                "admitted": pets.Date("2020-01-01", "2023-12-31"),
                "discharged": pets.Date("2020-01-01", "2023-12-31"),
                "days": pets.Integer(0, 40),
                "cost": pets.Real(0, 100, "0.5"),
            },
            person_table="patients",
            rules=(Order(("admitted", "discharged")), Derived("days", "days", ("admitted", "discharged"))),
        ),
        "scripts": pets.Table(
            pets.Unit("id", max_rows=8),
            {
                "id": pets.Identifier(),
                "drug": pets.Text(6),
                "pack": pets.Integer(1, 30, nullable=False),
                "at": pets.DateTime("2020-01-01 00:00", "2023-12-31 23:00", "hour"),
            },
            person_table="patients",
        ),
    },
    dataset="cohorts",
)
STAYS, SCRIPTS = pets.events("stays"), pets.events("scripts")
FIRST = STAYS.where(col("code") == "I21").first("admitted", by="admitted")
LAST = SCRIPTS.max("at")
COHORTS: dict[str, Query] = {
    "after a first event": pets.people(
        first=FIRST,
        again=STAYS.where(col("admitted").within(FIRST, days=(1, 30))).exists(),
        drugs=SCRIPTS.where(col("at").within(FIRST, days=(0, 60))).count(max=5),
        age=col("born").age_at(FIRST),
    ).where(
        col("first").between("2022-01-01", "2022-12-31")
        & (col("again") == True)  # noqa: E712
        & (col("drugs") >= 2)
        & (col("age") >= 60)
        & (col("sex") == "F")
    ),
    "what never was, and a last one": pets.people(
        of="patients",
        lung=STAYS.where(col("kind") == "lung").exists(),
        last=STAYS.last("cost", by="discharged"),
        low=SCRIPTS.min("pack").fill(1),
    ).where((col("lung") == False) & (col("last") > 90) & (col("low") == 1)),  # noqa: E712
    "totals": pets.people(
        cost=STAYS.sum("cost", clip=(0, 400)),
        pack=SCRIPTS.mean("pack"),
        long=STAYS.where(col("days") >= 20).count(max=3),
    ).where(col("cost").between(210, 230) & (col("pack") == 7) & (col("long") >= 2)),
    "different ones": pets.people(
        kinds=STAYS.count_distinct("code", max=4),
        days=SCRIPTS.days_with("at", max=5),
        spells=STAYS.episodes("admitted", gap=60, max=4),
    ).where((col("kinds") == 3) & (col("days") >= 4) & (col("spells") >= 3)),
    "what was second": pets.people(
        second=STAYS.first("admitted", by="admitted", nth=2),
        before=SCRIPTS.last("pack", by="at", nth=3),
    ).where(col("second").between("2021-01-01", "2021-03-31") & (col("before") == 7)),
    "texts, and the person's own columns": pets.people(
        some=SCRIPTS.where((col("drug") == "zopic") & (col("sex") == "M")).exists(),
        wait=(STAYS.max("admitted") - STAYS.min("admitted")).days(0, 900),
        what=pets.case((col("some") == True, "yes"), default="no"),  # noqa: E712
    ).where((col("what") == "yes") & (col("wait") > 700)),
    "one of two ways, and parts": pets.people(first=FIRST, many=SCRIPTS.count(max=8))
    .where((col("first") < "2020-02-01") | (col("many") == 8))
    .agg(early=pets.count(where=col("first") < "2020-01-15"), busy=pets.count(where=col("many") > 6)),
}


@pytest.mark.parametrize("name", COHORTS)
def test_half_of_the_people_meet_it(name: str) -> None:
    query = COHORTS[name].agg(n=pets.count())
    made = cohort(query, listed(SCHEMA, query), 80, 5)
    assert made is not None and made.people >= 5 and len(made.patterns) >= 6
    twin = pets.dummy(SCHEMA, rows=80, seed=5, query=query)
    assert {table: len(twin[table]) for table in twin} == {"patients": 80, "stays": 80, "scripts": 80}
    found = exact(SCHEMA, dict(twin.tables), query)
    # each of those who were made to, whatever rows the others have
    assert found["n"][0] >= made.people
    assert all(found[part][0] > 0 for part in found)


def test_rows_are_whole_and_the_same_again() -> None:
    query = COHORTS["totals"].agg(n=pets.count())
    twin, again = (pets.dummy(SCHEMA, rows=120, seed=2, query=query) for _ in range(2))
    assert all(twin.tables[name].equals(again.tables[name]) for name in twin)
    session = pets.Session(SCHEMA, dict(twin.tables), budget=pets.Budget(epsilon=1, delta=1e-6), progress=False)
    for name in SCHEMA.tables:
        assert session.report(name).rows_kept == 120
    stays = twin["stays"].dropna(subset=["days"])
    assert ((stays["discharged"] - stays["admitted"]).dt.days == stays["days"]).all() and len(stays) > 50
    assert twin["stays"]["id"].value_counts().max() <= 6 and twin["patients"]["id"].is_unique
    assert twin.manifest["query_sha256"] == query.digest


@pytest.mark.parametrize("rows", [60, 200, 900])
def test_nobody_has_more_rows_than_a_person_may(rows: int) -> None:
    """Of few people with many rows each, those made to meet the question leave the others no more than their own."""
    tables = {name: replace(table, people=50) for name, table in SCHEMA.tables.items()}
    schema = pets.Schema(tables, dataset="few")
    query = pets.people(none=STAYS.exists(), drugs=SCRIPTS.count(max=8))
    asked = query.where((col("none") == False) & (col("drugs") == 2)).agg(n=pets.count())  # noqa: E712
    twin = pets.dummy(schema, rows=rows, seed=3, query=asked)
    for name, table in tables.items():
        each = twin[name]["id"].value_counts()
        assert each.max() <= table.unit.max_rows and len(each) <= 50, name
    assert exact(schema, dict(twin.tables), asked)["n"][0] >= 5


def test_other_columns_differ_from_copy_to_copy() -> None:
    made = pets.dummy(SCHEMA, rows=400, seed=0, query=COHORTS["different ones"].agg(n=pets.count()))
    stays: Any = made["stays"]
    assert len(np.unique(stays["cost"].dropna())) > 80


def test_without_a_condition_rows_are_as_ever() -> None:
    query = pets.people(of="patients", n=STAYS.count(max=3)).agg(n=pets.count())
    plain, asked = pets.dummy(SCHEMA, rows=50), pets.dummy(SCHEMA, rows=50, query=query)
    assert all(plain.tables[name].equals(asked.tables[name]) for name in plain)


def test_what_nobody_can_meet_is_said() -> None:
    never = pets.people(one=STAYS.exists(), n=STAYS.count(max=3)).where(
        (col("one") == False) & (col("n") > 1)  # noqa: E712
    )
    with pytest.raises(UserError, match="nobody was invented who meets"):
        pets.dummy(SCHEMA, rows=50, query=never.agg(n=pets.count()))
