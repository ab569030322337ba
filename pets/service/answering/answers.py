"""Answers without rows: what was committed for a job, and what was paid for before, as they go over a wire."""

from __future__ import annotations

import json

from pets.common.codec import Json
from pets.errors import UserError
from pets.ledger.queue import Queue, QueuedJob
from pets.protection.sdc import SDC
from pets.release.bounding.rows_lost import question as rows_lost
from pets.service.wire.asked import Asked
from pets.session.custody import Custody


def answer_of(queue: Queue, job: QueuedJob) -> Json | None:
    """The answer of a job that is done, and may be shown; else ``None``.

    ``{"releases": …}``, ``{"keys": …}``, ``{"top": …}``, ``{"rows_lost": …}`` or ``{"synthetic": …}``, as
    :meth:`pets.service.wire.asked.Asked.ask` gives it.
    """
    kept = None if job.kind == "release" else queue.answer(job)  # (the ledger holds all of those)
    if kept is not None:
        return dict(json.loads(kept))
    sealed = queue.sealed(job)
    return None if sealed is None else {"releases": [one.form() for one in sealed]}


def free(custody: Custody, kind: str, asked: Json, key: str | None) -> Json | None:
    """The answer to a question that was paid for before, by whomever; else ``None``, and nothing is charged.

    It is looked up in the ledger: no row is read, and no process is waited for.

    Raises what a session raises before anything is charged: the question, the policy, or the key's other question.
    """
    question = Asked.read(kind, asked).arguments
    if kind not in ("release", "rows_lost") or question["again"] or isinstance(question["protection"], SDC):
        return None  # (a rounded table costs nothing, and is answered where others are)
    queries = question["queries"] if kind == "release" else [rows_lost(question["table"], question["by"])]
    jobs = [custody.job(query, question["protection"]) for query in queries]
    if not jobs:
        raise UserError("queries must hold at least one query; send the queries that are to be answered together")
    custody.policy.check_numbers(sum(job.plan.size for job in jobs))
    found = custody.answered(jobs, key)
    if found is None:
        return None
    forms = [release.to_json() for release in found]
    return {"releases": forms} if kind == "release" else {"rows_lost": forms[0]}
