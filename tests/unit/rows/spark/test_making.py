"""Rows made ready on Spark: the codes and the ranks of DuckDB, in parts that every engine reads, and nothing else."""

from __future__ import annotations

import datetime as dt
import decimal
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import pets
from pets.errors import DataError
from pets.plan.plan import make_plan
from pets.rows.snapshot import Snapshot
from pets.rows.spark import making, staged, worker
from pets.rows.stored.store import Store
from pets.rows.tabulate import tabulate
from tests.sparks import spark
from tests.unit.rows.test_snapshot import everything

pytest.importorskip("pyspark", reason="the spark extra")
from pyspark import cloudpickle

KEY = 77
COLUMNS: dict[str, Any] = {
    "id": pets.Identifier(),
    "day": pets.Date("2020-01-01", "2020-12-31"),
    "at": pets.DateTime("2020-01-01", "2020-12-31 23:00", step="hour", tz="Europe/London"),
    "paid": pets.Real(0, 100, step="0.5"),
    "ratio": pets.Real(-1, 1, step="0.01"),
    "big": pets.Category(["18446744073709551615", "7"]),
    "n": pets.Integer(-5, 5),
    "sex": pets.Category(["f", "m"]),
    "ok": pets.Boolean(nullable=False),
    "code": pets.Text(max_length=8),
}
UNIT = pets.Unit("id", max_rows=3, rank_within=(("sex",),))
SCHEMA = pets.Schema({"t": pets.Table(UNIT, COLUMNS, people=100)})
FORM = pa.schema(
    {
        "id": pa.string(),
        "day": pa.date32(),
        "at": pa.timestamp("us", "UTC"),
        "paid": pa.decimal128(9, 2),
        "ratio": pa.float64(),
        "big": pa.decimal128(20, 0),
        "n": pa.int64(),
        "sex": pa.string(),
        "ok": pa.bool_(),
        "code": pa.string(),
    }
)
ASKED = pets.query("t").group_by("sex").agg(n=pets.count(), u=pets.count_units(), s=pets.sum("n"), p=pets.mean("paid"))


def lines(rows: int = 240) -> pa.Table:
    """Rows of thirty people, one of them with many, and a fifth with no id; odd values in each column."""
    out: list[tuple[Any, ...]] = []
    for row in range(rows):
        out.append(
            (
                None if row % 5 == 4 else "crowd" if row % 5 == 3 else f"p{row % 29}",
                None if row % 31 == 0 else dt.date(2020, 1, 1) + dt.timedelta(days=row * 3 % 400),
                dt.datetime(2020, 3, 29, 0, 30, tzinfo=dt.UTC) + dt.timedelta(hours=row),
                decimal.Decimal(row * 33) / 100 if row % 17 else None,
                (float("nan"), float("inf"), -0.0, 0.005, 1e300, row / 240)[row % 6],
                decimal.Decimal(2**64 - 1) if row % 2 else decimal.Decimal(7),
                row % 13 - 6,
                ("f", "m", "x", "", None)[row % 5 if row % 2 else row % 3],
                None if row % 37 == 0 else row % 2 == 0,
                ("a'b", "\\n", " ä ", "", "too long for it", "${x}")[row % 6],
            )
        )
    return pa.table([pa.array(column) for column in zip(*out, strict=True)], names=FORM.names).cast(FORM)


def frame(table: pa.Table | None = None) -> Any:
    return spark().createDataFrame(lines() if table is None else table).repartition(3)


def made(folder: Path, source: Any = None, schema: pets.Schema = SCHEMA, **more: Any) -> Snapshot:
    given: dict[str, Any] = {"folder": folder, "key": KEY, "engine": "spark", "progress": False} | more
    sources = source if isinstance(source, dict) else {"t": frame() if source is None else source}
    return Snapshot.make_all(schema, tuple(schema.tables), sources, **given)["t"]


def on_duckdb(source: Any = None, schema: pets.Schema = SCHEMA, **more: Any) -> Snapshot:
    sources = source if isinstance(source, dict) else {"t": lines() if source is None else source}
    return Snapshot.make_all(schema, tuple(schema.tables), sources, key=KEY, progress=False, **more)["t"]


