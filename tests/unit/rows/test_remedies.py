"""Each refusal of data names a remedy, and the remedy works."""

from __future__ import annotations

import contextlib
import gzip
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import pets
from pets.errors import DataError
from pets.rows.drafting import guesses
from pets.rows.limits import Limits
from pets.rows.linked import Linked
from pets.rows.snapshot import Snapshot
from pets.rows.staged.staging import selection
from pets.rows.stored.parts import Part
from pets.rows.stored.store import New, Store, commit
from pets.rows.tabulate import tabulate
from pets.schema.schema import Schema
from tests.remedies import Case, check
from tests.unit.rows import growing_remedies

pytestmark = pytest.mark.chance(0)

COLUMNS = {"id": pets.Identifier(), "x": pets.Integer(0, 9)}
UNIT = pets.Unit("id", max_rows=2)
SCHEMA = Schema({"t": pets.Table(UNIT, COLUMNS)})
PEOPLE = Schema({"t": pets.Table(UNIT, COLUMNS, "p"), "p": pets.Table(pets.Unit("id"), {"id": pets.Identifier()})})
ROWS = pd.DataFrame({"id": ["a", "b"], "x": [1, 2]})
TEXT = b"id,x\na,1\nb,2\n"
Act = Callable[[Path], object]


def made(source: Any = ROWS, schema: Schema = SCHEMA, **more: Any) -> Snapshot:
    return Snapshot.make(schema, "t", source if isinstance(source, dict) else {"t": source}, progress=False, **more)


def encoded(name: str) -> Schema:
    return Schema({"t": pets.Table(UNIT, COLUMNS, encoding=name)})


def file(content: bytes = TEXT, name: str = "t.csv", schema: Schema = SCHEMA) -> Act:
    def act(folder: Path) -> object:
        (folder / name).write_bytes(content)
        return made(folder / name, schema)

    return act


def parquet(cut: int | None = None, **columns: Any) -> Act:
    def act(folder: Path) -> object:
        pq.write_table(pa.table(columns or {"id": ["a"], "x": [1]}), folder / "t.parquet")
        if cut is not None:
            (folder / "t.parquet").write_bytes((folder / "t.parquet").read_bytes()[:cut])
        return made(folder / "t.parquet")

    return act


def guessed(content: bytes | None = TEXT) -> Act:
    def act(folder: Path) -> object:
        if content is not None:
            (folder / "t.csv").write_bytes(content)
        return guesses(folder / "t.csv")

    return act


def stored(change: Callable[[Path], object] = lambda folder: None, schema: Schema = SCHEMA, again: bool = False) -> Act:
    """A stored snapshot that somebody changed; where ``again``, it is then made again."""

    def act(folder: Path) -> object:
        kept = folder / "s"
        made(folder=kept)
        change(kept)
        if again:
            made(folder=kept, schema=schema)
        return Snapshot.open(schema, "t", kept)

    return act


def key(kept: Path) -> Path:
    return next(path for path in kept.iterdir() if "key" in path.name)


def manifest(**change: Any) -> Callable[[Path], object]:
    def act(kept: Path) -> object:
        path = next(path for path in kept.iterdir() if path.suffix == ".json")
        return path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | change), "utf-8")

    return act


def refreshed(open_again: bool) -> Act:
    """Where the system cannot hold a file that was replaced."""

    def act(folder: Path) -> object:
        with patch("pets.common.pinned.DESCRIPTORS", folder / "none"):
            before = made(folder=folder / "s")
            made(folder=folder / "s")
            return (Snapshot.open(SCHEMA, "t", folder / "s") if open_again else before).arrow()

    return act


def overtaken(again: bool) -> Act:
    """Parts are to be kept that somebody else's refresh takes away."""

    def act(folder: Path) -> object:
        made(folder=folder)
        store = Store(folder, "t")
        said, held = store.read()
        if again:
            return made(folder=folder)
        made(folder=folder)
        with store.writing("more") as new:
            body = {name: one for name, one in said.items() if name != "parts"}
            return commit([New(store, new, body, tuple(Part(one.name, 0, "0" * 64) for one in held.parts))])

    return act


