"""A statement that takes longer than it may is interrupted; one that does not is left alone."""

from __future__ import annotations

import threading

import duckdb
import pandas as pd
import pytest

import pets
from pets.rows.engine import stopping
from pets.rows.engine.spark_rows import collected
from pets.rows.spark.spark_session import beside
from pets.testing import exact
from tests.sparks import spark

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


def test_one_that_cannot_be_interrupted_is_not_begun_once_its_time_is_over() -> None:
    with stopping.within(1000):
        assert stopping.run(None, lambda: 7) == 7
    with stopping.within(0.0), pytest.raises(TimeoutError, match="no time is left"):
        stopping.run(None, lambda: pytest.fail("it was begun"))


def test_an_engine_that_cannot_be_reached_is_asked_again() -> None:
    cursor, told = Cursor(), [False, True]

    def interrupt() -> None:
        if not told.pop(0):
            raise OSError("not yet")
        cursor.stopped.set()

    cursor.interrupt = interrupt  # type: ignore[method-assign]
    with stopping.within(0.0):
        assert stopping.run(cursor, cursor.wait)


def test_polars_counts_nothing_once_its_time_is_over() -> None:
    rows = pd.DataFrame({"id": ["a", "b"], "x": [1, 2]})
    schema = pets.Schema({"t": pets.Table("id", {"id": pets.Identifier(), "x": pets.Integer(0, 9)})})
    query = pets.query("t").group_by("x").agg(n=pets.count())
    assert exact(schema, {"t": rows}, query, engine="polars")["n"].sum() == 2
    with stopping.within(0.0), pytest.raises(TimeoutError, match="no time is left"):
        exact(schema, {"t": rows}, query, engine="polars")


@pytest.mark.parametrize("seconds", [0.5, 0.0])
def test_spark_ends_what_is_interrupted_and_only_that(seconds: float) -> None:
    session = beside(spark())
    context = session.sparkContext
    context.addJobTag("the-callers")
    long = "SELECT sum(a.id * b.id % 7) AS n FROM range(30000) a CROSS JOIN range(10000) b"
    try:
        with stopping.within(seconds), pytest.raises(Exception, match=r"(?i)cancel"):
            collected(session, long)
        assert set(context.getJobTags()) == {"the-callers"}
        with stopping.within(1000):
            assert collected(session, "SELECT sum(id) AS n FROM range(10)").to_pylist() == [{"n": 45}]
        assert collected(session, "SELECT 7 AS n").to_pylist() == [{"n": 7}]
    finally:
        context.removeJobTag("the-callers")


@pytest.mark.parametrize("seconds", [0.05, 0.0])
def test_duckdb_ends_what_is_interrupted(seconds: float) -> None:
    cursor = duckdb.connect().cursor()
    with stopping.within(seconds), pytest.raises(duckdb.InterruptException):
        stopping.run(cursor, lambda: cursor.execute(LONG).fetchall())
