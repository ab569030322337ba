"""Rules of a schema: what they accept, what they refuse and in which words, and the arithmetic of gaps."""

from __future__ import annotations

import copy
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pets
from pets.errors import SchemaError
from pets.schema.difference_bounds import Gaps
from pets.schema.rules import Derived, OnlyWhen, Order, Unique, rule

DAY = {"type": "date", "min": "2019-04-01", "max": "2024-03-31"}
FORM: dict[str, Any] = {
    "tables": {
        "stays": {
            "unit": {"column": "id", "max_rows": 3},
            "columns": {
                "id": "identifier",
                "born": {"type": "date", "min": "1910-01-01", "max": "2024-03-31"},
                "admitted": DAY,
                "discharged": DAY,
                "died": DAY,
                "age": {"type": "integer", "min": 0, "max": 110},
                "days": {"type": "integer", "min": 0, "max": 100},
                "sure": {"type": "integer", "min": 0, "max": 100, "nullable": False},
                "coarse": {"type": "real", "min": 0, "max": 10, "step": 0.5},
                "ward": {"type": "real", "min": 0, "max": 1000, "step": 0.01},
                "drugs": {"type": "real", "min": 0, "max": 500, "step": 0.01},
                "cost": {"type": "real", "min": 0, "max": 1500, "step": 0.01},
                "dead": "boolean",
                "to": {"type": "category", "values": ["Home", "Died"]},
                "place": {
                    "type": "category",
                    "values": ["in", "out"],
                    "lookup": {"column": "to", "map": {"Home": "out"}},
                },
            },
        }
    }
}
GOOD: list[dict[str, Any]] = [
    {"order": ["born", "admitted", "discharged"]},
    {"column": "age", "years": ["born", "admitted"]},
    {"column": "days", "days": ["admitted", "discharged"]},
    {"column": "cost", "sum": ["ward", "drugs"]},
    {"column": "died", "when": {"to": ["Died"]}},
    {"unique": "id"},
]


def schema(*rules: Any, **columns: Any) -> pets.Schema:
    form = copy.deepcopy(FORM)
    form["tables"]["stays"]["rules"] = list(rules)
    form["tables"]["stays"]["columns"] |= columns
    return pets.Schema.load(form)


def test_rules_are_kept_and_have_one_form() -> None:
    made = schema(*GOOD)
    assert [type(one) for one in made.table("stays").rules] == [Order, Derived, Derived, Derived, OnlyWhen, Unique]
    again = pets.Schema.from_json(json.loads(json.dumps(made.to_json())))
    assert again == made and again.digest == made.digest
    assert made.to_json()["tables"]["stays"]["rules"] == GOOD
    table = made.table("stays")
    python = pets.Table(table.unit, table.columns, rules=table.rules)
    assert pets.Schema({"stays": python}).digest == made.digest


def test_a_schema_without_rules_says_nothing_of_them() -> None:
    assert "rules" not in pets.Schema.load(FORM).to_json()["tables"]["stays"]
    assert schema().digest == pets.Schema.load(FORM).digest != schema({"unique": "id"}).digest


def test_a_file_and_python_write_the_same_rule(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        "tables:\n  t:\n    unit: row\n    columns:\n      dead: boolean\n"
        "      died: {type: date, min: 2020-01-01, max: 2021-01-01}\n"
        "    rules:\n      - {column: died, when: {dead: true}}\n"
    )
    made = pets.Schema.load(path)
    columns = {"dead": pets.Boolean(), "died": pets.Date("2020-01-01", "2021-01-01")}
    python = pets.Schema({"t": pets.Table("row", columns, rules=[OnlyWhen("died", "dead", [True])])})  # type: ignore[arg-type]
    assert made.digest == python.digest
    path.write_text(path.read_text().replace("when: {dead", "when: {ded"))
    with pytest.raises(SchemaError, match=r"s\.yaml, line 7: .*'ded', which is not a column; did you mean 'died'"):
        pets.Schema.load(path)


