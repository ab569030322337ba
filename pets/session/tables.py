"""Holdings: which tables a session has, where their rows come from, and their snapshots."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pets.errors import DataError, LeftOutWarning, QueryError, did_you_mean, shown
from pets.plan.plan import Plan
from pets.query_model.query import Query
from pets.rows.growing import append
from pets.rows.limits import Limits
from pets.rows.linked import Linked, apart, one_set
from pets.rows.remarks import LeftOut, unseen
from pets.rows.report import Report
from pets.rows.snapshot import Snapshot
from pets.rows.spark.spark_session import beside
from pets.rows.sql_url import embedded
from pets.schema.people import named
from pets.schema.schema import Schema

NO_SOURCES = "this session was opened on stored snapshots alone; give data= to make them anew"
"""What a refresh says where there is no data to make tables of."""


class Holdings:
    """The custodian's tables, made ready: one snapshot a table, in memory or in a folder.

    Raises :class:`DataError`, for the custodian, when a source cannot be read.
    """

    def __init__(
        self,
        schema: Schema,
        data: Any,
        folder: str | Path | None,
        *,
        progress: bool,
        limits: Limits | None = None,
        engine: str = "duckdb",
    ) -> None:
        self._schema = schema
        self._sources = sources_of(schema, data)
        self._folder = folder_of(folder)
        self._progress, self._engine = progress, engine
        self._limits = limits or Limits()
        self._lock = threading.Lock()
        self._linked: dict[tuple[str, ...], Linked] = {}
        self._grown: dict[str, None] = {}  # tables to which rows were added here
        # without data a session can still quote, and answer on dummy rows: neither reads a row
        self.reused: tuple[str, ...] = ()
        self._snapshots = {} if data is None and folder is None else self._prepare(reuse=True)

    @classmethod
    def ready(cls, schema: Schema, snapshots: Mapping[str, Snapshot]) -> Holdings:
        """Tables that were prepared elsewhere, as they are."""
        made = Holdings(schema, None, None, progress=False)
        made._snapshots = dict(snapshots)
        return made

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that can be asked."""
        return tuple(self._snapshots)

    def snapshot(self, table: str) -> Snapshot:
        """The snapshot that queries on a table read; raises :class:`QueryError` where there is none.

        Raises :class:`UserError` where the Spark that would count it was stopped: found out later, it would be charged.
        """
        if self._engine == "spark":
            beside()
        return self._held(table)

    def _held(self, table: str) -> Snapshot:
        self._schema.table(table)
        if not self._snapshots:
            raise QueryError(f"this session was opened without data; pass data={{{table!r}: source}} to release")
        if table not in self._snapshots:
            raise QueryError(f"this session has no data for table {table!r}{did_you_mean(table, self._snapshots)}")
        with self._lock:
            if not (held := self._snapshots[table]).current:
                # refreshed by the custodian elsewhere: looked at before the charge, for a question about a file that
                # is gone would be charged and never answered
                assert held.folder is not None
                self._snapshots[table] = Snapshot.open(self._schema, table, held.folder, self._limits)
            return self._snapshots[table]

    def answering(self, query: Query) -> Snapshot:
        """The snapshot that answers a query: that of its table, whatever is asked."""
        return self.snapshot(query.table)

    def people_answering(self, plan: Plan) -> Linked:
        """The tables that answer a question about people: those that its features read, whatever is asked."""
        assert plan.people_of is not None
        return self.linked(plan.people_of.tables)

    def linked(self, tables: Iterable[str]) -> Linked:
        """Tables that one question reads together, person by person.

        Raises:
            QueryError: where there is no data for one of them, it has no column that names a person, or they were not
                made together.
        """
        names = tuple(dict.fromkeys(tables))
        for name in names:
            if self._schema.table(name).unit.column is None and len(names) > 1:
                raise QueryError(
                    f"table {name!r} has no column that names a person (unit: row), so it cannot be read together with "
                    "other tables; ask about it alone, or name its unit column in the schema"
                )
        snapshots = {name: self.snapshot(name) for name in names}
        with self._lock:
            held = self._linked.get(names)
            if held is None or any(held.snapshots[name] is not snapshots[name] for name in names):
                # those of other sets are of no more use
                self._linked = {key: one for key, one in self._linked.items() if one.current}
                held = self._linked[names] = Linked(snapshots)
            return held

    @property
    def apart(self) -> str:
        """For the custodian: what to do where the tables with a person were not all made together; else empty."""
        return self._apart(self._snapshots)

    def report(self, table: str | None) -> Report:
        """For the custodian only: the fate of every row of a table."""
        return self._held(table or self.tables[0]).report

    def remarks(self, table: str, share: float) -> tuple[str, ...]:
        """For the custodian only: what to mend in a table's schema, each with its remedy."""
        held = self._held(table)
        return held.report.remarks(share) + self._unseen(held, share)

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """For the custodian only: the tables of which too many rows lack a value that the schema demands."""
        return tuple(found for one in self._snapshots.values() for found in self._left_out(one))

    def _left_out(self, held: Snapshot, before: Report | None = None) -> tuple[LeftOut, ...]:
        return LeftOut.of(held.table, self._schema.table(held.table).columns, held.report, before)

    def _unseen(self, held: Snapshot, share: float) -> tuple[str, ...]:
        """Of an event table of several: the rows that no question about people sees."""
        people = named(self._schema.tables)
        if held.table not in people or len(people) < 2 or held.table in {t.person_table for t in people.values()}:
            return ()
        return unseen(held.table, held.report.rows_valid, held.report.rows_kept, held.max_rows, share)

    def refresh(self) -> None:
        """Make every snapshot anew from its source, under new public ids."""
        if not self._sources:
            raise DataError(NO_SOURCES)
        self._snapshots = self._prepare(reuse=False)
        if lost := [name for name in self._grown if name in self._sources]:
            warnings.warn(
                f"{', '.join(lost)}: made anew from the data that this session was opened with; rows that were added "
                "since count only if they are in these data now, else open a session on all rows and refresh it",
                stacklevel=4,
            )
        self._grown.clear()

    def append(self, data: Any) -> None:
        """Add rows that arrived after all that stored snapshots hold, table by table; as the function does."""
        if self._folder is None:
            raise DataError(
                "rows are added to stored snapshots, and these tables are in memory; open the session with snapshots= "
                "and a folder"
            )
        for name, source in sources_of(self._schema, data).items():
            before = self._held(name).report
            made = append(self._schema, name, source, self._folder, progress=self._progress, limits=self._limits)
            with self._lock:
                self._snapshots[name] = made
                self._grown[name] = None
            for lost in self._left_out(made, before=before):
                warnings.warn(f"of the rows that were added, {lost}", LeftOutWarning, stacklevel=5)

    def _prepare(self, *, reuse: bool) -> dict[str, Snapshot]:
        found: dict[str, Snapshot] = {}
        reused: list[str] = []
        for name in self._schema.tables:
            if reuse and self._folder is not None and Snapshot.stored(self._folder, name):
                found[name] = Snapshot.open(self._schema, name, self._folder, self._limits)
                reused.append(name)
            elif name in self._sources:
                self._check_person_table(name)
        new = [name for name in self._schema.tables if name in self._sources and name not in reused]
        if new:
            how: Any = {"progress": self._progress, "limits": self._limits, "engine": self._engine}
            found |= Snapshot.make_all(self._schema, new, self._sources, folder=self._folder, **how)
        if not reuse:  # what there is no source for stays as it is
            found = self._snapshots | found
        found = {name: found[name] for name in self._schema.tables if name in found}
        if new and len(found) > len(new) and (remark := self._apart(found)):
            warnings.warn(remark, stacklevel=5)
        if not found:
            tables = ", ".join(repr(name) for name in self._schema.tables)
            raise DataError(f"no data was given; pass data={{table: source}} for {tables}")
        self.reused = tuple(reused)
        for one in found.values():
            for lost in self._left_out(one):
                warnings.warn(str(lost), LeftOutWarning, stacklevel=5)
        if any(name in self._sources for name in reused):
            warnings.warn(
                f"stored snapshots are used for {', '.join(reused)}, not the data that was given; "
                "session.refresh() makes them anew from it",
                stacklevel=5,
            )
        return found

    def _apart(self, found: Mapping[str, Snapshot]) -> str:
        people = {name: one for name, one in found.items() if name in named(self._schema.tables)}
        together = len(people) < 2 or one_set(people.values())
        return "" if together else f"{apart(tuple(people))}; each of them is still answered alone"

    def _check_person_table(self, name: str) -> None:
        person = self._schema.table(name).person_table
        if person is not None and person not in self._sources:
            raise DataError(f"table {name!r} attaches its person table {person!r}; give data for {person!r} too")


