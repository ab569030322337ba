"""A network: one canonical form, a closed list of layers, and no code of anybody's."""

from __future__ import annotations

import json

import pytest

import pets
from pets import col
from pets.common.codec import canonical
from pets.errors import QueryError
from pets.query_model.trained.network import Network
from tests.extras import needs

pytestmark = pytest.mark.chance(0)

ADULTS = pets.query("t").where(col("x") >= 3).with_columns(half=col("x") // 2).bound(rows=2)
NETWORKS = [
    pets.classifier("y", ["x"], data="t"),
    pets.classifier("y", ["x", "half"], data=ADULTS, hidden=(8, 4), activation="relu", steps=50, rate=0.25, clip=0.5),
    pets.network([("linear", 16), "tanh", ("linear", 3)], outcome="c", columns=["x"], data="t", seed=7),
    pets.network([{"layer": "linear", "out": 2}, {"layer": "relu"}, "linear"], outcome="c", columns=["x"], data="t"),
]


@pytest.mark.parametrize("network", NETWORKS, ids=[str(at) for at in range(len(NETWORKS))])
def test_there_and_back(network: Network) -> None:
    form = json.loads(canonical(network.to_json()))
    assert Network.from_json(form) == network
    assert Network.from_json(form).digest == network.digest
    assert pets.Query.from_json(json.loads(canonical(network.query.to_json()))) == network.query


def test_the_canonical_form_is_spelt_out() -> None:
    assert pets.classifier("y", ["x"], data="t", hidden=(4,)).to_json() == {
        "model": "network",
        "version": 1,
        "layers": [{"layer": "linear", "out": 4}, {"layer": "tanh"}, {"layer": "linear"}],
        "outcome": {"column": "y"},
        "columns": [{"column": "x"}],
        "steps": 200,
        "rate": "0.5",
        "clip": 1,
        "seed": 0,
        "data": {"table": "t"},
    }


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"model": "linear"},
        {"layers": [{"layer": "conv2d", "out": 4}, {"layer": "tanh"}, {"layer": "linear"}]},
        {"layers": [{"layer": "linear"}, {"layer": "linear"}]},
        {"steps": 0},
        {"steps": 1.5},
        {"rate": "nan"},
        {"more": 1},
        {"data": {"table": "t", "agg": []}},
        {"columns": ["x"]},
    ],
)
def test_another_form_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(QueryError):
        Network.from_json(NETWORKS[0].to_json() | change)


def test_layers_of_torch_are_taken_by_kind_and_width_alone() -> None:
    needs("torch")
    import torch

    layers = [torch.nn.Linear(9, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1)]
    made = pets.network(layers, outcome="y", columns=["x"], data="t")
    assert made == pets.network([("linear", 4), "relu", ("linear", 1)], outcome="y", columns=["x"], data="t")
    for layer, why in [
        (torch.nn.BatchNorm1d(4), "its gradients are not per person"),
        (torch.nn.Dropout(), "chance of its own"),
        (torch.nn.GELU(), "none of them"),
        (type("Linear", (torch.nn.Linear,), {})(9, 4), "a module of your own is code"),
    ]:
        with pytest.raises(QueryError, match=why):
            pets.network([torch.nn.Linear(9, 4), layer, torch.nn.Linear(4, 1)], outcome="y", columns=["x"], data="t")
    with pytest.raises(QueryError, match="a module of your own is code"):
        pets.network(torch.nn.Sequential(*layers), outcome="y", columns=["x"], data="t")  # type: ignore[arg-type]
