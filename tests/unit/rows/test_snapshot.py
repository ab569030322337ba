"""Every row fate of the rules, the stored folder, and what a snapshot must never do."""

from __future__ import annotations

import copy
import datetime as dt
import json
import os
import pickle
import re
import shutil
import signal
import stat
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import pets
from pets.errors import DataError, SchemaError, UserError
from pets.rows import snapshot as module
from pets.rows.limits import Limits
from pets.rows.report import WARNING, Report
from pets.rows.snapshot import Snapshot
from pets.rows.stored.store import Store
from pets.schema.schema import Boolean, Category, Date, Domain, Identifier, Integer, Lookup, Real, Schema, Table, Unit

DATA = Path(__file__).parents[3].parent / "shared" / "data"


def one(domain: Domain) -> Schema:
    return Schema({"t": Table("row", {"x": domain})})


def make(schema: Schema, source: Any, table: str = "t", **more: Any) -> Snapshot:
    sources = source if isinstance(source, dict) else {table: source}
    return Snapshot.make(schema, table, sources, **({"key": 5, "progress": False} | more))


def codes(domain: Domain, values: Any) -> list[int]:
    """The stored codes, by the order of the source (a table with ``unit: row`` keeps it)."""
    column = values if isinstance(values, (pa.Array, pa.ChunkedArray)) else pa.array(values)
    made = make(one(domain), pa.table({"x": column}))
    return [
        code for _, code in sorted(zip(made.arrow()["person"].to_pylist(), made.arrow()["c0"].to_pylist(), strict=True))
    ]


# ── coding ──────────────────────────────────────────────────────────────────────────────────────────────────────────

LO, HI = -(2**62), 2**62 - 2**10


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3), ("3.0", 3), (" 3 ", 3), ("+3", 3), ("-0", 0), ("1e1", 10), ("99", 10), ("-99", -10), ("1e300", 10),
        ("-1e300", -10), ("9" * 60, 10), ("9223372036854775808", 10), ("-9223372036854775809", -10), ("2.5", None),
        ("1e-3", None), ("nan", None), ("inf", None), ("-inf", None), ("1e400", 10), ("x", None), ("", None),
        ("0x1", None), ("1,5", None), ("true", None), ("NA", None), (None, None), ("3.0000", 3), ("12.5", None),
        ("9007199254740993.5", None), ("00004", 4), ("4 people", None),
    ],
)  # fmt: skip
def test_integer_texts(text: str | None, value: int | None) -> None:
    assert codes(Integer(-10, 10), pa.array([text], pa.string())) == [21 if value is None else value + 10]


def test_integers_are_exact_over_the_whole_64_bits() -> None:
    lo = 2**62
    domain = Integer(lo, 2**63 - 1 - 2**10)
    top = domain.cells - 1
    values = [lo - 1, lo, lo + 1, 2**53 + lo + 1, 2**63 - 1 - 2**10, 2**63 - 1, -(2**63)]
    expected = [0, 0, 1, 2**53 + 1, top, top, 0]
    assert codes(domain, pa.array(values, pa.int64())) == expected
    assert codes(domain, pa.array([str(v) for v in values])) == expected
    assert codes(domain, pa.array([f"{v}.0" for v in values])) == expected
    low = Integer(-(2**63), -(2**62) - 2**10)
    assert codes(low, pa.array([-(2**63), -(2**63) + 1, 0, 2**63 - 1], pa.int64())) == [
        0,
        1,
        low.cells - 1,
        low.cells - 1,
    ]
    assert codes(Integer(0, 10), pa.array([2**64 - 1, 0, 7], pa.uint64())) == [10, 0, 7]
    assert codes(Integer(0, 2**40), pa.array([2.0**40, 2.0**80, -1e300, 0.5, np.nan, np.inf, None])) == [
        2**40, 2**40, 0, 2**40 + 1, 2**40 + 1, 2**40 + 1, 2**40 + 1]  # fmt: skip


@pytest.mark.parametrize(
    "kind", [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.float32(), pa.float64()]
)
def test_integer_types(kind: pa.DataType) -> None:
    assert codes(Integer(5, 9), pa.array([0, 5, 7, 9, 100, None], kind)) == [0, 0, 2, 4, 4, 5]


def test_real_rounds_to_the_nearest_step() -> None:
    domain = Real(-1, 1, 0.1)
    values = [-1.0, -0.96, -0.94, 0.0, 0.049, 0.0501, 1.0, 7.0, -7.0, np.nan, np.inf, -np.inf, None]
    expected = [0, 0, 1, 10, 10, 11, 20, 20, 0, 21, 21, 21, 21]
    assert codes(domain, pa.array(values, from_pandas=False)) == expected
    assert codes(domain, pa.array([None if v is None else str(v) for v in values])) == expected
    assert codes(Real(0, 100, 1), pa.array([3, 200, None])) == [3, 100, 101]
    assert codes(Real(0, 1, 0.25), pa.array(["0.125", "0.1249999", "1e400", "x", "1e-400"])) == [1, 0, 4, 5, 0]


