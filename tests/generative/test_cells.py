"""What a cell reads as depends on that cell and the schema alone: checked on random mixed frames, with teeth.

pandas chooses a column's type from all its rows, so one person who leaves may turn objects into floats and floats into
whole numbers. Nobody else's codes, ids or choice of rows may move when that happens.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections import Counter, defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pets.rows import sources
from pets.rows.coding.cell import Cell
from pets.rows.snapshot import Snapshot
from pets.schema.cells import Texts
from pets.schema.domain import Lookup
from pets.schema.schema import Boolean, Category, Date, DateTime, Identifier, Integer, Real, Schema, Table, Unit

Row = dict[str, Any]

EAST = dt.timezone(dt.timedelta(hours=-5))
# every spelling of one person's id that is the same value in another type
PEOPLE: dict[str, list[Any]] = {
    "whole": [7, 7.0, np.int64(7), np.float64(7), Decimal("7.00"), Decimal("0.7E+1"), "7"],
    "half": [2.5, np.float32(2.5), Decimal("2.50")],
    "tenth": [0.1, Decimal("0.1")],
    "zero": [0, -0.0, Decimal("-0.0")],
    "big": [2**52, float(2**52), str(2**52)],
    "text": ["zz", b"zz", np.str_("zz")],
    "padded": ["07"],
    "truth": [True, np.bool_(True), "true"],
    "day": [dt.date(2020, 1, 1), "2020-01-01"],
    "time": [dt.datetime(2020, 1, 1), pd.Timestamp("2020-01-01"), np.datetime64("2020-01-01")],
    "instant": [
        dt.datetime(2020, 1, 1, 20, tzinfo=EAST),
        pd.Timestamp("2020-01-02 01:00", tz="UTC"),
        pd.Timestamp("2020-01-01 20:00", tz="America/New_York"),
    ],
    "span": [dt.timedelta(days=1), pd.Timedelta("1D"), np.timedelta64(24, "h")],
    "uuid": [uuid.UUID(int=5), str(uuid.UUID(int=5))],
    "nobody": [None, float("nan"), pd.NA, pd.NaT, "", b"\xff", "\ud800", Decimal("NaN")],
}
CELLS: dict[str, list[Any]] = {
    "wholes": [0, 1, 2, 3, 1_000_000, -1, 2**62],
    "floats": [0.0, -0.0, 1.0, 3.0, 2.5, 0.1, 1e-5, 1e22, 1e300, float("inf")],
    "missing": [None, float("nan"), pd.NA, pd.NaT, ""],
    "truths": [True, False],
    "texts": ["a", "1", "1.0", "3", "true", "True", "x", " 2 ", "2020-01-02", "2020-01-02 23:00-05:00", "\ud800"],
    "decimals": [Decimal("1"), Decimal("3.00"), Decimal("2.5"), Decimal("1E+2"), Decimal("Infinity")],
    "days": [dt.date(2020, 1, 1), dt.date(2020, 1, 2), dt.date(1, 1, 1), dt.date(9999, 12, 31)],
    "times": [dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 1, 23, 59, 59, 999999), dt.datetime(9999, 12, 31)],
    "instants": [dt.datetime(2020, 1, 1, 20, tzinfo=EAST), dt.datetime(2020, 1, 3, tzinfo=dt.UTC)],
    "numpy": [np.int8(3), np.float32(0.1), np.float32(2.5), np.bool_(True), np.datetime64("2020-01-02"), np.str_("a")],
    "odd": [b"a", b"\xff", 1j, 3 + 0j, uuid.UUID(int=5), [1], {"a": 1}, object, pd.Interval(0, 1), dt.timedelta(1)],
}
WORDS = ["a", "1", "2.50", "3.0", "0", "True", "false", "1000000", "0.1", "2020-01-01", "2020-01-01 00:00:00", "[1]"]
MOST = ["c", "look", "i", "r", "d", "b"]


def schema(max_rows: int) -> Schema:
    columns = {
        "id": Identifier(null=("99.0",)),
        "c": Category(WORDS, null=["x", "-1.0"]),
        "look": Category(["few", "many"], lookup=Lookup("c", {"1": "few", "a": "few", "3.0": "many", "True": "many"})),
        "i": Integer(0, 3, null=["2"]),
        "r": Real(0, 3, "0.5", null=["1.0"]),
        "d": Date("2020-01-01", "2020-01-03", null=["2020-01-03"]),
        "b": Boolean(null=("False",)),
        "t": DateTime("2020-01-01", "2020-01-03 23:59", null=["2020-01-03"]),
    }
    return Schema({"t": Table(Unit("id", max_rows=max_rows), columns)})


def people_of(rows: Sequence[Row], max_rows: int = 2, key: int = 5) -> Counter[tuple[tuple[int, ...], ...]]:
    """What each person keeps, as a multiset over people; the types of the columns are pandas' choice."""
    frame = pd.DataFrame(list(rows), columns=["id", "c", "i", "r", "d", "b", "t"])
    made = Snapshot.make(schema(max_rows), "t", {"t": frame}, key=key, progress=False)
    kept: dict[int, list[tuple[int, ...]]] = defaultdict(list)
    for row in made.arrow().to_pylist():
        kept[row.pop("person")].append((row.pop("rank"), *row.values()))
    return Counter(tuple(sorted(kept_rows)) for kept_rows in kept.values())


