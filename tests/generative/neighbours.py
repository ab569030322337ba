"""The promise, as a check: one person's rows move each measure's block by at most its sensitivity."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pets.plan.measure import Sensitivity
from pets.plan.plan import Plan
from pets.plan.selection.top_plan import COUNTS
from pets.rows.snapshot import Snapshot
from pets.rows.tabulate import LOCAL as ENGINES
from pets.rows.tabulate import tabulate
from pets.schema.schema import Schema
from tests import oracle, strategies

KEY = 0x5EED
"""A fixed rank key: for every fixed key the bound holds with certainty, so the tests are not statistical."""

Data = Mapping[str, Sequence[Mapping[str, Any]]]


@dataclass(frozen=True)
class Moved:
    """How far a block of integers moved."""

    l0: int
    l1: int
    l2_squared: int
    linf: int

    @classmethod
    def between(cls, before: Sequence[int], after: Sequence[int]) -> Moved:
        """The distances of two blocks, in Python's whole numbers, which never wrap."""
        steps = [abs(int(a) - int(b)) for a, b in zip(before, after, strict=True)]
        return cls(sum(s > 0 for s in steps), sum(steps), sum(s * s for s in steps), max(steps, default=0))

    def passes(self, bound: Sensitivity) -> list[str]:
        """Which bounds are passed; empty where the promise holds."""
        names = ("l0", "l1", "l2_squared", "linf")
        return [
            f"{n} is {getattr(self, n)}, above {getattr(bound, n)}"
            for n in names
            if getattr(self, n) > getattr(bound, n)
        ]


def snapshot_of(schema: Schema, data: Data, table: str = "t", key: int = KEY) -> Snapshot:
    """The snapshot of one table's rows."""
    sources = {name: strategies.source(schema.table(name), rows) for name, rows in data.items()}
    return Snapshot.make(schema, table, sources, key=key, progress=False)


def without(schema: Schema, data: Data, table: str, person: str) -> dict[str, list[Mapping[str, Any]]]:
    """The data with all rows of one person removed, from every table that shares people."""
    wanted = [table, *([found] if (found := schema.table(table).person_table) is not None else [])]
    out = {}
    for name, rows in data.items():
        owner = [oracle.person_of(schema.table(name), row, i) for i, row in enumerate(rows)]
        out[name] = [row for row, who in zip(rows, owner, strict=True) if name not in wanted or who != person]
    return out


def people_of(schema: Schema, data: Data, table: str) -> list[str]:
    """Everybody who has a row."""
    found = (oracle.person_of(schema.table(table), row, i) for i, row in enumerate(data[table]))
    return list(dict.fromkeys(person for person in found if person is not None))


def shuffled(data: Data, seed: int) -> dict[str, list[Mapping[str, Any]]]:
    """The same rows in another order."""
    order = random.Random(seed)
    return {name: order.sample(list(rows), len(rows)) for name, rows in data.items()}


def movements(plan: Plan, before: Snapshot, after: Snapshot, engine: str) -> list[Moved]:
    """How far each measure's block moved between two snapshots."""
    first, second = (tabulate(plan, snapshot, engine).reveal().tolist() for snapshot in (before, after))
    for measure, block in zip(plan.measures, plan.blocks, strict=True):
        if measure.kind in COUNTS:  # a choice by noise (docs/proofs/top_keys.md) rests on it
            ways = {a > b for a, b in zip(first[block], second[block], strict=True) if a != b}
            assert len(ways) <= 1, f"{engine}, {measure.name}: one person raises a count and lowers another"
    return [Moved.between(first[block], second[block]) for block in plan.blocks]


def promise_kept(
    plan: Plan, before: Snapshot, after: Snapshot, bounds: Sequence[Sensitivity] | None = None
) -> list[list[Moved]]:
    """Raises ``AssertionError`` where some block moved further than it may; gives what moved, on each engine."""
    known = [measure.sensitivity for measure in plan.measures] if bounds is None else bounds
    out = []
    for engine in ENGINES:
        moved = movements(plan, before, after, engine)
        for measure, bound, step in zip(plan.measures, known, moved, strict=True):
            passed = step.passes(bound)
            assert not passed, f"{engine}, {measure.name} ({measure.kind}): {'; '.join(passed)}"
        out.append(moved)
    return out


def rows_kept(snapshot: Snapshot) -> list[tuple[tuple[int | str, ...], ...]]:
    """What was kept of each person, in the order of rank; people in no order."""
    found = snapshot.arrow().to_pydict()
    names = sorted(snapshot.columns.values())
    people: dict[int, list[tuple[int | str, ...]]] = {}
    for i in sorted(range(len(found["rank"])), key=lambda i: found["rank"][i]):
        people.setdefault(found["person"][i], []).append(tuple(found[name][i] for name in names))
    return sorted(tuple(rows) for rows in people.values())
