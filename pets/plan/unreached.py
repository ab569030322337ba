"""Unreached: what no row can reach, in words, decided from the schema and the question alone.

A condition that holds for no value of a domain, and bins that leave values of it out, give an answer that is empty or
short whatever the rows are. What is said is certain; that each contradiction is found, among many alternatives, is not.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence

from pets.common.codec import number
from pets.plan.calendar_slots import Cycle
from pets.plan.layout import Dimension
from pets.plan.measure import Measure
from pets.plan.plan import Plan
from pets.plan.predicate import AllOf, Codes, Predicate, Range, Texts, both, overlap, union
from pets.query_model.group_keys import Bins, Key, Period
from pets.schema.clock.time_of_day import Time
from pets.schema.dates import Calendar
from pets.schema.domain import Domain
from pets.schema.numeric import Numeric

_Box = Mapping[str, tuple[Range, ...]]
"""By column, the codes that are left; a column that is not named is free, and one with none left holds for no row."""

_LOOKS = 3  # an alternative that no longer holds narrows what is left for others
_NAMED = 3
_STEPS = 100_000
_ASK = "the true answer is empty, and nothing need be spent to know it"


def unreached(plan: Plan) -> tuple[str, ...]:
    """One sentence for each condition that no row can meet, and for each grouping that leaves values out.

    Also for the weeks at the ends of a column of days, which are not whole, and for codes of a list that are ignored.
    """
    return (*map(str, plan.lists), *_unreached(plan))


def _unreached(plan: Plan) -> tuple[str, ...]:
    base = _looked(plan.where, {})
    if none := _none(base):
        return (f"No row can meet the query's condition, which leaves {_value(plan, none)}: {_ASK}.",)
    inside = base
    for place, dimension in enumerate(plan.layout.dimensions):
        if dimension.text is not None:  # nobody knows which texts there are
            continue
        inside = _narrowed(Codes(dimension.column, _reported(plan, place)), inside)
    if none := _none(inside):
        met = "" if plan.where is None else " that meets the query's condition"
        return (f"No row{met} is in any of the groups, which leave {_value(plan, none)}: {_ASK}.",)
    pairs = zip(plan.query.keys, plan.layout.dimensions, strict=True)
    out = [said for key, dimension in pairs for said in _groups(plan, key, dimension, base)]
    out += [said for place in range(len(plan.query.keys)) for said in _broken_weeks(plan, place, inside)]
    for output in plan.outputs:
        measure = plan.measures[output.parts[0]]
        if none := _none(_looked(_needs(plan, measure), inside)):
            out.append(f"{output.name}: no row can meet its condition, which leaves {_value(plan, none)}.")
        elif measure.kind == "leaves":
            runs = ((measure.breaks[0], measure.breaks[-1] - 1),)
            domain = plan.fields[measure.column or ""]
            out += _left_out(measure.column or "", domain, runs, base, f"bin of {output.name!r}, so the bins")
    return tuple(out)


# conditions ---------------------------------------------------------------------------------------------------------


def _needs(plan: Plan, measure: Measure) -> Predicate | None:
    """What a row meets that counts in a measure: its condition, and a value in its column."""
    if measure.column is None:
        return measure.where
    return both(measure.where, Codes(measure.column, ((0, plan.fields[measure.column].cells - 1),)))


def _looked(predicate: Predicate | None, box: _Box) -> _Box:
    """What a condition leaves of the codes that were left."""
    for _ in range(_LOOKS):
        narrowed = box if predicate is None else _narrowed(predicate, box)
        if narrowed == box or _none(narrowed):
            return narrowed
        box = narrowed
    return box


def _narrowed(predicate: Predicate, box: _Box) -> _Box:
    if isinstance(predicate, Codes):
        before = box.get(predicate.column)
        left = predicate.ranges if before is None else overlap(before, predicate.ranges)
        return {**box, predicate.column: left}
    if isinstance(predicate, Texts):
        return box
    if isinstance(predicate, AllOf):
        # plain conditions first: they may close alternatives
        for term in sorted(predicate.terms, key=lambda one: not isinstance(one, Codes)):
            box = _narrowed(term, box)
            if _none(box):
                break
        return box
    branches = [_narrowed(term, box) for term in predicate.terms]
    open_ = [branch for branch in branches if not _none(branch)]
    if not open_:
        return {**box, **{column: () for branch in branches for column in _none(branch)}}
    shared = set(open_[0]).intersection(*open_[1:])
    return {column: union(branch[column] for branch in open_) for column in sorted(shared)}


def _none(box: _Box) -> tuple[str, ...]:
    """The columns with no code left."""
    return tuple(column for column, ranges in box.items() if not ranges)


def _value(plan: Plan, columns: Iterable[str]) -> str:
    """Of which columns no value is left."""
    said = []
    for column in columns:
        domain = plan.fields[column]
        said.append(f"{column!r} ({domain.describe()}{'' if domain.nullable else ', never missing'})")
    return f"no value of {' and none of '.join(said)}"


# groups -------------------------------------------------------------------------------------------------------------


def _reported(plan: Plan, place: int) -> tuple[Range, ...]:
    """The codes of a key's column that are in a group which is reported."""
    layout, dimension = plan.layout, plan.layout.dimensions[place]
    slots: Container[int] = range(dimension.size)
    if layout.keys is not None:
        stride = 1
        for later in layout.dimensions[place + 1 :]:
            stride *= later.size
        slots = {key // stride % dimension.size for key in layout.keys}
    return _in_slots(dimension, plan.fields[dimension.column], slots)


def _in_slots(dimension: Dimension, domain: Domain, slots: Container[int]) -> tuple[Range, ...]:
    """The codes that fall in these slots."""
    cycle = dimension.cycle
    if cycle is not None:
        return union([_in_cycle(cycle, domain, slots)])
    if not dimension.breaks:
        return union([[(slot, slot) for slot in range(dimension.size) if slot in slots]])
    ends = (*dimension.breaks[1:], domain.cells + 1)
    runs = zip(dimension.breaks, ends, dimension.slots, strict=True)
    return union([[(start, end - 1) for start, end, slot in runs if slot in slots]])


def _in_cycle(cycle: Cycle, domain: Domain, slots: Container[int]) -> list[Range]:
    """The codes in some slots of equal steps; all of them where there are too many steps to look at."""
    missing = [(domain.cells, domain.cells)] if domain.nullable and cycle.size in slots else []
    steps = range(cycle.offset // cycle.width, (domain.cells - 1 + cycle.offset) // cycle.width + 1)
    if len(steps) > _STEPS or all(slot in slots for slot in range(cycle.size)):
        return [(0, domain.cells - 1), *missing]
    starts = [(step * cycle.width - cycle.offset, step % cycle.size) for step in steps]
    runs = [(max(start, 0), min(start + cycle.width, domain.cells) - 1) for start, slot in starts if slot in slots]
    return [*runs, *missing]


def _groups(plan: Plan, key: Key, dimension: Dimension, base: _Box) -> list[str]:
    """Numbers and times that are in no bin, and bins that hold none."""
    domain = plan.fields[dimension.column]
    if not isinstance(key, Bins) or not dimension.breaks:
        return []
    binned = _in_slots(dimension, domain, range(dimension.size))
    out = _left_out(dimension.column, domain, binned, base, f"group of {dimension.name!r}, so the groups")
    held = set(dimension.slots)
    empty = [str(label) for slot, label in enumerate(dimension.labels) if slot not in held]
    if empty:
        more = f" and {len(empty) - _NAMED:,} more" if len(empty) > _NAMED else ""
        out.append(
            f"No value of {dimension.column!r} ({domain.describe()}) lies in {', '.join(empty[:_NAMED])}{more} of "
            f"{dimension.name!r}: nobody can be there."
        )
    return out


def _broken_weeks(plan: Plan, place: int, inside: _Box) -> list[str]:
    """The first and the last week of a column of days that hold only some days, under the whole week's name."""
    key, dimension = plan.query.keys[place], plan.layout.dimensions[place]
    domain, cycle = plan.fields[dimension.column], dimension.cycle
    if not isinstance(key, Period) or not key.unit.endswith("week") or cycle is None:
        return []
    assert isinstance(domain, Calendar)
    cells, slots = domain.cells, cycle.size
    last = cells - 1 - (cells - 1 + cycle.offset) % cycle.width
    ends = [
        (cycle.offset > 0, (0, min(cycle.width - cycle.offset, cells) - 1), 0, f"begins with {domain.lo}"),
        ((cells + cycle.offset) % cycle.width > 0, (max(last, 0), cells - 1), slots - 1, f"ends with {domain.hi}"),
    ]
    return [
        f"{dimension.name}: {dimension.labels[slot]} is no whole week, for {dimension.column!r} {end}."
        for broken, codes, slot, end in ends
        if broken and overlap(inside.get(dimension.column, ((0, cells),)), (codes,))
    ]


def _written(domain: Numeric | Calendar | Time, code: int) -> str:
    return str(number(domain.origin + domain.spacing * code) if isinstance(domain, Numeric) else domain.decode(code))


def _left_out(column: str, domain: Domain, binned: Sequence[Range], base: _Box, where: str) -> list[str]:
    """The values that lie in no bin, where the query's condition has not left them out already."""
    if not isinstance(domain, (Numeric, Calendar, Time)):
        return []
    gaps: list[Range] = []
    start = 0
    for low, high in (*binned, (domain.cells, domain.cells)):
        if start < low:
            gaps.append((start, low - 1))
        start = high + 1
    outside = overlap(base.get(column, ((0, domain.cells),)), gaps)
    if not outside:
        return []
    values = [tuple(_written(domain, code) for code in pair) for pair in outside]
    said = [f"{low}" if low == high else f"{low} to {high}" for low, high in values]
    most = f" and {len(said) - _NAMED:,} more ranges" if len(said) > _NAMED else ""
    return [
        f"Values of {column!r} that are not counted: {', '.join(said[:_NAMED])}{most}. They are in no {where} may add "
        "up to less than the whole."
    ]
