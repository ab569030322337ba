"""Staged on Spark: every row of a source coded once, by DuckDB on the workers, and dealt out by its person.

It is kept, and not computed again where a worker is lost, because a source may say something else when it is read
again. The folder holds people's ids, and is gone when the snapshot is made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pets.errors import DataError
from pets.rows.coding import coding
from pets.rows.coding.cell import Cell, code_kind, code_type
from pets.rows.ranking import person_seed
from pets.rows.report import ColumnReport
from pets.rows.sources import nested
from pets.rows.spark import worker
from pets.rows.spark.sources import Standing, opened
from pets.rows.staged.staging import Counting, Staged, read_of, selection
from pets.schema.domain import Identifier
from pets.schema.schema import Table


@dataclass(frozen=True)
class OnSpark:
    """One table, read once: its valid rows lie in files, dealt out by their person, or as parts where each is somebody.

    Attributes:
        staged: what became of its rows.
        label: what errors call its source.
        table: as the schema has it.
        columns: each coded column's physical name.
        files: where its valid rows lie.
        kind: DuckDB's type of ``pid`` in them.
    """

    staged: Staged
    label: str
    table: Table
    columns: Mapping[str, str]
    files: tuple[Path, ...]
    kind: str

    def relation(self, name: str, columns: Mapping[str, str]) -> Staged:
        """Its valid rows where a worker has put them into a table of that name: their codes are settled.

        ``columns`` gives each column the physical name that it has in the rows to which they belong.
        """
        clean = {column: ColumnReport() for column in self.staged.names}
        names = {column: columns[column] for column in self.staged.names}
        if names != self.staged.names:
            listed = ", ".join(["pid", *(f"{own} AS {names[column]}" for column, own in self.staged.names.items())])
            name = f"(SELECT {listed} FROM {name})"
        return replace(self.staged, relation=name, names=names, fates=clean)

    @property
    def form(self) -> str:
        """SQL of that table's columns."""
        kinds = {self.columns[column]: code_type(domain) for column, domain in self.staged.domains.items()}
        return ", ".join(f"{column} {kind}" for column, kind in {"pid": self.kind, **kinds}.items())


class Stager:
    """Stages tables into one folder, for one set.

    Args:
        session: our own.
        folder: a private one, which all workers reach.
        salt: by which people are dealt out: equal ids fall together, in whatever table.
    """

    def __init__(self, session: Any, folder: Path, salt: int) -> None:
        self._session, self._folder, self._salt, self._made = session, folder, salt, 0

    def stage(self, name: str, table: Table, source: Any, columns: Mapping[str, str]) -> OnSpark:
        """Read ``source`` once; ``columns`` gives each coded column its physical name."""
        import duckdb

        wanted = read_of(table)
        frame, label = opened(source, name, wanted)
        cells = _cells(frame, wanted, table, name, label)
        chosen, counting = selection(table, cells, "batch", columns, "w"), Counting(table, columns)
        folder = self._folder / f"staged_{self._made}"
        folder.mkdir(mode=0o700)
        self._made += 1
        kind = "" if table.unit.column is None else _kind(cells[table.unit.column])
        settled = {
            columns[column]: coding.settle(domain, columns[column], code_kind(domain) if not kind else None)
            for column, domain in ((one, table.columns[one]) for one in columns if one in table.columns)
        }
        codes = [f"{sql} AS {column}" for column, sql in settled.items()]
        own = _own(kind, self._salt)
        with_person, lacking = f"FILTER (WHERE {counting.person})", f"{counting.person} AND NOT ({counting.lacking})"
        marked = ", ".join(["count(*)", f"count(*) {with_person}", *counting.marked])
        plan = worker.Coding(
            version=duckdb.__version__,
            setup=chosen.setup,
            sql=chosen.sql,
            marked=f"SELECT {marked} FROM coded",
            fates=f"SELECT {', '.join(counting.fates())} FROM coded WHERE {counting.person}",
            valid=f"SELECT {', '.join([*own, *codes])} FROM coded WHERE {lacking}",
            folder=str(folder),
            dealt=bool(kind),
        )
        place = worker.kept(plan, f"{folder}.json")
        before = Standing.of(self._session, frame, label)
        try:
            said = collected(lines(frame, worker.coder(place)))
        except Exception:
            before.check(self._session)
            raise
        before.check(self._session)
        found = [(folder / file, rows) for line in said for file, rows in line["files"]]
        check_all([file for file, _ in found if file.is_file()], [file for file, _ in found])
        total, people, *_ = added([line["counts"] for line in said]) or [0, 0]
        staged = counting.staged("", total, people, added([line["fates"] for line in said]))
        check_all(sum(rows for _, rows in found), staged.rows_valid)
        return OnSpark(staged, label, table, columns, tuple(file for file, _ in found), kind)