def test_dates_outside_become_null() -> None:
    domain = Date("2020-01-01", "2020-12-31", null=["2020-06-01"])
    texts = ["2020-01-01", "2020-12-31T23:59:59", "2021-01-01", "2019-12-31", "2020-06-01", "2020-1-1", "epoch", "x",
             "2020-02-30", "20200101", "2020-06-01 10:00:00", "2020-03-01 junk", "infinity", ""]  # fmt: skip
    assert codes(domain, pa.array(texts)) == [0, 365, *[366] * 12]
    days = [dt.date(2020, 1, 1), dt.date(1800, 1, 1), dt.date(2020, 6, 1), dt.date(9999, 12, 31), None]
    assert codes(domain, pa.array(days)) == [0, 366, 366, 366, 366]
    times = pa.array([dt.datetime(2020, 1, 2, 23, 59), dt.datetime(2020, 6, 1, 1), None])
    for unit in ("s", "ms", "us", "ns"):
        assert codes(domain, times.cast(pa.timestamp(unit))) == [1, 366, 366]
    assert codes(domain, pa.array([1, 2], pa.int64())) == [366, 366]


def test_booleans() -> None:
    words = ["true", "T", "YES", "y", "1", "False", "f", "no", "N", "0", "2", "", "ja", None, " true"]
    assert codes(Boolean(), pa.array(words)) == [1] * 5 + [0] * 5 + [2] * 4 + [1]
    assert codes(Boolean(), pa.array([True, False, None])) == [1, 0, 2]
    assert codes(Boolean(), pa.array([1, 0, 2, None])) == [1, 0, 2, 2]
    assert codes(Boolean(), pa.array([1.0, 0.0, 0.5, None])) == [1, 0, 2, 2]


def test_categories_are_exact_text() -> None:
    domain = Category(["a", "b", "it's", "1"], null=["?"])
    assert codes(domain, pa.array(["a", "A", " a", "b", "it's", "?", "", None, "1"])) == [0, 4, 4, 1, 2, 4, 4, 4, 3]
    assert codes(domain, pa.array([1, 2, None])) == [3, 4, 4]
    assert codes(domain, pa.array([1.0, 1.5, None])) == [3, 4, 4]
    assert codes(Category(["1.0", "true"]), pa.array([1.0, 2.0])) == [0, 2]
    assert codes(Category(["true"]), pa.array([True, False])) == [0, 1]
    assert codes(Category(["True", "False"]), pa.array([True, False])) == [0, 1]
    many = [f"v{i}" for i in range(70_000)]
    assert codes(Category(many), pa.array(["v0", "v255", "v256", "v69999", "w"])) == [0, 255, 256, 69999, 70000]


@pytest.mark.parametrize(
    ("domain", "values", "counts"),
    [
        (Integer(0, 9, null=["-1"]), ["-1", "", None, "x", "2.5", "10", "-2", "5"], (3, 0, 2, 2)),
        (Integer(0, 9, null=["-1", "99", "x"]), [-1, 99, 10, 5, None], (3, 0, 0, 1)),
        (Integer(0, 9, null=["-1"]), [-1.0, 99.0, np.nan, None], (2, 0, 1, 1)),
        (Real(0, 1, 0.5, null=["9"]), ["9", "9.0", "nan", "inf", "0.2", None], (2, 0, 2, 1)),
        (Date("2020-01-01", "2020-12-31", null=["1800-01-01"]), ["1800-01-01", "1801-01-01", "?", ""], (2, 1, 1, 0)),
        (Category(["a"], null=["?"]), ["a", "?", "b", "", None], (3, 1, 0, 0)),
        (Boolean(null=["U"]), ["U", "t", "maybe", ""], (2, 1, 0, 0)),
    ],
)
def test_every_fate_is_counted(domain: Domain, values: list[Any], counts: tuple[int, ...]) -> None:
    made = make(one(domain), pa.table({"x": pa.array(values, from_pandas=False)}))
    found = made.report.columns["x"]
    assert (found.null, found.out_of_domain, found.unparsable, found.clamped) == counts
    assert made.report.rows_read == made.report.rows_kept == len(values)


@pytest.mark.parametrize(
    ("cells", "kind"), [(255, "uint8"), (256, "uint16"), (65_535, "uint16"), (65_536, "uint32"), (2**32, "uint64")]
)
def test_a_code_column_has_the_narrowest_type_that_holds_null(cells: int, kind: str) -> None:
    made = make(one(Integer(1, cells)), pa.table({"x": pa.array([1, cells, cells + 5, None])}))
    assert str(made.arrow()["c0"].type) == kind
    assert sorted(made.arrow()["c0"].to_pylist()) == [0, cells - 1, cells - 1, cells]