def rows(snapshot: Snapshot) -> Counter[str]:
    return Counter(map(str, snapshot.arrow().drop_columns(["person"]).to_pylist()))


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    return made(tmp_path_factory.mktemp("odd") / "x=1 [a]*'")


def test_a_row_has_the_code_and_the_rank_that_it_has_on_duckdb(stored: Snapshot) -> None:
    """Rows that differ are ranked by one hash of one library, wherever they are coded."""
    other = on_duckdb()
    assert stored.report == other.report
    assert stored.report.rows_without_person == 48, "nobody's rows are nobody"
    assert rows(stored) == rows(other)
    kinds = {field.name: field.type for field in other.arrow().schema}
    assert {field.name: field.type for field in stored.arrow().schema} == kinds | {"person": pa.int64()}
    people: dict[int, list[int]] = {}
    for line in stored.arrow().to_pylist():
        people.setdefault(line["person"], []).append(line["rank"])
    assert len(people) == stored.report.people
    assert all(sorted(ranks) == list(range(1, len(ranks) + 1)) for ranks in people.values())


def test_every_engine_reads_what_every_engine_wrote(stored: Snapshot, tmp_path: Path) -> None:
    plan = make_plan(ASKED, SCHEMA)
    assert stored.folder is not None
    both = (Snapshot.open(SCHEMA, "t", stored.folder), on_duckdb(folder=tmp_path / "d"))
    vectors = [tabulate(plan, one, name).reveal().tolist() for one in both for name in ("duckdb", "polars", "spark")]
    assert vectors == vectors[:1] * 6 and any(vectors[0])


def test_rows_that_are_alike_have_places_of_their_own_and_the_chance_that_they_have_on_duckdb(tmp_path: Path) -> None:
    """That it is a fair one is shown there: two rows of one content and one of another, of which one is kept."""
    schema = pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=1), {"id": COLUMNS["id"], "n": COLUMNS["n"]})})
    people = 600
    table = pa.table({"id": [f"p{i}" for i in range(people)] * 3, "n": [1] * people * 2 + [2] * people})
    kept = rows(made(tmp_path / "s", frame(table), schema))
    assert kept == rows(on_duckdb(table, schema)) and len(kept) == 2
    thrice = pa.concat_tables([lines(60)] * 3)
    one, other = made(tmp_path / "t", frame(thrice)), on_duckdb(thrice)
    assert one.report == other.report and rows(one) == rows(other)


PEOPLE = pets.Schema(
    {
        "t": pets.Table(
            pets.Unit("id", max_rows=2), {"id": pets.Identifier(), "n": pets.Integer(0, 9)}, "p", people=50
        ),
        "p": pets.Table(pets.Unit("who"), {"who": pets.Identifier(), "sex": pets.Category(["f", "m"])}, people=50),
        "beds": pets.Table("row", {"free": pets.Integer(0, 9)}),
    },
    dataset="two",
)
EVENTS = pa.table({"id": [i % 20 for i in range(60)], "n": [i % 11 for i in range(60)]})
PERSONS = pa.table({"who": [str(i) for i in range(10)] + ["3", "4", "77"], "sex": ["f", "m"] * 5 + ["m", "m", None]})
BEDS = pa.table({"free": [1, 2, None, 4]})
TABLES = {"t": EVENTS, "p": PERSONS, "beds": BEDS}


def test_a_person_is_one_in_all_tables_and_has_the_columns_of_their_own_row(tmp_path: Path) -> None:
    given: dict[str, Any] = {"folder": tmp_path / "s", "key": KEY, "engine": "spark", "progress": False}
    on = Snapshot.make_all(PEOPLE, ("t", "p", "beds"), {n: frame(t) for n, t in TABLES.items()}, **given)
    off = Snapshot.make_all(PEOPLE, ("t", "p", "beds"), TABLES, key=KEY, progress=False)
    for name, one in on.items():
        assert one.report == off[name].report
    assert all(rows(on[name]) == rows(off[name]) for name in TABLES), "beside a person table, too"
    persons = {line["person"]: line["c0"] for line in on["p"].arrow().to_pylist()}
    attached = on["t"].arrow().to_pylist()
    assert {line["c1"] for line in attached} <= {0, 1, 2}
    assert all(line["c1"] == persons.get(line["person"], 2) for line in attached)
    assert sum(line["person"] in persons for line in attached) == 20  # ten people with two rows each
    assert len({line["person"] for line in on["beds"].arrow().to_pylist()}) == 4
    plan = make_plan(pets.query("t").group_by("sex").agg(n=pets.count(), u=pets.count_units()), PEOPLE)
    assert tabulate(plan, on["t"], "spark").reveal().tolist() == tabulate(plan, off["t"]).reveal().tolist()


