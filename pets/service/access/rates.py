"""Rates: how fast somebody may ask, and how fast tokens that nobody knows are looked up."""

from __future__ import annotations

import hashlib
import ipaddress
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

from pets.errors import BusyError

_MAX_KNOWN = 10_000  # callers, and tokens, that are remembered


class Rates:
    """How fast each caller may ask: so many at once, and so many a minute. Safe from threads."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._most, self._clock = per_minute / 60, float(per_minute), clock
        self._left: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()  # who: requests left, and when
        self._lock = threading.Lock()

    def take(self, who: Hashable) -> None:
        """Count one request; raises :class:`BusyError` where that is too many."""
        with self._lock:
            left, now = self._now(who)
            self._left[who] = (left - (left >= 1), now)
            if len(self._left) > _MAX_KNOWN:
                self._left.popitem(last=False)
        if left < 1:
            wait = max(1, math.ceil((1 - left) / self._rate))
            raise BusyError(
                f"more than {self._most:.0f} requests in a minute; nothing was charged; ask again in {wait} s", wait
            )

    def give_back(self, who: Hashable) -> None:
        """One that was counted does not count after all."""
        with self._lock:
            left, now = self._now(who)
            self._left[who] = (min(self._most, left + 1), now)

    def _now(self, who: Hashable) -> tuple[float, float]:
        now = self._clock()
        left, since = self._left.pop(who, (self._most, now))
        return min(self._most, left + (now - since) * self._rate), now


class Strangers:
    """How fast tokens that nobody knows are looked up, from each address: trying them costs others nothing.

    One that was valid lately is always looked up, whatever else comes from its address (all may come through one
    proxy), so that it holds exactly as long as it should.

    Args:
        per_minute: look-ups of tokens that turn out to be nobody's, from one address.
    """

    def __init__(self, per_minute: int = 60, clock: Callable[[], float] = time.monotonic) -> None:
        self._rates = Rates(per_minute, clock)
        self._known: OrderedDict[bytes, Any] = OrderedDict()  # by SHA-256 of tokens that were valid, what was found
        self._lock = threading.Lock()

    def lately(self, token: str) -> Any:
        """What was found for a token when it was last looked up; ``None`` where it was not valid, or never was."""
        with self._lock:
            return self._known.get(_digest(token))

    def look_up(self, token: str, address: str, found: Callable[[str], Any]) -> Any:
        """What ``found`` gives for a token: ``None`` for one that is not valid.

        Raises:
            BusyError: too many tokens of this address were nobody's; the token was not looked up.
        """
        name, whence, known = _digest(token), _network(address), self.lately(token)
        if known is None:
            self._rates.take(whence)
        who = found(token)
        with self._lock:
            self._known.pop(name, None)
            if who is not None:
                self._known[name] = who
                if len(self._known) > _MAX_KNOWN:
                    self._known.popitem(last=False)
        if who is not None and known is None:
            self._rates.give_back(whence)
        return who


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _network(address: str) -> str:
    """What one caller has of addresses: of the newer ones, 2**64."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address  # of a test, or of a socket without one
    return address if found.version == 4 else str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))
