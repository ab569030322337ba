"""Every kind of source gives the same rows, and every broken one gives one plain sentence."""

from __future__ import annotations

import datetime as dt
import gzip
import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import ibis
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pets.errors import DataError, UserError
from pets.schema import Boolean, Category, Date, Identifier, Integer, Real, Schema, Table, Unit
from pets.snapshot import Snapshot

SCHEMA = Schema(
    {
        "stays": Table(
            Unit("id", max_rows=2),
            {
                "id": Identifier(),
                "sex": Category(["F", "M"]),
                "days": Integer(0, 30),
                "cost": Real(0, 10, 0.5),
                "day": Date("2020-01-01", "2020-12-31"),
                "er": Boolean(),
            },
        )
    }
)

FRAME = pd.DataFrame(
    {
        "extra": ["never", "read", "at", "all", "x"],
        "id": [7, 7, 8, 9, 10],
        "sex": ["F", "M", "F", None, "X"],
        "days": pd.array([1, 40, None, -3, 30], dtype="Int64"),
        "cost": [0.0, 0.3, 9.9, 11.0, np.nan],
        "day": [dt.date(2020, 1, 1), dt.date(2020, 12, 31), dt.date(2021, 1, 1), None, dt.date(2020, 2, 29)],
        "er": pd.array([True, False, None, True, False], dtype="boolean"),
    }
)
# sex, days, cost, day, er; the person is told apart by the count of rows
EXPECTED = sorted([(0, 1, 0, 0, 1), (1, 30, 1, 365, 0), (0, 31, 20, 366, 2), (2, 0, 20, 366, 1), (2, 30, 21, 59, 0)])


def content(snapshot: Snapshot) -> list[tuple[int, ...]]:
    return sorted(tuple(row.values()) for row in snapshot.arrow().drop(["rank", "person"]).to_pylist())


def make(source: Any, schema: Schema = SCHEMA, **more: Any) -> Snapshot:
    return Snapshot.make(schema, "stays", {"stays": source}, key=11, progress=False, **more)


def csv_text(frame: pd.DataFrame = FRAME, **more: Any) -> str:
    return frame.to_csv(index=False, **more)


