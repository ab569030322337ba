"""Register: what of the log everybody may read, made anew once a minute at most."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from pets.ledger.ledger import Ledger
from pets.ledger.publish.page import page
from pets.ledger.publish.read_log import Published, published

FRESH = 60.0
"""Seconds in which the page is not made again, however much the log grows, and whoever asks for it."""


class Register:
    """The public record of a ledger; safe from threads.

    Args:
        ledger: whose log it is.
        opened: whether nobody needs to be logged in to read it.
        clock: seconds, for when the page is made again.
    """

    def __init__(self, ledger: Ledger, opened: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self.opened = opened
        self._ledger, self._clock = ledger, clock
        self._page: bytes | None = None
        self._made = 0.0
        self._lock = threading.Lock()

    def published(self) -> Published:
        """The story that the log tells now; raises :class:`~pets.errors.LedgerError` where it is not the account's."""
        return published(self._ledger)

    def page(self) -> bytes:
        """The page, which needs nothing else and says so in a policy of its own; raises as :meth:`published`.

        It is at most :data:`FRESH` old, so that nobody has it made all the time, or learns from it within what tick of
        the clock an answer came. Whoever comes while it is made has the one before it.
        """
        known = self._page
        due = known is None or self._clock() - self._made >= FRESH
        if due and self._lock.acquire(blocking=known is None):
            try:
                if self._page is None or self._clock() - self._made >= FRESH:
                    made = page(self.published()).encode()
                    self._page, self._made = made, self._clock()
                known = self._page
            finally:
                self._lock.release()
        assert known is not None
        return known
