"""Random releases, each by a real session whose account and certificates are the real ones; no row is counted.

Sessions of random schemas are made once and stay; their tables are empty, and what would count rows gives zeros, so
that hundreds of releases take seconds. Noise, prices, sentences, ledger and signatures are pets' own.
"""

from __future__ import annotations

import random
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from unittest import mock

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import pets
from pets.errors import PetsError
from pets.plan.plan import Plan
from pets.plan.vector import IntVector
from pets.session import job
from tests import strategies

SCHEMAS = 4


@contextmanager
def no_rows(seed: int) -> Iterator[None]:
    """Nothing is counted; one request in twelve fails where rows would be counted."""
    fate = random.Random(seed)

    def zeros(plan: Plan, *_: object) -> IntVector:
        if fate.random() < 1 / 12:
            raise ValueError("planted")
        return IntVector(plan.digest, np.zeros(plan.size, dtype=np.int64))

    with mock.patch.object(job, "tabulate", zeros):
        yield


def drawn(strategy: st.SearchStrategy[Any], count: int) -> list[Any]:
    """So many examples of a strategy, the same on every run."""
    found: list[Any] = []

    @settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def draw(one: Any) -> None:
        found.append(one)

    draw()
    return found[:count]


def protection(fate: random.Random, pure_ledger: bool) -> pets.DP:
    """Every way to ask for noise that this ledger sells."""
    epsilon = round(10 ** fate.uniform(-4, 0.5), fate.choice([4, 6, 9]))
    if pure_ledger:
        return pets.DP(epsilon=epsilon, confidence=fate.choice([0.9, 0.95]))
    return fate.choice(
        [
            pets.DP(epsilon=epsilon),
            pets.DP(epsilon=epsilon, delta=10 ** -fate.randint(4, 12)),
            pets.DP(rho=epsilon / 10),
            pets.DP(epsilon=epsilon, pure=True),
            pets.DP(within=fate.choice([3, 50, 1e4]), simultaneous=fate.random() < 0.5),
        ]
    )


class World:
    """A session on a random schema, its ledger, and another project's session beside it."""

    def __init__(self, schema: pets.Schema, number: int, path: Any = None) -> None:
        self.pure = number % 3 == 2
        budget = pets.Budget(100_000) if self.pure else pets.Budget(5_000, 1e-6, 1e-7 if number % 2 else 0)
        ledger = None if path is None else pets.Ledger(path)
        data = {name: strategies.source(table, []) for name, table in schema.tables.items()}
        self.folder = tempfile.TemporaryDirectory(prefix="releases-")
        settings: Any = {"policy": pets.Policy(allow_unbounded=True), "snapshots": self.folder.name, "progress": False}
        schema = pets.Schema(schema.tables, dataset=f"world {number}")
        self.session = pets.Session(schema, data, budget=budget, ledger=ledger, **settings)
        self.ledger = self.session.ledger
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it takes the snapshot which is there: so an equal question is one
            names = {"project": "other", "analyst": "ann"}
            self.other = pets.Session(schema, data, ledger=self.ledger, **names, **settings)
        self.dummy = self.session.dummy(rows=20) if number == 0 else self.session  # (one is enough)
        self.schema = schema

    def releases(self, query: pets.Query, fate: random.Random) -> list[tuple[pets.Release, bytes]]:
        """What one random request gives, with the key of its ledger; nothing where it fails or is refused."""
        kind, key = fate.random(), self.ledger.key.raw
        if kind < 0.07:
            exact = fate.random() < 0.5 and self.dummy is not self.session
            asked = pets.Exact() if exact else protection(fate, self.pure)
            return [(release, self.dummy.ledger.key.raw) for release in self.asked(self.dummy, [query], asked)]
        if kind < 0.15:
            return [(release, key) for release in self.asked(self.session, [query], pets.Total())]
        asked = protection(fate, self.pure)
        several = [query, query.bound(rows=1)] if kind < 0.25 else [query]
        made = self.asked(self.session, several, asked)
        made += self.asked(self.other, several[:1], asked) if kind > 0.85 else []  # delivered, where it was answered
        return [(release, key) for release in made]

    @staticmethod
    def asked(session: Any, queries: list[pets.Query], how: Any) -> list[pets.Release]:
        with suppress(PetsError):
            return list(session.release(queries, how))
        return []


def worlds(count: int = SCHEMAS, path: Any = None) -> list[World]:
    """Sessions of random schemas."""
    schemas = drawn(strategies.schemas(), 4 * count)[::4][:count]
    return [World(schema, number, path and path / f"{number}.db") for number, schema in enumerate(schemas)]
