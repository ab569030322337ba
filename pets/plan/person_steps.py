"""Steps: the features of people, lowered to codes. One step gives one code a person.

A step reads that person's kept rows of one table, or codes of earlier steps; no step reads anything of anybody else.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pets.common.codec import Json
from pets.plan.bounding.bounds import chosen
from pets.plan.computed.intervals import YEAR, birthdays
from pets.plan.predicate import Predicate, predicate_json
from pets.schema.domain import Domain

How = Literal[
    "first", "last", "min", "max", "sum", "mean", "count", "exists", "count_distinct", "days_with", "episodes"
]


FEW_ROWS = 10
"""Below so many kept rows of a person, first events are often beyond them."""


@dataclass(frozen=True)
class Difference:
    """A column made of two: the code of a column of events less that of an earlier step, plus ``shift`` (from 0 on).

    It has no value where either has none, and such a row meets no condition on it; ``cells`` is the column's own code
    of no value. Where it counts calendar days, both codes are first floored to the day that they lie in.

    Attributes:
        widths, starts: of the column and of the step, the codes of a day, after so many codes of one that is not whole
            (1 and 0: the codes themselves).
    """

    name: str
    column: str
    cells: int
    step: int
    shift: int
    widths: tuple[int, int] = (1, 1)
    starts: tuple[int, int] = (0, 0)

    def to_json(self) -> Json:
        """The canonical form."""
        out: Json = {"name": self.name, "column": self.column, "step": self.step, "shift": self.shift}
        return out if self.widths == (1, 1) else out | {"days": [list(self.widths), list(self.starts)]}


@dataclass(frozen=True)
class Step:
    """What every step states.

    Attributes:
        domain: of its code; the code ``domain.cells`` stands for no value.
        absent: the code of a person who has no row in any table.
    """

    domain: Domain
    absent: int

    @property
    def inputs(self) -> tuple[int, ...]:
        """The steps whose codes it reads."""
        return ()

    def to_json(self) -> Json:
        """The canonical form."""
        return {"cells": self.domain.cells, "absent": self.absent}


@dataclass(frozen=True)
class Read(Step):
    """Of a person's rows of one table that meet a condition: one code.

    Attributes:
        rows: only rows with a rank up to this (``None``: all that are kept).
        where: on the columns of the table and the ``differences``.
        column, by: what is read, and the column that orders rows (then their rank does).
        low, high: of a sum, in its own steps: the total is moved between them, and ``low`` is code 0. Of what is
            counted, 0 and the most that counts.
        scale, start: a sum has so many steps a code of its column, and these besides for each row.
        width: of days_with and episodes, the codes of a day, after ``start`` codes of one that is not whole.
        gap: the most days that lie between two events of one episode.
        nth: of first and last, which row in the order is read; from 2 on, ``by`` may be the column itself.
    """

    how: How
    table: str
    rows: int | None
    where: Predicate | None
    differences: tuple[Difference, ...] = ()
    column: str | None = None
    by: str | None = None
    low: int = 0
    high: int = 0
    scale: int = 1
    start: int = 0
    width: int = 1
    cells: int = 0
    order: int = 0
    gap: int = 0
    nth: int = 1

    @property
    def inputs(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys(one.step for one in self.differences))

    def to_json(self) -> Json:
        where = None if self.where is None else predicate_json(self.where)
        out = super().to_json() | {"read": self.how, "table": self.table, "rows": self.rows, "where": where}
        out |= {"differences": [one.to_json() for one in self.differences], "column": self.column, "by": self.by}
        out |= {"bounds": [self.low, self.high, self.scale, self.start, self.width]}
        out |= {"gap": self.gap} if self.how == "episodes" else {}
        return out | {"nth": self.nth} if self.nth > 1 else out


@dataclass(frozen=True)
class Attribute(Step):
    """A column of the person table: no value for people without a row there."""

    table: str
    column: str

    def to_json(self) -> Json:
        return super().to_json() | {"table": self.table, "column": self.column}


@dataclass(frozen=True)
class Fill(Step):
    """Another step's code, and ``code`` where that has no value."""

    of: int
    code: int
    null: int

    @property
    def inputs(self) -> tuple[int, ...]:
        return (self.of,)

    def value(self, codes: Mapping[int, int]) -> int:
        """The code of one person."""
        return self.code if codes[self.of] == self.null else codes[self.of]

    def to_json(self) -> Json:
        return super().to_json() | {"fill": self.of, "code": self.code}


