"""Reviews: jobs that are held until a second person has decided, and what becomes of them then.

Where a policy says so, a job is held before its answer is made (refused, it costs nothing), or after (refused, it stays
charged). Each decision is an entry of the log, which names the reviewer; decision, entry and effect are one
transaction, so that no crash can leave one without the others. A held answer is marked in the ledger's row of its
request, where every rule reads that gives an answer to somebody (:mod:`pets.ledger.repeats`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pets.common.codec import Json, digest
from pets.common.literals import printable
from pets.errors import ForbiddenError, HeldError, NotApprovedError, NotFoundError, UserError, shown
from pets.ledger import repeats
from pets.ledger.db import access, jobs, reviews
from pets.ledger.db.row_types import text
from pets.ledger.db.transaction import Transaction
from pets.ledger.failpoint import failpoint
from pets.ledger.ledger import Ledger
from pets.ledger.queued.job import QueuedJob, job_of, made_of
from pets.ledger.queued.kinds import TABLE
from pets.ledger.review.output import same_person
from pets.ledger.review.tables import question
from pets.ledger.review.votes import REASONS, Decision, Stage, Vote, decided, known_decision

MAX_NOTE = 2000
"""Letters of a reviewer's note."""


@dataclass(frozen=True)
class Held:
    """One job that waits for a person, as a reviewer sees it: never a row, and after the answer the protected one.

    Attributes:
        job: who asked what, and when.
        stage: whether the answer is made already.
        answer: the protected answer, as whoever asked would be given it.
        votes: what was decided so far.
    """

    job: QueuedJob
    stage: Stage
    answer: Json | None = None
    votes: tuple[Vote, ...] = ()

    @property
    def id(self) -> str:
        """Of the job."""
        return self.job.id

    def to_json(self) -> Json:
        """Who asked, what kind of question, and since when it waits; neither the question nor its answer."""
        job = self.job
        found: Json = {"id": job.id, "kind": job.kind, "stage": self.stage.value, "dataset": job.dataset}
        return found | {"project": job.project, "analyst": job.analyst, "at": int(job.at)}


@dataclass(frozen=True)
class LetOut:
    """A person's word by which a table outside the grid leaves.

    Attributes:
        by: who decides; never whoever asked.
        finding, found: the digest of what was found of the table, and what it came to: ``proved``, ``attack`` or
            ``undecided``.
        width: how many whole numbers beside the true one each small sum of people was to leave open.
        releases, beside: how many releases without noise it was compared with, and the digest of which.
        shown: a salted digest of the numbers that were compared. The log has all of these.
        anyway: why it leaves although it is not proved, in words of their own; the log has their digest alone.
        note: further words of their own, likewise.
    """

    by: str
    finding: str
    found: str
    width: int
    releases: int
    beside: str
    shown: str
    anyway: str = ""
    note: str = ""


