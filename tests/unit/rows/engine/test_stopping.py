"""A statement that takes longer than it may is interrupted; one that does not is left alone."""

from __future__ import annotations

import threading

import duckdb
import pytest

from pets.rows.engine import stopping

LONG = "SELECT count(*) FROM range(30000) a, range(30000) b WHERE (a.range * b.range) % 7 = 3"


class Cursor:
    """Its statement ends when it is interrupted."""

    def __init__(self) -> None:
        self.stopped = threading.Event()

    def interrupt(self) -> None:
        self.stopped.set()

    def wait(self) -> bool:
        return self.stopped.wait(20)


def test_a_statement_is_interrupted_when_its_time_is_over() -> None:
    cursor = Cursor()
    with stopping.within(0.01):
        assert stopping.run(cursor, cursor.wait)


def test_a_statement_that_ends_in_time_is_not_interrupted_later() -> None:
    cursor = Cursor()
    with stopping.within(1000):
        assert stopping.run(cursor, lambda: 7) == 7
    assert not cursor.stopped.is_set() and threading.active_count() < 100


def test_one_that_begins_too_late_is_interrupted_too() -> None:
    """DuckDB forgets an interruption that came before the statement began."""
    cursor, told = Cursor(), [False, True]

    def interrupt() -> None:
        if told.pop(0):
            cursor.stopped.set()

    cursor.interrupt = interrupt  # type: ignore[method-assign]
    with stopping.within(0.0):
        assert stopping.run(cursor, cursor.wait)


def test_without_a_limit_nothing_is_started() -> None:
    before = set(threading.enumerate())
    assert stopping.run(None, lambda: set(threading.enumerate())) <= before  # (others may end meanwhile)


@pytest.mark.parametrize("seconds", [0.05, 0.0])
def test_duckdb_ends_what_is_interrupted(seconds: float) -> None:
    cursor = duckdb.connect().cursor()
    with stopping.within(seconds), pytest.raises(duckdb.InterruptException):
        stopping.run(cursor, lambda: cursor.execute(LONG).fetchall())
