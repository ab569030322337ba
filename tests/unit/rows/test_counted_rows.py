"""Compiled statements are kept in a process: each plan, and each condition within it, must get its own."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import pets
from pets import col, testing
from pets.errors import InternalError
from pets.plan.plan import make_plan
from pets.rows.snapshot import Snapshot
from pets.rows.tabulate import codes

ROWS = pd.DataFrame({"id": ["p", "p", "p", "q"], "g": ["a", "a", "a", "b"], "x": [10, 10, 10, 2]})
"""A person's rows are alike, so that it does not matter which of them count."""

ASKED = pets.query("t").group_by("g").agg(n=pets.count(), s=pets.sum("x"), h=pets.histogram("x", [0, 5, 11]))


def schema(rows: int = 1, values: tuple[str, ...] = ("a", "b"), most: int = 10, **more: pets.Category) -> pets.Schema:
    columns = {"id": pets.Identifier(), "g": pets.Category(values, nullable=False), "x": pets.Integer(0, most)}
    return pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=4, rows=rows), columns | more)})


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
def test_schemas_of_one_process_do_not_share_what_was_compiled(engine: str) -> None:
    """One question of schemas that differ in K, in a bound, in the order of values and in the columns beside."""

    def answer(of: pets.Schema, data: pd.DataFrame = ROWS) -> dict[str, tuple[int, int, int]]:
        found = testing.exact(of, {"t": data}, ASKED, engine=engine)
        above = [bins[1] for bins in found["h"]]
        return dict(zip(found["g"], zip(found["n"], found["s"], above, strict=True), strict=True))

    assert answer(schema(rows=3)) == {"a": (3, 30, 3), "b": (1, 2, 0)}
    assert answer(schema(rows=1)) == {"a": (1, 10, 1), "b": (1, 2, 0)}
    assert answer(schema(rows=2)) == {"a": (2, 20, 2), "b": (1, 2, 0)}
    assert answer(schema(rows=2, most=6)) == {"a": (2, 12, 2), "b": (1, 2, 0)}
    assert answer(schema(rows=2, values=("b", "a"))) == {"a": (2, 20, 2), "b": (1, 2, 0)}
    beside = ROWS.assign(a="u")  # a column that comes before the others
    assert answer(schema(rows=2, a=pets.Category(["u", "v"])), beside) == {"a": (2, 20, 2), "b": (1, 2, 0)}
    assert answer(schema(rows=3)) == {"a": (3, 30, 3), "b": (1, 2, 0)}


LOW, HIGH = col("x") < 5, col("x") > 5
CONDITIONED: dict[str, Any] = {
    "count": lambda where: pets.count(where=where),
    "count_units": lambda where: pets.count_units(where=where),
    "sum": lambda where: pets.sum("x", where=where),
    "mean": lambda where: pets.mean("x", where=where),
    "variance": lambda where: pets.variance("x", where=where),
    "histogram": lambda where: pets.histogram("x", [0, 2, 6, 11], where=where),
    "rate": lambda where: pets.rate(where),
}


CASES = {"one row": (1, None), "a wide table": (4, None), "too many rows for one": (12, None), "capped": (4, 1)}


@pytest.mark.parametrize(("max_rows", "groups"), CASES.values(), ids=CASES.keys())
def test_two_conditions_in_one_question_do_not_share_a_statement(max_rows: int, groups: int | None) -> None:
    columns = {"id": pets.Identifier(), "g": pets.Category(["a", "b"], nullable=False), "x": pets.Integer(0, 10)}
    of = pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=max_rows), columns)})
    people = {f"p{i}": (1, 3, 9)[i % 3] for i in range(10)}  # four, three and three
    data = pd.DataFrame([{"id": who, "g": "a", "x": x} for who, x in people.items() for _ in range(max_rows)])

    def ask(**conditions: Any) -> dict[str, Any]:
        found = {f"{name} {c}": make(where) for c, where in conditions.items() for name, make in CONDITIONED.items()}
        asked = pets.query("t").group_by("g").agg(**found)
        return testing.exact(of, {"t": data}, asked if groups is None else asked.bound(groups=groups)).iloc[0].to_dict()

    both = ask(low=LOW, high=HIGH)
    alone = ask(low=LOW) | ask(high=HIGH)
    assert list(both) != [] and both == alone
    assert (both["count low"], both["count high"]) == (7 * max_rows, 3 * max_rows)
    assert (both["count_units low"], both["count_units high"]) == (7, 3)


def test_an_engine_that_nobody_knows_counts_nothing() -> None:
    of = schema()
    data = pd.DataFrame({"id": ["p"], "g": ["a"], "x": [1]})
    made = Snapshot.make(of, "t", {"t": data}, progress=False)
    with pytest.raises(InternalError, match="no rows are counted on the engine 'none'"):
        codes(make_plan(ASKED, of), made, ["g"], engine="none")
