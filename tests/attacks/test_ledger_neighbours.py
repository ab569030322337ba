"""The same 50 questions about neighbouring data: the account, and what an analyst sees beside the noise, is the same.

The neighbours differ in one person, who may be nobody, one row, values that are no numbers, or a category that nobody
else has. Times, random ids, noise and signatures differ anyhow; everything else is compared.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pandas as pd
import pytest

import pets
from pets import col
from pets.errors import PetsError
from tests.ledgers import Place

SCHEMA = pets.Schema(
    {
        "stays": pets.Table(
            pets.Unit("id", max_rows=3),
            {
                "id": pets.Identifier(),
                "ward": pets.Category(["a", "b", "c"]),
                "days": pets.Integer(0, 30),
                "cost": pets.Real(0, 100, step=0.5),
                "day": pets.Date("2024-01-01", "2024-12-31"),
                "urgent": pets.Boolean(),
            },
        )
    },
    dataset="neighbours",
)
BASE = pets.query("stays")


def row(person: str, **values: object) -> dict[str, object]:
    known = {"id": person, "ward": "a", "days": 3, "cost": 10.5, "day": "2024-03-01", "urgent": "yes"}
    return known | values


PEOPLE = [row(f"p{i}", ward="ab"[i % 2], days=i, cost=i / 2) for i in range(12)]
EXTRA: dict[str, list[dict[str, object]]] = {
    "one person more": [row("new")],
    "many rows": [row("new", days=i % 31) for i in range(50)],
    "NaN": [row("new", days="NaN", cost="nan")],
    "infinite": [row("new", days="inf", cost="-inf")],
    "far too large": [row("new", days=10**30, cost="1e300")],
    "nothing but nulls": [row("new", ward=None, days=None, cost=None, day=None, urgent=None)],
    "a new category": [row("new", ward="c")],
    "an unknown category": [row("new", ward="zzz", day="2031-01-01")],
}
NEIGHBOURS: dict[str, tuple[list[dict[str, object]], list[dict[str, object]]]] = {
    name: (PEOPLE, PEOPLE + extra) for name, extra in EXTRA.items()
} | {"empty or one row": ([], [row("only")])}

MEASURES = {
    "n": pets.count(),
    "people": pets.count_units(),
    "total": pets.sum("days"),
    "mean": pets.mean("cost"),
    "spread": pets.variance("days"),
    "share": pets.rate(col("days") > 7),
    "shape": pets.histogram("days", [0, 10, 20, 30]),
    "middle": pets.quantile("cost"),
}
WHERES = {
    "all": None,
    "some": col("days") > 5,
    "nobody": (col("days") > 29) & (col("ward") == "c"),
    "no ward": col("ward").is_null(),
}


@cache
def templates() -> list[tuple[pets.Query, pets.DP | pets.Total | pets.Exact, bool]]:
    """50 of them: measures, groups and filters; costs that fit and that do not; refusals."""
    found: list[tuple[Any, Any, bool]] = []
    for place, (name, measure) in enumerate(MEASURES.items()):
        for turn, where in enumerate(WHERES.values()):
            asked = BASE if where is None else BASE.where(where)
            if (place + turn) % 2:
                asked = asked.group_by("ward")
            found.append((asked.agg(**{name: measure}), pets.DP(epsilon=0.02), False))
    count = BASE.agg(n=pets.count())
    found += [(count, pets.DP(epsilon=0.02), turn % 2 == 1) for turn in range(4)]
    found += [(count, pets.DP(epsilon=0.02, pure=True), False), (count, pets.DP(rho=1e-5), False)]
    found += [(count.bound(rows=1), pets.DP(within=500), False), (count.bound(rows=2), pets.DP(epsilon=0.02), True)]
    found += [(count, pets.DP(epsilon=50), False), (count, pets.DP(epsilon=1e6, pure=True), False)]
    found += [(count, pets.Exact(), False), (count, pets.Total(), False)]
    found += [
        (count.bound(rows=9), pets.DP(epsilon=0.02), False),
        (BASE.agg(n=pets.sum("id")), pets.DP(rho=1e-5), False),
    ]
    found += [(BASE.group_by("day").agg(n=pets.count()), pets.DP(rho=1e-5), False)]
    found += [(BASE.group_by("ward", "urgent").agg(n=pets.count(), d=pets.sum("days")), pets.DP(rho=1e-5), False)]
    found += [(BASE.group_by("ward").agg(n=pets.count()), pets.DP(epsilon=3), True), (count, pets.DP(rho=1), False)]
    return found


def test_there_are_fifty() -> None:
    assert len(templates()) == 50


def seen(place: Place, rows: list[dict[str, object]]) -> list[Any]:
    """Everything but noise, ids and times that an analyst is shown, and the public log's bodies."""
    columns = list(SCHEMA.table("stays").columns)
    data = pd.DataFrame(rows, columns=columns, dtype=object)
    session = pets.Session(
        SCHEMA,
        data,
        budget=pets.Budget(epsilon=3, delta=1e-6),
        ledger=place.open() if place.address else None,
        policy=pets.Policy(),
        progress=False,
    )
    out: list[Any] = [outcome(session, *template) for template in templates()]
    out.append(session.history().drop(columns=["at", "id"]).to_dict("list"))
    out.append(str(session.remaining()))
    with session.ledger.reading() as tx:
        out.append([shape(json.loads(body)) for body, _, _ in tx.entries()])
        out.append([sorted(json.loads(private)) for _, private, _ in tx.entries()])
        out.append(tx.totals())
    session.ledger.close()
    return out


