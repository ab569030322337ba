"""Who prepares where Spark is asked for; ranks beside a person table; and what may be added to what Spark has made."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import pets
from pets.errors import DataError
from pets.plan.plan import make_plan
from pets.rows.growing import append
from pets.rows.snapshot import Snapshot
from pets.rows.spark import making, spark_session
from pets.rows.stored.store import Store
from pets.rows.tabulate import ENGINES, tabulate
from tests import growing
from tests.sparks import spark
from tests.unit.rows.spark.test_making import (
    COLUMNS,
    EVENTS,
    PEOPLE,
    PERSONS,
    frame,
    lines,
    made,
    on_duckdb,
    rows,
)
from tests.unit.rows.test_snapshot import everything

pytest.importorskip("pyspark", reason="the spark extra")

NOTE = "DuckDB makes these tables ready on this machine, and Spark counts their rows"


def by_spark(snapshot: Snapshot) -> bool:
    """Spark has no unsigned numbers; DuckDB's codes of people are."""
    return bool(snapshot.arrow().schema.field("person").type == pa.int64())


def test_parquet_of_this_machine_is_made_ready_on_spark_where_spark_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "x=1 [a]*' stays.parquet"
    pq.write_table(lines(), file)
    one = made(tmp_path / "s", file, progress=True)
    assert by_spark(one) and rows(one) == rows(on_duckdb(file)) and NOTE not in capsys.readouterr().err
    other = made(tmp_path / "d", file, engine="duckdb", progress=True)
    assert not by_spark(other) and NOTE not in capsys.readouterr().err


ALONE = pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=2), PEOPLE.tables["t"].columns)})


def test_what_spark_does_not_prepare_is_prepared_by_duckdb_and_said_to_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pyarrow.csv.write_csv(EVENTS, tmp_path / "t.csv")
    pq.write_table(EVENTS, tmp_path / "t.parquet")
    both = pets.Schema({name: PEOPLE.tables[name] for name in ("t", "p")})
    for number, (schema, source, more) in enumerate(
        [
            (ALONE, tmp_path / "t.csv", {}),
            (ALONE, EVENTS, {}),
            (ALONE, tmp_path / "t.parquet", {"folder": None}),
            (both, {"t": tmp_path / "t.parquet", "p": PERSONS}, {}),
        ]
    ):
        one = made(**({"folder": tmp_path / f"s{number}", "source": source, "schema": schema, "progress": True} | more))
        assert NOTE in capsys.readouterr().err and not by_spark(one)
        plan = make_plan(pets.query("t").agg(n=pets.count()), schema)
        assert tabulate(plan, one, "spark").reveal().tolist() == [40]
    made(tmp_path / "quiet", tmp_path / "t.csv", ALONE)
    assert not capsys.readouterr().err


@pytest.fixture
def lenient() -> Iterator[None]:
    """A Spark whose administrator has times in nanoseconds read as whole numbers, in whatever session."""
    name, conf = "spark.sql.legacy.parquet.nanosAsLong", spark().sparkContext._jsc.sc().conf()
    conf.set(name, "true")
    spark_session._beside.clear()
    yield
    conf.remove(name)
    spark_session._beside.clear()


@pytest.mark.usefixtures("lenient")
def test_a_type_that_spark_cannot_read_names_a_remedy_that_works(tmp_path: Path) -> None:
    times = pa.array([dt.datetime(2020, 5, 1), None], pa.timestamp("ns"))
    pq.write_table(pa.table({"id": ["a", "b"], "day": times}), tmp_path / "t.parquet", version="2.6")
    schema = pets.Schema({"t": pets.Table(pets.Unit("id"), {name: COLUMNS[name] for name in ("id", "day")})})
    with pytest.raises(DataError, match=r"t.parquet cannot be opened by Spark .*make it ready with engine='duckdb'"):
        made(tmp_path / "s", tmp_path / "t.parquet", schema)
    one = made(tmp_path / "s", tmp_path / "t.parquet", schema, engine="duckdb")
    plan = make_plan(pets.query("t").where(~pets.col("day").is_null()).agg(n=pets.count()), schema)
    assert tabulate(plan, one, "spark").reveal().tolist() == [1]


