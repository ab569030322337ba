"""What a cell means, in one table: the same in CSV, Parquet, pandas, polars, Arrow, SQLite and PostgreSQL."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from pets.rows.snapshot import Snapshot
from pets.schema.schema import (
    Boolean,
    Category,
    Date,
    DateTime,
    Domain,
    Identifier,
    Integer,
    Real,
    Schema,
    Table,
    Time,
    Unit,
)
from tests.ledgers import Server

Means = list[tuple[Any, Any]]
"""A cell, and the value that it means (``None``: none)."""

UK = Date("1930-01-01", "2029-12-31", format=["dd/mm/yyyy hh:mm", "dd/mm/yyyy"], null=["01/01/1930"])
BORN = Date("1925-06-01", "2024-05-31", format="dd-Mon-yy")
DAYS = Date("2020-01-01", "2022-12-31", format="yyyymmdd")
LONG = Date("2020-01-01", "2022-12-31", format=["%d %B %Y", "%d.%m.%Y", "%m/%d/%Y %I:%M %p", "%Y%m%dT%H%M%S%z"])
BERLIN = Date("2020-01-01", "2022-12-31", tz="Europe/Berlin")
SEEN = DateTime("2020-01-01 00:00", "2022-12-31 23:59", null=["2021-05-05 05:05"])
HOURS = DateTime("2020-01-01", "2022-12-31 23:00", "hour", format=["dd/mm/yyyy hh:mm", "%d.%m.%y"], tz="Europe/Berlin")
SECONDS = DateTime("1969-12-31 00:00", "1970-01-01 23:59:59", "second")
CLOCK = Time(null=["03:00"])
SHIFT = Time("08:00", "17:30", format="hhmm", null=["0900"])
TICKS = Time("00:00", "12:00:30", "second", format="hhmmss")
EURO = Real(0, 10_000_000, "0.01", decimal=",", thousands=".", suffix=["€", "EUR"])
POUND = Real(-5000, 5000, "0.01", thousands=",", prefix="£")
SWISS = Integer(0, 10_000_000, thousands="'", suffix="Fr.")
HUGE = Real(0, "9e16", "0.1")
SEX = Category(["Female", "Male"], trim=True, case="fold", map={"f": "Female", "2": "Female", "männlich": "Male"})
CODE = Category(["01", "1", "I21"], trim=True)

d, t = dt.date, dt.datetime
TEXTS: list[tuple[Domain, Means]] = [
    (UK, [
        ("31/05/2021", d(2021, 5, 31)), ("1/4/2021", d(2021, 4, 1)), ("01/04/2021 00:00", d(2021, 4, 1)),
        ("01/04/2021 23:59", d(2021, 4, 1)), ("2021-05-31", d(2021, 5, 31)), ("05/31/2021", None), ("31/05/21", None),
        ("29/02/2021", None), ("29/02/2020", d(2020, 2, 29)), ("01/01/1930", None), ("31-05-2021", None),
        ("01/04/2021 24:01", None), ("01/04/2021 24:00", d(2021, 4, 2)), ("2021-04-30 24:00", d(2021, 5, 1)),
        ("31/12/2029 24:00", None), ("2021-04-01 24:00:01", None),
        (" 31/05/2021 ", d(2021, 5, 31)), ("31/05/2021x", None), ("infinity", None),
    ]),
    (BORN, [
        ("18-May-14", d(2014, 5, 18)), ("18-MAY-45", d(1945, 5, 18)), ("1-jun-25", d(1925, 6, 1)),
        ("31-May-24", d(2024, 5, 31)), ("01-Jun-24", None), ("18-Mai-14", None), ("18-May-2014", None),
        ("29-Feb-00", d(2000, 2, 29)),
    ]),
    (Date("1800-01-01", "1899-12-31", format="dd-Mon-yy"), [
        ("18-May-14", d(1814, 5, 18)), ("18-May-70", d(1870, 5, 18)), ("29-Feb-00", None),
    ]),
    (Date("2101-01-01", "2199-12-31", format="dd-Mon-yy"), [
        ("18-May-68", d(2168, 5, 18)), ("18-May-70", d(2170, 5, 18)), ("1-May-00", None),
    ]),
    (Date("2020-01-01", "2022-12-31", format=["%d %B %Y", "%d %b %Y"]), [
        ("31 December 2021", d(2021, 12, 31)), ("31 Dec 2021", d(2021, 12, 31)), ("3 May 2021", d(2021, 5, 3)),
    ]),
    (Date("2020-01-01", "2022-12-31", format=["%Y%j", "%j/%y"]), [
        ("2021001", d(2021, 1, 1)), ("2020366", d(2020, 12, 31)), ("2021366", None), ("366/20", d(2020, 12, 31)),
        ("366/21", None), ("2021000", None),
    ]),
    (Date("1890-01-01", "1989-12-31", format=["%y%j", "%j/%y %H:%M"]), [
        ("00060", d(1900, 3, 1)), ("00366", None), ("00365", d(1900, 12, 31)), ("04366", d(1904, 12, 31)),
        ("04060", d(1904, 2, 29)), ("90365", d(1890, 12, 31)), ("366/00 24:00", None),
        ("365/00 24:00", d(1901, 1, 1)), ("060/00 24:00", d(1900, 3, 2)), ("366/04 24:00", d(1905, 1, 1)),
    ]),
    (DateTime("2000-01-01 00:00", "2099-12-31 23:59", format="%y%j %H%M"), [
        ("00060 1030", t(2000, 2, 29, 10, 30)), ("00366 2400", t(2001, 1, 1)), ("99365 2359", t(2099, 12, 31, 23, 59)),
        ("01366 0000", None), ("21001 2401", None), ("21001 2460", None),
    ]),
    (Real(0, 10_000_000, "0.01", decimal=",", thousands="\u00a0", suffix="€", prefix="ca."), [
        ("1\u00a0234,5\u00a0€", 1234.5), ("1\u00a0234,5\u202f€", 1234.5), ("ca.\u00a07", 7), ("7 €", 7),
    ]),
    (DAYS, [
        ("20210531", d(2021, 5, 31)), ("2021053", None), ("202105310", None), ("20211301", None),
        ("19991231", None), ("20210531.0", None), ("00000000", None),
    ]),
    (LONG, [
        ("31 May 2021", d(2021, 5, 31)), ("1  December 2021", d(2021, 12, 1)), ("31.05.2021", d(2021, 5, 31)),
        ("05/31/2021 11:30 pm", d(2021, 5, 31)), ("05/31/2021 13:30 PM", None),
        ("20210531T233000+0100", d(2021, 5, 31)), ("20210531T233000-0100", d(2021, 6, 1)), ("31. May 2021", None),
    ]),
    (BERLIN, [
        ("2021-06-01 22:30:00+00:00", d(2021, 6, 2)), ("2021-06-01T21:59:59Z", d(2021, 6, 1)),
        ("2021-06-01 23:30", d(2021, 6, 1)), ("2021-06-01 18:00:00 America/New_York", d(2021, 6, 2)),
        ("2021-06-01 23:30 -99:00", None), ("2021-06-01 23:30 +16:00", None), ("2021-06-01 23:30 Foo/Bar", None),
        ("2021-06-01 24:00", d(2021, 6, 2)), ("2021-06-01 24:00-05:00", d(2021, 6, 2)),
        ("2021-06-01 24:00:00.0+03:00", d(2021, 6, 1)), ("2021-06-01T24:00:00.1", None),
        ("2021-06-01 12:00+05:30", d(2021, 6, 1)), ("2021-06-01 12:00 GMT", d(2021, 6, 1)),
    ]),
    (SEEN, [
        ("2021-06-01 10:30", t(2021, 6, 1, 10, 30)), ("2021-06-01T10:30:59.9999999", t(2021, 6, 1, 10, 30)),
        ("2021-06-01", t(2021, 6, 1)), (" 2021-06-01 ", t(2021, 6, 1)), ("2021-06-01 10:60", None),
        ("2019-12-31 23:59:59.9999999", None), ("2020-01-01 00:00", t(2020, 1, 1)),
        ("2022-12-31 23:59:59.9999999", t(2022, 12, 31, 23, 59)), ("2023-01-01 00:00", None), ("10:30", None),
        ("2021-06-01 24:00", t(2021, 6, 2)), ("2019-12-31T24:00:00", t(2020, 1, 1)), ("2022-12-31 24:00", None),
        ("2021-06-01 25:00", None), ("2021-06-01 23:59:60", None), ("2021-06-01 24:30", None),
        ("2021-06-01 10:30+02:00", t(2021, 6, 1, 8, 30)), ("2021-06-01T10:30Z", t(2021, 6, 1, 10, 30)),
        ("2021-05-05 05:05", None), ("2021-05-05T05:05:59", None), ("2021-05-05 05:06", t(2021, 5, 5, 5, 6)),
        ("infinity", None), ("epoch", None), ("01/06/2021 10:30", None), ("", None),
    ]),
    (HOURS, [
        ("31/05/2021 23:59", t(2021, 5, 31, 23)), ("31/05/2021 24:00", t(2021, 6, 1)),
        ("31.05.21", t(2021, 5, 31)), ("2021-06-01 00:59", t(2021, 6, 1)),
        ("2021-06-01 22:30:00+00:00", t(2021, 6, 2)), ("2021-12-01 22:30:00Z", t(2021, 12, 1, 23)),
        ("31/12/2022 23:59", t(2022, 12, 31, 23)), ("2022-12-31 23:00:00Z", None), ("31.05.19", None),
    ]),
    (SECONDS, [
        ("1969-12-31 23:59:59.999999999", t(1969, 12, 31, 23, 59, 59)), ("1970-01-01", t(1970, 1, 1)),
        ("1969-12-31 23:59:59.9999999+00:00", t(1969, 12, 31, 23, 59, 59)), ("1970-01-02", None),
    ]),
    (CLOCK, [
        ("08:30", "08:30"), ("8:30", "08:30"), (" 08:30:59.9999999 ", "08:30"), ("00:00", "00:00"), ("24:00", "00:00"),
        ("24:00:00.000", "00:00"), ("24:01", None), ("24:00:00.1", None), ("23:59:59.999999999", "23:59"),
        ("23:59:60", None), ("8:3", None), ("25:00", None), ("12:60", None), ("08:30 PM", None), ("0830", None),
        ("08:30+02:00", "08:30"), ("08:30:00 -0500", "08:30"), ("23:30Z", "23:30"), ("03:00", None), ("3:00:00", None),
        ("03:00:00.5", None), ("03:00:01", "03:00"), ("2021-06-01 08:30", None), ("0 days 08:30:00", None), ("", None),
        ("08:30:00:00", None), ("-08:30", None), ("noon", None),
    ]),
    (SHIFT, [
        ("0800", "08:00"), ("800", "08:00"), ("1730", "17:30"), ("17:30:59", "17:30"), ("1731", None), ("0759", None),
        ("2400", None), ("1260", None), ("08:30", "08:30"), ("08300", None), ("0900", None), ("9:00", None),
        ("900", None), ("8.30", None),
    ]),
    (TICKS, [
        ("1", "00:00:01"), ("120030", "12:00:30"), ("120031", None), ("12:00:30.999", "12:00:30"),
        ("83015", "08:30:15"),
        ("240000", "00:00:00"), ("0083015", None),
    ]),
    (EURO, [
        ("1234,56", 1234.56), ("1.234,56", 1234.56), ("1.234.567,5", 1234567.5), ("1.23", None), ("12.34.567", None),
        ("1234.56", None), ("1.234,56 €", 1234.56), ("12 EUR", 12), ("12 USD", None), ("-3", 0), ("1,5e2", 150),
        ("0.123", None), ("01.234", None), ("000.123,5", None), ("0123", 123), ("100.000,5", 100000.5), ("0.000", None),
        ("0,005", 0.01), ("0,0049999999999999999999999999", 0), (",5", 0.5), ("€", None), ("1,2,3", None),
    ]),
    (POUND, [
        ("£1,204", 1204), ("£ 1,204.50", 1204.5), ("-£1,204", -1204), ("£-1,204", -1204), ("1204", 1204),
        ("£12,04", None), ("$1,204", None), ("1_204", None), ("£1.005", 1.01), ("-0.005", 0), ("-0.0051", -0.01),
        ("£9,999", 5000), ("£0,123", None), ("0.123", 0.12), ("£1,234,5", None), ("£1,000", 1000),
    ]),
    (SWISS, [("1'234'567 Fr.", 1234567), ("1'234", 1234), ("1'23", None), ("12.0", 12), ("0.5", None), ("1e3", 1000)]),
    (HUGE, [
        ("4503599627370497.3", "4503599627370497.3"), ("1e309", 9e16), ("-1e309", 0), ("9" * 310, 9e16),
        ("1e308", 9e16), ("2019_20", None), ("+-5", None),
        ("nan", None), ("inf", None), ("1e-999999", 0), ("0.05", 0.1),
    ]),
    (SEX, [
        (" male ", "Male"), ("FEMALE", "Female"), ("F", "Female"), ("2", "Female"), ("MÄNNLICH", "Male"), ("m", None),
        ("  ", None), ("", None),
    ]),
    (CODE, [("01 ", "01"), ("1", "1"), ("I21  ", "I21"), ("i21", None), ("0 1", None)]),
    (Integer(0, 100, round="floor"), [("0.5", 0), ("3.999999999999999999999", 3), ("-0.5", 0), ("100.9", 100)]),
    (Integer(0, 100, round="ceil"), [("0.5", 1), ("3.000000000000000000001", 4), ("99.5", 100), ("7", 7)]),
    (Integer(0, 100, round="nearest"), [("0.5", 1), ("2.5", 3), ("2.4999999999999999999", 2), ("1e2", 100)]),
    (Integer(0, 100), [("0.5", None), ("3.0", 3), ("3.000000000000000000001", None), ("1e400", 100)]),
    (Boolean(), [
        ("Yes", True), ("0", False), ("2", None), ("1.0", True), ("0.0", False), ("1.000", True), ("1.", None),
        ("10", None), ("01", None), ("-0", None), ("0.5", None), (" no ", False), ("T", True), ("ja", None),
    ]),
    (Boolean(null=["0.0"]), [("0.0", None), ("0", False), ("1.0", True)]),
]  # fmt: skip

UTC = dt.UTC
WEST = dt.timezone(dt.timedelta(hours=-5))
TYPED: list[tuple[Domain, Means]] = [
    (UK, [(d(2021, 5, 31), d(2021, 5, 31)), (d(1930, 1, 1), None), (d(1900, 1, 1), None)]),
    (UK, [(dt.datetime(2021, 5, 31, 23, 59), d(2021, 5, 31))]),
    (BERLIN, [(dt.datetime(2021, 6, 1, 22, 30, tzinfo=UTC), d(2021, 6, 2)),
              (dt.datetime(2021, 6, 1, 17, 30, tzinfo=WEST), d(2021, 6, 2))]),
    (SEEN, [(t(2021, 6, 1, 10, 30, 59, 999999), t(2021, 6, 1, 10, 30)), (t(2019, 12, 31, 23, 59, 59, 999999), None),
            (t(2022, 12, 31, 23, 59, 59, 999999), t(2022, 12, 31, 23, 59)), (t(2021, 5, 5, 5, 5, 7), None)]),
    (SEEN, [(d(2021, 6, 1), t(2021, 6, 1)), (d(2023, 1, 1), None)]),
    (HOURS, [(t(2021, 6, 1, 22, 30, tzinfo=UTC), t(2021, 6, 2)), (t(2021, 6, 1, 17, 30, tzinfo=WEST), t(2021, 6, 2)),
             (t(2021, 12, 1, 22, 30, tzinfo=UTC), t(2021, 12, 1, 23))]),
    (DAYS, [(20210531, d(2021, 5, 31)), (2021053, None)]),
    (CLOCK, [(dt.time(8, 30, 59, 999999), "08:30"), (dt.time(), "00:00"), (dt.time(3), None),
             (dt.time(3, 0, 1), "03:00"), (dt.time(23, 59, 59, 999999), "23:59")]),
    (SHIFT, [(dt.time(8), "08:00"), (dt.time(7, 59, 59, 999999), None), (dt.time(9), None)]),
    (SHIFT, [(800, "08:00"), (1730, "17:30"), (1260, None), (30, None)]),
    (EURO, [(1234.5, 1234.5), (1.005, 1.0), (2.675, 2.67), (0.125, 0.13)]),
    (EURO, [(Decimal("1234.50"), 1234.5), (Decimal("1.005"), 1.01), (Decimal("2.675"), 2.68)]),
    (EURO, [(1234, 1234), (-1, 0)]),
    (Real(0, 10, "0.1"), [(0.25, 0.3), (0.35, 0.3), (0.45, 0.5), (10.05, 10)]),
    (Integer(0, 100, round="nearest"), [(0.49999999999999994, 0), (0.5, 1), (2.5, 3)]),
    (Integer(0, 2**60), [(2**60 - 1, 2**60 - 1), (2**53 + 1, 2**53 + 1)]),
    (SEX, [(2, "Female"), (1, None)]),
    (Category(["1", "2.5"], map={"9.0": "1"}), [(9.0, "1"), (2.5, "2.5"), (1.0, "1"), (3.0, None)]),
    (Boolean(), [(True, True), (False, False)]),
    (Boolean(), [(1, True), (0, False), (2, None)]),
    (Boolean(), [(1.0, True), (0.0, False), (0.5, None)]),
]  # fmt: skip

assert sum(len(means) for _, means in TEXTS) >= 200 and sum(len(means) for _, means in TYPED) >= 40


def written(frame: pa.Table, folder: Path) -> dict[str, Callable[[], Any]]:
    """The same cells in every kind of file and memory that needs no server."""

    def parquet() -> str:
        pa.parquet.write_table(frame, folder / "cells.parquet")
        return str(folder / "cells.parquet")

    def sqlite() -> str:
        with sqlite3.connect(folder / "cells.db") as con:
            names = ", ".join(frame.column_names)
            con.execute(f"CREATE TABLE cells ({names})")
            rows = zip(*frame.to_pydict().values(), strict=True)
            con.executemany(f"INSERT INTO cells VALUES ({', '.join('?' * frame.num_columns)})", rows)
        con.close()
        return f"sqlite:///{folder / 'cells.db'}"

    def objects() -> pd.DataFrame:
        held = {}
        for name, values in frame.to_pydict().items():
            held[name] = pd.Series([*values, None], dtype=object)[:-1]
        return pd.DataFrame(held)

    return {
        "parquet": parquet,
        "pandas": lambda: frame.to_pandas(integer_object_nulls=True),
        "pandas of objects": objects,
        "polars": lambda: pl.from_arrow(frame),
        "arrow": lambda: frame,
        "sqlite": sqlite,
    }


def postgres(server: Server, frame: pa.Table, name: str) -> str:
    import psycopg

    kinds = {
        "int64": "bigint",
        "string": "text",
        "double": "double precision",
        "bool": "boolean",
        "date32[day]": "date",
        "timestamp[us]": "timestamp",
        "time64[us]": "time",
        "timestamp[us, tz=UTC]": "timestamptz",
    }
    server.execute(f"CREATE DATABASE {name}")
    address = server.server.get_uri(database=name)
    with psycopg.connect(address) as con, con.cursor() as cursor:
        columns = ", ".join(f"{f.name} {kinds.get(str(f.type), 'numeric')}" for f in frame.schema)
        cursor.execute(f"CREATE TABLE cells ({columns})")
        slots = ", ".join(["%s"] * frame.num_columns)
        cursor.executemany(f"INSERT INTO cells VALUES ({slots})", list(zip(*frame.to_pydict().values(), strict=True)))
    return str(address)


def schema_of(table: list[tuple[Domain, Means]]) -> Schema:
    columns: dict[str, Domain] = {"n": Integer(0, 10**6), "id": Identifier()}
    columns |= {f"c{index}": domain for index, (domain, _) in enumerate(table)}
    return Schema({"cells": Table(Unit("id", max_rows=1), columns)})


def frame_of(table: list[tuple[Domain, Means]], kinds: list[pa.DataType | None]) -> pa.Table:
    rows = max(len(means) for _, means in table)
    held: dict[str, Any] = {"n": list(range(rows)), "id": [f"p{index}" for index in range(rows)]}
    for index, ((_, means), kind) in enumerate(zip(table, kinds, strict=True)):
        held[f"c{index}"] = pa.array([cell for cell, _ in means] + [None] * (rows - len(means)), kind)
    return pa.table(held)


def wrong(table: list[tuple[Domain, Means]], source: Any) -> list[tuple[str, Any, Any, Any]]:
    """The cells that a source reads as something else."""
    schema = schema_of(table)
    made = Snapshot.make(schema, "cells", {"cells": source}, key=1, progress=False)
    rows = sorted(made.arrow().to_pylist(), key=lambda row: row[made.columns["n"]])
    found = []
    for index, (domain, means) in enumerate(table):
        for (cell, value), row in zip(means, rows, strict=False):
            code = row[made.columns[f"c{index}"]]
            wanted = domain.cells if value is None else domain.encode(value)
            if code != wanted:
                found.append((domain.describe(), cell, value, domain.decode(code)))
    return found


def test_texts_mean_the_same_everywhere(tmp_path: Path, server: Server) -> None:
    frame = frame_of(TEXTS, [pa.string()] * len(TEXTS))
    pa.csv.write_csv(frame, tmp_path / "cells.csv")
    sources = {"csv": lambda: str(tmp_path / "cells.csv"), **written(frame, tmp_path)}
    sources["postgresql"] = lambda: postgres(server, frame, "texts")
    assert {name: bad for name, source in sources.items() if (bad := wrong(TEXTS, source()))} == {}


def test_typed_values_mean_the_same_everywhere(tmp_path: Path, server: Server) -> None:
    kinds: list[pa.DataType | None] = [
        pa.timestamp("us", "UTC") if isinstance(means[0][0], dt.datetime) and means[0][0].tzinfo else None
        for _, means in TYPED
    ]
    frame = frame_of(TYPED, kinds)
    sources = written(frame, tmp_path)
    sources["postgresql"] = lambda: postgres(server, frame, "typed")
    # SQLite knows no days, times or decimals
    plain = [(domain, means) for domain, means in TYPED if type(means[0][0]) in (int, float, bool)]
    sources.pop("sqlite")
    assert {name: bad for name, source in sources.items() if (bad := wrong(TYPED, source()))} == {}
    small = frame_of(plain, [None] * len(plain))
    assert wrong(plain, written(small, tmp_path)["sqlite"]()) == []


@pytest.mark.parametrize("zone", [None, "UTC"])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_time_of_any_fineness_is_floored(unit: str, zone: str | None) -> None:
    ticks = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    before, at, after = t(1969, 12, 31, 23, 59, 59), t(1970, 1, 1), t(1970, 1, 1, 0, 0, 1)
    cells = {
        -1: before,
        0: at,
        ticks - 1: at,
        ticks: after,
        -ticks: before,
        -ticks - 1: before - dt.timedelta(seconds=1),
    }
    cells = {-1: before, 0: at} if unit == "s" else cells
    berlin = Date("1969-12-31", "1970-01-01", tz="Europe/Berlin")
    table: list[tuple[Domain, Means]] = [
        (SECONDS, list(cells.items())),
        (Date("1969-12-31", "1970-01-01"), [(cell, value.date()) for cell, value in cells.items()]),
    ]
    if zone is not None:
        table.append((berlin, [(cell, d(1970, 1, 1)) for cell in cells]))
    frame = frame_of(table, [pa.timestamp(unit, zone)] * len(table))
    assert wrong(table, frame) == wrong(table, frame.to_pandas()) == []


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_time_of_day_of_any_fineness_is_floored(unit: str, tmp_path: Path) -> None:
    ticks = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    kind = pa.time32(unit) if unit in ("s", "ms") else pa.time64(unit)
    means: Means = [(0, "00:00"), (60 * ticks - 1, "00:00"), (60 * ticks, "00:01"), (86_400 * ticks - 1, "23:59")]
    frame = frame_of([(CLOCK, means)], [pa.int32() if unit in ("s", "ms") else pa.int64()])
    frame = frame.set_column(2, "c0", frame["c0"].cast(kind))
    sources = {name: written(frame, tmp_path)[name] for name in ("parquet", "polars", "arrow")}
    sources |= {} if unit == "ns" else {"pandas": frame.to_pandas}  # (Python's own times have microseconds)
    assert {name: bad for name, source in sources.items() if (bad := wrong([(CLOCK, means)], source()))} == {}


def test_a_duration_is_no_time_of_day_and_an_offset_moves_none(tmp_path: Path) -> None:
    length = dt.timedelta(hours=8, minutes=30)
    for cell, kind, value in (
        (length, pa.duration("us"), None),
        (dt.time(8, 30, tzinfo=WEST), None, "08:30"),
    ):
        means: Means = [(cell, value)]
        if kind is not None:
            frame = frame_of([(CLOCK, means)], [kind])
            assert wrong([(CLOCK, means)], frame) == wrong([(CLOCK, means)], frame.to_pandas()) == []
        objects = pd.DataFrame({"n": [0], "id": ["p0"], "c0": pd.Series([cell], dtype=object)})
        assert wrong([(CLOCK, means)], objects) == []


def test_a_table_that_is_wrong_is_noticed(tmp_path: Path) -> None:
    table: list[tuple[Domain, Means]] = [(POUND, [("£1,204", 1205)])]
    frame = frame_of(table, [pa.string()])
    assert wrong(table, frame) == [(POUND.describe(), "£1,204", 1205, 1204.0)]


def test_nested_columns_are_refused_by_their_type(tmp_path: Path) -> None:
    from pets.errors import DataError

    for kind, values in ((pa.list_(pa.string()), [["a"]]), (pa.struct([("x", pa.string())]), [{"x": "a"}])):
        frame = pa.table({"n": [0], "id": ["p"], "c0": pa.array(values, kind)})
        pa.parquet.write_table(frame, tmp_path / "nested.parquet")
        for source in (str(tmp_path / "nested.parquet"), frame, pl.from_arrow(frame)):
            with pytest.raises(DataError, match=r"column 'c0' of table 'cells' holds lists or structures .*unnest it"):
                Snapshot.make(schema_of([(Category(["a"]), [])]), "cells", {"cells": source}, progress=False)
        # a column that is left out of the schema is never looked at
        Snapshot.make(schema_of([]), "cells", {"cells": frame}, progress=False)


def test_2000_texts_on_a_fine_grid_are_all_right() -> None:
    rng = np.random.default_rng(7)
    for step, cells in ((Decimal("0.1"), 5 * 10**15), (Decimal("0.01"), 2 * 10**16), (Decimal("0.001"), 4 * 10**18)):
        domain = Real(0, (cells - 1) * step, step)
        codes = [int(code) for code in rng.integers(0, cells, 2000)]
        table: list[tuple[Domain, Means]] = [(domain, [(str(code * step), None) for code in codes])]
        made = Snapshot.make(
            schema_of(table), "cells", {"cells": frame_of(table, [pa.string()])}, key=1, progress=False
        )
        rows = {row[made.columns["n"]]: row[made.columns["c0"]] for row in made.arrow().to_pylist()}
        assert [rows[n] for n in range(len(codes))] == codes


def in_every_memory(cells: list[Any], kind: pa.DataType, folder: Path) -> dict[str, Callable[[], Any]]:
    """Cells of one type, in every kind of file and memory that holds it; among texts and as groups of pandas, too."""
    frame = frame_of([(Boolean(), [(cell, None) for cell in cells])], [kind])

    def mixed() -> pd.DataFrame:
        held = frame.to_pandas()
        held.loc[len(held)] = [len(held), "other", "not a value"]
        return held

    def grouped() -> pd.DataFrame:
        return frame.to_pandas().astype({"c0": "category"})

    kept = ("parquet", "pandas", "pandas of objects", "polars", "arrow")
    some = {name: source for name, source in written(frame, folder).items() if name in kept}
    return some | {"among texts": mixed, "groups": grouped}


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_an_instant_of_any_precision_is_on_the_columns_clock(unit: str, tmp_path: Path) -> None:
    london = Date("2020-01-01", "2022-12-31", tz="Europe/London")
    means: Means = [
        (dt.datetime(2021, 6, 1, 23, 30, tzinfo=UTC), d(2021, 6, 2)),
        (dt.datetime(2021, 3, 27, 23, 30, tzinfo=UTC), d(2021, 3, 27)),
        (dt.datetime(2021, 3, 28, 23, 30, tzinfo=UTC), d(2021, 3, 29)),
        (dt.datetime(2021, 10, 31, 0, 30, tzinfo=UTC), d(2021, 10, 31)),
    ]
    sources = in_every_memory([cell for cell, _ in means], pa.timestamp(unit, "America/New_York"), tmp_path)
    assert {name: bad for name, source in sources.items() if (bad := wrong([(london, means)], source()))} == {}


@pytest.mark.parametrize("decimal", [".", ","])
def test_a_small_float_among_texts_is_its_own_value(decimal: str, tmp_path: Path) -> None:
    # 5e-07 is less than half a step as a float, and half a step as a text: one "x" in the column would move it
    domain = Real(0, 1, "0.000001", decimal=decimal)
    means: Means = [(5e-07, 0), (1.5e-06, 0.000002), (2.5e-06, 0.000003), (5e-324, 0), (0.5, 0.5)]
    assert Decimal.from_float(5e-07) < Decimal("5e-07")
    sources = in_every_memory([cell for cell, _ in means], pa.float64(), tmp_path)
    assert {name: bad for name, source in sources.items() if (bad := wrong([(domain, means)], source()))} == {}


def test_a_null_text_with_a_decimal_comma_is_the_number_that_it_spells(tmp_path: Path) -> None:
    domain = Real(0, 100, "0.1", decimal=",", null=["99,9", "-9"])
    for kind, kept in ((pa.decimal128(10, 2), Decimal), (pa.float64(), float)):
        means: Means = [(kept("99.9"), None), (kept("-9"), None), (kept("5.5"), 5.5)]
        sources = in_every_memory([cell for cell, _ in means], kind, tmp_path)
        assert {name: bad for name, source in sources.items() if (bad := wrong([(domain, means)], source()))} == {}
    texts: Means = [("99,9", None), ("-9", None), ("5,5", 5.5)]
    assert wrong([(domain, texts)], frame_of([(domain, texts)], [pa.string()])) == []


def test_a_null_text_with_a_year_of_two_digits_is_the_day_in_the_domains_century() -> None:
    domain = Date("1950-01-01", "2049-12-31", format="dd-Mon-yy", null="01-Jan-60")
    means: Means = [("01-Jan-60", None), ("1-Jan-60", None), ("1960-01-01", None), ("1-Jan-61", d(1961, 1, 1))]
    assert wrong([(domain, means)], frame_of([(domain, means)], [pa.string()])) == []
    assert (
        wrong([(domain, [(d(1960, 1, 1), None)])], frame_of([(domain, [(d(1960, 1, 1), None)])], [pa.date32()])) == []
    )
