"""Intents: a code for each feature of an invented person, drawn so that together they meet a condition.

What is read of rows is drawn; what is computed of it follows, so a person whose computed features miss the condition is
drawn anew. Nothing here reads a row.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pets.plan.person_steps import Attribute, Difference, Fill, PersonPlan, Read, Span, Step
from pets.plan.predicate import Range, overlap, union
from pets.synthetic.dummy_data.query_targets import branches

TRIES = 300
EMPTY = 0.3
"""The share of people for whom a feature that nothing asks for finds no row."""

WAYS = 64
Limits = dict[int, tuple[Range, ...]]


def one_of(ranges: Sequence[Range], random: np.random.Generator) -> int:
    """A code of some ranges."""
    low, high = ranges[int(random.integers(len(ranges)))]
    return int(random.integers(low, high + 1))


def column_code(one: Difference, other: int, ranges: Sequence[Range], random: np.random.Generator) -> int | None:
    """A code of a column whose difference from a step (of code ``other``) lies in the ranges; ``None``: none found."""
    (wide, start), (other_wide, other_start) = zip(one.widths, one.starts, strict=True)
    day = one_of(ranges, random) - one.shift + (other + other_start) // other_wide
    code = day * wide - start + int(random.integers(wide))
    return code if 0 <= code < one.cells else None


def limits(plan: PersonPlan, branch: Mapping[str, tuple[Range, ...]]) -> Limits | None:
    """By step, the codes that one way of meeting a condition leaves; ``None`` where it leaves none."""
    names, found = dict(plan.names), Limits()
    for name, ranges in branch.items():
        found[names[name]] = overlap(found[names[name]], ranges) if names[name] in found else ranges
    for place in reversed(range(len(plan.steps))):
        step = plan.steps[place]
        if place in found and isinstance(step, Fill):
            inner = found[place]
            if step.null >= 0 and any(low <= step.code <= high for low, high in inner):
                inner = union([inner, ((step.null, step.null),)])
            found[step.of] = overlap(found[step.of], inner) if step.of in found else inner
    return found if all(found.values()) else None


def intents(plan: PersonPlan, wanted: Limits, random: np.random.Generator) -> dict[int, int] | None:
    """A code for each step; ``None`` where none was found."""
    for _ in range(TRIES):
        codes = _once(plan, wanted, random)
        if codes is not None:
            return codes
    return None


def _once(plan: PersonPlan, wanted: Limits, random: np.random.Generator) -> dict[int, int] | None:
    codes: dict[int, int] = {}
    for place, step in enumerate(plan.steps):
        if isinstance(step, (Read, Attribute)):
            found = _drawn(plan, place, step, wanted, codes, random)
        else:
            other: Any = step
            found = int(other.value(codes))
        if found is None or (place in wanted and not any(low <= found <= high for low, high in wanted[place])):
            return None
        codes[place] = found
    return codes


def _drawn(
    plan: PersonPlan, place: int, step: Read | Attribute, wanted: Limits, codes: Mapping[int, int], random: Any
) -> int | None:
    spanned = _by_span(plan, place, wanted, codes, random)
    if spanned is not None:
        return spanned
    own = wanted.get(place)
    # (a wish for no value at all is met by the draw below)
    if isinstance(step, Read) and not (own is None and random.random() < EMPTY):
        apart = _by_condition(step, codes, plan.steps, random)
        if apart is not None:
            return apart
    if own is not None:
        return one_of(own, random)
    if isinstance(step, Read) and random.random() < EMPTY:
        return step.absent
    return int(random.integers(step.domain.cells))


def _by_span(plan: PersonPlan, place: int, wanted: Limits, codes: Mapping[int, int], random: Any) -> int | None:
    """The second of two dates whose distance is wished for."""
    for at, span in enumerate(plan.steps):
        if not isinstance(span, Span) or at not in wanted or place not in (span.later, span.earlier):
            continue
        other = span.earlier if place == span.later else span.later
        inside = overlap(wanted[at], ((0, span.domain.cells - 1),))
        if other not in codes or codes[other] >= plan.steps[other].domain.cells or not inside:
            continue
        days = one_of(inside, random) - span.shift
        code = codes[other] + days if place == span.later else codes[other] - days
        return code if 0 <= code < plan.steps[place].domain.cells else None
    return None


def _by_condition(step: Read, codes: Mapping[int, int], steps: Sequence[Step], random: Any) -> int | None:
    """A value of a column whose distance from an earlier feature the rows' own condition bounds."""
    apart = {one.name: one for one in step.differences if one.column == step.column}
    if step.where is None or not apart or step.how not in ("first", "last", "min", "max"):
        return None
    for branch in itertools.islice(branches(step.where), WAYS):
        for name, one in apart.items():
            if name in branch and codes[one.step] < steps[one.step].domain.cells:
                return column_code(one, codes[one.step], branch[name], random)
    return None
