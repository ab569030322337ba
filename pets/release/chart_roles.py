"""Which key of an answer a chart shows where: along the axis, by colour, in panels. No key is left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pets.errors import QueryError, did_you_mean, shown
from pets.plan.plan import Plan
from pets.query_model.group_keys import Bins, DatePart, Period
from pets.schema.clock.time_of_day import Time
from pets.schema.dates import Date
from pets.schema.numeric import Integer

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe and Ito's palette: told apart by readers with any common colour vision."""
MAX_COLOURS = 20
"""Of a palette with more colours, for a key that a reader wants there."""
BIN = "bin"
"""What lies along the axis of a histogram."""


@dataclass(frozen=True)
class Roles:
    """Where each key is shown, by name (empty: nowhere).

    Attributes:
        along: the key along the axis; ``bin`` for a histogram.
        colour: the key told by colour.
        panels: the keys whose every combination has a panel of its own.
    """

    along: str = ""
    colour: str = ""
    panels: tuple[str, ...] = ()


@dataclass(frozen=True)
class KeyFacts:
    """What decides where a key goes.

    Attributes:
        size: its values in this answer.
        rank: 2 for a time, 1 for numbers in their order, 0 for names.
    """

    name: str
    size: int
    rank: int


def facts(plan: Plan) -> tuple[KeyFacts, ...]:
    """Of each key, in order."""
    sizes = {name: len(dict.fromkeys(map(str, labels))) for name, labels in plan.layout.columns().items()}
    out = []
    for key, dimension in zip(plan.query.keys, plan.layout.dimensions, strict=True):
        domain = plan.fields[key.column]
        time = isinstance(key, (Period, DatePart)) or isinstance(domain, Date)
        number = isinstance(key, Bins) or isinstance(domain, (Integer, Time))
        out.append(KeyFacts(dimension.name, sizes[dimension.name], 2 if time else 1 if number else 0))
    return tuple(out)


def roles(
    keys: Sequence[KeyFacts], *, histogram: bool, x: object = None, facet: object = None, colour: object = None
) -> Roles:
    """Who is shown where: as asked, and the rest so that an order lies along the axis and colours stay few.

    Raises :class:`QueryError` for a name that is no key, or is asked for twice.
    """
    names = [key.name for key in keys]
    wanted_x = _names("x", x, names, most=1)
    wanted_colour = _names("colour", colour, names, most=1)
    wanted_panels = _names("facet", facet, names, most=len(names))
    every = [*wanted_x, *wanted_colour, *wanted_panels]
    for name in every:
        if every.count(name) > 1:
            raise QueryError(f"key {name!r} is shown once in a chart; name it in one of x, facet and colour")
    if histogram and wanted_x:
        raise QueryError("a histogram has its bins along x; use facet or colour for its keys")
    for key in keys:
        if key.name in wanted_colour and key.size > MAX_COLOURS:
            raise QueryError(
                f"key {key.name!r} has {key.size:,} values and colours tell at most {MAX_COLOURS} apart; "
                f"use facet={key.name!r}"
            )
    left = [key for key in keys if key.name not in every]
    along = BIN if histogram else wanted_x[0] if wanted_x else ""
    if not along and left:
        along = _along(left, free=not wanted_colour and not wanted_panels)
        left = [key for key in left if key.name != along]
    tone = wanted_colour[0] if wanted_colour else ""
    if not tone and not wanted_panels and not histogram:
        few = [key for key in left if key.size <= len(COLOURS)]
        if few:
            tone = few[-1].name
            left = [key for key in left if key.name != tone]
    asked_order = dict.fromkeys([*wanted_panels, *(key.name for key in left)])
    return Roles(along, tone, tuple(asked_order))


def _along(keys: Sequence[KeyFacts], *, free: bool) -> str:
    """The key along the axis: the one with an order and most values, time before numbers."""
    best = max(keys, key=lambda key: (key.rank, key.size))
    if best.rank:
        return best.name
    if len(keys) == 1:
        return keys[0].name
    if not free:
        return max(keys, key=lambda key: key.size).name
    # names only: the last may be few enough for colours, and the one before it lies along the axis
    first, second = keys[-2], keys[-1]
    if second.size <= len(COLOURS):
        return first.name
    return first.name if first.size > second.size else second.name


def _names(what: str, value: object, known: Sequence[str], *, most: int) -> list[str]:
    if value is None:
        return []
    listed = [value] if isinstance(value, str) else list(value) if isinstance(value, (list, tuple)) else None
    if listed is None or not listed or len(listed) > max(most, 1):
        wanted = "the name of a key" if most <= 1 else "the name of a key, or a list of them"
        raise QueryError(f"{what} must be {wanted}, not {shown(value)}")
    for name in listed:
        if name not in known:
            raise QueryError(f"{shown(name)} is not a key of this release{did_you_mean(name, known)}")
    return [str(name) for name in listed]
