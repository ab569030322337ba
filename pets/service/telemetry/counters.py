"""Counters: how often each event happened, by dataset, in this process and in those that it started to answer."""

from __future__ import annotations

import threading
import time
from collections import Counter

from pets.ledger.events import ANY, KINDS, Event, Listeners


class Counters:
    """Counts since this was made; safe from threads.

    Attributes:
        since: when that was, in seconds since 1970.
    """

    def __init__(self, listeners: Listeners) -> None:
        self.since = time.time()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        listeners.on(ANY, self._count)

    def _count(self, event: Event) -> None:
        with self._lock:
            self._counts[event.kind, event.dataset] += 1

    def of(self, dataset: str) -> dict[str, int]:
        """By kind of event, how many were about a dataset, or about none (answering processes that began, or ended)."""
        with self._lock:
            return {kind: self._counts[kind, dataset] + self._counts[kind, ""] for kind in KINDS}
