"""Answers without rows: what was committed for a job, and what was paid for before, as they go over a wire."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pets.ledger.queue import Queue, QueuedJob
from pets.ledger.states import Sealed
from pets.protection.sdc import SDC
from pets.release.bounding.rows_lost import question as rows_lost
from pets.service.wire.asked import Asked
from pets.session.custody import Custody
from pets.session.job import Job


def answer_of(queue: Queue, job: QueuedJob) -> bytes | None:
    """The answer of a job that is done, and may be shown, as it was written; else ``None``.

    JSON: ``{"releases": …}``, ``{"keys": …}``, ``{"top": …}``, ``{"rows_lost": …}``, ``{"synthetic": …}`` or
    ``{"trained": …}``, as :meth:`pets.service.wire.asked.Asked.ask` gives it.
    """
    kept = None if job.kind == "release" else queue.answer(job)  # (the ledger holds all of those)
    if kept is not None:
        return kept
    sealed = queue.sealed(job)
    return None if sealed is None else _releases(sealed)


def jobs_of(custody: Custody, asked: Asked) -> list[Job]:
    """What a question asks that may have been paid for before, ready to run; none of a question that cannot be.

    Raises what a session raises before anything is charged: the question, or the policy.
    """
    given = asked.arguments
    if asked.kind == "rows_lost":
        queries = [rows_lost(given["table"], given["by"])]
    elif asked.kind == "release" and not isinstance(given["protection"], SDC):
        queries = given["queries"]
    else:
        return []  # (a rounded table costs nothing, and is answered where others are)
    jobs = [custody.job(query, given["protection"]) for query in queries]
    custody.policy.check_numbers(sum(job.plan.size for job in jobs))
    return jobs


def free(custody: Custody, asked: Asked, jobs: Sequence[Job], key: str | None) -> bytes | Callable[[], bytes] | None:
    """The answer to a question that was paid for before, by whomever; else ``None``, and nothing is charged.

    As :func:`answer_of` gives that of a job. It is looked up in the ledger: no row is read, and no process is waited
    for. Where it was another's, and nobody had it here before, what enters that and gives it: this may wait for others
    that write.

    Args:
        jobs: the question's, of :func:`jobs_of`.

    Raises :class:`pets.errors.OtherQuestionError` where the key is another question's.
    """
    found = None if not jobs or asked.arguments["again"] else custody.answered(jobs, key)
    if found is None or isinstance(found, list):
        return None if found is None else _formed(asked, found)
    return lambda: _formed(asked, found())


def _formed(asked: Asked, found: Sequence[Sealed]) -> bytes:
    return _releases(found) if asked.kind == "release" else b'{"rows_lost":%b}' % found[0].written


def _releases(several: Sequence[Sealed]) -> bytes:
    return b'{"releases":[%b]}' % b",".join(one.written for one in several)
