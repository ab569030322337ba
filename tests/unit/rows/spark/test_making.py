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
from pets.rows.spark import making, staged
from pets.rows.tabulate import tabulate
from tests.sparks import spark
from tests.unit.rows.test_snapshot import everything

pytest.importorskip("pyspark", reason="the spark extra")

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


def test_rows_that_are_alike_have_a_fair_chance_each_and_places_of_their_own(tmp_path: Path) -> None:
    """Two rows of one content and one of another, of which one is kept: χ² of what is kept, over 3,000 people."""
    schema = pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=1), {"id": COLUMNS["id"], "n": COLUMNS["n"]})})
    people = 3000
    table = pa.table({"id": [f"p{i}" for i in range(people)] * 3, "n": [1] * people * 2 + [2] * people})
    kept = Counter(made(tmp_path / "s", frame(table), schema).arrow()["c0"].to_pylist())
    assert sum(kept.values()) == people
    ones, twos = kept[1 + 5], kept[2 + 5]
    chi = (ones - 2 * people / 3) ** 2 / (2 * people / 3) + (twos - people / 3) ** 2 / (people / 3)
    assert chi < 11  # one key, drawn once: it holds or does not, on every run; by chance once in a thousand keys


def test_where_rows_are_alike_as_many_of_a_person_are_kept_as_on_duckdb(tmp_path: Path) -> None:
    table = pa.concat_tables([lines(60)] * 3)
    one, other = made(tmp_path / "s", frame(table)), on_duckdb(table)
    assert one.report == other.report
    ids = [Counter(Counter(snapshot.arrow()["person"].to_pylist()).values()) for snapshot in (one, other)]
    assert ids[0] == ids[1]


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
    assert rows(on["p"]) == rows(off["p"]) and rows(on["beds"]) == rows(off["beds"])
    persons = {line["person"]: line["c0"] for line in on["p"].arrow().to_pylist()}
    attached = on["t"].arrow().to_pylist()
    assert {line["c1"] for line in attached} <= {0, 1, 2}
    assert all(line["c1"] == persons.get(line["person"], 2) for line in attached)
    assert sum(line["person"] in persons for line in attached) == 20  # ten people with two rows each
    assert len({line["person"] for line in on["beds"].arrow().to_pylist()}) == 4
    plan = make_plan(pets.query("t").group_by("sex").agg(n=pets.count(), u=pets.count_units()), PEOPLE)
    assert tabulate(plan, on["t"], "spark").reveal().sum() == tabulate(plan, off["t"]).reveal().sum()


def test_two_people_of_one_code_are_told_apart_under_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, salts = staged.person_code, []

    def few(salt: int) -> str:
        salts.append(salt)
        return code(salt) if len(salts) > 1 else f"({code(salt)}) % 4"

    kind = type(frame())
    named: set[str] = set()
    created = kind.createOrReplaceTempView

    def called(given: Any, name: str) -> None:
        named.add(name)
        created(given, name)

    monkeypatch.setattr(staged, "person_code", few)
    monkeypatch.setattr(kind, "createOrReplaceTempView", called)
    one, other = made(tmp_path / "s"), on_duckdb()
    assert len(set(salts)) == 2 and one.report == other.report and rows(one) == rows(other)
    shown = " ".join(named)  # in plans, in the log of events and in paths
    assert named and not any(f"{salt:x}" in shown or str(salt) in shown for salt in salts)


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


@pytest.mark.parametrize("step", ["stage", "_ranked", "kept", "close"])
def test_a_making_that_is_cut_off_leaves_the_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, stored: Snapshot
) -> None:
    folder = tmp_path / "s"
    first = on_duckdb(folder=folder)
    before = everything(folder)

    def cut(*_: Any) -> Any:
        raise Stopped

    monkeypatch.setattr(making.Making, step, cut)
    with pytest.raises(Stopped):
        made(folder)
    monkeypatch.undo()
    left = everything(folder)
    if step != "close":
        assert left == before and Snapshot.open(SCHEMA, "t", folder).id == first.id
    else:  # it was committed before
        assert Snapshot.open(SCHEMA, "t", folder).id != first.id
    assert not [path for path in folder.iterdir() if path.name.startswith(".pets")]


def test_tables_and_parquet_are_read_by_name(tmp_path: Path) -> None:
    frame().createOrReplaceTempView("the_stays")
    frame().write.parquet(f"file://{tmp_path}/stays.parquet")
    other = on_duckdb()
    for source in ("table:the_stays", {"t": f"{tmp_path}/stays.parquet", "u": "table:the_stays"}):
        tables = {"t": SCHEMA.tables["t"], "u": SCHEMA.tables["t"]} if isinstance(source, dict) else SCHEMA.tables
        assert rows(made(tmp_path / str(len(tables)), source, pets.Schema(dict(tables)))) == rows(other)
