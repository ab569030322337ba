"""Jobs: put once under a key, claimed once, seen by their asker alone, and settled by what the ledger holds."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from pets.errors import BusyError, LedgerError, OtherQuestionError, UserError
from pets.ledger.account import Account
from pets.ledger.db import jobs, tables
from pets.ledger.ledger import Ledger
from pets.ledger.queue import TRIES, JobState, Queue, QueuedJob
from tests.ledgers import MILLI, Place, account, ask, audit, opened, request, seal, verify

ASKED: dict[str, Any] = {"queries": [{"table": "t"}], "protection": {"protection": "dp"}, "again": False}


class Clock:
    """A time that a test sets."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(place: Place, clock: Clock) -> Iterator[Ledger]:
    with opened(place, clock=clock) as ledger:
        account(ledger)
        yield ledger


@pytest.fixture
def memory(clock: Clock) -> Iterator[Ledger]:
    """Where the database's kind is of no concern."""
    with Ledger(None, clock=clock) as ledger:
        account(ledger)
        yield ledger


def put(queue: Queue, analyst: str = "a", key: str | None = None, project: str = "p", **more: Any) -> QueuedJob:
    clock = queue.ledger._clock
    if isinstance(clock, Clock) and more.pop("later", True):
        clock.now += 1
    return queue.put("d", project, analyst, "release", ASKED | more.pop("asked", {}), key, **more)


def now(queue: Queue, job: QueuedJob) -> QueuedJob:
    found = queue.find(job.id, job.project, job.analyst)
    assert found is not None
    return found


# who asks -----------------------------------------------------------------------------------------------------------


def test_a_job_waits_runs_and_is_done(ledger: Ledger, clock: Clock) -> None:
    queue = Queue(ledger)
    job = put(queue)
    assert (job.state, job.asked, job.at, job.token, queue.waiting()) == (JobState.WAITING, ASKED, clock.now, "", 1)
    claimed = queue.claim("w")
    assert claimed is not None and claimed.id == job.id and len(claimed.token) == 32 and claimed.tries == 1
    assert queue.claim("v") is None and queue.waiting() == 0
    assert claimed.token not in repr(claimed)
    seen = now(queue, job)
    assert (seen.state, seen.token) == (JobState.RUNNING, ""), "the token is the worker's alone"
    assert queue.done(claimed, "r1,r2", clock.now, b"extra")
    done = now(queue, job)
    assert (done.state, done.request, queue.answer(done)) == (JobState.DONE, "r1,r2", b"extra")
    assert not queue.done(claimed, "r3", clock.now), "it has ended"
    assert now(queue, job).request == "r1,r2"


def test_who_has_answered_one_takes_the_next_at_once(ledger: Ledger, clock: Clock) -> None:
    queue = Queue(ledger)
    first, second, third = put(queue), put(queue), put(queue)
    one = queue.claim("w")
    assert one is not None and one.id == first.id
    two = queue.done_and_next(queue.ending(one, lambda: clock.now, lambda: "w", begun=lambda: clock.now + 5), "r1")
    assert two is not None and (two.id, two.tries) == (second.id, 1)
    assert (now(queue, first).state, now(queue, first).request) == (JobState.DONE, "r1")
    assert now(queue, second).state is JobState.WAITING, "that it runs is seen from then on"
    assert queue.cancel(second.id, "p", "a") is not None
    last = queue.done_and_next(queue.ending(two, lambda: clock.now, lambda: "w", ["d"]), "r2")
    assert last is not None and last.id == third.id, "one that was cancelled ends nothing, and keeps nobody"
    assert now(queue, second).state is JobState.CANCELLED
    assert queue.done_and_next(queue.ending(last, lambda: clock.now, lambda: "w", ["e"]), "r3") is None
    assert now(queue, third).state is JobState.DONE


def test_the_end_is_not_seen_before_its_time(memory: Ledger, clock: Clock) -> None:
    queue = Queue(memory)
    for end in ("done", "failed"):
        job = put(queue)
        claimed = queue.claim("w")
        assert claimed is not None
        if end == "done":
            queue.done(claimed, "r", clock.now + 2, b"extra")
        else:
            queue.failed(claimed, {"code": "release-failed", "message": "no", "retry_after": None}, clock.now + 2)
        early = now(queue, job)
        assert (early.state, early.request, early.problem) == (JobState.RUNNING, None, None)
        assert queue.mine("p", "a")[0] == early and queue.answer(early) is None
        assert queue.answer(replace(early, state=JobState.DONE)) is None
        clock.now = early.shown
        assert now(queue, job).state.value == end


