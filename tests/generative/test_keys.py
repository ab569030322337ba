"""One person moves the counts of keys by at most L0 = groups and L∞ = 1, on every engine; and some reach that."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from pets.plan.key_plan import KeyPlan, make_key_plan
from pets.rows.snapshot import Snapshot
from pets.rows.tabulate import LOCAL as ENGINES
from pets.rows.tabulate import key_counts
from pets.schema.schema import Boolean, Category, Date, Identifier, Integer, Schema, Table, Text, Unit
from tests import oracle, strategies
from tests.generative import neighbours

KEYED = (Text, Text, Category, Boolean, Integer, Date)


@st.composite
def cases(draw: Any) -> tuple[Schema, dict[str, Any], KeyPlan, str]:
    """A schema, rows, keys and one person."""
    schema = draw(strategies.schemas(by_row=False))
    fields = {name: domain for name, domain in schema.fields("t").items() if not isinstance(domain, Identifier)}
    able = sorted(name for name, domain in fields.items() if isinstance(domain, KEYED))
    assume(able)
    by = draw(st.lists(st.sampled_from(able), min_size=1, max_size=3, unique=True))
    where = draw(strategies.filters(fields)) if draw(st.integers(0, 3)) == 0 else None
    plan = make_key_plan("t", by, schema, where=where, groups=draw(st.integers(1, 5)))
    data = draw(strategies.datasets(schema))
    people = neighbours.people_of(schema, data, "t")
    assume(people)
    return schema, data, plan, draw(st.sampled_from(people))


def counted(plan: KeyPlan, snapshot: Snapshot, engine: str) -> dict[tuple[Any, ...], int]:
    columns, people = key_counts(plan, snapshot, engine)
    keys = [tuple(plan.value(i, column[row]) for i, column in enumerate(columns)) for row in range(len(people))]
    found = dict(zip(keys, people.tolist(), strict=True))
    assert len(found) == len(keys), "a key came back twice"
    assert all(count >= 1 for count in found.values()), "a key that nobody has"
    return found


def meant(schema: Schema, plan: KeyPlan, data: dict[str, Any], snapshot: Snapshot) -> dict[tuple[Any, ...], int]:
    """The same, from the kept rows in plain Python."""
    first: dict[int, list[tuple[Any, ...]]] = {}
    for row in sorted(oracle.kept(schema, "t", data, snapshot), key=lambda row: row.rank):
        if plan.condition is not None and not oracle.holds(plan.condition, row.values):
            continue
        key = tuple(_plain(row.values[name]) for name in plan.by)
        mine = first.setdefault(row.person, [])
        if key not in mine and len(mine) < plan.groups:
            mine.append(key)
    out: dict[tuple[Any, ...], int] = {}
    for mine in first.values():
        for key in mine:
            out[key] = out.get(key, 0) + 1
    return out


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value


@settings(max_examples=60)
@given(found=cases())
def test_one_person_moves_the_counts_of_keys_by_the_stated_norms(found: Any) -> None:
    schema, data, plan, person = found
    before = neighbours.snapshot_of(schema, data)
    fewer = neighbours.shuffled(neighbours.without(schema, data, "t", person), 3)
    after = neighbours.snapshot_of(schema, fewer)
    for engine in ENGINES:
        one, other = counted(plan, before, engine), counted(plan, after, engine)
        assert one == meant(schema, plan, data, before), engine
        moved = [abs(one.get(key, 0) - other.get(key, 0)) for key in {*one, *other}]
        assert sum(moved) <= plan.groups and max(moved, default=0) <= 1, (engine, one, other)
        event("reached" if sum(moved) == plan.groups else "less")


@pytest.mark.parametrize("groups", [1, 2, 3, 5])
@pytest.mark.parametrize("engine", ENGINES)
def test_somebody_of_many_keys_moves_exactly_so_many(groups: int, engine: str) -> None:
    schema = Schema({"t": Table(Unit("id", 5), {"id": Identifier(), "code": Text(3)})})
    rows = [{"id": "many", "code": code} for code in ("a", "b", "c", "d", "e", "a")]
    rows += [{"id": str(i), "code": code} for i, code in enumerate("aabbcx")]
    plan = make_key_plan("t", ["code"], schema, groups=groups)
    before = neighbours.snapshot_of(schema, {"t": rows})
    after = neighbours.snapshot_of(schema, {"t": [row for row in rows if row["id"] != "many"]})
    one, other = counted(plan, before, engine), counted(plan, after, engine)
    moved = {key: one.get(key, 0) - other.get(key, 0) for key in {*one, *other}}
    assert sorted(moved.values()) == [0] * (len(moved) - sum(moved.values())) + [1] * sum(moved.values())
    assert groups - 1 <= sum(moved.values()) <= groups  # of five kept rows two may hold the same key
