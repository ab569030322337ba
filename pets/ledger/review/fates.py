"""Fates: what became of requests that a second person must approve, for the history of who asked.

What is held before its answer is made, or refused then, was charged nothing: the ledger has no request of it, but its
job. What is held or refused afterwards is a request that stays charged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pets.ledger.db import reviews
from pets.ledger.ledger import Ledger
from pets.ledger.queued.job import QueuedJob, job_of, key_of_job, ledger_key

HELD, REFUSED = "held", "refused"


@dataclass(frozen=True)
class Fate:
    """What a second person's part in a request is.

    Attributes:
        state: ``held`` while they have not decided, or ``refused``.
        reason: the code of why it was refused (:data:`pets.ledger.review.votes.REASONS`); else empty.
    """

    state: str
    reason: str = ""


@dataclass(frozen=True)
class Fates:
    """Those of a dataset, or of one project or analyst.

    Attributes:
        charged: by the id of a request that stays charged.
        uncharged: jobs that were charged nothing, the oldest first.
    """

    charged: Mapping[str, Fate] = field(default_factory=dict)
    uncharged: Sequence[tuple[QueuedJob, Fate]] = ()


def fates(
    ledger: Ledger,
    dataset: str,
    *,
    project: str | None = None,
    analyst: str | None = None,
    last: int | None = None,
) -> Fates:
    """What became of the requests about a dataset that a person must approve, as it may be told by now.

    Args:
        project, analyst: whose; left out, anybody's.
        last: the newest so many of each; left out, all.
    """
    whose = {name: value for name, value in (("project", project), ("analyst", analyst)) if value is not None}
    with ledger.aside(writes=False) as (connection, now):
        marked = reviews.marked(connection, dataset, whose, last)
        jobs = reviews.uncharged(connection, dataset, whose, now, last)
        refused = any(row.review == REFUSED for row in (*marked, *jobs))
        why = _Why(reviews.refusals(connection, dataset) if refused else ())
    charged = {row.id: Fate(row.review, why.of_request(row) if row.review == REFUSED else "") for row in marked}
    told = [(job_of(row), Fate(REFUSED, why.of_job(row)) if row.review == REFUSED else Fate(HELD)) for row in jobs]
    return Fates(charged, told[::-1])


class _Why:
    """The reasons of refusals, by job, by the keys of its charges, and by the requests that answered it."""

    def __init__(self, rows: Sequence[Any]) -> None:
        self._jobs: dict[str, str] = {row.id: row.reason for row in rows}
        self._keys: dict[Any, str] = {(row.project, row.analyst, ledger_key(row)): row.reason for row in rows}
        self._requests: dict[str, str] = {name: row.reason for row in rows for name in _answered_by(row)}

    def of_job(self, row: Any) -> str:
        """(One that answered an equal question was refused with that.)"""
        own = self._jobs.get(row.id)
        return own or next((self._requests[name] for name in _answered_by(row) if name in self._requests), "")

    def of_request(self, row: Any) -> str:
        key = (row.project, row.analyst, key_of_job(row.key or ""))
        return self._keys.get(key) or self._requests.get(row.id, "")


def _answered_by(row: Any) -> list[str]:
    return [] if row.request is None else str(row.request).split(",")