def test_a_key_is_one_job(ledger: Ledger) -> None:
    queue = Queue(ledger)
    first = put(queue, key="k")
    assert put(queue, key="k") == first and queue.waiting() == 1
    with pytest.raises(OtherQuestionError, match="the key 'k' was used for another question; use a new key"):
        put(queue, key="k", asked={"again": True})
    others = [put(queue, key="k", analyst="b"), put(queue, key="k", project="q"), put(queue), put(queue)]
    assert len({first.id, *(one.id for one in others)}) == 5


def test_a_stranger_sees_no_job(ledger: Ledger) -> None:
    queue = Queue(ledger)
    mine = put(queue, key="k")
    for project, analyst in (("p", "b"), ("q", "a"), ("", "")):
        assert queue.find(mine.id, project, analyst) is None
        assert queue.mine(project, analyst) == [] == queue.mine(project, analyst, after=mine.id)
        assert queue.cancel(mine.id, project, analyst) is None
    assert queue.find("0" * 32, "p", "a") is None and now(queue, mine).state is JobState.WAITING


def test_pages_are_of_ones_own(ledger: Ledger) -> None:
    queue = Queue(ledger)
    mine = []
    for turn in range(7):
        mine.append(put(queue, later=turn % 2 == 0).id)  # some come at the same moment
        put(queue, analyst="b", later=False)
    pages, after = [], None
    while page := queue.mine("p", "a", after=after, limit=3):
        pages.append([one.id for one in page])
        after = pages[-1][-1]
    assert [len(page) for page in pages] == [3, 3, 1]
    assert sorted(one for page in pages for one in page) == sorted(mine)
    assert [one.at for one in queue.mine("p", "a")] == sorted((one.at for one in queue.mine("p", "a")), reverse=True)


def test_a_full_queue_refuses_and_charges_nothing(ledger: Ledger) -> None:
    queue = Queue(ledger)
    known = put(queue, key="k", max_waiting=2)
    put(queue, max_waiting=2)
    with pytest.raises(BusyError, match="2 questions of this project wait already; nothing was charged") as full:
        put(queue, analyst="b", max_waiting=2)
    assert full.value.code == "busy" and full.value.retry_after
    assert put(queue, key="k", max_waiting=2) == known, "it waits already"
    assert put(queue, project="q", max_waiting=2) and queue.waiting() == 3
    assert account(ledger, milli=None).standing().spent.loss == 0


