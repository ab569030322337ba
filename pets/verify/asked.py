"""What a question may ask, for the checker's planner: the ranges of its parts, as pets takes them, and no others."""

from typing import Any

CAPS = {"rows": 1_000_000, "groups": 16, "rows_per_group": 1_000_000}  # the most that may be asked for


def whole(value: Any, least: int, most: int) -> bool:
    """A whole number in a range. In Python True is 1: that is none."""
    return type(value) is int and least <= value <= most


def check(query: Any, base: Any) -> None:
    """Raises Refused where a part of a question is outside its range; ``base``: the planner's columns."""
    for name in {*CAPS} & {*query}:
        base.need(whole(query[name], 1, CAPS[name]), f"{name} in it is no whole number from 1 to {CAPS[name]:,}")
