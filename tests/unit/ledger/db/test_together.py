"""Jobs that are put at the same time are one forced write; each is put or refused as if it were by itself."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from pets.errors import BusyError, InternalError, LedgerDownError, LedgerError, OtherQuestionError
from pets.ledger.db import jobs
from pets.ledger.db.pool import turns
from pets.ledger.queue import Queue, QueuedJob
from tests.ledgers import Place, account, commits, opened
from tests.services import until


@pytest.fixture
def queue(new_place: Callable[[str], Place]) -> Iterator[Queue]:
    with opened(new_place("sqlite")) as ledger:
        account(ledger)
        yield Queue(ledger)


def at_once(queue: Queue, *several: dict[str, Any]) -> list[QueuedJob | Exception]:
    """What each of some threads is given, which all put a job while nobody can write."""
    given: dict[int, QueuedJob | Exception] = {}
    together, store = queue._together, queue.ledger._store
    assert together is not None and store._turns is not None

    def put(place: int, dataset: str = "d", key: str | None = None, asked: int = 0, most: int = 100) -> None:
        try:
            given[place] = queue.put(dataset, "p", "a", "release", {"n": asked}, key, max_waiting=most)
        except Exception as error:
            given[place] = error

    crew = [threading.Thread(target=put, args=(place,), kwargs=one) for place, one in enumerate(several)]
    with store._turns.one():
        for number, thread in enumerate(crew):
            thread.start()
            until(lambda number=number: len(together._waiting) > number)  # type: ignore[misc]
    for thread in crew:
        thread.join(60)
    return [given[place] for place in range(len(several))]


def test_what_is_put_at_once_is_written_once(queue: Queue) -> None:
    with commits(queue.ledger) as written:
        found = at_once(queue, *({"asked": number} for number in range(8)))
    assert len(written) == 1
    assert [one.asked["n"] for one in found if isinstance(one, QueuedJob)] == [*range(8)]
    assert len({one.id for one in found if isinstance(one, QueuedJob)}) == queue.waiting() == 8


def test_who_is_refused_takes_back_nobody_elses(queue: Queue) -> None:
    """Each sees what those before it in the same transaction have put."""
    first, other, full, last = at_once(queue, {"key": "k"}, {"key": "k", "asked": 1}, {"most": 1}, {})
    assert isinstance(first, QueuedJob) and isinstance(last, QueuedJob)
    assert isinstance(other, OtherQuestionError) and isinstance(full, BusyError)
    assert queue.waiting() == 2


def test_what_is_refused_after_it_wrote_is_taken_back(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    add = jobs.add

    def added(connection: sa.Connection, row: dict[str, Any]) -> Any:
        made = add(connection, row)
        return None if json.loads(row["asked"])["n"] == 1 else made

    monkeypatch.setattr(jobs, "add", added)
    first, wrong, last = at_once(queue, {}, {"asked": 1}, {"asked": 2})
    assert isinstance(first, QueuedJob) and isinstance(wrong, InternalError) and isinstance(last, QueuedJob)
    assert queue.waiting() == 2
    with pytest.raises(InternalError):
        queue.put("d", "p", "a", "release", {"n": 1}, None)
    assert queue.waiting() == 2


def test_what_the_database_refuses_is_refused_alone(queue: Queue) -> None:
    first, wrong, last = at_once(queue, {}, {"dataset": "none such"}, {})
    assert isinstance(first, QueuedJob) and isinstance(last, QueuedJob) and queue.waiting() == 2
    assert isinstance(wrong, LedgerError) and "breaks its rules" in str(wrong)


def test_a_database_that_is_away_is_told_to_all(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    store = queue.ledger._store
    monkeypatch.setattr(turns, "BUSY_SECONDS", 0.05)
    with store._turns.one(), pytest.raises(LedgerDownError):  # type: ignore[union-attr]
        queue.put("d", "p", "a", "release", {}, None)
    monkeypatch.setattr(turns, "BUSY_SECONDS", 60.0)
    assert queue.put("d", "p", "a", "release", {}, None) is not None and queue.waiting() == 1
