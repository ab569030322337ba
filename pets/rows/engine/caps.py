"""Caps: which of a person's rows count, where a query says in how many groups, and how many rows in each.

Both look at one person's own rows, in the order of their ranks, and at the final group: a bin, a period, a combination
of all keys, whether it is reported or not. Nothing is projected afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def first_groups(keyed: Any, names: Sequence[str], cap: int, engine: str) -> Any:
    """Only each person's first ``cap`` groups. ``keyed`` is an Ibis table whose columns ``names`` are the group."""
    if engine == "spark":
        return _numbered_groups(keyed, names, cap)
    groups = keyed.group_by(["person", *names]).agg(first=keyed["rank"].min())
    last = groups.group_by("person").agg(cut=groups["first"].min())
    for _ in range(cap - 1):
        later = groups.join(last, "person")
        later = later.filter(later["first"] > later["cut"])
        last = later.group_by("person").agg(cut=later["first"].min())
    # `last` holds the first rank of the cap-th group, for people who have that many; later groups are left out
    over = groups.join(last, "person")
    over = over.filter(over["first"] > over["cut"]).select("person", *names)
    return keyed.anti_join(over, ["person", *names])


def _numbered_groups(keyed: Any, names: Sequence[str], cap: int) -> Any:
    """The same by windows, each of which brings a person's rows together once, where every join moves the table."""
    import ibis

    first = keyed.mutate(first=keyed["rank"].min().over(ibis.window(group_by=["person", *names])))
    own = ibis.window(group_by="person", order_by="first")
    numbered = first.mutate(place=ibis.dense_rank().over(own))
    return numbered.filter(numbered["place"] < cap).drop("first", "place")


def first_in_groups(keyed: Any, names: Sequence[str], most: int) -> Any:
    """Only the first ``most`` rows of each person in each group (DuckDB and Spark)."""
    import ibis

    own = ibis.window(group_by=["person", *names], order_by="rank")
    numbered = keyed.mutate(before=ibis.row_number().over(own))
    return numbered.filter(numbered["before"] < most).drop("before")
