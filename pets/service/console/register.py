"""Register: what of the log everybody may read, made anew when the log has grown."""

from __future__ import annotations

import threading

from pets.ledger.ledger import Ledger
from pets.ledger.publish.page import page
from pets.ledger.publish.read_log import Published, published


class Register:
    """The public record of a ledger; safe from threads.

    Args:
        ledger: whose log it is.
        opened: whether nobody needs to be logged in to read it.
    """

    def __init__(self, ledger: Ledger, opened: bool = False) -> None:
        self.opened = opened
        self._ledger = ledger
        self._known: tuple[int, Published, bytes] | None = None
        self._lock = threading.Lock()

    def published(self) -> Published:
        """The story that the log tells now; raises :class:`~pets.errors.LedgerError` where it is not the account's."""
        return self._now()[1]

    def page(self) -> bytes:
        """The page, which needs nothing else and says so in a policy of its own; raises as :meth:`published`."""
        return self._now()[2]

    def _now(self) -> tuple[int, Published, bytes]:
        with self._ledger.reading() as tx:
            size = tx.head.size
        known = self._known
        # whoever comes while it is made anew has the one before it
        if (known is None or known[0] != size) and self._lock.acquire(blocking=known is None):
            try:
                if self._known is None or self._known[0] != size:
                    found = published(self._ledger)
                    self._known = (found.history.size, found, page(found).encode())
                known = self._known
            finally:
                self._lock.release()
        assert known is not None
        return known
