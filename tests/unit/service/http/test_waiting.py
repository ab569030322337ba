"""Requests that wait for a job's end are woken by whoever ends it, or else by a look at the queue; never too early."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pets.errors import LedgerDownError
from pets.ledger.ledger import Ledger
from pets.ledger.queue import JobState, Queue, QueuedJob
from pets.service.http import waiting
from pets.service.http.waiting import Waiting
from tests.ledgers import Place, account, opened

LONG = 3600.0
NEVER = 10**6


@pytest.fixture
def ledger(new_place: Callable[[str], Place]) -> Iterator[Ledger]:
    with opened(new_place("sqlite")) as ledger:
        account(ledger)
        yield ledger


def put(queue: Queue, key: str | None = None) -> QueuedJob:
    return queue.put("d", "p", "a", "release", {}, key)


def end(queue: Queue, late: float = 0.0) -> None:
    """Answer the one job that waits."""
    job = queue.claim("w")
    assert job is not None and queue.done(job, None, queue.ledger.time() + late, b"1")


def waited(one: Waiting, job: QueuedJob, meanwhile: Callable[[], Any], seconds: float = LONG) -> None:
    """Wait for a job, and let something happen in another thread once somebody waits."""

    async def both() -> None:
        waits = asyncio.ensure_future(one.until_ended(job.id, seconds))
        await asyncio.sleep(0)
        await asyncio.to_thread(meanwhile)
        await asyncio.wait_for(waits, 240)

    asyncio.run(both())


def state(queue: Queue, job: QueuedJob) -> JobState:
    found = queue.find(job.id, "p", "a")
    assert found is not None
    return found.state


def test_who_waits_is_woken_by_whoever_ends_the_job(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LOOK", NEVER)
    queue = Queue(ledger)
    one = Waiting(queue)
    job = put(queue)
    waited(one, job, lambda: end(queue))
    assert state(queue, job) is JobState.DONE
    cancelled = put(queue)
    waited(one, cancelled, lambda: queue.cancel(cancelled.id, "p", "a"))
    assert state(queue, cancelled) is JobState.CANCELLED


def test_an_end_before_anybody_waited_is_not_missed(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LOOK", NEVER)
    queue = Queue(ledger)
    one = Waiting(queue)
    job = put(queue)
    end(queue)
    waited(one, job, lambda: None)


def test_an_earlier_end_of_a_job_that_waits_once_more_wakes_nobody(ledger: Ledger) -> None:
    queue = Queue(ledger)
    one = Waiting(queue)
    job = put(queue, "k")
    claimed = queue.claim("w")
    assert claimed is not None
    assert queue.failed(claimed, {"code": "busy", "message": "later", "retry_after": 1.0}, 0.0)
    assert one._ended
    assert put(queue, "k").id == job.id
    assert not one._ended
    waited(one, job, lambda: end(queue))
    assert state(queue, job) is JobState.DONE


def test_what_was_told_to_nobody_is_found_by_a_look(ledger: Ledger, new_place: Any) -> None:
    queue = Queue(ledger)
    one = Waiting(queue)
    job = put(queue)
    with Ledger(ledger.label) as elsewhere:  # as of another process: this one's listeners hear nothing of it
        waited(one, job, lambda: end(Queue(elsewhere)))
    assert state(queue, job) is JobState.DONE


@pytest.mark.parametrize("told", [True, False], ids=["told", "found"])
def test_nobody_is_woken_before_the_end_may_be_seen(ledger: Ledger, told: bool) -> None:
    queue = Queue(ledger)
    job = put(queue)
    with Ledger(ledger.label) as elsewhere:
        waited(Waiting(queue), job, lambda: end(queue if told else Queue(elsewhere), late=0.7))
    assert state(queue, job) is JobState.DONE


def test_who_waits_while_the_database_is_away_is_told_at_once(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = Queue(ledger)
    job = put(queue)

    def down(_: Any) -> None:
        raise LedgerDownError("away")

    monkeypatch.setattr(queue, "ended", down)
    waited(Waiting(queue), job, lambda: None)
    assert state(queue, job) is JobState.WAITING


def test_after_its_time_nobody_waits_and_nobody_looks(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = Queue(ledger)
    one, job, looked = Waiting(queue), put(queue), threading.Event()
    monkeypatch.setattr(waiting, "LOOK", 0.01)
    monkeypatch.setattr(queue, "ended", lambda jobs: looked.set() or {})
    waited(one, job, looked.wait, seconds=0.3)
    looks = one._looks
    if looks is not None:
        looks.join(60)
        assert not looks.is_alive()
    assert not one._waiters
