"""The engine of packs: people first, then what happens to them, table by table and column by column.

People are made in blocks. Every column of a block has its own stream of random numbers, so the same seed gives the
same rows, and a field that is added to a pack leaves the others as they were.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pets.errors import UserError
from pets.synthetic.dummy_data.fill import stream
from pets.synthetic.packs.checkdigits import reserved_numbers
from pets.synthetic.packs.codelists import Calendar, CodeList
from pets.synthetic.packs.field import Field, family
from pets.synthetic.packs.formula import Scope, evaluate
from pets.synthetic.packs.functions import FUNCTIONS, spread
from pets.synthetic.packs.pack import PERSON, Pack, PackTable
from pets.synthetic.packs.values import Values, stacked

BLOCK = 50_000
MAX_PEOPLE = 10_000_000

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

    def __init__(self, block: Block, table: Made, name: str, before: int = 0) -> None:
        self.rows, self.before, self.group = table.rows, before, table.group
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
    everyone = person_ids(pack, people, seed)
    for first in range(0, people, BLOCK):
        block = Block(pack, seed, first // BLOCK, everyone[first : first + BLOCK])
        for table in pack.tables.values():
            block.made[table.name] = _make_table(block, table)
        yield block.made


def person_ids(pack: Pack, people: int, seed: int) -> Index:
    """One number for each person, in no visible order: NHS numbers of the test block, or pseudonyms."""
    shift = int(stream(seed, pack.name, "person").integers(0, 2**31))
    if pack.link == "pseudonym":
        return 10**15 + spread((np.arange(people, dtype=np.int64) + shift), 899_999_999_981) * 10_000
    numbers = reserved_numbers()
    if people > len(numbers):
        raise UserError(
            f"{people:,} people cannot each have an NHS number: only {len(numbers):,} valid ones are reserved for "
            f"tests (those that begin with 999); ask for at most {len(numbers):,} people, or link by pseudonym"
        )
    return numbers[stream(seed, pack.name, "person").permutation(len(numbers))[:people]]


def _make_table(block: Block, table: PackTable) -> Made:
    made = _rows(block, table)
    # keys count from here: no block has so many rows, so no two blocks share a key
    scope = Making(block, made, table.name, block.number * 2**22)
    for one in table.fields:
        try:
            _make_field(one, scope, made)
        except ValueError as error:
            raise ValueError(f"{block.pack.name}: table {table.name!r}, field {one.name!r}: {error}") from error
    if table.keep is not None:
        wanted = evaluate(table.keep, scope.at("keep"))
        made = made.filtered(wanted.data & ~wanted.holes)
    return made


def _make_field(one: Field, scope: Making, made: Made) -> None:
    if one.family is None:
        made.columns[one.name] = evaluate(one.formula, scope.at(one.name))
        if one.kind == "person":
            made.columns[PERSON] = made.columns[one.name]
        return
    slots: list[Values] = []
    for name in one.names:
        scope.set_slot(name[len(one.family) + 1 :])
        slots.append(evaluate(one.formula, scope.at(name)))
    made.columns.update(zip(one.names, _without_repeats(slots) if one.distinct else slots, strict=True))


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


def _rows(block: Block, table: PackTable) -> Made:
    if table.rows[0].each == "nobody":
        size = len(block.people)
        return Made(size, {}, np.arange(size, dtype=np.int64))
    parts: list[tuple[str, Index, Index]] = []
    for turn, rows in enumerate(table.rows):
        parent = block.made[rows.each]
        scope = Making(block, parent, f"{table.name} {turn}")
        times = np.ones(parent.rows, dtype=np.int64)
        if rows.times is not None:
            found = evaluate(rows.times, scope.at("times"))
            times = np.clip(np.where(found.holes, 0, found.data), 0, rows.most)
        if rows.where is not None:
            wanted = evaluate(rows.where, scope.at("where"))
            times = np.where(wanted.data & ~wanted.holes, times, 0)
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
