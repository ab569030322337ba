"""The ledger's database: opening it safely, and transactions on it. SQLAlchemy is used here and in ``tables`` alone.

SQLite: WAL, ``synchronous=FULL``, ``BEGIN IMMEDIATE``. PostgreSQL: READ COMMITTED with row locks in a fixed order (the
head of the log first, then the scopes from the root down) and ``synchronous_commit`` on. A database with weaker
durability is refused: it could forget a charge for an answer that was already delivered.

A transaction that may be forgotten (``durable=False``) waits for no disk. Both databases have one write-ahead log: a
power cut takes the newest of these transactions, never one before a durable one, and leaves the database whole.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from pets.errors import LedgerDownError, LedgerError, missing_extra
from pets.ledger.db import tables
from pets.ledger.db.pool.idle import stirred
from pets.ledger.db.pool.lean import LeanPool
from pets.ledger.db.pool.turns import BUSY_SECONDS, Turns, begins, in_turn
from pets.ledger.db.prepared import Prepared, plainly
from pets.ledger.db.upgrade import known_revisions, upgrade

Connection = sa.Connection

REVISION = "0008"
"""The newest migration that this code knows."""

POOL = 15
"""Connections that one process opens at most; to PostgreSQL few of them stay open once nobody needs them."""

IDLE = 1.0
"""Seconds after which a connection to PostgreSQL is asked whether it still stands, whatever its socket tells."""

TIMEOUTS = {
    "lock_timeout": BUSY_SECONDS,  # of a wait for others
    # of a process that holds the log, and stands still: less than a lease, so that the others keep theirs
    "idle_in_transaction_session_timeout": BUSY_SECONDS / 3,
    "statement_timeout": 2 * BUSY_SECONDS,
}
"""Seconds, on every connection to PostgreSQL: whatever becomes of one process, the others go on."""
DURABLE = {"fsync": ("on",), "full_page_writes": ("on",), "synchronous_commit": ("on", "remote_apply")}
"""Settings of PostgreSQL under which what is committed stays committed."""

_LEVELS = {True: "FULL", False: "NORMAL"}
"""SQLite's ``synchronous`` for a write that is durable, and for one that may be forgotten (in WAL neither corrupts)."""

_FORGETTABLE = Prepared(sa.text("SET LOCAL synchronous_commit = off"))

_PASSING = (sa.exc.OperationalError, sa.exc.TimeoutError)
"""Errors of the database that are not of the statement: it is away, held by somebody else, or full."""

_SCHEME = re.compile(r"^[a-z][a-z0-9+]*://", re.IGNORECASE)
_MIGRATING = 0x70657473  # "pets": the PostgreSQL advisory lock of whoever makes the tables


