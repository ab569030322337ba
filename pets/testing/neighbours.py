"""Neighbours: pairs of data sets that differ in one person, made to find what a bound leaves open.

A crowd that stays within every bound, or goes past all of them, and one person who has more rows than count, at the
ends of every column's domain, spread over all its values, beyond them, or like other people's.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pets.errors import UserError, shown
from pets.schema.domain import Boolean, Category, Domain, Identifier
from pets.schema.schema import Schema, Table
from pets.session.tables import sources_of
from pets.synthetic.dummy import dummy
from pets.synthetic.dummy_data.fill import stream

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 48
"""Of each table of a crowd."""

PERSON = "the one person"
CROWDS = ("a crowd within every bound", "a crowd over every bound")
HABITS = (
    "alike, at the upper ends",
    "spread over all values",
    "alike, at the lower ends",
    "as others have",
    "beyond the domains or empty",
)
"""Of the one person's rows."""

Row = dict[str, Any]
Rows = dict[str, list[Row]]


@dataclass(frozen=True)
class Pair:
    """Two data sets that differ in all rows of one person.

    Attributes:
        larger, smaller: a source for each table, with and without that person; rows in different orders.
        story: who they are, in words.
        key: decides which rows of a person are kept, the same in both.
    """

    larger: Mapping[str, pa.Table]
    smaller: Mapping[str, pa.Table]
    story: str
    key: int


