"""Refusals of what a survival curve is made of, and their remedies."""

from __future__ import annotations

from typing import Any

from pets.query_model.nodes.exits import Exits
from tests.remedies import Case


def exits(time: str = "days", event: str = "died", **more: Any) -> Any:
    return lambda: Exits(time=time, event=event, **more)


CASES = [
    Case(exits(event="days"), "name two columns", exits()),
    Case(exits(edges=(0, 30, 90), bins=3), "leave one out", exits(bins=3)),
    Case(exits(bins="many"), "must be a whole number", exits(bins=24)),
    Case(exits(bins=1), "take 24", exits(bins=24)),
]
