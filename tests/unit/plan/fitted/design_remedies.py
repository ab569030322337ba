"""Refusals of a regression's design, and their remedies."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pets
from pets.plan.plan import make_plan
from pets.query_model.nodes.design import Moments
from pets.query_model.nodes.meat import Meat
from pets.query_model.nodes.newton import Newton
from pets.query_model.query import Query
from tests.remedies import Case

COLUMNS: dict[str, Any] = {
    "age": pets.Integer(0, 120),
    "one": pets.Integer(5, 5),
    "seen": pets.Date("2020-01-01", "2024-12-31"),
    "sex": pets.Category(["F", "M"]),
    "code": pets.Category([f"c{number}" for number in range(60)]),
    "a": pets.Category([f"a{number}" for number in range(40)]),
    "b": pets.Category([f"b{number}" for number in range(40)]),
    "cost": pets.Real(0, 100_000, "0.01"),
    "los": pets.Integer(0, 99),
    "ill": pets.Boolean(),
    "many": pets.Integer(0, 2**20),
    "days": pets.Integer(1, 400),
    "fine_days": pets.Real(1, 60_000, "0.01"),
    **{f"c{number}": pets.Category(["x", "y", "z"]) for number in range(11)},
}
MANY = [f"c{number}" for number in range(11)]


def planned(
    outcome: str, *terms: str, people: int = 100_000_000, weights: Any = None, levels: tuple[str, ...] = ()
) -> Any:
    schema = pets.Schema({"t": pets.Table(pets.Unit(None), COLUMNS, people=people)})
    sums = Moments(terms=tuple((name,) for name in terms), outcome=outcome, weights=weights, levels=levels)
    return lambda: make_plan(pets.Query("t", aggregates=(("fit", sums),)), schema)


def step(**more: Any) -> Any:
    people = more.pop("people", 1000)
    schema = pets.Schema({"t": pets.Table(pets.Unit(None), COLUMNS, people=people)})
    node = Newton(**{"terms": ("age",), "outcome": "los", "family": "poisson", "at": (0, 0), **more})
    return lambda: make_plan(Query("t", aggregates=(("fit", node),)), schema)


def scores(**more: Any) -> Any:
    people = more.pop("people", 1000)
    schema = pets.Schema({"t": pets.Table(pets.Unit(None), COLUMNS, people=people)})
    at = (0,) * (1 + len(more.get("terms", ("age",))))
    node = Meat(**{"terms": ("age",), "outcome": "los", "at": at, "norm": 1, **more})
    return lambda: make_plan(Query("t", aggregates=(("fit", node),)), schema)


def product(third: str) -> Any:
    names = ("fine_days", "many", third)
    return [*names, *combinations(names, 2), names]


CASES = [
    Case(scores(at=(0, 0, 0)), "give one for each", scores()),
    Case(scores(terms=product("cost")), "a coarser step for one of them", scores(terms=product("age"))),
    Case(step(at=(0, 0, 0)), "give one for each", step()),
    Case(step(family="logistic"), "name another", step(family="logistic", outcome="ill")),
    Case(step(outcome="cost"), "bound it in the schema", step()),
    Case(
        step(exposure="age", terms=("sex",)),
        "be its least value, above 0, such as 1",
        step(exposure="days", terms=("sex",)),
    ),
    Case(step(exposure="one"), "can only have one value, and tells nothing; leave it out", step()),
    Case(step(exposure="fine_days"), "a coarser step for it in the schema", step(exposure="days")),
    Case(step(outcome="many", exposure="days"), "raise its min in the schema", step(outcome="many")),
    Case(step(at=(2**33, 0), people=2**32), "state a smaller 'people'", step(at=(2**33, 0))),
    Case(planned("los", "seen"), "name another column", planned("los", "age")),
    Case(planned("sex", "age"), "the outcome of a regression is a number or a boolean", planned("los", "age")),
    Case(planned("los", "one"), "leave it out", planned("los", "age")),
    Case(planned("los", "code"), "group them first", planned("los", "a")),
    Case(planned("los", "a", "b"), "take fewer terms", planned("los", "a")),
    Case(planned("cost", "age"), "state a smaller 'people'", planned("cost", "age", people=50_000)),
    Case(planned("los", "cost", people=9, weights=2), "weights=None", planned("los", "cost", people=9)),
    Case(planned("los", "age", levels=("age",)), "take C() off", planned("los", "age")),
    Case(planned("los", "sex", levels=("sex",)), "leave it out of levels", planned("los", "sex")),
    Case(planned("los", *MANY, weights=2), "take fewer", planned("los", *MANY[:10], weights=2)),
    Case(planned("los", *MANY, weights=2), "weights=None", planned("los", *MANY)),
]