def sources_of(schema: Schema, data: Any) -> dict[str, Any]:
    """The data as one source a table; raises :class:`DataError` for a table that is not in the schema."""
    if data is None:
        return {}
    if not isinstance(data, Mapping):
        if len(schema.tables) != 1:
            tables = ", ".join(repr(name) for name in schema.tables)
            raise DataError(f"the schema has several tables; pass data={{table: source}} for {tables}")
        return {next(iter(schema.tables)): data}
    for name in data:
        if name not in schema.tables:
            raise DataError(
                f"data was given for table {name!r}, which is not in the schema{did_you_mean(name, schema.tables)}"
            )
    return dict(data)


def folder_of(snapshots: Any) -> Path | None:
    """The folder of stored snapshots, from its path or its ``file:`` URL.

    Raises :class:`DataError` for what is no folder of this machine's file system.
    """
    if snapshots is None:
        return None
    if not isinstance(snapshots, (str, Path)) or "\x00" in str(snapshots):
        raise DataError(f"snapshots must be a folder's path, not {shown(snapshots)}")
    parts = urlsplit(snapshots) if isinstance(snapshots, str) and "://" in snapshots else None
    if parts is None:
        return Path(snapshots)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        raise DataError(
            f"snapshots are stored in a folder of the file system, and {parts.scheme}:// is none; give 'file:///…', a "
            "folder that is mounted here and on all workers"
        )
    return Path(unquote(parts.path))


def origins(schema: Schema, data: Any, folder: str | Path | None) -> dict[str, str]:
    """By table, where its rows come from: a path or an address without its password; never anything of what is in it.

    Tables in memory (data frames, Arrow) come from nowhere that could be told again.
    """
    found: dict[str, str] = {}
    for name, source in sources_of(schema, data).items():
        if not isinstance(source, (str, Path)):
            continue
        text = str(source)
        if text.startswith("table:"):  # of the catalogue of a Spark session
            found[name] = f"spark:{text}"
            continue
        if "://" in text:
            parts = urlsplit(text.partition("#")[0])
            table = text.partition("#")[2] or name
            if parts.scheme in ("sqlite", "duckdb"):
                found[name] = f"file:{embedded(text.partition('#')[0]).resolve()}#{table}"
                continue
            host = parts.netloc.rpartition("@")[2].lower()
            found[name] = f"url:{parts.scheme}://{host}{parts.path}#{table}"
        else:
            found[name] = f"file:{Path(text).expanduser().resolve()}"
    place = folder_of(folder)
    for name in schema.tables if place is not None else ():
        found.setdefault(name, f"file:{Path(place or '').resolve() / name}")
    return found
