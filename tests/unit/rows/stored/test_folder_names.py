"""What folders are called says nothing of rows: ``year=2024`` above a file is no column of it, as it is to engines."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pandas as pd
import pytest

import pets
from pets.plan.plan import make_plan
from pets.rows.drafting import guesses
from pets.rows.growing import append
from pets.rows.snapshot import Snapshot
from pets.rows.tabulate import tabulate
from tests.growing import frame, grown, kept, schema

NAMES = "year=2024/rank=1/person=0/id=x/c0=0/seen=0/t0=9"
"""A column of the data, of a stored snapshot, of its counters and of an answer."""
STAYS = pd.DataFrame({"id": [f"p{n // 3}" for n in range(60)], "year": [str(2018 + n % 4) for n in range(60)]})
OF = pets.Schema(
    {"t": pets.Table(pets.Unit("id", max_rows=2), {"id": pets.Identifier(), "year": pets.Integer(2018, 2025)})}
)
ASKED = pets.query("t").group_by("year").agg(n=pets.count(), people=pets.count_units())


def counts(made: Snapshot) -> list[list[int]]:
    plan = make_plan(ASKED, OF)
    return [tabulate(plan, made, engine).reveal().tolist() for engine in ("duckdb", "polars")]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_data_are_read_as_they_are_whatever_the_folder_of_snapshots_is_called(tmp_path: Path, kind: str) -> None:
    source = tmp_path / f"stays.{kind}"
    STAYS.to_csv(source, index=False) if kind == "csv" else STAYS.to_parquet(source)
    folder = tmp_path / NAMES / "ready"
    made = Snapshot.make(OF, "t", {"t": source}, folder=folder, key=3, progress=False)
    plain = Snapshot.make(OF, "t", {"t": STAYS}, key=3, progress=False)
    assert made.report == plain.report and counts(made) == counts(plain) and sum(map(bool, counts(made)[0])) == 8


def test_so_are_stored_rows_and_drafts_whatever_the_folder_of_scratch_files_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    STAYS.to_parquet(tmp_path / "stays.parquet")
    made = Snapshot.make(OF, "t", {"t": STAYS}, folder=tmp_path / "s", key=3, progress=False)
    wanted, drafted = counts(made), guesses(tmp_path / "stays.parquet", {})
    (tmp_path / NAMES).mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / NAMES))
    assert counts(Snapshot.open(OF, "t", tmp_path / "s")) == wanted
    assert guesses(tmp_path / "stays.parquet", {}) == drafted


def test_nobody_counts_more_often_than_they_may_where_rows_are_added(tmp_path: Path) -> None:
    """With as many rows kept as a folder says, somebody's later rows would have the ranks of the earlier ones again."""
    deliveries = [[("a", str(load), "1"), ("b", str(load), "2")] for load in (1, 2, 3)]
    made = grown(schema(max_rows=2), deliveries, tmp_path / NAMES / "s")
    assert kept(made) == kept(grown(schema(max_rows=2), deliveries, tmp_path / "s")) and made.report.rows_kept == 4
    append(schema(max_rows=2), "t", frame([("a", "4", "1")]), tmp_path / NAMES / "s", progress=False)
    plan = make_plan(pets.query("t").agg(n=pets.count()).bound(rows=1), schema(max_rows=2))
    assert tabulate(plan, Snapshot.open(schema(max_rows=2), "t", tmp_path / NAMES / "s")).reveal().tolist() == [2]


def test_files_are_read_in_one_way() -> None:
    home = Path(pets.__file__).parent
    texts = {path.relative_to(home).as_posix(): path.read_text("utf-8") for path in home.rglob("*.py")}
    found = {name for name, text in texts.items() if 'f"read_parquet(' in text or 'f"read_csv(' in text}
    assert found == {"rows/coding/cell.py", "rows/csv_file.py"}
    assert all("read_parquet(" not in text for name, text in texts.items() if name not in found | PANDAS)


PANDAS = {
    "synthetic/synthetic_form.py",
    "synthetic/sdv/engine_process.py",
    "synthetic/sdv/engine.py",
    "synthetic/assess/reading.py",
    "sdc/tables/files.py",
    "testing/neighbours.py",
}
