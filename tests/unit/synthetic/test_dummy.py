"""Dummy data from a schema alone: domains, rules, people, queries, files and what is said on them."""

from __future__ import annotations

import datetime as dt
import hashlib
import inspect
import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import pets
from pets import col
from pets.errors import QueryError, UserError
from pets.synthetic.dummy import invent
from pets.synthetic.dummy_data.manifest import MARKER, SPECTRUM
from tests.unit.schema.test_rules import FORM, GOOD, schema

RULED = schema(*GOOD[:5])


def keeps_rules(frame: pd.DataFrame) -> None:
    """Every rule of GOOD, computed by pandas and not by pets."""
    for first, second in (("born", "admitted"), ("admitted", "discharged")):
        both = frame[[first, second]].dropna()
        assert (both[first] <= both[second]).all() and len(both)
    stays = frame.dropna(subset=["days"])
    assert ((stays.discharged - stays.admitted).dt.days == stays.days).all() and len(stays)
    assert frame[frame.admitted.isna() | frame.discharged.isna()].days.isna().all()
    aged = frame.dropna(subset=["age"])
    birthday = (aged.admitted.dt.month * 100 + aged.admitted.dt.day) >= (aged.born.dt.month * 100 + aged.born.dt.day)
    assert (aged.admitted.dt.year - aged.born.dt.year - ~birthday == aged.age).all() and len(aged)
    paid = frame.dropna(subset=["cost"])
    assert np.allclose(paid.ward + paid.drugs, paid.cost.astype(float)) and len(paid)
    assert set(frame[frame.died.notna()].to) == {"Died"}


def test_there_is_no_data_argument() -> None:
    names = ["schema", "rows", "seed", "query", "people", "faults", "secret", "link", "products", "progress"]
    assert list(inspect.signature(pets.dummy).parameters) == names


def test_rules_hold_in_every_row() -> None:
    frame = pets.dummy(RULED, rows=20_000, seed=3)["stays"]
    keeps_rules(frame)
    assert frame.days.max() > 50 and frame.age.max() > 80  # the window is used, not only its edge


def test_domains_nulls_and_people() -> None:
    frame = pets.dummy(RULED, rows=20_000)["stays"]
    assert frame.id.value_counts().max() <= 3 and frame.id.nunique() > 8_000
    assert 0.02 < frame.ward.isna().mean() < 0.04 and frame.sure.notna().all()
    session = pets.Session(RULED, pets.dummy(RULED), budget=pets.Budget(1))
    table = session.report().columns
    assert not any(fates.out_of_domain or fates.unparsable or fates.clamped for fates in table.values())


def test_null_texts_appear() -> None:
    form = {"tables": {"t": {"unit": "row", "columns": {"c": {"type": "category", "values": ["a"], "null": ["&"]}}}}}
    values = pets.dummy(form, rows=2_000)["t"].c
    assert set(values.dropna()) == {"a", "&"} and values.isna().any()


def test_a_column_keeps_its_values_when_another_is_added() -> None:
    more = schema(extra="boolean")
    plain = pets.dummy(FORM, rows=50, seed=2)["stays"]
    assert plain.equals(pets.dummy(more, rows=50, seed=2)["stays"].drop(columns="extra"))
    assert not plain.equals(pets.dummy(FORM, rows=50, seed=3)["stays"])


def test_unique_columns() -> None:
    number = {"type": "integer", "min": 1, "max": 500, "nullable": False}
    made = schema({"unique": "number"}, number=number)
    assert pets.dummy(made, rows=500)["stays"].number.nunique() == 500
    with pytest.raises(UserError, match=r"'number' is unique and has only 500 values.*at most 500 rows"):
        pets.dummy(made, rows=501)
    wide = schema({"unique": "number"}, number={"type": "integer", "min": 0, "max": 2**60, "nullable": False})
    assert pets.dummy(wide, rows=500)["stays"].number.nunique() == 500


def test_invent_gives_frames() -> None:
    assert isinstance(invent(RULED, 10)["stays"], pd.DataFrame)


# queries ------------------------------------------------------------------------------------------------------------

CODES = {"type": "category", "values": [f"C{i:04d}" for i in range(5000)]}
PEOPLE = {
    "unit": {"column": "person", "max_rows": 1},
    "columns": {"person": "identifier", "born_in": CODES, "sex": {"type": "category", "values": ["F", "M"]}},
}


def linked() -> pets.Schema:
    made: dict[str, Any] = schema(*GOOD[:5], code=CODES).to_json()
    made["tables"]["stays"]["person_table"] = "people"
    made["tables"]["people"] = PEOPLE
    return pets.Schema.load(made)


