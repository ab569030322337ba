"""Refusals of a regression's design, and their remedies."""

from __future__ import annotations

from typing import Any

import pets
from pets.plan.plan import make_plan
from pets.query_model.nodes.design import Moments
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
    **{f"c{number}": pets.Category(["x", "y", "z"]) for number in range(11)},
}
MANY = [f"c{number}" for number in range(11)]


def planned(
    outcome: str, *terms: str, people: int = 100_000_000, weights: Any = None, levels: tuple[str, ...] = ()
) -> Any:
    schema = pets.Schema({"t": pets.Table(pets.Unit(None), COLUMNS, people=people)})
    sums = Moments(terms=tuple((name,) for name in terms), outcome=outcome, weights=weights, levels=levels)
    return lambda: make_plan(pets.Query("t", aggregates=(("fit", sums),)), schema)


CASES = [
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
