"""Refusals of the sums of a regression, and their remedies."""

from __future__ import annotations

from typing import Any

from pets.query_model.nodes.design import Moments
from pets.query_model.nodes.meat import Meat
from pets.query_model.nodes.newton import Newton
from tests.remedies import Case


def sums(*terms: Any, outcome: str = "y", weights: Any = None, levels: Any = ()) -> Any:
    return lambda: Moments(terms=terms, outcome=outcome, weights=weights, levels=levels)


def step(**more: Any) -> Any:
    return lambda: Newton(**{"terms": ("a",), "outcome": "y", "family": "poisson", **more})


def scores(**more: Any) -> Any:
    return lambda: Meat(**{"terms": ("a",), "outcome": "y", "at": (0, 0), **more})


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
    Case(step(family="poison"), "did you mean 'poisson'", step(family="poisson")),
    Case(step(family="logistic", exposure="e"), "leave it out", step(family="logistic")),
    Case(step(exposure="a"), "take it out of the outcome and the terms", step(exposure="e")),
    Case(step(at=(0.5, 1)), "whole numbers of 2^-30", step(at=(2**29, 2**30))),
    Case(step(weights="4.51"), "in steps of 1/64", step(weights="4.5")),
    Case(step(fine="yes"), "True or False", step(fine=True)),
    Case(scores(at=(0.5, 1)), "whole numbers of 2^-30", scores(at=(2**29, 2**30))),
    Case(scores(norm=0), "such as 2.5", scores(norm="2.5")),
    Case(scores(norm="0.0001"), "in steps of 1/4096", scores(norm="0.25")),
]
