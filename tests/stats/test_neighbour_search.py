"""Looking for bad neighbours from outside, and how much whole releases tell about them.

Nothing of pets is read but what anybody sees: releases. A search asks each of many pairs a few times with hardly any
noise and keeps the pair and the cell that move most; thousands of releases of both then give a lower bound on ε, by
Clopper and Pearson, which must stay below the claim, and must pass it where half of the noise is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from unittest import mock

import numpy as np
import pytest

import pets
from pets.dp import mechanism
from pets.rows import snapshot
from pets.testing import Pair, pairs
from tests.stats.judges import LEVEL, audited_epsilon

SCHEMA = pets.Schema(
    {
        "t": pets.Table(
            pets.Unit("id", max_rows=3),
            {
                "id": pets.Identifier(),
                "g": pets.Category(["a", "b", "c"], nullable=False),
                "x": pets.Integer(0, 400, nullable=False),
            },
        )
    }
)
T = pets.query("t")
QUERIES = {
    "a count": T.agg(n=pets.count()),
    "people by group": T.group_by("g").agg(u=pets.count_units()).bound(groups=1),
    "a clipped sum": T.agg(s=pets.sum("x", clip=(0, 20))),
    "a histogram": T.agg(h=pets.histogram("x", [0, 100, 399, 400])),
}
EPSILON, RELEASES, PAIRS = 1.0, 3000, 15


def answers(rows: Mapping[str, Any], query: pets.Query, epsilon: float, count: int, key: int) -> Any:
    """A row for each release, all in one session.

    ``key`` decides which rows of a person count, and is the same in both worlds: the promise holds for each key, and
    two keys would be compared besides, over all other people.
    """
    with mock.patch.object(snapshot, "rank_key", lambda: key):
        session = pets.Session(SCHEMA, dict(rows), budget=pets.Budget(epsilon=500_000), progress=False)
    return np.array([session.release(query, pets.DP(epsilon=epsilon), again=True).values for _ in range(count)])


def worst(query: pets.Query) -> Pair:
    """The pair that moves one number most, as far as a few releases tell: an event is on one number."""
    moved = {}
    for number, pair in enumerate(pairs(SCHEMA, None, PAIRS, seed=1)):
        means = [answers(rows, query, 1000.0, 3, pair.key).mean(axis=0) for rows in (pair.larger, pair.smaller)]
        moved[number] = (float(np.abs(means[0] - means[1]).max()), pair)
    return max(moved.values(), key=lambda found: found[0])[1]


def lower_bound(query: pets.Query) -> float:
    """The greatest ε that an event on one number shows: chosen on a third of the releases, tested on the others."""
    pair = worst(query)
    drawn = [answers(rows, query, EPSILON, RELEASES, pair.key) for rows in (pair.larger, pair.smaller)]
    chosen, kept = [d[: RELEASES // 3] for d in drawn], [d[RELEASES // 3 :] for d in drawn]
    found = [(shown(chosen, event, level=0.05), event) for event in events(chosen)]
    return shown(kept, max(found)[1], level=LEVEL)


Event = tuple[int, int, int, int]
"""Which world comes first, a cell, a sign, and the value from which on it happens."""


def events(drawn: list[Any]) -> Iterator[Event]:
    for cell in range(drawn[0].shape[1]):
        both = np.concatenate([d[:, cell] for d in drawn])
        for sign in (1, -1):
            for at in sorted({int(at) for at in np.quantile(sign * both, np.linspace(0.1, 0.9, 17))}):
                yield from ((first, cell, sign, at) for first in (0, 1))


def shown(drawn: list[Any], event: Event, level: float) -> float:
    first, cell, sign, at = event
    values = [sign * d[:, cell] for d in drawn]
    return audited_epsilon(values[first], values[1 - first], event=at, level=level)


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.chance(2e-13)  # two bounds of 1e-13 each
@pytest.mark.parametrize("name", QUERIES)
def test_releases_tell_no_more_than_they_claim(name: str) -> None:
    found = lower_bound(QUERIES[name])
    print(f"{name}: at least {found:.3f} of {EPSILON}")
    assert found <= EPSILON


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.chance(1e-11)  # 2,000 of each: the bound lies 10 standard deviations above the claim
@pytest.mark.parametrize("name", QUERIES)
def test_half_of_the_noise_is_flagged(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    add = mechanism.add_laplace
    monkeypatch.setattr(mechanism, "add_laplace", lambda values, scale: add(values, scale / 2))
    found = lower_bound(QUERIES[name])
    print(f"{name}, half of the noise: at least {found:.3f}")
    assert found > EPSILON
