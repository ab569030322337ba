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
from pets.rows.snapshot import Snapshot
from pets.rows.staged import staging
from pets.schema.schema import Boolean, Category, Date, Identifier, Integer, Real, Schema, Table, Unit

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
# cost, day, days, er, sex (by name); the person is told apart by the count of rows
EXPECTED = sorted([(0, 0, 1, 1, 0), (1, 365, 30, 0, 1), (20, 366, 31, 2, 0), (20, 366, 0, 1, 2), (21, 59, 30, 0, 2)])


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
    schema = Schema({"stays": Table("row", {"a": Integer(0, 9), "b": Category(["1", "True"])})})
    frame = pd.DataFrame(
        {"a": [1, "2", Decimal(3), 4.0, "x", None], "b": [1, "1", True, 1.0, "1.0", None]}, dtype=object
    )
    assert content(make(frame, schema)) == sorted([(1, 0), (2, 0), (3, 1), (4, 0), (10, 2), (10, 2)])


def test_a_reader_gives_its_rows_once() -> None:
    reader = pa.Table.from_pandas(FRAME, preserve_index=False).to_reader()
    assert content(make(reader)) == EXPECTED
    with pytest.raises(DataError, match="was read before, and it can be read only once; pass a pyarrow Table or a fil"):
        make(reader)


def test_decimals_are_the_numbers_they_stand_for(tmp_path: Path) -> None:
    """``DECIMAL(10, 2)`` writes 1.00; as an id, a category and a text for null it is still 1."""
    schema = Schema(
        {
            "p": Table(Unit("id"), {"id": Identifier(), "x": Category(["a", "b"])}),
            "t": Table(
                Unit("id", max_rows=3),
                {"id": Identifier(), "v": Category(["1", "2.50", "0.5"], null=["9"])},
                person_table="p",
            ),
        }
    )
    exact = [Decimal(text) for text in ("1.00", "2.50", "0.50", "9.00", "-1.00")]
    table = pa.table({"id": pa.array(exact, pa.decimal128(10, 2)), "v": pa.array(exact, pa.decimal128(10, 2))})
    people = pa.table({"id": [1.0, 2.5, 9.0], "x": ["a", "b", "a"]})
    made = Snapshot.make(schema, "t", {"t": table, "p": people}, key=1, progress=False)
    assert content(made) == sorted([(0, 0), (1, 1), (2, 2), (3, 0), (3, 2)])
    assert (made.report.columns["v"].null, made.report.people_unattached) == (1, 2)
    small = pa.table({"v": pa.array([Decimal(".50"), Decimal("-.50")], pa.decimal128(2, 2))})
    halves = Schema({"stays": Table("row", {"v": Category(["-0.5", "0.50"])})})
    assert content(make(small, halves)) == [(0,), (1,)]


def test_a_time_with_an_offset_belongs_to_its_day_in_utc(tmp_path: Path) -> None:
    schema = Schema({"stays": Table("row", {"day": Date("2019-04-01", "2019-04-03", null=["2019-04-03"])})})
    late = dt.datetime(2019, 4, 1, 23, 30, tzinfo=dt.timezone(dt.timedelta(hours=-5)))
    plain = late.replace(tzinfo=None)
    texts = ["2019-04-01 23:30-05:00", "2019-04-01T23:30:00.5-0500", "2019-04-01 23:30:00 -05", "2019-04-02T04:30:00Z"]
    for source in (
        pd.DataFrame({"day": [late]}),
        pd.DataFrame({"day": [late]}, dtype=object),
        pl.DataFrame({"day": [late]}),
        pa.table({"day": pa.array([late], pa.timestamp("ns", "America/New_York"))}),
        *(pd.DataFrame({"day": [text]}) for text in texts),
        *(write_csv(tmp_path, f"day\n{text}\n", f"{n}.csv") for n, text in enumerate(texts)),
    ):
        assert content(make(source, schema)) == [(1,)], source
    written = ["2019-04-01", "2019-04-01 23:30", "2019-04-01T23:30:00.123456", "2019-04-01T23:30"]
    for source in (
        pd.DataFrame({"day": [plain]}),
        pd.DataFrame({"day": [plain]}, dtype=object),
        pd.DataFrame({"day": [plain.date()]}),
        *(write_csv(tmp_path, f"day\n{text}\n", f"w{n}.csv") for n, text in enumerate(written)),
    ):
        assert content(make(source, schema)) == [(0,)], source
    null = pd.DataFrame(
        {"day": ["2019-04-03T10:00:00", "2019-04-02 23:30-05:00", "2019-04-01xyz", "2019-04-01 1-05:00"]}
    )
    made = make(null, schema)
    assert content(made) == [(3,)] * 4
    assert (made.report.columns["day"].null, made.report.columns["day"].unparsable) == (2, 2)


