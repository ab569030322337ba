"""What Spark's workers wrote is all there, or nothing is sealed; and Parquet is read as pets means it."""

from __future__ import annotations

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
from pets.errors import DataError
from pets.rows.snapshot import Snapshot
from pets.rows.spark import making, staged, worker
from pets.rows.spark.worker import coder
from tests.sparks import spark
from tests.unit.rows.spark.test_making import EVENTS, PEOPLE, frame, made, on_duckdb, rows
from tests.unit.rows.test_snapshot import everything

pytest.importorskip("pyspark", reason="the spark extra")

ALONE = pets.Table(pets.Unit("id", max_rows=2), dict(PEOPLE.tables["t"].columns), people=50)
NOT_ALL = "not all that the workers of Spark wrote is in the folder of snapshots.* all workers reach under one path"


def test_rows_are_counted_as_they_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two tries each has a file of its own; of a task without rows there is none."""
    monkeypatch.setattr(worker, "AT_ONCE", 2)
    coded = coder((), "SELECT x + 1 AS y, x % 2 AS z FROM batch", duckdb.__version__)
    batches = [
        pa.record_batch({"x": [1, 2]}),
        pa.record_batch({"x": pa.array([], pa.int64())}),
        pa.record_batch({"x": [3]}),
    ]
    stored = worker.stored(coded, str(tmp_path), ["y"])
    names = set()
    for number in range(2):
        monkeypatch.setattr(TaskContext, "get", lambda number=number: SimpleNamespace(taskAttemptId=lambda: number))
        (line,) = (line for one in stored(iter(batches)) for line in one.to_pylist())
        assert line["rows"] == 3 and pq.read_table(tmp_path / line["file"])["y"].to_pylist() == [2, 3, 4]
        names.add(line["file"])
    assert {path.name for path in tmp_path.iterdir()} == names and len(names) == 2
    assert not list(stored(iter([]))) and len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_a_text_that_is_not_utf8_is_one_cells_trouble(kind: pa.DataType) -> None:
    """As in a data frame of pandas; DuckDB would end the whole making with an error of its own."""
    texts = pa.array([b"a", b"\xff\xfe", None, "ü".encode()], pa.binary())
    whole = pa.Array.from_buffers(pa.string(), len(texts), texts.buffers()).cast(pa.large_string(), safe=False)
    batch = pa.record_batch({"x": whole if kind == pa.large_string() else whole.cast(kind), "n": [1, 2, 3, 4]})
    coded = coder((), "SELECT upper(x) AS y, n FROM batch", duckdb.__version__)
    (found,) = coded(iter([batch]))
    assert found["y"].to_pylist() == ["A", None, None, "Ü"] and found["n"].to_pylist() == [1, 2, 3, 4]


def largest(folder: Path) -> Path:
    return max(folder.glob("*.parquet"), key=lambda file: file.stat().st_size)


@pytest.mark.parametrize("lost", ["staged", "a file", "ranked", "no people"])
def test_where_not_all_that_was_written_is_seen_nothing_is_sealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    """As where each worker writes to its own disk, or where a store is late to show a file."""
    folder = tmp_path / "s"
    table = pa.table({"free": [1, 2, 3, 4] * 50}) if lost == "no people" else EVENTS
    schema = pets.Schema({"t": PEOPLE.tables["beds"] if lost == "no people" else ALONE})
    first = on_duckdb(table, schema, folder=folder)
    before = everything(folder)
    parts, stored = staged.parts, worker.stored
    kept = making.Making.kept

    def fewer(session: Any, paths: Any, form: str | None = None) -> Any:
        return parts(session, paths[1:], form)

    def fewer_kept(self: making.Making, new: Path) -> str:
        largest(new).unlink()
        return kept(self, new)

    if lost == "staged":
        monkeypatch.setattr(staged, "parts", fewer)
    elif lost == "a file":
        (tmp_path / "disk").mkdir()
        monkeypatch.setattr(worker, "stored", lambda coded, _, plain: stored(coded, str(tmp_path / "disk"), plain))
    else:
        monkeypatch.setattr(making.Making, "kept", fewer_kept)
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
