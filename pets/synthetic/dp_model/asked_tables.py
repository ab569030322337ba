"""What is asked of several tables: which of them, what orders their rows, and which columns, each stated by table.

Judged by the schema alone; every refusal costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pets.common.arguments import whole_between
from pets.errors import UserError, did_you_mean, shown
from pets.query_model.people import MAX_FEATURES
from pets.schema.dates import Calendar, Date
from pets.schema.domain import Category, Domain, Identifier
from pets.schema.numeric import Numeric
from pets.schema.schema import Schema
from pets.schema.text_column import Text
from pets.synthetic.dp_model.columns import cut

MOST = 8
"""Rows of a person in one table, unless more are asked for."""

MOST_ROWS = 30
"""The most that can be asked for."""

_TIMED = (
    "rows are ordered by days or numbers, and {} holds times of days; declare it as a pets.Date in the schema, which "
    "keeps its days, or name another column in order"
)


def parted(schema: Schema, tables: object) -> tuple[str | None, list[str]]:
    """The person table, and the tables of events."""
    if not isinstance(tables, (list, tuple)) or not tables:
        raise UserError(f"tables must be a list of names, such as tables={list(schema.tables)!r}, not {shown(tables)}")
    for name in tables:
        if not isinstance(name, str) or name not in schema.tables:
            raise UserError(f"there is no table {shown(name)}{did_you_mean(name, schema.tables)}")
        if schema.table(name).unit.column is None:
            raise UserError(f"table {name!r} has one row a person and no id that links it; leave it out of tables")
    if len(set(tables)) != len(tables):
        raise UserError("tables names a table twice; name each once")
    single = [name for name in tables if schema.table(name).unit.max_rows == 1]
    if len(single) > 1:
        raise UserError(
            f"tables {' and '.join(map(repr, single))} have one row a person each; name one of them, or synthesise "
            "people with table=pets.people(…)"
        )
    named = [name for name in tables if name not in single]
    if not named:
        raise UserError(f"table {single[0]!r} has one row a person; write table={single[0]!r} instead of tables")
    return (single[0] if single else None), named


def by_table(label: str, given: object, known: Sequence[str]) -> Mapping[str, Any]:
    """What a setting states by table; nothing where it is left out."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise UserError(f"{label} of several tables are stated by table, such as {label}={{{known[0]!r}: …}}")
    for name in given:
        if name not in known:
            raise UserError(f"{label} are stated for {shown(name)}, which is not in tables{did_you_mean(name, known)}")
    return given


def order_of(schema: Schema, table: str, given: object, named: Sequence[str]) -> str:
    """The column that orders a person's rows of one table."""
    own = schema.table(table).columns
    dated = [name for name, domain in own.items() if isinstance(domain, Date)]
    if given is None or (isinstance(given, Mapping) and table not in given):
        by_table("order", given, named)
        if len(dated) == 1:
            return dated[0]
        what = f"{len(dated)} columns of dates" if dated else "no column of dates"
        numbers = [name for name, domain in own.items() if isinstance(domain, Numeric) and domain.cells > 1]
        timed = [name for name, domain in own.items() if isinstance(domain, Calendar)]
        if not dated and timed:
            raise UserError(_TIMED.format(repr(timed[0])))
        if not dated and not numbers:
            raise UserError(f"table {table!r} has no date and no number to order rows by; leave it out of tables")
        like = [*dated, *numbers][0]
        raise UserError(
            f"table {table!r} has {what}; say which orders a person's rows with order={{{table!r}: {like!r}}}"
        )
    if isinstance(given, str) and len(named) == 1:
        given = {table: given}
    name = by_table("order", given, named)[table]
    if not isinstance(name, str) or name not in own:
        raise UserError(f"table {table!r} has no column {shown(name)}{did_you_mean(name, own)}")
    if isinstance(own[name], Calendar) and not isinstance(own[name], Date):
        raise UserError(_TIMED.format(repr(name)))
    if not isinstance(own[name], (Date, Numeric)):
        raise UserError(f"rows are ordered by a date or a number, and {name!r} holds {own[name].describe()}")
    if isinstance(own[name], Numeric) and own[name].cells == 1:
        raise UserError(f"{name!r} has one value and orders no rows; name a column with more of them in order")
    return name


def most_of(schema: Schema, table: str, given: object, named: Sequence[str]) -> int:
    """Rows of a person that the model knows of, and draws at most."""
    kept = schema.table(table).unit.max_rows
    some = given.get(table) if isinstance(given, Mapping) and by_table("bound", given, named) else given
    if some is None or isinstance(some, Mapping):
        return min(MOST, kept)
    return whole_between(f"bound of table {table!r}", some, 2, min(kept, MOST_ROWS))


def listed_of(
    schema: Schema, table: str, chosen: Mapping[str, Any], cuts: Mapping[str, Any], order: str | None
) -> list[str]:
    """The columns of a table that are modelled or computed: the one that orders its rows is, listed or not."""
    fields = dict(schema.table(table).columns)
    usual = [name for name, domain in fields.items() if _can(domain)]
    if not usual and chosen.get(table) is None:
        return []
    given = chosen.get(table)
    if order is not None and isinstance(given, (list, tuple)) and given and order not in given:
        given = [order, *given]
    return [one.name for one in cut(fields, table, usual, given, cuts.get(table))]


def _can(domain: Domain) -> bool:
    if isinstance(domain, (Identifier, Text)):
        return False
    return not (isinstance(domain, Category) and domain.lookup is not None)


def nameable(schema: Schema, person: str | None, names: Sequence[str]) -> None:
    """Refuse features that cannot stand beside one another in one question."""
    if len(names) > MAX_FEATURES:
        raise UserError(
            f"these tables take {len(names)} features of people, two for most columns, and a question has at most "
            f"{MAX_FEATURES}; name fewer columns with columns={{…}}, or fewer tables"
        )
    taken = set() if person is None else set(schema.table(person).columns)
    for name in names:
        if name in taken:
            raise UserError(f"two columns are both called {name!r} in the model; rename a table or a column of them")
        taken.add(name)
