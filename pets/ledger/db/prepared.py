"""Prepared: a statement of SQLAlchemy that is turned into SQL once for each kind of database, not at every execution.

A request passes some fifteen statements within its two transactions, while everybody else waits for the log's head. So
the driver executes them at once, within the transaction that SQLAlchemy began; errors are still SQLAlchemy's. In a
pipeline of PostgreSQL they are sent without waiting for each other's answers, which come in one round trip.
"""

from __future__ import annotations

import contextlib
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa


class Found:
    """What a statement gave: rows of the driver's own types, which are plain ones in the ledger's tables.

    In a pipeline it is fetched, with all that was sent before, when somebody first looks at it.
    """

    def __init__(
        self, fetch: Callable[[], tuple[list[Any], int]] | None = None, kept: tuple[list[Any], int] | None = None
    ) -> None:
        self._fetch, self._kept = fetch, kept

    @property
    def _got(self) -> tuple[list[Any], int]:
        # never cached_property: until Python 3.12 it holds one lock of the whole class while it fetches, and whoever
        # waits here for a row of the database would keep from their answers those who are to let that row go
        if self._kept is None:
            assert self._fetch is not None
            self._kept = self._fetch()
        return self._kept

    @property
    def rowcount(self) -> int:
        """How many rows were changed or found."""
        return self._got[1]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._got[0])

    def first(self) -> Any:
        """The first row, or ``None``."""
        return self._got[0][0] if self._got[0] else None

    def scalar(self) -> Any:
        """The first column of the first row, or ``None``."""
        return self._got[0][0][0] if self._got[0] else None


class Prepared:
    """A statement and, by the name of the database's dialect, its SQL."""

    def __init__(self, statement: Any) -> None:
        self._statement = statement
        self._known: dict[str, tuple[str, dict[str, Any], tuple[str, ...] | None]] = {}
        self._row: Any = None

    def __call__(self, connection: sa.Connection, values: Mapping[str, Any]) -> Found:
        """Execute it with these values for its parameters.

        A glance, which changes nothing and is of its own moment, is asked once more over another connection where its
        own was lost: nobody saw anything of it.
        """
        try:
            return self._found(connection, values)
        except sa.exc.DBAPIError as error:
            glances = "glances" in connection.get_execution_options() and not connection.in_transaction()
            if not (glances and error.connection_invalidated):
                raise
        return self._found(connection, values)

    def _found(self, connection: sa.Connection, values: Mapping[str, Any]) -> Found:
        dialect = connection.dialect
        known = self._known.get(dialect.name)
        if known is None:
            compiled = self._statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
            order = None if compiled.positiontup is None else tuple(compiled.positiontup)
            known = self._known[dialect.name] = (compiled.string, dict(compiled.params), order)
        sql, fixed, order = known
        given = {**fixed, **values}
        pooled = connection.connection
        cursor = pooled.cursor()
        pipeline = connection.get_execution_options().get("pipeline")
        with plainly(connection, pooled, cursor, sql):
            cursor.execute(sql, given if order is None else tuple([given[name] for name in order]))
            if pipeline is None:
                return Found(kept=self._fetched(cursor, None))

        def fetch() -> tuple[list[Any], int]:
            with plainly(connection, pooled, cursor, sql):
                return self._fetched(cursor, pipeline)

        return Found(fetch)

    def _fetched(self, cursor: Any, pipeline: Any) -> tuple[list[Any], int]:
        try:
            if pipeline is not None and cursor.description is None:
                pipeline.sync()
            if cursor.description is None:
                return [], cursor.rowcount
            rows = cursor.fetchall()
            if self._row is None:
                names = [column[0] for column in cursor.description]
                self._row = namedtuple("Row", names, rename=True)  # type: ignore[misc]
            made = self._row._make
            return [made(row) for row in rows], cursor.rowcount
        finally:
            cursor.close()


@contextlib.contextmanager
def plainly(connection: sa.Connection, pooled: Any, cursor: Any, sql: str) -> Iterator[None]:
    """The driver's errors as SQLAlchemy's; ``cursor``: where there is one."""
    dialect = connection.dialect
    try:
        yield
    except dialect.loaded_dbapi.Error as error:
        lost = dialect.is_disconnect(error, pooled.dbapi_connection, cursor)
        if lost:
            connection.invalidate(error)
        raise sa.exc.DBAPIError.instance(
            sql, None, error, dialect.loaded_dbapi.Error, connection_invalidated=lost, dialect=dialect
        ) from error
