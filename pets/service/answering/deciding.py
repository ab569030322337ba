"""Deciding: what a reviewer has an answering process do about tables outside the grid, since the rows are there.

What is found lies with the ledger's key, and not in the queue: the answer of such a job says that it was done.
"""

from __future__ import annotations

from pets.common.codec import Json
from pets.ledger.queued.job import QueuedJob
from pets.ledger.queued.kinds import LOOK
from pets.session.custody import Custody


def decided(custody: Custody, job: QueuedJob) -> Json:
    """Look at what a table would tell, or let it leave on the word of whoever put the job: never whoever asked for it.

    Raises what :meth:`pets.Custodian.look` and :meth:`pets.Custodian.approve` raise, and ``ForbiddenError`` for whoever
    asked.
    """
    from pets.session.disclosure.solving import check_engine
    from pets.session.door.checking import examined
    from pets.session.door.door import let_out, requested

    asked = job.asked
    if job.kind == LOOK:
        check_engine()
        examined(custody, requested(custody, asked["request"], by=job.analyst))
    else:
        words = {name: asked[name] for name in ("finding", "anyway", "note")}
        let_out(custody, asked["request"], by=job.analyst, **words)
    return {"table": {"request": asked["request"], "done": job.kind}}