class Reviews:
    """The jobs in a ledger that a person must approve; safe from threads and processes."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    # who answers --------------------------------------------------------------------------------------------------

    def postpone(self, job: QueuedJob) -> bool:
        """A claimed job that nobody has approved is held and not answered; ``False`` where it is another's by now."""
        with self.ledger.aside() as (connection, _):
            held: dict[str, Any] = {"state": "held", "review": Stage.BEFORE.value, "token": "", "lease": 0.0}
            held["tries"] = 0
            return jobs.move(connection, job.id, "running", job.token, **held)

    def hold(self, job: QueuedJob, request: str | None, shown: float, answer: bytes | None = None) -> bool:
        """It was answered, and its answer is held; arguments and result as of :meth:`pets.ledger.queue.Queue.done`."""
        while not self._hold(job, request, shown, answer):
            with self.ledger.aside() as (connection, _):  # somebody changes it just now: the others are to go on
                if not jobs.let_go(connection, job.id, job.token):
                    return False
        self.ledger.catch_up()
        return True

    def _hold(self, job: QueuedJob, request: str | None, shown: float, answer: bytes | None) -> bool:
        with self.ledger.writing() as (tx, now):
            held = {"state": "held", "review": Stage.AFTER.value, "request": request, "answer": answer, "shown": shown}
            if not jobs.end(tx.connection, job.id, job.token, waits=False, **held):
                return False
            if any(one.review == "refused" for one in made_of(tx, jobs.by_id(tx.connection, job.id)).values()):
                jobs.move(tx.connection, job.id, "held", None, **_ends(Stage.AFTER, Decision.REFUSE, "other"))
                return True  # while this job ran, a reviewer refused the answer for another
            names = _withheld(tx, jobs.by_id(tx.connection, job.id))
            said = {"dataset": job.dataset, "job": job_name(job.id), "requests": names}
            tx.append("held", now, said, {"job": job.id})
        return True

    # who decides --------------------------------------------------------------------------------------------------

    def waiting(self, dataset: str | None = None, *, limit: int = 100) -> list[Held]:
        """The held jobs of a dataset (left out: of all), the longest first.

        They are without their answers, which :meth:`find` shows.
        """
        with self.ledger.aside(writes=False) as (connection, now):
            rows = [row for row in reviews.held(connection, dataset, limit) if row.shown <= now]
            return [_held(row, reviews.votes(connection, row.id)) for row in rows]

    def find(self, job: str, *, by: str | None = None, dataset: str | None = None) -> Held:
        """One held job, with its protected answer where that is made.

        Args:
            by: the subject who looks, as a reviewer (left out: the custodian): whoever asked is shown it nowhere.
            dataset: whose it must be.

        Raises:
            ForbiddenError: as :meth:`decide`.
            NotFoundError: where no such job is held.
        """
        self._has_it(job)
        with self.ledger.reading() as tx:
            row = jobs.by_id(tx.connection, job)
            if (
                row is None
                or row.state != "held"
                or row.shown > self.ledger.time()
                or dataset not in (None, row.dataset)
            ):
                raise NotFoundError(f"no request {shown(job)} is held; pets review list shows those that are")
            if by is not None:
                _check_reviewer(tx, row, printable("by", by))
            answer = _answer(tx, row) if row.review == Stage.AFTER.value else None
            return _held(row, reviews.votes(tx.connection, job), answer)

    def decide(
        self,
        job: str,
        decision: str | Decision,
        *,
        by: str,
        reason: str | None = None,
        note: str = "",
        dataset: str | None = None,
    ) -> QueuedJob:
        """Approve or refuse a held job; said again by the same person it changes nothing.

        Args:
            by: the subject who decides; never whoever asked, in whichever project.
            reason: of :data:`pets.ledger.review.votes.REASONS`; the public log has it.
            note: words of the reviewer's own; the log has their digest alone.
            dataset: whose it must be.

        Returns:
            The job as it is now.

        Raises:
            ForbiddenError: for whoever asked, or somebody who has no leave to review where leave is given.
            HeldError: where it was decided already, or was cancelled.
            NotFoundError: for a job that never was.
        """
        given, why = known_decision(decision, reason)
        _check_words("a note", note)
        vote = Vote(printable("by", by), Stage.BEFORE, given, why)
        self._has_it(job)
        with self.ledger.writing() as (tx, now):
            row = jobs.by_id(tx.connection, job)
            if row is None or dataset not in (None, row.dataset):
                raise NotFoundError(f"no request {shown(job)} is held; pets review list shows those that are")
            _check_reviewer(tx, row, vote.reviewer)
            hidden: Json = {}
            if row.kind == TABLE:  # why one was refused could tell of the others: of all of them one reason is told
                vote, hidden = replace(vote, reason=REASONS[given][-1]), {"reason": digest(why)}
            earlier = [_vote(one) for one in reviews.votes(tx.connection, job)]
            if any(_same(one, vote) for one in earlier):
                return job_of(row)
            _check_held(row)
            if row.kind == TABLE and given is Decision.APPROVE:
                raise HeldError(
                    "a table outside the grid is approved where the rows are, by whoever has looked at what it would "
                    "tell; write custodian.look('the id') there, then custodian.approve('the id', by=…, finding=…)"
                )
            self._enter(tx, row, vote, note, earlier, now, hidden)
            failpoint("review-logged")
            found = job_of(jobs.by_id(tx.connection, job))
        failpoint("review-committed")
        self.ledger.catch_up()
        return found

    @staticmethod
    def let_out(tx: Transaction, now: float, job: str, dataset: str, said: LetOut, request: str) -> None:
        """Approve a table outside the grid, in the very transaction that enters its release: both stand, or neither.

        Args:
            request: the id of the release.

        Raises as :meth:`decide`.
        """
        row = jobs.by_id(tx.connection, job)
        if row is None or row.kind != TABLE or row.dataset != dataset:
            raise NotFoundError(f"no table {shown(job)} is held; look at the list of requests that are")
        _check_words("a note", said.note)
        vote = Vote(printable("by", said.by), Stage.BEFORE, Decision.APPROVE, REASONS[Decision.APPROVE][0])
        _check_reviewer(tx, row, vote.reviewer)
        _check_held(row)
        earlier = [_vote(one) for one in reviews.votes(tx.connection, job)]
        told = {name: getattr(said, name) for name in ("finding", "found", "width", "releases", "beside", "shown")}
        hidden = {"anyway": digest(said.anyway)}
        Reviews._write(tx, row, vote, said.note, earlier, now, told, hidden)
        ends: dict[str, Any] = {"state": "done", "review": "approved", "request": request}
        if not jobs.move(tx.connection, job, "held", None, waits=False, **ends):
            raise HeldError("this request is not held any more: it was cancelled; look at those that are")
        for other in reviews.of_kind(tx.connection, dataset, TABLE):  # who asked the same has it, too
            if other.state == "held" and question(other) == question(row):  # (one that is just taken back: _has_it)
                jobs.move(tx.connection, other.id, "held", None, waits=False, **ends)

    def _has_it(self, job: str) -> None:
        """Whoever asked for a table that was let out for another has it, too, and nobody decides about it anew.

        So it is where somebody began to take the request back while the table was let out, and came to no end.
        """
        with self.ledger.aside(writes=False) as (connection, _):
            row = jobs.by_id(connection, job)
            if row is None or row.kind != TABLE or row.state != "held":
                return
            alike = [one for one in reviews.of_kind(connection, row.dataset, TABLE) if one.key == row.key]
            let_out = [one for one in alike if (one.state, one.review) == ("done", "approved")]
            found = next((one.request for one in let_out if not reviews.lost(connection, one.request)), None)
        if found is not None:
            with self.ledger.aside() as (connection, _):
                ends: dict[str, Any] = {"state": "done", "review": "approved", "request": found}
                jobs.move(connection, job, "held", None, waits=False, **ends)

    @staticmethod
    def _write(
        tx: Transaction,
        row: Any,
        vote: Vote,
        note: str,
        earlier: Sequence[Vote],
        now: float,
        told: Json | None = None,
        hidden: Json | None = None,
    ) -> list[str]:
        """The vote and its entry in the log; gives the held answers that it is about."""
        stage = Stage(row.review)
        if any((one.reviewer, one.stage) == (vote.reviewer, stage) for one in earlier):
            raise HeldError("you have decided about this request before; another reviewer must, too")
        kept = {"job": row.id, "reviewer": vote.reviewer, "stage": stage.value, "decision": vote.decision.value}
        kept |= {"reason": vote.reason, "note": note, "at": now, "seq": tx.head.size}
        reviews.add(tx.connection, kept)
        names = _withheld(tx, row) if stage is Stage.AFTER else []
        said: Json = {"dataset": row.dataset, "job": job_name(row.id), "stage": stage.value, "by": vote.reviewer}
        said |= {"decision": vote.decision.value, "reason": vote.reason, "requests": names}
        private = {"job": row.id, "asked": row.digest, "note": digest(note)}
        tx.append("review", now, said | (told or {}), private | (hidden or {}))
        return names

    def _enter(
        self, tx: Transaction, row: Any, vote: Vote, note: str, earlier: Sequence[Vote], now: float, hidden: Json
    ) -> None:
        """The vote, its entry in the log, and what it changes."""
        names, stage = self._write(tx, row, vote, note, earlier, now, None, hidden), Stage(row.review)
        end = decided([*(one for one in earlier if one.stage is stage), vote])
        if end is None:
            return
        reviews.mark(tx.connection, names, "approved" if end is Decision.APPROVE else "refused")
        ends = _ends(stage, end, vote.reason, row.kind)
        if not jobs.move(tx.connection, row.id, "held", None, waits=False, **ends):
            raise HeldError("this request is not held any more: it was cancelled; look at those that are")
        if end is Decision.REFUSE and names:  # nobody may be shown them by way of another job, either
            for other in reviews.held(tx.connection, row.dataset, None):
                if other.review == Stage.AFTER.value and not made_of(tx, other).keys().isdisjoint(names):
                    jobs.move(tx.connection, other.id, "held", None, **_ends(stage, end, vote.reason))