def sqlite_file(folder: Path, kind: str, values: list[Any]) -> str:
    path = folder / "odd.db"
    path.unlink(missing_ok=True)
    with sqlite3.connect(path) as lite:
        lite.execute(f"CREATE TABLE stays (v {kind})")
        lite.executemany("INSERT INTO stays VALUES (?)", [(value,) for value in values])
    return f"sqlite:///{path}"


@pytest.mark.parametrize("kind", ["", "REAL", "INTEGER", "NUMERIC", "TEXT", "BOOLEAN", "DATE", "BLOB", "DECIMAL(9,2)"])
def test_an_odd_cell_in_sqlite_is_one_cells_trouble(tmp_path: Path, kind: str) -> None:
    schema = Schema({"stays": Table("row", {"v": Category(["3.0", "4"] if kind == "TEXT" else ["3", "4"])})})
    base: list[Any] = [3.0, 4, 4]
    for odd in ("x", 2.5, b"\xff\x00", 2**62):
        for values in ([*base, odd], [odd, *base]):
            url = sqlite_file(tmp_path, kind, values)
            assert content(make(url, schema)) == [(0,), (1,), (1,), (2,)], (kind, odd)
        assert content(make(ibis.sqlite.connect(url[10:]).table("stays"), schema)) == [(0,), (1,), (1,), (2,)], (
            kind,
            odd,
        )


def test_text_in_sqlite_that_is_not_utf8_is_null(tmp_path: Path) -> None:
    url = sqlite_file(tmp_path, "TEXT", ["a", "b"])
    with sqlite3.connect(url[10:]) as lite:
        lite.execute("INSERT INTO stays VALUES (CAST(x'ff' AS TEXT))")
    assert content(make(url, Schema({"stays": Table("row", {"v": Category(["a", "b"])})}))) == [(0,), (1,), (2,)]


def test_truth_in_sqlite_is_read_as_the_schema_spells_it(tmp_path: Path) -> None:
    for values in (["0", "1"], ["False", "True"], ["false", "true"]):
        schema = Schema({"stays": Table("row", {"v": Category(values)})})
        assert content(make(sqlite_file(tmp_path, "BOOLEAN", [1, 0, 7]), schema)) == [(0,), (1,), (2,)], values


def test_whole_numbers_that_floats_may_have_merged_are_refused() -> None:
    """2^53 + 1 is itself as an integer, but becomes 2^53 once somebody's missing value makes the column floats."""
    big = 2**53
    for domain in (Category([str(big + 1)]), Integer(0, big + 5), Integer(0, 9, null=[str(big)])):
        schema = Schema({"stays": Table("row", {"v": domain})})
        for kind in ("float64", object):
            with pytest.raises(DataError, match="floating-point numbers too large to tell whole numbers apart"):
                make(pd.DataFrame({"v": pd.Series([float(big), None], dtype=kind)}), schema)
            make(pd.DataFrame({"v": pd.Series([3.0, None, 1e30], dtype=kind)}), schema)
        make(pd.DataFrame({"v": [big + 1, 3]}), schema)


def test_ibis_guesses_no_type_from_all_rows() -> None:
    schema = Schema({"stays": Table("row", {"v": Category(["3", "4"])})})
    mixed = ibis.memtable(pd.DataFrame({"v": pd.Series([3.0, 4.0, "x"], dtype=object)}))
    assert content(make(mixed, schema)) == [(0,), (1,), (2,)]
    texts = ibis.memtable(pd.DataFrame({"v": ["3", "4", None]}))
    assert content(make(texts.filter(texts.v == "3"), schema)) == [(0,)]
    with pytest.raises(DataError, match="columns of Python objects, whose types Ibis guesses from all rows"):
        make(mixed.limit(2), schema)


