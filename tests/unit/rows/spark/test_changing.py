"""What changes while Spark reads it, or is not there whole: one sentence, and nothing is sealed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import pets
from pets.errors import DataError
from pets.plan.plan import make_plan
from pets.rows.snapshot import Snapshot
from pets.rows.spark.sources import opened
from pets.rows.tabulate import ENGINES, tabulate
from tests.sparks import spark
from tests.unit.rows.spark.test_making import ASKED, EVENTS, PEOPLE, SCHEMA, frame, made, on_duckdb, rows
from tests.unit.rows.test_snapshot import everything


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder of Parquet with odd letters in its name, and partitions."""
    folder = tmp_path / "a b%20#?é.parquet"
    frame().selectExpr("*", "n % 2 AS half").write.partitionBy("half").parquet(f"file://{folder}")
    return folder


def mischief(path: str, act: str) -> Any:
    """For ``mapInArrow``: what somebody else does to a file while rows are read."""

    def acting(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import os
        from pathlib import Path

        if act == "removed":
            Path(path).unlink(missing_ok=True)
        else:
            os.utime(path, (1e9, 1e9))
        yield from batches

    return acting


@pytest.mark.parametrize("act", ["written anew", "removed"])
def test_a_table_that_changes_while_it_is_read_is_refused(tmp_path: Path, source: Path, act: str) -> None:
    folder = tmp_path / "s"
    first = on_duckdb(folder=folder)
    before = everything(folder)
    read = spark().read.parquet(f"file://{source}")
    changing = read.mapInArrow(mischief(str(sorted(source.rglob("*.parquet"))[-1]), act), read.schema)
    with pytest.raises(DataError, match="was changed while it was read, and nothing was stored") as refusal:
        made(folder, changing)
    assert everything(folder) == before and first.current
    assert refusal.value.__context__ is None and "\n" not in str(refusal.value)
    if act == "written anew":  # and nobody writes to it any more
        made(folder, spark().read.parquet(f"file://{source}"))


def test_a_folder_that_is_half_written_is_refused(tmp_path: Path, source: Path) -> None:
    begun = source / "_temporary"
    begun.mkdir()
    read = spark().read.parquet(f"file://{source}")
    with pytest.raises(DataError, match=r"is half written .* wait until it is written, or remove that folder"):
        made(tmp_path / "s", read)
    assert set(everything(tmp_path / "s")) <= {"t.key"}
    begun.rmdir()
    assert rows(made(tmp_path / "s", read)) == rows(on_duckdb())


def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, source: Path) -> None:
    read = spark().read.parquet(f"file://{source}")
    file = sorted(source.rglob("*.parquet"))[0]
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(DataError, match="Spark could not read or prepare its rows"):
        made(tmp_path / "s", read)
    assert set(everything(tmp_path / "s")) <= {"t.key"}


def test_a_snapshot_of_which_a_part_is_gone_does_not_open(tmp_path: Path) -> None:
    """As whoever else made it: what else is refused is in stored/test_parts.py."""
    folder = tmp_path / "s"
    made(folder)
    parts = sorted((folder / "t.parquet").iterdir())
    assert len(parts) > 1
    parts[0].unlink()
    with pytest.raises(DataError, match="was changed or is incomplete; make it again"):
        Snapshot.open(SCHEMA, "t", folder)


def test_what_no_manifest_lists_is_not_counted_though_it_lies_in_the_folder(tmp_path: Path) -> None:
    """Such as parts that a driver had put there when it died, before the manifest that would list them."""
    folder = tmp_path / "s"
    made(folder)
    for part in sorted((folder / "t.parquet").iterdir()):
        shutil.copy(part, part.with_name(f"stray-{part.name}"))
    plan, opened = make_plan(ASKED, SCHEMA), Snapshot.open(SCHEMA, "t", folder)
    vectors = [tabulate(plan, opened, engine).reveal().tolist() for engine in ENGINES]
    assert any(vectors[0]) and vectors == vectors[:1] * 3


@pytest.mark.parametrize("other", [["id", "N"], ["id", "m"], ["n"]])
def test_a_column_that_some_files_of_a_folder_lack_is_refused_and_not_null_in_their_rows(
    tmp_path: Path, other: list[str]
) -> None:
    """Spark takes the columns of one file for those of all, whichever it is."""
    source = tmp_path / "a b%20#?é.parquet"
    source.mkdir()
    schema = pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=2), dict(PEOPLE.tables["t"].columns))})
    pq.write_table(EVENTS, source / "1.parquet")
    pq.write_table(EVENTS.select(["id", "n"][-len(other) :]).rename_columns(other), source / "2.parquet")
    with pytest.raises(DataError, match=r"is in some files of a b%20#.é.parquet and not in all of them"):
        made(tmp_path / "s", source, schema)
    pq.write_table(EVENTS.append_column("m", EVENTS["n"]), source / "2.parquet")
    assert rows(made(tmp_path / "s", source, schema)) == rows(on_duckdb(pa.concat_tables([EVENTS] * 2), schema))


def test_a_column_of_folders_names_is_in_all_files(tmp_path: Path) -> None:
    """Spark escapes letters of it, which is no part of what it is called."""
    source = tmp_path / "a b%20#?é.parquet"
    columns = frame(EVENTS).selectExpr("*", "n % 2 AS `o'x=%é`")
    columns.write.partitionBy("o'x=%é").parquet(f"file://{source}")
    found, _ = opened(source, "t", ["id", "o'x=%é"])
    assert {line.s1 for line in found.collect()} == {"0", "1"}


def test_rows_that_came_to_a_table_since_it_was_last_read_are_there(tmp_path: Path) -> None:
    """A session of Spark keeps the list of a table's files, and others may write there."""
    folder = tmp_path / "came"
    folder.mkdir()
    schema = pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=9), dict(PEOPLE.tables["t"].columns))})
    for number in (1, 2):
        pq.write_table(EVENTS, folder / f"{number}.parquet")
        if number == 1:
            spark().read.parquet(f"file://{folder}").createOrReplaceTempView("came")
        wanted = rows(on_duckdb(pa.concat_tables([EVENTS] * number), schema))
        assert rows(made(tmp_path / "s", "table:came", schema)) == wanted