# ── rows ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_rows_that_break_nullable_false_are_dropped_and_counted() -> None:
    columns = {
        "id": Identifier(),
        "a": Integer(0, 9, nullable=False),
        "b": Category(["x"], nullable=False),
        "c": Boolean(),
    }
    schema = Schema({"t": Table(Unit("id", max_rows=5), columns)})
    frame = pd.DataFrame({"id": ["p", "p", "q", None, "r", "s"], "a": ["1", None, "x", "1", "99", "2"],
                          "b": ["x", "x", "y", "x", "x", None], "c": None})  # fmt: skip
    made = make(schema, frame)
    report = made.report
    assert (report.rows_read, report.rows_without_person, report.rows_dropped, report.rows_valid) == (6, 1, 3, 2)
    assert (report.columns["a"].dropped, report.columns["b"].dropped, report.columns["c"].dropped) == (2, 2, 0)
    assert (report.people, report.rows_kept, report.columns["a"].clamped) == (2, 2, 1)
    assert sorted(made.arrow()["c0"].to_pylist()) == [1, 9]


def test_look_ups() -> None:
    source = Category(["a", "b", "c"])
    for values in (["x", "y"], [f"v{i}" for i in range(30)]):
        target = Category(values, lookup=Lookup("s", {"a": values[1], "b": values[1]}))
        made = make(
            Schema({"t": Table("row", {"l": target, "s": source})}), pa.table({"s": ["a", "b", "c", "z", None]})
        )
        assert made.arrow()["c0"].to_pylist() == [1, 1, *[len(values)] * 3]
        assert made.report.columns["l"].null == 3
    wide = Category([f"v{i}" for i in range(30)])
    target = Category(["x", "y"], nullable=False, lookup=Lookup("s", {f"v{i}": "xy"[i % 2] for i in range(30)}))
    made = make(Schema({"t": Table("row", {"s": wide, "l": target})}), pa.table({"s": ["v0", "v29", "no", None]}))
    assert made.arrow()[made.columns["l"]].to_pylist() == [0, 1]
    assert made.report.rows_dropped == 2


PEOPLE = Schema(
    {
        "stays": Table(Unit("pid", max_rows=3), {"pid": Identifier(), "v": Integer(0, 9)}, person_table="people"),
        "people": Table(
            Unit("who", max_rows=1),
            {"who": Identifier(), "sex": Category(["F", "M"], nullable=False), "born": Integer(1900, 2020)},
        ),
    }
)


def test_a_person_table_attaches_its_columns() -> None:
    stays = pd.DataFrame({"pid": [1, 1, 2, 3], "v": [1, 2, 3, 4]})
    people = pd.DataFrame(
        {"who": ["1", "2", "2 ", "9", None, "3"], "sex": ["F", "M", "F", "F", "F", "?"], "born": 1950}
    )
    made = make(PEOPLE, {"stays": stays, "people": people}, "stays")
    assert dict(made.columns) == {"born": "c0", "sex": "c1", "v": "c2"}, "by name"
    rows = sorted(tuple(row.values())[2:] for row in made.arrow().to_pylist())
    assert rows == [(50, 0, 1), (50, 0, 2), (50, 1, 3), (121, 2, 4)]
    assert made.report.people_unattached == 1
    assert made.report.columns["sex"].dropped == 1


def test_several_rows_for_a_person_in_the_person_table() -> None:
    stays = pd.DataFrame({"pid": [f"p{i}" for i in range(400)], "v": 1})
    people = pd.DataFrame(
        {"who": np.repeat(stays["pid"], 3), "sex": ["F", "M", "M"] * 400, "born": [1901, 1902, 1902] * 400}
    )
    made = make(PEOPLE, {"stays": stays, "people": people}, "stays")
    sex, born = made.columns["sex"], made.columns["born"]
    pairs = list(zip(made.arrow()[sex].to_pylist(), made.arrow()[born].to_pylist(), strict=True))
    assert set(pairs) == {(0, 1), (1, 2)}, "one row as a whole, never a mix of two"
    assert len(pairs) == 400 and 190 < pairs.count((1, 2)) < 340  # 2/3 of 400; outside by chance: less than 1e-8
    again = make(PEOPLE, {"stays": stays[::-1], "people": people[::-1]}, "stays")
    assert sorted(pairs) == sorted(zip(again.arrow()[sex].to_pylist(), again.arrow()[born].to_pylist(), strict=True))


