"""Work: one job of the queue, answered by a session of whoever asked it."""

from __future__ import annotations

import base64
import json
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any

from pets.common.codec import canonical
from pets.common.entropy import random_id
from pets.errors import ForbiddenError, LedgerDownError, LedgerError, PetsError, QueryError
from pets.ledger.grants import Grants
from pets.ledger.queue import Queue, QueuedJob
from pets.ledger.queued.ending import Ending
from pets.ledger.queued.kinds import LET_OUT, LOOK, REFRESH
from pets.ledger.review.reviews import Reviews
from pets.protection.sdc import SDC
from pets.service.answering.deciding import decided
from pets.service.answering.grid import Grid
from pets.service.answering.refreshing import refreshed
from pets.service.wire.asked import Asked
from pets.service.wire.problems import more_of
from pets.session.custodian import Custodian
from pets.session.custody import Custody
from pets.session.verbs.analyst_session import AnalystSession

_UNREVIEWED = ("dummy", REFRESH, LOOK, LET_OUT)  # nobody's rows are in what is told of these
_ROLES = {REFRESH: "custodian", LOOK: "reviewer", LET_OUT: "reviewer"}

KEPT = 200
"""Analysts whose account is kept open between their questions."""


class Work:
    """Answers jobs about the datasets of some custodians, one after another.

    Args:
        custodians: all on the queue's ledger.
        queue: that the jobs come from.
        grid: when answers are shown.
    """

    def __init__(self, custodians: list[Custodian], queue: Queue, grid: Grid) -> None:
        self._custodians = {one.schema.dataset: one.custody for one in custodians}
        self._queue, self._grid, self._reviews = queue, grid, Reviews(queue.ledger)
        self._grants = Grants(queue.ledger)
        self._scoped: dict[tuple[str, str, str], Custody] = {}

    @property
    def datasets(self) -> list[str]:
        """Those that it answers about."""
        return list(self._custodians)

    def answer(self, job: QueuedJob, then: Callable[[], str | None] = lambda: None) -> QueuedJob | None:
        """Answer one, and say so in the queue; whatever fails, this goes on. What a person must decide about is held.

        Args:
            then: who takes the next job in the same transaction, asked when this one is answered; ``None``: nobody.

        Returns:
            QueuedJob | None: that next job; ``None`` also where its worker has to look for one.

        What a session refuses or reports goes to the asker word for word, since it never depends on a row. Anything
        else is kept for the custodian alone, and the ledger tells the asker whether a charge stands.

        Raises :class:`pets.errors.LedgerError` where the queue cannot be written: others will look what became of it;
        and where the ledger is no longer the one that this process opened, which can answer nothing.
        """
        ending = self._queue.ending(job, self._shown, then, self.datasets, begun=self._shown)
        try:
            return self._answered(job, ending)
        except LedgerDownError:
            self._queue.doubt(ending)
            raise

    def _answered(self, job: QueuedJob, ending: Ending) -> QueuedJob | None:
        try:
            custody = self._custody(job)
            self._check_grant(job)
            approval = None if job.kind in _UNREVIEWED else custody.policy.approval
            if approval == "before" and job.review != "approved":
                self._reviews.postpone(job)
                return None
            if job.kind == REFRESH:
                found = refreshed(custody, self._queue.ledger.incidents)
            elif job.kind in (LOOK, LET_OUT):
                found = decided(custody, job)
            else:
                asked = Asked.read(job.kind, job.asked)
                ending.shown = partial(self._shown, _cells(custody, asked))
                mine = custody.under(job.ledger_key)
                mine.account.ending = ending if approval != "after" and _by_one_answer(asked) else None
                found = asked.ask(AnalystSession(mine), job.ledger_key)
        except PetsError as error:
            if isinstance(error, LedgerError):  # of this question alone, or of every one: then this process is to end
                self._queue.ledger.check_same()
            problem = {"code": error.code, "message": str(error), "retry_after": error.retry_after} | more_of(error)
            self._queue.failed(job, problem, ending.shown())
        except Exception:
            self._queue.ledger.incidents.note(random_id()[:12], traceback.format_exc())
            self._queue.gone(job.id, job.token, "see the incident before this one", ending.shown(), again=False)
        else:
            if ending.written:
                return self._queue.went_on(ending)
            requests = None if job.kind in _UNREVIEWED else ",".join(_requests(found)) or None
            kept = None if job.kind == "release" else canonical(found)
            if approval != "after":
                return self._queue.done_and_next(ending, requests, kept)
            self._reviews.hold(job, requests, ending.shown(), kept)
            return None
        # what failed may have failed after the commit that ended this job, and took the next
        return self._queue.went_on(ending) if ending.written and self._queue.stands(ending) else None

    def _check_grant(self, job: QueuedJob) -> None:
        """It may have ended since the job was put."""
        role = _ROLES.get(job.kind, "analyst")
        if not self._grants.allows(job.dataset, job.project, job.analyst, role):
            raise ForbiddenError(
                f"nobody has granted {job.analyst} of project {job.project} to ask about this dataset; nothing "
                "was charged; ask the custodian for a grant"
            )

    def _shown(self, cells: int | None = None) -> float:
        return self._grid.tick(self._queue.ledger.time(), cells)

    def _custody(self, job: QueuedJob) -> Custody:
        if job.dataset not in self._custodians:
            raise QueryError(f"this service has no dataset {job.dataset!r}; ask for the list of those it has")
        whose = job.dataset, job.project, job.analyst
        if whose not in self._scoped:
            if len(self._scoped) >= KEPT:
                self._scoped.pop(next(iter(self._scoped)))
            self._scoped[whose] = self._custodians[job.dataset].scoped(job.project, job.analyst)
        return self._scoped[whose]


def _cells(custody: Custody, asked: Asked) -> int | None:
    """How many numbers are asked for, from public knowledge; ``None`` where the question does not tell."""
    if asked.kind != "release":
        return None
    return sum(custody.plan(query).size for query in asked.arguments["queries"])


def _by_one_answer(asked: Asked) -> bool:
    """Whether the commit of one answer is all that a job comes to: what is kept of it is in the ledger."""
    given = asked.arguments
    return asked.kind == "release" and len(given["queries"]) == 1 and not isinstance(given["protection"], SDC)


def _requests(found: Any) -> list[str]:
    """The ledger's ids of the requests that an answer was made of, as its certificates state them."""
    if isinstance(found, list):
        return [name for one in found for name in _requests(one)]
    if not isinstance(found, dict):
        return []
    more = [name for part, one in found.items() if part != "certificate" for name in _requests(one)]
    if found.get("certificate") is None:
        return more
    statement: Any = json.loads(base64.b64decode(found["certificate"]["payload"]))
    own = statement["predicate"].get("request_id")
    return more if own is None else [str(own), *more]