NARROW = {
    "one of many codes": col("code") == "C0777",
    "a derived column": (col("days") > 95) & (col("age") > 100),
    "ages need births": col("age").between(0, 0),
    "only when": (col("died") >= "2024-03-01") & (col("code") == "C0001"),
    "a looked-up column": (col("place") == "out") & (col("code") == "C0001"),
    "a looked-up column without value": col("place").is_null() & (col("code") == "C0002"),
    "a person's column": (col("born_in") == "C4999") & (col("code") == "C0003") & (col("sex") == "F"),
    "no value": col("admitted").is_null() & col("ward").is_null() & (col("code") == "C0004"),
    "either": (col("code") == "C0005") | ((col("code") == "C0006") & (col("ward") == 12.34)),
    "an edge": (col("admitted") == "2024-03-31") & (col("discharged") == "2024-03-31"),
    "not": ~(col("code") != "C0009"),
}


@pytest.mark.parametrize("condition", NARROW.values(), ids=NARROW.keys())
def test_the_twin_of_a_filtered_query_is_not_empty(condition: Any) -> None:
    known = linked()
    query = pets.query("stays").where(condition).agg(n=pets.count(), people=pets.count_units())
    made = pets.dummy(known, rows=1000, query=query)
    keeps_rules(made["stays"])
    plain = pets.Session(known, budget=pets.Budget(1))
    for twin in (plain.dummy(), plain.dummy(query=query)):
        answer = twin.release(query, pets.Exact()).table
        assert answer.people.iloc[0] >= 10, answer
    session = pets.Session(known, dict(made.tables), budget=pets.Budget(1), policy=pets.Policy(allow_unbounded=True))
    assert session.release(query, pets.Total()).table.n.iloc[0] < 1000  # other rows are there as well


def test_a_value_that_is_allowed_only_rarely_is_found() -> None:
    known = schema({"column": "died", "when": {"code": ["C0042"]}}, code=CODES)
    query = pets.query("stays").where(col("died") >= "2019-04-01").agg(n=pets.count_units())
    assert pets.Session(known, budget=pets.Budget(1)).dummy().release(query, pets.Exact()).table.n.iloc[0] >= 10


def test_every_part_of_an_answer_gets_rows() -> None:
    codes = [f"C{i:04d}" for i in (1, 2, 3)]
    counts = {f"n{i}": pets.count(col("code") == code) for i, code in enumerate(codes)}
    query = pets.query("stays").agg(**counts, r=pets.rate(col("code") == "C0010"))
    answer = pets.Session(linked(), budget=pets.Budget(1)).dummy().release(query, pets.Exact()).table.iloc[0]
    assert all(answer[name] > 0 for name in (*counts, "r"))


def test_a_condition_that_fails_nobody_is_answered_on_the_plain_rows() -> None:
    twin = pets.Session(linked(), budget=pets.Budget(1)).dummy(rows=2000)
    everyone = twin.release(pets.query("stays").agg(n=pets.count()), pets.Exact())
    some = twin.release(pets.query("stays").where(col("dead") == True).agg(n=pets.count()), pets.Exact())  # noqa: E712
    assert everyone.snapshot_id == some.snapshot_id
    assert 0 < some.table.n.iloc[0] < everyone.table.n.iloc[0]


def test_a_condition_that_nothing_can_meet_gives_an_empty_answer_and_no_error() -> None:
    never = (col("admitted") > "2024-01-01") & (col("discharged") < "2020-01-01")
    query = pets.query("stays").where(never).agg(n=pets.count())
    assert pets.Session(linked(), budget=pets.Budget(1)).dummy().release(query, pets.Exact()).table.n.iloc[0] == 0


def test_a_wrong_query_is_refused() -> None:
    with pytest.raises(QueryError, match="did you mean"):
        pets.dummy(RULED, query=pets.query("stays").where(col("dayss") > 3).agg(n=pets.count()))
    with pytest.raises(QueryError, match="must be built from"):
        pets.dummy(RULED, query="SELECT 1")  # type: ignore[arg-type]


# files --------------------------------------------------------------------------------------------------------------


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        pets.dummy(RULED, rows=300, seed=seed).save(tmp_path / name)
    first, second, other = (digests(tmp_path / name) for name in "abc")
    assert first == second and sorted(first) == ["manifest.json", "schema.json", "stays.csv"]
    assert first["stays.csv"] != other["stays.csv"]


