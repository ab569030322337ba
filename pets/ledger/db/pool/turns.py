"""Turns: the threads of one process that write to one SQLite file take turns, the one that came first first.

SQLite itself makes writers look again and again whether the file is free. Here one thread of a process does that, and
the others rest; so a process with many of them does not keep another, with one, from its turn.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

BUSY_SECONDS = 60.0
"""Seconds that a transaction waits for others at most."""

LOOK_AGAIN = 0.0005
"""Seconds between two looks whether the file is free; a transaction takes a few times as long."""


class Turns:
    """One writer at a time; safe from threads."""

    def __init__(self) -> None:
        self._lock, self._taken = threading.Lock(), False
        self._next: deque[threading.Lock] = deque()

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        """A turn; raises SQLAlchemy's ``TimeoutError``, as of any busy database, where it does not come in time."""
        self._wait()
        try:
            yield
        finally:
            self._pass_on()

    def _wait(self) -> None:
        with self._lock:
            if not self._taken:
                self._taken = True
                return
            mine = threading.Lock()
            mine.acquire()
            self._next.append(mine)
        came = False
        try:
            came = mine.acquire(timeout=BUSY_SECONDS)
        finally:
            if not came:
                self._leave(mine)
        if not came:
            raise sa.exc.TimeoutError("database is locked")

    def _leave(self, mine: threading.Lock) -> None:
        """Wait no more; a turn that came just now is the next one's."""
        with self._lock:
            if mine in self._next:
                self._next.remove(mine)
                return
        self._pass_on()

    def _pass_on(self) -> None:
        with self._lock:
            if self._next:
                self._next.popleft().release()
            else:
                self._taken = False


def begins(connection: sa.Connection) -> None:
    """Begin a transaction of SQLite's own, of the kind that the connection's options ask for."""
    pooled: Any = connection.connection
    driver, options = pooled.driver_connection, connection.get_execution_options()
    level = options.get("writes")
    statement = "BEGIN" if level is None else "BEGIN IMMEDIATE"
    try:
        _patience(driver, pooled.info, level is None)
        if "glances" in options:
            return  # SQLite then reads each statement by itself
        if level is None:
            driver.execute(statement)
            return
        if pooled.info.get("synchronous") != level:  # the last writer on this connection had another
            driver.execute(f"PRAGMA synchronous={level}")
            pooled.info["synchronous"] = level
        in_turn(driver, statement)
    except sqlite3.Error as error:
        raise sa.exc.DBAPIError.instance(statement, None, error, sqlite3.Error, dialect=connection.dialect) from error


def _patience(driver: Any, info: Any, patient: bool) -> None:
    """Whether SQLite itself waits for others; for a turn to write it must not, see :func:`in_turn`."""
    if info.get("patient") != patient:
        driver.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000 if patient else 0:.0f}")
        info["patient"] = patient


def in_turn(driver: Any, statement: str) -> Any:
    """The cursor of a statement that waits for its turn, as often as everybody else; SQLite itself must not wait.

    SQLite's own wait sleeps the longer the more often it looked, so that among many writers those who came last go
    first, and the first may wait for ever.
    """
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            return driver.execute(statement)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        time.sleep(LOOK_AGAIN)
