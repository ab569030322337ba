"""One canonical form and one digest for everything that crosses a boundary; and no input that breaks its reader."""

from __future__ import annotations

import copy
import json
import pickle
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pets.common.codec import canonical, digest
from pets.errors import UserError
from pets.plan.plan import make_plan
from pets.query_model.aggregate import AGGREGATES, aggregate_from_json
from pets.query_model.expression import filter_from_json
from pets.query_model.group_keys import KeySet, key_from_json
from pets.query_model.query import Query
from pets.schema.schema import Schema
from tests import strategies

Draw = Any


def wire(form: Any) -> Any:
    """What arrives at the other side."""
    return json.loads(canonical(form))


@st.composite
def asked(draw: Draw) -> tuple[Schema, Query]:
    schema = draw(strategies.schemas())
    return schema, draw(strategies.queries(schema))


@settings(max_examples=200)
@given(found=asked())
def test_a_query_survives_the_wire(found: tuple[Schema, Query]) -> None:
    schema, query = found
    back = Query.from_json(wire(query.to_json()))
    assert back.digest == query.digest
    assert back == query
    assert canonical(back.to_json()) == canonical(query.to_json())
    assert make_plan(back, schema).digest == make_plan(query, schema).digest


@settings(max_examples=200)
@given(found=asked())
def test_each_part_of_a_query_survives_the_wire(found: tuple[Schema, Query]) -> None:
    _, query = found
    for _, aggregate in query.aggregates:
        assert aggregate_from_json(wire(aggregate.to_json())) == aggregate
    for key in query.keys:
        assert key_from_json(wire(key.to_json())) == key
    if query.condition is not None:
        assert filter_from_json(wire(query.condition.to_json())) == query.condition
    if query.keyset is not None:
        back = KeySet.from_json(wire(query.keyset.to_json()))
        assert canonical(back.to_json()) == canonical(query.keyset.to_json())
        assert back == query.keyset


@settings(max_examples=200)
@given(schema=strategies.schemas())
def test_a_schema_survives_the_wire(schema: Schema) -> None:
    back = Schema.load(wire(schema.to_json()))
    assert back.digest == schema.digest
    assert back == schema
    assert pickle.loads(pickle.dumps(schema)) == copy.deepcopy(schema) == schema


@settings(max_examples=100)
@given(schema=strategies.schemas())
def test_a_schema_in_yaml_is_the_same_schema(schema: Schema) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (
            ("schema.yaml", yaml.safe_dump(schema.to_json(), allow_unicode=True)),
            ("flow.yaml", yaml.safe_dump(schema.to_json(), default_flow_style=True)),
            ("schema.json", canonical(schema.to_json()).decode()),
        ):
            path = Path(folder) / name
            path.write_text(text, "utf-8")
            assert Schema.load(path).digest == schema.digest


@settings(max_examples=100)
@given(found=asked())
def test_a_plan_and_its_digest_depend_on_nothing_but_query_and_schema(found: tuple[Schema, Query]) -> None:
    schema, query = found
    plan = make_plan(query, schema)
    again = make_plan(Query.from_json(wire(query.to_json())), Schema.load(wire(schema.to_json())))
    assert canonical(plan.to_json()) == canonical(again.to_json())
    assert digest(plan.to_json()) == plan.digest == again.digest


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 2**70), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=8,
)


@given(value=JSON.filter(lambda value: "nan" not in repr(value) and "inf" not in repr(value)))
def test_the_canonical_form_is_stable(value: Any) -> None:
    assert canonical(wire(value)) == canonical(value)
    if isinstance(value, dict):
        assert canonical(dict(reversed(value.items()))) == canonical(value)


# ── hostile inputs ────────────────────────────────────────────────────────────────────────────────────────────────────