def test_people_of_all_groups_have_codes_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many groups there are, and though some of them have nobody."""
    monkeypatch.setattr(making, "PART", 20)
    table = pa.table({"id": [f"p{i % 40}" for i in range(240)], "n": [i % 11 for i in range(240)]})
    schema = pets.Schema({name: pets.Table(PEOPLE.tables["t"].unit, PEOPLE.tables["t"].columns) for name in ("t", "u")})
    given: dict[str, Any] = {"folder": tmp_path / "s", "key": KEY, "engine": "spark", "progress": False}
    sources = {"t": frame(table), "u": frame(table.slice(0, 13))}
    on = Snapshot.make_all(schema, ("t", "u"), sources, **given)
    parts = [len(list((tmp_path / "s" / f"{name}.parquet").iterdir())) for name in ("t", "u")]
    assert parts == [13, 13] and dict(Counter(on["u"].arrow()["rank"].to_pylist())) == {1: 13}
    codes = {name: Counter(one.arrow()["person"].to_pylist()) for name, one in on.items()}
    assert len(codes["t"]) == 40 and set(codes["t"].values()) == {2} and codes["u"].keys() < codes["t"].keys()
    assert max(codes["t"]) < 40 * 13, "they are close to one another"


def test_a_table_without_a_valid_row_has_a_part_without_rows(tmp_path: Path) -> None:
    for name, schema, table in (
        ("people", SCHEMA, lines().slice(4, 1)),
        ("rows", pets.Schema({"t": PEOPLE.tables["beds"]}), pa.table({"free": pa.array([], pa.int64())})),
    ):
        one = made(
            tmp_path / name,
            spark().createDataFrame(table.to_pylist(), "free long") if name == "rows" else frame(table),
            schema,
        )
        assert one.report.rows_kept == 0 and one.arrow().num_rows == 0
        plan = make_plan(pets.query("t").agg(n=pets.count()), schema)
        assert [tabulate(plan, one, engine).reveal().tolist() for engine in ("duckdb", "polars", "spark")] == [[0]] * 3


def test_how_people_are_dealt_out_is_told_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever knew the secret could choose ids that all fall into one group. Nor has Spark the rank key: what it is
    given lies on its workers' disks and goes over its network."""
    key = 0x6B9D_0C4E_55A3_F217
    where, salts, told = staged.bucket, list[int](), list[bytes]()
    pickled = staged.lines

    def lines(frame: Any, act: Any) -> Any:
        cloudpickle.register_pickle_by_value(worker)
        told.append(cloudpickle.dumps(act))
        return pickled(frame, act)

    monkeypatch.setattr(staged, "lines", lines)
    monkeypatch.setattr(making, "lines", lines)
    monkeypatch.setattr(staged, "bucket", lambda salt: salts.append(salt) or where(salt))  # type: ignore[func-returns-value]
    kind = type(frame())
    plans: list[str] = []
    taken = kind.collect

    def collect(given: Any) -> Any:
        plans.append(str(given._jdf.queryExecution()))
        return taken(given)

    monkeypatch.setattr(kind, "collect", collect)
    made(tmp_path / "s", key=key)
    shown = " ".join([*plans, *map(str, everything(tmp_path / "s")), *map(str, told)])
    secrets = [*salts, key]
    assert len(salts) == 1 and len(plans) > 1 and len(told) == 2
    assert not any(f"{one:x}" in shown or str(one) in shown for one in secrets)


