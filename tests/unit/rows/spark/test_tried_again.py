"""Tasks that fail and are tried again, in whatever order rows then come, never change which rows count."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pets.plan.plan import make_plan
from pets.rows.engine import spark_rows
from pets.rows.snapshot import Snapshot
from pets.rows.spark import making
from pets.rows.tabulate import tabulate
from tests.unit.rows.spark.test_making import ASKED, SCHEMA, frame, lines, made, on_duckdb, rows


def dying(marks: Path, name: str, how: str) -> Any:
    """For ``mapInArrow``: each task's first try ends after its first rows; the second gives the rows backwards."""
    place = str(marks / name)

    def act(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import os
        from pathlib import Path

        from pyspark import TaskContext

        task = TaskContext.get()
        assert task is not None
        first = task.attemptNumber() == 0
        Path(f"{place}-{task.partitionId()}-{task.attemptNumber()}").touch()
        for batch in batches:
            half = batch.num_rows // 2
            if first:
                yield batch.slice(0, half)
                if how == "its worker dies":
                    os._exit(1)
                raise RuntimeError("the first try of each task fails")
            yield batch.take(list(range(batch.num_rows))[::-1])

    return act


def through(given: Any, act: Any) -> Any:
    return given.mapInArrow(act, given.schema)


@pytest.mark.parametrize("how", ["it raises", "its worker dies"])
def test_each_task_that_codes_fails_once(tmp_path: Path, how: str) -> None:
    one, other = made(tmp_path / "s", through(frame(), dying(tmp_path, "coding", how))), on_duckdb()
    assert len(list(tmp_path.glob("coding-*-1"))) == 3, "each of its tasks was tried again"
    assert one.report == other.report and rows(one) == rows(other)


def test_each_task_that_ranks_and_writes_fails_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ranked = making.Making._ranked
    monkeypatch.setattr(
        making.Making,
        "_ranked",
        lambda *given: through(ranked(*given), dying(tmp_path, "ranking", "its worker dies")),
    )
    one = made(tmp_path / "s")
    monkeypatch.undo()
    assert one.report == on_duckdb().report and rows(one) == rows(on_duckdb())
    assert len(list(tmp_path.glob("ranking-*-1"))) == 2
    assert len(list((tmp_path / "s" / "t.parquet").iterdir())) == 2, "a try that failed left no part"


def test_each_task_that_counts_fails_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = made(tmp_path / "s")
    plan = make_plan(ASKED, SCHEMA)
    wanted = tabulate(plan, one).reveal().tolist()
    taken = spark_rows._frame
    monkeypatch.setattr(
        spark_rows, "_frame", lambda *given: through(taken(*given), dying(tmp_path, "counting", "it raises"))
    )
    assert tabulate(plan, Snapshot.open(SCHEMA, "t", tmp_path / "s"), "spark").reveal().tolist() == wanted
    assert list(tmp_path.glob("counting-*-1")) and any(wanted)


OTHER_EACH_TIME = re.compile(
    r"\b(rand|randn|random|uuid|shuffle|now|current_\w+|input_file_\w+|spark_partition_id|monotonically_increasing_id|"
    r"first|last|any_value|approx_\w+|collect_list|row_number\(\) OVER )\("
)
"""What Spark may answer otherwise in another try, or by the order in which rows come."""


def test_nothing_that_differs_between_two_tries_is_read() -> None:
    """(``row_number() OVER (PARTITION BY …)`` is ranking's, which is in no file of Spark's own.)"""
    folder = Path(making.__file__).parent
    files = [*sorted(folder.glob("*.py")), Path(spark_rows.__file__), folder.parent / "people" / "spark_sql.py"]
    found = [one for file in files for one in OTHER_EACH_TIME.findall(file.read_text("utf-8"))]
    # the codes of people, which are compared for equality alone: see the proof
    assert found == ["row_number() OVER "] * 2 and len(files) > 6
    said = "SELECT rand(7), uuid(), first(x) FILTER (WHERE y)"
    assert OTHER_EACH_TIME.findall(said) == ["rand", "uuid", "first"]


def test_rows_are_kept_alike_however_they_are_dealt_out(tmp_path: Path) -> None:
    """Each ranking is its own: one task, many, and rows in another order."""
    table = lines()
    backwards = table.take(list(range(table.num_rows))[::-1])
    wanted = rows(on_duckdb())
    for name, given in {"one": frame(table).coalesce(1), "many": frame(backwards).repartition(7)}.items():
        assert rows(made(tmp_path / name, given)) == wanted, name
