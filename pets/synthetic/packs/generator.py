"""The engine of packs: people first, then what happens to them, table by table and column by column.

People are made in blocks. Every column of a block has its own stream of random numbers, so the same seed gives the
same rows, and a field that is added to a pack leaves the others as they were. Blocks are made whole, and of the last
one those people are kept who were asked for: the first people are the same whatever the population's size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pets.errors import SchemaError, UserError
from pets.schema.numeric import Real
from pets.synthetic.dummy_data.fill import stream
from pets.synthetic.packs.checkdigits import reserved_numbers
from pets.synthetic.packs.codelists import Calendar, CodeList
from pets.synthetic.packs.declared import PERSON, Pack, PackTable
from pets.synthetic.packs.field import Field, family, on_steps
from pets.synthetic.packs.formula import Formula, Scope, evaluate
from pets.synthetic.packs.functions import FUNCTIONS, spread
from pets.synthetic.packs.random_functions import FIRST_DAY, LAST_DAY
from pets.synthetic.packs.values import Values, stacked

BLOCK = 25_000
FIRST_BLOCKS = (1_000, 5_000, 10_000)
"""Where the first blocks end, for few people; the others have so many as ``BLOCK``."""

MAX_PEOPLE = 10_000_000
MAX_ROWS = 4_000_000
"""Of one table in a block."""

Index = npt.NDArray[np.int64]


@dataclass
class Made:
    """One table of a block: its columns, and for each earlier table the row that each of its rows belongs to."""

    rows: int
    links: dict[str, Index]
    group: Index
    columns: dict[str, Values] = field(default_factory=dict)

    def filtered(self, rows: npt.NDArray[np.bool_]) -> Made:
        """Some of the rows."""
        place = np.flatnonzero(rows)
        columns = {name: values.take(place) for name, values in self.columns.items()}
        links = {name: index[place] for name, index in self.links.items()}
        return Made(len(place), links, self.group[place], columns)


class Making(Scope):
    """The scope of a table that is being made."""

    def __init__(self, block: Block, table: Made, name: str, before: int = 0, own: str = "") -> None:
        self.rows, self.before, self.group, self._own = table.rows, before, table.group, own
        self._block, self._table, self._name = block, table, name
        self._column, self._linked = "", dict[str, Values]()
        self._random: np.random.Generator | None = None
        self.slot = ""

    def at(self, column: str) -> Making:
        """The same scope, drawing from the stream of a column."""
        self._column, self._random = column, None
        return self

    @property
    def random(self) -> np.random.Generator:
        """This column's stream of random numbers."""
        if self._random is None:
            self._random = stream(self._block.seed, str(self._block.number), self._name, self._column)
        return self._random

    def codes(self, name: str) -> CodeList:
        """A code list."""
        return self._block.pack.lists[name]

    def calendar(self, name: str) -> Calendar:
        """A calendar."""
        return self._block.pack.calendars[name]

    def family(self, name: str) -> list[Values]:
        """The numbered columns that are called ``name_1``, ``name_2``, …"""
        return [self._table.columns[key] for key in family(self._table.columns, name)]

    def column(self, name: str) -> Values:
        if name.endswith("[]"):
            name = f"{name[:-2]}_{self.slot}"
        if name in self._table.columns:
            return self._table.columns[name]
        if name not in self._linked:
            self._linked[name] = self._find(name)
        return self._linked[name]

    def _find(self, name: str) -> Values:
        other, dot, column = name.partition(".")
        if dot and other == self._own:
            return self._table.columns[column]
        if dot:
            return self._block.made[other].columns[column].take(self._table.links[other])
        if name in ("start", "end"):
            day = self._block.pack.window[0 if name == "start" else 1]
            return Values("day", np.full(self.rows, (day.toordinal() - 719163), dtype=np.int64))
        if name == "person":
            return Values("whole", self._block.people)
        raise KeyError(name)

    def set_slot(self, slot: str) -> None:
        """Which of a family's columns is made."""
        self.slot = slot
        self._linked["slot"] = Values("whole", np.full(self.rows, int(slot), dtype=np.int64))

    def call(self, name: str, arguments: list[Any]) -> Values:
        return FUNCTIONS[name](self, *arguments)

    def part(self, rows: npt.NDArray[np.bool_]) -> Scope:
        return _Part(self, np.flatnonzero(rows))


