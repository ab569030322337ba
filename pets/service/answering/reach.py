"""Reach: what a watchdog knows of its ledger: there, away for a while, or no longer the one that it opened.

Each change is said once in the log. A ledger that is away is looked at ever more seldom, and one that was put in
another's place never again: whoever counts on entries that are lost can answer nothing.
"""

from __future__ import annotations

import logging

from pets.errors import LedgerDownError, LedgerError
from pets.ledger.ledger import Ledger

EVERY = 1.0
"""Seconds between two looks."""

SELDOM = 8.0
"""Seconds between two looks at a ledger that is away, at most; they double."""

_LOG = logging.getLogger("pets.service")


class Reach:
    """Looks at a ledger now and then.

    Attributes:
        lost: why this process can answer nothing more; ``None`` as long as it can.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.lost: str | None = None
        self._ledger, self._due, self._wait = ledger, float("-inf"), EVERY
        self._away: float | None = None

    def look(self, now: float) -> bool:
        """Whether it was looked at by now, the monotonic clock's time, and is as it was."""
        if self.lost is not None or now < self._due:
            return False
        try:
            self._ledger.check_same()
        except LedgerDownError as error:
            self._is_away(now, error)
            return False
        except LedgerError as error:
            self.lost = str(error)
            _LOG.error("nothing is answered here any more: %s", error)
            return False
        if self._away is not None:
            _LOG.warning("the ledger can be reached again, after %.0f s", now - self._away)
        self._away, self._wait, self._due = None, EVERY, now + EVERY
        return True

    def _is_away(self, now: float, error: LedgerDownError) -> None:
        if self._away is None:
            self._away = now
            _LOG.warning("the ledger cannot be reached; questions wait until it can (%s)", error)
        self._wait = min(SELDOM, 2 * self._wait)
        self._due = now + self._wait
