"""The same noise on a neighbour, beside a grid: what noise pays for stays as it was; a rounded table is no noise."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import pets
from pets.testing import replay

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
    assert report.draws >= 3 and 0.999 < report.worst <= 1


def test_a_rounded_table_tells_of_one_person_and_the_judge_finds_it_out() -> None:
    """Where 8 people become 7, a 10 becomes hidden: the rule has no chance in it."""
    report = replay(
        SCHEMA, ROWS, lambda session: session.name_grid(GRID, HES).shown.tolist(), count=1, policy=POLICY, person=1
    )
    assert not report.holds and report.draws == 0
