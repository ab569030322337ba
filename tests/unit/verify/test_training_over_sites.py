"""The checker and networks that several sites trained: what they release holds, and what was edited is refused."""

from __future__ import annotations

import copy
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pets
from pets import col
from pets.cli import main
from pets.common.codec import canonical
from pets.errors import PetsError
from pets.federated.analyst.sharing import signature
from pets.models.networks.over_sites import TrainedOverSites
from pets.plan.plan import make_plan
from pets.query_model.nodes.gradient import Gradient
from pets.verify.check import CannotCheck, Plan, Refused, check
from tests.unit.federated.analyst.test_training_verbs import DEEP, HALF, SHORT, WAYS, federation
from tests.unit.session.training.train_cases import SCHEMA
from tests.unit.verify.test_check import moved

pytestmark = pytest.mark.chance(0)

T = pets.query("t")


class World:
    """A network over sites, whose coordinator can sign again."""

    def __init__(self, network: Any, secure: str) -> None:
        self.many = federation()
        self.made = self.many.train(network, HALF, secure=secure)
        self.key = self.many._coordinator.public.raw
        self.form: Any = json.loads(canonical(self.made.to_json()))

    def signed(self, place: int, **change: Any) -> bytes:
        """One step of it changed, by a coordinator that signs whatever it likes."""
        form = copy.deepcopy(self.form)
        bare = {name: part for name, part in form["releases"][place].items() if name != "digest"} | change
        bare["sharing"] = {name: part for name, part in bare["sharing"].items() if name != "coordinator"}
        bare["sharing"]["coordinator"] = signature(bare, self.many._coordinator)
        form["releases"][place] = bare | {"digest": pets.common.codec.digest(bare)}
        return canonical(form)


@pytest.fixture(scope="module")
def world() -> World:
    return World(SHORT, "masked")


@pytest.mark.parametrize(("network", "secure"), [(SHORT, WAYS[1]), (DEEP, WAYS[2]), (DEEP, WAYS[0])])
def test_networks_of_every_way_to_combine_hold(network: Any, secure: str) -> None:
    world = World(network, secure)
    said = check(canonical(world.form), world.key)
    assert f"{network.steps} steps of {world.made.plan.size} numbers" in said and "weights follow" in said
    assert f"{world.made.cost['loss']} units at each site in all" in said
    for release in world.made.releases:
        assert check(canonical(release.to_json()), world.key).startswith(release.guarantee)
    with pytest.raises(Refused):
        check(canonical(world.form), bytes(32))


def test_steps_that_do_not_follow_from_those_before_them_are_refused(world: World) -> None:
    one, releases = world.form, world.form["releases"]
    lies: list[Any] = [
        one | {"releases": releases[:-1]},
        one | {"releases": [*releases[:2], releases[3], releases[2], releases[4]]},
        one | {"releases": [*releases[:4], releases[3]]},
        one | {"network": one["network"] | {"seed": 1, "steps": 5}},
        one | {"network": one["network"] | {"rate": 2}},
        one | {"network": one["network"] | {"clip": 2}},
        one | {"network": one["network"] | {"columns": one["network"]["columns"][::-1]}},
        one | {"weights": []},
    ]
    for lie in lies:
        with pytest.raises(Refused):
            check(canonical(lie), world.key)
    with pytest.raises(CannotCheck):
        check(canonical(one | {"version": 2}), world.key)
    other = World(SHORT, "masked").form["releases"]
    with pytest.raises(Refused):
        check(canonical(one | {"releases": [*releases[:4], other[4]]}), world.key)
    values = releases[2]["values"]
    with pytest.raises(Refused, match="at other weights"):
        check(world.signed(2, values=[values[0] + 400_000, *values[1:]]), world.key)


def test_steps_that_were_combined_in_two_ways_are_none_of_one_training() -> None:
    """Each promises something of its own, so that there is no one promise for all."""
    once = dataclasses.replace(SHORT, steps=1)
    world = World(once, "masked")
    other = world.many.train(once, HALF, secure="local").to_json()["releases"]
    with pytest.raises(Refused, match="of other sites"):
        check(canonical(world.form | {"releases": [world.form["releases"][0], other[1]]}), world.key)


@pytest.mark.parametrize(
    "change",
    [
        {"cost": {"currency": "zcdp", "loss": 1, "delta": 0}},
        {"epsilon": "0.01"},
        {"scales": [5000]},
        {"plan": "0" * 64},
        {"values": [1, 2]},
        {"guarantee": "Nobody can tell."},
    ],
    ids=str,
)
def test_a_coordinator_s_lies_about_a_step_are_refused(change: Any, world: World) -> None:
    with pytest.raises(Refused):
        check(world.signed(1, **change), world.key)


