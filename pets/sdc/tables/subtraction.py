"""Subtraction: what follows of a hidden cell from totals and other cells, step by step, as a reader would find it.

Every step is true, so that what is found is an attack; what is not found here may still be found by all tables at once,
which is for the solver to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import prod

from pets.sdc.tables.axis import cover
from pets.sdc.tables.bounds import MOST, Bounded
from pets.sdc.tables.linked import Linked, Stated, comparable
from pets.sdc.tables.sheet import TOTAL

Slot = tuple[int, ...]
ROUNDS = 60
MAX_EQUATIONS = 200_000
_DEPTH = 3


@dataclass(frozen=True)
class Equation:
    """A total is the sum of its parts; each part with the name that a sentence gives it."""

    total: Slot
    parts: tuple[Slot, ...]


@dataclass(frozen=True)
class Step:
    """How an end was found: in words, from which ends of which slots, and as the how-manieth of all steps."""

    text: str
    ends: tuple[tuple[Slot, bool], ...]
    time: int


@dataclass
class Open:
    """What a slot leaves open, and how that was found; no step where it is shown so."""

    low: int
    high: int
    name: str
    low_step: Step | None = None
    high_step: Step | None = None


class ContradictionError(Exception):
    """The tables cannot all be true; the message names the total."""


def equations(linked: Linked) -> Iterator[tuple[Equation, dict[Slot, str]]]:
    """What adds up to what: totals of each sheet, and populations within others."""
    for level, one in linked.sheets:
        yield from _of_sheet(linked, level, one)
    for (a, one), (b, other) in product(linked.sheets, repeat=2):
        if a >= b:
            continue
        inner = other.margins()
        for key in one.margins():
            if key in inner and comparable(one, other, key):
                named = [(name, (label,)) for name, label in key]
                between = linked.atoms(named, range(a, b))
                parts = (between, linked.atoms(named, range(b, linked.levels)))
                whose = f"({', '.join(label for _, label in key)})" if key else "everybody"
                name = f"{whose} in {one.sheet.name} and not in {other.sheet.name}"
                yield Equation(linked.atoms(named, range(a, linked.levels)), parts), {between: name}


def _of_sheet(linked: Linked, level: int, one: Bounded) -> Iterator[tuple[Equation, dict[Slot, str]]]:
    choices = [(*labels, TOTAL) for labels in one.labels]
    axes = dict(linked.axes)
    if prod(len(labels) for labels in choices) > MAX_EQUATIONS:
        return
    for at in product(*choices):
        for place, label in enumerate(at):
            if label == TOTAL:
                names = one.once[place]
            else:
                whole = axes[one.sheet.dimensions[place]].parts
                inside = tuple(other for other in whole if set(whole[other]) < set(whole[label]))
                names = cover(inside) if inside else ()
                if sum(len(whole[name]) for name in names) != len(whole[label]):
                    continue
            if not names:
                continue
            cells = [(*at[:place], name, *at[place + 1 :]) for name in names]
            slots = {cell: linked.slot(level, one, cell) for cell in (at, *cells)}
            whose = f" of {one.sheet.name}" if len(linked.sheets) > 1 else ""
            said = {slots[cell]: f"({', '.join(cell)}){whose}" for cell in (at, *cells)}
            yield Equation(slots[at], tuple(slots[cell] for cell in cells)), said


class Subtraction:
    """What is open of every slot of linked sheets, after all that subtraction tells.

    Raises:
        ContradictionError: where the sheets cannot all be true.
    """

    def __init__(self, linked: Linked) -> None:
        self.slots: dict[Slot, Open] = {}
        self._time = 0
        for stated in linked.statements():
            self._say(stated)
        self._equations: list[Equation] = []
        for equation, names in equations(linked):
            self._equations.append(equation)
            for slot in (equation.total, *equation.parts):
                here = self._slot(slot, "")
                here.name = here.name or names.get(slot, "")
        for _ in range(ROUNDS):
            if sum(self._settled(one) for one in self._equations) == 0:
                break

    def _say(self, stated: Stated) -> None:
        """Take what one cell shows; of what another shows already, the narrower ends."""
        anew = stated.atoms not in self.slots
        here = self._slot(stated.atoms, "")
        step = None if anew else self._step(f"as {stated.source} shows", (), upper=True)
        if stated.low > here.low:
            here.low, here.low_step = stated.low, step
        if stated.high < here.high:
            here.high, here.high_step = stated.high, step

    def _slot(self, slot: Slot, name: str) -> Open:
        return self.slots.setdefault(slot, Open(0, 0 if not slot else MOST, name))

    def _settled(self, equation: Equation) -> bool:
        """Draw what follows from one equation; whether anything did."""
        total, parts = self.slots[equation.total], [self.slots[one] for one in equation.parts]
        before = self._time
        if (low := sum(one.low for one in parts)) > total.low:
            total.low_step = self._step(_added([one.low for one in parts]), equation.parts, upper=False)
            total.low = low
        if (high := sum(one.high for one in parts)) < min(total.high, MOST):
            total.high_step = self._step(_added([one.high for one in parts]), equation.parts, upper=True)
            total.high = high
        for place, one in enumerate(parts):
            rest = parts[:place] + parts[place + 1 :]
            others = (*equation.parts[:place], *equation.parts[place + 1 :])
            if total.high < MOST and (most := total.high - sum(other.low for other in rest)) < one.high:
                text = _less(total.high, [other.low for other in rest])
                one.high, one.high_step = most, self._step(text, others, equation.total, upper=False)
            if (least := total.low - sum(other.high for other in rest)) > one.low:
                text = _less(total.low, [other.high for other in rest])
                one.low, one.low_step = least, self._step(text, others, equation.total, upper=True)
        if any(one.low > one.high for one in (total, *parts)):
            raise ContradictionError(total.name or "a total")
        return self._time > before

    def _step(self, text: str, slots: tuple[Slot, ...], total: Slot | None = None, *, upper: bool) -> Step:
        """A step from the upper or lower ends of slots, and the other end of a total."""
        self._time += 1
        ends = [] if total is None else [(total, not upper)]
        return Step(text, (*ends, *((slot, upper) for slot in slots)), self._time)

    def sentence(self, slot: Slot, name: str) -> str:
        """How what is left open of a slot is found: ``cell (North, F) is 3: 23 − 20``; '' where it is shown so."""
        return "; ".join(dict.fromkeys(self._told(slot, name, {slot}, self._time, 0)))

    def _told(self, slot: Slot, name: str, seen: set[Slot], time: int, depth: int) -> Iterator[str]:
        """Its own sentence, after those of what it was found from, and that was found before."""
        here = self.slots[slot]
        steps = [one for one in (here.low_step, here.high_step) if one is not None]
        if not steps or max(one.time for one in steps) > time:
            return
        for step in steps:
            for other, upper in step.ends:
                there = self.slots[other]
                used = there.high_step if upper else there.low_step
                if depth < _DEPTH and other not in seen and used is not None and used.time < step.time:
                    seen.add(other)
                    yield from self._told(other, f"cell {there.name}", seen, step.time, depth + 1)
        ends = [("least", here.low_step), ("most", here.high_step)]
        how = " and ".join(f"at {word} {step.text}" for word, step in ends if step is not None)
        number = f"{here.low} to {here.high}"
        if here.low == here.high:
            number = str(here.low)
            how = steps[0].text if len({step.text for step in steps}) == 1 else how
        yield f"{name} is {number}: {how}"


def _added(numbers: list[int]) -> str:
    return " + ".join(_times(numbers)) or "0"


def _less(total: int, numbers: list[int]) -> str:
    return " − ".join([str(total), *_times(numbers)])


def _times(numbers: list[int]) -> list[str]:
    """The numbers that count, equal ones together where they are many."""
    out = []
    for number, times in Counter(one for one in numbers if one).items():
        out += [f"{times} × {number}"] if times > 2 else [str(number)] * times
    return out
