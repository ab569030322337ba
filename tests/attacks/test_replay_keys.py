"""The same noise on a neighbour, for keys that nobody listed: which keys a count is of is known, whatever their places.

A person who takes a key along is counted against δ. And planted: people counted twice, and a δ that is not charged.
Groups that noise chose are all listed, so nothing is known of them but counts.
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


SCHEMA = pets.Schema(
    {"t": pets.Table(pets.Unit("id", 3), {"id": pets.Identifier(), "g": pets.Category(["a", "b", "c", "d"])})}
)
ROWS = pd.DataFrame({"id": [i // 2 for i in range(240)], "g": ["abcd"[i % 4] for i in range(240)]})


def found(person: int, count: int = 1, engine: str = "duckdb") -> ReplayReport:
    return replay(KEYS, KEY_ROWS, keys_that_nobody_listed, count=count, engines=(engine,), budget=BUDGET, person=person)


@pytest.mark.parametrize(("person", "engine"), [(OF_MANY, "duckdb"), (OF_ONE, "duckdb"), (OF_ONE, "polars")])
def test_keys_that_nobody_listed_hold_and_what_is_asked_by_them(person: int, engine: str) -> None:
    report = found(person, 2, engine)
    assert report.holds, report
    assert report.draws == 4 and 0 < report.worst <= 1


def test_keys_of_categories_hold() -> None:
    def ask(session: pets.Session) -> Any:
        return session.group_keys("t", by=["g"], protection=pets.DP(epsilon=2))

    report = replay(SCHEMA, ROWS, ask, count=2, budget=BUDGET, person=7)
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


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
def test_groups_that_noise_chose_hold(engine: str) -> None:
    people = pets.query("t").group_by("g").agg(n=pets.count_units())
    rows = pets.query("t").group_by("g").agg(n=pets.count()).bound(rows=2)
    asks = {
        "people": lambda session: session.top_keys(people, 2, pets.DP(epsilon=2)),
        "rows": lambda session: session.top_keys(rows, 3, pets.DP(rho=0.1)),
    }
    report = replay(SCHEMA, ROWS, asks, count=4, engines=[engine], person=7)
    assert report.holds, report
    assert report.draws >= 8 and 0.999 < report.worst <= 1  # some person raises a count by all that is charged


def test_a_choice_whose_bound_is_broken_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A person's rows all count, and the plan says that one does."""
    from pets.plan.selection.top_plan import TopPlan

    monkeypatch.setattr(TopPlan, "linf", property(lambda _: 1))
    rows = pets.query("t").group_by("g").agg(n=pets.count())
    report = replay(SCHEMA, ROWS, lambda session: session.top_keys(rows, 2, pets.DP(epsilon=2)), count=6)
    assert any("times what was charged" in problem for problem in report.problems)


def test_a_choice_by_what_falls_as_others_rise_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts around their mean are not monotone: the range of the differences decides, and it is wider."""
    from pets.session.selection import top_release

    real = top_release.noisy_top

    def centred(counts: Any, k: int, scale: float) -> Any:
        others = counts.sum() - counts
        return real(counts * 3 - others + 10**6, k, scale * 3)

    monkeypatch.setattr(top_release, "noisy_top", centred)
    people = pets.query("t").group_by("g").agg(n=pets.count_units())
    report = replay(SCHEMA, ROWS, lambda session: session.top_keys(people, 2, pets.DP(epsilon=2)), count=6)
    assert any("times what was charged" in problem for problem in report.problems)