def check_neighbours(people: dict[str, list[Row]], gone: str) -> None:
    """Everybody together is this person alone and all others: nobody's part moves anybody else's."""
    others = [row for name, rows in people.items() if name != gone for row in rows]
    assert people_of([*people[gone], *others]) == people_of(people[gone]) + people_of(others)


@st.composite
def frames(draw: st.DrawFn) -> tuple[dict[str, list[Row]], str]:
    """Columns of one kind of values each, and one person whose cells are of any kind."""
    names = draw(st.lists(st.sampled_from(sorted(PEOPLE)), min_size=2, max_size=5, unique=True))
    odd = names[0]
    kinds = {column: draw(st.sampled_from(sorted(CELLS))) for column in ("c", "i", "r", "d", "b", "t")}
    anything = st.one_of([st.sampled_from(cells) for cells in CELLS.values()])
    numbers = draw(st.booleans())  # ids of one type each, or every spelling
    people: dict[str, list[Row]] = {}
    for name in names:
        spellings = st.just(PEOPLE[name][0]) if numbers else st.sampled_from(PEOPLE[name])
        cells = {c: anything if name == odd else st.sampled_from(CELLS[kind]) for c, kind in kinds.items()}
        people[name] = draw(st.lists(st.fixed_dictionaries({"id": spellings, **cells}), min_size=1, max_size=3))
    return people, odd


QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@QUICK
@given(frames())
def test_a_cell_reads_the_same_whoever_else_is_there(drawn: tuple[dict[str, list[Row]], str]) -> None:
    check_neighbours(*drawn)


def one_column(base: Sequence[Any], odd: Any, column: str = "c") -> tuple[dict[str, list[Row]], str]:
    """Everybody but the last has ordinary cells; ``column`` may also be ``id``."""
    plain: Row = {"c": "a", "i": 1, "r": 1.5, "d": dt.date(2020, 1, 2), "b": True, "t": dt.datetime(2020, 1, 2, 9)}
    if column == "id":
        rows = {str(n): [{**plain, "id": value, "i": i} for i in range(4)] for n, value in enumerate(base)}
        return {**rows, "odd": [{**plain, "id": odd}]}, "odd"
    people = {str(n): [{**plain, "id": f"p{n}", column: value}] for n, value in enumerate(base)}
    return {**people, "odd": [{**plain, "id": "odd", column: odd}]}, "odd"


REVIEWED = {
    "floats and a text": one_column([3.0, 1.0], "x"),
    "truths and a text": one_column([True, False], "x"),
    "truths and a missing": one_column([True, False], None),
    "whole numbers and a missing": one_column([3, 1], None),
    "decimals of two scales": one_column([Decimal("3"), Decimal("1")], Decimal("9.25")),
    "instants and a text": one_column([dt.datetime(2020, 1, 1, 23, tzinfo=EAST)], "x", "d"),
    "times and a text": one_column([dt.datetime(2020, 1, 1, 23, 59, 59, 999999)], "x", "t"),
    "times and the end of time": one_column([dt.datetime(2020, 1, 1)], dt.datetime(9999, 12, 31)),
    "truths as numbers": one_column([True, False], 2, "i"),
    "float ids and a text": one_column([float(n) for n in range(12)], "zz", "id"),
    "decimal ids of two scales": one_column([Decimal(n) for n in range(12)], Decimal("2.5"), "id"),
    "whole ids and a missing": one_column(list(range(12)), None, "id"),
    "single floats and a double": one_column([np.float32(0.1)], 0.25),
    "spans and a text": one_column([dt.timedelta(days=n) for n in range(12)], "zz", "id"),
    "complex numbers": one_column([1, 3.0], 1j),
    "intervals": one_column([pd.Interval(n, n + 1) for n in range(12)], pd.Interval(0.5, 2.5), "id"),
}