class _Part(Scope):
    """Some of the rows of a scope."""

    def __init__(self, whole: Making, place: Index) -> None:
        self.rows, self._whole, self._place = len(place), whole, place
        self.random, self.codes, self.calendar = whole.random, whole.codes, whole.calendar

    def family(self, name: str) -> list[Values]:
        """The numbered columns that are called ``name_1``, ``name_2``, …"""
        return [values.take(self._place) for values in self._whole.family(name)]

    def column(self, name: str) -> Values:
        return self._whole.column(name).take(self._place)

    def call(self, name: str, arguments: list[Any]) -> Values:
        return FUNCTIONS[name](self, *arguments)

    def part(self, rows: npt.NDArray[np.bool_]) -> Scope:
        return _Part(self._whole, self._place[rows])


@dataclass
class Block:
    """Some of the people, and all that happens to them."""

    pack: Pack
    seed: int
    number: int
    people: Index
    made: dict[str, Made] = field(default_factory=dict)


def make(pack: Pack, people: int, seed: int) -> Iterator[dict[str, Made]]:
    """The tables of all people, block by block.

    Raises :class:`UserError` where there are more people than the pack can name.
    """
    everyone, last = person_ids(pack, people, seed), 0
    before = dict.fromkeys(pack.tables, 0)
    for number, end in enumerate(ends(people)):
        block = Block(pack, seed, number, everyone[last:end])
        for table in pack.tables.values():
            block.made[table.name], rows = _make_table(block, table, before[table.name])
            before[table.name] += rows
        yield block.made if end <= people else _first(block, people - last)
        last = end


def ends(people: int) -> Iterator[int]:
    """Where the blocks end that hold so many people.

    >>> list(ends(1_500)), list(ends(60_000))[-3:]
    ([1000, 5000], [25000, 50000, 75000])
    """
    end = 0
    for end in (*(first for first in FIRST_BLOCKS if first < BLOCK), BLOCK):
        yield end
        if end >= people:
            return
    while end < people:
        end += BLOCK
        yield end


def _first(block: Block, people: int) -> dict[str, Made]:
    """What is made of the first people of a block."""
    root = block.pack.root
    out = {root: block.made[root].filtered(np.arange(len(block.people)) < people)}
    return out | {name: made.filtered(made.links[root] < people) for name, made in block.made.items() if name != root}


def person_ids(pack: Pack, people: int, seed: int) -> Index:
    """One number for each person of whole blocks, in no visible order: NHS numbers of the test block, or pseudonyms.

    The people of the last block who were not asked for share a number where there are no more.
    """
    *_, whole = ends(people)
    shift = int(stream(seed, pack.name, "person").integers(0, 2**31))
    if pack.link == "pseudonym":
        return 10**15 + spread((np.arange(whole, dtype=np.int64) + shift), 899_999_999_981) * 10_000
    numbers = reserved_numbers()
    if people > len(numbers):
        raise UserError(
            f"{people:,} people cannot each have an NHS number: only {len(numbers):,} valid ones are reserved for "
            f"tests (those that begin with 999); ask for at most {len(numbers):,} people, or link by pseudonym"
        )
    order = stream(seed, pack.name, "person").permutation(len(numbers))
    return numbers[order[np.arange(whole) % len(numbers)]]


def _make_table(block: Block, table: PackTable, before: int) -> tuple[Made, int]:
    """The table, and how many rows it had before some were dropped: keys count them."""
    made = _rows(block, table)
    scope = Making(block, made, table.name, before)
    for one in table.fields:
        _make_field(one, scope, made)
    rows = made.rows
    if table.keep is not None:
        made = made.filtered(condition(table.keep, scope.at("keep")))
    return made, rows


def _make_field(one: Field, scope: Making, made: Made) -> None:
    if one.family is None:
        made.columns[one.name] = _fitting(one, evaluate(one.formula, scope.at(one.name)))
        if one.kind == "person":
            made.columns[PERSON] = made.columns[one.name]
        return
    slots: list[Values] = []
    for name in one.names:
        scope.set_slot(name[len(one.family) + 1 :])
        slots.append(_fitting(one, evaluate(one.formula, scope.at(name))))
    made.columns.update(zip(one.names, _without_repeats(slots) if one.distinct else slots, strict=True))


_GIVES = {
    "person": ("whole", "text"),
    "id": ("whole", "text"),
    "codes": ("text",),
    "values": ("text",),
    "text": ("text",),
    "day": ("day",),
    "whole": ("whole",),
    "real": ("real", "whole"),
    "truth": ("truth",),
}


