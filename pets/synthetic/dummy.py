"""Dummy data: rows invented from the public schema alone. No data argument exists, so nothing can leak.

Values are drawn evenly from the public domains. The twin has the shape of the real table, not its statistics.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np

from pets.domain import Boolean, Category, Date, Domain, Identifier
from pets.errors import UserError
from pets.numeric import Integer, Real
from pets.schema import Schema, Table

if TYPE_CHECKING:
    import pandas as pd

NULL_SHARE = 0.03
MOST_ROWS = 50_000_000


def invent(schema: Schema, rows: int = 1000, seed: int = 0) -> dict[str, pd.DataFrame]:
    """Every table of a schema, filled with invented rows; the same seed gives the same rows.

    ``rows`` is the number of rows of each table (a person table has one row per invented person). People have
    between 1 and ``max_rows`` rows, most of them few. Columns that the schema may leave empty are null in 3 % of rows.
    """
    if isinstance(rows, bool) or not isinstance(rows, int) or not 1 <= rows <= MOST_ROWS:
        raise UserError(f"rows must be a whole number from 1 to {MOST_ROWS:,}, not {rows!r}")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise UserError(f"seed must be a whole number of at least 0, not {seed!r}")
    out: dict[str, pd.DataFrame] = {}
    for number, (name, table) in enumerate(schema.tables.items()):
        out[name] = _table(table, rows, np.random.default_rng([seed, number]))
    return out


def _table(table: Table, rows: int, random: np.random.Generator) -> pd.DataFrame:
    import pandas as pd

    people = _people(table.unit.max_rows, rows, random)
    columns: dict[str, Any] = {}
    for name, domain in table.columns.items():
        if name == table.unit.column:
            columns[name] = [f"DUMMY-{person:08d}" for person in people]
        elif not (isinstance(domain, Category) and domain.lookup is not None):
            columns[name] = _values(domain, rows, random)
    return pd.DataFrame(columns)


def _people(max_rows: int, rows: int, random: np.random.Generator) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Which invented person each row belongs to: numbers of rows fall off geometrically, up to ``max_rows``."""
    sizes = np.minimum(random.geometric(0.5, size=rows), max_rows)
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
