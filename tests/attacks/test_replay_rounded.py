"""The same noise on a neighbour, beside a grid: what noise pays for stays as it was; a rounded table is no noise."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import pets
from pets.errors import HeldError
from pets.session.disclosure import solving
from pets.testing import replay
from tests.checked_tables import searched_here

pytestmark = pytest.mark.chance(0)  # whatever is drawn, both worlds get the same

SCHEMA = pets.Schema(
    {
        "t": pets.Table(
            pets.Unit("id", 1), {"id": pets.Identifier(), "g": pets.Category(["a", "b", "c"], nullable=False)}
        )
    }
)
ROWS = pd.DataFrame({"id": range(60), "g": ["a"] * 8 + ["b"] * 30 + ["c"] * 22})
GRID = pets.query("t").group_by("g").agg(n=pets.count())
HES, POLICY = pets.SDC("hes"), pets.Policy(sdc=("hes",))


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
def test_noise_beside_a_grid_holds(engine: str) -> None:
    def ask(session: pets.Session) -> Any:
        session.name_grid(GRID, HES)
        session.release(pets.query("t").agg(n=pets.count()), HES)
        return session.release(GRID, pets.DP(epsilon=1)), session.quote(GRID, pets.DP(epsilon=2))

    report = replay(SCHEMA, ROWS, ask, count=3, engines=[engine], policy=POLICY, person=1)
    assert report.holds, report
    assert report.draws >= 2 and 0.999 < report.worst <= 1


def test_noise_beside_tables_outside_the_grid_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that waits, is looked at, leaves or is refused moves no noise, no price and no refusal of noise."""
    monkeypatch.setattr(solving, "_replies", searched_here)
    policy = pets.Policy(sdc=("hes",), sdc_review="always", sdc_filters="any")
    everybody, two = pets.query("t").agg(n=pets.count()), pets.col("g").isin(["a", "b"])

    def ask(session: pets.Session) -> Any:
        custodian = pets.Custodian.of(session.custody)
        at = custodian.ledger.time()
        monkeypatch.setattr(custodian.ledger, "_clock", lambda: at)  # lines of one second stand in one order
        session.name_grid(everybody.group_by("h"), HES)
        requests = []
        for query in (everybody.group_by("g"), everybody.where(two), everybody.where(~two)):
            with pytest.raises(HeldError) as held:
                session.release(query, HES)
            requests.append(str(held.value).partition("(request ")[2].rstrip(")"))
        for request in requests[:2]:
            found = custodian.look(request)
            custodian.approve(request, by="jo", finding=found.digest, anyway="a test wants it")
        custodian.refuse(requests[2], by="jo", reason="unclear")
        return session.release(GRID, pets.DP(epsilon=1)), session.quote(GRID, pets.DP(epsilon=2))

    rows = ROWS.assign(h=["x", "y"] * 30)
    columns = dict(SCHEMA.table("t").columns) | {"h": pets.Category(["x", "y"], nullable=False)}
    schema = pets.Schema({"t": pets.Table(pets.Unit("id", 1), columns)})
    report = replay(schema, rows, ask, count=2, engines=["duckdb"], policy=policy, person=1)
    assert report.holds, report
    assert report.draws >= 2 and 0.999 < report.worst <= 1


def test_a_rounded_table_tells_of_one_person_and_the_judge_finds_it_out() -> None:
    """Where 8 people become 7, a 10 becomes hidden: the rule has no chance in it."""
    report = replay(
        SCHEMA, ROWS, lambda session: session.name_grid(GRID, HES).shown.tolist(), count=1, policy=POLICY, person=1
    )
    assert not report.holds and report.draws == 0
