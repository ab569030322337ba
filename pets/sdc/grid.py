"""Grid: a question whose every cell is protected once, and what other questions are sums of; no row is read.

A grid is complete: each person lies in one of its cells and in no other. So a question whose keys and conditions take
whole cells, or none of them, is answered by adding cells, and tells nothing that the cells do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from pets.common.integers import Ints
from pets.errors import QueryError
from pets.plan.layout import MAX_SLOTS, Dimension
from pets.plan.measure import Output
from pets.plan.plan import Plan
from pets.plan.predicate import AllOf, Codes, Predicate, Texts, columns_in
from pets.query_model.nodes.names import few
from pets.query_model.query import Query
from pets.query_model.traits import TRAITS

Flags = npt.NDArray[np.bool_]
NOISE = "or ask with pets.DP(epsilon=…)"


def made_of_counts(output: Output) -> int:
    """How many counts an answer's column is, and nothing else; 0 where it is anything else."""
    return TRAITS[output.kind].made_of_counts


@dataclass(frozen=True)
class Sum:
    """One output's number in each group: sums of cells.

    Attributes:
        group: of each cell, in the grid's order, the group that it is added to; -1: to none.
        groups: how many groups there are.
    """

    group: Ints
    groups: int

    def of(self, cells: Ints) -> Ints:
        """The sums of whole numbers, one a cell."""
        out, used = np.zeros(self.groups, dtype=np.int64), self.group >= 0
        np.add.at(out, self.group[used], cells[used])
        return out


