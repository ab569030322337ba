"""Refusals of networks, and their remedies."""

from __future__ import annotations

from typing import Any

import pets
from pets.query_model.trained.network import Network
from tests.remedies import Case

LAYERS = [("linear", 4), "tanh", ("linear", 1)]


def network(layers: Any = LAYERS, **more: Any) -> Any:
    return lambda: pets.network(layers, **{"outcome": "y", "columns": ["x"], "data": "t"} | more)


def classifier(**more: Any) -> Any:
    return lambda: pets.classifier("y", ["x"], **{"data": "t"} | more)


OF_TORCH: dict[str, Any] = {"__module__": "torch.nn.modules.linear", "out_features": 1}
BARE, WHOLE = (type("Linear", (), OF_TORCH | {"bias": one})() for one in (None, [0.0]))
"""Layers of torch as they look from outside, without a bias and with one."""
FORM = pets.classifier("y", ["x"], data="t").to_json()

NETWORKS = [
    Case(network(data=pets.query("t").agg(n=pets.count())), "the name of a table", network(data="t")),
    Case(
        network(data=pets.people(n=pets.events("t").count(max=2))),
        "bound(rows=1)",
        network(data=pets.query("t").bound(rows=1)),
    ),
    Case(network(data=pets.query("t").bound(rows_per_group=1)), "bound(rows=1)", network(data="t")),
    Case(network(columns="x"), "['age', 'sex']", network(columns=["x", "z"])),
    Case(network(columns=["x", "y"]), "its outcome is none of them", network(columns=["x", "z"])),
    Case(network(["batchnorm1d", *LAYERS]), "leave it out", network()),
    Case(network([("linear", 4), "dropout", ("linear", 1)]), "leave it out", network()),
    Case(network([("linear", 4), "gelu", ("linear", 1)]), "name layers of this list", network()),
    Case(network([BARE]), "with bias=True", network([WHOLE])),
    Case(network("linear"), "[('linear', 16), 'tanh', ('linear', 1)]", network(["linear"])),
    Case(network([("linear", 4), "tanh"]), "the last of them ('linear', …)", network()),
    Case(network(["linear", "tanh", "linear"]), "write ('linear', 16)", network([("linear", 16), "tanh", "linear"])),
    Case(network([("linear", 0), "tanh", "linear"]), "from 1 to 1,024", network()),
    Case(network(steps=0), "from 1 to 10,000", network(steps=1)),
    Case(network(rate=0), "from 0.001 to 100", network(rate=1)),
    Case(network(clip="many"), "such as 1", network(clip=1)),
    Case(classifier(activation="gelu"), "name layers of this list", classifier(activation="relu")),
    Case(classifier(activation="linear"), "is 'tanh' or 'relu'", classifier(activation="tanh")),
    Case(classifier(hidden=16), "such as (16,)", classifier(hidden=(16,))),
    Case(classifier(hidden=(4,) * 5), "take fewer", classifier(hidden=(16,))),
    Case(
        lambda: Network(pets.query("t"), "y", ("x",), ((4, "tanhh"),)),
        "'tanh'",
        lambda: Network(pets.query("t"), "y", ("x",), ((4, "tanh"),)),
    ),
    Case(lambda: Network.from_json({}), "build it with pets.network", lambda: Network.from_json(FORM)),
]