def written_to(wrong: bool) -> Act:
    """A file to which somebody else adds a row between its header and its rows."""

    def act(folder: Path) -> object:
        file = folder / "t.csv"
        file.write_bytes(TEXT)

        def adding(*given: Any) -> Any:
            with file.open("ab") as more:
                more.write(b"c,3\n" * wrong)
            return selection(*given)

        with patch("pets.rows.staged.staging.selection", adding):
            return made(file)

    return act


def failing(name: str, wrong: bool) -> Act:
    """A store on which something of that name cannot be put in its place; or which keeps no locks."""
    replace = Path.replace

    def replaced(self: Path, target: Any) -> Path:
        if Path(target).name.endswith(name):
            raise OSError(28, "No space left on device")
        return replace(self, target)

    def act(folder: Path) -> object:
        if not wrong:
            return made(folder=folder / "s")
        if name == "lock":
            with patch("pets.rows.stored.store.fcntl.flock", side_effect=OSError(38, "Function not implemented")):
                return made(folder=folder / "s")
        with patch.object(Path, "replace", replaced):
            return made(folder=folder / "s")

    return act


def unreported(folder: Path) -> object:
    with contextlib.suppress(DataError):
        failing(".report.txt", True)(folder)
    return Snapshot.open(SCHEMA, "t", folder / "s").report


def half_placed(again: bool) -> Act:
    """Two tables, of which one is put in place before the disk is full."""
    schema = Schema({name: pets.Table(UNIT, COLUMNS) for name in ("t", "u")})

    def both(folder: Path) -> object:
        return Snapshot.make_all(schema, ["t", "u"], {"t": ROWS, "u": ROWS}, progress=False, folder=folder)

    def act(folder: Path) -> object:
        replace = Path.replace

        def replaced(self: Path, target: Any) -> Path:
            if Path(target).name == "u.json":
                raise OSError(28, "No space left on device")
            return replace(self, target)

        if again:
            return both(folder / "s")
        with patch.object(Path, "replace", replaced):
            return both(folder / "s")

    return act


def linked(moved: bool) -> Callable[[Path], object]:
    """A part that leads elsewhere, or what it leads to in its place."""

    def act(kept: Path) -> object:
        (part,) = (kept / "t.parquet").iterdir()
        part.rename(kept / "elsewhere")
        part.symlink_to(kept / "elsewhere")
        return (kept / "elsewhere").replace(part) if moved else None

    return act


def together(people: int = 1000) -> dict[str, Snapshot]:
    """Two tables of one person each, who are two people."""
    schema = Schema({name: pets.Table(UNIT, COLUMNS, people=people) for name in ("t", "u")})
    return Snapshot.make_all(schema, ["t", "u"], {"t": ROWS[:1], "u": ROWS[1:]}, progress=False)


def sqlite(address: str, table: str = "t") -> Act:
    def act(folder: Path) -> object:
        with sqlite3.connect(folder / "d.db") as con:
            con.execute(f"CREATE TABLE {table} (id TEXT, x INTEGER)")
        con.close()
        return made(address.format(f"sqlite:///{folder}"))

    return act


def duck(address: str, table: str = "t") -> Act:
    def act(folder: Path) -> object:
        import duckdb

        (folder / "text.db").write_text("no database", "utf-8")
        with duckdb.connect(str(folder / "d.db")) as con:
            con.execute(f"CREATE TABLE {table} (id VARCHAR, x INTEGER)")
            con.execute("CREATE TABLE raw (id VARCHAR, x VARCHAR); INSERT INTO raw VALUES ('a', 'one')")
            con.execute("CREATE VIEW hard AS SELECT id, CAST(x AS INTEGER) AS x FROM raw")
            con.execute("CREATE VIEW soft AS SELECT id, TRY_CAST(x AS INTEGER) AS x FROM raw")
        return made(address.format(f"duckdb:///{folder}"))

    return act


def memtable(computed: bool, **more: Any) -> object:
    import ibis

    frame = pd.DataFrame({"id": ["a", "b"], "x": pd.Series([1, "2"], dtype=object)})
    table = ibis.memtable(frame)
    return made(table.mutate(y=table.id) if computed else frame)


def reader(twice: bool) -> object:
    table = pa.Table.from_pandas(ROWS)
    source = pa.RecordBatchReader.from_batches(table.schema, table.to_batches())
    made(source)
    return made(source if twice else table)


def engine(name: str) -> object:
    plan = pets.plan.plan.make_plan(pets.query("t").agg(n=pets.count()), SCHEMA)
    return tabulate(plan, made(), engine=name)


