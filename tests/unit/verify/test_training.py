"""The checker and trained networks: what pets releases holds, and what promises too much is refused."""

from __future__ import annotations

import copy
import dataclasses
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import pets
from pets import col
from pets.common.codec import canonical
from pets.ledger.ledger import Ledger
from pets.models.trained import Trained
from pets.plan.trained.descent import first_weights, trained
from pets.verify.check import CannotCheck, beside, check
from tests.unit.session.training.train_cases import HIDDEN, NET, ROWS, SCHEMA
from tests.unit.verify.test_check import Made, refused

pytestmark = pytest.mark.chance(0)

TRAINING, checker = beside("kinds/fitted/training"), beside("loss")
ASKED: list[tuple[Any, pets.DP]] = [
    (NET, pets.DP(epsilon=1)),
    (HIDDEN, pets.DP(rho=0.1)),
    (
        pets.network(
            [("linear", 3), "relu", ("linear", 1)],
            outcome="y",
            columns=["half", "c"],
            data=pets.query("t").where(col("x") > 1).with_columns(half=col("x") // 2).bound(rows=1),
            steps=1,
            rate=0.3,
            clip=0.7,
            seed=9,
        ),
        pets.DP(epsilon=1, delta=1e-8),
    ),
]


class Trainings(Made):
    """Trainings of a ledger with a file."""

    def __init__(self, folder: Path) -> None:
        self.ledger = Ledger(folder / "ledger.db")
        budget, ready = pets.Budget(20, 1e-6, 1e-7), folder / "ready"
        session = pets.Session(SCHEMA, {"t": ROWS}, budget=budget, ledger=self.ledger, snapshots=ready, progress=False)
        self.networks = [session.train(*one) for one in ASKED]
        other = pets.Session(SCHEMA, ledger=self.ledger, project="other", snapshots=ready)
        self.networks.append(other.train(*ASKED[0]))
        self.key = self.ledger.key.raw
        with self.ledger.reading() as tx:
            self.log = [(body, chain) for body, _, chain in tx.entries()]
            self.note = self.ledger.checkpoint(tx)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Trainings:
    return Trainings(tmp_path_factory.mktemp("trained"))


def test_networks_hold_with_their_log(made: Trainings) -> None:
    moved = [4096**2, 4096**2, 2867**2, 4096**2]
    for network, square in zip(made.networks, moved, strict=True):
        said = check(canonical(network.signed), made.key, log=made.whole_log(), schema=canonical(SCHEMA.to_json()))
        assert said.startswith(network.guarantee)
        assert f"one person moves a step by L2² {square}; the weights follow from the noisy sums" in said
        assert f"as all {len(made.log)} entries of the log lead to" in said


def test_dummy_networks_and_those_of_rows_that_are_people_hold() -> None:
    columns = {name: domain for name, domain in SCHEMA.table("t").columns.items() if name != "id"}
    schema = pets.Schema({"t": pets.Table("row", columns)}, dataset="rows")  # type: ignore[arg-type]
    session = pets.Session(schema, {"t": ROWS.drop(columns="id")}, budget=pets.Budget(3, 1e-6), progress=False)
    network = session.train(NET, pets.DP(epsilon=1))
    assert "any one row (a person)" in check(canonical(network.signed), session.ledger.key.raw)
    twin = session.dummy()
    assert check(canonical(twin.train(*ASKED[0]).signed), twin.ledger.key.raw).startswith("Dummy data")


@pytest.mark.parametrize(("steps", "epsilon"), [(100, 0.001), (700, 0.005)])
def test_what_steps_round_off_of_a_small_epsilon_is_no_lie(steps: int, epsilon: float) -> None:
    """Each step's price is rounded down to units, so that all together cost less than was asked for."""
    session = pets.Session(SCHEMA, {"t": ROWS}, budget=pets.Budget(3, 1e-6), progress=False)
    network = session.train(dataclasses.replace(NET, steps=steps, rate=0.1), pets.DP(epsilon=epsilon))
    assert check(canonical(network.signed), session.ledger.key.raw).startswith(network.guarantee)
    asked = network.form | {"protection": network.form["protection"] | {"epsilon": "0.5"}, "epsilon": "0.5"}
    with pytest.raises(checker.PLAN.Refused, match="its ε is not that of its noise"):
        checker.check_meaning(asked, 1 + steps)


@pytest.mark.parametrize("widths", [(3, 1), (3, 4, 2), (2, 5, 3, 1)])
def test_weights_are_worked_out_alike(widths: tuple[int, ...]) -> None:
    """By numpy and by Python's own numbers, to the last bit, for sums of every size."""
    import numpy as np

    descent = beside("kinds/fitted/descent")
    size = sum((a + 1) * b for a, b in pairwise(widths))
    assert descent.first([*widths], 5) == first_weights(widths, 5)
    rng = np.random.default_rng(2)
    for steps, spread, people in [(1, 10**3, -4), (7, 10**6, 40), (30, 10**9, 3), (100, 2**40, 10**6)]:
        sums = rng.integers(-spread, spread, (steps, size)).tolist()
        one = {"people": people, "network": {"steps": steps, "seed": 5}, "sums": sums}
        assert descent.weights(one, [*widths], 0.7) == trained(widths, people, sums, steps, 0.7, 5)


def lie(made: Trainings, change: dict[str, Any], place: int = 0) -> str:
    """Why a network with another form is refused, though the ledger's own key signed it with what fits."""
    network: Trained = made.networks[place]
    assert network.certificate is not None
    one, said = copy.deepcopy(network.form) | change, copy.deepcopy(network.certificate.predicate)
    for name in ("protection", "cost", "notes", "guarantee", "query", "network"):
        said[name] = one[name]
    said["plan_sha256"] = one["plan"]
    for name in ("rho", "epsilon", "delta", "scales", "losses"):
        said["dp"][name] = one[name]
    return refused(made.signed(one, said)[0], made.key)


def network(**change: Any) -> dict[str, Any]:
    return NET.to_json() | change


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"scales": ["1", "1"]}, "its noise loses something else"),
        ({"scales": ["1000000", "100000000"]}, "its noise loses something else"),
        ({"scales": ["0", "0"]}, "trained without noise"),
        ({"scales": ["1"]}, "not that of a training"),
        ({"mechanism": "laplace"}, "not that of a training"),
        ({"losses": [1, 1]}, "its noise loses something else"),
        ({"epsilon": "0.5"}, "promises something else (guarantee)"),
        ({"rho": "0.001"}, "ρ"),
        ({"weights": [0] * 5}, "weights do not follow"),
        ({"people": 7}, "weights do not follow"),
        ({"sums": [[0] * 5] * 19}, "another number of steps"),
        ({"sums": [[0] * 5] * 20}, "weights do not follow"),
        ({"data": "dummy"}, "no invented rows"),
        ({"protection": {"kind": "dp", "epsilon": 1, "pure": True}}, "means nothing"),
        ({"more": 1}, "other parts"),
        ({"plan": "0" * 64}, "plan does not follow"),
        ({"guarantee": "Nobody can be harmed."}, "promises something else"),
        ({"network": network(steps=21)}, "plan does not follow"),
        ({"network": network(clip="0.5")}, "plan does not follow"),
        ({"network": network(seed=1)}, "plan does not follow"),
        ({"network": network(layers=[{"layer": "linear", "out": 2}])}, "does not fit its outcome"),
        ({"network": network(layers=[{"layer": "batchnorm"}, {"layer": "linear"}])}, "stand in turns"),
        ({"network": network(columns=[{"column": "x"}])}, "of other rows"),
        ({"network": network(data={"table": "t", "where": {"filter": "is_null", "column": "c"}})}, "of other rows"),
    ],
)
def test_what_does_not_follow_is_refused(made: Trainings, change: dict[str, Any], why: str) -> None:
    assert why in lie(made, change)


def test_steps_cost_what_they_lose_together(made: Trainings) -> None:
    """The same noise for the price of one step."""
    plan = SimpleNamespace(steps=20, moved=[{"l2_squared": 1}, {"l2_squared": 4096**2}])
    one, loss = made.networks[0].form, beside("loss")
    said = {"budget": {"currency": "zcdp"}}
    TRAINING.check_loss(one, said, plan, loss.PLAN, loss)
    with pytest.raises(loss.PLAN.Refused, match="cost something else together"):
        TRAINING.check_loss(one | {"cost": one["cost"] | {"loss": sum(one["losses"])}}, said, plan, loss.PLAN, loss)


def test_another_version_is_not_known(made: Trainings) -> None:
    one = made.networks[0].form | {"version": 2}
    assert made.networks[0].certificate is not None
    file, _ = made.signed(one, made.networks[0].certificate.predicate)
    with pytest.raises(CannotCheck):
        check(file, made.key)
