"""Refusals of a training's plan, and their remedies."""

from __future__ import annotations

from typing import Any

import pets
from pets.plan.plan import make_plan
from pets.plan.trained.train_plan import make_train_plan
from pets.query_model.nodes.gradient import Gradient
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


T, EVENTS, ONE = pets.query("t"), pets.events("t"), pets.KeySet(("three",), (("a",),))


def stepped(asked: Any, at: tuple[int, ...] = (0, 0)) -> Any:
    schema = pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=9), COLUMNS, people=1000)})
    return lambda: make_plan(asked.agg(g=Gradient(outcome="ill", inputs=("x",), at=at)), schema)


TRAININGS = [
    Case(planned("x", ("ill",)), "name another column", planned("ill")),
    Case(planned(columns=("seen",)), "name another column", planned()),
    Case(planned(columns=("x", "one")), "leave it out", planned()),
    Case(planned(columns=("many",)), "with map", planned(columns=("three",))),
    Case(layered(1), "needs 3", layered(3)),
    Case(planned(columns=[f"w{at}" for at in range(6)]), "take fewer columns", planned(columns=["w0"])),
    Case(planned(hidden=(1024, 1024)), "take narrower layers", planned(hidden=(16,))),
    Case(planned(hidden=(1000,), rows=10_000), "bound(rows=1)", planned(hidden=(1000,))),
    Case(stepped(T.group_by("three")), "leave out group_by", stepped(T.where(pets.col("three") == "a"))),
    Case(stepped(T.group_by(ONE)), "leave out group_by", stepped(T)),
    Case(stepped(T.bound(rows=5, rows_per_group=2)), "leave out group_by", stepped(T.bound(rows=5))),
    Case(stepped(pets.people(of="t", ill=EVENTS.exists(), x=EVENTS.count(max=3))), "one table", stepped(T)),
    Case(stepped(T, (0, 0, 0)), "2 weights, and 3 are given", stepped(T)),
]
