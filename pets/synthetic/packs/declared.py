"""What a pack declares, as the engine reads it: its tables, where their rows come from, and the faults to plant."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pets.schema.schema import Schema, Table, Unit
from pets.schema.twin.hints import Twin
from pets.synthetic.packs.codelists import Calendar, CodeList
from pets.synthetic.packs.field import Field
from pets.synthetic.packs.formula import Formula

LINKS = ("nhs_number", "pseudonym")
PERSON = "PERSON"
"""What formulas and rules call the field that names a person, whatever a table calls it."""


@dataclass(frozen=True)
class Rows:
    """Where rows come from: ``times`` rows (left out: one) for each row of a parent that meets ``where``."""

    each: str
    where: Formula | None = None
    times: Formula | None = None
    most: int = 1


@dataclass(frozen=True)
class Fault:
    """A fault to plant: in a share of the rows that meet ``where``, what is done to which columns.

    Attributes:
        name: the fault's name in the answer key.
        table, columns: where it is planted.
        kind: what is done; see ``pets.synthetic.packs.faults``.
        share: of the rows that meet ``where``.
        breaks: the check that finds it.
        lesson: what a trainee should learn from it.
    """

    name: str
    table: str
    kind: str
    columns: tuple[str, ...]
    share: float
    where: Formula | None
    value: str
    breaks: str
    lesson: str


@dataclass(frozen=True)
class PackTable:
    """One table of a pack; a working table (its name begins with ``_``) is in no file; ``at`` is its place."""

    name: str
    title: str
    source: str
    rows: tuple[Rows, ...]
    fields: tuple[Field, ...]
    keep: Formula | None
    checks: Mapping[str, Formula]
    max_rows: int
    default_rows: int
    rules: tuple[Any, ...]
    at: str = ""

    @property
    def hidden(self) -> bool:
        """Whether no file holds it."""
        return self.name.startswith("_")

    @property
    def person(self) -> str | None:
        """The field that names a person."""
        return next((field.name for field in self.fields if field.kind == "person"), None)

    def visible(self) -> list[tuple[Field, str]]:
        """Every field that a file holds, with its name."""
        return [(one, name) for one in self.fields if not one.hidden for name in one.names]


@dataclass(frozen=True)
class Pack:
    """A pack as it was declared; ``home`` is what it is loaded by: its name, or its folder."""

    name: str
    version: str
    title: str
    link: str
    window: tuple[dt.date, dt.date]
    sources: Mapping[str, str]
    lists: Mapping[str, CodeList]
    calendars: Mapping[str, Calendar]
    tables: Mapping[str, PackTable]
    faults: tuple[Fault, ...]
    home: str | None = None

    @property
    def root(self) -> str:
        """The table of people."""
        return next(iter(self.tables))

    @property
    def files(self) -> list[PackTable]:
        """The tables that are written."""
        return [table for table in self.tables.values() if not table.hidden]

    @cached_property
    def schema(self) -> Schema:
        """The public description of the pack's tables: every query runs on it."""
        tables = {table.name: self.described(table) for table in self.files}
        return Schema(tables, dataset=f"{self.name}-like", twin=Twin(self.home))

    def described(self, table: PackTable) -> Table:
        """What the schema says of a table."""
        columns = {name: one.domain(self.lists, self.window) for one, name in table.visible()}
        unit = Unit(table.person, max_rows=table.max_rows, rows=table.default_rows)
        return Table(unit, columns, people=10_000_000, rules=table.rules)

    def person_of(self, table: str) -> str:
        """The field of a table that names a person."""
        found = self.tables[table].person
        assert found is not None
        return found
