"""The record of opened rounds: one total for each, ever.

Two totals of one round could be subtracted, and the difference is what one party sent. So the key holder writes down a
round's id before decrypting anything, durably, and an id that is written is never opened again, whatever happens then.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from pathlib import Path
from typing import Protocol

from pets.errors import UserError

ALREADY = (
    "a total of this round was opened before, or was tried; one round gives one total, because the difference of two "
    "would show a party's own numbers; ask again with a new round"
)


class Record(Protocol):
    """What remembers opened rounds."""

    def claim(self, round_id: str, total: str) -> None:
        """Write down that this total (by its digest) is the one of the round; durable when it returns.

        Raises :class:`UserError` where the round was claimed before, by this total or another.
        """


class MemoryRecord:
    """For keys that live as long as this process; safe to use from several threads."""

    def __init__(self) -> None:
        self._seen: dict[str, str] = {}
        self._lock = threading.Lock()

    def claim(self, round_id: str, total: str) -> None:
        """See :class:`Record`."""
        with self._lock:
            if round_id in self._seen:
                raise UserError(ALREADY)
            self._seen[round_id] = total

    def items(self) -> list[tuple[str, str]]:
        """All that was claimed."""
        with self._lock:
            return list(self._seen.items())


class FileRecord:
    """A SQLite file beside the key; every claim is on the disk before anything is decrypted (synchronous=FULL)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            raise UserError(
                f"the record of opened rounds {str(path)!r} is missing; restore it from where the key came from, since "
                "without it a round could be opened twice"
            )

    @classmethod
    def make(cls, path: Path) -> FileRecord:
        """A new, empty record, readable by its owner only; an existing one is never overwritten."""
        try:
            path.touch(mode=0o600, exist_ok=False)
        except FileExistsError:
            raise UserError(f"{str(path)!r} exists already; a record of opened rounds is never overwritten") from None
        except OSError as error:
            raise UserError(f"the record {str(path)!r} cannot be written ({error.strerror})") from None
        record = cls(path)
        with contextlib.closing(record._connection()) as connection, connection:
            connection.execute("CREATE TABLE opened (round TEXT PRIMARY KEY, total TEXT NOT NULL, at TEXT NOT NULL)")
        return record

    def claim(self, round_id: str, total: str) -> None:
        """See :class:`Record`."""
        try:
            with contextlib.closing(self._connection()) as connection, connection:
                connection.execute("INSERT INTO opened VALUES (?, ?, datetime('now'))", (round_id, total))
        except sqlite3.IntegrityError:
            raise UserError(ALREADY) from None
        except sqlite3.Error as error:
            raise UserError(
                f"the record of opened rounds {str(self.path)!r} cannot be written ({error}); nothing was opened"
            ) from None

    def _connection(self) -> sqlite3.Connection:
        # mode=rw: a record that was removed is never begun anew by accident
        connection = sqlite3.connect(f"file:{_escaped(self.path)}?mode=rw", uri=True, timeout=30)
        connection.execute("PRAGMA synchronous=FULL")
        return connection


def _escaped(path: Path) -> str:
    from urllib.parse import quote

    return quote(str(path.absolute()))
