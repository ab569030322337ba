"""Staged on Spark: every row of a source coded once, by DuckDB on the workers, and kept beside the new snapshot.

It is kept, and not computed again where a worker is lost, because a source may say something else when it is read
again. The folder holds people's ids, and is gone when the snapshot is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pets.errors import DataError
from pets.rows.coding import coding
from pets.rows.coding.cell import ABOVE, Cell, code_kind
from pets.rows.ranking import person_seed, row_hash
from pets.rows.sources import nested
from pets.rows.spark.sources import Standing, opened
from pets.rows.spark.spark_session import parts as parts
from pets.rows.staged.staging import Staged, counted, read_of, selection
from pets.schema.domain import Identifier
from pets.schema.schema import Table


@dataclass(frozen=True)
class OnSpark:
    """One table, read once: a view of our session with ``person``, ``h`` (a row's place) and the staged codes.

    Attributes:
        staged: what became of its rows, and the SQL of the valid ones.
        view: the view of all rows.
        label: what errors call its source.
        table: as the schema has it.
        columns: each coded column's physical name.
    """

    staged: Staged
    view: str
    label: str
    table: Table
    columns: Mapping[str, str]

    def settled(self, prefix: str = "") -> dict[str, str]:
        """Physical name to the SQL of its final code, on Spark."""
        return {
            column: coding.settle(self.table.columns[name], f"{prefix}{column}", code_kind(self.table.columns[name]))
            for name, column in self.staged.names.items()
        }


class Stager:
    """Stages tables into one folder, for one set.

    Args:
        session: our own.
        prefix: of the names of views, which is free.
        folder: a private one, which all workers reach.
        salt: of the codes of people: equal ids have equal codes under it, in whatever table.
    """

    def __init__(self, session: Any, folder: Path, prefix: str, salt: int) -> None:
        self._session, self._folder, self._prefix, self.salt = session, folder, prefix, salt
        self._kinds: dict[str, dict[str, str]] = {}
        self._made: list[str] = []

    def stage(self, run: Any, name: str, table: Table, source: Any, columns: Mapping[str, str], key: int) -> OnSpark:
        """Read ``source`` once; ``columns`` gives each coded column its physical name, and ``key`` ranks its rows."""
        wanted = read_of(table)
        frame, label = opened(source, name, wanted)
        cells = _cells(frame, wanted, table, name, label)
        view = f"staged_{self._prefix}_{len(self._kinds)}"
        chosen = selection(table, cells, "batch", columns, "w")
        kinds = {columns[c]: code_kind(d, ABOVE) for c, d in table.columns.items() if not isinstance(d, Identifier)}
        codes = [f"CAST({column} AS {kind}) AS {column}" for column, kind in kinds.items()]
        if table.unit.column is None:
            sql = f"SELECT {', '.join(codes)} FROM ({chosen.sql})"
        else:
            settled = [coding.settle(table.columns[c], columns[c]) for c in sorted(self._coded(table))]
            # (Spark's numbers are signed: the hash is moved by half its range, so that its order stays)
            place = f"CAST(CAST({row_hash(person_seed(key, 'pid'), settled)} AS HUGEINT) - {2**63} AS BIGINT)"
            found = ["CAST(pid AS VARCHAR) AS pid", f"{person_code(self.salt)} AS person", f"{place} AS h", *codes]
            sql = f"SELECT {', '.join(found)} FROM ({chosen.sql})"
            kinds = {"pid": "STRING", "person": "BIGINT", "h": "BIGINT"} | kinds
        before = Standing.of(self._session, frame, label)
        try:
            coded = self.write(frame, chosen.setup, sql, kinds, view)
        except Exception:
            before.check(self._session)
            raise
        before.check(self._session)
        self._kinds[view] = kinds
        staged = counted(run, view, table, columns)
        check_all(staged.rows_read, coded)
        return OnSpark(staged, view, label, table, columns)

    @property
    def views(self) -> tuple[str, ...]:
        """Every view that was made."""
        return tuple(self._made)

    def recode(self, one: OnSpark) -> None:
        """Give the people of a staged table their codes under the salt of now; its view stays what it is called."""
        again = f"{one.view}_{len(self._made)}"  # (plans and logs show it, so it does not tell the salt)
        sql = f"SELECT * REPLACE ({person_code(self.salt)} AS person) FROM batch"
        coded = self.write(self._session.table(one.view), (), sql, self._kinds[one.view], again)
        check_all(self._session.table(again).count(), coded)
        self._session.table(again).createOrReplaceTempView(one.view)

    @staticmethod
    def _coded(table: Table) -> list[str]:
        return [column for column, domain in table.columns.items() if not isinstance(domain, Identifier)]

    def write(self, frame: Any, setup: tuple[str, ...], sql: str, kinds: Mapping[str, str], view: str) -> int:
        """Have the workers run ``sql`` over a frame, batch by batch; gives how many rows are in the view of it.

        Of each task, Spark takes what one try says, and that try's file is read from then on.
        """
        import duckdb
        from pyspark import cloudpickle

        from pets.rows.spark import worker

        form = ", ".join(f"{column} {kind}" for column, kind in kinds.items())
        where = self._folder / view
        where.mkdir(mode=0o700)
        cloudpickle.register_pickle_by_value(worker)
        try:
            coded = worker.coder(setup, sql, duckdb.__version__)
            written = worker.stored(coded, str(where), [name for name in ("pid", "person", "h") if name in kinds])
            found = frame.mapInArrow(written, worker.FILES).collect()
        finally:
            cloudpickle.unregister_pickle_by_value(worker)
        files = [where / line["file"] for line in found]
        check_all([file for file in files if file.is_file()], files)
        rows = parts(self._session, files, form) if files else self._session.createDataFrame([], form)
        rows.createOrReplaceTempView(view)
        self._made.append(view)
        return sum(int(line["rows"]) for line in found)


def check_all(seen: object, wanted: object) -> None:
    """Refuse written rows that are not all in the folder: each worker that does not reach it writes to its own disk.

    Raises :class:`DataError` where what is seen there is not what the workers say that they wrote.
    """
    if seen != wanted:
        raise DataError(
            "not all that the workers of Spark wrote is in the folder of snapshots, and nothing was stored; give a "
            "folder that this machine and all workers reach under one path, such as that of a mounted volume"
        )


def person_code(salt: int) -> str:
    """SQL (DuckDB) of a person's code under a salt: 62 bits, the same for equal texts of an id.

    (One bit less than there is room for: people who are added to the snapshot later are numbered after all of these.)
    """
    hashed = f"hash(hash(CAST({salt} AS UBIGINT), CAST(pid AS VARCHAR)))"
    return f"CASE WHEN pid IS NOT NULL THEN CAST({hashed} >> 2 AS BIGINT) END"


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
