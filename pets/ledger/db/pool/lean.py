"""Lean: of the connections to a server of databases that a crowd of requests opened, those that rest are let go.

A server has few of them for everybody (PostgreSQL 100, unless it is told otherwise), and to open one costs more than to
answer a request. So all stay open as long as crowds come, and then a few.
"""

from __future__ import annotations

import time

from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

KEPT = 5
"""Connections of one process that stay open, however long nobody needs them."""

RESTS = 30.0
"""Seconds after which any other that nobody needed is closed, once another one is given back."""


class LeanPool(QueuePool):
    """A pool that uses the last connection first, and closes those that nobody came to; safe from threads."""

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        super()._do_return_conn(record)
        rested = self._rested()
        if rested is not None:
            try:
                rested.close()
            finally:
                self._dec_overflow()

    def _rested(self) -> ConnectionPoolEntry | None:
        """The one that has rested longest, taken out of the pool, where that was too long."""
        with self._pool.mutex:  # type: ignore[attr-defined]
            resting = self._pool.queue  # type: ignore[attr-defined]
            now = time.monotonic()
            if len(resting) <= KEPT or now - resting[0].info.get("returned", now) < RESTS:
                return None
            found: ConnectionPoolEntry = resting.popleft()
            return found
