"""The same noise on a neighbour, for features of a person: one who leaves takes rows out of every table.

And planted: a person who counts once for each of their rows.
"""

from __future__ import annotations

from typing import Any

import pytest

import pets
from pets import col
from pets.plan.vector import IntVector
from pets.session import job
from pets.testing import replay

pytestmark = pytest.mark.chance(0)  # whatever is drawn, both worlds get the same

IDENTIFIER = pets.Identifier()
SCHEMA = pets.Schema(
    {
        "patients": pets.Table(
            pets.Unit("id", max_rows=1),
            {"id": IDENTIFIER, "sex": pets.Category(["F", "M"]), "born": pets.Integer(1930, 2010)},
        ),
        "stays": pets.Table(
            pets.Unit("id", max_rows=5),
            {
                "id": IDENTIFIER,
                "code": pets.Category(["I21", "J18"]),
                "admitted": pets.Date("2021-01-01", "2023-12-31"),
                "days": pets.Integer(0, 30),
            },
            person_table="patients",
        ),
        "scripts": pets.Table(
            pets.Unit("id", max_rows=4),
            {
                "id": IDENTIFIER,
                "drug": pets.Category(["a", "b"], nullable=False),
                "dispensed": pets.Date("2021-01-01", "2023-12-31"),
            },
            person_table="patients",
        ),
    }
)
STAYS, SCRIPTS = pets.events("stays"), pets.events("scripts")
FIRST = STAYS.where(col("code") == "I21").first("admitted", by="admitted")
AFTER = SCRIPTS.where(col("dispensed") >= FIRST)

QUERIES: dict[str, Any] = {
    "whoever is in a table": pets.people(of="patients", n=STAYS.count(max=3)).group_by("sex").agg(p=pets.count()),
    "a sum of counts": pets.people(of="patients", n=STAYS.count(max=3)).agg(p=pets.count(), s=pets.sum("n")),
    "after a first event": (
        pets.people(first=FIRST, drugs=AFTER.count(max=2))
        .where(col("first").between("2021-01-01", "2023-12-31"))
        .group_by("drugs")
        .agg(p=pets.count())
    ),
    "whether there is one": pets.people(of="stays", any=AFTER.exists()).group_by("any", "sex").agg(p=pets.count()),
}


def released(asked: Any, protection: pets.DP) -> Any:
    return lambda session: session.release(asked, protection)


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
def test_32_cases_hold(engine: str) -> None:
    asks = {name: released(asked, pets.DP(epsilon=1)) for name, asked in QUERIES.items()}
    found = replay(SCHEMA, None, asks, count=4, engines=(engine,), seed=len(engine))
    assert found.holds, found
    assert found.cases == 16 and 0.999 < found.worst <= 1


def test_a_person_who_counts_with_every_row_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if features were joined to rows, and not to people: the count of rows stands in its place."""
    tabulate = job.tabulate

    rows_kept = [0]

    def joined(plan: Any, *given: Any) -> Any:
        values = tabulate(plan, *given).reveal().copy()
        values[0] = rows_kept[0]
        return IntVector(plan.digest, values)

    def ask(session: pets.Session) -> Any:
        rows_kept[0] = session.report("stays").rows_kept
        return session.release(QUERIES["a sum of counts"], pets.DP(epsilon=1))

    monkeypatch.setattr(job, "tabulate", joined)
    found = replay(SCHEMA, None, ask, count=4)
    assert any("times what was charged" in problem for problem in found.problems), found