def pairs(schema: Schema, data: Any, count: int, *, person: Any = None, seed: int = 0) -> Iterator[Pair]:
    """So many pairs, all different; the same seed gives the same.

    Args:
        schema: of the tables.
        data: a small source for each table, to which a person is added or from which one is taken; ``None`` for
            invented crowds alone.
        count: how many.
        person: the id of somebody in ``data``, who leaves in the first pair.
        seed: of everything that is invented.
    """
    given = None if data is None else {name: rows_of(source) for name, source in sources_of(schema, data).items()}
    crowds = [*CROWDS] if given is None else ["the given rows", *CROWDS]
    if person is not None:
        if given is None:
            raise UserError("person= is the id of somebody in data=; give the data too")
        smaller = without(schema, given, str(person))
        if smaller == given:
            raise UserError(f"nobody in the data has the id {shown(person)}")
        yield _pair(schema, given, smaller, "the given rows, and the person who was named", seed)
    for number in range(0 if person is None else 1, count):
        crowd, at = crowds[number % len(crowds)], number + 1000 * seed
        base = given if crowd == "the given rows" and given is not None else _crowd(schema, crowd, at)
        own = people(schema, base)
        if (number + seed) % 7 == 6 and own:  # somebody of the crowd leaves
            smaller = without(schema, base, own[number % len(own)])
            yield _pair(schema, base, smaller, f"{crowd}, and one of them leaves", at)
            continue
        habit = HABITS[(number // len(crowds) + seed) % len(HABITS)]
        more = {name: _rows(table, name, habit, base, schema, at) for name, table in schema.tables.items()}
        larger = {name: base.get(name, []) + more[name] for name in schema.tables}
        size = ", ".join(f"{len(rows)} rows of {name!r}" for name, rows in more.items())
        yield _pair(schema, larger, base, f"{crowd}, and one person with {size}, {habit}", at)


def _pair(schema: Schema, larger: Rows, smaller: Rows, story: str, seed: int) -> Pair:
    key = int(stream(seed, "rank key").integers(2**63))
    made = [
        {name: _source(schema.tables[name], rows, seed + turn) for name, rows in world.items()}
        for turn, world in enumerate((larger, smaller))
    ]
    return Pair(made[0], made[1], story, key)


def _source(table: Table, rows: Sequence[Row], seed: int) -> pa.Table:
    """Rows as texts, shuffled."""
    import pyarrow as pa

    order = stream(seed, "order").permutation(len(rows))
    names = list(dict.fromkeys([*table.columns, *(name for row in rows for name in row)]))
    return pa.table({name: pa.array([rows[i].get(name) for i in order], type=pa.string()) for name in names})


def rows_of(source: Any) -> list[Row]:
    """A small source's rows, every cell as text or ``None``."""
    import pandas as pd

    if isinstance(source, (str, Path)) and str(source).endswith(".parquet"):
        frame = pd.read_parquet(source)
    elif isinstance(source, (str, Path)):
        frame = pd.read_csv(source, dtype=str, keep_default_na=False)
    else:
        frame = source.to_pandas() if hasattr(source, "to_pandas") else pd.DataFrame(source)
    named = [str(name) for name in frame.columns]
    cells = [[_text(cell) for cell in frame[name].tolist()] for name in frame.columns]
    return [dict(zip(named, row, strict=True)) for row in zip(*cells, strict=True)]


def _text(cell: Any) -> str | None:
    if cell is None or str(cell) in ("nan", "NaT", "<NA>"):
        return None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, dt.datetime) and cell.time() == dt.time():
        return cell.date().isoformat()
    return str(cell)


def people(schema: Schema, data: Rows) -> list[str]:
    """Everybody who has a row."""
    columns = ((name, schema.tables[name].unit.column) for name in data)
    found = (row.get(column) for name, column in columns if column is not None for row in data[name])
    return list(dict.fromkeys(str(person) for person in found if person is not None))


def without(schema: Schema, data: Rows, person: str) -> Rows:
    """The data with all rows of one person taken out of every table."""
    columns = {name: schema.tables[name].unit.column for name in data}
    return {
        name: [row for row in rows if (column := columns[name]) is None or row.get(column) != person]
        for name, rows in data.items()
    }


def _crowd(schema: Schema, crowd: str, seed: int) -> Rows:
    """Invented people: with one row each, or a few of them with all rows."""
    made = {name: rows_of(frame) for name, frame in dummy(schema, rows=ROWS, seed=seed).items()}
    for name, rows in made.items():
        column = schema.tables[name].unit.column
        if column is None:
            continue
        if crowd == CROWDS[0]:
            made[name] = list({row[column]: row for row in rows}.values())
        elif schema.tables[name].unit.max_rows > 1:
            some = list(dict.fromkeys(row[column] for row in rows))[:3]
            made[name] = [row | {column: some[i % len(some)]} for i, row in enumerate(rows)]
    return made


def _rows(table: Table, name: str, habit: str, base: Rows, schema: Schema, seed: int) -> list[Row]:
    """The one person's rows in one table."""
    most = table.unit.max_rows
    size = 1 if table.unit.column is None else int(stream(seed, name, "size").integers(most, most + 3)) + 1
    if habit == "spread over all values":
        size = 1 if table.unit.column is None else max(size, 24)
    made: list[Row] = rows_of(dummy(schema, rows=max(size, ROWS), seed=seed + 500)[name])
    if habit == "as others have" and base.get(name):
        made = base[name]
    out = []
    for index in range(size):
        row = dict(made[index % len(made)])
        for column, domain in table.columns.items():
            if isinstance(domain, Identifier):
                row[column] = PERSON if column == table.unit.column else "1"
            elif not (isinstance(domain, Category) and domain.lookup is not None):
                row[column] = _cell(domain, habit, index, row.get(column))
        out.append(row)
    return out


def _cell(domain: Domain, habit: str, index: int, invented: Any) -> Any:
    low, high = _ends(domain)
    if high is None and habit != "beyond the domains or empty":  # texts have no ends
        return invented
    if habit == "alike, at the upper ends":
        return high
    if habit == "alike, at the lower ends":
        return low
    if habit == "spread over all values":
        if isinstance(domain, Category):
            return domain.values[index % len(domain.values)]
        return (low, high, invented)[index % 3]
    if habit == "beyond the domains or empty":
        return ("1e30", None, "-1e30", high, "NaN")[index % 5]
    return invented


def _ends(domain: Domain) -> tuple[Any, Any]:
    if isinstance(domain, Category):
        return domain.values[0], domain.values[-1]
    if isinstance(domain, Boolean):
        return "false", "true"
    low, high = getattr(domain, "lo", None), getattr(domain, "hi", None)
    if isinstance(low, dt.datetime):
        return low.isoformat(" "), high.isoformat(" ")  # type: ignore[union-attr]
    if isinstance(low, (int, dt.date, dt.timedelta)):
        return str(low), str(high)
    return (None, None) if low is None else (repr(float(low)), repr(float(high)))  # type: ignore[arg-type]
