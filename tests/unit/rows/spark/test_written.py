"""What Spark's workers wrote is all there, or nothing is sealed; and Parquet is read as pets means it."""

from __future__ import annotations

import json
import re
import traceback
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark import TaskContext

import pets
from pets.common.entropy import random_id
from pets.errors import DataError
from pets.rows.snapshot import Snapshot
from pets.rows.spark import making, staged, worker
from tests.sparks import spark
from tests.unit.rows.spark.test_making import EVENTS, PEOPLE, frame, made, on_duckdb, rows
from tests.unit.rows.test_snapshot import everything

pytest.importorskip("pyspark", reason="the spark extra")

ALONE = pets.Table(pets.Unit("id", max_rows=2), dict(PEOPLE.tables["t"].columns), people=50)
NOT_ALL = "not all that the workers of Spark wrote is in the folder of snapshots.* all workers reach under one path"


def coding(folder: Path, valid: str, sql: str = "FROM batch", *, dealt: bool = True) -> worker.Coding:
    return worker.Coding(
        version=duckdb.__version__,
        setup=(),
        sql=sql,
        marked="SELECT count(*), count(*) FILTER (WHERE x IS NOT NULL), count(*) FILTER (WHERE x > 2) FROM coded",
        fates="SELECT count(*) FILTER (WHERE x = 3) FROM coded",
        valid=valid,
        folder=str(folder),
        dealt=dealt,
    )


def coder(plan: worker.Coding) -> worker.Batches:
    return worker.coder(worker.kept(plan, f"{plan.folder}-{random_id()}.json"))


def ranker(plan: worker.Ranking) -> worker.Batches:
    return worker.ranker(worker.kept(plan, f"{plan.folder}-{random_id()}.json"))


def tried(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Tasks run here, as try ``number`` of the fifth task."""
    task = SimpleNamespace(taskAttemptId=lambda: number, partitionId=lambda: 5)
    monkeypatch.setattr(TaskContext, "get", lambda: task)


def said(act: worker.Batches, *batches: pa.RecordBatch) -> dict[str, Any]:
    ((line,),) = (one.to_pylist() for one in act(iter(batches)))
    return dict(json.loads(line["told"]))


XS = [pa.record_batch({"x": pa.array(some, pa.int64())}) for some in ([1, 2], [], [3, None], [1027, 5])]


def test_rows_are_counted_as_they_are_coded_and_dealt_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two tries each has files of its own; of a task without rows there is none."""
    monkeypatch.setattr(worker, "AT_ONCE", 2)
    monkeypatch.setattr(worker, "RUN", 3)
    act = coder(coding(tmp_path, "SELECT x AS y, CAST(x % 1024 AS USMALLINT) AS bucket FROM coded WHERE x > 0"))
    names: set[str] = set()
    for number in range(2):
        tried(monkeypatch, number)
        found = said(act, *XS)
        assert found["counts"] == [6, 5, 3] and found["fates"] == [1]
        assert [rows for _, rows in found["files"]] == [3, 2]
        files = [str(tmp_path / name) for name, _ in found["files"]]
        assert [y for one in worker.dealt(files, 2, 5) for y in one["y"].to_pylist()] == [2, 3, 1027]
        assert [y for one in worker.dealt(files, 5, 1024) for y in one["y"].to_pylist()] == [5]
        names |= {name for name, _ in found["files"]}
    assert {path.name for path in tmp_path.iterdir()} == names and len(names) == 4
    assert said(act) == {"files": [], "counts": [], "fates": []} and len(list(tmp_path.iterdir())) == 4


def test_rows_that_are_people_of_their_own_have_a_number_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "AT_ONCE", 2)
    tried(monkeypatch, 0)
    number = "getvariable('start') + row_number() OVER () - 1 AS person"
    found = said(coder(coding(tmp_path, f"SELECT {number}, x FROM coded", dealt=False)), *XS)
    ((name, rows),) = found["files"]
    table = pq.read_table(tmp_path / name)
    assert rows == 6 and table["person"].to_pylist() == [(5 << 33) + place for place in range(6)]


