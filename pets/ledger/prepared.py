"""Prepared: a statement of SQLAlchemy that is turned into SQL once for each kind of database, not at every execution.

A request passes some fifteen statements within its two transactions, while everybody else waits for the log's head. So
the driver executes them at once, within the transaction that SQLAlchemy began; errors are still SQLAlchemy's.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa


class Found:
    """What a statement gave: rows of the driver's own types, which are plain ones in the ledger's tables."""

    def __init__(self, rows: list[Any], rowcount: int) -> None:
        self._rows, self.rowcount = rows, rowcount

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def first(self) -> Any:
        """The first row, or ``None``."""
        return self._rows[0] if self._rows else None

    def scalar(self) -> Any:
        """The first column of the first row, or ``None``."""
        return self._rows[0][0] if self._rows else None


class Prepared:
    """A statement and, by the name of the database's dialect, its SQL."""

    def __init__(self, statement: Any) -> None:
        self._statement = statement
        self._known: dict[str, tuple[str, dict[str, Any], tuple[str, ...] | None]] = {}
        self._row: Any = None

    def __call__(self, connection: sa.Connection, values: dict[str, Any]) -> Found:
        """Execute it with these values for its parameters."""
        dialect = connection.dialect
        known = self._known.get(dialect.name)
        if known is None:
            compiled = self._statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
            order = None if compiled.positiontup is None else tuple(compiled.positiontup)
            known = self._known[dialect.name] = (compiled.string, dict(compiled.params), order)
        sql, fixed, order = known
        given = fixed | values
        pooled = connection.connection
        cursor = pooled.cursor()
        try:
            cursor.execute(sql, given if order is None else tuple(given[name] for name in order))
            if cursor.description is None:
                return Found([], cursor.rowcount)
            if self._row is None:
                names = [column[0] for column in cursor.description]
                self._row = namedtuple("Row", names, rename=True)  # type: ignore[misc]
            return Found([self._row._make(row) for row in cursor.fetchall()], cursor.rowcount)
        except dialect.loaded_dbapi.Error as error:
            lost = dialect.is_disconnect(error, pooled.dbapi_connection, cursor)
            if lost:
                connection.invalidate(error)
            raise sa.exc.DBAPIError.instance(
                sql, None, error, dialect.loaded_dbapi.Error, connection_invalidated=lost, dialect=dialect
            ) from error
        finally:
            cursor.close()
