"""Rows leave memory as soon as nobody holds them: nothing waits for a search for garbage, which may be long."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest

import pets
from pets import testing
from pets.federated import Federation, Site, SitePolicy
from pets.plan.plan import make_plan
from pets.rows.tabulate import LOCAL as ENGINES
from pets.rows.tabulate import tabulate

SCHEMA = pets.Schema(
    {
        "t": pets.Table(
            pets.Unit("id", max_rows=4),
            {"id": pets.Identifier(), "g": pets.Category(["a", "b"]), "x": pets.Integer(0, 9)},
        )
    },
    dataset="d",
)
ROWS = pd.DataFrame({"id": [f"p{n % 30}" for n in range(60)], "g": ["a", "b"] * 30, "x": [n % 9 for n in range(60)]})
ASKED = (
    pets.query("t")
    .group_by("g")
    .agg(
        n=pets.count(), who=pets.count_units(), m=pets.mean("x"), v=pets.variance("x"), h=pets.histogram("x", [0, 5, 9])
    )
)
BUDGET = pets.Budget(epsilon=9, delta=1e-6)


@pytest.fixture(autouse=True)
def no_garbage_is_collected() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_snapshot_that_was_counted(engine: str) -> None:
    snapshot = testing.snapshot(SCHEMA, {"t": ROWS}, "t")
    assert tabulate(make_plan(ASKED, SCHEMA), snapshot, engine).reveal().any()
    held = weakref.ref(snapshot)
    del snapshot
    assert held() is None


def released(engine: str) -> weakref.ref[Any]:
    session = pets.Session(SCHEMA, {"t": ROWS}, budget=BUDGET, engine=engine, progress=False)
    session.release(ASKED, pets.DP(epsilon=1))
    return weakref.ref(session.custody.snapshot("t"))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_session_that_answered(engine: str) -> None:
    assert released(engine)() is None


def answered(secure: str) -> list[weakref.ref[Any]]:
    sessions = [pets.Session(SCHEMA, {"t": ROWS}, budget=BUDGET, progress=False) for _ in range(3)]
    sites = [Site(one, policy=SitePolicy.open(SCHEMA), name=f"s{n}") for n, one in enumerate(sessions)]
    Federation(sites, sites_per_person=3, progress=False).release(ASKED, pets.DP(epsilon=1), secure=secure)
    return [weakref.ref(one.custody.snapshot("t")) for one in sessions]


@pytest.mark.parametrize("secure", ["masked", "encrypted", "local"])
def test_sites_that_answered(secure: str) -> None:
    assert [one() for one in answered(secure)] == [None] * 3
