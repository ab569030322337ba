"""Limits: what one request, one analyst and one project may take, known before any work and any charge."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields

from pets.common.arguments import plain_fields
from pets.errors import BusyError, UserError, shown
from pets.service.wire.strict_json import MAX_BYTES


@plain_fields(UserError)
@dataclass(frozen=True)
class Limits:
    """What is refused before anything is charged, whoever asks and whatever the budget would pay for.

    Attributes:
        max_bytes: of a request's body.
        max_queries: in one request.
        max_dummy_rows: invented rows for one request.
        per_minute: requests of one analyst of one project, each process of the service counting its own.
        max_waiting: jobs of one project that may wait for an answer.
        max_dummies: of these, how many may be on invented rows.
        max_wait: seconds that one request may wait for a job to end.
        max_waits: requests of one analyst of one project that may wait so at once, in each process of the service.
    """

    max_bytes: int = MAX_BYTES
    max_queries: int = 100
    max_dummy_rows: int = 100_000
    per_minute: int = 600
    max_waiting: int = 100
    max_dummies: int = 10
    max_wait: int = 30
    max_waits: int = 20

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 10**9:
                raise UserError(f"{field.name} must be a whole number above 0, not {shown(value)}")


ALL_WAITS = 800
"""Requests that may wait at once in one process: fewer than it answers at once, so that others have their turn."""


class Waits:
    """Requests that wait for a job to end, while they wait. Safe from threads.

    Args:
        each: how many of one caller.
        most: how many of all.
    """

    def __init__(self, each: int, most: int = ALL_WAITS) -> None:
        self._each, self._most = each, most
        self._of: Counter[Hashable] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def one(self, who: Hashable) -> Iterator[None]:
        """One request of somebody's waits meanwhile; raises :class:`BusyError` where that is too many."""
        with self._lock:
            if self._of[who] >= self._each or self._of.total() >= self._most:
                raise BusyError(
                    f"{self._of[who] or 'many'} requests wait for an answer already; nothing was charged; ask without "
                    "wait=, or when some have their answer",
                    1.0,
                )
            self._of[who] += 1
        try:
            yield
        finally:
            with self._lock:
                self._of[who] -= 1
                if not self._of[who]:
                    del self._of[who]