WRONG = [
    ({"order": ["born", "admited"]}, "did you mean 'admitted'"),
    ({"order": ["born", "days"]}, "same step"),
    ({"order": ["days", "coarse"]}, "same step"),
    ({"order": ["born", "to"]}, "no order"),
    ({"order": ["born"]}, "at least 2 columns"),
    ({"order": ["born", "born"]}, "twice"),
    ({"order": ["id", "born"]}, "no order"),
    ({"order": ["died", "born", "admitted"], "column": "x"}, "a rule is"),
    ({"odrer": ["born", "admitted"]}, "did you mean 'order'"),
    ({}, "a rule is"),
    ("order", "a rule is"),
    ({"column": "age", "days": ["born", "days"]}, "needs dates"),
    ({"column": "cost", "days": ["born", "admitted"]}, "whole number"),
    ({"column": "age", "days": ["age", "admitted"]}, "from itself"),
    ({"column": "sure", "days": ["admitted", "discharged"]}, "never empty"),
    ({"column": "ward", "sum": ["cost", "drugs"]}, "widen it"),
    ({"column": "days", "sum": ["coarse", "age"]}, "widen it"),
    ({"column": "sure", "when": {"to": ["Died"]}}, "nullable: false"),
    ({"column": "died", "when": {"to": ["Dead"]}}, "did you mean 'Died'"),
    ({"column": "died", "when": {"age": [1]}}, "plain category or a boolean"),
    ({"column": "died", "when": {"place": ["in"]}}, "plain category"),
    ({"column": "died", "when": {"to": []}}, "its values"),
    ({"column": "died", "when": {}}, "one column and its values"),
    ({"unique": "idd"}, "did you mean 'id'"),
]


@pytest.mark.parametrize(("wrong", "words"), WRONG, ids=lambda value: str(value)[:60])
def test_a_wrong_rule_is_one_plain_sentence(wrong: Any, words: str) -> None:
    with pytest.raises(SchemaError, match=words) as caught:
        schema(wrong)
    assert "\n" not in str(caught.value)


WIDE = {"type": "integer", "min": 0, "max": 300}


def test_rules_must_agree_with_each_other() -> None:
    with pytest.raises(SchemaError, match="derived twice"):
        schema(GOOD[2], {"column": "days", "days": ["born", "admitted"]})
    with pytest.raises(SchemaError, match="itself computed"):
        schema(GOOD[2], {"order": ["days", "age"]})
    with pytest.raises(SchemaError, match="itself computed"):
        schema(
            {"column": "died", "when": {"to": ["Died"]}},
            {"column": "coarse", "sum": ["days", "sure"]},
            GOOD[2],
            coarse=WIDE,
        )


def test_an_empty_window_is_refused_with_its_rules() -> None:
    early = {"type": "date", "min": "2010-01-01", "max": "2018-12-31"}
    with pytest.raises(SchemaError, match=r"no row can meet the rules \(order: \[admitted, discharged\]\).*widen"):
        schema({"order": ["admitted", "discharged"]}, discharged=early)
    far = {"type": "integer", "min": 4000, "max": 5000}
    with pytest.raises(SchemaError, match="no row can meet"):
        schema({"column": "days", "days": ["admitted", "discharged"]}, days=far)
    with pytest.raises(SchemaError, match="no row can meet"):
        schema(GOOD[0], GOOD[1], age={"type": "integer", "min": 115, "max": 120})


def test_rule_takes_a_rule() -> None:
    assert rule(Order(["a", "b"])) == Order(["a", "b"]) == rule({"order": ["a", "b"]})


# gaps ---------------------------------------------------------------------------------------------------------------

LIMITS = st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(-4, 4), st.integers(0, 4))


@given(st.lists(LIMITS, max_size=4), st.lists(st.integers(0, 3), min_size=3, max_size=3))
def test_gaps_are_as_tight_as_trying_every_value(limits: list[tuple[int, int, int, int]], tops: list[int]) -> None:
    limits = [(i, j, low, width) for i, j, low, width in limits if i != j]
    gaps = Gaps([(0, top) for top in tops])
    for i, j, low, width in limits:
        gaps.limit(i, j, low, low + width)
    possible = [
        values
        for values in itertools.product(*(range(top + 1) for top in tops))
        if all(low <= values[j] - values[i] <= low + width for i, j, low, width in limits)
    ]
    assert gaps.close() is bool(possible)
    if possible:
        for i in range(3):
            assert gaps.bounds(i) == (min(v[i] for v in possible), max(v[i] for v in possible))
            for j in range(3):
                apart = [v[j] - v[i] for v in possible]
                assert gaps.apart(i, j) == (min(apart), max(apart))
