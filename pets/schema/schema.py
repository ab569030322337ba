"""Schema: the public description of the tables, and who is protected.

Everything in a schema is public knowledge. It names the privacy unit (the column that names a person), how many rows
of one person a snapshot keeps, and each column's domain.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

from pets.common import html_table
from pets.common.arguments import plain_arguments, plain_fields
from pets.common.codec import Json, digest
from pets.common.yamlfile import Place, read
from pets.errors import SchemaError, did_you_mean, shown
from pets.schema import schema_form as form
from pets.schema import settings
from pets.schema.clock.time_of_day import Time
from pets.schema.dates import Date, DateTime
from pets.schema.domain import Boolean, Category, Domain, Identifier, Lookup
from pets.schema.numeric import Integer, Real
from pets.schema.people import bound, check_ids
from pets.schema.person.unit import Unit, counted, named
from pets.schema.person.unit import unit as unit_of
from pets.schema.rules import Rule, rules_of
from pets.schema.schema_text import described, html
from pets.schema.settings import ENCODINGS, PEOPLE
from pets.schema.text_column import Text
from pets.schema.twin.hints import Hint, Twin, hint

__all__ = [
    "Boolean",
    "Category",
    "Date",
    "DateTime",
    "Domain",
    "Identifier",
    "Integer",
    "Lookup",
    "Real",
    "Schema",
    "Table",
    "Text",
    "Time",
    "Unit",
]


@plain_fields(SchemaError)
@dataclass(frozen=True, repr=False)
class Table:
    """One table: its privacy unit and its columns.

    Attributes:
        unit: a :class:`Unit`; or the text ``"row"`` for one row per person; or the identifier column's name alone, of
            which a snapshot then keeps one row of each person (``max_rows`` 1).
        columns: name to domain.
        person_table: a table with one row per person whose columns are attached to each row by the unit column.
        people: a public upper bound on the number of people; sums are proved to fit in 62 bits for that many.
        rules: what holds between columns of a row (see :mod:`pets.schema.rules`); only invented rows rest on it.
        encoding: how the texts of a CSV file are encoded.
    """

    unit: Unit
    columns: Mapping[str, Domain]
    person_table: str | None = None
    people: int = PEOPLE
    rules: tuple[Rule, ...] = ()
    encoding: str = "utf-8"

    def __post_init__(self) -> None:
        given: object = self.unit
        if isinstance(given, str):
            object.__setattr__(self, "unit", Unit(None if given == "row" else given))
        if not isinstance(self.unit, Unit):
            raise SchemaError(f"unit must be Unit('person_id', max_rows=…) or the text 'row', not {shown(given)}")
        if not isinstance(self.columns, Mapping) or not self.columns:
            raise SchemaError(f"a table needs a mapping of column names to domains, not {shown(self.columns)}")
        for name, domain in self.columns.items():
            named("a column's name", name)
            if not isinstance(domain, Domain):
                raise SchemaError(
                    f"column {name!r} needs a domain such as Integer(0, 120) or Category([...]), not {shown(domain)}"
                )
        object.__setattr__(self, "columns", MappingProxyType(dict(self.columns)))
        unit = self.unit.column
        if unit is not None:
            if unit not in self.columns:
                raise SchemaError(f"the unit's column {unit!r} is not a column{did_you_mean(unit, self.columns)}")
            if not isinstance(self.columns[unit], Identifier):
                raise SchemaError(f"the unit's column {unit!r} must have type identifier")
        self.unit.check_ranks(self.columns)
        self.unit.check_arrival(self.columns)
        if self.person_table is not None:
            named("person_table", self.person_table)
        object.__setattr__(self, "people", counted("people", self.people, 2**40))
        for name, domain in self.columns.items():
            self._check_lookup(name, domain)
        object.__setattr__(self, "rules", rules_of(self.rules, self.columns, unit))
        if self.encoding not in ENCODINGS:
            raise SchemaError(f"encoding {shown(self.encoding)} is not read{did_you_mean(self.encoding, ENCODINGS)}")

    def _check_lookup(self, name: str, domain: Domain) -> None:
        if not isinstance(domain, Category) or domain.lookup is None:
            return
        source = self.columns.get(domain.lookup.column)
        if source is None:
            known = did_you_mean(domain.lookup.column, self.columns)
            raise SchemaError(f"column {name!r} looks up column {domain.lookup.column!r}, which is not there{known}")
        if not isinstance(source, Category) or source.lookup is not None:
            raise SchemaError(f"column {name!r} looks up {domain.lookup.column!r}, which must be a plain category")
        for key in domain.lookup.mapping:
            if key not in source.values:
                raise SchemaError(
                    f"column {name!r}: the look-up key {shown(key)} is not a value of {domain.lookup.column!r}"
                    f"{did_you_mean(key, source.values)}"
                )

    def __hash__(self) -> int:
        return hash(digest(self.to_json()))

    def __reduce__(self) -> tuple[Any, ...]:
        return (Table, (self.unit, dict(self.columns), self.person_table, self.people, self.rules, self.encoding))

    def __repr__(self) -> str:
        return f"<Table: {described(self.unit, self.columns)}; {html_table.few(self.columns)}>"

    def to_json(self) -> Json:
        """The canonical form."""
        out: Json = {
            "unit": self.unit.to_json(),
            "columns": {name: domain.to_json() for name, domain in self.columns.items()},
        }
        if self.person_table is not None:
            out["person_table"] = self.person_table
        if self.people != PEOPLE:
            out["people"] = self.people
        if self.rules:
            out["rules"] = [rule.to_json() for rule in self.rules]
        if self.encoding != "utf-8":
            out["encoding"] = self.encoding
        return out


@plain_fields(SchemaError)
@dataclass(frozen=True, repr=False)
class Schema:
    """Tables that share people, under one dataset name (the root of the ledger).

    >>> stays = Table(Unit("id", max_rows=3), {"id": Identifier(), "days": Integer(1, 14)})
    >>> Schema({"stays": stays}, dataset="demo").table("stays").unit.max_rows
    3

    Attributes:
        tables: by name.
        dataset: the root of the ledger.
        twin: how invented rows shall look. No plan rests on it, and it is no part of the digest.
    """

    tables: Mapping[str, Table]
    dataset: str = "local"
    twin: Twin = field(default=Twin(), compare=False)

    UNNAMED: ClassVar[str] = "local"
    """The dataset of a schema that names none: it cannot be the root of a ledger that outlives the process."""
    _digest: str = field(default="", init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        named("dataset", self.dataset)
        if not isinstance(self.tables, Mapping) or not self.tables:
            raise SchemaError(
                f"a schema needs a mapping of table names to tables under 'tables', not {shown(self.tables)}"
            )
        for name, table in self.tables.items():
            named("a table's name", name)
            if not isinstance(table, Table):
                raise SchemaError(f"table {name!r} must be a Table(unit, columns), not {type(table).__name__}")
        object.__setattr__(self, "tables", MappingProxyType(dict(self.tables)))
        for name in self.tables:
            self.fields(name)
        check_ids(self.tables)
        if not isinstance(self.twin, Twin):
            raise SchemaError(f"twin must be a Twin, not {shown(self.twin)}")
        for name in self.twin.hints:
            for column in self.twin.of(name):
                self.twin.check(self.tables, name, column)
        object.__setattr__(self, "_digest", digest(self.to_json()))

    def table(self, name: str) -> Table:
        """The table of that name; raises :class:`SchemaError` naming the closest one."""
        if not isinstance(name, str) or name not in self.tables:
            raise SchemaError(f"table {shown(name)} is not in the schema{did_you_mean(name, self.tables)}")
        return self.tables[name]

    def fields(self, name: str) -> dict[str, Domain]:
        """Every column a query on this table may see: its own, then those of its person table."""
        table = self.table(name)
        fields = dict(table.columns)
        if table.person_table is None:
            return fields
        if table.person_table not in self.tables or table.person_table == name:
            others = [other for other in self.tables if other != name]
            raise SchemaError(
                f"table {name!r} names the person table {table.person_table!r}, which is not another table"
                f"{did_you_mean(table.person_table, others)}"
            )
        person = self.tables[table.person_table]
        if table.unit.column is None or person.unit.column is None or person.person_table is not None:
            raise SchemaError(
                f"tables {name!r} and {table.person_table!r} must both name a unit column (and a person table "
                "has no person table of its own)"
            )
        if person.unit.max_rows != 1:
            raise SchemaError(f"person table {table.person_table!r} must have max_rows: 1 (one row per person)")
        if person.unit.arrival is not None:
            raise SchemaError(
                f"person table {table.person_table!r} has one row per person, so none comes first; leave arrival out"
            )
        for column, domain in person.columns.items():
            if column == person.unit.column:
                continue
            if column in fields:
                raise SchemaError(
                    f"column {column!r} is in {name!r} and in its person table {table.person_table!r}; rename one"
                )
            # a person without a row in the person table has no value, whatever that table declares
            fields[column] = _nullable(domain)
        return fields

    @property
    def people(self) -> int:
        """A public upper bound on the people of all tables together: the largest that a table with a person states."""
        return bound(self.tables)

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical form: the schema's public fingerprint."""
        return self._digest

    def to_json(self) -> Json:
        """The canonical form."""
        return {"dataset": self.dataset, "tables": {name: table.to_json() for name, table in self.tables.items()}}

    def to_file(self) -> Json:
        """The canonical form with all hints for invented rows, as a file may hold it."""
        out = self.to_json()
        for name, hints in self.twin.hints.items():
            columns = self.tables[name].columns
            for column, one in hints.items():
                out["tables"][name]["columns"][column] |= one.to_json(columns[column])
        return out if self.twin.pack is None else out | {"dummy": self.twin.pack}

    @classmethod
    @plain_arguments(SchemaError, "Schema.load")
    def load(cls, source: str | Path | Mapping[str, Any]) -> Schema:
        """Read a schema from a YAML or JSON file (errors name the line) or from its mapping form.

        Raises :class:`SchemaError` with the file, the line and the remedy.

        >>> people = {"unit": "row", "columns": {"age": {"type": "integer", "min": 0, "max": 120}}}
        >>> Schema.load({"tables": {"people": people}}).table("people").columns["age"].describe()
        'whole numbers 0 to 120'
        """
        if isinstance(source, Mapping):
            return cls.from_json(source)
        if not isinstance(source, (str, os.PathLike)):
            raise SchemaError(f"a schema is loaded from the path of a YAML or JSON file, not from {shown(source)}")
        tree, name = read(source)
        return _from_form(tree, Place(name), Path(source).parent)

    @classmethod
    def from_json(cls, form: Any) -> Schema:
        """The schema whose mapping form this is. It opens no file: a look-up must hold its pairs.

        Raises :class:`SchemaError` for anything else.
        """
        return _from_form(form, Place(""), None)

    def __hash__(self) -> int:
        return hash(self._digest)

    def __repr__(self) -> str:
        held = "; ".join(f"{name} ({described(table.unit, table.columns)})" for name, table in self.tables.items())
        return f"<Schema of {self.dataset!r}: {held if len(self.tables) <= 3 else html_table.few(self.tables)}>"

    def _repr_html_(self) -> str:
        return html_table.block(
            html_table.sentence(f"Schema of {self.dataset}: public facts only."),
            *(html(name, table.unit, table.columns) for name, table in self.tables.items()),
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return (Schema, (dict(self.tables), self.dataset, self.twin))


def _nullable(domain: Domain) -> Domain:
    if domain.nullable:
        return domain
    twin = copy.copy(domain)
    object.__setattr__(twin, "nullable", True)
    return twin


def _table(value: object, place: Place, folder: Path | None) -> Table:
    given = form.mapping(value, "a table")
    try:
        form.only(given, settings.TABLE)
    except SchemaError as error:
        wrong = next(key for key in given if key not in settings.TABLE.names)
        raise place.error(error, given, wrong) from None
    try:
        unit = unit_of(given.get("unit"))
    except SchemaError as error:
        raise place.error(error, given, "unit") from None
    person = None if given.get("person_table") is None else form.text(given["person_table"], "person_table")
    people = PEOPLE if given.get("people") is None else form.whole(given["people"], "people")
    columns = form.columns(given.get("columns"), place, folder)
    encoding = "utf-8" if given.get("encoding") is None else form.text(given["encoding"], "encoding")
    if given.get("rules") is None:
        return Table(unit, columns, person, people, encoding=encoding)
    try:
        return Table(unit, columns, person, people, given["rules"], encoding)
    except SchemaError as error:
        raise place.error(error, given, "rules") from None


def _from_form(source: object, place: Place, folder: Path | None) -> Schema:
    given = form.mapping(source, "a schema")
    for key in given:
        try:
            form.only({key: None}, settings.SCHEMA)
        except SchemaError as error:
            raise place.error(error, given, key) from None
    tables: dict[str, Table] = {}
    entries = form.mapping(given.get("tables"), "tables")
    hints: dict[str, dict[str, Hint]] = {}
    for name, table in entries.items():
        try:
            tables[name] = _table(table, place, folder)
            hints[name] = _hints(table, tables[name], place)
        except SchemaError as error:
            raise place.error(SchemaError(_about(name, error)), entries, name) from None
    twin = Twin(None if given.get("dummy") is None else _pack(given, place, folder), hints)
    for name, some in twin.hints.items():
        for column in some:
            try:
                twin.check(tables, name, column)
            except SchemaError as error:
                raise place.error(error, entries[name]["columns"], column) from None
    dataset = Schema.UNNAMED if given.get("dataset") is None else form.text(given["dataset"], "dataset")
    return Schema(tables, dataset, twin)


def _hints(value: Any, table: Table, place: Place) -> dict[str, Hint]:
    found: dict[str, Hint] = {}
    for name, entry in value["columns"].items():
        if isinstance(entry, Mapping):
            try:
                one = hint(entry, table.columns[name], name, table.rules)
            except SchemaError as error:
                raise place.error(SchemaError(f"column {shown(name)}: {error}"), value["columns"], name) from None
            found |= {} if one is None else {name: one}
    return found


def _pack(given: Mapping[str, Any], place: Place, folder: Path | None) -> str:
    """A pack's name, or its folder beside the schema's file."""
    try:
        name = form.text(given["dummy"], "dummy")
        if "/" not in name:
            return name
        if folder is None:
            raise SchemaError("a pack's folder is read only where the schema itself is loaded from a file; name a pack")
        return str(folder / name)
    except SchemaError as error:
        raise place.error(error, given, "dummy") from None


def _about(name: str, error: SchemaError) -> str:
    text = str(error)
    return text if ", line " in text or text.startswith("table ") else f"table {shown(name)}: {text}"
