"""Whatever is given to the public API: a clean success, or one plain sentence of a UserError."""

from __future__ import annotations

import datetime as dt
import decimal
import io
import itertools
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets import (
    Boolean,
    Category,
    Date,
    DateTime,
    Identifier,
    Integer,
    KeySet,
    Lookup,
    Real,
    Schema,
    Table,
    Time,
    Unit,
    col,
)
from pets.errors import UserError
from pets.plan.plan import make_plan
from pets.protection.budget import Cost
from pets.protection.protection import Protection
from pets.query_model.expression import And, Between, Compare, IsIn, IsNull, Not, Or
from pets.query_model.group_keys import Bins, ColumnKey, DatePart, Period
from pets.query_model.query import Query
from pets.session.explain import explain
from pets.synthetic.dummy import invent
from pets.synthetic.dummy_data.files import check_key
from pets.synthetic.lessons.lesson import load_lesson
from pets.synthetic.quiz.quiz import Quiz
from pets.synthetic.quiz.task import Task

COLUMNS = {
    "id": Identifier(),
    "g": Category(["a", "b"]),
    "v": Integer(0, 10),
    "b": Boolean(),
    "d": Date("2020-01-01", "2020-12-31"),
    "r": Real(0, 1, 0.01),
}
S = Schema({"t": Table(Unit("id", max_rows=3, rows=2), COLUMNS)})
Q = pets.query("t").agg(n=pets.count())
SESSION = pets.Session(S, budget=pets.Budget(epsilon=1e5, delta=1e-6))