def job_name(job: str) -> str:
    """How the public log names a job: only who knows its random id can tell which it is."""
    return digest(["job", job])


def _ends(stage: Stage, end: Decision, reason: str, kind: str = "") -> dict[str, Any]:
    """What becomes of a job."""
    if end is Decision.APPROVE:
        return {"state": "waiting" if stage is Stage.BEFORE else "done", "review": "approved"}
    told = (
        f"a second person did not approve this request ({reason}); nothing was charged; ask them why, then ask anew"
        if stage is Stage.BEFORE
        else f"a second person did not approve this answer ({reason}); its charge stands, and nobody is shown it; ask "
        "them why"
    )
    if kind == TABLE:
        told = (
            "a second person did not approve this table; nothing of it was released, and it is not decided anew; ask "
            "for sums of the grid's cells, or with pets.DP(epsilon=…)"
        )
    problem = {"code": NotApprovedError.code, "message": told, "retry_after": None}
    return {"state": "failed", "review": "refused", "problem": text(problem), "answer": None}


def _check_words(what: str, words: object) -> None:
    if not isinstance(words, str) or len(words) > MAX_NOTE:
        raise UserError(f"{what} is a text of at most {MAX_NOTE:,} letters, not {shown(words)}")


def _check_held(row: Any) -> None:
    if row.state != "held":
        raise HeldError("this request is not held: it was decided, or cancelled; look at those that are")


