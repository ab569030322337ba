"""What a question may ask, for the checker's planner: the ranges of its parts, as pets takes them, and no others."""

from itertools import pairwise
from typing import Any

CAPS = {"rows": 1_000_000, "groups": 16, "rows_per_group": 1_000_000}  # the most that may be asked for
EDGES = 100_000  # of bins


def whole(value: Any, least: int, most: int) -> bool:
    """A whole number in a range. In Python True is 1: that is none."""
    return type(value) is int and least <= value <= most


def check(query: Any, base: Any) -> None:
    """Raises Refused where a part of a question is outside its range; ``base``: the planner's columns."""
    for name in {*CAPS} & {*query}:
        base.need(whole(query[name], 1, CAPS[name]), f"{name} in it is no whole number from 1 to {CAPS[name]:,}")
    for part in (*query.get("by", []), *(one for _, one in query["agg"])):
        cuts = [base.number(edge) for edge in part.get("edges", [0, 1])]
        grow = 2 <= len(cuts) <= EDGES and all(low < high for low, high in pairwise(cuts))
        base.need(grow, "the edges of its bins do not grow")  # where bins overlap, a row is in several