def test_a_group_that_does_not_fit_into_memory_is_ranked_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One person with nearly all rows; and what was put aside for it is gone."""
    monkeypatch.setattr(worker, "MEMORY", "24MB")
    monkeypatch.setattr(worker, "RUN", 100_000)
    tried(monkeypatch, 7)
    rows = 1_000_000
    act = coder(coding(tmp_path, "SELECT x AS pid, x % 1024 AS bucket FROM coded"))
    batches = [pa.record_batch({"x": [1] * 100_000}) for _ in range(rows // 100_000)]
    files = [str(tmp_path / name) for name, _ in said(act, *batches)["files"]]
    placed = "SELECT row_number() OVER (PARTITION BY pid ORDER BY hash(rowid)) AS n FROM staged_0"
    ranking = worker.Ranking(
        duckdb.__version__,
        1,
        (("staged_0", "pid BIGINT", tuple(files)),),
        (
            ("", f"CREATE TEMP TABLE ranked AS {placed}"),
            ("sum", "SELECT count(*), max(n), count(DISTINCT n) FROM ranked"),
        ),
        str(tmp_path),
    )
    found = said(ranker(ranking), pa.record_batch({"id": [0]}))
    assert found["sum"] == [[rows, rows, rows]] and found["try"] == "7-0"
    assert {path.name for path in tmp_path.iterdir()} == {Path(file).name for file in files}


def test_what_another_worker_wrote_and_is_not_there_is_no_error_of_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried(monkeypatch, 0)
    ranking = worker.Ranking(duckdb.__version__, 1, (("staged_0", "pid BIGINT", ("/none/such",)),), (), str(tmp_path))
    for act in (ranker(ranking), worker.ranker(str(tmp_path / "none"))):
        with pytest.raises(RuntimeError, match=worker.NOT_THERE) as error:
            said(act, pa.record_batch({"id": [0]}))
        assert re.search(NOT_ALL, str(making.told(error.value, "the data")))


def test_what_a_worker_logs_of_an_error_is_not_what_the_engine_says_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DuckDB quotes the cell, and the statement, which holds a key."""
    tried(monkeypatch, 0)
    for act, batch in (
        (coder(coding(tmp_path, "FROM coded", "SELECT CAST('canary-' || x AS INTEGER) AS x FROM batch")), XS[0]),
        (
            ranker(worker.Ranking(duckdb.__version__, 1, (), (("", "SELECT canary-7"),), str(tmp_path))),
            pa.record_batch({"id": [0]}),
        ),
    ):
        with pytest.raises(RuntimeError, match=worker.FAILED) as error:
            said(act, batch)
        assert "canary" not in "".join(traceback.format_exception(error.value))


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_a_text_that_is_not_utf8_is_one_cells_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: pa.DataType
) -> None:
    """As in a data frame of pandas; DuckDB would end the whole making with an error of its own."""
    texts = pa.array([b"a", b"\xff\xfe", None, "ü".encode()], pa.binary())
    whole = pa.Array.from_buffers(pa.string(), len(texts), texts.buffers()).cast(pa.large_string(), safe=False)
    batch = pa.record_batch({"x": whole if kind == pa.large_string() else whole.cast(kind), "n": [1, 2, 3, 4]})
    assert worker.readable(batch).to_pydict() == {"x": ["a", None, None, "ü"], "n": [1, 2, 3, 4]}
    monkeypatch.setattr(worker, "AT_ONCE", 1)
    tried(monkeypatch, 0)
    chosen = "SELECT upper(x) AS y, n AS x FROM batch"
    found = said(coder(coding(tmp_path, "FROM coded", chosen, dealt=False)), batch)
    assert pq.read_table(tmp_path / found["files"][0][0])["y"].to_pylist() == ["A", None, None, "Ü"]


@pytest.mark.parametrize("lost", ["coded", "a file", "ranked", "no people", "a count"])
def test_where_not_all_that_was_written_is_seen_nothing_is_sealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    """As where each worker writes to its own disk, or where a store is late to show a file."""
    folder = tmp_path / "s"
    table = pa.table({"free": [1, 2, 3, 4] * 50}) if lost == "no people" else EVENTS
    schema = pets.Schema({"t": PEOPLE.tables["beds"] if lost == "no people" else ALONE})
    first = on_duckdb(table, schema, folder=folder)
    before = everything(folder)
    collected, write = staged.collected, making.Making.write

    def fewer(frame: Any) -> list[dict[str, Any]]:
        found = collected(frame)
        if lost == "a file":
            for path in folder.glob(".pets-new-*/staged_0/*"):
                path.unlink()
        for line in found[:1]:
            if lost in ("coded", "no people"):
                line["files"] = line["files"][1:]
            elif lost == "a count" and "staged_0" in line:
                line["staged_0"][0][0] -= 1
        return found

    def gone(self: making.Making, *given: Any) -> Any:
        min(folder.glob(".pets-new-*/ranked/*.parquet")).unlink()
        return write(self, *given)

    monkeypatch.setattr(staged, "collected", fewer)
    monkeypatch.setattr(making, "collected", fewer)
    if lost == "ranked":
        monkeypatch.setattr(making.Making, "write", gone)
    with pytest.raises(DataError, match=NOT_ALL):
        made(folder, frame(table), schema)
    assert everything(folder) == before and first.current


def test_a_folders_value_is_the_text_that_is_written_whatever_the_callers_session_makes_of_it(tmp_path: Path) -> None:
    """``ward=01`` and ``ward=1`` are two wards; and a file that cannot be read is not left out."""
    columns = {"id": pets.Identifier(), "ward": pets.Category(["01", "1"])}
    schema = pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=2), columns)})
    table = pa.table({"id": [f"00{i}" for i in range(9)], "ward": ["01", "1", "01"] * 3})
    source = tmp_path / "stays.parquet"
    frame(table).write.partitionBy("ward").parquet(f"file://{source}")
    both = {"t": f"{source}", "u": frame(table)}
    two = pets.Schema({"t": schema.tables["t"], "u": schema.tables["t"]})
    found = made(tmp_path / "s", both, two)
    assert Counter(found.arrow()["c0"].to_pylist()) == {0: 6, 1: 3} and rows(found) == rows(on_duckdb(table, schema))
    (source / "ward=1" / "part-x.parquet").write_bytes(b"PAR1 and no more")
    spark().conf.set("spark.sql.files.ignoreCorruptFiles", "true")
    try:
        with pytest.raises(DataError, match="Spark"):
            made(tmp_path / "s", both, two)
    finally:
        spark().conf.unset("spark.sql.files.ignoreCorruptFiles")
    assert Snapshot.open(two, "t", tmp_path / "s").id == found.id
