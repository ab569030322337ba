"""The time grid: no way shows an answer, or that a job began, before the tick at which its asker is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pets.ledger.account import Account
from pets.ledger.ledger import Ledger
from pets.ledger.queue import JobState, Queue, QueuedJob
from pets.ledger.review.reviews import Reviews
from tests.ledgers import account, request, seal
from tests.unit.ledger.test_queue import Clock, clock, ledger, now, put

__all__ = ["clock", "ledger"]
STEP = 5.0
REFUSED: dict[str, Any] = {"code": "query", "message": "no", "retry_after": None}


@pytest.fixture
def memory(clock: Clock) -> Ledger:
    ledger = Ledger(None, clock=clock)
    account(ledger)
    return ledger


def claimed(queue: Queue, shown: float = 0.0) -> QueuedJob:
    job = queue.claim("w", shown=shown)
    assert job is not None
    return job


def known(asker: Account, question: str, key: str | None = None) -> bool:
    """Whether the answer is there at once, without a job."""
    return asker.known([request(question, key=key)]) is not None


@pytest.mark.parametrize("key", ["k", None])
@pytest.mark.parametrize("parts", [1, 2])
def test_an_answer_is_free_once_its_own_job_shows_it(memory: Ledger, clock: Clock, key: str | None, parts: int) -> None:
    queue, asker, stranger = Queue(memory), account(memory), account(memory, milli=None, project="q", analyst="b")
    mine = put(queue, key=key)
    job = claimed(queue)
    under = [job.ledger_key if parts == 1 else f"{job.ledger_key}#{part}" for part in range(parts)]
    grants = asker.reserve([request(f"q{part}", key=one) for part, one in enumerate(under)])

    def free() -> list[bool]:
        return [known(asker, "q0", under[0]), known(asker, "q0"), known(stranger, "q0"), known(stranger, "q0", "n")]

    assert free() == [False] * 4, "it is being made"
    ids = [seal(asker, grant).request for grant in grants]
    assert free() == [False] * 4 and queue.unseen("d", "p") == set(ids), "it is made, and not told of"
    assert queue.done(job, ",".join(ids), clock.now + STEP)
    assert free() == [False] * 4 and queue.unseen("d", "p") == set(ids) and queue.unseen("d", "q") == frozenset()
    clock.now += STEP
    assert free() == [True] * 4 and queue.unseen("d", "p") == frozenset() and now(queue, mine).state is JobState.DONE


def test_what_a_session_paid_for_is_free_at_once(memory: Ledger) -> None:
    asker = account(memory)
    for key in ("k", "k#0", None):
        (grant,) = asker.reserve([request(f"of {key}", key=key)])
        seal(asker, grant)
        assert known(asker, f"of {key}", key)


@pytest.mark.parametrize("end", ["done", "failed", "held"])
def test_a_job_is_told_to_run_and_to_have_ended_at_ticks(memory: Ledger, clock: Clock, end: str) -> None:
    """The moment at which one begins tells when the one before it ended."""
    queue = Queue(memory)
    first = clock.now + STEP

    def ends(job: QueuedJob, shown: float) -> None:
        if end == "failed":
            assert queue.failed(job, REFUSED, shown)
        elif end == "done":
            assert queue.done(job, "r", shown)
        else:
            assert Reviews(memory).hold(job, "r", shown)

    slow, quick = put(queue, later=False), put(queue, later=False)
    found = {one.id: one for one in (claimed(queue, first), claimed(queue, first))}
    assert [now(queue, one).state for one in (slow, quick)] == [JobState.WAITING] * 2
    ends(found[quick.id], first)
    assert now(queue, quick).state is JobState.WAITING, "it began and ended between two ticks"
    clock.now = first
    assert (now(queue, slow).state, now(queue, quick).state) == (JobState.RUNNING, JobState(end))
    clock.now += 1
    queue.keep(found[slow.id])
    ends(found[slow.id], first + STEP)
    assert now(queue, slow).state is JobState.RUNNING and queue.mine("p", "a", limit=9)[0].state.value != "waiting"
    assert queue.answer(replace(now(queue, slow), state=JobState.DONE)) is None
    clock.now = first + STEP
    assert now(queue, slow).state is JobState(end)


def test_projects_take_turns(memory: Ledger) -> None:
    """One that asks a thousand questions keeps another's waiting for one of them."""
    queue = Queue(memory)
    for project in ("p", "s"):
        account(memory, milli=None, project=project)
        for _ in range(6):
            put(queue, project=project)
    late = [put(queue, project=project) for project in ("q", "z")]
    order = [claimed(queue) for _ in range(14)]
    assert [job.project for job in order] == ["p", "q", "s", "z", *["p", "s"] * 5]
    assert {job.id for job in late} < {job.id for job in order[:4]}
    assert [job.at for job in order if job.project == "p"] == sorted(job.at for job in order if job.project == "p")


def test_of_invented_rows_a_project_has_one_answered_at_a_time(ledger: Ledger, clock: Clock) -> None:
    """They are free, so that one project could keep every process at them."""
    queue = Queue(ledger)
    account(ledger, milli=None, project="q")
    mine = []
    for seed in range(3):
        clock.now += 1
        mine.append(queue.put("d", "p", "a", "dummy", {"seed": seed}, None))
    theirs = queue.put("d", "q", "b", "dummy", {}, None)
    first, second = claimed(queue), claimed(queue)
    assert {first.id, second.id} == {mine[0].id, theirs.id} and queue.claim("w") is None
    asked = put(queue)
    assert claimed(queue).id == asked.id, "a real question is not kept waiting"
    own = first if first.project == "p" else second
    assert queue.done(own, None, clock.now, b"{}")
    assert claimed(queue).id == mine[1].id and queue.claim("w") is None
    assert queue.waiting() == 1
