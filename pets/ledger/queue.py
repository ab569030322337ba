"""Queue: questions that wait for an answering process, in the ledger's database.

A job is no entry of the log and costs nothing; the session that answers it charges, under the job's idempotency key.
Whoever claims a job holds it by a lease; what a dead process leaves behind is looked up in the ledger under that key:
never charged, or answered already, it waits again (asked again under its key, an answer is free); charged and never
answered, it has failed.

What a worker writes of a job (that it has it, keeps it, has answered it) waits for no disk, or is part of the answer's
own commit: a job costs the forced writes of its charge, and one when it is put. A power cut takes the newest of these,
none from before a charge or an answer that stands (they share one write-ahead log). So the queue is then as if the
worker had died a moment earlier:

* without its claim a job waits, and nothing was charged under it, for a charge would have kept the claim;
* with a shorter lease it is looked up earlier;
* without its end it runs, until its lease is over, and the ledger tells the rest, as above.

Where only a database server fell, its workers live on. One whose claim is lost can end nothing (the token does not
fit) and is stopped, as is one whose job was cancelled; what it had begun stays charged. What puts, refuses, cancels or
holds a job is durable: somebody was told of it, and nothing else could tell.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from typing import Any

from pets.common.codec import Json, digest
from pets.common.entropy import random_id
from pets.errors import BusyError, InternalError, LedgerDownError, LedgerError, OtherQuestionError, UserError, shown
from pets.ledger import repeats
from pets.ledger.db import jobs, sql
from pets.ledger.db.row_types import text
from pets.ledger.db.store import Connection
from pets.ledger.db.together import Together
from pets.ledger.events import Event
from pets.ledger.ledger import Ledger, close
from pets.ledger.queued.ending import Claims, Ending
from pets.ledger.queued.job import JobState, QueuedJob, charged, check_key, job_of, made_of, passing, told
from pets.ledger.queued.kinds import KINDS, TABLE
from pets.ledger.queued.settling import TRIES, settle
from pets.ledger.queued.unseen import all_unseen
from pets.ledger.states import Sealed, State

__all__ = ["KINDS", "LEASE", "TRIES", "JobState", "Queue", "QueuedJob"]

LEASE = 30.0
"""Seconds that a job may run before others may look what became of it; whoever answers it renews that meanwhile."""

RETRY_AFTER = 5.0
"""Seconds after which a full queue may have room."""
INVENTED_KEPT = 3600.0
"""Seconds that an answer on invented rows is kept."""


class Queue:
    """The jobs in a ledger's database; safe from threads and processes.

    Args:
        ledger: whose database and clock it uses.
        lease: seconds that a claim lasts unless it is renewed.
    """

    def __init__(self, ledger: Ledger, *, lease: float = LEASE) -> None:
        self.ledger, self.lease = ledger, lease
        self._forgot, self._turn = 0.0, ""
        self._doubted: dict[str, Ending] = {}  # by worker
        self._together = Together(ledger.aside) if ledger.in_file else None

    # who asks ---------------------------------------------------------------------------------------------------

    def put(
        self,
        dataset: str,
        project: str,
        analyst: str,
        kind: str,
        asked: Json,
        key: str | None,
        *,
        max_waiting: int | None = None,
        max_dummies: int | None = None,
        held: bool = False,
    ) -> QueuedJob:
        """A new job, or the one that was put before under the same key.

        Args:
            max_waiting: how many of the project may wait for this dataset, those that wait for a person among them.
            max_dummies: of a question on invented rows, how many of these may wait or run.
            held: whether a person must approve it before it is answered.

        Raises:
            UserError: the key reads as one that pets makes.
            OtherQuestionError: the key was used for something else.
            BusyError: so many wait already; nothing was put, and nothing is charged.
        """
        if kind not in KINDS:
            raise UserError(f"a job of kind {shown(kind)} does not exist; there are: {', '.join(KINDS)}")
        check_key(key)
        row: dict[str, Any] = {"id": random_id(), "dataset": dataset, "project": project, "analyst": analyst}
        row |= {"kind": kind, "asked": text(asked), "digest": digest([kind, asked]), "key": key, "state": "waiting"}
        row |= {"lease": 0.0, "token": "", "worker": "", "tries": 0, "shown": 0.0}
        row |= {"state": JobState.HELD.value, "review": "before"} if held else {}

        def work(connection: Connection, now: float) -> tuple[Any, float]:
            jobs.alone(connection, dataset, project)
            known = None if key is None else jobs.by_key(connection, dataset, (project, analyst), key)
            if known is not None and known.digest != row["digest"]:
                raise OtherQuestionError(f"the key {key!r} was used for another question; use a new key")
            waits = known is None or passing(known)
            if waits and max_waiting is not None and jobs.waiting(connection, dataset, project) >= max_waiting:
                raise _full(f"{max_waiting} questions of this project wait")
            most = max_dummies if waits and kind == "dummy" else None
            if most is not None and jobs.open_dummies(connection, dataset, project) >= most:
                raise _full(f"{most} questions of this project on invented rows wait")
            if known is None:
                known = jobs.add(connection, row | {"at": now})
                if known is None:
                    raise InternalError("a new job was there already")
            elif waits and jobs.anew(connection, known.id):
                known = jobs.by_id(connection, known.id)
            return known, now

        if self._together is None:
            with self.ledger.aside(pipelined=True) as (connection, now):
                known, now = work(connection, now)
        else:
            known, now = self._together.write(work)
        if known.state == "waiting":
            self._tell("job-waiting", known)
        return told(known, now)

    def find(self, job: str, project: str, analyst: str) -> QueuedJob | None:
        """A job of one's own; ``None`` for a stranger's, as for one that never was."""
        with self.ledger.aside(writes=False) as (connection, now):
            row = jobs.by_id(connection, job)
        return None if row is None or (row.project, row.analyst) != (project, analyst) else told(row, now)

    def mine(self, project: str, analyst: str, *, after: str | None = None, limit: int = 100) -> list[QueuedJob]:
        """One's own jobs, the newest first; ``after``: the id of the last one that was shown."""
        with self.ledger.aside(writes=False) as (connection, now):
            last = None if after is None else jobs.by_id(connection, after)
            if after is not None and (last is None or (last.project, last.analyst) != (project, analyst)):
                return []
            return [told(row, now) for row in jobs.mine(connection, project, analyst, last, limit)]

    def answer(self, job: QueuedJob) -> bytes | None:
        """What was kept of a job's answer besides the ledger, once its end may be seen; of a held one nothing.

        Raises :class:`NotApprovedError` or :class:`HeldError` where a person has not let go what it was made of.
        """
        if job.state is not JobState.DONE:
            return None
        with self.ledger.reading() as tx:
            row = jobs.by_id(tx.connection, job.id)
            seen = row is not None and row.answer is not None and row.state == JobState.DONE.value
            if not seen or row.shown > self.ledger.time():
                return None
            for request in made_of(tx, row).values():
                repeats.check_let_go(request)
        return bytes(row.answer)

    def sealed(self, job: QueuedJob) -> list[Sealed] | None:
        """What the ledger committed for a job, once its end may be seen, in the order of its questions.

        Only what is committed, and was made or delivered for this very analyst, is given; and only once a checkpoint
        tells of it, for whoever committed it, and the job's end with it, may have died before that was written.
        """
        if job.state is not JobState.DONE or job.request is None:
            return None
        scope, found, names, size = (job.project, job.analyst), [], job.request.split(","), 0
        with self.ledger.reading([sql.request(name) for name in names]) as tx:
            for name in names:
                row = tx.request(name)
                sealed = None if row is None or row.state != State.COMMITTED.value else repeats.shared(tx, row, scope)
                if sealed is None or not (sealed.delivered or sealed.scope == scope):
                    if job.kind == TABLE:  # let out for who asked the same, or never sealed: it is given on asking
                        return None
                    raise LedgerError("the ledger does not hold what answered this; ask again, which costs nothing")
                found.append(sealed)
                size = max(size, row.sealed + 1)
        self.ledger.catch_up(size)
        return found

    def cancel(self, job: str, project: str, analyst: str) -> QueuedJob | None:
        """Ask no more for it: one that waits costs nothing then; the process of one that runs is stopped.

        What had begun stays charged. One that has ended stays as it is, and so does one whose answer is made and is
        held: that is for its reviewer to decide. ``None`` as for :meth:`find`.
        """
        with self.ledger.aside() as (connection, now):
            row = jobs.by_id(connection, job)
            if row is None or (row.project, row.analyst) != (project, analyst):
                return None
            states = ("waiting", "running") if row.review == "after" else ("waiting", "running", "held")
            moved = any(jobs.move(connection, job, one, None, state="cancelled") for one in states)
            found = told(jobs.by_id(connection, job), now)
        if moved:
            self._tell("job-cancelled", row)
        return found

    def unseen(self, dataset: str, project: str) -> frozenset[str]:
        """The ids of a project's requests of whose end nothing may be told yet: their jobs wait for their ticks."""
        with self.ledger.reading() as tx:
            return all_unseen(tx, dataset, project, self.ledger.time())

    def ended(self, several: Collection[str]) -> dict[str, float]:
        """Those of these jobs that have ended, and when the asker of each may be told so."""
        with self.ledger.aside(writes=False) as (connection, _):
            return jobs.ended(connection, several)

    def waiting(self) -> int:
        """How many wait."""
        with self.ledger.aside(writes=False) as (connection, _):
            return jobs.waiting(connection)

    # who answers ------------------------------------------------------------------------------------------------

    def claim(self, worker: str, datasets: Sequence[str] | None = None, *, shown: float = 0.0) -> QueuedJob | None:
        """The job of the next project that waits longest; it is this worker's as long as it renews its lease.

        Args:
            worker: a name for people who look after the service.
            datasets: which it can answer about (``None``: all).
            shown: when it may be seen that it runs.

        One that it claimed before, when an outage left unknown whether that stands, comes first.
        """
        if (doubted := self._doubted.get(worker)) is not None:
            stands = self.stands(doubted)
            del self._doubted[worker]
            if stands:
                return self.went_on(doubted)
        with self.ledger.aside(writes=False) as (connection, _):  # who finds nothing keeps nobody from writing
            if not jobs.any_waiting(connection, datasets):
                return None
        ending = self.ending(None, float, lambda: worker, datasets, lambda: shown)
        try:
            return self.done_and_next(ending, None)
        except LedgerDownError:
            self.doubt(ending)
            raise

    def _claims(self, now: float, worker: str, shown: float, datasets: Sequence[str] | None) -> Claims:
        values = {"state": "running", "token": random_id(), "worker": worker, "lease": now + self.lease}
        return datasets, self._turn, values | {"shown": shown}

    def _running(self, row: Any) -> QueuedJob | None:
        if row is None:
            return None
        self._turn = row.project
        self._tell("job-running", row)
        return job_of(row)

    def keep(self, job: QueuedJob) -> bool:
        """Renew the lease; ``False`` where the job is no longer this worker's, or was cancelled."""
        with self.ledger.aside(durable=False, pipelined=True) as (connection, now):
            return jobs.move(connection, job.id, "running", job.token, lease=now + self.lease)

    def done(self, job: QueuedJob, request: str | None, shown: float, answer: bytes | None = None) -> bool:
        """It was answered; ``False`` where the job is no longer this worker's.

        Args:
            request: the ids of the ledger's requests that answer it, with commas between them.
            shown: when it may be seen.
            answer: what the ledger does not hold of it.
        """
        return self._ended(job, durable=False, state="done", request=request, answer=answer, shown=shown)

    def ending(
        self,
        job: QueuedJob | None,
        shown: Callable[[], float],
        worker: Callable[[], str | None],
        datasets: Sequence[str] | None = None,
        begun: Callable[[], float] = float,
    ) -> Ending:
        """The end of a job, and the claim of the next; see :class:`~pets.ledger.queued.ending.Ending`."""
        return Ending(job, shown, worker, begun, lambda now, who, runs: self._claims(now, who, runs, datasets))

    def done_and_next(self, ending: Ending, request: str | None, answer: bytes | None = None) -> QueuedJob | None:
        """:meth:`done` and :meth:`claim`, in a transaction of their own."""
        with self.ledger.aside(durable=False, pipelined=True) as (connection, now):
            ending.write(connection, now, request, answer)
        return self.went_on(ending)

    def went_on(self, ending: Ending) -> QueuedJob | None:
        """Tell what an ending wrote, once that is committed; gives the next job, where one was claimed."""
        if ending.moved and ending.job is not None:
            self._tell("job-done", ending.job, None, ending.at)
        return self._running(ending.row)

    def doubt(self, ending: Ending) -> None:
        """The database went away, and nobody knows whether what an ending wrote was committed; :meth:`claim` looks."""
        if ending.row is not None:
            self._doubted[ending.row.worker] = ending

    def stands(self, ending: Ending) -> bool:
        """Whether what an ending wrote was committed; for whoever does not know."""
        one = ending.row or ending.job
        if one is None:
            return False
        with self.ledger.aside(writes=False) as (connection, _):
            found = jobs.by_id(connection, one.id)
        return found is not None and (found.state == "done" if ending.row is None else found.token == ending.row.token)

    def failed(self, job: QueuedJob, problem: Json, shown: float) -> bool:
        """It was refused, or failed; ``False`` where the job is no longer this worker's."""
        return self._ended(job, state="failed", problem=text(problem), shown=shown)

    def _ended(self, job: QueuedJob, *, durable: bool = True, **values: Any) -> bool:
        with self.ledger.aside(durable=durable, pipelined=True) as (connection, _):
            moved = jobs.end(connection, job.id, job.token, **values)
        if moved:
            code = json.loads(values.get("problem", "{}")).get("code")
            self._tell(f"job-{values['state']}", job, code, values["shown"])
        return moved

    def _tell(self, kind: str, job: Any, code: str | None = None, shown: float | None = None) -> None:
        now, whose = self.ledger.time(), (job.dataset, job.project, job.analyst)
        event = Event(kind, now, *whose, job=job.id, question=job.kind, seconds=now - job.at, shown=shown, code=code)
        self.ledger.listeners.tell(event)

    # what was left behind ---------------------------------------------------------------------------------------

    def gone(self, job: str, token: str, why: str, shown: float, *, again: bool) -> None:
        """The process that answered this has ended, or gave up: what it had begun is forfeited.

        Args:
            job, token: of the claim; nothing is done where the job is another's by now.
            why: for the custodian alone, under the incident's number.
            shown: when its end may be seen.
            again: whether it may be tried once more where nothing was charged.
        """
        with self.ledger.writing() as (tx, now):
            found = jobs.by_id(tx.connection, job)
            if found is None or found.token != token:
                return
            begun = [row for row in charged(tx, found) if State(row.state).open]
            for row in begun:
                close(tx, row, now)
                self.ledger.incidents.note(row.id[:12], why)
            code = settle(tx, job_of(found), shown, again=again)
        self.ledger.tell_closed(begun)
        self._tell_failed(found, code, shown)

    def left_by(self, worker: str, job: str = "") -> list[tuple[str, str]]:
        """What a worker that has ended had claimed besides this job: ids and tokens."""
        with self.ledger.aside(writes=False) as (connection, _):
            return [(row.id, row.token) for row in jobs.in_hand(connection, worker, job)]

    def stopped(self, job: str, token: str, worker: str | None = None) -> bool:
        """Whether whoever claimed it works in vain: it was cancelled, was given up, or is another's by now.

        Not where its claim stands and it has ended: whoever ended it goes on to the next, and is not to be killed then.

        ``worker``: who claimed it; one that has claimed another job since works on that, and not in vain.
        """
        with self.ledger.aside(writes=False) as (connection, _):
            row = jobs.by_id(connection, job)
            if worker is not None and jobs.in_hand(connection, worker, job):
                return False
        return row is None or row.token != token or row.state == JobState.CANCELLED.value

    def sweep(self) -> None:
        """Look what became of jobs whose lease is over."""
        with self.ledger.aside(writes=False) as (connection, now):
            rows = jobs.left_behind(connection, now)
        if rows:
            self.ledger.recover()
        for row in rows:
            with self.ledger.writing() as (tx, now):
                code = settle(tx, job_of(row), now, again=True)
            self._tell_failed(row, code, now)
        if now - self._forgot >= INVENTED_KEPT / 10:
            self._forgot = now
            with self.ledger.aside() as (connection, now):
                jobs.forget_invented(connection, now - INVENTED_KEPT)

    def _tell_failed(self, job: Any, code: str | None, shown: float) -> None:
        if code is not None:
            self._tell("job-failed", job, code, shown)


def _full(told: str) -> BusyError:
    return BusyError(f"{told} already; nothing was charged; ask again when some are answered", RETRY_AFTER)