def test_a_polars_column_of_objects_is_read_cell_by_cell() -> None:
    schema = Schema({"stays": Table("row", {"v": Category(["3", "True"]), "w": Integer(0, 9)})})
    frame = pl.DataFrame({"w": [1, 2, 3], "v": pl.Series([3.0, True, "x"], dtype=pl.Object)})
    assert content(make(frame, schema)) == [(0, 1), (1, 2), (2, 3)]


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
        ("a.csv", GOOD.encode() + b"2,SECRET,1,1,2020-01-01,t,8,9\n", "a.csv, line 3: the header names 6 columns but"),
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
            "column 'days' of table 'stays' is not in a.csv: name it as the data do, or leave it out of the schema; "
            "did you mean 'Days'?",
        ),
        ("a.csv.gz", GOOD.encode(), "a.csv.gz is named .gz but is not a gzip file"),
        (
            "a.csv.gz",
            gzip.compress(GOOD.encode(), mtime=0)[:30],
            "a.csv.gz: the compressed file is damaged or cut short",
        ),
        ("a.parquet", b"PAR1" + b"x" * 99, "a.parquet starts like Parquet but is damaged or cut short"),
        ("a.parquet", GOOD.encode(), "a.parquet is neither CSV (UTF-8 text) nor Parquet"),
        ("a.json", b'[{"id": "SECRET"}]', "a.json is named as JSON, which is not read as data; save it as CSV"),
        (
            "a.ndjson.gz",
            gzip.compress(b'{"id": "SECRET"}\n', mtime=0),
            "a.ndjson.gz is named as JSON, which is not read",
        ),
    ],
)
def test_a_broken_file_gives_one_plain_sentence(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    with pytest.raises(DataError) as caught:
        make(write_csv(tmp_path, data, name))
    text = str(caught.value)
    assert message in text
    assert "SECRET" not in text and "\n" not in text and str(tmp_path) not in text
    assert caught.value.__cause__ is None and caught.value.__context__ is None, "an engine's error hangs on to it"


def test_fields_too_many_are_not_counted_wrong(tmp_path: Path) -> None:
    for extra in (1, 2, 6):
        line = b"2,F,1,1,2020-01-01,t" + b",8" * extra + b"\n"
        with pytest.raises(DataError, match="names 6 columns but the line has more; mend the line"):
            make(write_csv(tmp_path, GOOD.encode() + line, "a.csv"))


def test_a_view_that_cannot_convert_is_no_matter_of_csv(tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text(GOOD.replace(",1,1,", ",SECRET,1,"), "utf-8")
    types = ", ".join(
        f"'{name}': '{'INTEGER' if name == 'days' else 'VARCHAR'}'" for name in SCHEMA.table("stays").columns
    )
    reading = f"read_csv('{tmp_path / 'bad.csv'}', auto_detect=false, header=true, columns={{{types}}})"
    with duckdb.connect(str(tmp_path / "stays.db")) as con:
        con.execute(f"CREATE VIEW stays AS SELECT * FROM {reading}")
        con.execute("CREATE TABLE texts AS SELECT 'SECRET' AS days")
        con.execute(
            "CREATE VIEW casts AS SELECT '1' AS id, 'F' AS sex, CAST(days AS INTEGER) AS days, 1 AS cost, "
            "DATE '2020-01-01' AS day, true AS er FROM texts"
        )
    for name in ("stays", "casts"):
        with pytest.raises(DataError) as caught:
            make(f"duckdb:///{tmp_path}/stays.db#{name}")
        assert str(caught.value).startswith("the duckdb database stays.db: a view or a computed column turns a value")
        assert "TRY_CAST" in str(caught.value)
        assert "SECRET" not in str(caught.value)
        assert "CSV" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["duckdb", "sqlite"])
@pytest.mark.parametrize("tail", ["?table=nope", "?query=select", "?table=nope#stays", "?mode=ro"])
def test_what_a_url_says_after_a_question_mark_is_not_ignored(tmp_path: Path, scheme: str, tail: str) -> None:
    path = tmp_path / "stays.db"
    rows = "CREATE TABLE stays AS SELECT '1' AS id, 'F' AS sex, 1 AS days, 1 AS cost, '2020-01-01' AS day, 't' AS er"
    if scheme == "duckdb":
        with duckdb.connect(str(path)) as con:
            con.execute(rows)
    else:
        with sqlite3.connect(path) as other:
            other.execute(rows)
    with pytest.raises(DataError, match=r"'[?]' in a .* URL is not read; write the table's name after '#'"):
        make(f"{scheme}:///{path}{tail}")
    assert len(content(make(f"{scheme}:///{path}#stays"))) == 1  # the remedy


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


@pytest.mark.parametrize("act", ["added to", "replaced", "damaged", "removed"])
def test_a_file_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    """What was read of it may be the state of no moment: half of an export, or columns in another order."""
    file, other = tmp_path / "t.csv", tmp_path / "new"
    file.write_text("id,x\na,1\nb,2\n")
    chosen = staging.selection

    def meanwhile(*given: Any) -> Any:
        if act == "added to":
            with file.open("a") as more:
                more.write("c,3\n")
        elif act == "replaced":
            other.write_text("id,x\na,1\nb,3\n")
            other.replace(file)
        elif act == "damaged":
            file.write_text('id,x\na,"1\n')
        else:
            file.unlink()
        return chosen(*given)

    monkeypatch.setattr(staging, "selection", meanwhile)
    schema = Schema({"t": Table(Unit("id"), {"id": Identifier(), "x": Integer(0, 9)})})
    with pytest.raises(DataError, match=r"^t\.csv was changed while it was read, and nothing was stored") as refusal:
        Snapshot.make(schema, "t", {"t": file}, folder=tmp_path / "s", progress=False)
    assert refusal.value.__context__ is None and not Snapshot.stored(tmp_path / "s", "t")


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


@pytest.mark.chance(0)
def test_importing_pets_loads_no_engine() -> None:
    import subprocess
    import sys

    engines = "{'duckdb', 'ibis', 'pandas', 'polars', 'pyarrow'}"
    code = f"import sys, pets.rows.snapshot; print(sorted({engines} & set(sys.modules)))"
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.strip() == "[]"
