"""The checker's planner and the real one, which share no code, lay out the same plan."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pets
from pets.common.codec import canonical
from pets.plan.plan import make_plan
from pets.verify.plan import MANY, Plan, Refused, number, read, written
from tests import strategies
from tests.vectors.test_digests import _schema, forms


def plain(value: Any) -> Any:
    """As it is read from a file."""
    return json.loads(canonical(value.to_json()))


def agree(query: pets.Query, schema: pets.Schema) -> None:
    there, here = make_plan(query, schema), Plan(plain(query), plain(schema))
    form = there.to_json()
    assert {name: here.form[name] for name in form} == form  # (easier to read than the bytes, where it fails)
    assert canonical(here.form) == canonical(form)
    assert here.widths == [measure.width for measure in there.measures] and here.groups == there.groups


@pytest.mark.parametrize("name", [name for name in forms() if name.startswith("query ")])
def test_of_every_golden_question(name: str) -> None:
    agree(pets.Query.from_json(forms()[name]), _schema())


@st.composite
def cases(draw: Any) -> tuple[pets.Query, pets.Schema]:
    schema = draw(strategies.schemas())
    return draw(strategies.queries(schema)), schema


@settings(max_examples=120)
@given(cases())
def test_of_random_questions(case: tuple[pets.Query, pets.Schema]) -> None:
    agree(*case)


@pytest.mark.soak
@settings(max_examples=10_000)
@given(cases())
def test_of_ten_thousand_random_questions(case: tuple[pets.Query, pets.Schema]) -> None:
    agree(*case)


days, cost = pets.col("days"), pets.col("cost")
STAYS = pets.query("stays")
EDGES = {
    "people over more groups than rows count": STAYS.bound(rows=2).group_by("days").agg(n=pets.count_units()),
    "people in fewer groups than their cap": STAYS.bound(groups=3).group_by("emergency").agg(n=pets.count_units()),
    "people in as many groups as their cap": STAYS.bound(groups=2).group_by("days", "age").agg(n=pets.count_units()),
    "a cap of bins": STAYS.bound(groups=2).group_by("days").agg(h=pets.histogram("age"), q=pets.quantile("cost")),
    "a clip off the grid": STAYS.agg(s=pets.sum("cost", clip=("0.005", "7.123")), m=pets.mean("days", clip=(2, 5))),
    "a clip of an even and of an odd number": STAYS.agg(
        a=pets.mean("days", clip=(2, 6)), b=pets.mean("days", clip=(2, 7)), c=pets.variance("days", clip=(2, 7))
    ),
    "a range that is empty": STAYS.where(days.between(9, 3) | ~(cost > 3)).agg(n=pets.count()),
    "bins of days": STAYS.group_by(pets.col("admitted").bins(["1999-01-01", "2020-02-29", "2021-03-01"])).agg(
        n=pets.count()
    ),
    "edges outside": STAYS.group_by(days.bins([-5, 0, 3, 3.5, 99])).agg(n=pets.count(~days.is_null())),
}


@pytest.mark.parametrize("name", EDGES)
def test_of_a_question_at_an_edge(name: str) -> None:
    agree(EDGES[name], _schema())


def test_counts_of_a_columns_values_are_apart_from_equal_counts_of_a_condition() -> None:
    """They are the same rows, and two measures: the charge is for both."""
    query = STAYS.agg(n=pets.count(days.between(1, 14)), m=pets.mean("days"), k=pets.sum("days"))
    agree(query, _schema())
    assert len(Plan(plain(query), plain(_schema())).measures) == 3


# what would be too large is refused before it is laid out -------------------------------------------------------------


def asked(column: dict[str, Any], query: dict[str, Any], **unit: Any) -> None:
    columns = {"id": {"type": "identifier"}, "x": column}
    table = {"unit": {"column": "id", "max_rows": 2, "rows": 2} | unit, "columns": columns}
    Plan({"table": "t", "agg": [["n", {"agg": "count"}]]} | query, {"dataset": "d", "tables": {"t": table}})


WIDE = {"type": "integer", "min": 0, "max": 2**62 - 1}
TENS = [{"key": "bins", "column": "x", "edges": list(range(0, 300, 10))}]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"by": [{"key": "column", "column": "x"}]}, "too many values"),
        ({"agg": [["h", {"agg": "histogram", "column": "x"}]]}, "too many bins"),
        ({"agg": [["q", {"agg": "quantile", "column": "x", "q": "0.5", "bins": MANY + 1}]]}, "its bins are no"),
        ({"agg": [["q", {"agg": "quantile", "column": "x", "q": "0.5", "bins": 10**5}]], "by": TENS}, "too many bins"),
        ({"agg": [["s", {"agg": "sum", "column": "x"}]]}, "could pass"),
        ({"agg": [["s", {"agg": "sum", "column": "x", "clip": [3, 3]}]]}, "of one value"),
        ({"rows": 3}, "more rows of a person"),
        ({"where": {"filter": "compare", "column": "x", "op": "==", "value": {"number": "1e999999"}}}, "no number"),
        ({"where": {"filter": "compare", "column": "x", "op": "==", "value": {"number": "9" * 161}}}, "no number"),
    ],
)
def test_a_plan_that_is_too_large(query: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused, match=said):
        asked(WIDE, query)


def test_two_keys_of_too_many_groups_together() -> None:
    keys = [{"key": "bins", "column": "x", "edges": list(range(2001)), "label": name} for name in ("a", "b")]
    with pytest.raises(Refused, match="too many groups"):
        asked(WIDE, {"by": keys})


@pytest.mark.parametrize(
    "text", ["1e5", "1.", ".5", "+1", " 1", "1_0", "١", "nan", "1/-2", "9" * 200, "0." + "1" * 701]
)
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(Refused):
        number(text)


@pytest.mark.parametrize("data", [b"1.5", b"1e5", b"NaN", b"[1, 2]", b'{"b":1,"a":2}', b'{"a":1,"a":1}', b"9" * 161])
def test_what_is_no_json_of_pets(data: bytes) -> None:
    with pytest.raises((Refused, ValueError)):
        read(data)


@pytest.mark.parametrize("text", [0, 7, -7, "0.5", "-0.05", "123.456", "1/3", "-22/7", "0.000000000001"])
def test_a_number_is_written_as_it_is_read(text: int | str) -> None:
    assert written(number(text)) == text
