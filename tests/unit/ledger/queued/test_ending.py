"""Whoever holds the head of the log waits for nobody who changes a job just now; and an outage leaves one job running.

An HTTP process that stands still within a cancellation holds the job's row. (In SQLite one transaction writes at a
time, and holds no row.)
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pets.errors import HeldError, LedgerDownError, NotFoundError
from pets.ledger.db import jobs
from pets.ledger.db.store import CommitUnknown, Connection
from pets.ledger.ledger import Ledger
from pets.ledger.queue import JobState, Queue, QueuedJob
from pets.ledger.review import tables
from pets.ledger.review.reviews import LetOut, Reviews
from tests.ledgers import Place, account, ask, audit, opened, request, seal, verify
from tests.services import until
from tests.unit.ledger.test_queue import Clock, clock, ledger, now, put

__all__ = ["clock", "ledger"]


class TakenBack(Exception):
    """What somebody began to write is not written."""


@pytest.fixture
def postgres(new_place: Callable[[str], Place], clock: Clock) -> Iterator[Ledger]:
    with opened(new_place("postgresql"), clock=clock) as ledger:
        account(ledger)
        yield ledger


@contextlib.contextmanager
def cancelling(ledger: Ledger, job: QueuedJob, *, stands: bool) -> Iterator[None]:
    """While somebody cancels a job, and comes to no end with it."""
    with contextlib.suppress(TakenBack), ledger.aside() as (connection, _):
        assert jobs.move(connection, job.id, job.state.value, None, state="cancelled")
        yield
        if not stands:
            raise TakenBack


def others_go_on(ledger: Ledger) -> None:
    """Nobody keeps somebody else from the head of the log."""
    assert len(ask(account(ledger, analyst="b", milli=None), request("r"))) == 1


def claimed(queue: Queue, worker: str = "w") -> QueuedJob:
    job = queue.claim(worker)
    assert job is not None
    return job


def running(ledger: Ledger) -> list[str]:
    with ledger.aside(writes=False) as (connection, _):
        return [row.id for row in jobs.left_behind(connection, float("inf"))]


@pytest.mark.parametrize("stands", [True, False], ids=["cancelled", "taken back"])
@pytest.mark.parametrize("goes_on", [True, False])
def test_an_answer_waits_for_nobody_who_changes_its_job(
    postgres: Ledger, clock: Clock, stands: bool, goes_on: bool
) -> None:
    queue = Queue(postgres)
    first, second = put(queue), put(queue)
    job = claimed(queue)
    asker = account(postgres).under(job.ledger_key)
    ending = asker.ending = queue.ending(job, lambda: clock.now, lambda: "w" if goes_on else None)
    (grant,) = asker.reserve([request("q")])
    with cancelling(postgres, job, stands=stands):
        sealed = seal(asker, grant)
        assert not ending.written, "then nothing is claimed, either"
        others_go_on(postgres)
    following = queue.done_and_next(ending, sealed.request)
    assert ending.moved is not stands
    assert now(queue, first).state is (JobState.CANCELLED if stands else JobState.DONE)
    assert (None if following is None else following.id) == (second.id if goes_on else None)
    audit(postgres)
    verify(postgres)


@pytest.mark.parametrize("way", ["gone", "sweep"])
def test_what_was_left_behind_is_closed_while_somebody_changes_its_job(
    postgres: Ledger, clock: Clock, way: str
) -> None:
    queue, asker = Queue(postgres), account(postgres)
    job = put(queue)
    mine = claimed(queue)
    asker.reserve([request("q", key=mine.ledger_key)])
    clock.now += 31
    with cancelling(postgres, mine, stands=False):
        if way == "gone":
            queue.gone(job.id, mine.token, "it died", clock.now, again=False)
        else:
            queue.sweep()
        assert [entry.state.value for entry in asker.entries()] == ["forfeited"]
        others_go_on(postgres)
    assert now(queue, job).state is JobState.RUNNING
    queue.sweep()
    assert now(queue, job).state is JobState.FAILED


@pytest.mark.parametrize("stands", [True, False], ids=["cancelled", "taken back"])
def test_an_answer_is_held_once_nobody_changes_its_job_and_the_others_go_on(
    postgres: Ledger, clock: Clock, stands: bool
) -> None:
    queue, found = Queue(postgres), []
    job = put(queue)
    mine = claimed(queue)
    (sealed,) = ask(account(postgres), request("q", key=mine.ledger_key))
    thread = threading.Thread(target=lambda: found.append(Reviews(postgres).hold(mine, sealed.request, clock.now)))

    def waits() -> bool:
        with postgres.aside(writes=False) as (connection, _):
            query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            return bool(connection.exec_driver_sql(query).scalar())

    with cancelling(postgres, mine, stands=stands):
        thread.start()
        until(waits)
        others_go_on(postgres)
    thread.join(600)
    assert found == [not stands]
    assert now(queue, job).state is (JobState.CANCELLED if stands else JobState.HELD)
    verify(postgres)


def test_a_person_who_decides_keeps_nobody_waiting_for_whoever_cancels(postgres: Ledger) -> None:
    job = put(Queue(postgres), held=True)
    with cancelling(postgres, job, stands=False):
        with pytest.raises(HeldError, match="is not held any more: it was cancelled; look at those that are"):
            Reviews(postgres).decide(job.id, "approve", by="r")
        others_go_on(postgres)
    assert Reviews(postgres).decide(job.id, "approve", by="r").state is JobState.WAITING, "it was not cancelled"


@pytest.mark.parametrize("stands", [True, False], ids=["cancelled", "taken back"])
def test_a_table_that_is_let_out_waits_for_nobody_else_who_asked_for_it(postgres: Ledger, stands: bool) -> None:
    def asks(name: str, rows: str = "these rows") -> QueuedJob:
        return tables.ask(postgres, "d", (name, name), {"question": "0" * 64}, rows, most=9)

    def is_now(job: QueuedJob) -> JobState:
        found = queue.find(job.id, job.project, job.analyst)
        assert found is not None
        return found.state

    queue, reviews = Queue(postgres), Reviews(postgres)
    first, other, third = asks("a"), asks("b"), asks("c")
    (grant,) = account(postgres, analyst="a", project="a", milli=None).reserve([request("q")])
    word = LetOut("r", "1" * 64, "proved", 3, 0, "2" * 64, "3" * 64)
    with cancelling(postgres, other, stands=stands):
        with postgres.writing() as (tx, at):
            Reviews.let_out(tx, at, first.id, "d", word, grant.id)
        others_go_on(postgres)
    assert [is_now(one) for one in (first, third)] == [JobState.DONE] * 2
    assert is_now(other) is (JobState.CANCELLED if stands else JobState.HELD)
    after = asks("b", "rows after a refresh")
    with pytest.raises(NotFoundError, match="is held; pets review list shows those that are"):
        reviews.find(other.id)
    assert is_now(other) is (JobState.CANCELLED if stands else JobState.DONE), "nobody decides about it anew"
    with pytest.raises(HeldError, match="is not held: it was decided, or cancelled"):
        reviews.decide(other.id, "refuse", by="r")
    assert reviews.find(after.id).job.state is JobState.HELD, "of other rows it is another request"
    verify(postgres)


# an outage ----------------------------------------------------------------------------------------------------------


def losing(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, *, stands: bool) -> None:
    """The connection is lost with the next commit of a job."""
    aside = ledger.aside

    @contextlib.contextmanager
    def lost(**how: bool) -> Iterator[tuple[Connection, float]]:
        if not how.get("writes", True):
            with aside(**how) as given:
                yield given
            return
        monkeypatch.setattr(ledger, "aside", aside)
        with aside(**how) as given:
            yield given
            if not stands:
                raise CommitUnknown("here")
        raise CommitUnknown("here")

    monkeypatch.setattr(ledger, "aside", lost)


@pytest.mark.parametrize("stands", [True, False])
def test_a_claim_that_an_outage_hid_is_the_next_one(
    ledger: Ledger, clock: Clock, stands: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = Queue(ledger)
    first, second = put(queue), put(queue)
    losing(ledger, monkeypatch, stands=stands)
    with pytest.raises(LedgerDownError):
        queue.claim("w")
    assert running(ledger) == [first.id] * stands
    assert claimed(queue, "v").id == (second if stands else first).id, "it is not another's"
    job = claimed(queue)
    assert (job.id, job.tries) == ((first if stands else second).id, 1)
    assert sorted(running(ledger)) == sorted([first.id, second.id])
    assert queue.claim("w") is None, "it was looked up once"
    assert queue.done(job, "r", clock.now) and running(ledger) != []


@pytest.mark.parametrize("stands", [True, False])
def test_an_end_that_an_outage_hid_is_told_and_followed(
    ledger: Ledger, clock: Clock, stands: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue, told = Queue(ledger), []
    first, second, third = put(queue), put(queue), put(queue)
    ending = queue.ending(claimed(queue), lambda: clock.now, lambda: "w")
    losing(ledger, monkeypatch, stands=stands)
    with pytest.raises(LedgerDownError):
        queue.done_and_next(ending, "r")
    queue.doubt(ending)

    def away(*_: Any, **__: Any) -> Any:
        raise LedgerDownError("away")

    with monkeypatch.context() as patch, pytest.raises(LedgerDownError):
        patch.setattr(ledger, "aside", away)
        queue.claim("w")
    ledger.listeners.on("*", lambda event: told.append((event.kind, event.job)))
    following = claimed(queue)
    assert following.id == second.id and third.id not in running(ledger)
    if stands:
        assert running(ledger) == [second.id] and now(queue, first).state is JobState.DONE
        assert told == [("job-done", first.id), ("job-running", second.id)]
    else:
        assert sorted(running(ledger)) == sorted([first.id, second.id]), "the first is looked up by its token"
        assert told == [("job-running", second.id)]


def test_a_claim_that_was_given_up_meanwhile_is_not_taken_up(
    ledger: Ledger, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = Queue(ledger)
    first, second = put(queue), put(queue)
    losing(ledger, monkeypatch, stands=True)
    with pytest.raises(LedgerDownError):
        queue.claim("w")
    clock.now += 31
    queue.sweep()
    other = claimed(queue, "v")
    assert other.id == first.id and claimed(queue).id == second.id