def write_csv(folder: Path, text: str | bytes, name: str = "stays.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def every_source(folder: Path) -> dict[str, Any]:
    arrow = pa.Table.from_pandas(FRAME, preserve_index=False)
    pq.write_table(arrow, folder / "stays.parquet", row_group_size=2)
    (folder / "stays.csv.gz").write_bytes(gzip.compress(csv_text().encode()))
    with duckdb.connect(str(folder / "f.db")) as con:
        con.register("frame", arrow)
        con.execute("CREATE TABLE stays AS SELECT * FROM frame")
        con.execute("CREATE TABLE other AS SELECT * FROM frame")
    with sqlite3.connect(folder / "f.sqlite") as lite:
        FRAME.astype({"day": str, "er": str}).replace({"None": None, "<NA>": None}).to_sql("stays", lite, index=False)
    coded = FRAME.assign(sex=FRAME["sex"].astype("category"))
    return {
        "csv": write_csv(folder, csv_text()),
        "csv text": str(folder / "stays.csv"),
        "csv, semicolons": write_csv(folder, csv_text(sep=";"), "semicolon.csv"),
        "csv, tabs": write_csv(folder, csv_text(sep="\t"), "tab.tsv"),
        "csv, quoted": write_csv(folder, csv_text(quoting=1), "quoted.csv"),
        "csv, CRLF": write_csv(folder, csv_text(lineterminator="\r\n"), "crlf.csv"),
        "csv, BOM": write_csv(folder, b"\xef\xbb\xbf" + csv_text(FRAME.iloc[:, 1:]).encode(), "bom.csv"),
        "csv, odd name": write_csv(folder, csv_text(), "st*ys [0-9] 'x'.csv"),
        "csv.gz": folder / "stays.csv.gz",
        "gzip without .gz": write_csv(folder, gzip.compress(csv_text().encode()), "zipped.csv"),
        "parquet": folder / "stays.parquet",
        "pandas": FRAME,
        "pandas objects": FRAME.astype(object),
        "pandas category": coded,
        "pandas texts": FRAME.astype(str).replace({"None": None, "nan": None, "<NA>": None}),
        "polars": pl.from_pandas(FRAME),
        "polars lazy": pl.from_pandas(FRAME).lazy(),
        "polars category": pl.from_pandas(FRAME).with_columns(pl.col("sex").cast(pl.Categorical)),
        "arrow": arrow,
        "arrow dictionary": pa.Table.from_pandas(coded, preserve_index=False),
        "arrow reader": arrow.to_reader(max_chunksize=2),
        "arrow batch": arrow.combine_chunks().to_batches()[0],
        "ibis": ibis.memtable(arrow),
        "duckdb url": f"duckdb:///{folder}/f.db",
        "duckdb url, table": f"duckdb:///{folder}/f.db#other",
        "sqlite url": f"sqlite:///{folder}/f.sqlite",
    }


def test_every_source_gives_the_same_snapshot(tmp_path: Path) -> None:
    sources = every_source(tmp_path)
    for name, source in sources.items():
        snapshot = make(source)
        assert content(snapshot) == EXPECTED, name
        assert snapshot.report.columns["days"].clamped == 2, name
        assert snapshot.report.columns["sex"].out_of_domain == 1, name
        assert snapshot.report.columns["day"].out_of_domain == 1, name
        assert sorted(snapshot.arrow()["rank"].to_pylist()) == [1, 1, 1, 1, 2], name


def test_the_same_rows_are_kept_whatever_the_source(tmp_path: Path) -> None:
    schema = Schema({"stays": Table(Unit("id", max_rows=1), dict(SCHEMA.tables["stays"].columns))})
    kept = {name: content(make(source, schema)) for name, source in every_source(tmp_path).items()}
    assert len({str(rows) for rows in kept.values()}) == 1, kept


def test_float_ids_are_the_whole_numbers_they_stand_for() -> None:
    frame = pd.DataFrame({"id": [1.0, 1.0, np.nan, 2.0]})
    schema = Schema({"stays": Table(Unit("id", max_rows=1, trim=True), {"id": Identifier()})})
    ints, texts = pd.DataFrame({"id": [1, 1, 2]}), pd.DataFrame({"id": ["1", " 1\t", "", "2"]})
    for given, dropped in ((frame, 1), (ints, 0), (texts, 1)):
        report = make(given, schema).report
        assert (report.people, report.rows_kept, report.rows_without_person) == (2, 2, dropped)


def test_float_ids_too_large_to_tell_apart_are_refused() -> None:
    schema = Schema({"stays": Table(Unit("id"), {"id": Identifier()})})
    with pytest.raises(
        DataError, match="floating-point numbers too large to tell people apart; give whole numbers or text"
    ):
        make(pd.DataFrame({"id": [float(2**53 + 2), 1.0, None]}), schema)


def test_mixed_python_objects_are_read_by_their_text() -> None:
    schema = Schema({"stays": Table("row", {"v": Integer(0, 9), "c": Category(["1", "True"])})})
    frame = pd.DataFrame(
        {"v": [1, "2", Decimal(3), 4.0, "x", None], "c": [1, "1", True, 1.0, "1.0", None]}, dtype=object
    )
    assert content(make(frame, schema)) == sorted([(1, 0), (2, 0), (3, 1), (4, 2), (10, 2), (10, 2)])


def test_texts_that_look_like_nothing_are_texts(tmp_path: Path) -> None:
    schema = Schema({"stays": Table("row", {"c": Category(["None", "NA", "NULL", "nan"], null=["?"])})})
    path = write_csv(tmp_path, 'c,d\nNone,1\nNA,1\nNULL,1\nnan,1\n?,1\n"",1\n,1\n none,1\n')
    snapshot = make(path, schema)
    assert content(snapshot) == [(0,), (1,), (2,), (3,), (4,), (4,), (4,), (4,)]
    assert (snapshot.report.columns["c"].null, snapshot.report.columns["c"].out_of_domain) == (3, 1)


GOOD = "id,sex,days,cost,day,er\n1,F,1,1,2020-01-01,t\n"


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.csv", b"", "a.csv is empty; give a file with a header line and rows"),
        ("a.csv", b"\n\n", "a.csv has no header line; give a file whose first line names the columns"),
        ("a.csv", GOOD.encode() + b"2,SECRET\n", "a.csv, line 3: the header names 6 columns but the line has 2; mend"),
        ("a.csv", GOOD.encode() + b"2,SECRET,1,1,2020-01-01,t,8\n", "a.csv, line 3: the header names 6 columns but"),
        (
            "a.csv",
            GOOD.encode() + b'2,"SECRET,1,1,2020-01-01,t\n',
            "a.csv, line 3: a quoted value does not end properly",
        ),
        ("a.csv", GOOD.encode() + b"2,SECRET\xff,1,1,2020-01-01,t\n", "a.csv, line 3: the text is not UTF-8"),
        ("a.csv", GOOD.replace("sex", "s\xe4x").encode("latin-1"), "a.csv, line 1: the text is not UTF-8"),
        (
            "a.csv",
            GOOD.encode() + b"2,F,1,1,2020-01-01,t\r\n3,F,1,1,2020-01-01,t\n",
            "a.csv: the file mixes line endings",
        ),
        ("a.csv", bytes(range(256)) * 9, "a.csv is neither CSV (UTF-8 text) nor Parquet"),
        ("a.csv", GOOD.replace("sex", "sex,sex").encode(), "column 'sex' of table 'stays' is in a.csv more than once"),
        (
            "a.csv",
            GOOD.replace("days", "Days").encode(),
            "column 'days' of table 'stays' is not in a.csv; did you mean 'Days'?",
        ),
        ("a.csv.gz", GOOD.encode(), "a.csv.gz is named .gz but is not a gzip file"),
        (
            "a.csv.gz",
            gzip.compress(GOOD.encode(), mtime=0)[:30],
            "a.csv.gz: the compressed file is damaged or cut short",
        ),
        ("a.parquet", b"PAR1" + b"x" * 99, "a.parquet starts like Parquet but is damaged or cut short"),
        ("a.parquet", GOOD.encode(), "a.parquet is neither CSV (UTF-8 text) nor Parquet"),
    ],
)
def test_a_broken_file_gives_one_plain_sentence(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    with pytest.raises(DataError) as caught:
        make(write_csv(tmp_path, data, name))
    text = str(caught.value)
    assert message in text
    assert "SECRET" not in text and "\n" not in text and str(tmp_path) not in text
    assert caught.value.__cause__ is None and caught.value.__context__ is None, "an engine's error hangs on to it"


def test_a_gzip_cut_short_far_inside_is_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    rows = "".join(f"{a},F,1,1,2020-01-01,t\n" for a in rng.integers(0, 10**9, 50_000))
    path = write_csv(tmp_path, gzip.compress((GOOD + rows).encode())[:-5000], "a.csv.gz")
    with pytest.raises(DataError, match=r"a\.csv\.gz"):
        make(path)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nowhere/none.csv", "there is no file none.csv; check the path"),
        (Path("/"), "is a folder; give one CSV or Parquet file"),
        (42, "data for table 'stays' cannot be a int; give a path to a CSV or Parquet file"),
        ({"id": [1]}, "data for table 'stays' cannot be a dict"),
        ("duckdb:///nowhere/none.db", "there is no file none.db; check the URL"),
        ("sqlite:///nowhere/none.db", "there is no file none.db; check the URL"),
        ("postgresql://me:hunter2@127.0.0.1:1/db", "the postgresql database db"),
        ("nonsense://me:hunter2@host/db", "the nonsense database db"),
    ],
)
def test_what_cannot_be_opened_is_said_plainly(source: Any, message: str) -> None:
    with pytest.raises(UserError) as caught:
        make(source)
    assert message in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_missing_sql_table_is_named(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "f.db")) as con:
        con.execute("CREATE TABLE stay (id INTEGER)")
    with pytest.raises(DataError, match=r"the duckdb database f\.db has no table 'stays'; did you mean 'stay'"):
        make(f"duckdb:///{tmp_path}/f.db")
    assert [path.name for path in tmp_path.iterdir()] == ["f.db"]


def test_a_reader_that_fails_midway_is_said_plainly() -> None:
    schema = pa.Table.from_pandas(FRAME, preserve_index=False).schema

    def batches() -> Any:
        yield from pa.Table.from_pandas(FRAME, preserve_index=False).to_batches()
        raise ValueError("SECRET row")

    with pytest.raises(DataError) as caught:
        make(pa.RecordBatchReader.from_batches(schema, batches()))
    assert "SECRET" not in str(caught.value)


def test_columns_are_told_apart_by_case() -> None:
    schema = Schema({"stays": Table("row", {"age": Integer(0, 9), "Age": Integer(0, 9)})})
    frame = pd.DataFrame({"Age": [1], "age": [2]})
    assert content(make(frame, schema)) == [(2, 1)]


def test_importing_pets_loads_no_engine() -> None:
    import subprocess
    import sys

    code = (
        "import sys, pets.snapshot; print(sorted({'duckdb', 'ibis', 'pandas', 'polars', 'pyarrow'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.strip() == "[]"
