"""A pack's tables and faults, from their entries in its files."""

from __future__ import annotations

import datetime as dt
import keyword
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from pets.errors import SchemaError, did_you_mean, shown
from pets.schema.settings import MAX_ROWS
from pets.synthetic.packs import grammar
from pets.synthetic.packs.check import CHECKS
from pets.synthetic.packs.declared import PERSON, Fault, Pack, PackTable, Rows
from pets.synthetic.packs.field import Field, field
from pets.synthetic.packs.formula import Formula, read
from pets.synthetic.packs.functions import FUNCTIONS, GROUPED
from pets.synthetic.packs.grammar import MADE
from pets.synthetic.packs.reading.lint import Known
from pets.synthetic.packs.reading.place import PackFile

MAX_FIELDS, MAX_TABLES = 500, 100
RESERVED = (
    "manifest",
    "schema",
    "data_dictionary",
    "answer_key",
    "SYNTHETIC",
    "start",
    "end",
    "person",
    "slot",
    PERSON,
)
"""Names of other files and columns, and what formulas call by these names."""

Tables = Mapping[str, PackTable]


def linked_name(name: str, link: str) -> str:
    """A name that depends on the link: ``NEWNHSNO/PERSON_ID_DEID``."""
    first, slash, second = name.partition("/")
    return second if slash and link == "pseudonym" else first


def a_name(name: str, what: str) -> None:
    """Raise :class:`SchemaError` for a name that a formula could not say."""
    if not (name.isidentifier() and name.isascii()) or keyword.iskeyword(name) or len(name) > 60 or name in RESERVED:
        raise SchemaError(
            f"{what} {shown(name)} needs another name: letters, digits and _, 60 at most, and none of "
            f"{', '.join(RESERVED)}"
        )


def read_table(
    file: PackFile, parent: Any, name: str, form: Any, tables: Tables, known: Known, pack: Pack
) -> PackTable:
    """A table from its entry, without its checks: they look at the tables below it, too."""
    with file.at(parent, name):
        if name != "person":  # no column of a table is called so: person.person_id says that a table is meant
            a_name(name, "table")
        if len(tables) >= MAX_TABLES:
            raise SchemaError(f"a pack has at most {MAX_TABLES} tables; divide it into several packs")
    file.mapping(form, grammar.TABLE, parent, name)
    rows = _rows(file, form, tables, known)
    with file.at(form, "source"):
        source = grammar.text(form.get("source", MADE), "source")
    with file.at(form, "title"):
        title = grammar.text(form.get("title", name), "title")
    fields = _fields(file, form, source, known, pack)
    unit = file.mapping(form.get("unit") or {}, grammar.UNIT, form, "unit")
    with file.at(form, "unit"):
        most = grammar.whole(unit.get("max_rows", "1"), "max_rows", 1, MAX_ROWS)
        usual = grammar.whole(unit.get("rows", str(most)), "rows", 1, most)
    person = next((one.name for one in fields if one.kind == "person"), "")
    with file.at(form, "rules"):
        given = form.get("rules") or []
        if not isinstance(given, list) or not all(isinstance(rule, Mapping) for rule in given):
            raise SchemaError("rules must be a list of rules, such as [{order: [admitted, discharged]}]")
        rules = tuple({k: person if v == PERSON else v for k, v in rule.items()} for rule in given)
    table = PackTable(name, title, source, rows, fields, None, {}, most, usual, rules, file.place(parent, name))
    with file.at(parent, name):
        _is_of_people(table, tables)
    _columns_are_made(file, form, table, tables, known)
    keep = _formula(file, form, "keep", known, set(_reach(tables, rows)) | set(_own(table)), table)
    table = replace(table, keep=keep)
    if not table.hidden:
        _described(file, form, table, pack)
    return table


def _described(file: PackFile, form: Any, table: PackTable, pack: Pack) -> None:
    """Raise :class:`SchemaError` where a schema refuses the table; for a rule, at the rule."""
    with file.at(form, "rules"):
        try:
            pack.described(table)
        except SchemaError:
            for given, rule in zip(form.get("rules") or (), table.rules, strict=True):
                with file.at(given, next(iter(given), "")):
                    pack.described(replace(table, rules=(rule,)))
            raise


