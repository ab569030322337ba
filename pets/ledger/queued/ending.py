"""Ending: the end of a job and the claim of the next, within one transaction: the one that commits its answer, or more.

A worker that has answered a job would else write twice more before it goes on, and wait twice more for its turn.

What commits an answer holds the head of the log, and so waits for nobody who changes the job's row just now; then the
job is ended afterwards, in a transaction of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pets.common.codec import Json
from pets.ledger.db import jobs
from pets.ledger.db.store import Connection
from pets.ledger.queued.job import QueuedJob

Claims = tuple[Any, str, Json]
"""The arguments of :func:`pets.ledger.db.jobs.claim`."""


@dataclass
class Ending:
    """What ends a job once its answer is made; it is used once.

    Args:
        job: that ends; ``None``: none, and the next one is only claimed.
        shown: when that may be seen; asked as it ends, as are the others.
        worker: who takes the next job; ``None``: nobody.
        begun: when it may be seen that the next one runs.
        claims: of the time, the worker and ``begun``: how it is taken.

    Attributes:
        at: when the end may be seen.
        moved: whether the job was still its worker's.
        row: of the next job, which is the worker's now; ``None``: none waits.
    """

    job: QueuedJob | None
    shown: Callable[[], float]
    worker: Callable[[], str | None]
    begun: Callable[[], float]
    claims: Callable[[float, str, float], Claims]
    at: float = field(init=False, default=0.0)
    moved: bool = field(init=False, default=False)
    row: Any = field(init=False, default=None)

    def write(
        self,
        connection: Connection,
        now: float,
        request: str | None,
        answer: bytes | None = None,
        *,
        waits: bool = True,
    ) -> None:
        """Write it in a transaction that another commits; arguments as of :meth:`pets.ledger.queue.Queue.done`.

        ``waits``: whether for whoever changes the job's row just now (see :func:`pets.ledger.db.jobs.move`). Without
        it, and where the job is not its worker's, nothing at all is written.
        """
        self.at, worker = self.shown(), self.worker()
        claims = None if worker is None else self.claims(now, worker, self.begun())
        if self.job is None:
            self.row = None if claims is None else jobs.claim(connection, *claims)
            return
        values = {"state": "done", "request": request, "answer": answer, "shown": self.at}
        if claims is None:
            self.moved = jobs.end(connection, self.job.id, self.job.token, waits=waits, **values)
            return
        ended = (self.job.id, self.job.token, values)
        self.moved, self.row = jobs.end_and_claim(connection, ended, claims, waits=waits)

    @property
    def written(self) -> bool:
        """Whether it was written; not whether that was committed."""
        return self.moved or self.row is not None