def outcome(session: pets.Session, query: pets.Query, protection: Any, again: bool) -> Any:
    try:
        release = session.release(query, protection, again=again)
    except PetsError as error:
        return type(error).__name__, error.exit_code, str(error)
    assert release.certificate is not None
    told = release.certificate.predicate
    steady = ("dataset", "what", "plan_sha256", "protection", "guarantee", "cost", "assumptions", "notes")
    table = release.table
    keys = [name for name in ("ward", "urgent", "day") if name in table]
    return (
        [*table.columns],
        table.shape,
        table[keys].astype(str).to_dict("list"),
        [str(kind) for kind in table.dtypes],
        release.cost,
        release.notes,
        release.guarantee.split(" the ledger ")[0],
        shape({name: told[name] for name in steady} | {"dataset": {**told["dataset"], "snapshot_id": ""}}),
        told["budget"],
        sorted(told),
        sorted(told["log"]),
    )


def shape(body: dict[str, Any]) -> dict[str, Any]:
    """A log entry but for random ids, hashes, keys and times."""
    random = ("at", "request", "sealed", "origin", "key", "guarantee")
    return {name: "…" if name in random else value for name, value in body.items()}


Look = Callable[[str, list[dict[str, object]]], list[Any]]


@pytest.fixture(scope="module")
def shown(new_place: Callable[[str], Place]) -> Look:
    """What is seen of some rows; of the common ones only once in each database."""
    common: dict[str, list[Any]] = {}

    def look(database: str, rows: list[dict[str, object]]) -> list[Any]:
        place = Place("", "") if database == "memory" else new_place(database)
        if rows is not PEOPLE:
            return seen(place, rows)
        if database not in common:
            common[database] = seen(place, rows)
        return common[database]

    return look


@pytest.mark.parametrize(
    ("database", "name"),
    [("sqlite", name) for name in NEIGHBOURS]
    + [("postgresql", "one person more"), ("memory", "NaN"), ("postgresql", "empty or one row")],
)
def test_neighbours_look_alike(database: str, name: str, shown: Look) -> None:
    one, other = (shown(database, rows) for rows in NEIGHBOURS[name])
    for turn, (here, there) in enumerate(zip(one, other, strict=True)):
        assert here == there, templates()[turn] if turn < 50 else "the account"
    outcomes = [found[0] for found in one[:50] if isinstance(found[0], str)]
    assert {"BudgetError", "PolicyError", "QueryError"} <= set(outcomes) and len(outcomes) < 15