def test_beside_a_person_table_every_row_has_the_rank_that_it_has_on_duckdb(tmp_path: Path) -> None:
    """Whose rows count is then one choice, whoever prepared them: all numbers agree, also where rows are left out."""
    people = 90
    schema = pets.Schema(
        {
            "t": pets.Table(
                pets.Unit("id", max_rows=2), {"id": pets.Identifier(), "n": pets.Integer(0, 2)}, "p", people=people
            ),
            "p": pets.Table(PEOPLE.tables["p"].unit, PEOPLE.tables["p"].columns, people=people),
        }
    )
    events = pa.table({"id": [f"p{i}" for i in range(people)] * 3, "n": [v for v in range(3) for _ in range(people)]})
    persons = pa.table({"who": [f"p{i}" for i in range(people)], "sex": [("f", "m")[i % 2] for i in range(people)]})
    on = made(tmp_path / "s", {"t": frame(events), "p": frame(persons)}, schema)
    off = on_duckdb({"t": events, "p": persons}, schema)
    assert rows(on) == rows(off) and on.report == off.report
    asked = pets.query("t").group_by("sex").agg(n=pets.count(), s=pets.sum("n"), u=pets.count_units())
    for plan in (make_plan(asked, schema), make_plan(asked.bound(rows=1), schema)):
        vectors = [tabulate(plan, one, engine).reveal().tolist() for one in (on, off) for engine in ENGINES]
        assert vectors == vectors[:1] * 6


GROWS = pets.Schema(
    {
        "t": pets.Table(
            pets.Unit("id", max_rows=3, arrival="load"),
            growing.COLUMNS
            | {"w": pets.Integer(0, 300), "big": pets.Real(0, 10**9, step="0.1"), "code": pets.Text(max_length=8)},
            people=1000,
        )
    }
)


def delivery(load: int, people: int, rows: int) -> pa.Table:
    """Some rows that arrive together; of everybody who comes, several, and some of them alike."""
    numbers = range(rows)
    return pa.table(
        {
            "id": [None if n % 11 == 10 else f"p{n % people}" for n in numbers],
            "load": pa.array([load + n % 2 for n in numbers], pa.int64()),
            "v": [n % 4 for n in numbers],
            "w": [n * 7 % 301 for n in numbers],
            "big": [n * 1e7 for n in numbers],
            "code": ["abc"[n % 3] for n in numbers],
        }
    )


DELIVERIES = [delivery(1, 7, 40), delivery(4, 12, 30), delivery(8, 20, 50)]


def keeps(one: Snapshot) -> Counter[str]:
    """What each person keeps, in the order of rank; codes of people mean nothing."""
    people: dict[int, list[str]] = {}
    for line in one.arrow().sort_by("rank").to_pylist():
        people.setdefault(line.pop("person"), []).append(str(line))
    return Counter(map(str, people.values()))


def test_what_spark_made_grows_into_what_all_rows_at_once_would_be(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    given: dict[str, Any] = {"folder": folder, "key": None, "schema": GROWS}
    one = made(**given, source=frame(DELIVERIES[0]))
    first = {path.name for path in (folder / "t.parquet").iterdir()}
    asked = pets.query("t").group_by("v").agg(n=pets.count(), u=pets.count_units(), s=pets.sum("big"), w=pets.sum("w"))
    plan = make_plan(asked.where(pets.col("code").isin(["a", "b"])), GROWS)
    for later in DELIVERIES[1:]:
        one = append(GROWS, "t", later, folder, progress=False)
    now = {path.name for path in (folder / "t.parquet").iterdir()}
    assert {name for name in first if "people" not in name} < now and len(list(folder.rglob("*-people.parquet"))) == 1
    key = Store(folder, "t").key()[0]
    whole = Snapshot.make(GROWS, "t", {"t": pa.concat_tables(DELIVERIES)}, key=key, progress=False)
    assert one.report == whole.report and keeps(one) == keeps(whole) == keeps(Snapshot.open(GROWS, "t", folder))
    vectors = [tabulate(plan, each, engine).reveal().tolist() for each in (one, whole) for engine in ENGINES]
    assert any(vectors[0]) and vectors == vectors[:1] * 6
    before = everything(folder)
    with pytest.raises(DataError, match=r"arrived no later than the last.* make the snapshot anew from all rows"):
        append(GROWS, "t", delivery(9, 3, 3), folder, progress=False)
    with pytest.raises(DataError, match=r"give the later rows as frame\.toArrow\(\)"):
        append(GROWS, "t", frame(delivery(20, 3, 3)), folder, progress=False)
    assert everything(folder) == before
    assert append(GROWS, "t", frame(delivery(20, 3, 3)).toArrow(), folder, progress=False).report.rows_read == 123


def test_the_last_arrival_is_that_of_any_row_in_any_group_also_of_one_that_is_not_kept(tmp_path: Path) -> None:
    """What comes later and arrived before it would take the place of a row."""
    loads, ids = [1] * 30 + [7] + [2] * 30, ["one"] * 31 + [f"p{n}" for n in range(30)]
    table = delivery(1, 1, 61).set_column(0, "id", pa.array(ids)).set_column(1, "load", pa.array(loads))
    one = made(tmp_path / "s", frame(table), GROWS, key=None)
    assert Counter(one.arrow()[one.columns["load"]].to_pylist()) == {0: 3, 1: 30}
    for load in (5, 6):
        with pytest.raises(DataError, match="arrived no later than the last"):
            append(GROWS, "t", delivery(load, 3, 4), tmp_path / "s", progress=False)
    append(GROWS, "t", delivery(8, 3, 4), tmp_path / "s", progress=False)


def test_counters_lie_in_few_files_however_many_groups_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "PART", 10)
    monkeypatch.setattr(making, "COUNTERS", 2)
    folder = tmp_path / "x=1 [a]*' %20{b,c}#?é"
    made(folder, frame(DELIVERIES[0]), GROWS, key=None)
    counters, parts = list(folder.rglob("*-people.parquet")), list(folder.rglob("*-0*.parquet"))
    assert len(counters) <= 2 < len(parts) - len(counters)
    assert sum(pq.read_metadata(path).num_rows for path in counters) == 7
    append(GROWS, "t", DELIVERIES[1], folder, progress=False)


