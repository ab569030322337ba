"""Refusals of a training's plan, and their remedies."""

from __future__ import annotations

from typing import Any

import pets
from pets.plan.trained.train_plan import make_train_plan
from tests.remedies import Case

COLUMNS = {
    "id": pets.Identifier(),
    "x": pets.Integer(0, 9),
    "one": pets.Integer(5, 5),
    "ill": pets.Boolean(),
    "three": pets.Category(["a", "b", "c"]),
    "many": pets.Category([str(number) for number in range(201)]),
    "seen": pets.Date("2020-01-01", "2020-12-31"),
    **{f"w{at}": pets.Category([str(number) for number in range(200)]) for at in range(6)},
}


def planned(outcome: str = "ill", columns: Any = ("x",), rows: int = 1, **more: Any) -> Any:
    schema = pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=10_000, rows=1), COLUMNS, people=1000)})
    data = pets.query("t").bound(rows=rows)
    return lambda: make_train_plan(pets.classifier(outcome, list(columns), data=data, **more), schema)


def layered(outputs: int) -> Any:
    schema = pets.Schema({"t": pets.Table(pets.Unit("id"), COLUMNS, people=1000)})
    asked = pets.network([("linear", outputs)], outcome="three", columns=["x"], data="t")
    return lambda: make_train_plan(asked, schema)


TRAININGS = [
    Case(planned("x", ("ill",)), "name another column", planned("ill")),
    Case(planned(columns=("seen",)), "name another column", planned()),
    Case(planned(columns=("x", "one")), "leave it out", planned()),
    Case(planned(columns=("many",)), "with map", planned(columns=("three",))),
    Case(layered(1), "needs 3", layered(3)),
    Case(planned(columns=[f"w{at}" for at in range(6)]), "take fewer columns", planned(columns=["w0"])),
    Case(planned(hidden=(1024, 1024)), "take narrower layers", planned(hidden=(16,))),
    Case(planned(hidden=(1000,), rows=10_000), "bound(rows=1)", planned(hidden=(1000,))),
]
