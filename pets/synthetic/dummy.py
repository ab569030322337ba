"""Dummy data: rows invented from the public schema alone. No data argument exists, so nothing can leak.

Values are drawn evenly from the public domains. The twin has the shape of the real table, not its statistics.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np

from pets.codec import whole
from pets.domain import Boolean, Category, Date, Domain, Identifier
from pets.errors import UserError, shown
from pets.numeric import Integer, Real
from pets.schema import Schema, Table

if TYPE_CHECKING:
    import pandas as pd

NULL_SHARE = 0.03
MOST_ROWS = 50_000_000


def invent(schema: Schema, rows: int = 1000, seed: int = 0) -> dict[str, pd.DataFrame]:
    """Every table of a schema, filled with invented rows; the same seed gives the same rows.

    ``rows`` is the number of rows of each table (a person table has one row per invented person). People have
    between 1 and ``max_rows`` rows, most of them few. No more people are invented than the schema says there are at
    most (``people``): they then have more rows each, and a table gets at most people × max_rows rows, fewer than asked
    for where that is less. Columns that the schema may leave empty are null in 3 % of rows.
    """
    if not isinstance(schema, Schema):
        raise UserError(f"dummy data needs a schema, such as pets.Schema.load('stays.yaml'), not {shown(schema)}")
    rows = _count("rows", rows, 1, MOST_ROWS)
    seed = _count("seed", seed, 0, 2**63 - 1)
    out: dict[str, pd.DataFrame] = {}
    for number, (name, table) in enumerate(schema.tables.items()):
        out[name] = _table(table, rows, np.random.default_rng([seed, number]))
    return out


def _count(label: str, value: object, least: int, most: int) -> int:
    try:
        found = whole(value)
    except ValueError:
        found = least - 1
    if not least <= found <= most:
        raise UserError(f"{label} must be a whole number from {least} to {most:,}, not {shown(value)}")
    return found


def _table(table: Table, rows: int, random: np.random.Generator) -> pd.DataFrame:
    import pandas as pd

    rows = min(rows, table.people * table.unit.max_rows)
    people = _people(table.unit.max_rows, rows, table.people, random)
    columns: dict[str, Any] = {}
    for name, domain in table.columns.items():
        if name == table.unit.column:
            columns[name] = [f"DUMMY-{person:08d}" for person in people]
        elif not (isinstance(domain, Category) and domain.lookup is not None):
            columns[name] = _values(domain, rows, random)
    return pd.DataFrame(columns)


def _people(max_rows: int, rows: int, most: int, random: np.random.Generator) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Which invented person each row belongs to: numbers of rows fall off geometrically, up to ``max_rows``.

    Where the rows need more than ``most`` people that way, the first of these get as many rows as they may have.
    """
    sizes = np.minimum(random.geometric(0.5, size=rows), max_rows)[:most]
    room = max_rows - sizes
    lacking = rows - int(sizes.sum())
    if lacking > 0:
        sizes = sizes + np.clip(lacking - (np.cumsum(room) - room), 0, room)
    ends = np.cumsum(sizes)
    return np.searchsorted(ends, np.arange(rows), side="right").astype(np.int64)


def _values(domain: Domain, rows: int, random: np.random.Generator) -> list[Any]:
    if isinstance(domain, Identifier):
        return [f"DUMMY-{i:08d}" for i in range(rows)]
    codes = random.integers(0, domain.cells, size=rows, dtype=np.int64).tolist()
    empty = random.random(rows) < NULL_SHARE if domain.nullable else np.zeros(rows, dtype=bool)
    if isinstance(domain, (Category, Boolean, Integer, Real)):
        values = [domain.decode(code) for code in codes]
    elif isinstance(domain, Date):
        values = [(domain.lo + dt.timedelta(days=code)).isoformat() for code in codes]
    else:
        raise UserError(f"dummy values for {domain.describe()} are not known")
    return [None if blank else value for value, blank in zip(values, empty.tolist(), strict=True)]