def _rows(file: PackFile, form: Any, tables: Tables, known: Known) -> tuple[Rows, ...]:
    out = []
    for one in form["rows"] if isinstance(form["rows"], list) else [form["rows"]]:
        file.mapping(one, grammar.ROWS, form, "rows")
        place = one if isinstance(one, Mapping) else form
        with file.at(place, "each"):
            each = one["each"]
            if tables and each == "nobody":
                raise SchemaError(f"only the first table is of nobody; write each: {next(iter(tables))}")
            if not tables and each != "nobody":
                raise SchemaError("the first table has one row a person; write each: nobody")
            if tables and each not in tables:
                raise SchemaError(f"there is no earlier table {shown(each)}{did_you_mean(str(each), tables)}")
        with file.at(place, "most"):
            most = grammar.whole(one.get("most", "1"), "most", 1, MAX_ROWS)
        where, times = (
            _formula(file, one, part, known, set(_in_parent(tables, each)), tables.get(each))
            for part in ("where", "times")
        )
        if not tables and (where or times):
            with file.at(place, "each"):
                raise SchemaError("the first table has one row a person; leave where and times out")
        out.append(Rows(each, where, times, most))
    with file.at(form, "rows"):
        if not out or (not tables and len(out) > 1):
            raise SchemaError("rows must be a mapping such as {each: visits}, or a list of them")
    return tuple(out)


def _formula(
    file: PackFile, form: Any, part: str, known: Known, names: Collection[str], table: PackTable | None
) -> Formula | None:
    if part not in form:
        return None
    with file.at(form, part):
        found = replace(read(form[part], FUNCTIONS, GROUPED), at=file.place(form, part))
        known.check(found, names, () if table is None else _families(table), repr(part))
        return found


def _fields(file: PackFile, form: Any, source: str, known: Known, pack: Pack) -> tuple[Field, ...]:
    with file.at(form, "columns"):
        columns = grammar.named(form["columns"], "columns")
    made: dict[str, Field] = {}
    taken: set[str] = set()
    for key, text in columns.items():
        with file.at(columns, key):
            one = field(linked_name(key, pack.link), text, source, known.lists)
            for name in one.names:
                a_name(name, "field")
                if name in taken:
                    raise SchemaError(f"field {name!r} is there twice; rename one")
                taken.add(name)
            if len(taken) > MAX_FIELDS:
                raise SchemaError(f"a table has at most {MAX_FIELDS} columns; divide it into two tables")
            if not one.hidden:
                if one.source not in pack.sources:
                    raise SchemaError(f"there is no source {one.source!r}{did_you_mean(one.source, pack.sources)}")
                one.domain(pack.lists, pack.window)
            made[one.name] = replace(one, formula=replace(one.formula, at=file.place(columns, key)))
    return tuple(made.values())


def _is_of_people(table: PackTable, tables: Tables) -> None:
    named = [one.name for one in table.fields if one.kind == "person"]
    if table.hidden and tables:
        return
    if len(named) != 1 or table.hidden:
        raise SchemaError(
            f"table {table.name!r} needs one column of type person, such as 'patient: person | "
            f"{'person' if not tables else next(iter(tables)) + '.PERSON'} | Number of the patient'"
        )


def _columns_are_made(file: PackFile, form: Any, table: PackTable, tables: Tables, known: Known) -> None:
    """Every formula names columns that are made before it."""
    names = {"start", "end"} | set(_reach(tables, table.rows)) | ({"person"} if not tables else set())
    families: set[str] = set()
    for one in table.fields:
        with file.at(form["columns"], next(k for k in form["columns"] if one.name in k.split("/"))):
            own = names | ({"slot"} if one.family else set())
            known.check(one.formula, own, families, f"field {one.name!r}")
        names |= {PERSON} if one.kind == "person" else set()
        names |= set(one.names) | ({f"{one.family}[]"} if one.family else set())
        families |= {one.family} if one.family else set()


def _own(table: PackTable) -> list[str]:
    return [*(name for one in table.fields for name in one.names), *([PERSON] if table.person else []), "start", "end"]


def _families(table: PackTable) -> set[str]:
    return {one.family for one in table.fields if one.family}


def _in_parent(tables: Tables, each: str) -> list[str]:
    """What a formula about a table's rows may name: its parent's columns, and those of the parents above."""
    return [] if each not in tables else [*_own(tables[each]), *_reach(tables, [Rows(each)])]