def test_counters_of_spark_are_the_owners_alone_and_no_more_people_come_than_the_schema_says(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    few = pets.Schema({"t": pets.Table(GROWS.tables["t"].unit, GROWS.tables["t"].columns, people=12)})
    made(folder, frame(DELIVERIES[0]), few, key=None)
    counters = list(folder.rglob("*-people.parquet"))
    assert counters and all(path.stat().st_mode & 0o777 == 0o600 for path in counters)
    held = {line["id"]: line["seen"] for path in counters for line in pq.read_table(path).to_pylist()}
    assert held == {f"p{n}": 3 for n in range(7)}
    append(few, "t", DELIVERIES[1], folder, progress=False)
    before = everything(folder)
    with pytest.raises(DataError, match=r"more people .*\(12\)"):
        append(few, "t", DELIVERIES[2], folder, progress=False)
    assert everything(folder) == before
    made(folder, frame(DELIVERIES[0]), few, key=None)
    (part, *_) = folder.rglob("*-people.parquet")
    part.write_bytes(part.read_bytes()[:-1])
    with pytest.raises(DataError, match="was changed or is incomplete"):
        append(few, "t", DELIVERIES[1], folder, progress=False)


def test_a_set_made_on_spark_is_made_anew(tmp_path: Path) -> None:
    both = pets.Schema({"t": GROWS.tables["t"], "u": GROWS.tables["t"]})
    made(tmp_path / "s", {"t": frame(DELIVERIES[0]), "u": frame(DELIVERIES[1])}, both, key=None)
    assert not list((tmp_path / "s").rglob("*-people.parquet"))
    with pytest.raises(DataError, match="made together with other tables"):
        append(both, "t", DELIVERIES[2], tmp_path / "s", progress=False)


def test_times_of_int96_are_moments_to_spark_and_have_no_zone_to_duckdb(tmp_path: Path) -> None:
    """The one kind of cell in Parquet that is not the same to both, and the page says so."""
    at = pets.DateTime("2024-01-01", "2024-12-31 23:00", step="hour", tz="Europe/London")
    schema = pets.Schema({"t": pets.Table(pets.Unit("id"), {"id": COLUMNS["id"], "at": at})})
    table = pa.table({"id": ["a"], "at": pa.array([dt.datetime(2024, 7, 1, 12)], pa.timestamp("us"))})
    codes = []
    for name, old in (("new", False), ("old", True)):
        pq.write_table(table, tmp_path / f"{name}.parquet", use_deprecated_int96_timestamps=old)
        for engine in ("spark", "duckdb"):
            one = made(tmp_path / f"{name}-{engine}", tmp_path / f"{name}.parquet", schema, engine=engine)
            codes += one.arrow()[one.columns["at"]].to_pylist()
    assert [code - codes[0] for code in codes] == [0, 0, 1, 0]  # noon at UTC is one in London
