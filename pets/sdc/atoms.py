"""Atoms: into what the tables that were released of one population cut it; from their plans alone, no row is read.

Each column is cut into classes of codes that every table treats alike; the product of the classes of all columns is
cut no finer than that, and cells that lie in the same groups of all tables are one atom: no table can tell them apart.
So each number of each table is a sum of atoms, each a whole number that is not negative.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce

import numpy as np
import numpy.typing as npt

from pets.common.integers import Ints
from pets.errors import QueryError
from pets.plan.computed.derived_codes import derived_code
from pets.plan.layout import Dimension, Layout
from pets.plan.plan import Plan
from pets.plan.predicate import AllOf, AnyOf, Codes, Predicate, Range, Texts
from pets.schema.domain import Domain
from pets.sdc.counted import Count, columns_of, counts_of, population, unfit
from pets.sdc.possible import possible

MAX_JOINT = 1_000_000
"""Cells of the product of all classes, before those that no table tells apart are merged."""

Flags = npt.NDArray[np.bool_]
InTime = Callable[[], object]
"""Raises where there is no time left."""
FEWER = "compare fewer tables, or tables of coarser groups"


def always() -> None:
    """There is time."""


@dataclass(frozen=True)
class Slots:
    """One block of counts of one table, as sets of atoms.

    Attributes:
        table: which of the plans.
        count: which of its blocks.
        slot: of each atom, the cell that its people are counted in; -1: in none.
        cells: how many cells there are.
    """

    table: int
    count: Count
    slot: Ints
    cells: int

    def members(self) -> list[Ints]:
        """Of each cell, its atoms."""
        order = np.argsort(self.slot, kind="stable")
        ends = np.searchsorted(self.slot[order], np.arange(self.cells + 1))
        return [order[ends[i] : ends[i + 1]] for i in range(self.cells)]


@dataclass(frozen=True)
class Atoms:
    """The atoms of some tables of one population.

    Attributes:
        count: how many there are.
        slots: each block of counts of each table, in the tables' order.
        layout: the cells that were merged into atoms, as groups of the columns' classes.
        atom: of each of these cells, its atom; -1: it lies in no table.
    """

    count: int
    slots: tuple[Slots, ...]
    layout: Layout
    atom: Ints = field(repr=False)

    def of(self, cells: Ints) -> Ints:
        """The people in each atom, of those in each cell of the layout."""
        out, used = np.zeros(self.count, dtype=np.int64), self.atom >= 0
        np.add.at(out, self.atom[used], cells[used])
        return out


def atoms_of(plans: Sequence[Plan], limit: int, in_time: InTime = always) -> Atoms:
    """The atoms of tables of one population.

    Args:
        limit: of atoms; beyond it nothing is checked.
        in_time: called again and again; whatever it raises ends the work.

    Raises:
        QueryError: of too many atoms, or a table that atoms cannot stand for; no row decides that.
    """
    for plan in plans:
        if population(plan) != population(plans[0]) or plan.schema_digest != plans[0].schema_digest:
            raise QueryError(f"tables of different people or schemas have no atoms in common; {FEWER}")
        if (why := unfit(plan)) is not None:
            raise QueryError(f"a table cannot be compared with others: {why}; {FEWER}")
    columns = []
    for name in sorted(set().union(*map(_bases, plans))):
        in_time()
        columns.append(_Column.cut(name, plans))
    joint = math.prod(one.classes for one in columns)
    if joint > MAX_JOINT:
        raise QueryError(
            f"the tables cut the people into {joint:,} cells together, and at most {MAX_JOINT:,} are compared; {FEWER}"
        )
    found = _Joint({one.name: (axis, one) for axis, one in enumerate(columns)}, tuple(one.classes for one in columns))
    blocks, merged = [], np.zeros(joint, dtype=np.int64)
    for i, count in ((i, count) for i, plan in enumerate(plans) for count in counts_of(plan)):
        in_time()
        slot = found.slots(plans[i], count)
        blocks.append((i, count, slot))
        merged = _numbered(merged * (int(slot.max(initial=0)) + 2) + slot + 1)
    nowhere = reduce(np.logical_and, [slot < 0 for _, _, slot in blocks])
    _, first, atom = np.unique(merged, return_index=True, return_inverse=True)
    atom = atom.reshape(-1).astype(np.int64)
    if nowhere.any():  # what lies in no table has the least number
        first, atom = first[1:], atom - 1
    if len(first) > limit:
        raise QueryError(
            f"the tables cut the people into {len(first):,} groups together, and the custodian's policy compares "
            f"{limit:,} (sdc_atoms); allow more, or compare fewer tables"
        )
    slots = tuple(Slots(i, count, slot[first], plans[i].groups * count.width) for i, count, slot in blocks)
    layout = Layout(tuple(one.dimension() for one in columns))
    return Atoms(len(first), slots, layout, atom)


def _bases(plan: Plan) -> set[str]:
    """The columns of the table itself that a plan's columns are."""
    return {_chain(plan, name)[0] for name in columns_of(plan)}