def test_too_many_people_are_refused_and_nothing_is_stored(tmp_path: Path) -> None:
    small = pets.Schema({"t": pets.Table(UNIT, COLUMNS, people=29)})
    with pytest.raises(DataError, match="raise 'people' of one of them to a public bound"):
        made(tmp_path / "s", schema=small)
    assert set(everything(tmp_path / "s")) <= {"t.key"}


CANARY = "canary-8471"


def test_no_error_has_what_a_cell_has(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Of our own casts none can fail; what fails in a task is told without its cells. (What logs of Spark tell is read
    where they all are: tests/attacks/test_spark_kills.py.)"""
    large = pa.table({"id": [2.0**60 + 8471, 1.0], "n": [1, 2]})
    schema = pets.Schema({"t": pets.Table(pets.Unit("id"), {"id": COLUMNS["id"], "n": COLUMNS["n"]})})
    with pytest.raises(DataError, match="give whole numbers or text") as refusal:
        made(tmp_path / "t", frame(large), schema)
    out, err = capfd.readouterr()
    assert refusal.value.__context__ is None
    for text in (str(refusal.value), out, err):
        assert str(int(2.0**60 + 8471)) not in text and repr(2.0**60 + 8471) not in text


def test_what_spark_cannot_read_is_one_sentence_and_nothing_is_stored(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    first = made(folder)
    before = everything(folder)
    broken = (
        spark().range(3).selectExpr("raise_error('" + CANARY + "') AS id", *(f"NULL AS {n}" for n in FORM.names[1:]))
    )
    with pytest.raises(DataError, match="Spark could not read or prepare its rows") as refusal:
        made(folder, broken)
    assert CANARY not in str(refusal.value) and everything(folder) == before and first.current
    with pytest.raises(DataError, match="column 'day' of table 't' is not in the pyspark DataFrame"):
        made(folder, frame(pa.table({"id": ["a"]})))
    nested = frame().selectExpr("*").drop("sex").selectExpr("*", "array(1) AS sex")
    with pytest.raises(DataError, match="column 'sex' of table 't' holds lists or structures"):
        made(folder, nested)
    with pytest.raises(DataError, match="table none_such cannot be opened by Spark"):
        made(folder, "table:none_such")
    with pytest.raises(DataError, match="is not read on Spark; give a Spark DataFrame"):
        made(folder, {"t": frame(), "p": EVENTS}, pets.Schema(dict(SCHEMA.tables) | {"p": PEOPLE.tables["beds"]}))
    for more in ({"engine": "duckdb"}, {"folder": None}):
        with pytest.raises(DataError, match=r"engine='spark' and snapshots='file:///…'"):
            made(**({"folder": folder} | more))
    assert everything(folder) == before


class Stopped(BaseException):
    pass


@pytest.mark.parametrize("step", ["stage", "_ranked", "write", "told"])
def test_a_making_that_is_cut_off_leaves_the_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    folder = tmp_path / "s"
    first = on_duckdb(folder=folder)
    before = everything(folder)

    def cut(*_: Any) -> Any:
        raise Stopped

    if step == "told":  # it is committed by then
        monkeypatch.setattr(Store, "tell", cut)
    else:
        monkeypatch.setattr(making.Making, step, cut)
    with pytest.raises(Stopped):
        made(folder)
    monkeypatch.undo()
    assert (Snapshot.open(SCHEMA, "t", folder).id == first.id) == (everything(folder) == before) == (step != "told")
    assert not [path for path in folder.iterdir() if path.name.startswith(".pets")]


def test_tables_and_parquet_are_read_by_name(tmp_path: Path) -> None:
    frame().createOrReplaceTempView("the_stays")
    frame().write.parquet(f"file://{tmp_path}/stays.parquet")
    other = on_duckdb()
    for source in ("table:the_stays", {"t": f"{tmp_path}/stays.parquet", "u": "table:the_stays"}):
        tables = {"t": SCHEMA.tables["t"], "u": SCHEMA.tables["t"]} if isinstance(source, dict) else SCHEMA.tables
        assert rows(made(tmp_path / str(len(tables)), source, pets.Schema(dict(tables)))) == rows(other)