@dataclass(frozen=True)
class Grid:
    """A question that may be a grid: people, each counted once, by keys that leave nobody out.

    Raises:
        QueryError: with the remedy, for any other question.
    """

    plan: Plan

    def __post_init__(self) -> None:
        plan, query = self.plan, self.plan.query
        check_people(plan)
        if [made_of_counts(output) for output in plan.outputs] != [1] or plan.measures[0].where is not None:
            raise QueryError("a grid has one count of everybody: write .agg(n=pets.count()), and nothing else")
        if query.condition is not None or query.keyset is not None:
            raise QueryError(
                "a grid leaves nobody out, so that totals agree: leave where(…) and key sets out, and group by the "
                "columns that they name"
            )
        if not plan.layout.dimensions:
            raise QueryError("a grid is grouped by the columns that tables are wanted by; write .group_by('sex', …)")
        names = [one.column for one in plan.layout.dimensions]
        if len(set(names)) < len(names):
            raise QueryError("a grid is grouped by each column once; leave the coarser of its keys out")
        for one in plan.layout.dimensions:
            if (self.slots(one, self._points(one)) < 0).any():
                raise QueryError(
                    f"the bins of {one.column!r} leave values of it out, and a grid leaves nobody out; let them "
                    "begin at the least value and end at the greatest"
                )

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it is grouped by."""
        return tuple(one.column for one in self.plan.layout.dimensions)

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of slots of each of them."""
        return tuple(one.size for one in self.plan.layout.dimensions)

    @property
    def cells(self) -> int:
        """How many cells it has."""
        return self.plan.groups

    def sums(self, plan: Plan) -> tuple[tuple[Sum, ...], ...]:
        """Of each output of a question: the number that it is, or numerator and denominator of a rate.

        Raises:
            QueryError: with the remedy, where it is no sum of cells.
        """
        check_people(plan)
        self._check_same(plan)
        return tuple(self._output(plan, one) for one in plan.outputs)

    def _check_same(self, plan: Plan) -> None:
        """Refuse what is about other people or columns than the grid's; no row decides."""
        ours, theirs = self.plan, plan
        if ours.schema_digest != theirs.schema_digest:
            raise QueryError(
                "the dataset's grid was made under another schema; its custodian can make it anew, with name_grid("
                f"…, anew=True), {NOISE}"
            )
        people = [None if one.query.people is None else one.query.people.to_json() for one in (ours, theirs)]
        if ours.table != theirs.table or people[0] != people[1]:
            whose = f"of table {ours.table!r}" if people[0] is None else "of people with the features that it names"
            raise QueryError(f"the dataset's grid is {whose}, and the question is about others; ask of those, {NOISE}")
        used = {one.column for one in theirs.layout.dimensions} | columns_in(theirs.where)
        used |= {name for one in theirs.measures for name in columns_in(one.where)}
        for name in sorted(used):
            if name not in self.columns:
                raise QueryError(
                    f"column {name!r} is not in the dataset's grid ({few(self.columns)}); leave it out, {NOISE}"
                )
            if _made(ours.query, name) != _made(theirs.query, name):
                raise QueryError(f"the dataset's grid computes {name!r} in another way; compute it as there, {NOISE}")

    def check_bins(self, plan: Plan) -> None:
        """Refuse conditions, and keys of the grid's columns, that do not take whole steps of the grid; no row decides.

        Raises:
            QueryError: with the remedy. Ranges whose ends move code by code give every code away, however rounded.
        """
        ours = self.plan
        alike = (ours.schema_digest, ours.table) == (plan.schema_digest, plan.table)
        people = [None if one.query.people is None else one.query.people.to_json() for one in (ours, plan)]
        alike = alike and people[0] == people[1]
        conditions = [plan.where, *(one.where for one in plan.measures)]
        filters = {name for one in conditions for name in columns_in(one)}
        for name in sorted(filters | {one.column for one in plan.layout.dimensions}):
            known = alike and name in self.columns and _made(ours.query, name) == _made(plan.query, name)
            if not known and (name in filters or _made(plan.query, name) is not None):
                raise QueryError(
                    f"outside the grid this custodian's policy takes conditions and computed columns of the grid alone "
                    f"({few(self.columns)}), and {name!r} is none; leave it out, {NOISE}"
                )
            if known:
                axis = self.columns.index(name)
                for one in plan.layout.dimensions:
                    if one.column == name:
                        self._coarser(axis, one)
        if plan.query.keyset is not None:
            raise QueryError(f"outside the grid this custodian's policy takes no key sets; group by columns, {NOISE}")
        for condition in conditions:
            self._meets(condition)

    def _output(self, plan: Plan, output: Output) -> tuple[Sum, ...]:
        check_counts(plan, output)
        group = self._groups(plan)
        conditions = [plan.measures[part].where for part in output.parts]
        return tuple(Sum(np.where(self._meets(one), group, -1), plan.groups) for one in conditions)

    def _groups(self, plan: Plan) -> Ints:
        """Of each cell, the group of a question that its people are in; -1: none."""
        place = np.zeros(self.shape, dtype=np.int64)
        outside = ~self._possible
        for one in plan.layout.dimensions:
            axis = self.columns.index(one.column)
            slots = self._along(axis, self._coarser(axis, one))
            place, outside = place * one.size + np.maximum(slots, 0), outside | (slots < 0)
        flat = np.where(outside | ~self._meets(plan.where).reshape(self.shape), -1, place).reshape(-1)
        return np.where(flat < 0, -1, plan.layout.slots_of(np.maximum(flat, 0)))

    @property
    def _possible(self) -> Flags:
        """Which cells somebody can be in: a bin beyond the column's greatest value is in the layout all the same."""
        out = np.ones(self.shape, dtype=np.bool_)
        for axis, one in enumerate(self.plan.layout.dimensions):
            some = np.zeros(one.size, dtype=np.int64)
            some[self.slots(one, self._points(one))] = 1
            out = out & (self._along(axis, some) == 1)
        return out

    def _meets(self, predicate: Predicate | None) -> Flags:
        """Which cells a condition takes; each leaf of it takes whole slots of its column."""
        every = np.ones(self.shape, dtype=np.bool_)
        return every.reshape(-1) if predicate is None else (every & self._met(predicate)).reshape(-1)

    def _met(self, predicate: Predicate) -> Flags:
        if isinstance(predicate, Texts):  # no grid has a column of texts that nobody listed
            raise QueryError(f"column {predicate.column!r} is not in the dataset's grid; leave it out, {NOISE}")
        if isinstance(predicate, Codes):
            axis = self.columns.index(predicate.column)
            return np.asarray(self._along(axis, self._taken(axis, predicate)) == 1, dtype=np.bool_)
        joined = np.logical_and if isinstance(predicate, AllOf) else np.logical_or
        start = np.full(self.shape, isinstance(predicate, AllOf))
        return np.asarray(reduce(joined, map(self._met, predicate.terms), start), dtype=np.bool_)

    def _along(self, axis: int, values: Ints) -> Ints:
        return values.reshape([-1 if place == axis else 1 for place in range(len(self.shape))])

    def _coarser(self, axis: int, theirs: Dimension) -> Ints:
        """Of each slot of a column of the grid, the slot of another key of that column."""
        ours = self.plan.layout.dimensions[axis]
        points = np.union1d(self._points(ours), self._points(theirs))
        return self._whole(axis, points, self.slots(theirs, points), f"group by {theirs.name!r} in")

    def _taken(self, axis: int, predicate: Codes) -> Ints:
        """Of each slot of a column of the grid, whether a condition takes it."""
        ours = self.plan.layout.dimensions[axis]
        ends = [end for low, high in predicate.ranges for end in (low, high + 1)]
        points = np.union1d(self._points(ours), np.array(ends, dtype=np.int64))
        points = points[points < self.plan.fields[ours.column].codes]
        taken = np.zeros(len(points), dtype=np.int64)
        for low, high in predicate.ranges:
            taken |= (points >= low) & (points <= high)
        return self._whole(axis, points, taken, "filter by")

    def _whole(self, axis: int, points: Ints, values: Ints, verb: str) -> Ints:
        """The one value of each slot of a column, where each has one; else a refusal."""
        ours = self.plan.layout.dimensions[axis]
        slots = self.slots(ours, points)
        out = np.full(ours.size, -1, dtype=np.int64)
        out[slots] = values
        if not (out[slots] == values).all():
            raise QueryError(
                f"the dataset's grid has {ours.column!r} in steps of its own ({few([*map(str, ours.labels)])}), which "
                f"the question cuts; {verb} whole steps, {NOISE}"
            )
        return out

    def _points(self, one: Dimension) -> Ints:
        """The codes at which a key's slot may change, 0 among them."""
        codes = self.plan.fields[one.column].codes
        if one.cycle is not None:
            width, first = one.cycle.width, (-one.cycle.offset) % one.cycle.width
            if codes // width > MAX_SLOTS:
                raise QueryError(
                    f"column {one.column!r} has too many steps of {one.name!r} for a grid; use longer ones"
                )
            domain = self.plan.fields[one.column]
            return np.unique(np.array([0, *range(first, codes, width), *range(domain.cells, codes)], dtype=np.int64))
        if one.breaks:
            starts = np.array([0, *one.breaks], dtype=np.int64)
            return np.unique(starts[starts < codes])
        return np.arange(codes, dtype=np.int64)

    def slots(self, one: Dimension, codes: Ints) -> Ints:
        """The slot of each code of a key's column; -1 where it has none."""
        if one.cycle is not None:
            domain = self.plan.fields[one.column]
            found = (codes + one.cycle.offset) // one.cycle.width % one.cycle.size
            return np.where(codes >= domain.cells, one.size - 1, found).astype(np.int64)
        if one.breaks:
            run = np.searchsorted(np.array(one.breaks), codes, side="right") - 1
            return np.where(run < 0, -1, np.array(one.slots)[np.maximum(run, 0)]).astype(np.int64)
        return codes

    @cached_property
    def labels(self) -> dict[str, list[Any]]:
        """The key columns of its cells."""
        return self.plan.layout.columns()


