"""Settling: what becomes of a job that nobody answers any more, by what the ledger holds under its key."""

from __future__ import annotations

from pets.common.codec import Json
from pets.errors import InternalError, ReleaseFailedError
from pets.ledger.db import jobs
from pets.ledger.db.row_types import text
from pets.ledger.db.transaction import Transaction
from pets.ledger.queued.job import QueuedJob, charged
from pets.ledger.states import State, release_failed

TRIES = 3
"""Processes that may end under one job, charging nothing, before it has failed."""

_GIVEN_UP = "this question could not be answered, and {}; ask a smaller one, or tell the custodian"


def settle(tx: Transaction, job: QueuedJob, shown: float, *, again: bool) -> str | None:
    """What the ledger says of a job that nobody answers any more; gives the code with which it failed, if it did.

    A job that somebody changes just now is left as it is (see :func:`pets.ledger.db.jobs.move`): once its lease is
    over, it is looked up again.

    Args:
        shown: when its end may be seen.
        again: whether it may be tried once more.
    """
    rows = charged(tx, job)
    states = {State(row.state) for row in rows}
    if any(state.open for state in states):
        return None  # under a lease of its own, which ends, too
    if State.FORFEITED in states:
        lost = [row.id[:12] for row in rows if row.state == State.FORFEITED.value]
        return _fail(tx, job, {"code": ReleaseFailedError.code, "message": release_failed(lost)}, shown)
    if job.tries < TRIES and (again or State.COMMITTED in states):
        jobs.move(tx.connection, job.id, "running", job.token, waits=False, state="waiting", token="", lease=0.0)
        return None
    charge = "its charge stands" if State.COMMITTED in states else "nothing was charged"
    return _fail(tx, job, {"code": InternalError.code, "message": _GIVEN_UP.format(charge)}, shown)


def _fail(tx: Transaction, job: QueuedJob, problem: Json, shown: float) -> str | None:
    said = text(problem | {"retry_after": None})
    # (without a token: whoever may still work on it is stopped)
    values = {"state": "failed", "problem": said, "shown": shown, "token": ""}
    moved = jobs.end(tx.connection, job.id, job.token, waits=False, **values)
    return str(problem["code"]) if moved else None
