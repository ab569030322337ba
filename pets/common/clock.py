"""Clock: the time, as everything that pets writes for people and programs states it."""

from __future__ import annotations

import datetime as dt


def now() -> str:
    """The time: ISO 8601, UTC, whole seconds.

    >>> len(now()), now()[-6:]
    (25, '+00:00')
    """
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