def test_the_row_of_a_person_that_counts_is_the_same_one_everywhere(tmp_path: Path) -> None:
    """In the person table's own queries, and wherever its columns are attached, whatever the keys of either."""
    stays = pd.DataFrame({"pid": [f"p{i}" for i in range(60)], "v": 1})
    # two rows a person, each with a year of its own; the schema does not list columns by name, and sorting does
    people = pd.DataFrame(
        {"who": np.repeat(stays["pid"], 2), "sex": ["F", "M"] * 60, "born": [1900 + i for i in range(120)]}
    )
    data = {"stays": stays, "people": people}
    several: list[dict[str, Any]] = [{}, {"key": 3}, {"key": None, "folder": tmp_path / "s"}]
    years = []
    for more in several:
        for table in ("people", "stays"):
            made = make(PEOPLE, data, table, **more)
            years.append(sorted(made.arrow()[made.columns["born"]].to_pylist()))
    assert years[0] == [year for year in years[0] if year < 120] and len(set(years[0])) == 60
    assert all(other == years[0] for other in years)  # by chance 2^-60 each
    session = pets.Session(
        replace(PEOPLE, dataset="d"), data, budget=pets.Budget(epsilon=1), policy=pets.Policy(allow_unbounded=True)
    )
    by_year = [
        session.release(pets.query(table).group_by("born").agg(n=pets.count()), pets.Total()).table
        for table in ("people", "stays")
    ]
    assert by_year[0]["n"].tolist()[:120] == by_year[1]["n"].tolist()[:120]


def test_the_custodian_is_told_how_many_people_disagree() -> None:
    stays = pd.DataFrame({"pid": ["a", "b", "c"], "v": 1})
    people = pd.DataFrame(
        {
            "who": ["a", "a", "b", "b", "c", "d", "d", None, None],
            "sex": ["F", "M", "F", "F", "F", "F", "F", "F", "M"],
            "born": [1950, 1950, 1951, 1951, 1952, 1953, 1954, 1950, 1951],
        }
    )
    for table in ("stays", "people"):
        report = make(PEOPLE, {"stays": stays, "people": people}, table).report
        assert report.people_disagreeing == 2, "a by sex, d by year; b's rows are the same"
        assert re.search(r"people whose rows in it disagree: +2\n", str(report))
        assert Report.from_json(report.to_json()) == report
    earlier = report.to_json()
    del earlier["people_disagreeing"]
    assert Report.from_json(earlier).people_disagreeing == 0
    several = Schema({"t": Table(Unit("id", max_rows=2), {"id": Identifier(), "v": Integer(0, 9)})})
    assert make(several, pd.DataFrame({"id": [1, 1], "v": [1, 2]})).report.people_disagreeing == 0


def test_unit_row() -> None:
    made = make(one(Integer(0, 9)), pa.table({"x": [3, 1, 3]}))
    assert made.arrow().to_pydict() == {"rank": [1, 1, 1], "person": [0, 1, 2], "c0": [3, 1, 3]}
    assert (made.report.people, made.report.kept_per_k) == (3, (3,))


def test_a_table_of_ids_alone() -> None:
    schema = Schema({"t": Table(Unit("id", max_rows=2), {"id": Identifier()})})
    made = make(schema, pd.DataFrame({"id": [1, 1, 1, 2]}))
    assert made.arrow()["rank"].to_pylist() == [1, 1, 2]
    assert made.ensure_wide()


@pytest.mark.parametrize("source", [pa.table({"id": pa.array([], pa.string()), "v": pa.array([], pa.int64())}),
                                    pa.table({"id": pa.nulls(3), "v": pa.nulls(3)})])  # fmt: skip
def test_no_rows(source: pa.Table, tmp_path: Path) -> None:
    schema = Schema({"t": Table(Unit("id", max_rows=2), {"id": Identifier(), "v": Integer(0, 9)})})
    for folder in (None, tmp_path / "s"):
        made = make(schema, source, folder=folder)
        assert made.arrow().num_rows == 0 and made.report.kept_per_k == (0, 0)
        assert made.ensure_wide() and made.connection().table(made.wide).count().execute() == 0


def test_too_many_people_are_refused() -> None:
    for unit, columns in ((Unit("id", max_rows=2), {"id": Identifier()}), ("row", {"id": Integer(0, 9)})):
        schema = Schema({"t": Table(unit, columns, people=2)})
        assert make(schema, pd.DataFrame({"id": [1, 2]})).report.people == 2
        with pytest.raises(DataError, match=r"more people than its schema's 'people' allows \(2\); raise 'people'"):
            make(schema, pd.DataFrame({"id": [1, 2, 3]}))


def test_missing_data_is_named() -> None:
    with pytest.raises(DataError, match="no data was given for table 'people'; there are: stays"):
        make(PEOPLE, {"stays": pd.DataFrame({"pid": [1], "v": [1]})}, "stays")
    with pytest.raises(SchemaError, match="did you mean 'stays'"):
        make(PEOPLE, {}, "stay")


