"""Packs: declarations of linked, invented tables that look like published data, in YAML files beside this module.

A pack says what each field means, where that is written, which codes it takes and how it is made; the engine in
``pets.synthetic.packs.generator`` only interprets it. Every name, code and formula is checked when the pack is read.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from pets.common.yamlfile import Lines, Place
from pets.common.yamlfile import read as read_yaml
from pets.errors import SchemaError, UserError, did_you_mean, shown
from pets.schema.schema import Schema, Table, Unit
from pets.synthetic.packs.codelists import Calendar, CodeList, calendar, code_list
from pets.synthetic.packs.field import Field, field
from pets.synthetic.packs.formula import Formula, read
from pets.synthetic.packs.functions import FUNCTIONS, GROUPED

HOME = Path(__file__).parent
LINKS = ("nhs_number", "pseudonym")
PERSON = "PERSON"
"""What formulas and rules call the field that names a person, whatever a table calls it."""

CHECKS = ("unique", "refers", "within", "no_gaps", "each", "every", "among")
"""What only checks may call, beside the functions of formulas: they look at whole tables."""


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
    """One table of a pack; a working table (its name begins with ``_``) is in no file."""

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
    """A pack as it was declared."""

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
        tables = {}
        for table in self.files:
            columns = {name: one.domain(self.lists, self.window) for one, name in table.visible()}
            unit = Unit(table.person, max_rows=table.max_rows, rows=table.default_rows)
            tables[table.name] = Table(unit, columns, people=10_000_000, rules=table.rules)
        return Schema(tables, dataset=f"{self.name}-like")

    def person_of(self, table: str) -> str:
        """The field of a table that names a person."""
        found = self.tables[table].person
        assert found is not None
        return found


def packs() -> list[str]:
    """The names of the packs."""
    return sorted(path.parent.name for path in HOME.glob("*/pack.yaml"))


@lru_cache(maxsize=8)
def load_pack(name: str, link: str = "nhs_number") -> Pack:
    """A pack by its name; ``link`` says how its tables name people: by NHS number, or by pseudonym as extracts do.

    Raises :class:`UserError` for a name that is not there, :class:`SchemaError` with file and line for a wrong pack.

    >>> load_pack("nhs").schema.dataset
    'nhs-like'
    """
    if name not in packs():
        raise UserError(f"there is no pack {shown(name)}{did_you_mean(name, packs())}")
    if link not in LINKS:
        raise UserError(f"link must be one of {', '.join(LINKS)}, not {shown(link)}{did_you_mean(link, LINKS)}")
    return read_pack(HOME / name, link, own=True)


def read_pack(folder: Path, link: str = "nhs_number", *, own: bool = False) -> Pack:
    """The pack that a folder declares; ``own``: one of pets itself."""
    head, _ = read_yaml(folder / "pack.yaml", "pack", own=own)
    parts = [(read_yaml(folder / f"{part}.yaml", "pack", own=own)[0], f"{part}.yaml") for part in head["parts"]]
    start, end = (dt.date.fromisoformat(day) for day in head["window"].split(".."))
    lists: dict[str, CodeList] = {}
    for tree, file in parts:
        for name, form in (tree.get("codes") or {}).items():
            lists[name] = _at(file, tree["codes"], name, lambda n=name, f=form: code_list(n, f))
    calendars = {name: calendar(name, form) for name, form in head["calendars"].items()}
    tables: dict[str, PackTable] = {}
    faults: list[Fault] = []
    for tree, file in parts:
        for name, form in (tree.get("tables") or {}).items():
            tables[name] = _at(
                file, tree["tables"], name, lambda n=name, f=form, at=file: _table(n, f, lists, link, at)
            )
            _names_are_known(tables, name, file, form)
    for tree, file in parts:
        for name, form in (tree.get("faults") or {}).items():
            faults.append(_at(file, tree["faults"], name, lambda n=name, f=form: _fault(n, f, tables, link)))
    pack = Pack(
        head["pack"], head["version"], head["title"], link, (start, end), head["sources"], lists, calendars, tables,
        tuple(faults),
    )  # fmt: skip
    _sources_are_known(pack)
    return pack


def _at(file: str, parent: Any, key: str, build: Any) -> Any:
    try:
        return build()
    except (SchemaError, KeyError) as error:
        told = error if isinstance(error, SchemaError) else SchemaError(f"{key!r} lacks {error}")
        raise Place(file).error(told, parent, key) from None


def _linked(name: str, link: str) -> str:
    """A name that depends on the link: ``NEWNHSNO/PERSON_ID_DEID``."""
    first, slash, second = name.partition("/")
    return second if slash and link == "pseudonym" else first


def _table(name: str, form: Lines, lists: Mapping[str, CodeList], link: str, file: str) -> PackTable:
    known = ("title", "source", "rows", "unit", "columns", "keep", "checks", "rules")
    for key in form:
        if key not in known:
            raise SchemaError(f"table {name!r}: {key!r} is not a setting{did_you_mean(key, known)}")
    given = form["rows"] if isinstance(form["rows"], list) else [form["rows"]]
    rows = tuple(
        Rows(
            one["each"],
            read(one["where"], FUNCTIONS, GROUPED) if "where" in one else None,
            read(one["times"], FUNCTIONS, GROUPED) if "times" in one else None,
            int(one.get("most", 1)),
        )
        for one in given
    )
    source, columns = form.get("source", ""), form["columns"]
    fields = tuple(
        _at(file, columns, key, lambda k=key, t=text: field(_linked(k, link), t, source, lists))
        for key, text in columns.items()
    )
    person = next((one.name for one in fields if one.kind == "person"), "")
    checks = form.get("checks") or {}
    calls = [*FUNCTIONS, *CHECKS]
    unit = form.get("unit") or {}
    return PackTable(
        name,
        form.get("title", ""),
        source,
        rows,
        fields,
        read(form["keep"], FUNCTIONS, GROUPED) if "keep" in form else None,
        {key: _at(file, checks, key, lambda t=text: read(t, calls, GROUPED)) for key, text in checks.items()},
        int(unit.get("max_rows", 1)),
        int(unit.get("rows", unit.get("max_rows", 1))),
        tuple({k: person if v == PERSON else v for k, v in rule.items()} for rule in form.get("rules") or ()),
    )


def _fault(name: str, form: Mapping[str, str], tables: Mapping[str, PackTable], link: str) -> Fault:
    table, columns = form["table"], tuple(_linked(part, link) for part in form.get("columns", "").split())
    if table not in tables:
        raise SchemaError(f"fault {name!r}: there is no table {table!r}{did_you_mean(table, tables)}")
    known = [column for _, column in tables[table].visible()]
    for column in columns:
        if column not in known:
            raise SchemaError(f"fault {name!r}: {table!r} has no column {column!r}{did_you_mean(column, known)}")
    where = read(form["where"], FUNCTIONS) if "where" in form else None
    return Fault(
        name, table, form["kind"], columns, float(form["share"]), where, form.get("value", ""), form["breaks"],
        form["lesson"],
    )  # fmt: skip


def _names_are_known(tables: Mapping[str, PackTable], name: str, file: str, form: Lines) -> None:
    """Every formula names columns that are made before it."""
    table = tables[name]
    known = {"start", "end", "person"}
    for rows in table.rows:
        if rows.each != "nobody":
            if rows.each not in tables or rows.each == name:
                raise SchemaError(f"table {name!r}: there is no earlier table {rows.each!r}")
            known |= _reach(tables, rows.each)
    for one in table.fields:
        wanted = known | ({"slot"} if one.family else set())
        for used in one.formula.names():
            if used not in wanted:
                error = SchemaError(
                    f"field {one.name!r} uses {used!r}, which is not made yet{did_you_mean(used, wanted)}"
                )
                raise Place(file).error(error, form["columns"], one.name)
        known |= {PERSON} if one.kind == "person" else set()
        known |= set(one.names) | ({f"{one.family}[]"} if one.family else set())


def _reach(tables: Mapping[str, PackTable], name: str) -> set[str]:
    out = {f"{name}.{n}" for one in tables[name].fields for n in one.names}
    out |= {f"{name}.{PERSON}"} if tables[name].person else set()
    for rows in tables[name].rows:
        if rows.each in tables:
            out |= _reach(tables, rows.each)
    return out


def _sources_are_known(pack: Pack) -> None:
    cited = {one.source for table in pack.files for one in table.fields if not one.hidden}
    cited |= {codes.source for codes in pack.lists.values()}
    for source in cited:
        if source not in pack.sources:
            raise SchemaError(f"pack {pack.name!r}: there is no source {source!r}{did_you_mean(source, pack.sources)}")
