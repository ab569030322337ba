"""Together: what several threads write to one SQLite file at the same time is one transaction, and one forced write.

SQLite lets one write at a time, and each waits for the disk while it keeps the others from writing. So whoever has the
turn writes for all that wait by then, each within a savepoint of its own: one that is refused takes back its own part.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import sqlalchemy as sa

from pets.errors import LedgerDownError, PetsError
from pets.ledger.db.prepared import Prepared

Work = Callable[[sa.Connection, float], Any]
Writing = Callable[[], AbstractContextManager[tuple[sa.Connection, float]]]


_SAVE, _TAKE_BACK, _KEEP = (Prepared(sa.text(f"{words} piece")) for words in ("SAVEPOINT", "ROLLBACK TO", "RELEASE"))


class _Piece:
    """The part of one thread."""

    def __init__(self, work: Work) -> None:
        self.work, self.open = work, True
        self.found: Any = None
        self.error: BaseException | None = None


class Together:
    """Durable writes of the threads of one process; safe from threads.

    Args:
        writing: a durable transaction, and its time.
    """

    def __init__(self, writing: Writing) -> None:
        self._writing, self._lock, self._turn = writing, threading.Lock(), threading.Lock()
        self._waiting: list[_Piece] = []

    def write(self, work: Work) -> Any:
        """What ``work`` gives, once it is durable; raises what it raises, and what a transaction raises."""
        mine = _Piece(work)
        with self._lock:
            self._waiting.append(mine)
        with self._turn:
            if mine.open:
                self._write(())
        if mine.error is not None:
            raise mine.error
        return mine.found

    def _write(self, several: Sequence[_Piece]) -> None:
        """Write these parts, or all that wait when the turn has come."""
        try:
            with self._writing() as (connection, now):
                several = several or self._taken()
                if len(several) == 1:  # the transaction is all its own
                    several[0].found = several[0].work(connection, now)
                    return
                for piece in several:
                    _SAVE(connection, {})
                    try:
                        piece.found = piece.work(connection, now)
                    except PetsError as error:
                        piece.error = error
                        _TAKE_BACK(connection, {})
                    _KEEP(connection, {})
        except BaseException as error:
            several = several or self._taken()
            if len(several) > 1 and isinstance(error, Exception) and not isinstance(error, LedgerDownError):
                for piece in several:  # one of them is to blame: each by itself
                    piece.error = None
                    self._write([piece])
                return
            for piece in several:
                piece.error = error
            if not isinstance(error, Exception):
                raise

    def _taken(self) -> list[_Piece]:
        """All that wait."""
        with self._lock:
            found, self._waiting = self._waiting, []
        for piece in found:
            piece.open = False
        return found