# ── the tables that others read ─────────────────────────────────────────────────────────────────────────────────────

EVENTS = Schema(
    {"t": Table(Unit("id", max_rows=3), {"id": Identifier(), "v": Integer(0, 99), "w": Category(["x", "y"])})}
)


def events(people: int = 200, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"id": rng.integers(0, people, people * 3), "v": rng.integers(-5, 120, people * 3),
                         "w": rng.choice(["x", "y", ""], people * 3)})  # fmt: skip


def test_wide_has_one_row_per_person_and_no_id(tmp_path: Path) -> None:
    for folder in (None, tmp_path / "s"):
        made = make(EVENTS, events(), folder=folder)
        assert made.ensure_wide() and made.ensure_wide()
        backend = made.connection()
        wide, snap = backend.table(made.wide).execute(), backend.table(made.relation).execute()
        assert list(wide.columns) == ["n", "c0_1", "c0_2", "c0_3", "c1_1", "c1_2", "c1_3"]
        assert sorted(wide["n"]) == sorted(snap.groupby("person").size())
        for k in (1, 2, 3):
            of_rank = snap[snap["rank"] == k]
            held = wide[wide["n"] >= k]
            assert sorted(zip(held[f"c0_{k}"], held[f"c1_{k}"], strict=True)) == sorted(
                zip(of_rank["c0"], of_rank["c1"], strict=True)
            )
            assert wide[wide["n"] < k][f"c0_{k}"].isna().all()


def test_wide_is_only_for_few_rows_per_person() -> None:
    for max_rows, expected in ((1, False), (2, True), (8, True), (9, False)):
        schema = Schema({"t": Table(Unit("id", max_rows=max_rows), dict(EVENTS.tables["t"].columns))})
        assert make(schema, events(20)).ensure_wide() is expected


def test_snap_has_ranks_without_null_in_order(tmp_path: Path) -> None:
    stored, held = make(EVENTS, events(), folder=tmp_path / "s"), make(EVENTS, events())
    assert stored.arrow().column_names == held.arrow().column_names == ["rank", "person", "c0", "c1"]
    for made in (stored, held, Snapshot.open(EVENTS, "t", tmp_path / "s")):
        table = made.arrow()
        assert [str(kind) for kind in table.schema.types] == ["uint8"] * 4
        assert table["rank"].to_pylist() == sorted(table["rank"].to_pylist())
        assert all(column.null_count == 0 for column in table.columns)
        assert made.connection().table(made.relation).count().execute() == table.num_rows == made.report.rows_kept
        assert sorted(map(str, table.drop("person").to_pylist())) == sorted(
            map(str, held.arrow().drop("person").to_pylist())
        )


def test_many_ranks_need_a_wider_type() -> None:
    schema = Schema({"t": Table(Unit("id", max_rows=300), {"id": Identifier(), "v": Integer(0, 9)})})
    made = make(schema, pd.DataFrame({"id": ["a"] * 400, "v": [1] * 400}))
    assert made.arrow()["rank"].to_pylist() == list(range(1, 301))
    assert str(made.arrow()["rank"].type) == "uint16"
    assert made.report.kept_per_k[99] == 100


# ── what a snapshot must never do ───────────────────────────────────────────────────────────────────────────────────


def test_nothing_of_the_rows_is_shown_or_pickled() -> None:
    made = make(EVENTS, events())
    assert repr(made) == f"Snapshot(table='t', id={made.id!r})"
    assert not any(character.isdigit() for character in repr(made.report))
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="never pickled"):
            attempt(made)


def test_the_id_is_random_and_the_content_is_not(tmp_path: Path) -> None:
    first, second = make(EVENTS, events()), make(EVENTS, events())
    assert first.id != second.id and len(first.id) == 32


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    home = tmp_path / "temporary"
    home.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(home))
    yield home


def test_temporary_files_are_private_and_go_away(temporary: Path) -> None:
    made = make(EVENTS, events())
    (scratch,) = temporary.iterdir()
    assert stat.S_IMODE(scratch.stat().st_mode) == 0o700
    del made
    assert list(temporary.iterdir()) == []
    with pytest.raises(DataError):
        make(EVENTS, pd.DataFrame({"id": [1]}))
    assert list(temporary.iterdir()) == []


def test_a_backend_outlives_its_snapshot(temporary: Path) -> None:
    made = make(EVENTS, events())
    backend, relation = made.connection(), made.relation
    del made
    assert backend.table(relation).count().execute() > 0