def _chain(plan: Plan, name: str) -> list[str]:
    """A column, after the column that it is computed from, and so on down to one of the table."""
    chain = [name]
    while (made := plan.made.get(chain[0])) is not None:
        chain.insert(0, made.recipe.columns[0])
    return chain


def _numbered(labels: Ints) -> Ints:
    return np.unique(labels, return_inverse=True)[1].reshape(-1).astype(np.int64)


# one column -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Column:
    """A column of the table, cut into classes of codes.

    Attributes:
        starts: the first codes of runs in which every table treats all codes alike.
        kind: the class of each run; classes need not be runs.
        first: of each class, one of its runs.
        can: of each class, whether anybody can have a code of it.
    """

    name: str
    starts: Ints
    kind: Ints
    first: Ints
    can: Flags

    @property
    def classes(self) -> int:
        return len(self.first)

    @classmethod
    def cut(cls, name: str, plans: Sequence[Plan]) -> _Column:
        points: set[int] = {0}
        for plan in plans:
            points |= _points(plan, name)
        codes = next(plan.fields[name].codes for plan in plans if name in plan.fields)
        starts = np.array(sorted(one for one in points if one < codes), dtype=np.int64)
        can: Flags = np.ones(len(starts), dtype=np.bool_)
        for plan in plans:
            if (known := _can(plan, name)) is not None:
                can &= _inside(known, starts)
        labels = can.astype(np.int64)
        for plan in plans:
            for values in _leaves(plan, name, starts):
                labels = _numbered(labels * (int(values.max(initial=0)) + 2) + values + 1)
        _, first = np.unique(labels, return_index=True)
        return cls(name, starts, labels, first, can[first])

    def dimension(self) -> Dimension:
        slots = tuple(self.kind.tolist())
        return Dimension(self.name, self.name, tuple(range(self.classes)), tuple(self.starts.tolist()), slots)

    def codes(self) -> Ints:
        """A code of each class."""
        return self.starts[self.first]


def _points(plan: Plan, base: str) -> set[int]:
    """The codes of a column at which a plan may treat it otherwise."""
    out = {end for low, high in _can(plan, base) or () for end in (low, high + 1)}
    for name in columns_of(plan):
        chain = _chain(plan, name)
        if chain[0] != base:
            continue
        if len(chain) > 1:
            out |= set(range(plan.fields[base].codes))
            continue
        for one in _dimensions(plan):
            if one.column == name:
                out |= _changes(one, plan.fields[name])
        for leaf in _conditions(plan):
            if leaf.column == name:
                out |= {end for low, high in leaf.ranges for end in (low, high + 1)}
    return out


def _can(plan: Plan, base: str) -> tuple[Range, ...] | None:
    """The codes that a column can have; ``None``: they are not known, or the plan does not use it."""
    return possible(plan, base) if plan.people_of is not None and base in _bases(plan) else None


def _changes(one: Dimension, domain: Domain) -> set[int]:
    """The codes at which a key's slot may change."""
    last = {domain.cells} if domain.nullable else set()
    if one.cycle is not None:
        steps = range(-one.cycle.offset % one.cycle.width, domain.cells, one.cycle.width)
        if len(steps) > MAX_JOINT:
            raise QueryError(f"column {one.column!r} has too many steps of {one.name!r} to be compared; {FEWER}")
        return {0, *steps} | last
    if one.breaks:
        return set(one.breaks) | last
    if domain.codes > MAX_JOINT:
        raise QueryError(f"column {one.column!r} has {domain.codes:,} values, too many to be compared; {FEWER}")
    return set(range(domain.codes))


def _leaves(plan: Plan, base: str, codes: Ints) -> Iterable[Ints]:
    """What a plan makes of codes of a column: slots of its keys and whether conditions are met."""
    for one in _dimensions(plan):
        if _chain(plan, one.column)[0] == base:
            yield _slots(one, plan.fields[one.column], _computed(plan, one.column, codes))
    for leaf in _conditions(plan):
        if _chain(plan, leaf.column)[0] == base:
            yield _inside(leaf.ranges, _computed(plan, leaf.column, codes)).astype(np.int64)


def _computed(plan: Plan, name: str, codes: Ints) -> Ints:
    """The codes of a column, of those of the column of the table that it is computed from."""
    chain = _chain(plan, name)
    for before, after in itertools.pairwise(chain):
        domains = {before: plan.fields[before]}
        found = derived_code(plan.made[after], domains, {before: codes}.__getitem__, np.where, _whole)
        codes = np.asarray(found, dtype=np.int64)
    return codes