def _reach(tables: Tables, rows: Collection[Rows]) -> list[str]:
    out: list[str] = []
    for each in dict.fromkeys(one.each for one in rows if one.each in tables):
        out += [f"{each}.{name}" for name in _own(tables[each]) if name not in ("start", "end")]
        out += _reach(tables, tables[each].rows)
    return out


def _seen(tables: Tables, table: PackTable) -> set[str]:
    """What a check may name: columns that are written, and those of the person's row in another table."""
    own = {name for _, name in table.visible()} | {PERSON}
    return own | {
        f"{other.name}.{name}" for other in tables.values() for name in (*(n for _, n in other.visible()), PERSON)
    }


def checked(file: PackFile, table: PackTable, form: Any, tables: Tables, known: Known) -> PackTable:
    """The table with its checks."""
    with file.at(form, "checks"):
        given = grammar.named(form.get("checks"), "checks")
    names, calls = _seen(tables, table), [*FUNCTIONS, *CHECKS]
    out: dict[str, Formula] = {}
    for sentence, text in given.items():
        with file.at(given, sentence):
            grammar.text(sentence, "a check's sentence", 200)
            found = replace(read(text, calls, GROUPED), at=file.place(given, sentence))
            known.check(found, names, _families(table), "the check")
            out[sentence] = found
    return replace(table, checks=out)


def read_fault(file: PackFile, parent: Any, name: str, form: Any, tables: Tables, known: Known, link: str) -> Fault:
    """A fault from its entry."""
    file.mapping(form, grammar.FAULT, parent, name)
    written = [one.name for one in tables.values() if not one.hidden]
    with file.at(form, "table"):
        if form["table"] not in written:
            raise SchemaError(f"there is no table {shown(form['table'])}{did_you_mean(str(form['table']), written)}")
        table = tables[form["table"]]
    columns = tuple(linked_name(part, link) for part in str(form.get("columns") or "").split())
    with file.at(form, "columns"):
        here = [column for _, column in table.visible()]
        for column in columns:
            if column not in here:
                raise SchemaError(f"{table.name!r} has no column {shown(column)}{did_you_mean(column, here)}")
    with file.at(form, "kind"):
        kind = str(form["kind"])
        if kind not in grammar.FAULT_KINDS:
            raise SchemaError(f"there is no kind of fault {shown(kind)}{did_you_mean(kind, grammar.FAULT_KINDS)}")
        many = grammar.FAULT_KINDS[kind][0]
        if len(columns) != many:
            raise SchemaError(f"a fault of kind {kind!r} is of {many} column{'' if many == 1 else 's'}; mend 'columns'")
        first = next(iter(tables.values()))
        if kind == "later" and "date_of_death" not in [column for _, column in first.visible()]:
            raise SchemaError(f"a fault of kind 'later' needs a column date_of_death in the table {first.name!r}")
    with file.at(form, "share"):
        share = _share(form["share"])
    with file.at(form, "value"):
        value = _value(kind, form.get("value"))
    with file.at(form, "breaks"):
        if form["breaks"] not in table.checks:
            near = did_you_mean(str(form["breaks"]), table.checks)
            raise SchemaError(f"table {table.name!r} has no check {shown(form['breaks'])}{near}")
    with file.at(form, "lesson"):
        lesson = grammar.text(form["lesson"], "lesson")
    where = None
    if "where" in form:
        with file.at(form, "where"):
            where = replace(read(form["where"], FUNCTIONS), at=file.place(form, "where"))
            known.check(where, _seen(tables, table), _families(table), "'where'")
    return Fault(name, table.name, kind, columns, share, where, value, form["breaks"], lesson)


def _share(given: object) -> float:
    try:
        share = float(str(given))
    except ValueError:
        share = -1.0
    if not 0 < share <= 1:
        raise SchemaError(f"share must be a number above 0 and up to 1, not {shown(given)}")
    return share


def _value(kind: str, given: object) -> str:
    if kind not in ("set", "number", "day"):
        if given is not None:
            raise SchemaError(f"a fault of kind {kind!r} takes no value; leave it out")
        return ""
    try:
        text = grammar.text(given, "value", 200)
        if kind != "set":
            int(text) if kind == "number" else dt.date.fromisoformat(text)
        return text
    except ValueError:
        raise SchemaError(f"value must be a {kind}, not {shown(given)}") from None
