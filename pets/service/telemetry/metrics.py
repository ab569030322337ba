"""Metrics: counters and gauges for Prometheus. The only file that imports prometheus_client.

A label is an address's pattern, a method, a status, a code, a kind of question or of event, or the name of a dataset
that is served: never an analyst, a project, a value or a text that somebody sent. How long an answer took may depend on
rows, so that is no metric; a request over HTTP ends at a tick of the time grid, so how long one took is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from pets.errors import missing_extra
from pets.ledger.events import ANY, KINDS, OF_JOBS, OF_WORKERS, Event, Listeners
from pets.ledger.queued.kinds import KINDS as QUESTIONS
from pets.service.wire.problems import STATUS

OTHER = "other"
"""What stands for a label that is in no closed list."""

NONE = "none"
"""The code of what was not refused."""

METHODS = ("GET", "POST", "DELETE")

_SECONDS = (0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 30.0)


@dataclass(frozen=True)
class Gauges:
    """What is so at one moment.

    Attributes:
        kept: whether the account can be kept now.
        answering: whether a process answers, of this machine or another one; ``None``: not known.
        waiting: questions that wait to be answered.
        spent: by dataset, the part of its budget that is spent, 0 to 1.
    """

    kept: bool
    answering: bool | None = None
    waiting: int = 0
    spent: Mapping[str, float] = field(default_factory=dict)


class Metrics:
    """The metrics of one service, in a registry of their own; nothing is global.

    Args:
        listeners: who tell of every change in the account and in the queue.
        paths: the patterns of the addresses.
        datasets: those that are served.
        gauges: what is so now; asked whenever somebody reads the metrics.

    Raises:
        UserError: where prometheus_client is not installed.
    """

    def __init__(
        self,
        listeners: Listeners,
        paths: Iterable[str],
        datasets: Iterable[str],
        gauges: Callable[[], Gauges],
    ) -> None:
        library = self._library = _prometheus()
        self._paths, self._datasets, self._look = frozenset(paths), frozenset(datasets), gauges
        self.registry = library.CollectorRegistry()

        def counter(name: str, does: str, *labels: str) -> Any:
            return library.Counter(f"pets_{name}", does, labels, registry=self.registry)

        def gauge(name: str, does: str, *labels: str) -> Any:
            return library.Gauge(f"pets_{name}", does, labels, registry=self.registry)

        self._requests = counter(
            "http_requests", "Requests that were answered.", "endpoint", "method", "status", "code"
        )
        self._seconds = library.Histogram(
            "pets_http_request_seconds",
            "How long requests took, waiting for an answer's tick among it.",
            ("endpoint", "method"),
            registry=self.registry,
            buckets=_SECONDS,
        )
        self._events = counter("requests", "What became of requests in the account.", "dataset", "event")
        self._jobs = counter("jobs", "What became of questions in the queue.", "dataset", "question", "event", "code")
        self._workers = counter("workers", "Answering processes that were ready, died or were ended.", "event")
        self._kept = gauge("ledger_up", "Whether the account can be kept now.")
        self._ready = gauge("answering_up", "Whether a process answers, on this machine or another one.")
        self._waiting = gauge("jobs_waiting", "Questions that wait to be answered.")
        self._spent = gauge("budget_spent_ratio", "The part of a dataset's budget that is spent.", "dataset")
        listeners.on(ANY, self._told)

    def answered(self, method: str, path: str, status: int, code: str, seconds: float) -> None:
        """Count a request over HTTP."""
        where = _of(path, self._paths), _of(method, METHODS)
        self._requests.labels(*where, str(int(status)), _of(code, (*STATUS, NONE))).inc()
        self._seconds.labels(*where).observe(seconds)

    def _told(self, event: Event) -> None:
        dataset, kind = _of(event.dataset, self._datasets), _of(event.kind, KINDS)
        if kind in OF_JOBS:
            code = NONE if event.code is None else _of(event.code, STATUS)
            self._jobs.labels(dataset, _of(event.question or "", QUESTIONS), kind, code).inc()
        elif kind in OF_WORKERS:
            self._workers.labels(kind).inc()
        else:
            self._events.labels(dataset, kind).inc()

    @property
    def media_type(self) -> str:
        """Of :meth:`text`."""
        return str(self._library.CONTENT_TYPE_LATEST)

    def text(self) -> str:
        """All of it, as Prometheus reads it."""
        now = self._look()
        self._kept.set(now.kept)
        if now.answering is not None:
            self._ready.set(now.answering)
        if now.kept:  # else the numbers of before stand, as the ledger's gauge says
            self._waiting.set(now.waiting)
            for dataset, share in now.spent.items():
                self._spent.labels(_of(dataset, self._datasets)).set(share)
        return bytes(self._library.generate_latest(self.registry)).decode()


def _of(label: str, known: Iterable[str]) -> str:
    return label if label in known else OTHER


def _prometheus() -> ModuleType:
    try:
        import prometheus_client
    except ImportError:
        raise missing_extra("the metrics of a service", "telemetry") from None
    return prometheus_client
