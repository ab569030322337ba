"""Rows, a schema and networks for the tests of trainings, and their refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

import pets
from tests.remedies import Case

COLUMNS = {
    "id": pets.Identifier(),
    "x": pets.Integer(0, 9, nullable=False),
    "b": pets.Boolean(nullable=False),
    "c": pets.Category(["p", "q", "r"]),
    "y": pets.Category(["no", "yes"], nullable=False),
}
SCHEMA = pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=2), COLUMNS)}, dataset="trained")
DP = pets.DP(epsilon=4)
NET = pets.classifier("y", ["x", "b", "c"], data="t", steps=20, rate=3)
HIDDEN = pets.classifier("c", ["x", "b"], data=pets.query("t").bound(rows=1), hidden=(4,), steps=6)


def rows(people: int = 600) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    n = 2 * people
    frame = pd.DataFrame({"id": np.arange(n) // 2, "x": rng.integers(0, 10, n)})
    frame["b"] = rng.integers(0, 2, n).astype(bool)
    frame["c"] = rng.choice(["p", "q", "r", None], n, p=[0.4, 0.3, 0.2, 0.1])
    frame["y"] = np.where(frame.x + 3 * frame.b + rng.normal(0, 1, n) > 6, "yes", "no")
    return frame


ROWS = rows()


def opened(data: Any = ROWS, **more: Any) -> pets.Session:
    return pets.Session(SCHEMA, data, **{"budget": pets.Budget(epsilon=100, delta=1e-6), "progress": False} | more)


def train(network: Any = NET, protection: Any = DP, **more: Any) -> Any:
    return lambda: opened(**more).train(network, protection)


PURE = {"budget": pets.Budget(epsilon=9)}
FEW = pets.Policy(max_numbers=20)


TRAININGS = [
    Case(train("y ~ x"), "pets.classifier(", train()),
    Case(train(protection=pets.Exact()), "pets.DP(epsilon=…)", train()),
    Case(train(protection=pets.Total()), "pets.DP(epsilon=…)", train()),
    Case(train(protection=pets.DP(epsilon=1, pure=True)), "ask with epsilon=", train()),
    Case(train(protection=pets.DP(within=5)), "ask with epsilon=", train()),
    Case(train(**PURE), "in one with a delta", train()),
    Case(train(protection=pets.DP(rho=1e-11)), "a larger epsilon", train()),
    Case(
        train(policy=FEW),
        "take fewer steps",
        train(pets.classifier("y", ["x"], data="t", steps=2), policy=FEW),
    ),
]
