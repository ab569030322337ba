"""Who prepares where Spark is asked for; ranks beside a person table; and what may be added to what Spark has made."""

from __future__ import annotations

import datetime as dt
from collections import Counter
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
from pets.rows.tabulate import ENGINES, tabulate
from tests import growing
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

SPARK: dict[str, Any] = {"engine": "spark", "progress": False}
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


def test_a_type_that_spark_cannot_read_names_a_remedy_that_works(tmp_path: Path) -> None:
    times = pa.array([dt.datetime(2020, 5, 1), None], pa.timestamp("ns"))
    pq.write_table(pa.table({"id": ["a", "b"], "day": times}), tmp_path / "t.parquet", version="2.6")
    schema = pets.Schema({"t": pets.Table(pets.Unit("id"), {name: COLUMNS[name] for name in ("id", "day")})})
    with pytest.raises(DataError, match=r"t.parquet cannot be opened by Spark .*make it ready with engine='duckdb'"):
        made(tmp_path / "s", tmp_path / "t.parquet", schema)
    one = made(tmp_path / "s", tmp_path / "t.parquet", schema, engine="duckdb")
    plan = make_plan(pets.query("t").where(~pets.col("day").is_null()).agg(n=pets.count()), schema)
    assert tabulate(plan, one, "spark").reveal().tolist() == [1]


def test_beside_a_person_table_ranks_are_fair_and_no_number_differs_where_no_row_is_left_out(tmp_path: Path) -> None:
    """The one place where ranks of Spark and DuckDB differ for rows that differ: a chi-squared of each, and all sums.

    Each of 900 people has a row of 0, 1 and 2, and a sex: every rank has as many of each, whoever prepared them.
    """
    people = 900
    schema = pets.Schema(
        {
            "t": pets.Table(
                pets.Unit("id", max_rows=3), {"id": pets.Identifier(), "n": pets.Integer(0, 2)}, "p", people=people
            ),
            "p": pets.Table(PEOPLE.tables["p"].unit, PEOPLE.tables["p"].columns, people=people),
        }
    )
    events = pa.table({"id": [f"p{i}" for i in range(people)] * 3, "n": [v for v in range(3) for _ in range(people)]})
    persons = pa.table({"who": [f"p{i}" for i in range(people)], "sex": [("f", "m")[i % 2] for i in range(people)]})
    on = made(tmp_path / "s", {"t": frame(events), "p": frame(persons)}, schema)
    off = on_duckdb({"t": events, "p": persons}, schema)
    for one in (on, off):
        n, sex = one.columns["n"], one.columns["sex"]
        placed = Counter((line["rank"], line[n], line[sex]) for line in one.arrow().to_pylist())
        wanted = people / 6  # of each of 18
        # (as each person has each rank and each value once, the sum is 1.5 χ² of eight degrees of freedom; one key,
        # drawn once: by chance it would fail once in a thousand keys)
        assert len(placed) == 18 and sum((found - wanted) ** 2 / wanted for found in placed.values()) < 39.2
    asked = pets.query("t").group_by("sex").agg(n=pets.count(), s=pets.sum("n"), u=pets.count_units())
    whole, first = make_plan(asked, schema), make_plan(asked.bound(rows=1), schema)
    vectors = [tabulate(whole, one, engine).reveal().tolist() for one in (on, off) for engine in ENGINES]
    assert vectors == vectors[:1] * 6
    for one in (on, off):  # of one snapshot all engines count the same rows, though another one may have others
        assert len({tuple(tabulate(first, one, engine).reveal()) for engine in ENGINES}) == 1


LATER = [("p1", "9", "1"), ("new", "9", "2")]


def test_what_was_made_on_spark_is_not_added_to_and_says_why(tmp_path: Path) -> None:
    known, old = growing.schema(), [(f"p{i % 7}", "1", str(i % 3)) for i in range(17)]
    folder = tmp_path / "s"
    one = Snapshot.make_all(
        known, ("t",), {"t": frame(pa.Table.from_pandas(growing.frame(old)))}, **(SPARK | {"folder": folder})
    )
    before = everything(folder)
    with pytest.raises(DataError, match=r"made ready on Spark, which keeps no count.* make the snapshot anew from all"):
        append(known, "t", growing.frame(LATER), folder, progress=False)
    assert everything(folder) == before and one["t"].current
    # the remedy: on either engine from all rows; and on DuckDB it grows from then on
    again = frame(pa.Table.from_pandas(growing.frame([*old, *LATER])))
    assert Snapshot.make_all(known, ("t",), {"t": again}, **(SPARK | {"folder": folder}))["t"].report.rows_read == 19
    Snapshot.make(known, "t", {"t": growing.frame(old)}, folder=folder, progress=False)
    later = frame(pa.Table.from_pandas(growing.frame(LATER)))
    with pytest.raises(DataError, match=r"give the later rows as frame\.toArrow\(\)"):
        append(known, "t", later, folder, progress=False)
    grown = append(known, "t", later.toArrow(), folder, progress=False)
    assert growing.kept(grown) == growing.kept(growing.whole(known, [old, LATER], tmp_path / "w", folder))
    plan = make_plan(pets.query("t").group_by("v").agg(n=pets.count(), people=pets.count_units()), known)
    assert len({tuple(tabulate(plan, grown, engine).reveal()) for engine in ENGINES}) == 1


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
