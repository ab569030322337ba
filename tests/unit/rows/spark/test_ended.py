"""A making that is broken off ends its jobs, and leaves nothing; and a Spark that was stopped is not replaced."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

import pets
from pets.errors import UserError
from pets.rows.snapshot import Snapshot
from pets.rows.spark import making, spark_session
from pets.rows.spark.jobs import Tagged
from tests.services import until
from tests.sparks import spark
from tests.unit.rows.spark.test_making import ASKED, SCHEMA, frame, lines, made, on_duckdb, rows

pytest.importorskip("pyspark", reason="the spark extra")


def slow(place: str) -> Any:
    """For ``mapInArrow``: a task that says when it has given its first rows, and waits for its end."""

    def act(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import time
        from pathlib import Path

        for batch in batches:
            yield batch
            Path(place).touch()
            for _ in range(600):
                time.sleep(0.1)

    return act


def test_ctrl_c_ends_the_jobs_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, begun = tmp_path / "s", tmp_path / "begun"
    first = on_duckdb(folder=folder)
    source = frame()
    context = spark().sparkContext
    context.setLocalProperty("the.callers", "own")
    ours: list[Tagged] = []

    class Kept(Tagged):
        def __init__(self, context: Any) -> None:
            super().__init__(context)
            ours.append(self)

    monkeypatch.setattr(making, "Tagged", Kept)

    def press() -> None:
        until(begun.exists)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        made(folder, source.mapInArrow(slow(str(begun)), source.schema))
    assert len(ours) == 1 and ours[0].tasks() == 0, "nobody writes any more"
    assert not list(folder.glob(".pets-*")) and Snapshot.open(SCHEMA, "t", folder).id == first.id
    # what is asked next gets its own answers, and what the caller had set is set
    assert context.getLocalProperty("the.callers") == "own" and not context.getJobTags()
    context.setLocalProperty("the.callers", None)
    monkeypatch.undo()
    assert rows(made(folder)) == rows(on_duckdb())


def test_what_the_caller_set_holds_for_our_jobs() -> None:
    context = spark().sparkContext
    jobs = Tagged(context)
    context.setLocalProperty("the.callers", "own")
    try:
        assert jobs.apart(lambda: (context.getLocalProperty("the.callers"), len(context.getJobTags()))) == ("own", 1)
        with pytest.raises(ZeroDivisionError):
            jobs.apart(lambda: 1 / 0)
        assert not context.getJobTags() and jobs.tasks() == 0
    finally:
        context.setLocalProperty("the.callers", None)


def test_a_spark_that_was_stopped_is_not_replaced_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Said before anything is charged; a report can still be looked at."""
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    spark()
    given: dict[str, Any] = {"budget": pets.Budget(epsilon=3, delta=1e-6), "engine": "spark", "progress": False}
    session = pets.Session(SCHEMA, {"t": lines()}, **given)
    session.release(ASKED, pets.DP(epsilon=1))
    before = session.remaining()
    with monkeypatch.context() as stopped:  # all that Python keeps of a Spark that was stopped
        stopped.setattr(SparkContext, "_active_spark_context", None)
        stopped.setattr(SparkSession, "_instantiatedSession", None)
        stopped.setattr(SparkSession, "_activeSession", None)
        for act in (
            lambda: session.release(ASKED.bound(rows=1), pets.DP(epsilon=1)),
            lambda: pets.Session(SCHEMA, {"t": lines()}, **given),
        ):
            with pytest.raises(UserError, match=r"was stopped.* start one again .*, and ask again"):
                act()
        assert session.remaining() == before and len(session.history()) == 1
        assert session.report("t").rows_read == 240
    assert session.release(ASKED.bound(rows=1), pets.DP(epsilon=1)).table["n"].notna().all()


def test_a_spark_of_our_own_that_was_stopped_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a local one, whoever asks for it."""
    from pyspark.sql import SparkSession

    started = SimpleNamespace(sparkContext=SimpleNamespace(applicationId="ours"))
    builder = SimpleNamespace(getOrCreate=lambda: started)
    builder.appName = builder.config = lambda *_: builder
    monkeypatch.setattr(SparkSession, "getActiveSession", classmethod(lambda cls: None))
    monkeypatch.setattr(SparkSession, "_instantiatedSession", None)
    monkeypatch.setattr(SparkSession, "builder", builder)
    monkeypatch.setattr(spark_session, "_ours", set())
    monkeypatch.setattr(spark_session, "_beside", {})
    assert spark_session.running() is started
    monkeypatch.setattr(spark_session, "_beside", {"ours": None})
    assert spark_session.running() is started
    monkeypatch.setattr(spark_session, "_beside", {"theirs": None})
    with pytest.raises(UserError, match="was stopped"):
        spark_session.running()