def check_people(plan: Plan) -> None:
    """Refuse a question in which a person may count several times: thresholds are of people."""
    if plan.kept_rows != 1:
        raise QueryError(
            f"pets.SDC counts people, and a person has up to {plan.kept_rows:,} rows in table {plan.table!r}; ask "
            f"about people, pets.people(of={plan.table!r}, …), or ask with pets.DP(epsilon=…)"
        )


def check_counts(plan: Plan, output: Output) -> None:
    """Refuse an output that is no count of people, nor made of such counts."""
    if TRAITS[output.kind].averaged:
        column = next(filter(None, (plan.measures[part].column for part in output.parts)), "a column")
        raise QueryError(
            f"{output.name}: pets.SDC rounds counts of people, and no rule that is published rounds a sum; of a column "
            f"that the grid is grouped by, release pets.count() by it, and table.averages({column!r}) has its sums and "
            "means; or ask for this with pets.DP(epsilon=…)"
        )
    if not made_of_counts(output) or any(plan.measures[part].column for part in output.parts):
        raise QueryError(
            f"{output.name}: pets.SDC answers counts of people and rates; ask for pets.count() or pets.rate(…), "
            "or ask for this with pets.DP(epsilon=…)"
        )


def _made(query: Query, name: str) -> Any:
    """How a question computes a column, and the computed columns that it reads; ``None``: it does not."""
    derived = dict(query.derived)
    if name not in derived:
        return None
    return [derived[name].to_json(), [_made(query, column) for column in derived[name].columns if column != name]]
