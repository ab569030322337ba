"""The same noise on a neighbour, for keys that nobody listed: which keys a count is of is known, whatever their places.

A person who takes a key along is counted against δ. And planted: people counted twice, and a δ that is not charged.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

import pets
from pets.dp import key_threshold, noise
from pets.rows import tabulate
from pets.session import key_release
from pets.testing import ReplayReport, replay
from tests.attacks.replay_cases import KEY_ROWS, KEYS, keys_that_nobody_listed

pytestmark = pytest.mark.chance(0)  # whatever is drawn, both worlds get the same

BUDGET = pets.Budget(epsilon=1000, delta=1e-5, threshold_delta=5e-6)
OF_MANY, OF_ONE = 7, 900
"""People of :data:`KEY_ROWS`: one whose codes others have too, one whose code nobody else has."""


def found(person: int, count: int = 1, engine: str = "duckdb") -> ReplayReport:
    return replay(KEYS, KEY_ROWS, keys_that_nobody_listed, count=count, engines=(engine,), budget=BUDGET, person=person)


@pytest.mark.parametrize(("person", "engine"), [(OF_MANY, "duckdb"), (OF_ONE, "duckdb"), (OF_ONE, "polars")])
def test_keys_that_nobody_listed_hold_and_what_is_asked_by_them(person: int, engine: str) -> None:
    report = found(person, 2, engine)
    assert report.holds, report
    assert report.draws == 4 and 0 < report.worst <= 1


def test_keys_of_categories_hold() -> None:
    schema = pets.Schema(
        {"t": pets.Table(pets.Unit("id", 3), {"id": pets.Identifier(), "g": pets.Category(["a", "b", "c", "d"])})}
    )
    rows = pd.DataFrame({"id": [i // 2 for i in range(240)], "g": ["abcd"[i % 4] for i in range(240)]})

    def ask(session: pets.Session) -> Any:
        return session.group_keys("t", by=["g"], protection=pets.DP(epsilon=2))

    report = replay(schema, rows, ask, count=2, budget=BUDGET, person=7)
    assert report.holds, report
    assert report.draws >= 1 and 0 < report.worst <= 1


def people_twice(patch: pytest.MonkeyPatch) -> None:
    real = tabulate.key_counts

    def counts(*given: Any) -> Any:
        keys, people = real(*given)
        return keys, 2 * people

    patch.setattr(key_release, "key_counts", counts)


def no_delta(patch: pytest.MonkeyPatch) -> None:
    real = noise.threshold_loss

    def loss(groups: int, scale: float, threshold: int) -> tuple[float, float]:
        rho, delta = real(groups, scale, threshold)
        return rho, delta / 1000

    patch.setattr(key_threshold, "threshold_loss", loss)


def keys_as_they_are(patch: pytest.MonkeyPatch) -> None:
    """A key shows in a message before its threshold."""
    real = tabulate.key_counts

    def counts(*given: Any) -> Any:
        keys, people = real(*given)
        print(sorted(keys[0]))
        return keys, people

    patch.setattr(key_release, "key_counts", counts)


@pytest.mark.parametrize(
    ("plant", "person", "words"),
    [
        (people_twice, OF_MANY, "times what was charged"),
        (no_delta, OF_ONE, "a key of that person alone may show with a δ of"),
        (keys_as_they_are, OF_ONE, "what is shown differs"),
    ],
    ids=["people are counted twice", "the threshold's δ is not charged", "a message names every key"],
)
def test_a_planted_bug_is_told_in_plain_words(
    monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], None], person: int, words: str
) -> None:
    plant(monkeypatch)
    report = found(person)
    assert any(words in problem for problem in report.problems), report