def test_more_data_than_memory(temporary: Path) -> None:
    rng = np.random.default_rng(1)
    rows = 2_000_000
    ids = pa.array(np.char.zfill(rng.integers(0, rows // 3, rows).astype("U10"), 64))
    table = pa.table(
        {"id": ids, "v": rng.integers(0, 100, rows), "w": pa.array(["x", "y"]).take(pa.array(rng.integers(0, 2, rows)))}
    )
    made = make(EVENTS, table, limits=Limits(memory="150MB", threads=1))
    assert made.report.rows_read == rows and made.report.kept_per_k[0] == made.report.people
    with pytest.raises(UserError, match="memory 'lots' is not a size; write it like '4GB'"):
        make(EVENTS, events(), limits=Limits(memory="lots"))


def test_progress_is_shown_only_for_what_takes_longer_than_a_second(capfd: pytest.CaptureFixture[str]) -> None:
    make(EVENTS, events(), progress=True)
    assert capfd.readouterr() == ("", "")

    def slowly() -> Iterator[pa.RecordBatch]:
        for batch in pa.Table.from_pandas(events(), preserve_index=False).to_batches(max_chunksize=100):
            time.sleep(0.3)
            yield batch

    schema = pa.Table.from_pandas(events(), preserve_index=False).schema
    for shown in (True, False):
        make(EVENTS, pa.RecordBatchReader.from_batches(schema, slowly()), progress=shown)
        out, err = capfd.readouterr()
        assert out == "" and ("snapshot of t: reading" in err) is shown


# ── the stored folder ───────────────────────────────────────────────────────────────────────────────────────────────


def everything(folder: Path) -> dict[str, bytes]:
    """All files of a folder, however deep."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def test_the_folder_is_the_owners_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        made = make(EVENTS, events(), folder=tmp_path / "deep" / "s")
    finally:
        os.umask(old)
    assert made.folder == tmp_path / "deep" / "s"
    assert stat.S_IMODE(made.folder.stat().st_mode) == 0o700
    assert modes(made.folder) == {f"t.{end}": 0o600 for end in ("key", "json", "report.txt")} | {"t.parquet": 0o700}
    assert set(modes(made.folder / "t.parquet").values()) == {0o600}
    manifest = json.loads((made.folder / "t.json").read_text())
    sizes = {path.name: path.stat().st_size for path in (made.folder / "t.parquet").iterdir()}
    assert manifest["id"] == made.id and {part["name"]: part["bytes"] for part in manifest["parts"]} == sizes


def test_a_folder_open_to_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir(mode=0o755)
    with pytest.raises(DataError, match="the folder s can be read by others than its owner; run: chmod 700 s"):
        make(EVENTS, events(), folder=tmp_path / "s")
    assert list((tmp_path / "s").iterdir()) == []


def test_an_odd_table_name_and_folder_are_stored(tmp_path: Path) -> None:
    schema = Schema({"../a [*]'": EVENTS.tables["t"]})
    made = make(schema, {"../a [*]'": events()}, "../a [*]'", folder=tmp_path / "x [0-9]*'")
    assert made.connection().table(made.relation).count().execute() == made.report.rows_kept
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x [0-9]*'"]
    assert Snapshot.open(schema, "../a [*]'", tmp_path / "x [0-9]*'").id == made.id


def test_a_refresh_keeps_the_key_and_changes_the_id(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    first = make(EVENTS, events(), folder=folder, key=None)
    kept = sorted(map(str, first.arrow().drop("person").to_pylist()))
    key = (folder / "t.key").read_bytes()
    second = make(EVENTS, events().sample(frac=1, random_state=1), folder=folder, key=None)
    assert second.id != first.id and (folder / "t.key").read_bytes() == key
    assert sorted(map(str, second.arrow().drop("person").to_pylist())) == kept
    assert Snapshot.open(EVENTS, "t", folder).id == second.id
    other = make(EVENTS, events(), folder=tmp_path / "other", key=None)
    assert sorted(map(str, other.arrow().drop("person").to_pylist())) != kept, "each folder has a key of its own"


@pytest.mark.parametrize("opened", [True, False])
def test_a_question_that_began_before_a_refresh_ends_on_its_own_rows(tmp_path: Path, opened: bool) -> None:
    """They are there as long as somebody asks them, and never those of the next snapshot under the old id."""
    folder = tmp_path / "s"
    first = make(EVENTS, events(), folder=folder, key=None)
    rows = sorted(map(str, first.arrow().to_pylist()))
    if opened:
        first.connection()
    second = make(EVENTS, events().head(3), folder=folder, key=None)
    assert not first.current and second.current
    for snapshot, count in ((first, len(rows)), (second, second.report.rows_kept)):
        assert snapshot.connection().table(snapshot.relation).count().execute() == count
        assert snapshot.connection().table(snapshot.relation).count().execute() == snapshot.arrow().num_rows
    assert sorted(map(str, first.arrow().to_pylist())) == rows and second.report.rows_kept < len(rows)
    shutil.rmtree(folder)
    assert first.arrow().num_rows == len(rows) and not second.current


def test_where_files_cannot_be_held_one_that_was_replaced_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pets.common.pinned.DESCRIPTORS", tmp_path / "none")
    folder = tmp_path / "s"
    first = make(EVENTS, events(), folder=folder, key=None)
    first.connection()
    assert first.arrow().num_rows == first.report.rows_kept
    make(EVENTS, events(), folder=folder, key=None)
    for attempt in (first.arrow, first.connection):
        with pytest.raises(DataError, match="was refreshed or removed; open it again"):
            attempt()


def test_a_refresh_while_a_snapshot_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The id of the old one never stands for the files of the new one."""
    folder = tmp_path / "s"
    old = make(EVENTS, events(), folder=folder)
    rows, read, made = sorted(map(str, old.arrow().to_pylist())), Store.read, []

    def refreshed(store: Store) -> Any:
        found = read(store)
        if not made:
            made.append(make(EVENTS, events(seed=2), folder=folder))
        return found

    monkeypatch.setattr(Store, "read", refreshed)
    found = Snapshot.open(EVENTS, "t", folder)
    assert (found.id, found.current) == (old.id, False)
    assert sorted(map(str, found.arrow().to_pylist())) == rows
    assert (Snapshot.open(EVENTS, "t", folder).id, made[0].current) == (made[0].id, True)


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("name", ["a part", "t.json", "t.key"])
def test_open_refuses_what_was_changed(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "s"
    made = make(EVENTS, events(), folder=folder)
    name = f"t.parquet/{made.id}-00000.parquet" if name == "a part" else name
    path, name = folder / name, Path(name).name
    whole, size = path.read_bytes(), path.stat().st_size
    for at in (0, size // 3, size // 2, size - 2):
        flip(path, at)
        if name == "t.key" and json_of(path) == json_of_bytes(whole):
            continue
        with pytest.raises(DataError, match=r"changed or is incomplete|is damaged|another version|another schema"):
            Snapshot.open(EVENTS, "t", folder)
        path.write_bytes(whole)
    path.write_bytes(whole[:-1])
    with pytest.raises(DataError):
        Snapshot.open(EVENTS, "t", folder)
    path.write_bytes(whole)
    path.chmod(0o640)
    with pytest.raises(DataError, match=f"{name} can be read by others than its owner; run: chmod 600 {name}"):
        Snapshot.open(EVENTS, "t", folder)
    path.unlink()
    lost = "was changed or is incomplete" if "-" in name else f"there is no snapshot .* here: .*{name} is missing"
    with pytest.raises(DataError, match=lost):
        Snapshot.open(EVENTS, "t", folder)


def json_of(path: Path) -> Any:
    return json_of_bytes(path.read_bytes())


def json_of_bytes(data: bytes) -> Any:
    try:
        held = json.loads(data)
        return int(held["rank"], 16), bytes.fromhex(held["seal"])
    except (ValueError, KeyError):
        return data


def test_open_refuses_a_foreign_snapshot(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    make(EVENTS, events(), folder=folder)
    changed = Schema({"t": Table(Unit("id", max_rows=2), dict(EVENTS.tables["t"].columns))})
    with pytest.raises(DataError, match="was made for another schema; make it again"):
        Snapshot.open(changed, "t", folder)
    with pytest.raises(SchemaError):
        Snapshot.open(EVENTS, "u", folder)
    both = Schema({"t": EVENTS.tables["t"], "u": EVENTS.tables["t"]})
    for table in ("t", "u"):
        make(both, {table: events(seed=len(table))}, table, folder=tmp_path / "b")
    for end in ("json", "key"):
        (tmp_path / "b" / f"u.{end}").write_bytes((tmp_path / "b" / f"t.{end}").read_bytes())
    shutil.rmtree(tmp_path / "b" / "u.parquet")
    shutil.copytree(tmp_path / "b" / "t.parquet", tmp_path / "b" / "u.parquet")
    with pytest.raises(DataError, match="changed or is incomplete"):
        Snapshot.open(both, "u", tmp_path / "b")


def test_a_snapshot_without_a_rank_is_not_opened_by_a_schema_with_it(tmp_path: Path) -> None:
    """It would hold no column for the rank within weeks, or another one in its place."""
    columns = {"id": pets.Identifier(), "day": pets.Date("2024-01-01", "2024-12-31", nullable=False)}
    kept: list[tuple[tuple[str, ...], ...]] = [(), (("day.week",),), (("day.period.month",),), (("day",),)]
    schemas = [
        pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=4, rank_within=ranks), columns)}) for ranks in kept
    ]
    rows = pa.table({"id": ["a", "a", "b"], "day": ["2024-03-01", "2024-03-02", "2024-05-01"]})
    for made in schemas:
        Snapshot.make(made, "t", {"t": rows}, folder=tmp_path, progress=False)
        assert Snapshot.open(made, "t", tmp_path).report.rows_kept == 3
        for other in schemas:
            if other is not made:
                with pytest.raises(DataError, match="was made for another schema; make it again"):
                    Snapshot.open(other, "t", tmp_path)


def test_no_folder_no_snapshot(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"there is no snapshot of table .t. here: the folder none is missing; make it first"
    ):
        Snapshot.open(EVENTS, "t", tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("stop", [KeyboardInterrupt, DataError("no"), SystemExit])
@pytest.mark.parametrize("step", ["reading", "ranking", "storing", "counting rows kept"])
def test_a_making_that_is_cut_off_leaves_the_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: Any, step: str
) -> None:
    folder = tmp_path / "s"
    first = make(EVENTS, events(), folder=folder)
    before = everything(folder)

    def cut(self: Any, doing: str) -> None:
        if doing.startswith(step):
            raise stop

    monkeypatch.setattr(module.Progress, "step", cut)
    with pytest.raises(stop if isinstance(stop, type) else type(stop)):
        make(EVENTS, events(seed=2), folder=folder)
    assert everything(folder) == before
    assert Snapshot.open(EVENTS, "t", folder).id == first.id
    assert first.arrow().num_rows == first.report.rows_kept


def test_ctrl_c_stops_the_making(tmp_path: Path, temporary: Path) -> None:
    rows, given = pa.Table.from_pandas(events(), preserve_index=False), []

    def endless() -> Iterator[pa.RecordBatch]:
        for _ in range(6000):  # ten minutes, were it not for the signal
            time.sleep(0.1)
            given.append(1)
            yield from rows.to_batches()

    folder = tmp_path / "s"
    first = make(EVENTS, events(), folder=folder)
    timer = threading.Timer(0.7, os.kill, (os.getpid(), signal.SIGINT))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets background jobs ignore it
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            make(EVENTS, pa.RecordBatchReader.from_batches(rows.schema, endless()), folder=folder)
    finally:
        timer.join()
        signal.signal(signal.SIGINT, before)
    assert len(given) < 6000, "it read to the end"
    assert list(temporary.iterdir()) == []
    assert sorted(path.name for path in folder.iterdir()) == ["t.json", "t.key", "t.parquet", "t.report.txt"]
    assert Snapshot.open(EVENTS, "t", folder).id == first.id


def test_leftovers_of_a_killed_making_are_swept(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    folder.mkdir(mode=0o700)
    (folder / ".pets-dead").mkdir()
    (folder / ".pets-dead" / "spill").write_text("rows")
    make(EVENTS, events(), folder=folder)
    assert sorted(path.name for path in folder.iterdir()) == ["t.json", "t.key", "t.parquet", "t.report.txt"]


# ── the report ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_report_is_for_the_custodian_and_round_trips() -> None:
    report = make(EVENTS, events()).report
    assert str(report).startswith(WARNING) and WARNING in report._repr_html_()
    assert Report.from_json(json.loads(json.dumps(report.to_json()))) == report
    cuts = report.cuts()
    assert list(cuts.columns) == ["K", "rows kept", "share kept"]
    assert list(cuts["K"]) == [1, 2, 3] and cuts["rows kept"].iloc[0] == report.people
    assert cuts["share kept"].iloc[2] == report.rows_kept / report.rows_valid
    assert list(report.table()["column"]) == ["v", "w"]
    with pytest.raises(DataError, match="make the snapshot again"):
        Report.from_json({"columns": {}})


def test_a_real_table() -> None:
    path = next(iter(sorted((DATA / "diabetes130").rglob("diabetic_data.csv*"))), None) if DATA.is_dir() else None
    if path is None:
        pytest.skip("the diabetes130 data set is not beside the checkout")
    ages = [f"[{a}-{a + 10})" for a in range(0, 100, 10)]
    schema = Schema(
        {
            "stays": Table(
                Unit("patient_nbr", max_rows=40, rows=3),
                {
                    "patient_nbr": Identifier(),
                    "age": Category(ages, nullable=False),
                    "gender": Category(["Female", "Male"], null=["Unknown/Invalid"]),
                    "time_in_hospital": Integer(1, 14),
                },
            )
        }
    )
    made = make(schema, path, "stays")
    report = made.report
    assert (report.rows_read, report.rows_without_person, report.rows_dropped) == (101_766, 0, 0)
    assert report.people == 71_518 == report.kept_per_k[0]
    assert report.columns["time_in_hospital"].clamped == 0
    assert report.columns["gender"].null == 3
    frame = made.connection().table(made.relation).execute()
    assert frame["c2"].sum() + len(frame) == pd.read_csv(path, usecols=["time_in_hospital"])["time_in_hospital"].sum()