class Weird:
    """Nothing about it works."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    __str__ = __repr__


class Lines:
    def __repr__(self) -> str:
        return "two\nlines" + "x" * 1000


class Named(str):
    """A text of another class, as enumerations are."""


HOSTILE: list[Any] = [
    None, True, False, 0, 1, -1, 3, 1.5, float("nan"), float("inf"), -0.0, 10**400, 10**5000, -(2**63), 1e300, 5e-324,
    "", " ", "x", "v", "id", "g", "0.5", "1/0", "nan", "9" * 5000, "a\nb", "a\x00b", "\ud800", "é" * 200, Named("v"),
    b"x", b"1", bytearray(b"y"), [], {}, (), set(), [1], ["a"], [[1]], {"a": 1}, {5: None}, (1, 2), (2, 1), ("a", "b"),
    (None, None), (1, 2, 3), [Weird()], {"column": Weird()}, range(3), range(10**12), 1j,
    np.int64(3), np.float64(0.5), np.float32(0.1), np.float64("nan"), np.bool_(True), np.str_("a"), np.bytes_(b"a"),
    np.array(5), np.array([1, 2]), np.array(["a"]), np.array([]), np.datetime64("2020-01-01"), np.datetime64("NaT"),
    np.datetime64("2020-01-01T12:00", "ns"), np.datetime64(10**15, "Y"), np.timedelta64(5, "ns"),
    decimal.Decimal("0.5"), decimal.Decimal("NaN"), decimal.Decimal("sNaN"), decimal.Decimal("1e-99999"),
    Fraction(1, 3), Fraction(1, 10**5000),
    dt.date(2020, 1, 1), dt.date.max, dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 1, 12),
    dt.datetime(2020, 1, 1, tzinfo=dt.UTC), dt.time(1), dt.timedelta(1), pd.Timestamp("2020-01-01"), pd.NaT, pd.NA,
    pd.Series([1, 2]), pd.DataFrame({"v": [1, 2]}), pd.Index(["a"]), pd.Interval(0, 1), Weird(), Weird, Lines(), object,
    len, io.StringIO("a"), Path("missing"), pets.count, pets.count(), col, col("v"), col("v") > 1, Q, S, COLUMNS["v"],
    pets.DP(epsilon=1), pets.DP, pets.Budget(1), pets.KeySet.product({"g": ["a"]}), ...,
]  # fmt: skip


def planned(query: Query) -> Any:
    explain(query, S)
    return make_plan(query, S).digest


def agg(aggregate: Any) -> Any:
    return planned(pets.query("t").agg(x=aggregate))


def by(*keys: Any) -> Any:
    return planned(pets.query("t").group_by(*keys).agg(n=pets.count()))


def asked(**parts: Any) -> Any:
    return planned(Query.from_json({"table": "t", "agg": [["n", {"agg": "count"}]]} | parts))


def loaded(column: Any) -> Schema:
    return Schema.load(
        {"tables": {"t": {"unit": "row", "columns": {"c": {"type": "category", "values": ["x"]}, "a": column}}}}
    )


def table(**parts: Any) -> Schema:
    return Schema.load({"tables": {"t": {"unit": "row", "columns": {"a": {"type": "boolean"}}} | parts}})


def quoted(**settings: Any) -> Any:
    return repr(SESSION.quote(Q, pets.DP(**settings)))


def category(**settings: Any) -> Schema:
    return Schema({"t": Table("row", {"c": Category(["x"]), "a": Category(["a"], **settings)})})  # type: ignore[arg-type]


def named(name: Any, value: Any) -> Any:
    """A mapping with this name, where Python allows it."""
    try:
        return {name: value}
    except TypeError:
        return name


ENTRIES: dict[str, Callable[[Any], Any]] = {
    "query": lambda x: planned(pets.query(x).agg(n=pets.count())),
    "where": lambda x: planned(Q.where(x)),
    "group_by": by,
    "group_by two": lambda x: by("g", x),
    "agg": agg,
    "agg unnamed": lambda x: Q.agg(x),
    "agg name": lambda x: planned(Query("t", aggregates=((x, pets.count()),))),
    "bound rows": lambda x: planned(Q.bound(rows=x)),
    "bound groups": lambda x: planned(pets.query("t").group_by("g").bound(groups=x).agg(n=pets.count())),
    "Query filter": lambda x: planned(Query("t", condition=x, aggregates=Q.aggregates)),
    "Query keys": lambda x: planned(Query("t", keys=x, aggregates=Q.aggregates)),
    "Query keyset": lambda x: planned(Query("t", keyset=x, aggregates=Q.aggregates)),
    "Query aggregates": lambda x: planned(Query("t", aggregates=x)),
    "Query one aggregate": lambda x: planned(Query("t", aggregates=(x,))),
    "Query rows": lambda x: planned(Query("t", aggregates=Q.aggregates, rows=x)),
    "explain query": lambda x: explain(x, S),
    "explain schema": lambda x: Q.explain(x),
    "explain protection": lambda x: str(Q.explain(S, x)),
    "count": lambda x: agg(pets.count(x)),
    "count_units": lambda x: agg(pets.count_units(x)),
    "sum": lambda x: agg(pets.sum(x)),
    "sum clip": lambda x: agg(pets.sum("v", clip=x)),
    "sum clip end": lambda x: agg(pets.sum("v", clip=(x, 9))),
    "sum where": lambda x: agg(pets.sum("v", where=x)),
    "mean": lambda x: agg(pets.mean(x)),
    "rate": lambda x: agg(pets.rate(x)),
    "variance step": lambda x: agg(pets.variance("r", step=x)),
    "histogram": lambda x: agg(pets.histogram(x)),
    "histogram edges": lambda x: agg(pets.histogram("v", x)),
    "histogram edge": lambda x: agg(pets.histogram("v", [0, x])),
    "median": lambda x: agg(pets.median(x)),
    "quantile": lambda x: agg(pets.quantile(x)),
    "quantile q": lambda x: agg(pets.quantile("v", x)),
    "quantile bins": lambda x: agg(pets.quantile("v", 0.5, bins=x)),
    "col": lambda x: agg(pets.count(col(x) == 1)),
    "col bins": lambda x: by(col("v").bins(x)),
    "col bins name": lambda x: by(col("v").bins([0, 5], x)),
    "col period": lambda x: by(col("d").period(x)),
    "col year": lambda x: by(col("d").year(x)),
    "col +": lambda x: col("v") + x,
    "+ col": lambda x: 2 * col("v"),
    "col &": lambda x: col("v") & x,
    "filter &": lambda x: agg(pets.count((col("v") > 1) & x)),
    "filter |": lambda x: agg(pets.count((col("v") > 1) | x)),
    "Compare column": lambda x: agg(pets.count(Compare(x, "==", 1))),
    "Compare op": lambda x: agg(pets.count(Compare("v", x, 1))),
    "Compare value": lambda x: agg(pets.count(Compare("v", "==", x))),
    "IsIn": lambda x: agg(pets.count(IsIn("v", x))),
    "IsNull": lambda x: agg(pets.count(IsNull(x))),
    "Between": lambda x: agg(pets.count(Between("v", x, x))),
    "And": lambda x: agg(pets.count(And(x))),
    "Or": lambda x: agg(pets.count(Or((x,)))),
    "Not": lambda x: agg(pets.count(Not(x))),
    "ColumnKey": lambda x: by(ColumnKey(x)),
    "ColumnKey label": lambda x: by(ColumnKey("g", x)),
    "Bins": lambda x: by(Bins("v", edges=x)),
    "DatePart": lambda x: by(DatePart("d", part=x)),
    "Period": lambda x: by(Period("d", unit=x)),
    "KeySet": lambda x: by(KeySet(x, [("a",)])),
    "KeySet rows": lambda x: by(KeySet(("g",), x)),
    "KeySet row": lambda x: by(KeySet(("g",), [x])),
    "KeySet value": lambda x: by(KeySet(("v",), [(x,)])),
    "KeySet date": lambda x: by(KeySet(("d",), [(x,)])),
    "KeySet.product": lambda x: by(KeySet.product(x)),
    "KeySet.product values": lambda x: by(KeySet.product({"v": x})),
    "KeySet.product name": lambda x: by(KeySet.product(named(x, ["a"]))),
    "KeySet.of": lambda x: by(KeySet.of(x)),
    "KeySet.of row": lambda x: by(KeySet.of([{"g": "a"}, x])),
    "KeySet.load": KeySet.load,
    "KeySet *": lambda x: KeySet.product({"g": ["a"]}) * x,
    "* KeySet": lambda x: x * KeySet.product({"g": ["a"]}) if not isinstance(x, (np.ndarray, pd.Series)) else None,
    "Query.from_json": Query.from_json,
    "json table": lambda x: asked(table=x),
    "json agg": lambda x: asked(agg=x),
    "json agg entry": lambda x: asked(agg=[["n", x]]),
    "json agg kind": lambda x: asked(agg=[["n", {"agg": x}]]),
    "json clip": lambda x: asked(agg=[["n", {"agg": "sum", "column": "v", "clip": x}]]),
    "json where": lambda x: asked(where=x),
    "json filter": lambda x: asked(where={"filter": x}),
    "json column": lambda x: asked(where={"filter": "is_null", "column": x}),
    "json values": lambda x: asked(where={"filter": "isin", "column": "v", "values": x}),
    "json terms": lambda x: asked(where={"filter": "and", "terms": x}),
    "json date": lambda x: asked(where={"filter": "compare", "column": "d", "op": "==", "value": {"date": x}}),
    "json number": lambda x: asked(where={"filter": "compare", "column": "v", "op": "==", "value": {"number": x}}),
    "json by": lambda x: asked(by=x),
    "json by entry": lambda x: asked(by=[x]),
    "json key": lambda x: asked(by=[{"key": x, "column": "g"}]),
    "json edges": lambda x: asked(by=[{"key": "bins", "column": "v", "edges": x}]),
    "json keyset": lambda x: asked(by=["g"], keyset=x),
    "json keyset rows": lambda x: asked(by=["g"], keyset={"columns": ["g"], "rows": x}),
    "json rows": lambda x: asked(rows=x),
    "DP epsilon": lambda x: quoted(epsilon=x),
    "DP rho": lambda x: quoted(rho=x),
    "DP within": lambda x: quoted(within=x),
    "DP confidence": lambda x: quoted(epsilon=1, confidence=x),
    "DP delta": lambda x: quoted(epsilon=1, delta=x),
    "DP pure": lambda x: quoted(epsilon=1, pure=x),
    "DP simultaneous": lambda x: quoted(within=50, simultaneous=x),
    "DP unnamed": lambda x: pets.DP(x),
    "Exact": lambda x: pets.Exact(x),  # type: ignore[call-arg]
    "Budget": lambda x: pets.Budget(x),
    "Budget delta": lambda x: pets.Budget(1, x),
    "Budget threshold": lambda x: pets.Budget(1, 1e-6, x),
    "Budget.from_json": pets.Budget.from_json,
    "Budget.from_json part": lambda x: pets.Budget.from_json({"epsilon": x, "delta": 0, "threshold_delta": 0}),
    "Cost.from_json": Cost.from_json,
    "Policy": lambda x: pets.Policy(x),
    "Protection.from_json": Protection.from_json,
    "Protection.from_json kind": lambda x: Protection.from_json({"kind": x}),
    "Protection.from_json epsilon": lambda x: Protection.from_json({"kind": "dp", "epsilon": x}),
    "Schema": lambda x: Schema(x),
    "Schema table": lambda x: Schema({"t": x}),
    "Schema name": lambda x: Schema(named(x, S.tables["t"])),
    "Schema dataset": lambda x: Schema(dict(S.tables), x),
    "Schema.table": S.table,
    "Schema.load": Schema.load,
    "Schema.from_json": Schema.from_json,
    "load dataset": lambda x: Schema.load({"dataset": x, "tables": {}}),
    "load tables": lambda x: Schema.load({"tables": x}),
    "load table": lambda x: Schema.load({"tables": {"t": x}}),
    "load unit": lambda x: table(unit=x),
    "load unit column": lambda x: table(unit={"column": x, "max_rows": 3}),
    "load max_rows": lambda x: table(unit={"column": "a", "max_rows": x}, columns={"a": {"type": "identifier"}}),
    "load trim": lambda x: table(unit={"column": "a", "max_rows": 1, "trim": x}),
    "load person_table": lambda x: table(person_table=x),
    "load people": lambda x: table(people=x),
    "load columns": lambda x: table(columns=x),
    "load column": loaded,
    "load type": lambda x: loaded({"type": x}),
    "load values": lambda x: loaded({"type": "category", "values": x}),
    "load value": lambda x: loaded({"type": "category", "values": [x]}),
    "load null": lambda x: loaded({"type": "boolean", "null": x}),
    "load nullable": lambda x: loaded({"type": "boolean", "nullable": x}),
    "load lookup": lambda x: loaded({"type": "category", "values": ["y"], "lookup": x}),
    "load map": lambda x: loaded({"type": "category", "values": ["y"], "lookup": {"column": "c", "map": x}}),
    "load file": lambda x: loaded({"type": "category", "values": ["y"], "lookup": {"column": "c", "file": x}}),
    "load min": lambda x: loaded({"type": "integer", "min": x, "max": 5}),
    "load step": lambda x: loaded({"type": "real", "min": 0, "max": 5, "step": x}),
    "load date": lambda x: loaded({"type": "date", "min": x, "max": "2024-01-01"}),
    "Unit": lambda x: Unit(x),
    "Unit max_rows": lambda x: Unit("id", x),
    "Unit rows": lambda x: Unit("id", 3, x),
    "Unit trim": lambda x: Unit("id", 3, 2, x),
    "Table unit": lambda x: Schema({"t": Table(x, {"a": Boolean()})}),
    "Table columns": lambda x: Schema({"t": Table("row", x)}),  # type: ignore[arg-type]
    "Table column": lambda x: Schema({"t": Table("row", {"a": x})}),  # type: ignore[arg-type]
    "Table person_table": lambda x: Schema({"t": Table(Unit("id"), {"id": Identifier()}, x)}),
    "Table people": lambda x: Schema({"t": Table("row", {"a": Boolean()}, None, x)}),  # type: ignore[arg-type]
    "Category": lambda x: Category(x),
    "Category value": lambda x: Schema({"t": Table("row", {"a": Category([x])})}),  # type: ignore[arg-type]
    "Category null": lambda x: category(null=x),
    "Category null text": lambda x: category(null=[x]),
    "Category nullable": lambda x: category(nullable=x),
    "Category lookup": lambda x: category(lookup=x),
    "Lookup": lambda x: category(lookup=Lookup(x, {"x": "a"})),
    "Lookup map": lambda x: category(lookup=Lookup("c", x)),
    "Lookup value": lambda x: category(lookup=Lookup("c", {"x": x})),
    "Integer": lambda x: Integer(x, 5),
    "Integer null": lambda x: Integer(1, 5, null=x),
    "Real": lambda x: Real(x, 5, 1),
    "Real step": lambda x: Real(0, 5, x),
    "Date": lambda x: Date(x, "2024-01-01"),
    "DateTime": lambda x: DateTime(x, "2024-01-01 10:00"),
    "DateTime max": lambda x: DateTime("2020-01-01", x),
    "DateTime step": lambda x: DateTime("2020-01-01", "2024-01-01 10:00", x),
    "Time": lambda x: Time(x),
    "Time max": lambda x: Time("00:00", x),
    "Time step": lambda x: Time("00:00", "10:00", x),
    "Time format": lambda x: Time(format=x),
    "encode time": lambda x: Time().encode(x),
    "encode date-time": lambda x: DateTime("2020-01-01", "2024-01-01 10:00").encode(x),
    "Date max": lambda x: Date("2024-01-01", x),
    "Boolean null": lambda x: Boolean(null=x),
    "Identifier null": lambda x: Identifier(null=x),
    "encode category": COLUMNS["g"].encode,
    "encode integer": COLUMNS["v"].encode,
    "encode date": COLUMNS["d"].encode,
    "encode boolean": COLUMNS["b"].encode,
    "invent schema": invent,
    "invent rows": lambda x: invent(S, x if not isinstance(x, int) or x < 1000 or x > 10**9 else 5),
    "invent seed": lambda x: invent(S, 5, x),
    "dummy": pets.dummy,
    "dummy query": lambda x: pets.dummy(S, 5, query=x),
    "dummy people": lambda x: pets.dummy(S, 5, people=x),
    "dummy faults": lambda x: pets.dummy(S, 5, faults=x),
    "dummy link": lambda x: pets.dummy("nhs", people=1, link=x),
    "dummy format": lambda x: pets.dummy(S, 5).save("/dev/null/x", x),
    "dummy secret": lambda x: pets.dummy("dental", people=1, secret=x),
    "pack faults": lambda x: pets.dummy("dental", people=1, faults=x),
    "key of faults": lambda x: check_key([1], x, "handed out"),
    "answer": lambda x: Quiz([Task("t", "rows", "?")], {}).answer("t", x),
    "answer number": lambda x: Quiz([Task("t", "number", "?")], {}).answer("t", x),
    "answer texts": lambda x: Quiz([Task("t", "texts", "?")], {}).answer("t", x),
    "answer task": lambda x: Quiz([Task("t", "rows", "?")], {}).answer(x, [1]),
    "quiz": Quiz.load,
    "lesson": load_lesson,
    "rule": lambda x: Table("row", {"a": Integer(0, 5)}, rules=x),  # type: ignore[arg-type]
    "rule order": lambda x: Table("row", {"a": Integer(0, 5)}, rules=[{"order": x}]),  # type: ignore[list-item]
    "rule when": lambda x: Table("row", {"a": Integer(0, 5)}, rules=[{"column": "a", "when": {"a": x}}]),  # type: ignore[list-item]
    "rule unique": lambda x: Table("row", {"a": Integer(0, 5)}, rules=[{"unique": x}]),  # type: ignore[list-item]
}
for _column, _op in itertools.product("gvbdr", ("__eq__", "__lt__", "isin", "isin one", "between")):

    def _compared(x: Any, column: str = _column, op: str = _op) -> Any:
        c = col(column)
        if op == "between":
            return agg(pets.count(c.between(x, x)))
        if op == "isin one":
            return agg(pets.count(c.isin([x])))
        return agg(pets.count(getattr(c, op)(x)))

    ENTRIES[f"col {_column} {_op}"] = _compared


def plain(error: UserError) -> None:
    text = str(error)
    assert text, "a message"
    assert "\n" not in text and text.isprintable(), f"one printable line, not {text!r}"
    assert len(text) <= 400, f"{len(text)} characters: {text}"


@pytest.mark.parametrize("entry", ENTRIES)
def test_only_user_errors_come_out(entry: str) -> None:
    wrong = []
    for at, value in enumerate(HOSTILE):
        try:
            ENTRIES[entry](value)
        except UserError as error:
            plain(error)
        except Exception as error:
            wrong.append(f"hostile value {at} ({type(value).__name__}): {type(error).__name__}: {error}")
    if wrong:
        pytest.fail(f"{entry} of " + "\n".join(wrong), pytrace=False)
