"""Job: one question as it waits, runs or has ended, and what the ledger holds of it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from pets.common.codec import Json
from pets.errors import UserError, shown
from pets.ledger.db import jobs
from pets.ledger.db.transaction import Transaction


class JobState(Enum):
    """Where a job is in its life."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    HELD = "held"

    @property
    def ended(self) -> bool:
        """Whether nothing more becomes of it."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)

    @property
    def over(self) -> bool:
        """Whether no process answers it any more, or ever did, and its asker is told so at a tick."""
        return self in (JobState.DONE, JobState.FAILED, JobState.HELD)


@dataclass(frozen=True)
class QueuedJob:
    """One request, as it waits, runs or has ended.

    Attributes:
        kind: one of :data:`~pets.ledger.queued.kinds.KINDS`, or :data:`~pets.ledger.queued.kinds.TABLE`.
        asked: the whole request, in its canonical form.
        key: the caller's idempotency key.
        at: when it came, in seconds since 1970.
        request: the ids of the ledger's requests that answer it, with commas between them.
        problem: why it failed: ``code``, ``message``, ``retry_after``.
        shown: when its end may be seen (while it runs: that it does); before, its asker is told what was so before.
        token: who may end it; only whoever claimed it has it.
        tries: how often it was claimed.
        review: whether a person must decide ``before`` or ``after`` it is answered, or what they decided:
            ``approved``, ``refused``; ``None``: nobody need.
    """

    id: str
    dataset: str
    project: str
    analyst: str
    kind: str
    asked: Json
    key: str | None
    state: JobState
    at: float
    request: str | None = None
    problem: Json | None = None
    shown: float = 0.0
    token: str = field(default="", repr=False)
    tries: int = 0
    review: str | None = None

    @property
    def ledger_key(self) -> str:
        """The idempotency key under which the ledger charges it; a session numbers those of several charges."""
        return ledger_key(self)


def ledger_key(job: Any) -> str:
    """The key of a job, or of its row."""
    return f"job:{job.id}" if job.key is None else str(job.key)


_OF_SEVERAL = re.compile(r"#\d+$")


def key_of_job(key: str) -> str:
    """The key of a job, of one that a session makes of it for several charges."""
    return _OF_SEVERAL.sub("", key)


def charged(tx: Transaction, job: Any) -> list[Any]:
    """What the ledger holds under a job's key, and under those that a session makes of it for several charges."""
    key = ledger_key(job)
    own = re.compile(rf"{re.escape(key)}(#\d+)?")
    return [row for row in jobs.charged(tx.connection, job, key) if own.fullmatch(row.key)]


def made_of(tx: Transaction, job: Any) -> dict[str, Any]:
    """The ledger's requests that a job's answer was made of, by id: those that it paid for, and others' before."""
    names = [] if job.request is None else job.request.split(",")
    found = {name: tx.request(name) for name in names} | {row.id: row for row in charged(tx, job)}
    return {name: row for name, row in found.items() if row is not None}


def check_key(key: str | None) -> None:
    """Raises :class:`UserError` for an idempotency key that reads as one that pets makes of another job's."""
    if key is not None and ("#" in key or key.startswith(("job:", "table:"))):
        raise UserError(
            f"the key {shown(key)} must not hold '#', nor begin with 'job:' or 'table:'; use another, such as a UUID"
        )


def told(row: Any, now: float) -> QueuedJob:
    """A job as its asker sees it: without the worker's token, its end and its beginning each from a tick on.

    (When one begins tells when the one before it ended.)
    """
    job = replace(job_of(row), token="")
    if job.state is JobState.RUNNING and job.shown > now:
        return replace(job, state=JobState.WAITING)
    if job.state.over and job.shown > now:
        state = JobState.WAITING if row.lease > now else JobState.RUNNING
        return replace(job, state=state, request=None, problem=None, review=None)
    return replace(job, request=None) if job.state is JobState.HELD else job


def job_of(row: Any) -> QueuedJob:
    """A job, of its row."""
    return QueuedJob(
        id=row.id,
        dataset=row.dataset,
        project=row.project,
        analyst=row.analyst,
        kind=row.kind,
        asked=json.loads(row.asked),
        key=row.key,
        state=JobState(row.state),
        at=row.at,
        request=row.request,
        problem=None if row.problem is None else json.loads(row.problem),
        shown=row.shown,
        token=row.token,
        tries=row.tries,
        review=row.review,
    )


def passing(row: Any) -> bool:
    """Whether a job failed for a reason after which the very same request may succeed."""
    return row.state == "failed" and json.loads(row.problem)["retry_after"] is not None
