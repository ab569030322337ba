"""Prepared: a statement of SQLAlchemy that is turned into SQL once for each kind of database, not at every execution.

A request passes some fifteen statements within its two transactions, while everybody else waits for the log's head.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa


class Prepared:
    """A statement and, by the name of the database's dialect, its SQL.

    Its results are the driver's own types, which are plain ones in the ledger's tables.
    """

    def __init__(self, statement: Any) -> None:
        self._statement = statement
        self._known: dict[str, tuple[str, dict[str, Any], tuple[str, ...] | None]] = {}

    def __call__(self, connection: sa.Connection, values: dict[str, Any]) -> sa.CursorResult[Any]:
        """Execute it with these values for its parameters."""
        dialect = connection.dialect
        found = self._known.get(dialect.name)
        if found is None:
            compiled = self._statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
            order = None if compiled.positiontup is None else tuple(compiled.positiontup)
            found = self._known[dialect.name] = (compiled.string, dict(compiled.params), order)
        sql, fixed, order = found
        given = fixed | values
        return connection.exec_driver_sql(sql, given if order is None else tuple(given[name] for name in order))
