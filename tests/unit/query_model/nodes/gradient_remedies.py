"""Refusals of what a step of a training is made of, and their remedies."""

from __future__ import annotations

from typing import Any

from pets.query_model.nodes.gradient import Gradient
from tests.remedies import Case


def pull(**more: Any) -> Any:
    return lambda: Gradient(**{"outcome": "ill", "inputs": ("age", "sex"), **more})


ALL = tuple(f"x{number}" for number in range(201))
CASES = [
    Case(pull(inputs="age"), "such as ['age', 'sex']", pull(inputs=["age", "sex"])),
    Case(pull(inputs=("age", "ill")), "inputs=['age', 'sex']", pull(inputs=["age", "sex"])),
    Case(pull(inputs=("age", "age")), "each once", pull(inputs=["age", "sex"])),
    Case(pull(inputs=ALL), "from 1 to 200 inputs", pull(inputs=ALL[:200])),
    Case(pull(hidden=(16,)), "such as (16, 'tanh')", pull(hidden=((16, "tanh"),))),
    Case(pull(hidden=16), "take fewer", pull(hidden=((16, "tanh"),))),
    Case(pull(norm=0), "such as 1", pull(norm=1)),
    Case(pull(at=(0.5,)), "such as (0, 65536)", pull(at=(0, 65536))),
    Case(pull(at=(2**23,)), "from -64 to 64", pull(at=(0, 65536))),
    Case(pull(at=()), "such as (0, 65536)", pull(at=(0, 65536))),
]
