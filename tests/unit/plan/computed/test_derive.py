"""Derived columns: their public domains, and that nothing that is computed leaves them."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pets
from pets import col, testing
from pets.plan.computed.derived_codes import derived_code
from pets.plan.plan import Plan, make_plan
from pets.query_model.query import Query
from pets.schema.domain import Domain
from pets.synthetic.dummy_data.derived_targets import derived_codes
from pets.verify.columns import canonical, sha256
from pets.verify.plan import Plan as Checked
from tests import strategies
from tests.derived import with_derived

COLUMNS: dict[str, Domain] = {
    "id": pets.Identifier(),
    "born": pets.Date("1900-01-01", "2020-12-31"),
    "came": pets.Date("2020-01-01", "2020-12-31", nullable=False),
    "seen": pets.DateTime("2020-01-01 00:00", "2020-12-31 23:00", "hour", nullable=False),
    "age": pets.Integer(0, 120, nullable=False),
    "cost": pets.Real(0, 10, "0.25"),
    "code": pets.Category(["I210", "I214", "J18"], nullable=False),
}
SCHEMA = pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=3), COLUMNS, people=100)})


def planned(**columns: Any) -> Plan:
    return make_plan(pets.query("t").with_columns(**columns).agg(n=pets.count()), SCHEMA)


@pytest.mark.parametrize(
    ("node", "domain"),
    [
        (col("age") + 1, pets.Integer(1, 121, nullable=False)),
        (3 - 2 * col("age"), pets.Integer(-237, 3, nullable=False)),
        (col("age") * 0.1 + col("cost"), pets.Real(0, 22, "0.05")),
        (col("came") - col("born"), pets.Integer(-365, 44194)),
        (col("came") + 31, pets.Date("2020-02-01", "2021-01-31", nullable=False)),
        (24 * (col("seen") - col("came")), pets.Integer(-8760, 8783, nullable=False)),
        (pets.min_of("age", "cost"), pets.Real(0, 10, "0.25")),
        (pets.max_of("age", 18), pets.Integer(18, 120, nullable=False)),
        (pets.min_of("born", "came"), pets.Date("1900-01-01", "2020-12-31")),
        (col("born").age_at("2020-02-29"), pets.Integer(-1, 120)),
        (col("born").age_at(col("seen")), pets.Integer(-1, 120)),
        (col("age") // 25, pets.Integer(0, 4, nullable=False)),
        (col("cost") // 2.5, pets.Integer(0, 4)),
        (col("code").prefix(3), pets.Category(["I21", "J18"], nullable=False)),
        (col("code").map({"J18": "lung"}), pets.Category(["lung"])),
        (col("code").map({"J18": "lung"}, "rest"), pets.Category(["lung", "rest"], nullable=False)),
    ],
    ids=str,
)
def test_bounds_follow_from_the_schema(node: object, domain: Domain) -> None:
    assert planned(x=node).fields["x"] == domain


def test_a_domain_is_that_of_the_tests_own_arithmetic() -> None:
    query = pets.query("t").with_columns(days=col("came") - col("born"), weeks=col("days") // 7)
    assert with_derived(query.derived, SCHEMA.fields("t")) == dict(make_plan(query.agg(n=pets.count()), SCHEMA).fields)


@st.composite
def asked(draw: Any) -> tuple[pets.Schema, Query]:
    schema = draw(strategies.schemas())
    return schema, draw(strategies.with_columns(schema))


@settings(max_examples=60, deadline=None)
@given(found=asked(), seed=st.integers(0, 9))
def test_no_code_leaves_the_domain(found: tuple[pets.Schema, Query], seed: int) -> None:
    """Also at the corners, where bounds are reached."""
    schema, query = found
    plan = make_plan(query.agg(n=pets.count()), schema)
    draw = np.random.default_rng(seed)
    own = {name: domain for name, domain in plan.fields.items() if name not in plan.made}
    tops = {name: domain.codes - 1 for name, domain in own.items() if domain.kind not in ("identifier", "text")}
    codes = {
        name: np.where(
            draw.random(400) < 0.5,
            draw.choice([0, top, max(top - 1, 0)], 400),
            draw.integers(0, top, 400, endpoint=True),
        )
        for name, top in tops.items()
    }
    for name, made in derived_codes(plan, codes).items():
        assert made.min() >= 0 and made.max() < plan.fields[name].codes, name


def test_an_independent_planner_comes_to_the_same() -> None:
    query = (
        pets.query("t")
        .with_columns(days=col("came") - col("born"), band=col("code").prefix(1), late=pets.max_of("came", "born"))
        .where(~col("code").startswith("I21") | (col("days") > 7))
        .group_by("band")
        .agg(n=pets.count(), days=pets.mean("days"))
    )
    form, schema = (json.loads(json.dumps(one.to_json())) for one in (query, SCHEMA))
    assert sha256(canonical(Checked(form, schema).form)) == make_plan(query, SCHEMA).digest


def test_a_question_without_them_is_what_it_was() -> None:
    plain = pets.query("t").agg(n=pets.count())
    assert "with" not in plain.to_json() and "derived" not in make_plan(plain, SCHEMA).to_json()


def test_the_dummy_twin_has_rows_for_what_is_asked() -> None:
    """Of a condition on a computed column as well."""
    query = (
        pets.query("t")
        .with_columns(days=col("came") - col("born"), band=col("code").prefix(3))
        .where((col("days").between(0, 30)) & (col("band") == "J18"))
        .agg(n=pets.count())
    )
    answer = testing.exact(SCHEMA, {"t": pets.dummy(SCHEMA, rows=400, query=query)["t"]}, query)
    assert answer["n"].sum() > 20


def test_a_name_keeps_its_one_meaning() -> None:
    """OpenDP's issue 2949: a column that is defined anew after its bound was set."""
    with pytest.raises(pets.UserError, match="already"):
        planned(age=2 * col("cost"))
    with pytest.raises(pets.UserError, match="already"):
        planned(id=2 * col("cost"))
    with pytest.raises(pets.UserError, match="name of another column"):
        planned(x=col("cost") + 1).query.with_columns(x=col("age") + 1)


