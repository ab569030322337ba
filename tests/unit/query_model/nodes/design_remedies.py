"""Refusals of the sums of a regression, and their remedies."""

from __future__ import annotations

from typing import Any

from pets.query_model.nodes.design import Moments
from tests.remedies import Case


def sums(*terms: Any, outcome: str = "y", weights: Any = None, levels: Any = ()) -> Any:
    return lambda: Moments(terms=terms, outcome=outcome, weights=weights, levels=levels)


ALL = [f"x{number}" for number in range(40)]
CASES = [
    Case(sums(), "from 1 to 32 terms", sums("a")),
    Case(sums(*ALL), "from 1 to 32 terms", sums(*ALL[:32])),
    Case(sums("a", "y"), "take it out of the terms", sums("a")),
    Case(sums("a", "a"), "keep one", sums("a")),
    Case(sums("a", ("a", "b")), "which has them all", sums("a", "b", ("a", "b"))),
    Case(sums(("a", "a")), "different ones", sums("a")),
    Case(sums(("a", "b", "c", "d")), "up to 3 different ones", sums("a")),
    Case(sums("a", weights="all"), "such as 4.5", sums("a", weights="4.5")),
    Case(sums("a", levels=("b",)), "leave it out of levels", sums("a", levels=("a",))),
    Case(sums("a", levels=("a", "a")), "keep one", sums("a", levels=("a",))),
    Case(sums("a", weights=0), "from 1 to 64", sums("a", weights=1)),
]
