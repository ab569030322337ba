"""A sample of the random questions on Spark, all of them in few jobs."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis.strategies import SearchStrategy

from pets import testing
from pets.plan.plan import make_plan
from pets.rows.tabulate import tabulate
from tests import people_strategies, strategies
from tests.sparks import batched

pytest.importorskip("pyspark", reason="the spark extra")


def drawn(cases: SearchStrategy[Any], count: int) -> list[Any]:
    """So many random cases."""
    found: list[Any] = []

    @settings(max_examples=count)
    @given(case=cases)
    def note(case: Any) -> None:
        found.append(case)

    note()
    return found


def test_spark_gives_the_integers_of_duckdb() -> None:
    asked: list[Any] = []
    for case in drawn(strategies.cases(), 40):
        asked.append((make_plan(case.query, case.schema), testing.snapshot(case.schema, case.sources(), case.table)))
    for case in drawn(people_strategies.cases(), 16):
        linked = testing.linked(case.schema, case.sources(), list(case.schema.tables))
        asked.append((make_plan(case.query, case.schema), linked))
    wanted = [tabulate(plan, rows).reveal().tolist() for plan, rows in asked]
    found = batched([partial(tabulate, plan, rows, "spark") for plan, rows in asked])
    wrong = [
        plan.query for (plan, _), one, two in zip(asked, wanted, found, strict=True) if two.reveal().tolist() != one
    ]
    assert not wrong, f"{len(wrong)} of {len(asked)} differ, such as {wrong[0]}"
    assert sum(map(any, wanted)) > 15
