"""Edges of bins: exact numbers, days and moments of the calendar, or times of day, in increasing order."""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, TypeVar

from pets.common.codec import fraction, number, python_value
from pets.common.literals import clock, clock_text, day, moment
from pets.errors import QueryError, shown

T = TypeVar("T")
Cut = Fraction | dt.date | dt.timedelta
"""An edge: an exact number, a day, a moment (a day's midnight is the day), or a time of day (since midnight)."""
MAX_EDGES = 100_000
_EXAMPLE = "such as [0, 18, 65, 120]"
_DATES = "days, such as ['2022-01-01', '2022-04-01'], or times of day, such as ['08:00', '16:00']"


def members(values: object, most: int) -> list[Any] | None:
    """The members of a list, an array or a series, at most ``most`` and one; ``None`` for anything else."""
    if isinstance(values, (str, bytes, Mapping, type)) or not isinstance(values, Iterable):
        return None
    try:
        return list(itertools.islice(values, most + 1))
    except TypeError:  # such as an array of no dimension
        return None


def edges_of(edges: object) -> tuple[Fraction, ...]:
    """At least two exact, strictly increasing numbers; raises :class:`QueryError` otherwise."""
    cuts = _all(_edge, _listed(edges))
    if cuts is None:
        raise QueryError(f"bin edges must be finite numbers, {_EXAMPLE}")
    return _growing(cuts, cuts)


def cuts_of(edges: object) -> tuple[Cut, ...]:
    """At least two growing numbers, days and moments, or times of day; raises :class:`QueryError` otherwise."""
    given = _listed(edges)
    numbers = _all(_edge, given)
    if numbers is not None:
        return _growing(numbers, numbers)
    hours = _all(clock, given)
    if hours is not None:
        return _growing(hours, hours)
    times = _all(_time, given)
    if times is None:
        raise QueryError(f"bin edges must be finite numbers, {_EXAMPLE}, {_DATES}")
    return _growing(times, [moment(time) for time in times])


def cut_json(cut: Cut) -> int | str:
    """The canonical form of an edge, which its bins' labels have, too: ``18``, ``0.1``, ``2022-01-01``, ``08:30``."""
    if isinstance(cut, dt.timedelta):
        return clock_text(cut)
    if isinstance(cut, dt.datetime):
        return cut.isoformat(" ", "auto" if cut.second or cut.microsecond else "minutes")
    return cut.isoformat() if isinstance(cut, dt.date) else number(cut)


def interval_labels(cuts: Sequence[Cut]) -> list[str]:
    """Interval notation for consecutive edges, the last interval closed."""
    pairs = list(itertools.pairwise([str(cut_json(cut)) for cut in cuts]))
    return [f"[{a}, {b}{']' if i == len(pairs) - 1 else ')'}" for i, (a, b) in enumerate(pairs)]


def _listed(edges: object) -> list[Any]:
    found = members(edges, MAX_EDGES)
    if found is None:
        raise QueryError(f"bins need a list of edges {_EXAMPLE}, not {shown(edges)}")
    if len(found) > MAX_EDGES:
        raise QueryError(f"bins take at most {MAX_EDGES:,} edges; use fewer")
    return found


def _all(read: Callable[[object], T], values: list[Any]) -> tuple[T, ...] | None:
    try:
        return tuple(read(value) for value in values)
    except ValueError:
        return None


def _growing(cuts: tuple[T, ...], places: Sequence[Any]) -> tuple[T, ...]:
    if len(cuts) < 2 or any(a >= b for a, b in itertools.pairwise(places)):
        raise QueryError(f"bins need at least two edges in increasing order, {_EXAMPLE}")
    return cuts


def _edge(value: object) -> Fraction:
    """An edge as an exact number; a float within a few roundings of a short decimal is that decimal.

    >>> _edge(0.1 + 0.2), _edge(1 / 3) == fraction(1 / 3)
    (Fraction(3, 10), True)
    """
    exact, plain = fraction(value), python_value(value)
    if not isinstance(plain, float):
        return exact
    short = fraction(f"{plain:.12g}")
    return short if abs(short - exact) <= 4 * Fraction(math.ulp(plain)) else exact


def _time(value: object) -> dt.date:
    """A day, also from its midnight, or a moment without a zone."""
    try:
        return day(value)
    except ValueError:
        found = moment(value)
    return found if found.time() != dt.time() else found.date()