class Store:
    """An open database that holds a ledger.

    Attributes:
        label: the address without a password.
        path: the file (``None``: PostgreSQL, or memory).
        memory: whether it lives in this process alone.
    """

    def __init__(self, address: str | None, pool: int = POOL) -> None:
        self.memory = address is None
        # those that were needed stay open, for to open one costs more than to answer; the last one used is used first
        self._pool = {"pool_size": pool, "max_overflow": 0, "pool_timeout": BUSY_SECONDS, "pool_use_lifo": True}
        self.path: Path | None = None
        if address is None:
            self.label = "memory"
            self._engine = sa.create_engine(
                "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
            )
        else:
            self._engine = self._persistent(address)
        # one connection of a memory database serves all threads, one at a time
        self._one_at_a_time = threading.RLock() if self.memory else contextlib.nullcontext()
        self._turns = Turns() if self.path is not None else None
        self._turn = contextlib.nullcontext if self._turns is None else self._turns.one
        if self._engine.dialect.name == "sqlite":
            sa.event.listen(self._engine, "connect", self._sqlite_connects)
            sa.event.listen(self._engine, "begin", begins)
        else:
            sa.event.listen(self._engine, "connect", self._postgres_connects)
            sa.event.listen(self._engine, "checkin", lambda _, record: record.info.update(returned=time.monotonic()))
            sa.event.listen(self._engine, "checkout", self._leaves)
        self._writers = {durable: self._engine.execution_options(writes=level) for durable, level in _LEVELS.items()}
        # several looks within one reading see one moment
        self._reader = self._engine
        self._glancer = self._engine.execution_options(glances=True)
        if self._engine.dialect.name == "postgresql":
            self._reader = self._engine.execution_options(isolation_level="REPEATABLE READ")
            self._glancer = self._glancer.execution_options(isolation_level="AUTOCOMMIT")
        self._process, self._file = os.getpid(), None
        self.migrate()
        self._file = self._identity()

    def _persistent(self, address: str) -> sa.Engine:
        if not _SCHEME.match(address):
            address = f"sqlite:///{address}"
        try:
            url = sa.make_url(address)
            family = url.get_backend_name()
        except sa.exc.ArgumentError:
            raise LedgerError("the ledger's address is not a file or a PostgreSQL URL; check it") from None
        self.label = url.render_as_string(hide_password=True)
        if family == "postgresql":
            pool: Any = self._pool | {"isolation_level": "READ COMMITTED", "poolclass": LeanPool}
            try:
                return sa.create_engine(url.set(drivername="postgresql+psycopg"), **pool)
            except ImportError:
                raise missing_extra("a ledger in PostgreSQL", "postgres") from None
        if family != "sqlite" or not url.database or url.database == ":memory:" or url.query:
            raise LedgerError(
                f"a ledger lives in a file such as 'ledger.db' or in PostgreSQL, not in {self.label!r}; leave it out "
                "to account in memory"
            )
        self.path = Path(url.database).absolute()
        self.label = str(url.database)
        # mode=rw: a file that has gone is not made again, empty
        return sa.create_engine(
            f"sqlite:///file:{quote(str(self.path))}?mode=rw&uri=true",
            connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
            **self._pool,
        )

    def _sqlite_connects(self, connection: Any, _: Any) -> None:
        connection.isolation_level = None  # the driver's own transactions begin too late
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA fullfsync=ON")  # where fsync alone does not reach the disk (macOS)
        if not self.memory:
            # of several that open a new file at once, one changes its mode; SQLite refuses the others without a wait
            cursor.execute("PRAGMA busy_timeout = 0")
            mode = in_turn(connection, "PRAGMA journal_mode=WAL").fetchone()[0]
            full = cursor.execute("PRAGMA synchronous").fetchone()[0]
            if mode != "wal" or full < 2:
                raise LedgerError(
                    f"the ledger {self.label!r} cannot be kept safely there (journal_mode={mode}); put it on a local "
                    "disk"
                )
        cursor.close()

    def _postgres_connects(self, connection: Any, _: Any) -> None:
        """Every connection anew: a server that comes back may have been configured otherwise."""
        for name, safe in DURABLE.items():
            value = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()[0]
            if value not in safe:
                raise LedgerError(
                    f"the ledger {self.label!r} could forget a charge, because its database has {name}={value}; "
                    f"set {name}=on"
                )
        for name, seconds in TIMEOUTS.items():
            connection.execute("SELECT set_config(%s, %s, false)", (name, f"{seconds * 1000:.0f}"))
        connection.commit()  # a rollback would take the settings back

    def _leaves(self, connection: Any, record: Any, _: Any) -> None:
        """A connection leaves the pool: one that a server has dropped is replaced, and so are all others that it had.

        One that was used a moment ago, and to which nothing has come since, is not asked: that is a round trip.
        """
        if time.monotonic() - record.info.get("returned", time.monotonic()) < IDLE and not stirred(connection):
            return
        try:
            self._engine.dialect.do_ping(connection)
        except self._engine.dialect.loaded_dbapi.Error:
            raise sa.exc.InvalidatePoolError from None

    # transactions -----------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def read(self, *, pipelined: bool = False) -> Iterator[sa.Connection]:
        """A transaction that changes nothing; ``pipelined`` as for :meth:`write`."""
        self._check_ours()
        with (
            self._one_at_a_time,
            self._plainly("read"),
            self._reader.connect() as connection,
            connection.begin(),
            self._pipeline(connection, pipelined),
        ):
            yield connection

    @contextlib.contextmanager
    def glance(self) -> Iterator[sa.Connection]:
        """Looks that change nothing, each of its own moment: a transaction around one costs more than the look."""
        self._check_ours()
        with self._one_at_a_time, self._plainly("read"), self._glancer.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def write(self, *, durable: bool = True, pipelined: bool = False) -> Iterator[sa.Connection]:
        """A durable transaction; writers take turns.

        Args:
            durable: ``False`` for what a power cut may take back, because it is found out and done again.
            pipelined: whether all statements are :class:`~pets.ledger.db.prepared.Prepared` ones, so that PostgreSQL
                may be sent several at once.

        Raises:
            LedgerError: with the remedy. Nothing was written, except where a connection was lost while committing:
                then :class:`CommitUnknown` says that only a look at the request can tell.
        """
        self._check_ours()
        with (
            self._one_at_a_time,
            self._plainly("written"),
            self._turn(),
            self._writers[durable].connect() as connection,
        ):
            transaction = connection.begin()
            try:
                with self._pipeline(connection, pipelined):
                    if not durable and connection.dialect.name == "postgresql":
                        _FORGETTABLE(connection, {})
                    yield connection
            except BaseException:
                with contextlib.suppress(sa.exc.SQLAlchemyError):
                    transaction.rollback()
                raise
            try:
                transaction.commit()
            except sa.exc.DBAPIError as error:
                if error.connection_invalidated:
                    raise CommitUnknown(self.label) from None
                raise
        self._check_ours()  # what was written to a file that is no longer the ledger was not written

    @contextlib.contextmanager
    def _pipeline(self, connection: sa.Connection, wanted: bool) -> Iterator[None]:
        if not wanted or connection.dialect.name != "postgresql":
            yield
            return
        pooled: Any = connection.connection
        entered = pooled.driver_connection.pipeline()
        connection.execution_options(pipeline=entered.__enter__())
        try:
            yield
        except BaseException:
            try:
                entered.__exit__(None, None, None)
            except connection.dialect.loaded_dbapi.Error:  # an error is on its way
                with contextlib.suppress(sa.exc.SQLAlchemyError):  # and the next transaction needs another connection
                    connection.invalidate()
            raise
        # what nobody has looked at yet must be well before it is committed
        with plainly(connection, pooled, None, "the statements of a pipeline"):
            entered.__exit__(None, None, None)
        connection.execution_options(pipeline=None)

    def _check_ours(self) -> None:
        if os.getpid() != self._process:
            raise LedgerError(
                f"the ledger {self.label!r} was opened by another process, and a copy of an open ledger cannot keep "
                "the account; open it again here"
            )
        if self._file is not None and self._identity() != self._file:
            raise LedgerError(
                f"the file of the ledger {self.label!r} was put in another's place, or is gone, while it was open; "
                "restore the newest copy if it was not meant, and open it again"
            )

    def _identity(self) -> tuple[int, int] | None:
        """Which file lies at the path."""
        if self.path is None:
            return None
        try:
            found = self.path.stat()
        except OSError:
            return (0, 0)
        return (found.st_dev, found.st_ino)

    @contextlib.contextmanager
    def _plainly(self, verb: str) -> Iterator[None]:
        try:
            yield
        except sa.exc.IntegrityError as error:
            raise LedgerError(
                f"the ledger {self.label!r} refused an entry that breaks its rules ({_why(error)}); nothing was spent"
            ) from None
        except sa.exc.SQLAlchemyError as error:
            remedy = _remedy(error)
            kind = LedgerDownError if isinstance(error, _PASSING) else LedgerError
            raise kind(f"the ledger {self.label!r} cannot be {verb} ({_why(error)}); {remedy}") from None

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()

    # opening ----------------------------------------------------------------------------------------------------

    def migrate(self) -> None:
        """Make the tables, or bring them up to this code; raises :class:`LedgerError` where that is not safe."""
        if self.path is not None:
            self._claim(self.path)
        with self.write() as connection:
            if self.memory:
                for statement in tables.in_memory():
                    connection.exec_driver_sql(statement)
                return
            found = self._revision(connection)
            if found != REVISION:
                upgrade(connection, REVISION)

    def _claim(self, path: Path) -> None:
        """The file, for its owner only; what already lies there must be a ledger's database, and is left as it is.

        A file that exists is opened by SQLite alone: closing a descriptor of one's own would drop the locks of all
        connections of this process (https://sqlite.org/howtocorrupt.html, 2.2), and charges could be lost.
        """
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            return
        except FileExistsError:
            why = "Is a directory" if path.is_dir() else None if os.access(path, os.W_OK) else "it is read-only"
        except OSError as error:
            why = error.strerror
        if why is not None:
            raise LedgerError(
                f"the ledger {self.label!r} cannot be opened for writing ({why}); check the folder and its permissions"
            )
        try:
            with contextlib.closing(
                sqlite3.connect(f"file:{quote(str(path))}?mode=rw", BUSY_SECONDS, uri=True)
            ) as connection:
                names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        except sqlite3.Error as error:
            if "not a database" in str(error):
                raise LedgerError(f"{self.label!r} is not a ledger; give another path, such as 'ledger.db'") from None
            raise LedgerError(f"the ledger {self.label!r} cannot be read ({error}); {_remedy(error)}") from None
        if names and tables.VERSION_TABLE not in names:
            raise LedgerError(
                f"{self.label!r} holds other tables and no ledger; give another path, such as 'ledger.db'"
            )

    def alone(self, connection: sa.Connection) -> None:
        """Until this transaction ends nobody else makes or upgrades the ledger (in SQLite no other writer is there)."""
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:n)"), {"n": _MIGRATING})

    def _revision(self, connection: sa.Connection) -> str | None:
        self.alone(connection)
        if tables.VERSION_TABLE not in sa.inspect(connection).get_table_names():
            return None
        known = known_revisions()
        found = connection.execute(sa.text(f"SELECT version_num FROM {tables.VERSION_TABLE}")).scalar()
        if found not in known:
            raise LedgerError(
                f"the ledger {self.label!r} was written by a newer pets (its tables are {found!r}); upgrade pets"
            )
        return str(found)


class CommitUnknown(LedgerDownError):
    """The connection was lost while a transaction was being committed."""

    code = "commit-unknown"

    def __init__(self, label: str) -> None:
        super().__init__(
            f"the connection to the ledger {label!r} was lost while it wrote, and nobody can tell yet whether that "
            "stands; look at pets ledger show before asking again"
        )


def _why(error: Exception) -> str:
    """The driver's first line, which never holds a value of a row: the ledger's tables have none."""
    text = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
    return " ".join(text.splitlines()[0].split())[:200]


def _remedy(error: Exception) -> str:
    why = _why(error).lower()
    if "full" in why or "no space" in why:
        return "free some space and ask again"
    if "readonly" in why or "read-only" in why or "permission" in why or "unable to open" in why:
        return "make its file and folder writable for you"
    if "locked" in why or "lock timeout" in why:
        return "another process holds it; ask again"
    if "queuepool limit" in why:
        return "more threads ask than it has connections; open it with pets.Ledger(…, pool=N) for N threads"
    if "malformed" in why or "not a database" in why:
        return "restore it from a backup, then run: pets ledger recover"
    return "nothing was delivered; look after the database and ask again"
