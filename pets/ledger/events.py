"""Events: what a custodian's own programs are told when something changes: ids, states, costs, seconds; never a value.

They are for whoever runs the service: how long an answer took may depend on rows.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from pets.common.codec import Json
from pets.errors import UserError, did_you_mean, shown

OF_REQUESTS = ("reserved", "started", "committed", "delivered", "forfeited", "voided", "denied")
"""What becomes of a request in the account; every answer that goes out is ``delivered``, those at no cost, too."""

OF_JOBS = ("job-waiting", "job-running", "job-done", "job-failed", "job-cancelled")
OF_WORKERS = ("worker-ready", "worker-died", "worker-killed")
KINDS = (*OF_REQUESTS, *OF_JOBS, *OF_WORKERS)
ANY = "*"

_LOG = logging.getLogger("pets.events")


@dataclass(frozen=True)
class Event:
    """One change.

    Attributes:
        kind: one of :data:`KINDS`.
        at: seconds since 1970.
        request: its id in the ledger.
        job: its id in the queue.
        question: the kind of a job, of :data:`pets.ledger.queued.kinds.KINDS`.
        loss, delta: what it costs, in units of the ledger's currency.
        seconds: since it began.
        shown: of a job that ended, when its asker may be told (seconds since 1970); who tells them sooner tells how
            long it took.
        code: of a job that failed, the error's.
        worker: the answering process.
    """

    kind: str
    at: float
    dataset: str = ""
    project: str = ""
    analyst: str = ""
    request: str | None = None
    job: str | None = None
    question: str | None = None
    loss: int = 0
    delta: int = 0
    seconds: float | None = None
    shown: float | None = None
    code: str | None = None
    worker: str | None = None

    def to_json(self) -> Json:
        """What is set of it, by name."""
        return {name: value for name, value in vars(self).items() if value not in (None, "")}

    @classmethod
    def from_json(cls, form: Json) -> Event:
        """The inverse of :meth:`to_json`; names that it does not know are passed over."""
        return cls(**{name: value for name, value in form.items() if name in _FIELDS})


_FIELDS = frozenset(field.name for field in fields(Event))

Listener = Callable[[Event], Any]


class Listeners:
    """Whoever wants to be told."""

    def __init__(self) -> None:
        self._calls: list[tuple[str, Listener]] = []
        self._lock = threading.Lock()

    def on(self, kind: str, call: Listener) -> None:
        """Call this with every event of a kind, or with ``"*"`` of any; in the thread in which it happens.

        Raises :class:`UserError` for a kind that does not exist, or what cannot be called.
        """
        if not isinstance(kind, str) or kind not in (*KINDS, ANY):
            raise UserError(f"there is no event {shown(kind)}{did_you_mean(kind, KINDS)}")
        if not callable(call):
            raise UserError(
                f"an event is told by calling a function, and {shown(call)} is none; give one that takes it"
            )
        with self._lock:
            self._calls = [*self._calls, (kind, call)]

    def tell(self, event: Event) -> None:
        """Call whoever listens. What one of them raises hides nothing that happened: its kind alone is logged."""
        for kind, call in self._calls:
            if kind in (ANY, event.kind):
                try:
                    call(event)
                except Exception as error:
                    _LOG.warning("a listener to %r raised %s", event.kind, type(error).__name__)
