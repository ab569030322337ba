"""Gradients: one person's part is bounded in whole numbers, and is all that leaves with them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets.plan.trained.descent import Descent
from pets.plan.trained.train_plan import TrainPlan, make_train_plan
from pets.rows.tabulate import gradients
from pets.rows.training import gradients as module
from pets.rows.training.gradients import Gradients, bounded
from pets.testing import snapshot
from tests.sparks import spark

pytestmark = pytest.mark.chance(0)

COLUMNS = {
    "id": pets.Identifier(),
    "x": pets.Integer(0, 100),
    "b": pets.Boolean(),
    "c": pets.Category(["p", "q", "r"]),
    "y": pets.Category(["no", "yes"]),
}
SCHEMA = pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=3), COLUMNS, people=10_000)})
T = pets.query("t")
NETWORKS = {
    "logistic": pets.classifier("y", ["x", "b", "c"], data="t"),
    "one row": pets.classifier("y", ["x", "b"], data=T.bound(rows=1), clip=0.25),
    "hidden": pets.classifier("c", ["x", "y"], data=T.where(pets.col("x") > 4), hidden=(6,), seed=3),
    "deep": pets.classifier("y", ["x", "c"], data="t", hidden=(5, 4), activation="relu", clip=0.125),
}


def rows(people: int = 90, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    each = rng.integers(1, 5, people)
    n = int(each.sum())
    frame = pd.DataFrame({"id": np.repeat(np.arange(people), each), "x": rng.integers(0, 101, n).astype(object)})
    frame["b"] = rng.choice([True, False], n)
    frame["c"] = rng.choice(["p", "q", "r", None], n)
    frame["y"] = rng.choice(["no", "yes"], n)
    frame.loc[rng.random(n) < 0.05, "x"] = None
    return frame


def weights(plan: TrainPlan, seed: int) -> list[Any]:
    """Weights some steps on, by made-up sums."""
    network, rng = plan.network, np.random.default_rng(seed)
    descent = Descent(plan.widths, 50, network.steps, network.rate, network.seed)
    for _ in range(seed):
        descent.move(rng.integers(-40_000, 40_000, plan.size))
    return descent.weights


def made(plan: TrainPlan, frame: pd.DataFrame, engine: str = "duckdb") -> Gradients:
    return gradients(plan, snapshot(SCHEMA, frame, "t"), engine)


@pytest.mark.parametrize("name", NETWORKS)
def test_taking_one_person_out_takes_their_own_bounded_part_and_nothing_else(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the others then stand elsewhere, in other batches."""
    monkeypatch.setattr(module, "AT_ONCE", 700)
    plan, frame = make_train_plan(NETWORKS[name], SCHEMA), rows()
    whole, reached = made(plan, frame), 0
    for person in range(0, 90, 9):
        without, alone = made(plan, frame[frame.id != person]), made(plan, frame[frame.id == person])
        assert whole.people - without.people == alone.people <= 1
        for steps in (0, 2, 7):
            at = weights(plan, steps)
            part = whole.step(at) - without.step(at)
            assert np.array_equal(part, alone.step(at))
            square = sum(int(one) ** 2 for one in part)
            assert square <= plan.l2_squared
            assert np.abs(part).sum() <= plan.sensitivities()[1]["l1"]
            reached = max(reached, square)
    assert reached > 0.99 * plan.l2_squared, "somebody is clipped, so the bound is as tight as it is stated"


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_are_whole_numbers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before they are rounded to what leaves: on the way nothing was rounded but numbers by themselves."""
    seen: list[Any] = []
    monkeypatch.setattr(module, "bounded", lambda found, bound: seen.append(found) or bounded(found, bound))
    plan = make_train_plan(NETWORKS[name], SCHEMA)
    made(plan, rows()).step(weights(plan, 4))
    assert seen and all(np.array_equal(one, np.rint(one)) and np.abs(one).max() < 2**52 for one in seen)


@pytest.mark.parametrize(
    ("name", "engine"), [*((name, "polars") for name in NETWORKS), ("hidden", "spark"), ("one row", "spark")]
)
def test_engines_agree(name: str, engine: str) -> None:
    pytest.importorskip("pyspark" if engine == "spark" else engine)
    if engine == "spark":
        spark()
    plan, frame = make_train_plan(NETWORKS[name], SCHEMA), rows()
    one, other = made(plan, frame), made(plan, frame, engine)
    assert one.people == other.people > 20
    at = weights(plan, 3)
    assert np.array_equal(one.step(at), other.step(at)) and one.step(at).any()


def test_rows_without_a_value_or_beyond_the_cap_do_not_count() -> None:
    plan = make_train_plan(NETWORKS["one row"], SCHEMA)
    frame = pd.DataFrame(
        {"id": [1, 1, 2, 3], "x": [50, 50, None, 7], "b": True, "c": "p", "y": ["yes", "yes", "no", "no"]}
    )
    found, once = made(plan, frame), made(plan, frame.iloc[[0, 3]])
    assert found.people == once.people == 2
    assert np.array_equal(found.step(weights(plan, 2)), once.step(weights(plan, 2)))


def test_nobody_is_a_sum_of_zeros() -> None:
    plan = make_train_plan(NETWORKS["hidden"], SCHEMA)
    found = made(plan, rows()[:0])
    assert found.people == 0 and not found.step(weights(plan, 1)).any()


def test_a_logistic_step_is_the_one_worked_out_by_hand() -> None:
    """Weights 0, so a chance of a half: x = 75 is 0.5 and b is 1; the intercept is 1; yes: (½ - 1) · each."""
    plan = make_train_plan(pets.classifier("y", ["x", "b"], data=T.bound(rows=1), clip=2), SCHEMA)
    frame = pd.DataFrame({"id": [1], "x": [75], "b": [True], "c": ["p"], "y": ["yes"]})
    assert made(plan, frame).step(weights(plan, 0)).tolist() == [-1024, -2048, -2048]
    clipped = make_train_plan(pets.classifier("y", ["x", "b"], data=T.bound(rows=1), clip=0.375), SCHEMA)
    assert made(clipped, frame).step(weights(clipped, 0)).tolist() == [-511, -1023, -1023], "cut towards 0"


@pytest.mark.parametrize("bound", [1, 7, 409, 4096, 64 * 4096])
def test_whatever_a_gradient_is_its_whole_numbers_are_bounded(bound: int) -> None:
    """What is no number is 0; the greatest numbers, corners and a million rows near the bound stay within it."""
    rng = np.random.default_rng(bound)
    wild = np.array(
        [[np.nan, 1e6, 0.0], [np.inf, -np.inf, 3e9], [1e300, -1e300, 1e300], [2.0**38, -(2.0**38), 2.0**38]]
    )
    near = rng.normal(size=(200_000, 3))
    near *= (
        bound * 2**16 / np.linalg.norm(near, axis=1, keepdims=True) * rng.choice([1, 1 + 1e-9, 1.0001, 3], (200_000, 1))
    )
    for found in (wild, near, -near):
        whole = bounded(found, bound)
        assert max(sum(v * v for v in row) for row in whole.tolist()) <= bound**2
    assert bounded(wild, bound)[0, 0] == 0 and not bounded(np.full((1, 3), np.inf), bound).any()


def test_a_person_who_is_within_the_bound_is_not_shortened() -> None:
    assert bounded(np.array([[3.0, 4.0], [3.6, -2.4]]) * 2**16, 5).tolist() == [[3, 4], [4, -2]]


def test_a_shortened_person_keeps_their_direction() -> None:
    (found,) = bounded(np.array([[3000.0, 4000.0]]) * 2**16, 500)
    assert np.abs(found - np.array([300, 400])).max() <= 1