def test_many_at_once_do_not_pass_the_limit(ledger: Ledger) -> None:
    queue, refused = Queue(ledger), []

    def some() -> None:
        for _ in range(3):
            try:
                put(queue, max_waiting=5)
            except BusyError:
                refused.append(1)

    threads = [threading.Thread(target=some) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(600)
    assert (queue.waiting(), len(refused)) == (5, 7)


def test_unknown_kinds_are_refused(memory: Ledger) -> None:
    with pytest.raises(UserError, match="a job of kind 'drop table' does not exist; there are: release, group_keys"):
        Queue(memory).put("d", "p", "a", "drop table", {}, None)


def test_a_cancelled_job_is_answered_by_nobody(ledger: Ledger, clock: Clock) -> None:
    queue = Queue(ledger)
    waits, runs, ended = put(queue), put(queue), put(queue)
    assert queue.cancel(waits.id, "p", "a").state is JobState.CANCELLED  # type: ignore[union-attr]
    claimed = queue.claim("w")
    assert claimed is not None and claimed.id == runs.id
    assert not queue.stopped(claimed.id, claimed.token)
    assert queue.cancel(runs.id, "p", "a").state is JobState.CANCELLED  # type: ignore[union-attr]
    assert queue.stopped(claimed.id, claimed.token, "w") and not queue.keep(claimed)
    assert not queue.done(claimed, "r", clock.now), "its answer is kept by the ledger, and shown to nobody"
    last = queue.claim("w")
    assert last is not None and not queue.stopped(claimed.id, claimed.token, "w"), "it answers another's by now"
    assert queue.stopped(claimed.id, claimed.token, "v")
    assert queue.done(last, "r", clock.now)
    assert queue.cancel(ended.id, "p", "a") == now(queue, ended) and now(queue, ended).state is JobState.DONE


# who answers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["done", "failed", "given up"])
def test_a_worker_that_has_just_ended_its_job_does_not_work_in_vain(end: str, memory: Ledger, clock: Clock) -> None:
    """Who watches may look before it hears of the end: killed then, a worker would lose the charge of its next job."""
    queue = Queue(memory)
    job = put(queue)
    claimed = queue.claim("w")
    assert claimed is not None
    problem = {"code": "release-failed", "message": "no", "retry_after": None}
    if end == "done":
        assert queue.done(claimed, "r", clock.now)
    elif end == "failed":
        assert queue.failed(claimed, problem, clock.now)
    else:
        for _ in range(TRIES):
            clock.now += 31
            queue.sweep()
            claimed = queue.claim("w") or claimed
    assert now(queue, job).state is (JobState.DONE if end == "done" else JobState.FAILED)
    assert queue.stopped(job.id, claimed.token, "w") == (end == "given up")


def test_each_job_is_claimed_once_and_the_oldest_first(ledger: Ledger) -> None:
    queue = Queue(ledger)
    for _ in range(24):
        put(queue)
    claimed: list[list[QueuedJob]] = [[] for _ in range(4)]

    def work(mine: list[QueuedJob]) -> None:
        while (job := queue.claim("w")) is not None:
            mine.append(job)

    threads = [threading.Thread(target=work, args=(mine,)) for mine in claimed]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(600)
    assert Counter(job.id for mine in claimed for job in mine) == Counter(job.id for job in queue.mine("p", "a"))
    assert all([job.at for job in mine] == sorted(job.at for job in mine) for mine in claimed)


def test_a_worker_takes_what_it_has_data_for(memory: Ledger) -> None:
    queue = Queue(memory)
    put(queue)
    assert queue.claim("w", ["e"]) is None
    assert queue.claim("w", ["e", "d"]) is not None


def test_a_lease_that_is_renewed_is_never_swept(ledger: Ledger, clock: Clock) -> None:
    queue = Queue(ledger, lease=30)
    job = put(queue)
    claimed = queue.claim("w")
    assert claimed is not None
    for _ in range(4):
        clock.now += 20
        assert queue.keep(claimed)
        queue.sweep()
    assert now(queue, job).state is JobState.RUNNING
    clock.now += 31
    queue.sweep()
    assert now(queue, job).state is JobState.WAITING and not queue.keep(claimed)
    again = queue.claim("v")
    assert again is not None and again.token != claimed.token
    assert not queue.done(claimed, "r", clock.now) and queue.done(again, "s", clock.now)


# what was left behind -----------------------------------------------------------------------------------------------


def fates(asker: Account, key: str) -> dict[str, Callable[[], None]]:
    """What a worker may have done before it died, under the job's key."""

    def reserved() -> None:
        asker.reserve([request("q", key=key)], start=False)

    def started() -> None:
        asker.reserve([request("q", key=key)])

    def committed() -> None:
        ask(asker, request("q", key=key))

    def closed() -> None:
        asker.close(asker.reserve([request("q", key=key)]))

    def half() -> None:
        first, _ = asker.reserve([request("q", key=f"{key}#0"), request("r", key=f"{key}#1")])
        seal(asker, first)

    return {
        "nothing": lambda: None,
        "reserved": reserved,
        "started": started,
        "committed": committed,
        "closed": closed,
        "half": half,
    }


ENDS = {"nothing": 0, "reserved": 0, "started": 10, "committed": 10, "closed": 10, "half": 20}
"""By fate, what stays charged, in thousandths of ε."""


@pytest.mark.parametrize("fate", ENDS)
@pytest.mark.parametrize("key", [None, "mine"])
def test_the_ledger_tells_what_became_of_a_job(fate: str, key: str | None, ledger: Ledger, clock: Clock) -> None:
    queue, asker = Queue(ledger), account(ledger)
    job = put(queue, key=key, asked={"queries": [{}, {}]} if fate == "half" else {})
    claimed = queue.claim("w")
    assert claimed is not None and claimed.ledger_key == (key or f"job:{job.id}")
    fates(asker, claimed.ledger_key)[fate]()
    clock.now += 31
    queue.sweep()
    found = now(queue, job)
    if fate in ("nothing", "reserved", "committed"):
        assert found.state is JobState.WAITING
        assert len(ask(asker, request("q", key=claimed.ledger_key))) == 1, "the worker's next try is the same request"
        expected = 10
    else:
        lost = [entry.id[:12] for entry in asker.entries() if entry.state.value == "forfeited"]
        assert found.state is JobState.FAILED and len(lost) == 1
        assert found.problem == {
            "code": "release-failed",
            "message": f"the release failed after the data was opened (incident {lost[0]}); its charge stands; give "
            "the incident number to the custodian",
            "retry_after": None,
        }
        expected = ENDS[fate]
    assert asker.standing().spent.loss == expected * MILLI
    audit(ledger)
    verify(ledger)


@pytest.mark.parametrize("fate", ENDS)
def test_what_a_killed_process_had_begun_is_forfeited_at_once(fate: str, memory: Ledger, clock: Clock) -> None:
    queue, asker = Queue(memory), account(memory)
    job = put(queue, asked={"queries": [{}, {}]} if fate == "half" else {})
    claimed = queue.claim("w")
    assert claimed is not None
    fates(asker, claimed.ledger_key)[fate]()
    queue.gone(job.id, "another's", "why", clock.now, again=False)
    assert now(queue, job).state is JobState.RUNNING
    queue.gone(job.id, claimed.token, "it took longer than 300 s", clock.now, again=False)
    found = now(queue, job)
    assert asker.standing().spent.loss == ENDS[fate] * MILLI
    assert found.state is (JobState.WAITING if fate == "committed" else JobState.FAILED)
    if fate in ("started", "half"):
        (lost,) = [entry.id[:12] for entry in asker.entries() if entry.state.value == "forfeited"]
        assert memory.incidents.read(lost) == "it took longer than 300 s"
        assert found.problem is not None and "300" not in found.problem["message"], "for the custodian alone"
    if fate in ("nothing", "reserved"):
        assert found.problem is not None and found.problem["code"] == "internal"
        assert "nothing was charged" in found.problem["message"]


def test_a_process_that_died_before_it_charged_is_followed_by_another(memory: Ledger, clock: Clock) -> None:
    queue = Queue(memory)
    job = put(queue)
    claimed = queue.claim("w")
    assert claimed is not None
    queue.gone(job.id, claimed.token, "it died", clock.now, again=True)
    assert now(queue, job).state is JobState.WAITING


def test_what_others_charged_under_a_like_key_is_none_of_it(memory: Ledger, clock: Clock) -> None:
    queue, asker = Queue(memory), account(memory)
    job = put(queue, key="k%")
    claimed = queue.claim("w")
    assert claimed is not None
    for key in ("K%#0", "kx#0", "k%0"):
        asker.reserve([request(key=key)])
    other = account(memory, milli=None, analyst="b")
    other.reserve([request(key="k%")])
    queue.gone(job.id, claimed.token, "it died", clock.now, again=True)
    assert now(queue, job).state is JobState.WAITING
    assert {entry.state.value for entry in asker.entries()} == {"started"}


@pytest.mark.parametrize("key", ["k#evil", "k#0", "#", "job:k", "table:k", f"job:{'0' * 32}#0"])
def test_no_key_reads_as_one_that_pets_makes_of_anothers(key: str, memory: Ledger) -> None:
    """What is charged under ``k#0`` is part of the job ``k``: forfeited with it, and approved with it."""
    with pytest.raises(UserError, match="must not hold '#', nor begin with 'job:' or 'table:'; use another"):
        put(Queue(memory), key=key)
    assert Queue(memory).waiting() == 0 and put(Queue(memory), key="k job:").key == "k job:"


def test_what_is_charged_under_a_longer_key_is_none_of_it(memory: Ledger, clock: Clock) -> None:
    """As an older service took it, or a session of one's own is given it."""
    queue, asker = Queue(memory), account(memory)
    job = put(queue, key="k")
    claimed = queue.claim("w")
    assert claimed is not None
    for key in ("k#evil", "k#0#0", "k#"):
        asker.reserve([request(f"of {key}", key=key)])
    asker.reserve([request("its own", key="k#12")])
    queue.gone(job.id, claimed.token, "it died", clock.now, again=True)
    assert [entry.state.value for entry in asker.entries()] == ["started"] * 3 + ["forfeited"]


def test_another_question_under_a_key_starts_nothing(ledger: Ledger, clock: Clock) -> None:
    queue = Queue(ledger)
    job = put(queue, key="k")
    claimed = queue.claim("w")
    assert claimed is not None
    queue.failed(claimed, {"code": "ledger-down", "message": "away", "retry_after": 5.0}, clock.now)
    with pytest.raises(OtherQuestionError):
        put(queue, key="k", asked={"again": True})
    assert now(queue, job).state is JobState.FAILED and queue.waiting() == 0
    put(queue, analyst="b")
    with pytest.raises(BusyError):
        put(queue, key="k", max_waiting=1)  # the same question waits as any other does
    assert now(queue, job).state is JobState.FAILED
    assert put(queue, key="k", max_waiting=2).state is JobState.WAITING


def test_what_may_succeed_later_is_tried_again_under_its_key(ledger: Ledger, clock: Clock) -> None:
    queue = Queue(ledger)
    for retry, state in ((None, JobState.FAILED), (5.0, JobState.WAITING)):
        job = put(queue, key=str(retry))
        claimed = queue.claim("w")
        assert claimed is not None
        queue.failed(claimed, {"code": "ledger-down", "message": "away", "retry_after": retry}, clock.now)
        assert now(queue, job).state is JobState.FAILED
        again = put(queue, key=str(retry))
        assert (again.id, again.state) == (job.id, state)


def test_a_job_under_which_processes_die_is_given_up(memory: Ledger, clock: Clock) -> None:
    queue = Queue(memory)
    job = put(queue)
    for turn in range(TRIES):
        assert now(queue, job).state is JobState.WAITING, turn
        assert queue.claim("w") is not None
        clock.now += 31
        queue.sweep()
    assert now(queue, job).state is JobState.FAILED


def test_an_answer_that_no_process_can_make_ready_is_given_up(memory: Ledger, clock: Clock) -> None:
    """It was committed, and each process that would show it is killed."""
    queue, asker = Queue(memory), account(memory)
    job = put(queue)
    ask(asker, request("q", key=f"job:{job.id}"))
    for _ in range(TRIES):
        claimed = queue.claim("w")
        assert claimed is not None
        queue.gone(job.id, claimed.token, "too much", clock.now, again=False)
    found = now(queue, job)
    assert found.state is JobState.FAILED and found.problem is not None
    assert "its charge stands" in found.problem["message"] and asker.standing().spent.loss == 10 * MILLI


def test_a_cancelled_job_whose_process_is_killed_stays_cancelled(memory: Ledger, clock: Clock) -> None:
    queue, asker = Queue(memory), account(memory)
    job = put(queue)
    claimed = queue.claim("w")
    assert claimed is not None
    asker.reserve([request("q", key=claimed.ledger_key)])
    queue.cancel(job.id, "p", "a")
    queue.gone(job.id, claimed.token, "cancelled", clock.now, again=False)
    assert now(queue, job).state is JobState.CANCELLED
    assert [entry.state.value for entry in asker.entries()] == ["forfeited"]


def test_answers_on_invented_rows_are_forgotten(memory: Ledger, clock: Clock) -> None:
    queue = Queue(memory)
    kept = []
    for kind in ("dummy", "dummy", "release"):
        kept.append(queue.put("d", "p", "a", kind, ASKED, None))
        clock.now += 1  # of two put at one time chance says which is first, and one on invented rows waits for another
    dummy, runs, real = kept
    for _ in kept:
        claimed = queue.claim("w")
        assert claimed is not None
        if claimed.id != runs.id:
            queue.done(claimed, "r", clock.now, b"answer")
    clock.now += 3601
    queue.sweep()
    assert {job.id for job in queue.mine("p", "a")} == {runs.id, real.id} and dummy.id


# the database -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        "state = 'unheard of'",
        "state = 'failed'",
        "problem = '{}'",
        "state = 'done'",
        "dataset = 'unknown'",
    ],
)
def test_the_database_keeps_jobs_whole(wrong: str, ledger: Ledger) -> None:
    put(Queue(ledger))
    with pytest.raises(LedgerError, match="breaks its rules"), ledger.aside() as (connection, _):
        connection.execute(sa.text(f"UPDATE pets_jobs SET {wrong}"))


def test_claiming_looks_jobs_up_and_walks_through_none(memory: Ledger) -> None:
    with memory.aside(writes=False) as (connection, _):
        for query, index in (
            (jobs._next(None), "pets_jobs_waiting"),
            (jobs._next(2), "pets_jobs_waiting"),
            (jobs._next(1, turns=True), "pets_jobs_waiting"),
            (jobs._WAITING_OF._statement, "pets_jobs_held"),
            (jobs._OPEN_DUMMIES._statement, "pets_jobs_of_invented"),
            (jobs._IN_HAND._statement, "pets_jobs_running"),
            (sa.select(tables.jobs).where(tables.RUNNING, tables.jobs.c.lease < 0.0), "pets_jobs_running"),
        ):
            told = str(query.compile(connection))
            given = ("",) * told.count("?")
            steps = [str(row[-1]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {told}", given)]
            assert any(index in step for step in steps), steps
            assert not any("autoindex_pets_jobs_2" in step or "of_analyst" in step for step in steps), steps