@pytest.mark.parametrize("case", REVIEWED)
def test_what_a_review_found(case: str) -> None:
    check_neighbours(*REVIEWED[case])


def inferred(series: Any, texts: Texts) -> Any:
    """The old reading: a type from all rows together, and the text of each where there is none."""
    try:
        return pa.Array.from_pandas(series)
    except (pa.ArrowException, TypeError, ValueError):
        return pa.array([None if pd.isna(value) else str(value) for value in series.astype(object)])


def test_a_type_inferred_from_all_rows_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "pandas_column", inferred)
    caught = []
    for case, drawn in REVIEWED.items():
        try:
            check_neighbours(*drawn)
        except AssertionError:
            caught.append(case)
    assert {"floats and a text", "truths and a text", "float ids and a text"} <= set(caught), caught


# ── one value, every type ────────────────────────────────────────────────────────────────────────────────────────────

NUMBERS: dict[str, Any] = {
    "int64": pd.Series([0, 1, 3]),
    "int8": pd.Series([0, 1, 3], dtype="int8"),
    "uint64": pd.Series([0, 1, 3], dtype="uint64"),
    "Int64": pd.Series([0, 1, 3], dtype="Int64"),
    "float64": pd.Series([-0.0, 1.0, 3.0]),
    "float32": pd.Series([0, 1, 3], dtype="float32"),
    "float16": pd.Series([0, 1, 3], dtype="float16"),
    "Float64": pd.Series([0, 1, 3], dtype="Float64"),
    "object": pd.Series([0, 1.0, Decimal("3.0")], dtype=object),
    "category": pd.Series([0, 1, 3], dtype="category"),
    "category of floats": pd.Series([0.0, 1.0, 3.0], dtype="category"),
    "category of objects": pd.Series(pd.Categorical([0, 1.0, Decimal(3)], categories=[0, Decimal(3), 1.0])),
    "sparse": pd.Series([0, 1, 3], dtype="Sparse[int]"),
    "arrow int": pd.Series([0, 1, 3], dtype=pd.ArrowDtype(pa.int32())),
    "arrow decimal": pd.Series([Decimal(0), Decimal(1), Decimal(3)], dtype=pd.ArrowDtype(pa.decimal128(9, 3))),
    "polars int": pl.Series([0, 1, 3]),
    "polars float": pl.Series([0.0, 1.0, 3.0]),
    "polars decimal": pl.Series([Decimal("0"), Decimal("1"), Decimal("3.00")]),
    "polars object": pl.Series([0, 1.0, Decimal(3)], dtype=pl.Object),
    "arrow": pa.array([0, 1, 3], pa.uint16()),
    "arrow dictionary": pa.array([0, 1, 3]).dictionary_encode(),
}
TRUTHS: dict[str, Any] = {
    "bool": pd.Series([True, False, True]),
    "boolean": pd.Series([True, False, True], dtype="boolean"),
    "object": pd.Series([True, np.bool_(False), True], dtype=object),
    "category": pd.Series([True, False, True], dtype="category"),
    "arrow": pd.Series([True, False, True], dtype=pd.ArrowDtype(pa.bool_())),
    "polars": pl.Series([True, False, True]),
    "table": pa.array([True, False, True]),
}
_TIMES = [dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 2, 3, 4, 5), dt.datetime(2020, 1, 1)]
TIMES: dict[str, Any] = {
    "datetime64[ns]": pd.Series(_TIMES, dtype="datetime64[ns]"),
    "datetime64[s]": pd.Series(_TIMES, dtype="datetime64[s]"),
    "object": pd.Series(_TIMES, dtype=object),
    "category": pd.Series(_TIMES, dtype="category"),
    "polars": pl.Series(_TIMES),
    "table": pa.array(_TIMES, pa.timestamp("ms")),
}
TEXTS: dict[str, Any] = {
    "object": pd.Series(["a", "zé", "1.0"], dtype=object),
    "string": pd.Series(["a", "zé", "1.0"], dtype="string"),
    "bytes": pd.Series([b"a", "zé".encode(), b"1.0"], dtype=object),
    "category": pd.Series(["a", "zé", "1.0"], dtype="category"),
    "polars": pl.Series(["a", "zé", "1.0"]),
    "polars category": pl.Series(["a", "zé", "1.0"], dtype=pl.Categorical),
    "table of bytes": pa.array([b"a", "zé".encode(), b"1.0"]),
}