def _whole(values: Ints) -> Ints:
    return np.asarray(values, dtype=np.int64)


def _dimensions(plan: Plan) -> list[Dimension]:
    """The keys of a plan, the bins of its histograms among them."""
    bins = [_bins(count) for count in counts_of(plan) if count.column is not None]
    return [*plan.layout.dimensions, *bins]


def _bins(count: Count) -> Dimension:
    assert count.column is not None
    slots = (*range(count.width), -1)
    return Dimension(count.column, count.column, tuple(range(count.width)), count.breaks, slots)


def _conditions(plan: Plan) -> list[Codes]:
    out: list[Codes] = []
    for one in (plan.where, *(count.where for count in counts_of(plan))):
        if one is not None:
            out += _codes(one)
    return out


def _codes(predicate: Predicate) -> list[Codes]:
    if isinstance(predicate, Codes):
        return [predicate]
    return [] if isinstance(predicate, Texts) else [leaf for term in predicate.terms for leaf in _codes(term)]


def _inside(ranges: Iterable[Range], codes: Ints) -> Flags:
    met = np.zeros(len(codes), dtype=np.bool_)
    for low, high in ranges:
        met |= (codes >= low) & (codes <= high)
    return met


def _slots(one: Dimension, domain: Domain, codes: Ints) -> Ints:
    """The slot of each code; -1 where it has none."""
    if one.cycle is not None:
        found = (codes + one.cycle.offset) // one.cycle.width % one.cycle.size
        return np.where(codes >= domain.cells, one.size - 1, found).astype(np.int64)
    if not one.breaks:
        return codes
    run = np.searchsorted(np.array(one.breaks), codes, side="right") - 1
    return np.where(run < 0, -1, np.array(one.slots)[np.maximum(run, 0)]).astype(np.int64)


# the product ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Joint:
    """The product of the classes of all columns, row by row."""

    columns: Mapping[str, tuple[int, _Column]]
    shape: tuple[int, ...]

    @cached_property
    def nobody(self) -> Flags:
        """The cells in which nobody can be, whatever a table counts."""
        start: Flags = np.zeros((1,) * len(self.shape), dtype=np.bool_)
        cannot = (self._along(axis, (~one.can).astype(np.int64)) for axis, one in self.columns.values())
        return np.asarray(reduce(np.logical_or, (one.astype(np.bool_) for one in cannot), start), dtype=np.bool_)

    def slots(self, plan: Plan, count: Count) -> Ints:
        """Of each cell of the product, the cell of a table in which its people are counted; -1: in none."""
        place = np.zeros(self.shape, dtype=np.int64)
        outside = self.nobody | np.zeros(self.shape, dtype=np.bool_)
        for one in plan.layout.dimensions:
            slots = self._slots(plan, one)
            place, outside = place * one.size + np.maximum(slots, 0), outside | (slots < 0)
        place = plan.layout.slots_of(place.reshape(-1)).reshape(self.shape)  # of those that are reported
        outside |= place < 0
        if count.column is not None:
            slots = self._slots(plan, _bins(count))
            place, outside = place * count.width + np.maximum(slots, 0), outside | (slots < 0)
        for condition in (plan.where, count.where):
            if condition is not None:
                outside |= ~self._met(plan, condition)
        return np.where(outside, -1, place).reshape(-1)

    def _slots(self, plan: Plan, one: Dimension) -> Ints:
        axis, codes = self._codes(plan, one.column)
        return self._along(axis, _slots(one, plan.fields[one.column], codes))

    def _met(self, plan: Plan, predicate: Predicate) -> Flags:
        if isinstance(predicate, Codes):
            axis, codes = self._codes(plan, predicate.column)
            return self._along(axis, _inside(predicate.ranges, codes).astype(np.int64)).astype(np.bool_)
        assert isinstance(predicate, (AllOf, AnyOf)), "texts have no codes"
        joined = np.logical_and if isinstance(predicate, AllOf) else np.logical_or
        start: Flags = np.full((1,) * len(self.shape), isinstance(predicate, AllOf))
        return np.asarray(reduce(joined, (self._met(plan, term) for term in predicate.terms), start), dtype=np.bool_)

    def _codes(self, plan: Plan, name: str) -> tuple[int, Ints]:
        axis, column = self.columns[_chain(plan, name)[0]]
        return axis, _computed(plan, name, column.codes())

    def _along(self, axis: int, values: Ints) -> Ints:
        return values.reshape([-1 if place == axis else 1 for place in range(len(self.shape))])
