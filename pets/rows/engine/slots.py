"""Slots: public functions of a column's code, its slot in a group key among them, as expressions of every engine."""

from __future__ import annotations

from typing import Any

import numpy as np

from pets.plan.calendar_slots import Cycle
from pets.plan.vector import Ints
from pets.schema.domain import Domain

_EXACT = 2**52
"""Below it a quotient of whole numbers in double precision, as Ibis divides, never rounds up to the next one."""


def steps(code: Any, breaks: tuple[int, ...], slots: tuple[int, ...]) -> Any:
    """A public step function of a code, as a balanced tree of comparisons."""
    import ibis

    if len(slots) == 1:
        return ibis.literal(slots[0], "int32")
    middle = len(slots) // 2
    return ibis.ifelse(
        code < breaks[middle],
        steps(code, breaks[:middle], slots[:middle]),
        steps(code, breaks[middle:], slots[middle:]),
    )


def bins(code: Any, breaks: tuple[int, ...]) -> Any:
    """Which bin a code lies in that lies in one, by the bins' first codes and the code after the last bin's end."""
    cells, count = breaks[-1], len(breaks) - 1
    if breaks == tuple(range(count + 1)):
        return code
    if cells * count < _EXACT and breaks == tuple(cells * i // count for i in range(count + 1)):
        # bin i begins at ⌊cells·i/count⌋; a tree of hundreds of comparisons takes a second to write down
        return (((code.cast("int64") + 1) * count - 1) // cells).cast("int32")
    filled = [i for i in range(count) if breaks[i] < breaks[i + 1]]
    return steps(code, tuple(breaks[i] for i in filled), tuple(filled))


def cycle(code: Any, of: Cycle, domain: Domain) -> Any:
    """The slot of a code among equal steps; a missing value has the last one."""
    import ibis

    whole = code.cast("int64")
    slot = ((whole + of.offset) // of.width % of.size).cast("int32")
    return ibis.ifelse(whole == domain.cells, of.size, slot) if domain.nullable else slot


def scattered(slots: Ints, values: Ints, groups: int, place: Ints | int = 0, width: int = 1) -> Ints:
    """The values, each at its place among the ``width`` of its group; a slot of -1 is not reported."""
    out = np.zeros(groups * width, dtype=np.int64)
    kept = slots >= 0
    np.add.at(out, (slots * width + place)[kept], values[kept])
    return out


def within(code: Any, ranges: tuple[tuple[int, int], ...], top: int) -> Any:
    """Whether a code lies in one of some runs; ``top`` is the greatest that the column has."""
    import ibis

    tests = []
    singles = [low for low, high in ranges if low == high]
    if len(singles) > 1:
        tests.append(code.isin(singles))
    for low, high in ranges:
        if low == high and len(singles) > 1:
            continue
        if low == high:
            tests.append(code == low)
        elif low <= 0 and high >= top:
            return ibis.literal(True)
        else:
            tests.append(code <= high if low <= 0 else code >= low if high >= top else code.between(low, high))
    return ibis.or_(*tests)
