"""Bounds that features state: days, the most that counts, the ends of a total. All are public constants."""

from __future__ import annotations

import itertools
from fractions import Fraction

from pets.common.codec import fraction, whole
from pets.errors import QueryError, shown

MAX_DAYS = 4_000_000
"""More days than the calendar has."""

MAX_INTERVALS = 60
"""Intervals that one call parts rows into: a person may have 64 features."""


MAX_NTH = 999
"""Which row in an order may be read: the first to this one."""


def days_between(what: str, low: object, high: object, *, open_ends: bool = False) -> tuple[int | None, int | None]:
    """Two whole numbers of days, the first not above the second (``None`` where an end may be left open)."""
    try:
        ends = [None if open_ends and end is None else whole(end) for end in (low, high)]
    except ValueError:
        raise QueryError(f"{what} takes two whole numbers, such as (1, 30), not {shown((low, high))}") from None
    if any(end is not None and abs(end) > MAX_DAYS for end in ends):
        raise QueryError(f"{what} takes at most {MAX_DAYS:,} days")
    if ends[0] is not None and ends[1] is not None and ends[0] > ends[1]:
        raise QueryError(f"{what}: {ends[0]} is above {ends[1]}; swap them")
    return ends[0], ends[1]


def most_of(label: str, value: object) -> int:
    """The most of something that counts."""
    return counted(label, value, 1_000_000)


def nth_of(how: str, value: object) -> int:
    """Which row in its order is read, 1 for the first (of ``last``: the one at the end)."""
    return counted(f"{how}(nth=…)", value, MAX_NTH)


def counted(label: str, value: object, most: int) -> int:
    """A whole number from 1 to the most; raises :class:`QueryError` for anything else."""
    try:
        found = whole(value)
    except ValueError:
        found = 0
    if not 1 <= found <= most:
        raise QueryError(f"{label} must be a whole number from 1 to {most:,}, not {shown(value)}")
    return found


def gap_of(value: object) -> int:
    """The days that may lie between two events of one episode."""
    try:
        found = whole(value)
    except ValueError:
        found = -1
    if not 0 <= found <= MAX_DAYS:
        raise QueryError(
            f"episodes(gap=…) takes the most days that lie between two events of one episode, such as gap=30, not "
            f"{shown(value)}"
        )
    return found


def edges_of(value: object) -> list[int]:
    """The first days of intervals, and the day after the last one."""
    try:
        edges = [whole(day) for day in value]  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        edges = []
    if not 2 <= len(edges) <= MAX_INTERVALS + 1 or any(low >= high for low, high in itertools.pairwise(edges)):
        raise QueryError(
            f"intervals(…, days=…) takes the ends of 1 to {MAX_INTERVALS} intervals, whole days that grow, such as "
            f"days=[0, 30, 60], not {shown(value)}"
        )
    if max(abs(edges[0]), abs(edges[-1])) > MAX_DAYS:
        raise QueryError(f"intervals(…, days=…) takes at most {MAX_DAYS:,} days")
    return edges


def clip_of(value: object) -> tuple[Fraction, Fraction]:
    """The bounds of a person's total."""
    if value is None:
        raise QueryError(
            "a sum of a person's rows needs the bounds of the person's total, such as .sum('cost', clip=(0, 1000))"
        )
    try:
        if not isinstance(value, (tuple, list)):
            raise ValueError("not a pair")
        low, high = (fraction(end) for end in value)
    except ValueError:
        raise QueryError(f"clip needs two numbers, such as clip=(0, 10), not {shown(value)}") from None
    if low >= high:
        raise QueryError(f"clip's low bound must be below its high bound in {shown(value)}; such as clip=(0, 1000)")
    return low, high