def test_every_file_says_that_it_is_synthetic(tmp_path: Path) -> None:
    made = pets.dummy(linked(), rows=300)
    for kind in ("csv", "parquet", "duckdb"):
        files = made.save(tmp_path / kind, kind)
        assert files[-1].name == "manifest.json"
        told = json.loads(files[-1].read_text("utf-8"))
        assert told["synthetic"] is True and told["level"]["name"] == "valid" == SPECTRUM[told["level"]["rung"] - 1]
        assert told["rows"] == {"stays": 300, "people": 300} and told["seed"] == 0
        assert told["schema_sha256"] == linked().digest
        beside = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files[:-1]}
        assert told["sha256"] == beside
        assert pets.Schema.load(tmp_path / kind / "schema.json") == linked()
    csv = pd.read_csv(tmp_path / "csv" / "stays.csv")
    assert csv.columns[-1] == MARKER and set(csv[MARKER]) == {"invented"}
    metadata = pq.read_schema(tmp_path / "parquet" / "stays.parquet").metadata
    assert json.loads(metadata[MARKER.encode()])["synthetic"] is True
    with duckdb.connect(str(tmp_path / "duckdb" / "local.duckdb"), read_only=True) as con:
        assert json.loads(con.execute(f'SELECT manifest FROM "{MARKER}"').fetchall()[0][0])["level"]["name"] == "valid"
        assert (
            con.execute("SELECT comment FROM duckdb_tables() WHERE table_name = 'stays'")
            .fetchall()[0][0]
            .startswith(MARKER)
        )


def test_the_formats_hold_equal_values(tmp_path: Path) -> None:
    made = pets.dummy(RULED, rows=500)
    for kind in ("csv", "parquet", "duckdb"):
        made.save(tmp_path / kind, kind)
    with duckdb.connect(str(tmp_path / "duckdb" / "local.duckdb"), read_only=True) as con:
        rows = con.execute("SELECT * FROM stays").fetchall()
        assert rows == con.execute(f"SELECT * FROM '{tmp_path}/parquet/stays.parquet'").fetchall()
        types = con.execute("SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 'stays'").fetchall()
        columns = ", ".join(f"'{name}': '{kind}'" for name, kind in types)
        source = f"read_csv('{tmp_path}/csv/stays.csv', columns={{{columns}}})"
        assert rows == con.execute(f"SELECT * FROM {source}").fetchall()


def test_a_session_reads_every_format(tmp_path: Path) -> None:
    made = pets.dummy(RULED, rows=500)
    query = pets.query("stays").group_by("to").agg(n=pets.count(), d=pets.sum("days"), c=pets.sum("cost"))
    answers = []
    for kind in ("csv", "parquet"):
        made.save(tmp_path, kind)
        sources: Any = {"stays": str(tmp_path / f"stays.{kind}")}
        answers.append(pets.testing.exact(RULED, sources, query))
    answers.append(pets.testing.exact(RULED, dict(made), query))
    assert answers[0].equals(answers[1]) and answers[0].equals(answers[2])


def test_nothing_is_left_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = pets.dummy(RULED, rows=10)
    with pytest.raises(UserError, match=r"no format 'cvs'.*did you mean 'csv'"):
        made.save(tmp_path / "x", "cvs")
    assert not (tmp_path / "x").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        made.save(tmp_path / "file")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pets.synthetic.dummy_data.files._beside", full)
    with pytest.raises(UserError, match="No space left"):
        made.save(tmp_path / "y")
    assert list((tmp_path / "y").iterdir()) == []


def test_a_table_that_is_not_there() -> None:
    with pytest.raises(UserError, match="did you mean 'stays'"):
        pets.dummy(RULED, rows=5)["stay"]


def test_a_folder_that_is_none() -> None:
    with pytest.raises(UserError, match="a folder such as 'invented', not None"):
        pets.dummy(RULED, rows=5).save(None)  # type: ignore[arg-type]


def test_times_of_day_are_invented_and_read_back() -> None:
    shifts = schema(rang={"type": "time", "min": "06:00", "max": "21:59:30", "step": "second"})
    frame = pets.dummy(shifts, rows=4_000)["stays"]
    known = frame.rang.dropna()
    assert known.min() < dt.time(6, 10) and dt.time(21, 50) < known.max() <= dt.time(21, 59, 30)
    assert len({time.hour for time in known}) == 16 and frame.rang.isna().any()
    fates = pets.Session(shifts, pets.dummy(shifts, rows=50), budget=pets.Budget(1)).report().columns["rang"]
    assert not (fates.out_of_domain or fates.unparsable)