def test_no_number_of_it_can_be_edited(world: World) -> None:
    """Nor any other part: each release is signed, the network is what they are asked by."""
    # (but the seed, which says nothing where there are no hidden layers)
    for name in ("columns", "outcome", "steps", "rate", "clip", "layers", "data"):
        lie = copy.deepcopy(world.form)
        lie["network"][name] = moved(lie["network"][name])
        with pytest.raises((Refused, CannotCheck)):
            check(canonical(lie), world.key)
        with pytest.raises(PetsError):
            TrainedOverSites.from_json(lie)


def test_the_command_line_checks_it(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved, key = world.made.save(tmp_path / "network.json"), tmp_path / "coordinator.pub"
    key.write_text(world.key.hex(), "ascii")
    assert main.run(["verify", str(saved), "--key", str(key)]) == 0
    assert "4 steps of 5 numbers, each checked alone" in capsys.readouterr().out
    key.write_text(bytes(range(32)).hex(), "ascii")
    assert main.run(["verify", str(saved), "--key", str(key)]) != 0
    assert "is not verified" in capsys.readouterr().err


COLUMNS = {
    "id": pets.Identifier(),
    "n": pets.Integer(-3, 40),
    "r": pets.Real(0, 1, "0.125", nullable=False),
    "b": pets.Boolean(),
    "two": pets.Category(["a", "b"], nullable=False),
    "five": pets.Category(list("vwxyz")),
}
QUESTIONS = {"bare": T, "some": T.where(col("n") > 3).bound(rows=2), "made": T.with_columns(m=col("n") // 2)}


def schema(people: int) -> pets.Schema:
    return pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=5), COLUMNS, people=people)}, dataset="steps")


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize("outcome", ["b", "two", "five"])
def test_the_plan_of_a_step_is_the_same(name: str, outcome: str) -> None:
    draw, agreed = np.random.default_rng(len(name) + len(outcome)), 0
    for hidden in ((), ((3, "tanh"),), ((2, "relu"), (4, "tanh"))):
        for norm in (1, "0.001", "0.7", 64):
            inputs = draw.permutation([one for one in ("n", "r", "b", "two", "five") if one != outcome]).tolist()[:3]
            inputs += ["m"] * (name == "made")
            about: Any = {"outcome": outcome, "inputs": inputs, "hidden": hidden, "norm": norm}
            where = [None, col("r") > 0.5][int(draw.integers(2))]
            first = make_plan(QUESTIONS[name].agg(g=Gradient(**about, where=where)), schema(1000))
            wiring = first.measures[0].wiring
            assert wiring is not None
            at = tuple(draw.integers(-(2**22), 2**22, wiring.size).tolist())
            for step in (Gradient(**about, where=where), Gradient(**about, where=where, at=at)):
                for people in (1, 10**6, 2**40):
                    query = QUESTIONS[name].agg(g=step)
                    there = make_plan(query, schema(people))
                    here = Plan(json.loads(canonical(query.to_json())), json.loads(canonical(schema(people).to_json())))
                    assert canonical(here.form) == canonical(there.to_json())
                    assert here.widths == [measure.width for measure in there.measures]
                    agreed += 1
    assert agreed == 72


STEP: Any = Gradient(outcome="b", inputs=("n", "r"), at=(1, 2, 3)).to_json()
WRONG: dict[str, Any] = {
    "too few weights": {"at": [1, 2]},
    "a weight that is too great": {"at": [1, 2, 2**23]},
    "a weight that is none": {"at": [1, 2, True]},
    "an input twice": {"inputs": [{"column": "n"}] * 2},
    "the outcome as an input": {"inputs": [{"column": "b"}]},
    "no inputs": {"inputs": []},
    "an outcome of numbers": {"outcome": {"column": "n"}, "inputs": [{"column": "r"}]},
    "a clip that is too great": {"norm": 65},
    "a clip of nothing": {"norm": 0},
    "a layer that is none": {"hidden": [{"layer": "relu6", "out": 3}]},
    "a layer without a width": {"hidden": [{"layer": "relu", "out": 0}]},
    "five layers": {"hidden": [{"layer": "relu", "out": 3}] * 5},
}


@pytest.mark.parametrize("name", WRONG)
def test_a_step_that_pets_refuses_has_no_plan(name: str) -> None:
    known = json.loads(canonical(schema(1000).to_json()))
    form = {"table": "t", "agg": [["g", STEP]]}
    assert Plan(form, known).measures
    with pytest.raises(Refused):
        Plan({"table": "t", "agg": [["g", STEP | WRONG[name]]]}, known)
    with pytest.raises(PetsError):
        make_plan(pets.Query.from_json({"table": "t", "agg": [["g", STEP | WRONG[name]]]}), schema(1000))


def test_a_step_of_groups_has_no_plan() -> None:
    known = json.loads(canonical(schema(1000).to_json()))
    with pytest.raises(Refused, match="of groups"):
        Plan({"table": "t", "agg": [["g", STEP]], "by": [{"key": "column", "column": "two"}]}, known)
    with pytest.raises(CannotCheck):
        Plan({"table": "t", "agg": [["g", STEP | {"weights": 4}]]}, known)
    assert SCHEMA.digest != schema(1000).digest
