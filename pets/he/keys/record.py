"""The record of opened rounds: one total for each, ever; and the one grid of a key, as it was shown.

Two totals of one round could be subtracted, and the difference is what one party sent. So the key holder writes down a
round's id before decrypting anything, durably, and an id that is written is never opened again, whatever happens then.

What a record cannot see: that an older copy of itself was put back. Whoever restores the key from a backup restores
its record of the same moment, and opens no round that was made before.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from pets.errors import UserError
from pets.he.keys.keyfile import sync_folder

ALREADY = (
    "a total of this round was opened before, or was tried; one round gives one total, because the difference of two "
    "would show a party's own numbers; ask again with a new round"
)


_KEPT = "CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, body BLOB NOT NULL)"


class RecordError(UserError):
    """The record is missing, another key's, or cannot be written: nothing was opened. It names its owner's file."""

    code = "record"


class Record(Protocol):
    """What remembers opened rounds."""

    def claim(self, round_id: str, total: str) -> None:
        """Write down that this total (by its digest) is the one of the round; durable when it returns.

        Raises :class:`UserError` where the round was claimed before, by this total or another.
        """

    def keep(self, name: str, body: bytes) -> bytes:
        """Write down, durably, what is kept under a name, and give it; what was kept there before stays, and is given.

        Raises :class:`RecordError` where it cannot be written.
        """

    def kept(self, name: str) -> bytes | None:
        """What is kept under a name."""


class MemoryRecord:
    """For keys that live as long as this process; safe to use from several threads, and refused in a fork."""

    def __init__(self) -> None:
        self._seen: dict[str, str] = {}
        self._kept: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._process = os.getpid()

    def claim(self, round_id: str, total: str) -> None:
        """See :class:`Record`."""
        self._own()
        with self._lock:
            if round_id in self._seen:
                raise UserError(ALREADY)
            self._seen[round_id] = total

    def keep(self, name: str, body: bytes) -> bytes:
        """See :class:`Record`."""
        self._own()
        with self._lock:
            return self._kept.setdefault(name, body)

    def kept(self, name: str) -> bytes | None:
        """See :class:`Record`."""
        self._own()
        return self._kept.get(name)

    def _own(self) -> None:
        if os.getpid() != self._process:
            raise UserError(
                "the secret key was made in another process, which may open the same round; save it to a file, and "
                "load it there"
            )

    def moved(self, path: Path, owner: str) -> FileRecord:
        """A record in a file that knows all that was claimed here; nothing is claimed meanwhile."""
        with self._lock:
            return FileRecord.make(path, owner, self._seen.items(), self._kept.items())


class FileRecord:
    """A SQLite file beside the key: every claim is on the disk before anything is decrypted.

    Write-ahead log and ``synchronous=FULL``: a claim is then in a file that was synced, and no journal whose removal
    was not can undo it.

    Args:
        owner: a secret function of the key, so that another key's record does not pass for this one's.
    """

    def __init__(self, path: Path, owner: str) -> None:
        self.path, self._owner = path, owner
        if not path.exists():
            raise RecordError(
                f"the record of opened rounds {str(path)!r} is missing; restore it from where the key came from, since "
                "without it a round could be opened twice"
            )
        with self._writing():
            pass

    @classmethod
    def make(
        cls,
        path: Path,
        owner: str,
        claims: Iterable[tuple[str, str]] = (),
        kept: Iterable[tuple[str, bytes]] = (),
    ) -> FileRecord:
        """A new record, readable by its owner only; an existing one is never overwritten."""
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600, exist_ok=False)
        except FileExistsError:
            raise UserError(
                f"{str(path)!r} exists already, and a record of opened rounds is never overwritten; choose another name"
            ) from None
        except OSError as error:
            raise UserError(f"the record {str(path)!r} cannot be written ({error.strerror})") from None
        with contextlib.closing(_connection(path)) as connection:
            if connection.execute("PRAGMA journal_mode=WAL").fetchone()[0] != "wal":
                raise UserError(f"the record {str(path)!r} cannot be kept safely there; put it on a local disk")
            with connection:
                connection.execute("CREATE TABLE owner (id TEXT PRIMARY KEY)")
                connection.execute(
                    "CREATE TABLE opened (round TEXT PRIMARY KEY, total TEXT NOT NULL, at TEXT NOT NULL)"
                )
                connection.execute("INSERT INTO owner VALUES (?)", (owner,))
                connection.executemany("INSERT INTO opened VALUES (?, ?, datetime('now'))", claims)
                connection.execute(_KEPT)
                connection.executemany("INSERT INTO kept VALUES (?, ?)", kept)
        sync_folder(path.parent)
        return cls(path, owner)

    def claim(self, round_id: str, total: str) -> None:
        """See :class:`Record`."""
        try:
            with self._writing() as connection:
                connection.execute("INSERT INTO opened VALUES (?, ?, datetime('now'))", (round_id, total))
        except sqlite3.IntegrityError:
            raise UserError(ALREADY) from None

    def keep(self, name: str, body: bytes) -> bytes:
        """See :class:`Record`."""
        with self._writing() as connection:
            connection.execute(_KEPT)  # (a record of before things were kept has no place for them)
            connection.execute("INSERT OR IGNORE INTO kept VALUES (?, ?)", (name, body))
            return self._read(connection, name) or body

    def kept(self, name: str) -> bytes | None:
        """See :class:`Record`."""
        with self._writing() as connection:
            connection.execute(_KEPT)
            return self._read(connection, name)

    @staticmethod
    def _read(connection: sqlite3.Connection, name: str) -> bytes | None:
        found = connection.execute("SELECT body FROM kept WHERE name = ?", (name,)).fetchone()
        return None if found is None else bytes(found[0])

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A durable transaction on this key's own record."""
        try:
            with contextlib.closing(_connection(self.path)) as connection, connection:
                connection.execute("BEGIN IMMEDIATE")
                if connection.execute("SELECT id FROM owner").fetchall() != [(self._owner,)]:
                    raise RecordError(
                        f"{str(self.path)!r} is the record of another key; restore this key's own, since without it a "
                        "round could be opened twice"
                    )
                yield connection
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as error:
            raise RecordError(
                f"the record of opened rounds {str(self.path)!r} cannot be written ({error}); nothing was opened"
            ) from None


def _connection(path: Path) -> sqlite3.Connection:
    # mode=rw: a record that was removed is never begun anew by accident
    connection = sqlite3.connect(f"file:{_escaped(path)}?mode=rw", uri=True, timeout=30)
    connection.execute("PRAGMA synchronous=FULL")
    return connection


def _escaped(path: Path) -> str:
    from urllib.parse import quote

    return quote(str(path.absolute()))