def _check_reviewer(tx: Transaction, row: Any, by: str) -> None:
    if by == row.analyst or (row.kind == TABLE and any(same_person(by, one) for one in _askers(tx, row))):
        raise ForbiddenError("nobody decides about a request of their own; another reviewer must")
    if access.ever_granted(tx.connection, row.dataset):
        granted = access.all_granted(tx.connection, row.dataset)
        if not any(one.analyst == by and "reviewer" in json.loads(one.roles) for one in granted):
            raise ForbiddenError(
                f"nobody has granted {by} to review requests about this dataset; ask the custodian for a grant"
            )


def _askers(tx: Transaction, row: Any) -> list[str]:
    """Who ever asked for a table, in whichever project: what is decided for one is decided for all."""
    tables = reviews.of_kind(tx.connection, row.dataset, TABLE)
    return [one.analyst for one in tables if question(one) == question(row)]


def _same(one: Vote, vote: Vote) -> bool:
    return (one.reviewer, one.decision, one.reason) == (vote.reviewer, vote.decision, vote.reason)


def _withheld(tx: Transaction, row: Any) -> list[str]:
    """The ids of the held answers that a job is made of."""
    return sorted(name for name, one in made_of(tx, row).items() if one.review == "held")


def _answer(tx: Transaction, row: Any) -> Json:
    """The protected answer of a held job, for its reviewer."""
    if row.answer is not None:
        return dict(json.loads(bytes(row.answer)))
    scope, found = (row.project, row.analyst), []
    for name in row.request.split(","):
        found.append(repeats.shared(tx, tx.request(name), scope, holding=True))
    return {"releases": [one.form() for one in found]}


def _held(row: Any, given: Sequence[Any], answer: Json | None = None) -> Held:
    return Held(job_of(row), Stage(row.review), answer, tuple(map(_vote, given)))


def _vote(row: Any) -> Vote:
    return Vote(row.reviewer, Stage(row.stage), Decision(row.decision), row.reason, row.at, row.seq)