def _fitting(one: Field, values: Values) -> Values:
    """The values, where they are of the field's type."""
    if one.hidden or (values.empty is not None and values.empty.all()):
        return values
    if values.kind not in _GIVES[one.kind]:
        told = {"text": "texts", "day": "days", "minute": "moments", "truth": "yes or no"}
        found = told.get(values.kind, f"{values.kind} numbers")
        raise SchemaError(
            f"{one.formula.at}: field {one.name!r} is of type {one.kind}, and its formula gives {found}; "
            "change the type or the formula"
        )
    there = values.data if values.empty is None else values.data[~values.empty]
    beyond = values.kind == "day" and len(there) and not FIRST_DAY <= there.min() <= there.max() <= LAST_DAY
    if beyond or (values.kind == "real" and not np.isfinite(there).all()):
        what = "days beyond the years 1 to 9999" if beyond else "a number without an end, as after division by 0"
        raise SchemaError(f"{one.formula.at}: field {one.name!r} gives {what}; bound it with least() and greatest()")
    if one.kind == "real":
        low, high = one.detail[0].split("..")
        return Values("real", on_steps(Real(low, high, one.detail[1]), values.data), (), values.empty)
    return values


def _without_repeats(slots: list[Values]) -> list[Values]:
    """Each value once, and no gap between those that are there."""
    used = max((i + 1 for i, slot in enumerate(slots) if slot.empty is None or not slot.empty.all()), default=0)
    if used < 2:
        return slots
    joined, rows = stacked(slots[:used]), len(slots[0])
    table = np.where(joined.holes, -1, joined.data).reshape(used, rows)
    busy = np.flatnonzero(table[1:].max(axis=0) >= 0)
    some = table[:, busy]
    for i in range(1, used):
        some[i][(some[:i] == some[i]).any(axis=0)] = -1
    some = np.take_along_axis(some, np.argsort(some < 0, axis=0, kind="stable"), axis=0)
    table[:, busy] = some
    whole = [Values("text", np.maximum(row, 0).astype(np.int32), joined.labels, row < 0) for row in table]
    return whole + slots[used:]


def condition(formula: Formula, scope: Scope) -> npt.NDArray[np.bool_]:
    """Where a condition holds."""
    found = evaluate(formula, scope)
    if found.kind != "truth":
        raise SchemaError(f"{formula.at}: this is no condition; write such as has(discharged) or age >= 18")
    return np.asarray(found.data.astype(bool) & ~found.holes)


def _rows(block: Block, table: PackTable) -> Made:
    if table.rows[0].each == "nobody":
        size = len(block.people)
        return Made(size, {}, np.arange(size, dtype=np.int64))
    parts: list[tuple[str, Index, Index]] = []
    for turn, rows in enumerate(table.rows):
        parent = block.made[rows.each]
        scope = Making(block, parent, f"{table.name} {turn}", own=rows.each)
        times = np.ones(parent.rows, dtype=np.int64)
        if rows.times is not None:
            found = evaluate(rows.times, scope.at("times"))
            if found.kind not in ("whole", "real"):
                raise SchemaError(f"{rows.times.at}: times gives no numbers; write such as poisson(3)")
            times = np.clip(np.where(found.holes, 0, found.data), 0, rows.most).astype(np.int64)
        if rows.where is not None:
            times = np.where(condition(rows.where, scope.at("where")), times, 0)
        if times.sum() > MAX_ROWS:
            raise SchemaError(
                f"{table.at}: table {table.name!r} has more than {MAX_ROWS:,} rows for {len(block.people):,} people; "
                "lower 'times' or 'most'"
            )
        index = np.repeat(np.arange(parent.rows, dtype=np.int64), times)
        parts.append((rows.each, index, index))
    names = dict.fromkeys(name for each, _, _ in parts for name in (*block.made[each].links, each))
    links = {
        name: np.concatenate([_link(block.made[each], each, name, index) for each, index, _ in parts]) for name in names
    }
    shift, groups = 0, []
    for each, _, group in parts:
        groups.append(group + shift)
        shift += block.made[each].rows
    group = np.concatenate(groups)
    return Made(len(group), links, group)


def _link(parent: Made, each: str, name: str, index: Index) -> Index:
    if name == each:
        return index
    return parent.links[name][index] if name in parent.links else np.full(len(index), -1, dtype=np.int64)
