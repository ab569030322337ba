"""Telemetry of one service: counters always, metrics where they are asked for, spans where the host wants them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pets.ledger.events import Listeners
from pets.service.telemetry.counters import Counters
from pets.service.telemetry.metrics import NONE, Gauges, Metrics
from pets.service.telemetry.spans import span


@dataclass
class Outcome:
    """How a request ended; what is not said is a fault."""

    status: int = 500
    code: str = "internal"


class Telemetry:
    """What is told about one service.

    Args:
        listeners: who tell of every change in the account and in the queue.
        datasets: those that are served.

    Attributes:
        counters: how often what happened.
        metrics: for Prometheus; ``None`` unless they were asked for.
    """

    def __init__(self, listeners: Listeners, datasets: Iterable[str]) -> None:
        self.counters = Counters(listeners)
        self.metrics: Metrics | None = None
        self._listeners, self._datasets = listeners, frozenset(datasets)

    def measure(self, paths: Iterable[str], gauges: Callable[[], Gauges]) -> None:
        """Keep metrics from now on; raises :class:`UserError` where prometheus_client is not installed."""
        self.metrics = Metrics(self._listeners, paths, self._datasets, gauges)

    @contextmanager
    def request(self, method: str, path: str, dataset: str | None = None) -> Iterator[Outcome]:
        """Around one request; ``path`` is the address's pattern. The outcome is set within."""
        outcome, began = Outcome(), time.monotonic()
        with span(f"{method} {path}") as mark:
            try:
                yield outcome
            finally:
                if self.metrics is not None:
                    self.metrics.answered(method, path, outcome.status, outcome.code, time.monotonic() - began)
                mark("http.request.method", method)
                mark("http.route", path)
                mark("http.response.status_code", outcome.status)
                if outcome.code != NONE:
                    mark("pets.code", outcome.code)
                if dataset in self._datasets:  # else it is a text that somebody sent
                    mark("pets.dataset", dataset)
