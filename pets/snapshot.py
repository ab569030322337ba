"""Snapshot: the custodian's data made ready once — coded, clamped, ranked per person, stored in the order of rank.

After that a bounded query is a plain ``WHERE rank <= K GROUP BY …`` over small integers. A snapshot's public name is
random: it says nothing about any content.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import json
import os
import shutil
import stat
import sys
import tempfile
import threading
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote

from pets.codec import Json, canonical
from pets.coding import quoted
from pets.entropy import random_id, rank_key
from pets.errors import DataError, UserError
from pets.ranking import SCRAPS, physical, prepare
from pets.report import Report
from pets.schema import Schema
from pets.sources import Source, plain

if TYPE_CHECKING:
    import pyarrow as pa

WIDE_ROWS = 8
"""The wide table is built for tables that keep at most this many rows of a person."""

_LAYOUT = 1  # of the stored folder; a change of the layout or of the coding raises it


class Snapshot:
    """One table, coded and ranked; made with :meth:`make`, or opened from a folder with :meth:`open`.

    Attributes:
        id: the public name, 128 random bits in hex; every refresh has a new one.
        table: the table's name in the schema.
        schema_digest: the digest of the schema it was made for.
        max_rows: rows kept of one person; ranks are 1 to this.
        columns: each queryable column (own and attached, no identifiers) to its physical name c0, c1, …
        report: the fate of every row, for the custodian only.
        folder: where it is stored; ``None`` in memory.
    """

    def __init__(
        self, schema: Schema, table: str, public_id: str, report: Report, *, folder: Path | None, bench: _Bench | None
    ) -> None:
        self.id = public_id
        self.table = table
        self.schema_digest = schema.digest
        self.max_rows = schema.table(table).unit.max_rows
        self.columns: Mapping[str, str] = MappingProxyType(physical(schema, table))
        self.report = report
        self.folder = folder
        self._bench = bench
        self._store = None if folder is None else _Store(folder, table)
        self._stamp = None if self._store is None else _stamp(self._store.parquet)
        self._backend: Any = None
        self._wide = False
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
        memory_limit: str | None = None,
    ) -> Snapshot:
        """Read the data of one table (and of its person table) and make it ready.

        Args:
            schema: the public description.
            table: which of its tables.
            sources: a source for each table's name.
            folder: store it there, readable by the owner only, and reuse the rank key of an earlier one (so a refresh
                keeps the same rows of people whose data did not change). ``None`` keeps it in memory.
            key: fixes the rank key; for tests.
            progress: show on stderr what takes longer than a second.
            memory_limit: for DuckDB, such as ``"4GB"``; more than that goes to a private temporary folder. Left out:
                60 % of the machine's memory.

        Raises :class:`DataError` with one plain sentence for data that cannot be read. An earlier snapshot in the
        folder stays as it was until the new one is complete.
        """
        problem: UserError
        try:
            return cls._make(schema, table, sources, folder, key, progress, memory_limit)
        except UserError as error:
            problem = error
        # raised here, outside the handler, so that no engine's error (it may quote a line of data) hangs on to it
        problem.__context__ = None
        raise problem.with_traceback(None)

    @classmethod
    def _make(
        cls,
        schema: Schema,
        table: str,
        sources: Mapping[str, Source],
        folder: str | Path | None,
        key: int | None,
        progress: bool,
        memory_limit: str | None,
    ) -> Snapshot:
        schema.table(table)
        if key is not None and not 0 <= key < 2**64:
            raise DataError("key must be a whole number from 0 to 2^64 - 1")
        store = None if folder is None else _Store(Path(folder), table)
        if store is not None:
            store.prepare()
            key = store.key()[0] if key is None else key
        public_id = random_id()
        bench = _Bench(None if store is None else store.folder, memory_limit)
        try:
            with _Progress(bench.con, f"snapshot of {table}", progress) as watch:

                def run(sql: str, doing: str) -> Any:
                    watch.step(doing)
                    try:
                        return bench.con.execute(sql)
                    except Exception as error:
                        # how DuckDB reports Ctrl-C: while it works itself, and while it waits for a Python reader
                        stopped = isinstance(error, RuntimeError) and "interrupted" in str(error)
                        if stopped or "KeyboardInterrupt" in str(error):
                            raise KeyboardInterrupt from None
                        raise

                chosen = rank_key() if key is None else key
                ready = prepare(run, bench.con, schema, table, sources, chosen, bench.scratch)
                if store is None:
                    run(f"CREATE TABLE snap AS {ready.rows}", "storing in the order of rank")
                    report = _completed(run, ready.report, "snap", schema.table(table).unit.max_rows)
                    bench.clear()
                    return cls(schema, table, public_id, report, folder=None, bench=bench)
                with store.writing(public_id) as new:
                    target = bench.link(new, "new")
                    run(
                        f"COPY ({ready.rows}) TO {quoted(target)} "
                        "(FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)",
                        "storing in the order of rank",
                    )
                    relation = f"read_parquet({quoted(target)})"
                    report = _completed(run, ready.report, relation, schema.table(table).unit.max_rows)
                    store.commit(new, _manifest(schema, table, public_id, report))
            bench.close()
            return cls(schema, table, public_id, report, folder=store.folder, bench=None)
        except BaseException as error:
            bench.close()
            if isinstance(error, (UserError, KeyboardInterrupt)) or not isinstance(error, Exception):
                raise
            raise plain(error, f"table {table!r}") from None

    @classmethod
    def open(cls, schema: Schema, table: str, folder: str | Path) -> Snapshot:
        """Open a stored snapshot.

        Raises :class:`DataError` with one plain sentence when it was made for another schema, when a file of it is
        missing, was changed, or can be read by anybody but its owner.
        """
        schema.table(table)
        store = _Store(Path(folder), table)
        manifest = store.read()
        if manifest.get("schema") != schema.digest:
            raise DataError(f"the snapshot of table {table!r} was made for another schema; make it again")
        return cls(
            schema, table, str(manifest["id"]), Report.from_json(manifest["report"]), folder=store.folder, bench=None
        )

    def connection(self) -> Any:
        """The Ibis DuckDB backend that holds ``snap`` (and, after :meth:`ensure_wide`, ``wide``).

        ``snap`` has ``rank`` (from 1), ``person`` (a dense code that means nothing outside) and ``c0``, ``c1``, …
        (never null: the null code is the domain's ``cells``), ordered by rank.
        """
        import ibis

        with self._lock:
            self._current()
            if self._bench is None:
                assert self._store is not None
                bench = _Bench(None, None)
                path = quoted(bench.link(self._store.parquet, "snap"))
                bench.con.execute(f"CREATE VIEW snap AS SELECT * FROM read_parquet({path})")
                self._bench = bench
            if self._backend is None:
                self._backend = ibis.duckdb.from_connection(self._bench.con)
                self._backend._pets_bench = self._bench  # the connection lives as long as whoever uses it
            return self._backend

    def ensure_wide(self) -> bool:
        """Build table ``wide`` once, where ``1 < max_rows <= 8``; says whether it exists.

        It has one row per person and no id: ``n`` (rows kept) and ``c{i}_{k}`` for k = 1 to ``max_rows``, null where
        k is greater than n. It answers how many people have a row such that … without counting distinct people.
        """
        if not 1 < self.max_rows <= WIDE_ROWS:
            return False
        with self._lock:
            self.connection()
            if not self._wide:
                slots = [
                    f"max({column}) FILTER (rank = {k}) AS {column}_{k}"
                    for column in self.columns.values()
                    for k in range(1, self.max_rows + 1)
                ]
                assert self._bench is not None
                self._bench.con.execute(
                    f"CREATE TABLE wide AS SELECT {', '.join(['max(rank) AS n', *slots])} FROM snap GROUP BY person"
                )
                self._wide = True
        return True

    def arrow(self) -> pa.Table:
        """The whole coded table as Arrow, for engines other than DuckDB (memory-mapped where it is stored)."""
        import pyarrow.parquet as pq

        if self._store is not None:
            self._current()
            return pq.read_table(self._store.parquet, memory_map=True, partitioning=None)
        self.connection()
        assert self._bench is not None
        return self._bench.con.cursor().sql("SELECT * FROM snap").to_arrow_table()

    def _current(self) -> None:
        """Refuse to read a file that a refresh has put in place of the one this snapshot is."""
        if self._store is not None and _stamp(self._store.parquet) != self._stamp:
            raise DataError(f"the snapshot of table {self.table!r} was refreshed or removed; open it again")

    def __repr__(self) -> str:
        return f"Snapshot(table={self.table!r}, id={self.id!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Snapshot holds rows of people and is never pickled; store it with folder= and open it there")


def _completed(run: Any, report: Report, relation: str, max_rows: int) -> Report:
    counts = dict(run(f"SELECT rank, count(*) FROM {relation} GROUP BY rank", "counting rows kept").fetchall())
    kept = tuple(accumulate(counts.get(k, 0) for k in range(1, max_rows + 1)))
    return replace(report, rows_kept=kept[-1], kept_per_k=kept)


def _manifest(schema: Schema, table: str, public_id: str, report: Report) -> Json:
    return {
        "layout": _LAYOUT,
        "id": public_id,
        "table": table,
        "schema": schema.digest,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "columns": physical(schema, table),
        "report": report.to_json(),
    }


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


class _Bench:
    """A private DuckDB in memory, with an owner-only folder for what does not fit; both vanish with it."""

    def __init__(self, near: Path | None, memory_limit: str | None) -> None:
        import duckdb

        if near is not None:
            _sweep(near)
        self.scratch = Path(tempfile.mkdtemp(prefix=".pets-" if near is not None else "pets-", dir=near))  # mode 0700
        lock = os.open(self.scratch, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # held for life: tells _sweep that somebody is at work
        self.con = duckdb.connect(":memory:")
        self.close = weakref.finalize(self, _discard, self.con, self.scratch, lock, os.getpid())
        if memory_limit is None:
            (default,) = self.con.execute("SELECT current_setting('memory_limit')").fetchall()[0]
            number, unit = str(default).split()
            memory_limit = f"{float(number) * 0.75:.1f}{unit}"  # DuckDB's own default is 80 % of the memory
        for setting in (
            "autoinstall_known_extensions = false",
            "enable_progress_bar = true",
            "TimeZone = 'UTC'",
            "enable_progress_bar_print = false",
            f"temp_directory = {quoted(str(self.scratch / 'spill'))}",
        ):
            self.con.execute(f"SET {setting}")
        try:
            self.con.execute(f"SET memory_limit = {quoted(memory_limit)}")
        except duckdb.Error:
            self.close()
            raise DataError(f"memory_limit {memory_limit!r} is not a size; write it like '4GB'") from None

    def link(self, path: Path, name: str) -> str:
        """A plain name for a file, because DuckDB takes '*' and '[' in a path as a pattern."""
        link = self.scratch / name
        link.unlink(missing_ok=True)
        link.symlink_to(path.resolve())
        return str(link)

    def clear(self) -> None:
        """Drop everything that only the making needed."""
        self.con.execute("; ".join(f"DROP TABLE IF EXISTS {name}" for name in SCRAPS))


def _discard(con: Any, scratch: Path, lock: int, owner: int) -> None:
    if os.getpid() != owner:  # a forked child must not remove what its parent uses
        return
    with contextlib.suppress(Exception):
        con.close()
    shutil.rmtree(scratch, ignore_errors=True)
    with contextlib.suppress(OSError):
        os.close(lock)


def _sweep(folder: Path) -> None:
    """Remove temporary folders whose maker was killed."""
    for left in folder.glob(".pets-*"):
        with contextlib.suppress(OSError):
            lock = os.open(left, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(lock)


class _Progress:
    """One bar on stderr for the whole making, shown once it has taken a second."""

    def __init__(self, con: Any, title: str, on: bool) -> None:
        self._con, self._title, self._on = con, title, on
        self._doing = ""
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> _Progress:
        if self._on:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        if self._on:
            self._thread.join()

    def step(self, doing: str) -> None:
        """Say what is being done now."""
        self._doing = doing

    def _watch(self) -> None:
        if self._done.wait(1.0):
            return
        from tqdm import tqdm

        form = "{desc} |{bar}| {percentage:3.0f}% [{elapsed}]"
        with tqdm(total=100, file=sys.stderr, leave=False, bar_format=form) as bar:
            while not self._done.wait(0.2):
                bar.set_description_str(f"{self._title}: {self._doing}", refresh=False)
                bar.n = max(0.0, min(100.0, self._con.query_progress()))
                bar.refresh()


class _Store:
    """A snapshot's three files: ``<table>.parquet``, ``<table>.json`` (the manifest) and ``<table>.key``.

    The key file holds the rank key and a seal key. The seal, an HMAC over both other files, shows that one was edited
    or that a refresh was cut off between them; it is no defence against somebody who can read the key file.
    """

    def __init__(self, folder: Path, table: str) -> None:
        self.folder = folder.expanduser().absolute()
        self.table = table
        name = quote(table, safe=" ")
        self.parquet, self.json, self._key = (self.folder / f"{name}.{end}" for end in ("parquet", "json", "key"))

    def prepare(self) -> None:
        """Make the folder, or check that an existing one is the owner's alone."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(
                f"the folder {self.folder.name!r} cannot be made ({error.strerror}); choose another"
            ) from None
        self._private(self.folder, "the folder")

    def key(self) -> tuple[int, bytes]:
        """The rank key and the seal key, made on first use."""
        with contextlib.suppress(FileExistsError):
            fresh = canonical({"rank": f"{rank_key():016x}", "seal": random_id()})
            handle = os.open(self._key, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(fresh)
        self._private(self._key, "the key file")
        try:
            held = json.loads(self._key.read_bytes())
            return int(held["rank"], 16), bytes.fromhex(held["seal"])
        except (OSError, ValueError, KeyError, TypeError):
            raise DataError(
                f"the key file {self._key.name} is damaged; remove it, then make the snapshot again"
            ) from None

    @contextlib.contextmanager
    def writing(self, public_id: str) -> Iterator[Path]:
        """A new owner-only file to write to; it is gone afterwards unless it was committed."""
        new = self.folder / f".new-{public_id}"
        os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        try:
            yield new
        finally:
            new.unlink(missing_ok=True)
            new.with_suffix(".json").unlink(missing_ok=True)

    def commit(self, new: Path, manifest: Json) -> None:
        """Put the new file and its manifest in place of the old ones."""
        body = manifest | {"bytes": new.stat().st_size}
        body["seal"] = self._seal(new, body)
        page = new.with_suffix(".json")
        with os.fdopen(os.open(page, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(canonical(body))
            os.fsync(file.fileno())
        with new.open("rb") as written:
            os.fsync(written.fileno())
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            new.replace(self.parquet)
            page.replace(self.json)
            os.fsync(folder)
        finally:
            os.close(folder)

    def read(self) -> Json:
        """The manifest, after every check."""
        for path, what in (
            (self.folder, "the folder"),
            (self.json, "the manifest"),
            (self.parquet, "the file"),
            (self._key, "the key file"),
        ):
            if not path.exists():
                raise DataError(
                    f"there is no snapshot of table {self.table!r} here: {what} {path.name} is missing; make it first"
                )
            self._private(path, what)
        changed = DataError(f"the snapshot of table {self.table!r} was changed or is incomplete; make it again")
        try:
            manifest = json.loads(self.json.read_bytes())
            seal = manifest.pop("seal")
            size = self.parquet.stat().st_size
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise changed from None
        if manifest.get("layout") != _LAYOUT:
            raise DataError(f"the snapshot of table {self.table!r} was made by another version of pets; make it again")
        if (manifest.get("table"), manifest.get("bytes")) != (self.table, size) or not hmac.compare_digest(
            str(seal), self._seal(self.parquet, manifest)
        ):
            raise changed
        return dict(manifest)

    def _seal(self, parquet: Path, body: Json) -> str:
        rank, seal = self.key()
        tag = hmac.new(b"%016x" % rank + seal, canonical(body), hashlib.sha256)
        with parquet.open("rb") as file:
            while chunk := file.read(1 << 20):
                tag.update(chunk)
        return tag.hexdigest()

    def _private(self, path: Path, what: str) -> None:
        """Refuse what anybody but the owner could read or change."""
        found = path.lstat() if path != self.folder else path.stat()
        wanted, mode = ("700", 0o077) if stat.S_ISDIR(found.st_mode) else ("600", 0o077)
        if found.st_mode & mode or found.st_uid not in (os.geteuid(), 0):
            name = path.name or str(path)
            raise DataError(f"{what} {name} can be read by others than its owner; run: chmod {wanted} {name}")
