"""Draft: the rows of an invented person whose features shall have certain codes.

Rows are added one by one, and only where they leave the features that are there already as they shall be. What no
feature reads is drawn later, as in any other row; whether the whole came out as was meant is judged then
(:mod:`pets.synthetic.dummy_data.people.evaluate`), so what is tried here may fail.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from pets.plan.person_steps import Attribute, PersonPlan, Read
from pets.plan.predicate import Range, columns_in
from pets.schema.domain import Category
from pets.schema.schema import Schema
from pets.synthetic.dummy_data.fill import fill
from pets.synthetic.dummy_data.people.evaluate import NO_CODE, Row, evaluated_read, met_rows
from pets.synthetic.dummy_data.people.intents import WAYS, column_code, one_of
from pets.synthetic.dummy_data.query_targets import branches, possible, settled

TRIES = 40
COUNTED = ("exists", "count", "count_distinct", "days_with", "episodes")
Ways = Mapping[str, tuple[Range, ...]]


class Draft:
    """Codes that some columns of a person's rows shall have.

    Attributes:
        rows: by table, without the person table.
        person: of the row in the person table ``owner`` (``None``: there is none).
    """

    def __init__(self, plan: PersonPlan, schema: Schema, owner: str | None, codes: Mapping[int, int], random: Any):
        self.schema, self.owner = schema, owner
        self.rows: dict[str, list[dict[str, int]]] = {}
        self.person: dict[str, int] = {}
        self._plan, self._codes, self._random = plan, codes, random
        self._placed: list[tuple[int, Read]] = []
        self._read = {name: self._columns(name) for name in plan.tables}

    @property
    def whole(self) -> dict[str, list[dict[str, int]]]:
        """All rows, that of the person table among them."""
        return self.rows if self.owner is None else self.rows | {self.owner: [self.person]}

    def made(self) -> bool:
        """Add the rows that give the features their codes; whether that was done, within the schema's rules."""
        reads = list[tuple[int, Read]]()
        for place, step in enumerate(self._plan.steps):
            if isinstance(step, Attribute) and self._codes[place] < step.domain.cells:
                if step.table != self.owner:
                    return False
                self.person[step.column] = self._codes[place]
            elif isinstance(step, Read):
                reads.append((place, step))
        self._placed = [(place, step) for place, step in reads if self._codes[place] == step.absent]
        picked = [one for one in reads if one not in self._placed and one[1].how not in COUNTED]
        counted = [one for one in reads if one not in self._placed and one[1].how in COUNTED]
        for place, step in (*picked, *sorted(counted, key=lambda one: self._codes[one[0]])):
            if not self._place(place, step):
                return False
        of = self._plan.of
        if of is not None and of != self.owner and of not in self.rows:
            self.rows[of] = [self._whole({}, of)]
        small = all(len(rows) <= self.schema.tables[name].unit.max_rows for name, rows in self.rows.items())
        owner = self.owner
        return small and (owner is None or possible(self.schema.tables[owner], _fixed(self.person)))

    def _columns(self, table: str) -> dict[str, int]:
        """The table's own columns that a feature reads, but look-ups, and how many codes each has."""
        found: dict[str, int] = {}
        own = self.schema.tables[table].columns
        for step in self._plan.steps:
            if isinstance(step, Read) and step.table == table:
                named = {step.column, step.by, *columns_in(step.where), *(one.column for one in step.differences)}
                for name in sorted(name for name in named if name in own and name is not None):
                    domain = own[name]
                    of = domain.lookup.column if isinstance(domain, Category) and domain.lookup is not None else name
                    found[of] = own[of].cells
        return found

    def _whole(self, row: Mapping[str, int], table: str) -> dict[str, int]:
        """The row with a code in every column that a feature reads, by the rules of the table."""
        of = self.schema.tables[table]
        if of.rules:
            seed = int(self._random.integers(2**62))
            found = fill(table, of, 1, seed, [_fixed(row)], np.zeros(1, dtype=np.int64))
            return {name: int(found[name][0]) for name in found if name in self._read[table] or name in row}
        more = {name: int(self._random.integers(cells)) for name, cells in self._read[table].items() if name not in row}
        return {**more, **row}

    # one feature --------------------------------------------------------------------------------------------------

    def _place(self, place: int, step: Read) -> bool:
        if step.how in COUNTED:
            return self._counted(place, step)
        values = self._values(step, self._codes[place])
        if values is None:
            return False
        for value in values:
            if not self._added(step, value):
                return False
        self._placed.append((place, step))
        return self._as_meant(step.table)

    def _counted(self, place: int, step: Read) -> bool:
        """Add rows until so many are counted as shall be."""
        code, last = self._codes[place], self._now(step)
        while last is not None and last < code:
            for _ in range(TRIES):
                value = {} if step.column is None else {step.column: int(self._random.integers(step.cells))}
                if not self._added(step, value):
                    return False
                now = self._now(step)
                if now is not None and last < now <= code:
                    break
                self.rows[step.table].pop()
            else:
                return False
            last = now
        self._placed.append((place, step))
        return last == code

    def _now(self, step: Read) -> int | None:
        rows = [self._seen(row, step.table) for row in self.rows.get(step.table, ())]
        return evaluated_read(step, rows, self._codes, self._plan.steps)

    def _added(self, step: Read, value: Mapping[str, int]) -> bool:
        """Whether a row was added that the step reads, and that spoils no feature."""
        if len(self.rows.get(step.table, ())) >= self.schema.tables[step.table].unit.max_rows:
            return False
        ways = [{}] if step.where is None else list(itertools.islice(branches(step.where), WAYS))
        rows = self.rows.setdefault(step.table, [])
        for _ in range(TRIES):
            found = self._along(step, ways[int(self._random.integers(len(ways)))], value)
            if found is None:
                continue
            row, person = found
            before = self.person
            self.person = before | person
            rows.append(row)
            if self._as_meant(step.table):
                return True
            rows.pop()
            self.person = before
        return False

    def _as_meant(self, table: str) -> bool:
        rows = [self._seen(row, table) for row in self.rows.get(table, ())]
        return all(
            evaluated_read(step, rows, self._codes, self._plan.steps) == self._codes[place]
            for place, step in self._placed
            if step.table == table
        )

    def _seen(self, row: Row, table: str) -> Row:
        """The row with its look-ups and the person's columns; what is not known yet meets no condition."""
        every = dict.fromkeys(self.schema.fields(table), NO_CODE) | self.person | dict(row)
        for name, domain in self.schema.tables[table].columns.items():
            if isinstance(domain, Category) and domain.lookup is not None and domain.lookup.column in row:
                source: Any = self.schema.tables[table].columns[domain.lookup.column]
                code = row[domain.lookup.column]
                value = None if code == source.cells else domain.lookup.mapping.get(source.values[code])
                every[name] = domain.cells if value is None else domain.encode(value)
        return every

    def _values(self, step: Read, code: int) -> list[dict[str, int]] | None:
        """What the column that is read shall hold in each row that is added; ``None`` where nothing will do."""
        assert step.column is not None
        column = step.column
        if self._now(step) == code:
            return []
        if step.how != "sum":
            if step.nth > 1:
                return self._nth(step, code)
            by = {} if step.by in (None, column) else {str(step.by): int(self._random.integers(step.order))}
            return [{column: code} | by]
        for number in range(1, self.schema.tables[step.table].unit.max_rows + 1):
            total, rest = divmod(code + step.low - step.start * number, step.scale)
            if rest == 0 and 0 <= total <= number * (step.cells - 1):
                each, more = divmod(total, number)
                return [{column: each + (turn < more)} for turn in range(number)]
        return None

    def _nth(self, step: Read, code: int) -> list[dict[str, int]] | None:
        """Rows that come before, as many as are lacking, and then the row that is the nth."""
        column, by = str(step.column), str(step.by)
        rows = [self._seen(row, step.table) for row in self.rows.get(step.table, ())]
        there = [row[by] for row in met_rows(step, rows, self._codes, self._plan.steps)]
        for _ in range(TRIES):
            at = code if by == column else int(self._random.integers(step.order))
            apart = by != column  # (rows of one day are in either order: then they must hold one value)
            low, high = (0, at - apart) if step.how == "first" else (at + apart, step.order - 1)
            lacking = step.nth - 1 - sum(low <= one <= high and one != at for one in there)
            if lacking >= 0 and not (apart and at in there) and (low <= high or not lacking):
                before = [int(self._random.integers(low, high + 1)) for _ in range(lacking)]
                return [{column: code, by: one} for one in [*before, at]]
        return None

    def _along(self, step: Read, way: Ways, value: Mapping[str, int]) -> tuple[dict[str, int], dict[str, int]] | None:
        """A row that meets one way of the step's condition and holds the value, and what the person has with it."""
        table = self.schema.tables[step.table]
        apart = {one.name: one for one in step.differences}
        mine = {name: ranges for name, ranges in way.items() if name in table.columns}
        if not _within(value, {name: mine[name] for name in value if name in mine}):
            return None
        held = {name: ((code, code),) for name, code in value.items()}
        own = settled(mine | {name: held[name] for name in held if name in table.columns}, table)
        theirs = {name: ranges for name, ranges in way.items() if name not in table.columns and name not in apart}
        if not _within(value, {name: theirs[name] for name in value if name in theirs}):
            return None
        theirs |= {name: held[name] for name in held if name not in table.columns}  # (an attached column is read)
        person = {} if self.owner is None else settled(theirs, self.schema.tables[self.owner])
        if own is None or person is None or (theirs and self.owner is None):
            return None
        row = {name: one_of(ranges, self._random) for name, ranges in own.items()}
        for name in (name for name in way if name in apart):
            one = apart[name]
            other = self._codes[one.step]
            if other >= self._plan.steps[one.step].domain.cells:
                return None
            if one.column not in row:
                code = column_code(one, other, way[name], self._random)
                if code is None:
                    return None
                row[one.column] = code
        known = {name: self.person.get(name, one_of(ranges, self._random)) for name, ranges in person.items()}
        if not _within(known, person) or not possible(table, _fixed(row)):
            return None
        return self._whole(row, step.table), known


def _fixed(row: Row) -> dict[str, Range]:
    return {name: (code, code) for name, code in row.items()}


def _within(codes: Mapping[str, int], ranges: Ways) -> bool:
    return all(any(low <= codes[name] <= high for low, high in some) for name, some in ranges.items())