def latin(name: str) -> Act:
    return file("id,x\nä,1\n".encode("latin-1"), schema=encoded(name))


WIDE = Schema({"t": pets.Table(UNIT, COLUMNS | {"x": pets.Integer(0, 2**60)})})
FEW = Schema({"t": pets.Table(UNIT, COLUMNS, people=1)})
MORE = Schema({"t": pets.Table(UNIT, COLUMNS, people=2)})

CASES = [
    # CSV
    Case(file(b"\n\n"), "whose first line names the columns", file()),
    Case(file(b'"id"x,"x\na,1\n'), "mend the header line", file(b'"id","x"\na,1\n')),
    Case(latin("utf-8"), "such as encoding: latin-1", latin("latin-1")),
    Case(latin("utf-16"), "set the table's encoding to that of the file", latin("latin-1")),
    Case(
        file("ä,id,x\n1,a,1\n".encode("latin-1")),
        "such as encoding: latin-1",
        file("ä,id,x\n1,a,1\n".encode("latin-1"), schema=encoded("latin-1")),
    ),
    Case(file(gzip.compress(TEXT * 100)[:40], "t.csv.gz"), "copy it again", file(gzip.compress(TEXT), "t.csv.gz")),
    Case(
        file(gzip.compress(TEXT * 100)[:40], "t.csv.gz", encoded("latin-1")),
        "copy it again",
        file(gzip.compress(TEXT), "t.csv.gz", encoded("latin-1")),
    ),
    Case(
        file(b"id,x\na,1,2\n"),
        "mend the line (a value that holds the separator stands in quotes)",
        file(b'id,x\na,"1,2"\n'),
    ),
    Case(file(b'id,x\na,"1" "\n'), "double each quote inside a quoted value", file(b'id,x\na,"1"" "\n')),
    Case(file(b'id,x\na,"' + b"1" * 17_000_000 + b'"\n'), "longer than 16 MB", file(b'id,x\na,"1"\n')),
    Case(
        lambda: made(ROWS.assign(id=[1e300, 2e300])),
        "give whole numbers or text",
        lambda: made(ROWS.assign(id=["1", "2"])),
    ),
    Case(
        lambda: made(pd.DataFrame({"id": ["a"], "x": [2.0**54]}), WIDE),
        "give whole numbers or text",
        lambda: made(pd.DataFrame({"id": ["a"], "x": [2**54]}), WIDE),
    ),
    Case(file(b"id,x\r\na,1\nb,2\r\n"), "save it again as plain CSV", file(b"id,x\r\na,1\r\nb,2\r\n")),
    # drafts
    Case(guessed(b""), "a file with a header line and rows", guessed()),
    Case(guessed(None), "check the path", guessed()),
    Case(
        guessed(b"id,x\na,1,2\n"),
        "mend the line (a value that holds the separator stands in quotes)",
        guessed(b'id,x\na,"1,2"\n'),
    ),
    # snapshots
    Case(
        lambda: Linked({"t": together()["t"], "u": together()["u"]}),
        "the custodian makes them again together",
        lambda: Linked(together()),
    ),
    Case(lambda: together(people=1), "raise 'people' of one of them", lambda: together(people=2)),
    Case(lambda: made(schema=FEW), "raise 'people'", lambda: made(schema=MORE)),
    Case(lambda: made({"t": ROWS}, PEOPLE), "there are: t", lambda: made({"t": ROWS, "p": ROWS[["id"]]}, PEOPLE)),
    Case(lambda: made().report.remarks(share=5), "such as 0.05", lambda: made().report.remarks(share=0.05)),
    Case(lambda: made(limits=Limits(memory="lots")), "write it like '4GB'", lambda: made(limits=Limits(memory="4GB"))),
    Case(lambda: made(limits=Limits(threads=0)), "from 1 to 1024", lambda: made(limits=Limits(threads=1))),
    Case(lambda: made(key=-1), "a whole number from 0 to 2^64 - 1", lambda: made(key=1)),
    Case(refreshed(False), "open it again", refreshed(True)),
    Case(overtaken(False), "make it again", overtaken(True)),
    Case(written_to(True), "make the snapshot again when nobody writes to it", written_to(False)),
    Case(lambda: made("table:stays"), "open the session with engine='spark' and snapshots=", lambda: made(ROWS)),
    Case(stored(schema=MORE), "make it again", stored(schema=MORE, again=True)),
    Case(stored(lambda kept: kept.chmod(0o755)), "run: chmod 700 s", stored(lambda kept: kept.chmod(0o700))),
    Case(
        stored(lambda kept: key(kept).write_text("x")),
        "remove it, then make the snapshot again",
        stored(lambda kept: key(kept).unlink(), again=True),
    ),
    Case(stored(lambda kept: key(kept).unlink()), "make it first", stored(again=True)),
    Case(stored(linked(False)), "move what it leads to into its place", stored(linked(True))),
    Case(failing("lock", True), "choose a folder on a disk of this machine", failing("lock", False)),
    Case(failing(".json", True), "mend that, then make the snapshot again", failing(".json", False)),
    Case(half_placed(False), "make all of them again together", half_placed(True)),
    Case(
        failing(".report.txt", True),
        "open a session on the snapshot, whose report() says the same",
        unreported,
    ),
    Case(stored(manifest(layout=0)), "make it again", stored(manifest(layout=0), again=True)),
    Case(
        lambda folder: (folder / "f").touch() or made(folder=folder / "f" / "s"),
        "choose another",
        lambda folder: made(folder=folder / "s"),
    ),
    Case(
        lambda folder: parquet()(folder) and made(folder / "t.parquet", folder=folder),
        "which is no snapshot that pets made, and would be replaced; choose another folder",
        lambda folder: parquet()(folder) and made(folder / "t.parquet", folder=folder / "s"),
    ),
    # files
    Case(lambda: made(3), "give", lambda: made(ROWS)),
    Case(file(b""), "a file with a header line and rows", file()),
    Case(file(TEXT, "t.csv.gz"), "rename it or compress it", file(gzip.compress(TEXT), "t.csv.gz")),
    Case(file(b"[]", "t.json"), "save it as CSV or Parquet", file()),
    Case(file(b"PK\0\0", "t.xlsx"), "save it as one of the two", file()),
    Case(lambda folder: made(folder), "give one CSV or Parquet file", file()),
    Case(lambda folder: made(folder / "none.csv"), "check the path", file()),
    Case(lambda: made(Path("/dev/null")), "give a CSV or Parquet file", file()),
    Case(parquet(cut=20), "copy it again", parquet()),
    Case(file(b"id,y\na,1\n"), "name it as the data do, or leave it out of the schema", file()),
    Case(
        file(b"id,y\na,1\n"),
        "leave it out of the schema",
        file(b"id,y\na,1\n", schema=Schema({"t": pets.Table(UNIT, {"id": pets.Identifier()})})),
    ),
    Case(lambda: made(ROWS.rename(columns={"x": "X "})), "did you mean 'X '?", lambda: made(ROWS)),
    Case(file(b"id,x,x\na,1,1\n"), "rename one of them", file(b"id,x,y\na,1,1\n")),
    Case(parquet(id=["a"], x=[[1]]), "unnest it", parquet(id=["a"], x=[1])),
    Case(lambda: reader(twice=True), "pass a pyarrow Table or a file", lambda: reader(twice=False)),
    # databases
    Case(duck("{}/d.db", "other"), "write the table's name after '#'", duck("{}/d.db#other", "other")),
    Case(duck("{}/d.db#hard"), "such as with TRY_CAST", duck("{}/d.db#soft")),
    Case(duck("{}/text.db"), "is it a DuckDB file", duck("{}/d.db")),
    Case(sqlite("{}/d.db?table=t"), "write the table's name after '#'", sqlite("{}/d.db#t")),
    Case(sqlite("{}/none.db"), "check the URL", sqlite("{}/d.db")),
    Case(sqlite("{}/d.db", "other"), "write the table's name after '#'", sqlite("{}/d.db#other", "other")),
    Case(lambda: made("postgresql://127.0.0.1:1/none?connect_timeout=1"), "check the URL", sqlite("{}/d.db")),
    Case(lambda: memtable(computed=True), "give the frame itself", lambda: memtable(computed=False)),
    Case(lambda: engine("duck"), "there are: duckdb", lambda: engine("duckdb")),
    *growing_remedies.CASES,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says[:40])
def test_each_refusal_names_a_remedy_that_works(case: Case) -> None:
    check(case)
