"""A small Spark for the tests of a process, where a task has four tries; and many questions of it in few jobs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import pyarrow as pa
import pytest

from pets.rows.engine import spark_rows
from pets.rows.engine.spark_rows import SparkBackend
from pets.rows.spark import making, spark_session

SMALL = {
    "spark.sql.shuffle.partitions": "2",
    "spark.default.parallelism": "2",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
    "spark.sql.adaptive.enabled": "false",  # it plans each stage again: with tables this small, most of the time
    "spark.sql.codegen.wholeStage": "false",  # and so is a compiler's
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}
SUBMITTED = "--driver-memory 1g --driver-java-options '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC' pyspark-shell"
"""A Java that lives for minutes: half of its time would be spent on making its own code quick."""
making.LEAST = 20
"""Tests have few rows, and people are ranked in several groups all the same."""
AT_ONCE = 60
"""Statements in one job."""


@cache
def spark() -> Any:
    """The Spark of this process; it ends with it. Without a Java the test is skipped (in CI it fails)."""
    if not spark_session.java():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(spark_session.NO_JAVA)
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("PYSPARK_SUBMIT_ARGS", SUBMITTED)
    builder = SparkSession.builder.master("local[2,4]").appName("pets-tests")
    for name, value in SMALL.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


class Batch:
    """Statements that are noted in a first pass, run together, and answered in a second."""

    def __init__(self) -> None:
        self._asked: dict[tuple[str, str], tuple[SparkBackend, Any]] = {}
        self._found: dict[tuple[str, str], list[dict[str, Any]]] | None = None
        self.jobs = 0

    @contextmanager
    def noting(self) -> Iterator[None]:
        """What is asked within is noted, and comes to nothing."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(SparkBackend, "to_pyarrow", lambda backend, expression: self._note(backend, expression))
            yield

    @contextmanager
    def answering(self) -> Iterator[None]:
        """What is asked within was noted before, and has its answer."""
        self._found = self._run()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(SparkBackend, "to_pyarrow", lambda backend, expression: self._answer(backend, expression))
            yield

    def _key(self, backend: SparkBackend, expression: Any) -> tuple[str, str]:
        # (a table of people is made anew in each pass, of the same statement)
        return backend.text, spark_rows.sql_of(expression).replace(backend.name, "rows")

    def _note(self, backend: SparkBackend, expression: Any) -> pa.Table:
        self._asked[self._key(backend, expression)] = backend, expression
        return expression.schema().to_pyarrow().empty_table()

    def _answer(self, backend: SparkBackend, expression: Any) -> pa.Table:
        assert self._found is not None
        rows = self._found[self._key(backend, expression)]
        return pa.Table.from_pylist(rows, schema=expression.schema().to_pyarrow())

    def _run(self) -> dict[tuple[str, str], list[dict[str, Any]]]:
        found: dict[tuple[str, str], list[dict[str, Any]]] = {key: [] for key in self._asked}
        keys = list(self._asked)
        for start in range(0, len(keys), AT_ONCE):
            part = keys[start : start + AT_ONCE]
            session = self._asked[part[0]][0].session
            sqls = [spark_rows.sql_of(expression) for _, expression in map(self._asked.__getitem__, part)]
            selects = [
                f"SELECT {place} AS q, to_json(struct(*), map('ignoreNullFields', 'false')) AS r FROM ({sql})"
                for place, sql in enumerate(sqls)
            ]
            for line in session.sql(" UNION ALL ".join(selects)).collect():
                found[part[line.q]].append(json.loads(line.r))
            self.jobs += 1
        return found


def batched(ask: Sequence[Any]) -> list[Any]:
    """What each of some functions gives, whose statements on Spark run together."""
    spark()
    batch = Batch()
    with batch.noting():
        for one in ask:
            one()
    with batch.answering():
        return [one() for one in ask]