def test_arrays_and_calendars_agree() -> None:
    """The shared arithmetic on arrays, against the calendar of Python."""
    days = np.arange(0, 44_196, 37)
    made = planned(x=col("born").age_at("2020-02-29")).made["x"]
    found = derived_code(made, COLUMNS, {"born": days}.__getitem__, np.where, np.asarray)
    at = dt.date(2020, 2, 29)
    born = [dt.date(1900, 1, 1) + dt.timedelta(int(n)) for n in days]
    wanted = [at.year - one.year - ((at.month, at.day) < (one.month, one.day)) for one in born]
    assert [code - 1 for code in found.tolist()] == wanted


@pytest.mark.parametrize("step", ["day", "hour"])
@pytest.mark.parametrize("years", [0, 1, 6, 39, 41])
def test_years_of_a_column_are_told_apart_in_either_way(years: int, step: str) -> None:
    """By comparing where they are few, by dividing where they are many: the ages of the calendar, around each March."""
    first, last, at = dt.date(2019, 2, 27), dt.date(2019 + years, 3, 2), dt.date(2071, 3, 1)
    ends = (f"{first}", f"{last}") if step == "day" else (f"{first} 05:00", f"{last} 22:00", "hour")
    column = pets.Date(*ends) if step == "day" else pets.DateTime(*ends)
    schema = pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=1), {"id": pets.Identifier(), "x": column})})
    question = pets.query("t").with_columns(age=col("x").age_at(str(at))).agg(n=pets.count())
    made = make_plan(question, schema).made["age"]
    marches = [
        (dt.date(year, 3, 1) - first).days + near for year in range(2019, 2020 + years) for near in (-2, -1, 0, 1)
    ]
    codes = np.unique([0, *marches]) if step == "day" else np.arange(column.cells)[:: 1 if years < 7 else 5]
    fields = {"x": column}
    found = derived_code(made, fields, {"x": codes}.__getitem__, np.where, lambda code: np.asarray(code))
    start = dt.datetime(2019, 2, 27, 0 if step == "day" else 5)
    born = [start + dt.timedelta(**{f"{step}s": int(code)}) for code in codes]
    rolled = [(3, 1) if (one.month, one.day) == (2, 29) else (one.month, one.day) for one in born]
    wanted = [at.year - one.year - ((at.month, at.day) < day) for one, day in zip(born, rolled, strict=True)]
    assert (found + made.recipe.least).tolist() == wanted
