"""Presence: whether somebody answers what waits in a ledger's queue, on whatever machine; nothing about it is secret.

Whoever watches processes that answer says so every few seconds, in a file beside the ledger's checkpoint, which all who
use one ledger share. It says when, and no more. Clocks may differ by less than a lease, as for the queue itself.
"""

from __future__ import annotations

import contextlib
import os
import time

from pets.common.files import only_owner_writes
from pets.ledger.ledger import Ledger

EVERY = 5.0
"""Seconds between two words of somebody who answers."""

LASTS = 30.0
"""Seconds for which their word is good: one that is started anew is not missed."""

LOOK = 1.0
"""Seconds between two looks at the file, whoever asks in between."""


class Presence:
    """Of one ledger; safe from threads and processes.

    Args:
        ledger: in memory it has no queue that another process could answer, and nobody is there.
    """

    def __init__(self, ledger: Ledger) -> None:
        place = ledger.checkpoint_path
        self._path = None if place is None else place.with_suffix(".answering")
        self._time = ledger.time
        self._looked, self._here, self._said = float("-inf"), False, float("-inf")

    def say(self) -> None:
        """Somebody answers; raises :class:`OSError` where that cannot be written."""
        now = time.monotonic()
        if self._path is None or now - self._said < EVERY:
            return
        self._said = now
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            only_owner_writes(file)
            os.pwrite(file, b"%-20d\n" % self._time(), 0)  # always as long, and so never half of two
        finally:
            os.close(file)

    def take_back(self) -> None:
        """Nobody answers on this ledger as it is: no word that was said of it holds. Whoever answers says so anew."""
        self._said = float("-inf")
        if self._path is not None:
            with contextlib.suppress(OSError):  # else it holds no longer than it did
                self._path.unlink(missing_ok=True)

    def here(self) -> bool:
        """Whether somebody said so lately."""
        now = time.monotonic()
        if now - self._looked >= LOOK:
            self._looked, self._here = now, self._fresh()
        return self._here

    def _fresh(self) -> bool:
        try:
            said = int(self._path.read_bytes()) if self._path is not None else None
        except (OSError, ValueError):
            return False
        return said is not None and abs(self._time() - said) <= LASTS
