"""Which codes a column of people can have: nobody has another one, and each of these somebody can have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets import col
from pets.plan.plan import Plan, make_plan
from pets.rows.tabulate import tabulate
from pets.sdc.atoms import atoms_of
from pets.sdc.counted import beyond
from pets.sdc.possible import possible

CODES = pets.Category(["x", "y", "z"], nullable=False)
SCHEMA = pets.Schema(
    {
        "p": pets.Table(
            pets.Unit("id", max_rows=1), {"id": pets.Identifier(), "sex": CODES, "age": pets.Integer(0, 9)}
        ),
        "stays": pets.Table(
            pets.Unit("id", max_rows=3),
            {
                "id": pets.Identifier(),
                "code": CODES,
                "days": pets.Integer(1, 4),
                "came": pets.Date("2024-01-01", "2024-01-05"),
            },
            person_table="p",
        ),
    },
    dataset="possible",
)
N = pets.count()
S = pets.events("stays")
X = S.where(col("code") == "x")
NONE = S.where(col("days") > 9)


def plan(of: str, feature: Any) -> Plan:
    return make_plan(pets.people(of=of, f=feature).group_by("f").agg(n=N), SCHEMA)


def codes(of: str, feature: Any) -> set[int] | None:
    found = possible(plan(of, feature), "f")
    return None if found is None else {code for low, high in found for code in range(low, high + 1)}


CASES: list[tuple[str, Any, set[int] | None]] = [
    ("p", S.exists(), {0, 1}),
    ("stays", S.exists(), {1}),
    ("p", X.exists(), {0, 1}),
    ("stays", X.exists(), None),
    ("p", S.count(max=7), {0, 1, 2, 3}),
    ("p", S.count(max=2), {0, 1, 2}),
    ("stays", S.count(max=7), {1, 2, 3}),
    ("stays", S.count(max=2), {1, 2}),
    ("p", S.bound(rows=2).count(max=7), {0, 1, 2}),
    ("p", NONE.exists(), {0}),
    ("p", NONE.count(max=5), {0}),
    ("p", S.min("days"), {0, 1, 2, 3, 4}),
    ("p", S.where(col("days") > 2).min("days"), {2, 3, 4}),
    ("p", NONE.max("days"), {4}),
    ("p", S.first("code", by="came"), {0, 1, 2, 3}),
    ("p", X.first("code", by="came"), {0, 3}),
    ("p", S.first("code", by="came", nth=3), {0, 1, 2, 3}),
    ("p", S.last("days", by="days", nth=2), {0, 1, 2, 3, 4}),
    ("p", S.first("code", by="came", nth=4), {3}),
    ("p", S.bound(rows=2).last("code", by="came", nth=3), {3}),
    ("p", S.count_distinct("code", max=9), {0, 1, 2, 3}),
    ("p", X.count_distinct("code", max=9), {0, 1}),
    ("p", S.days_with("came", max=9), {0, 1, 2, 3}),
    ("p", S.sum("days", clip=(0, 20)), None),
    ("stays", S.min("days"), None),
    ("p", S.min("days").fill(1), {0, 1, 2, 3}),
]


@pytest.mark.parametrize(("of", "feature", "known"), CASES)
def test_the_codes_that_can_be_had(of: str, feature: Any, known: set[int] | None) -> None:
    assert codes(of, feature) == known
    said = beyond(plan(of, feature))
    assert (said is None) == (known is not None) and (said is None or "which values its column 'f' can have" in said)


def rows(seed: int, people: int = 400) -> dict[str, pd.DataFrame]:
    draw = np.random.default_rng(seed)
    owners = pd.DataFrame(
        {
            "id": [f"a{i}" for i in range(people)],
            "sex": draw.choice(["x", "y", "z"], people),
            "age": draw.integers(0, 10, people),
        }
    )
    ids = np.repeat(owners["id"].to_numpy(), draw.integers(0, 6, people))
    days = pd.to_datetime("2024-01-01") + pd.to_timedelta(draw.integers(0, 5, len(ids)), unit="D")
    stays = {"id": ids, "code": draw.choice(["x", "y", "z"], len(ids)), "days": draw.integers(1, 5, len(ids))}
    return {"p": owners, "stays": pd.DataFrame(stays | {"came": days.date})}


def test_somebody_has_each_of_them_and_nobody_another() -> None:
    """By the engine that counts rows, over people with all kinds of stays."""
    custodian = pets.Custodian(SCHEMA, rows(1), budget=pets.Budget(epsilon=9, delta=1e-6), progress=False)
    for of, feature, known in CASES:
        one = plan(of, feature)
        counted = tabulate(one, custodian.custody.rows_of(one)).reveal()
        had = set(np.flatnonzero(counted[one.blocks[0]]).tolist())
        if known is not None:
            assert had == known, (of, feature)


def test_atoms_hold_nobody_where_nobody_can_be() -> None:
    by_number = plan("stays", S.count(max=7))
    atoms = atoms_of([by_number], 100)
    assert atoms.count == 3 and [len(cell) for cell in atoms.slots[0].members()] == [0, 1, 1, 1, 0, 0, 0, 0]
    everybody = make_plan(pets.people(of="stays", f=S.count(max=7)).agg(n=N), SCHEMA)
    beside = atoms_of([everybody, by_number], 100)
    assert beside.count == 3 and sorted(beside.slots[0].members()[0].tolist()) == [0, 1, 2]
