"""The verb ``pets.explain``, and its alias on a query."""

from __future__ import annotations

import pytest

import pets
from pets.errors import BudgetError, QueryError, SchemaError, UserError
from tests.unit.session.test_session import SCHEMA

QUERY = pets.query("stays").group_by("age").agg(n=pets.count(), d=pets.mean("days"))


def test_the_verb_and_its_alias_say_the_same() -> None:
    said = str(pets.explain(QUERY, SCHEMA, pets.DP(epsilon=2)))
    assert said == str(QUERY.explain(SCHEMA, pets.DP(epsilon=2)))
    assert "ε = 2" in said and "At most K = 2 rows of a person count" in said
    assert "ε = 1, δ = 1e-06" in str(pets.explain(QUERY, SCHEMA))


def test_it_says_which_rows_of_a_person_count() -> None:
    table = SCHEMA.table("stays")
    came = dict(table.columns) | {"came": pets.Integer(1, 9, nullable=False)}
    unit = pets.Unit(table.unit.column, table.unit.max_rows, table.unit.rows, arrival="came")
    said = str(pets.explain(QUERY, pets.Schema({"stays": pets.Table(unit, came)})))
    assert "(the first 2 rows to arrive, by 'came', before any filter)" in said and "random" not in said


def test_what_it_cannot_explain_is_refused_with_the_remedy() -> None:
    with pytest.raises(QueryError, match=r"built from pets\.query\('table'\)"):
        pets.explain("stays", SCHEMA)  # type: ignore[arg-type]
    with pytest.raises(SchemaError, match=r"pets\.Schema\.load"):
        pets.explain(QUERY, "stays.yaml")  # type: ignore[arg-type]
    with pytest.raises(BudgetError, match=r"under pets\.DP\(epsilon=…\)"):
        pets.explain(QUERY, SCHEMA, pets.Exact())  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"write pets\.explain\(query, schema, pets\.DP\(epsilon=1\)\)"):
        pets.explain(QUERY)  # type: ignore[call-arg]


def test_in_a_notebook_it_looks_like_the_other_objects() -> None:
    shown = pets.explain(QUERY, SCHEMA)._repr_html_()
    assert 'class="pets-facts"' in shown and "<pre" not in shown and "At most K = 2 rows of a person count" in shown
    assert shown.count("margin-left") >= 4  # what belongs to a line stands under it


def test_bins_that_leave_values_out_are_named() -> None:
    asked = pets.query("stays").group_by(pets.col("days").bins([3, 10], "band")).agg(n=pets.count())
    assert "Values of 'days' that are not counted: 0 to 2. They are in no group of 'band'" in str(asked.explain(SCHEMA))
