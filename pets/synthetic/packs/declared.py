"""What a pack declares, as the engine reads it: its tables, where their rows come from, and the faults to plant."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from pets.errors import UserError, did_you_mean, shown
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
class Product:
    """A data product, as those who hold it call it, and its tables.

    Attributes:
        name: what it is asked for by.
        title: what it is called.
        tables: the tables that stand for it; none, where ``about`` says why.
        about: what is in them and what is not.
        usual: whether they are made unless others are asked for.
    """

    name: str
    title: str
    tables: tuple[str, ...]
    about: str = ""
    usual: bool = True


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
    products: Mapping[str, Product] = field(default_factory=dict)

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

    def having(self, tables: Iterable[str]) -> Pack:
        """The pack with these tables, the first, and all that their rows and checks rest on; no row changes by it."""
        wanted, todo = {self.root}, [self.root, *tables]
        while todo:
            table = self.tables[todo.pop()]
            formulas = [one.formula for one in table.fields] + [table.keep, *table.checks.values()]
            formulas += [part for rows in table.rows for part in (rows.where, rows.times)]
            named = {rows.each for rows in table.rows}
            named |= {name for formula in formulas if formula is not None for name in formula.tables()}
            wanted |= {table.name}
            todo += [name for name in named if name in self.tables and name not in wanted and name not in todo]
        kept = {name: table for name, table in self.tables.items() if name in wanted}
        return replace(self, tables=kept, faults=tuple(fault for fault in self.faults if fault.table in kept))

    def of(self, products: Collection[str] | str | None) -> Pack:
        """The pack with the tables of some products, and those of no product.

        ``None``: with those of its usual products; ``"all"``: with every table; another text is one product's name.

        Raises :class:`pets.UserError` for a product that it has not, or that has no table.
        """
        if products == "all":
            return self
        products = [products] if isinstance(products, str) else products
        if products is not None and not all(isinstance(name, str) for name in products):
            raise UserError(f"products is a list of names, or 'all', not {shown(products)}")
        for name in products or ():
            if name not in self.products:
                near = did_you_mean(name, self.products)
                raise UserError(f"the pack {self.name} has no product {shown(name)}{near}")
            if not self.products[name].tables:
                raise UserError(f"the pack has no table of {name}: {self.products[name].about}")
        chosen = [one for one in self.products.values() if (one.usual if products is None else one.name in products)]
        held = {name for one in self.products.values() for name in one.tables}
        free = [table.name for table in self.files if table.name not in held]
        return self.having([*free, *(name for one in chosen for name in one.tables)])

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