def kept(held: Any, max_rows: int) -> list[tuple[int, ...]]:
    """The values as ids, categories, numbers, days and truths; with ``max_rows`` 1 the seeds choose a row a person."""
    columns = {
        "id": Identifier(null=("99.0",)),
        "c": Category(["1.0", "3", "True", "false", "a", "2020-01-01 00:00:00"], null=["0.0", "zé"]),
        "b": Boolean(),
        "d": Date("2020-01-01", "2020-01-03"),
        "t": DateTime("2020-01-01", "2020-01-03 23:59"),
        "i": Integer(0, 9, null=["3.0"]),
        "r": Real(0, 9, "0.5"),
        "n": Integer(0, 9),
    }
    times = 8
    if isinstance(held, pl.Series):
        one: Any = pl.DataFrame({name: held for name in columns if name != "n"})
        frame: Any = pl.concat([one.with_columns(n=pl.lit(n)) for n in range(times)])
    elif isinstance(held, pa.Array):
        tables = [
            pa.table({name: pa.array([n] * 3) if name == "n" else held for name in columns}) for n in range(times)
        ]
        frame = pa.concat_tables(tables)
    else:
        frame = pd.concat([pd.DataFrame({name: n if name == "n" else held for name in columns}) for n in range(times)])
    made = Snapshot.make(
        Schema({"t": Table(Unit("id", max_rows=max_rows), columns)}), "t", {"t": frame}, key=3, progress=False
    )
    return sorted(tuple(row.values()) for row in made.arrow().drop(["person"]).to_pylist())


@pytest.mark.parametrize("max_rows", [1, 9])
@pytest.mark.parametrize("family", [NUMBERS, TRUTHS, TIMES, TEXTS], ids=["numbers", "truths", "times", "texts"])
def test_a_value_reads_the_same_whatever_its_type(family: dict[str, Any], max_rows: int) -> None:
    found = {name: kept(held, max_rows) for name, held in family.items()}
    first = next(iter(found.values()))
    assert first
    assert [name for name, rows in found.items() if rows != first] == []


# ── the same text in Python and in SQL ───────────────────────────────────────────────────────────────────────────────


def in_sql(values: list[Any], kind: pa.DataType) -> list[str | None]:
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.register("held", pa.table({"x": pa.array(values, kind)}))
        described = con.execute("DESCRIBE held").fetchall()[0][1]
        return [row[0] for row in con.execute(f"SELECT {Cell('x', described).text} FROM held").fetchall()]


BRISK = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
FLOATS = st.one_of(
    st.floats(allow_nan=False),
    st.integers(-(10**40), 10**40).map(float),
    st.integers(-(10**6), 10**6).map(lambda n: n / 1e4),
)
INSTANTS = st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1), timezones=st.sampled_from([dt.UTC, EAST]))


@BRISK
@given(st.lists(FLOATS, min_size=1, max_size=60), st.lists(st.decimals(-(10**7), 10**7, places=3), min_size=1))
def test_numbers_have_one_text(floats: list[float], decimals: list[Decimal]) -> None:
    texts = Texts(Category(["a"]))
    assert in_sql(floats, pa.float64()) == [texts.of(value) for value in floats]
    assert in_sql(decimals, pa.decimal128(12, 3)) == [texts.of(value) for value in decimals]
    small = [value % 1 for value in decimals]
    assert in_sql(small, pa.decimal128(3, 3)) == [texts.of(value) for value in small]
    single = [np.float32(value) for value in floats if abs(value) < 1e38]
    assert in_sql(single, pa.float32()) == [texts.of(value) for value in single]


@BRISK
@given(st.lists(st.datetimes(), min_size=1), st.lists(INSTANTS, min_size=1), st.lists(st.dates(), min_size=1))
def test_times_have_one_text(times: list[dt.datetime], instants: list[dt.datetime], days: list[dt.date]) -> None:
    texts = Texts(Category(["a"]))
    assert in_sql(times, pa.timestamp("us")) == [texts.of(value) for value in times]
    assert in_sql(days, pa.date32()) == [texts.of(value) for value in days]
    for unit in ("us", "ns"):
        assert in_sql(instants, pa.timestamp(unit, "UTC")) == [texts.of(value) for value in instants]
    stamps = [pd.Timestamp(value) + pd.Timedelta(7, "ns") for value in instants]
    assert in_sql(stamps, pa.timestamp("ns", "UTC")) == [texts.of(value) for value in stamps]


@BRISK
@given(st.lists(st.one_of(st.none(), st.just(float("nan")), st.text(), st.just("\ud800"), st.floats()), max_size=30))
def test_the_quick_route_reads_what_each_cell_reads(values: list[Any]) -> None:
    texts = Texts(Category(["a"]))
    held = np.empty(len(values), dtype=object)
    held[:] = values
    assert texts.column(held).to_pylist() == [texts.of(value) for value in values]