def lines(frame: Any, act: worker.Batches) -> Any:
    """A frame of what each task says in which ``act`` runs over its rows of a frame."""
    from pyspark import cloudpickle

    cloudpickle.register_pickle_by_value(worker)
    try:
        return frame.mapInArrow(act, worker.LINE)
    finally:
        cloudpickle.unregister_pickle_by_value(worker)


def collected(frame: Any) -> list[dict[str, Any]]:
    """The lines, read: of each task, Spark takes what one of its tries says."""
    return [json.loads(line["told"]) for line in frame.collect()]


def added(lines: Sequence[Sequence[int]]) -> list[int]:
    """Counts of tasks, place by place; those of a task that has none are left out."""
    return [sum(each) for each in zip(*filter(None, lines), strict=True)]


def check_all(seen: object, wanted: object) -> None:
    """Refuse written rows that are not all in the folder: each worker that does not reach it writes to its own disk.

    Raises :class:`DataError` where what is seen there is not what the workers say that they wrote.
    """
    if seen != wanted:
        raise not_all()


def not_all() -> DataError:
    """The refusal of rows that are not all where they should be."""
    return DataError(
        "not all that the workers of Spark wrote is in the folder of snapshots, and nothing was stored; give a "
        "folder that this machine and all workers reach under one path, such as that of a mounted volume"
    )


def bucket(salt: int) -> str:
    """SQL (DuckDB) of the part into which a person falls: the same for equal texts of an id."""
    return f"CAST({person_seed(salt, 'pid')} % {worker.BUCKETS} AS USMALLINT)"


def _own(kind: str, salt: int) -> list[str]:
    """What stands before the codes: where a row goes to; or, where each is somebody, all of a part's row."""
    if kind:
        return [f"CAST(pid AS {kind}) AS pid", f"{bucket(salt)} AS bucket"]
    number = "CAST(getvariable('start') + row_number() OVER () - 1 AS BIGINT)"
    return ["CAST(1 AS SMALLINT) AS rank", f"{number} AS person"]


def _kind(cell: Cell) -> str:
    """DuckDB's type of a person's id as it is dealt out: small whole numbers stay such, all else is text."""
    return "BIGINT" if cell.family == "int" else "VARCHAR"


def _cells(frame: Any, wanted: list[str], table: Table, name: str, label: str) -> dict[str, Cell]:
    """How each column is read: with the type that its Arrow form has in DuckDB."""
    import duckdb
    from pyspark.sql.pandas.types import to_arrow_schema

    try:
        empty = to_arrow_schema(frame.schema).empty_table()
    except Exception as error:
        raise DataError(
            f"{label} has a column of a type that is not read ({type(error).__name__}); cast it, or leave it out"
        ) from None
    with duckdb.connect(":memory:") as con:
        con.execute("SET TimeZone = 'UTC'")
        con.register("batch", empty)
        kinds = [str(line[1]) for line in con.execute("DESCRIBE SELECT * FROM batch").fetchall()]
    cells = {column: Cell(f"s{place}", kind) for place, (column, kind) in enumerate(zip(wanted, kinds, strict=True))}
    for column, cell in cells.items():
        if cell.nested and not isinstance(table.columns[column], Identifier):
            raise nested(column, name, cell.kind, label)
    return cells