@dataclass(frozen=True)
class Span(Step):
    """Days between two steps: ``later − earlier + shift`` as a code, and no value outside the domain.

    Attributes:
        nulls: the codes of no value of the two.
    """

    later: int
    earlier: int
    shift: int
    nulls: tuple[int, int]

    @property
    def inputs(self) -> tuple[int, ...]:
        return (self.later, self.earlier)

    def value(self, codes: Mapping[int, int]) -> int:
        """The code of one person."""
        two = (codes[self.later], codes[self.earlier])
        code = two[0] - two[1] + self.shift
        none = two[0] == self.nulls[0] or two[1] == self.nulls[1] or not 0 <= code < self.domain.cells
        return self.domain.cells if none else code

    def to_json(self) -> Json:
        return super().to_json() | {"later": self.later, "earlier": self.earlier, "shift": self.shift}


@dataclass(frozen=True)
class Age(Step):
    """Whole years by the calendar from ``born`` to ``at``; none where ``at`` is earlier. ``first``: their codes 0."""

    born: int
    at: int
    first: tuple[dt.date, dt.date]
    nulls: tuple[int, int]

    @property
    def inputs(self) -> tuple[int, ...]:
        return (self.born, self.at)

    def value(self, codes: Mapping[int, int]) -> int:
        """The code of one person."""
        two = (codes[self.born], codes[self.at])
        if two[0] == self.nulls[0] or two[1] == self.nulls[1]:
            return self.domain.cells
        born, at = (first + dt.timedelta(days=code) for first, code in zip(self.first, two, strict=True))
        years = (birthdays(at.toordinal()) - birthdays(born.toordinal())) // YEAR
        return years if years >= 0 else self.domain.cells

    def to_json(self) -> Json:
        return super().to_json() | {"born": self.born, "at": self.at}


@dataclass(frozen=True)
class PersonPlan:
    """Which people are rows, and what is known of each of them.

    Attributes:
        steps: each after its inputs.
        names: the columns of the table of people that the question uses, each with its step.
        of: people with a row in this table (``None``: all who have a row anywhere; the condition sorts them).
        kept: the tables that are read, and the rows of one person that a snapshot of each keeps.
        events: those of them that are tables of events (not of what each person has once) and whose rows are read.
        arrivals: the tables of which a person's first rows to arrive are kept, each with the column of arrival.
    """

    steps: tuple[Step, ...]
    names: tuple[tuple[str, int], ...]
    of: str | None
    kept: tuple[tuple[str, int], ...]
    events: tuple[str, ...] = field(default=(), compare=False)
    arrivals: tuple[tuple[str, str], ...] = field(default=(), compare=False)

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that are read."""
        return tuple(table for table, _ in self.kept)

    @property
    def said(self) -> str:
        """How many rows of a person are read at most, of each table."""
        return ", ".join(f"{most:,} of {table!r}" for table, most in self.kept)

    @property
    def chosen(self) -> str:
        """Which rows of a person are kept, in words."""
        first = " and ".join(f"of {table!r} {chosen(column)}" for table, column in self.arrivals)
        if not first:
            return chosen(None)
        return first if len(self.arrivals) == len(self.kept) else f"{chosen(None)}, but {first}"

    @property
    def hidden(self) -> tuple[str, ...]:
        """Warnings where what is asked for may lie beyond a person's kept rows, or must."""
        return self._beyond + self._few

    @property
    def _beyond(self) -> tuple[str, ...]:
        """Of rows that nobody has, because so many are not read."""
        most = dict(self.kept)
        asked = {(step.table, step.nth, step.rows or most[step.table]) for step in self.steps if isinstance(step, Read)}
        return tuple(
            f"At most {read:,} rows of a person are read of {table!r}, so nobody has a value in row {nth:,}: read more "
            "rows, or an earlier one."
            for table, nth, read in sorted(asked)
            if nth > read
        )

    @property
    def _few(self) -> tuple[str, ...]:
        """Where few rows of a person are kept of a table of events: what happened may lie beyond them."""
        few = [table for table, most in self.kept if most < FEW_ROWS and table in self.events]
        if not few:
            return ()
        apart = " Each table's rows are chosen by themselves: of one event, one table may keep its row, another not."
        return (
            f"max_rows of {' and '.join(map(repr, few))} is small: first events beyond the kept rows are not seen. A "
            f"larger max_rows adds no noise to questions about people.{apart if len(few) > 1 else ''}",
        )

    def to_json(self) -> Json:
        """The canonical form."""
        return {
            "steps": [step.to_json() for step in self.steps],
            "names": [list(pair) for pair in self.names],
            "of": self.of,
            "kept": [list(pair) for pair in self.kept],
        }
