"""Snapshot: the custodian's data made ready once — coded, clamped, ranked per person, stored in the order of rank.

After that a bounded query is a plain ``WHERE rank <= K GROUP BY …`` over small integers. A snapshot's public name is
random: it says nothing about any content.
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

from pets.common.entropy import random_id, rank_key
from pets.errors import DataError, UserError
from pets.rows.coding.cell import parquet
from pets.rows.limits import Limits
from pets.rows.ranking import physical, prepare, stored_ranks
from pets.rows.report import Report
from pets.rows.roster import Roster
from pets.rows.scratch_db import Bench, Progress
from pets.rows.sources import Source, plain, table_key
from pets.rows.spark.making import make_on_spark
from pets.rows.spark.sources import ON_DUCKDB, on_spark
from pets.rows.stored.counters import fixed
from pets.rows.stored.kinds import arrow_schema, kinds_of
from pets.rows.stored.manifest import completed
from pets.rows.stored.parts import Held
from pets.rows.stored.store import New, Store, commit
from pets.rows.stored.writing import running, stored
from pets.schema.schema import Schema

if TYPE_CHECKING:
    import pyarrow as pa

BEGAN_AGAIN = (
    "note: an earlier preparation here was cut off before its end; nothing of it is used, and this one begins anew"
)
WIDE_ROWS = 8
"""The wide table is built for tables that keep at most this many rows of a person."""


class Snapshot:
    """One table, coded and ranked; made with :meth:`make`, or opened from a folder with :meth:`open`.

    Attributes:
        id: the public name, 128 random bits in hex; every refresh has a new one.
        set_id: the public name, as random, of the tables that were made together with it: codes of people mean the same
            in all of them. ``None`` where it was stored by a version that numbered people table by table.
        table: the table's name in the schema.
        relation, wide: what :meth:`connection` calls its rows, and what :meth:`ensure_wide` makes of them. They follow
            from the table's name alone, so that what was compiled for one snapshot holds for another.
        schema_digest: the digest of the schema it was made for.
        max_rows: rows kept of one person; ranks are 1 to this.
        columns: each queryable column (own and attached, no identifiers) to its physical name c0, c1, …
        ranks: each set of columns within which a person's rows are ranked, to the physical name g0, g1, … of that rank.
        report: the fate of every row, for the custodian only.
        folder: where it is stored; ``None`` in memory.
        limits: what DuckDB may take when it is asked.
    """

    def __init__(
        self,
        schema: Schema,
        table: str,
        public_id: str,
        report: Report,
        *,
        set_id: str | None,
        folder: Path | None,
        bench: Bench | None,
        held: Held | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.id = public_id
        self.set_id = set_id
        self.table = table
        self.relation, self.wide = _relation(table), f"wide_{table_key(table)}"
        self.schema_digest = schema.digest
        self.max_rows = schema.table(table).unit.max_rows
        self.columns: Mapping[str, str] = MappingProxyType(physical(schema, table))
        self.ranks: Mapping[tuple[str, ...], str] = MappingProxyType(stored_ranks(schema, table))
        self.report = report
        self.folder = folder
        self.limits = limits or Limits()
        self._bench = bench
        self._held = held
        self._kinds = kinds_of(schema, table)
        self._backend: Any = None
        self._types: dict[str, Any] = {}
        self._widened = False
        self._lock = threading.RLock()

    @classmethod
    def make(
        cls,
        schema: Schema,
        table: str,
        sources: Mapping[str, Source],
        *,
        folder: str | Path | None = None,
        key: int | None = None,
        progress: bool = True,
        limits: Limits | None = None,
    ) -> Snapshot:
        """Read the data of one table (and of its person table) and make it ready, a set of its own.

        Args:
            schema: the public description.
            table: which of its tables.
            sources: a source for each table's name.
            folder: store it there, readable by the owner only, and reuse the rank key of an earlier one (so a refresh
                keeps the same rows of people whose data did not change). ``None`` keeps it in memory.
            key: fixes the rank key; for tests.
            progress: show on stderr what takes longer than a second.
            limits: what DuckDB may take, now and when the snapshot is asked.

        Raises :class:`DataError` with one plain sentence for data that cannot be read. An earlier snapshot in the
        folder stays as it was until the new one is complete.
        """
        given = {"folder": folder, "key": key, "progress": progress, "limits": limits}
        return cls.make_all(schema, (table,), sources, **given)[table]  # type: ignore[arg-type]

    @classmethod
    def make_all(
        cls,
        schema: Schema,
        tables: Sequence[str],
        sources: Mapping[str, Source],
        *,
        folder: str | Path | None = None,
        key: int | None = None,
        progress: bool = True,
        limits: Limits | None = None,
        engine: str = "duckdb",
    ) -> dict[str, Snapshot]:
        """Make several tables ready together, as one set: a person has the same code in each of them.

        Arguments and errors are those of :meth:`make`. All are stored, or none is. On the engine ``"spark"`` they are
        made ready there if it reads all their data (see :mod:`pets.rows.spark.sources`) and there is a folder, which
        its workers reach, too; otherwise by DuckDB, which a line on stderr then says.
        """
        problem: UserError
        try:
            return cls._make_all(schema, tables, sources, folder, key, progress, limits or Limits(), engine)
        except UserError as error:
            problem = error
        # raised here, outside the handler, so that no engine's error (it may quote a line of data) hangs on to it
        problem.__context__ = None
        raise problem.with_traceback(None)

    @classmethod
    def _make_all(
        cls,
        schema: Schema,
        tables: Sequence[str],
        sources: Mapping[str, Source],
        folder: str | Path | None,
        key: int | None,
        progress: bool,
        limits: Limits,
        engine: str,
    ) -> dict[str, Snapshot]:
        for table in tables:
            schema.table(table)
        if key is not None and not 0 <= key < 2**64:
            raise DataError("key must be a whole number from 0 to 2^64 - 1")
        stores = [None if folder is None else Store(Path(folder), table) for table in tables]
        places = [store for store in stores if store is not None]
        for place in places:
            place.prepare()
        if on_spark(schema, tables, sources, engine, stored=bool(places)):
            made = make_on_spark(schema, tables, sources, places, key, set_id := random_id())
            rest: dict[str, Any] = {"set_id": set_id, "folder": places[0].folder, "bench": None, "limits": limits}
            return {t: cls(schema, t, one.id, one.report, held=one.held, **rest) for t, one in made.items()}
        if engine == "spark" and progress:
            print(ON_DUCKDB, file=sys.stderr)
        bench = Bench(places[0].folder if places else None, limits)
        if bench.began_again and progress:
            print(BEGAN_AGAIN, file=sys.stderr)
        roster, set_id = Roster(bench.con, schema, len(tables)), random_id()
        reports: dict[str, Report] = {}
        written: list[New] = []
        held: list[Held] = []
        ids = {table: random_id() for table in tables}
        try:
            with ExitStack() as files:
                for table, store in zip(tables, stores, strict=True):
                    chosen = key if key is not None else rank_key() if store is None else store.key()[0]
                    with bench.making() as scratch, Progress(bench.con, f"snapshot of {table}", progress) as watch:
                        run = running(bench, watch)
                        ready = prepare(run, bench.con, schema, table, sources, chosen, scratch, roster)
                        if store is None:
                            relation, most = _relation(table), schema.table(table).unit.max_rows
                            run(f"CREATE TABLE {relation} AS {ready.rows}", "storing in the order of rank")
                            reports[table] = completed(run, ready.report, relation, most)
                        else:
                            at = (store, files.enter_context(store.writing(ids[table])), ids[table], set_id)
                            grows = len(tables) == 1 and not fixed(schema, table)
                            new, reports[table] = stored(run, bench, schema, ready, roster, at, grows=grows)
                            written.append(new)
                if written:
                    held = commit(written)
                for one in written:
                    one.store.tell(str(reports[one.store.table]))
            bench.clear("roster")
            if folder is not None:
                bench.close()
            return {
                table: cls(
                    *(schema, table, ids[table], reports[table]),
                    set_id=set_id,
                    folder=None if store is None else store.folder,
                    bench=bench if store is None else None,
                    held=held[index] if held else None,
                    limits=limits,
                )
                for index, (table, store) in enumerate(zip(tables, stores, strict=True))
            }
        except BaseException as error:
            bench.close()
            if isinstance(error, (UserError, KeyboardInterrupt)) or not isinstance(error, Exception):
                raise
            raise plain(error, f"table {table!r}") from None

    @classmethod
    def open(cls, schema: Schema, table: str, folder: str | Path, limits: Limits | None = None) -> Snapshot:
        """Open a stored snapshot, which DuckDB will read within the limits.

        Raises :class:`DataError` with one plain sentence when it was made for another schema, when a file of it is
        missing, was changed, or can be read by anybody but its owner.
        """
        schema.table(table)
        store = Store(Path(folder), table)
        manifest, held = store.of(schema)
        return cls(
            *(schema, table, str(manifest["id"]), Report.from_json(manifest["report"])),
            set_id=manifest.get("set"),
            folder=store.folder,
            bench=None,
            held=held,
            limits=limits,
        )

    @staticmethod
    def stored(folder: str | Path, table: str) -> bool:
        """Whether the folder holds a snapshot of the table."""
        return Store(Path(folder), table).json.exists()

    def connection(self) -> Any:
        """The Ibis DuckDB backend that holds :attr:`relation` (and, after :meth:`ensure_wide`, :attr:`wide`).

        It has ``rank`` (from 1), ``person`` (a code for equality alone, the same in every table of the set) and ``c0``,
        ``c1``, … (never null: the null code is the domain's ``cells``), then the stored ranks, ordered by rank.
        """
        import ibis

        with self._lock:
            if self._held is not None:
                self._read()
            if self._bench is None:
                bench = Bench(None, self.limits)
                self.view(bench)
                self._bench = bench
            if self._backend is None:
                self._backend = ibis.duckdb.from_connection(self._bench.con)
                # the connection lives as long as whoever uses it
                weakref.finalize(self._backend, _let_go, self._bench).atexit = False
            return self._backend

    def unbound(self, name: str | None = None) -> Any:
        """:attr:`relation`, or :attr:`wide`, as an Ibis table of no backend.

        DuckDB is asked for its types once: what is prepared stays as it is.
        """
        import ibis

        name = self.relation if name is None else name
        with self._lock:
            if name not in self._types:
                self._types[name] = self.connection().get_schema(name)
            return ibis.table(self._types[name], name=name)

    def view(self, bench: Bench) -> None:
        """Give a workbench the view :attr:`relation` of the stored parts."""
        links = [bench.link(path, f"{self.relation}-{place}") for place, path in enumerate(self._read())]
        # (one type whichever engine wrote it: what is compiled for one snapshot is run on another)
        typed = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in self._kinds.items())
        bench.con.execute(f"CREATE VIEW {self.relation} AS SELECT * REPLACE ({typed}) FROM {parquet(*links)}")

    def ensure_wide(self) -> bool:
        """Build table :attr:`wide` once, where ``1 < max_rows <= 8``; says whether it exists.

        It has one row per person and no id: ``n`` (rows kept) and ``c{i}_{k}`` for k = 1 to ``max_rows``, null where
        k is greater than n. It answers how many people have a row such that … without counting distinct people.
        """
        if not 1 < self.max_rows <= WIDE_ROWS:
            return False
        with self._lock:
            self.connection()
            if not self._widened:
                # one slice of the ranks after another: far cheaper than grouping every row by person
                kept = range(1, self.max_rows + 1)
                slots = [f"r{k}.{column} AS {column}_{k}" for column in self.columns.values() for k in kept]
                count = " + ".join(["1", *(f"CAST(r{k}.person IS NOT NULL AS TINYINT)" for k in kept[1:])])
                joins = " ".join(
                    f"LEFT JOIN (SELECT * FROM {self.relation} WHERE rank = {k}) r{k} ON r1.person = r{k}.person"
                    for k in kept[1:]
                )
                assert self._bench is not None
                # a cursor of its own: the root connection may be in use by a query that is being compiled
                self._bench.con.cursor().execute(
                    f"CREATE TABLE {self.wide} AS SELECT {', '.join([f'CAST({count} AS UTINYINT) AS n', *slots])} "
                    f"FROM (SELECT * FROM {self.relation} WHERE rank = 1) r1 {joins}"
                )
                self._widened = True
        return True

    def files(self) -> list[Path] | None:
        """The parts by their names, for an engine in other processes; ``None`` in memory.

        Raises :class:`DataError` where a refresh has put others in their place: by their names nobody can hold them.
        """
        if self._held is not None and not self.current:
            raise self._refreshed()
        return None if self._held is None else list(self._held.parts)

    def arrow(self) -> pa.Table:
        """The whole coded table as Arrow, for engines other than DuckDB (memory-mapped where it is stored)."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        if self._held is not None:
            parts = (pq.read_table(path, memory_map=True, partitioning=None) for path in self._read())
            return pa.concat_tables(part.cast(arrow_schema(part.schema, self._kinds)) for part in parts)
        self.connection()
        assert self._bench is not None
        return self._bench.con.cursor().sql(f"SELECT * FROM {self.relation}").to_arrow_table()

    @property
    def current(self) -> bool:
        """Whether its files are still there, and no refresh has put others in their place; never reads them."""
        return self._held is None or self._held.current

    def _read(self) -> list[Path]:
        """The parts that this snapshot is, also where a refresh has put others in their place; never those others."""
        assert self._held is not None
        if not self._held.held and not self.current:
            raise self._refreshed()
        return self._held.readable

    def _refreshed(self) -> DataError:
        return DataError(f"the snapshot of table {self.table!r} was refreshed or removed; open it again")

    def __repr__(self) -> str:
        return f"Snapshot(table={self.table!r}, id={self.id!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Snapshot holds rows of people and is never pickled; store it with folder= and open it there")


def _relation(table: str) -> str:
    return f"rows_{table_key(table)}"


def _let_go(bench: Bench) -> None:
    """Hold a workbench until whoever uses it is gone."""
