"""Limits: what one request, one analyst and one project may take, known before any work and any charge."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, fields

from pets.common.arguments import plain_fields
from pets.errors import BusyError, UserError, shown
from pets.service.wire.strict_json import MAX_BYTES

_MAX_KNOWN = 10_000  # callers whose rate is remembered


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
        max_wait: seconds that one request may wait for a job to end.
    """

    max_bytes: int = MAX_BYTES
    max_queries: int = 100
    max_dummy_rows: int = 100_000
    per_minute: int = 600
    max_waiting: int = 100
    max_wait: int = 30

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 10**9:
                raise UserError(f"{field.name} must be a whole number above 0, not {shown(value)}")


class Rates:
    """How fast each caller may ask: so many at once, and so many a minute."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._most, self._clock = per_minute / 60, float(per_minute), clock
        self._left: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()  # who: requests left, and when
        self._lock = threading.Lock()

    def take(self, who: Hashable) -> None:
        """Count one request; raises :class:`BusyError` where that is too many."""
        with self._lock:
            now = self._clock()
            left, since = self._left.pop(who, (self._most, now))
            left = min(self._most, left + (now - since) * self._rate)
            self._left[who] = (left - (left >= 1), now)
            if len(self._left) > _MAX_KNOWN:
                self._left.popitem(last=False)
        if left < 1:
            wait = max(1, math.ceil((1 - left) / self._rate))
            raise BusyError(
                f"more than {self._most:.0f} requests in a minute; nothing was charged; ask again in {wait} s", wait
            )