WORDS = sorted(
    {"table", "agg", "where", "by", "keyset", "rows", "groups", "columns", "filter", "terms", "term", "column", "op"}
    | {"value", "values", "low", "high", "key", "edges", "part", "unit", "label", "q", "bins", "clip", "step", "date"}
    | {"number", "compare", "isin", "between", "is_null", "and", "or", "not", "==", "<", "tables", "dataset", "type"}
    | {"min", "max", "nullable", "null", "lookup", "map", "file", "person_table", "people", "max_rows", "trim", "row"}
    | {"category", "integer", "real", "date", "boolean", "identifier", "year", "month", "period", "t", "x", "g", "1/0"}
    | {"1e999", "nan", "2020-01-01", "0001-01-01", "-1", "", *AGGREGATES}
)
SCALARS = st.one_of(
    st.sampled_from(WORDS),
    st.sampled_from([0, 1, -1, 2**63, 10**400, True, False, None, 0.5, float("nan"), float("inf"), 1e308]),
)
NASTY = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(WORDS), inner, min_size=1, max_size=5)
    ),
    max_leaves=20,
)


def _paths(form: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    out = [at]
    entries = form.items() if isinstance(form, dict) else enumerate(form) if isinstance(form, list) else ()
    for key, inner in entries:
        out += _paths(inner, (*at, key))
    return out


def _changed(form: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    out = copy.copy(form)
    out[path[0]] = _changed(form[path[0]], path[1:], value)
    return out


@st.composite
def broken_queries(draw: Draw) -> tuple[Schema, Any]:
    """A good query's form with one or two parts replaced by something else."""
    schema, query = draw(asked())
    form = wire(query.to_json())
    for _ in range(draw(st.integers(1, 2))):
        form = _changed(form, draw(st.sampled_from(_paths(form))), draw(NASTY))
    return schema, form


@st.composite
def broken_schemas(draw: Draw) -> Any:
    form = wire(draw(strategies.schemas()).to_json())
    for _ in range(draw(st.integers(1, 2))):
        form = _changed(form, draw(st.sampled_from(_paths(form))), draw(NASTY))
    return form


def only_user_errors(form: Any, schema: Schema | None = None) -> None:
    """Reading, planning and describing again raise nothing but errors that say what to mend."""
    try:
        query = Query.from_json(form)
        assert isinstance(query.digest, str)
        if schema is not None:
            assert isinstance(make_plan(query, schema).digest, str)
    except UserError as error:
        assert str(error)


def only_schema_errors(form: Any) -> None:
    try:
        schema = Schema.load(form)
        assert Schema.load(wire(schema.to_json())).digest == schema.digest
    except UserError as error:
        assert str(error)


@settings(max_examples=300)
@given(found=broken_queries())
def test_a_broken_query_is_a_user_error(found: tuple[Schema, Any]) -> None:
    only_user_errors(found[1], found[0])


@settings(max_examples=300)
@given(form=NASTY)
def test_junk_is_no_query(form: Any) -> None:
    only_user_errors(form)


@settings(max_examples=300)
@given(form=broken_schemas())
def test_a_broken_schema_is_a_user_error(form: Any) -> None:
    if isinstance(form, dict):
        only_schema_errors(form)


@settings(max_examples=300)
@given(form=st.dictionaries(st.sampled_from(WORDS), NASTY, max_size=4))
def test_junk_is_no_schema(form: Any) -> None:
    only_schema_errors(form)


@settings(max_examples=200)
@given(text=st.one_of(st.text(max_size=60), broken_schemas().map(lambda form: yaml.safe_dump(form))))
def test_a_broken_schema_file_is_a_user_error(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "schema.yaml"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            Schema.load(path)
        except UserError as error:
            assert str(error)


def _deep(depth: int) -> Any:
    form: Any = {"filter": "is_null", "column": "x"}
    for _ in range(depth):
        form = {"filter": "not", "term": form}
    return form


@pytest.mark.parametrize("depth", [50, 500, 5_000, 100_000])
def test_a_condition_nested_too_deeply_is_a_user_error(depth: int) -> None:
    schema = Schema.load({"tables": {"t": {"unit": "row", "columns": {"x": {"type": "integer", "min": 0, "max": 9}}}}})
    form = {"table": "t", "agg": [["n", {"agg": "count"}]], "where": _deep(depth)}
    only_user_errors(form, schema)


@pytest.mark.soak
@pytest.mark.timeout(0)
@settings(max_examples=20_000)
@given(found=broken_queries(), form=broken_schemas())
def test_broken_forms_are_user_errors_soak(found: tuple[Schema, Any], form: Any) -> None:
    only_user_errors(found[1], found[0])
    if isinstance(form, dict):
        only_schema_errors(form)
