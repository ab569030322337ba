"""Unseen: answers that the ledger has committed, and whose job is told to run until its tick of the time grid.

When an answer is there would tell how long its making took; so no other way may show it sooner than its own job does.
"""

from __future__ import annotations

from typing import Any

from pets.ledger.db import jobs
from pets.ledger.db.transaction import Transaction
from pets.ledger.queued.job import JobState, key_of_job, made_of


def unseen(tx: Transaction, request: Any, now: float) -> bool:
    """Whether the job that paid for a request (its row) has not ended yet for whoever asked."""
    if request.key is None:
        return False
    key = key_of_job(request.key)
    if key.startswith("job:"):
        job = jobs.by_id(tx.connection, key.removeprefix("job:"))
    else:
        job = jobs.by_key(tx.connection, request.dataset, (request.project, request.analyst), key)
    return job is not None and under_way(job, now)


def under_way(job: Any, now: float) -> bool:
    """Whether whoever asked is told that a job waits or runs."""
    return job.state != JobState.CANCELLED.value and (not JobState(job.state).over or job.shown > now)


def all_unseen(tx: Transaction, dataset: str, project: str, now: float) -> frozenset[str]:
    """The ids of a project's requests whose jobs have not ended yet for whoever asked."""
    found = jobs.under_way(tx.connection, dataset, project, now)
    return frozenset(name for job in found for name in made_of(tx, job))
