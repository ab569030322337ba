"""Reviews: a held answer reaches nobody until a second person approves it, and each decision is taken once."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pets.errors import ForbiddenError, HeldError, NotApprovedError, NotFoundError, PetsError, UserError
from pets.ledger import failpoint
from pets.ledger.account import Account
from pets.ledger.grants import Grants
from pets.ledger.ledger import Ledger
from pets.ledger.publish import export
from pets.ledger.publish.read_log import published
from pets.ledger.queue import JobState, Queue, QueuedJob
from pets.ledger.review.reviews import Reviews, job_name
from pets.ledger.review.votes import Decision, Stage, Vote, decided
from pets.ledger.states import Sealed
from tests.ledgers import MILLI, Place, audit, opened, request, root, seal, verify

ASKED: dict[str, Any] = {"queries": [{"table": "t"}], "again": False}
EQUAL = "the same question"


@pytest.fixture
def ledger(place: Place) -> Iterator[Ledger]:
    with opened(place) as ledger:
        account(ledger)
        yield ledger


@pytest.fixture
def memory() -> Iterator[Ledger]:
    with Ledger(None) as ledger:
        account(ledger)
        yield ledger


def account(ledger: Ledger, analyst: str = "a", project: str = "p", approval: str | None = "after") -> Account:
    return Account(ledger, root(milli=1000), project, analyst, approval=approval)


def put(queue: Queue, analyst: str = "a", **more: Any) -> QueuedJob:
    return queue.put("d", "p", analyst, "release", ASKED, None, **more)


def run(queue: Queue, *questions: str, analyst: str = "a", hold: bool = True, **more: Any) -> tuple[QueuedJob, str]:
    """What an answering process does with a job of this analyst's; gives the job and the ids that answer it."""
    put(queue, analyst)
    job = queue.claim("w")
    assert job is not None
    asker = account(queue.ledger, analyst).under(job.ledger_key)
    grants = asker.reserve([request(one, 10) for one in questions], **more)
    sealed = [seal(asker, grant) for grant in grants]
    names = ",".join(one.request for one in sealed)
    if hold:
        assert Reviews(queue.ledger).hold(job, names, 0.0)
    return job, names


def now(queue: Queue, job: QueuedJob) -> QueuedJob:
    found = queue.find(job.id, job.project, job.analyst)
    assert found is not None
    return found


def entries(ledger: Ledger, *events: str) -> list[dict[str, Any]]:
    with ledger.reading() as tx:
        bodies = [json.loads(body) for body, _, _ in tx.entries()]
    return [body for body in bodies if body["event"] in events]


def equal(ledger: Ledger, analyst: str, approval: str | None, job: str | None = None) -> list[Sealed]:
    """What somebody is given who asks the same."""
    asker = account(ledger, analyst, approval=approval)
    asker = asker if job is None else asker.under(job)
    grants = asker.reserve([request(EQUAL, 10)])
    return [grant.sealed for grant in grants if grant.sealed is not None]


# after the answer -----------------------------------------------------------------------------------------------------


def reaches_nobody(ledger: Ledger, job: QueuedJob, error: type[PetsError]) -> None:
    """Neither the asker, nor a colleague, nor by any way on which an equal question is free."""
    queue = Queue(ledger)
    seen = now(queue, job)
    assert seen.request is None or seen.state is JobState.FAILED
    assert queue.sealed(seen) is None and queue.answer(seen) is None
    size, spent = len(entries(ledger, "started", "delivered")), account(ledger).standing().spent.loss
    for analyst in ("a", "b"):
        for approval in ("after", "before", None):
            assert account(ledger, analyst, approval=approval).known([request(EQUAL, 10)]) is None
        with pytest.raises(error):
            equal(ledger, analyst, None)  # as a policy of before, or another process's, would
    with pytest.raises(error):
        equal(ledger, "b", "after", "job:b")
    assert (len(entries(ledger, "started", "delivered")), account(ledger).standing().spent.loss) == (size, spent)


def test_a_held_answer_reaches_nobody_until_it_is_approved(ledger: Ledger, tmp_path: Path) -> None:
    queue, reviews = Queue(ledger), Reviews(ledger)
    job, names = run(queue, EQUAL, "another")
    assert now(queue, job).state is JobState.HELD and account(ledger).standing().spent.loss == 20 * MILLI
    reaches_nobody(ledger, job, HeldError)
    (waiting,) = reviews.waiting("d")
    assert (waiting.id, waiting.stage, waiting.answer, waiting.job.analyst) == (job.id, Stage.AFTER, None, "a")
    assert reviews.waiting("e") == []
    shown = reviews.find(job.id).answer
    assert shown is not None and len(shown["releases"]) == 2 and shown["releases"][0]["certificate"]
    done = reviews.decide(job.id, "approve", by="r", note="fine by me")
    assert done.state is JobState.DONE and reviews.waiting("d") == []
    sealed = queue.sealed(now(queue, job))
    assert sealed is not None and [one.form() for one in sealed] == shown["releases"]
    assert equal(ledger, "b", None)[0].release == sealed[0].release, "what is approved is free to who asks the same"
    held, review = entries(ledger, "held", "review")
    assert held["job"] == review["job"] == job_name(job.id) and job.id not in json.dumps([held, review])
    assert held["requests"] == review["requests"] == sorted(names.split(","))
    assert [review[one] for one in ("stage", "decision", "reason", "by")] == ["after", "approve", "checked", "r"]
    assert "fine by me" not in json.dumps(review)
    audit(ledger)
    verify(ledger)
    export.write(ledger, tmp_path / "log.jsonl", progress=False)
    assert len(export.verify(tmp_path / "log.jsonl", progress=False).accounts) == 1
    assert published(ledger).history.others == ()


def test_a_refused_answer_stays_charged_and_undelivered(ledger: Ledger) -> None:
    queue, reviews = Queue(ledger), Reviews(ledger)
    job, _ = run(queue, EQUAL)
    reviews.decide(job.id, "refuse", by="r", reason="may-disclose")
    seen = now(queue, job)
    assert seen.state is JobState.FAILED and seen.problem is not None
    assert seen.problem["code"] == "not-approved" and "(may-disclose); its charge stands" in seen.problem["message"]
    reaches_nobody(ledger, job, NotApprovedError)
    assert account(ledger).standing().spent.loss == 10 * MILLI
    # asked, charged and reviewed once more, it is another answer, and the one that is free from then on
    again, names = run(queue, EQUAL, again=True)
    reaches_nobody(ledger, again, HeldError)
    reviews.decide(again.id, "approve", by="r")
    assert account(ledger).standing().spent.loss == 20 * MILLI
    assert [one.request for one in equal(ledger, "b", None)] == [names]
    audit(ledger)
    verify(ledger)


def test_ones_own_held_answer_is_held_again_at_no_cost(memory: Ledger) -> None:
    """Also one whose process died before it could say that it was made."""
    queue, reviews = Queue(memory), Reviews(memory)
    run(queue, EQUAL, hold=False)
    job, _ = run(queue, EQUAL)
    assert account(memory).standing().spent.loss == 10 * MILLI
    reaches_nobody(memory, job, HeldError)
    assert queue.cancel(job.id, "p", "a") == now(queue, job), "what is made is for its reviewer to decide"
    reviews.decide(job.id, "approve", by="r")
    assert len(equal(memory, "b", None)) == 1


def test_an_answer_of_its_own_kind_is_held_too(memory: Ledger) -> None:
    queue, reviews = Queue(memory), Reviews(memory)
    put(queue)
    job = queue.claim("w")
    assert job is not None
    asker = account(memory).under(job.ledger_key)
    (grant,) = asker.reserve([request(EQUAL, 10)])
    seal(asker, grant)
    reviews.hold(job, None, 0.0, b'{"keys":{"rows":[1]}}')
    reaches_nobody(memory, job, HeldError)
    assert reviews.find(job.id).answer == {"keys": {"rows": [1]}}
    reviews.decide(job.id, "refuse", by="r", reason="other")
    assert queue.answer(now(queue, job)) is None
    reaches_nobody(memory, job, NotApprovedError)


def shared_keys(ledger: Ledger) -> tuple[QueuedJob, QueuedJob, str]:
    """Two jobs of one analyst whose answers, kept beside the ledger, were made of one charge; and its id."""
    queue = Queue(ledger)
    first, names = run(queue, EQUAL, hold=False)
    assert Reviews(ledger).hold(first, names, 0.0, b'{"keys": 1}')
    put(queue)
    second = queue.claim("w")
    assert second is not None
    asker = account(ledger).under(second.ledger_key)
    assert [grant.id for grant in asker.reserve([request(EQUAL, 10)])] == [names]
    return first, second, names


def test_what_is_refused_is_refused_for_every_job_that_holds_it(memory: Ledger) -> None:
    queue, reviews = Queue(memory), Reviews(memory)
    first, second, names = shared_keys(memory)
    assert reviews.hold(second, names, 0.0, b'{"keys": 1}')
    other, _ = run(queue, "another")
    reviews.decide(first.id, "refuse", by="r", reason="may-disclose")
    for job in (first, second):
        seen = now(queue, job)
        assert seen.state is JobState.FAILED and seen.problem is not None and seen.problem["code"] == "not-approved"
    with pytest.raises(HeldError):
        reviews.decide(second.id, "approve", by="s")
    assert [held.id for held in reviews.waiting("d")] == [other.id]
    audit(memory)
    verify(memory)


@pytest.mark.parametrize("late", ["hold", "done"])
def test_what_was_refused_meanwhile_is_shown_by_no_job(memory: Ledger, late: str) -> None:
    queue, reviews = Queue(memory), Reviews(memory)
    first, second, names = shared_keys(memory)
    reviews.decide(first.id, "refuse", by="r")
    if late == "hold":
        assert reviews.hold(second, names, 0.0, b'{"keys": 1}')
        assert now(queue, second).state is JobState.FAILED and reviews.waiting("d") == []
        assert queue.answer(replace(now(queue, second), state=JobState.DONE)) is None
    else:  # a process of an older policy
        assert queue.done(second, names, 0.0, b'{"keys": 1}')
        with pytest.raises(NotApprovedError):
            queue.answer(now(queue, second))
    audit(memory)
    verify(memory)


def test_the_end_of_a_held_job_is_not_seen_before_its_tick(memory: Ledger) -> None:
    queue, reviews = Queue(memory), Reviews(memory)
    put(queue)
    job = queue.claim("w")
    assert job is not None and reviews.hold(job, None, memory.time() + 3600, b"{}")
    assert now(queue, job).state is JobState.RUNNING and reviews.waiting("d") == []
    assert not reviews.hold(job, None, 0.0, b"{}"), "it has ended"


# before the answer ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("decision", ["approve", "refuse"])
def test_a_request_is_answered_only_once_it_is_approved(ledger: Ledger, decision: str) -> None:
    queue, reviews = Queue(ledger), Reviews(ledger)
    job = put(queue, held=True)
    assert (now(queue, job).state, queue.claim("w")) == (JobState.HELD, None)
    assert reviews.find(job.id).answer is None and reviews.find(job.id).job.asked == ASKED
    reviews.decide(job.id, decision, by="r")
    claimed = queue.claim("w")
    if decision == "approve":
        assert claimed is not None and (claimed.id, claimed.review) == (job.id, "approved")
    else:
        seen = now(queue, job)
        assert claimed is None and seen.problem is not None and seen.problem["code"] == "not-approved"
        assert "(not-needed); nothing was charged" in seen.problem["message"]
    assert account(ledger).standing().spent.loss == 0 and entries(ledger, "started") == []
    assert [one["stage"] for one in entries(ledger, "review")] == ["before"]
    verify(ledger)


def test_an_answer_to_others_needs_an_approval_of_ones_own(memory: Ledger) -> None:
    """Else who was refused would ask what a colleague was given."""
    asker = account(memory, approval="before").under("job:1")
    (grant,) = asker.reserve([request(EQUAL, 10)])
    seal(asker, grant)
    assert account(memory, approval="before").known([request(EQUAL, 10)]) is not None
    assert account(memory, "b", approval="before").known([request(EQUAL, 10)]) is None
    assert account(memory, "b", approval=None).known([request(EQUAL, 10)]) is not None


@pytest.mark.parametrize("approval", ["before", "after"])
def test_nothing_is_asked_past_the_queue(memory: Ledger, approval: str) -> None:
    with pytest.raises(HeldError, match=r"nothing was charged; ask through the service.*pets\.connect"):
        account(memory, approval=approval).reserve([request(None, 10)])
    assert account(memory).standing().spent.loss == 0 and entries(memory, "started", "reserved", "denied") == []


def test_a_held_request_is_cancelled_and_counts_as_waiting(memory: Ledger) -> None:
    queue = Queue(memory)
    job = put(queue, held=True, max_waiting=1)
    with pytest.raises(UserError, match="1 questions of this project wait already"):
        put(queue, held=True, max_waiting=1)
    cancelled = queue.cancel(job.id, "p", "a")
    assert cancelled is not None and cancelled.state is JobState.CANCELLED
    with pytest.raises(HeldError, match="it was decided, or cancelled"):
        Reviews(memory).decide(job.id, "approve", by="r")
    assert entries(memory, "review") == []


# who decides ----------------------------------------------------------------------------------------------------------


def test_nobody_decides_about_their_own(memory: Ledger) -> None:
    queue, reviews = Queue(memory), Reviews(memory)
    job = put(queue, held=True)
    with pytest.raises(ForbiddenError, match="nobody decides about a request of their own"):
        reviews.decide(job.id, "approve", by="a")
    grants = Grants(memory)
    grants.grant("d", "p", "a", ["analyst", "reviewer"], by="head")
    grants.grant("d", "p", "b", ["analyst"], by="head")
    grants.grant("d", "q", "r", ["reviewer"], by="head")
    for stranger in ("b", "nobody"):
        with pytest.raises(ForbiddenError, match=f"nobody has granted {stranger} to review"):
            reviews.decide(job.id, "approve", by=stranger)
    with pytest.raises(ForbiddenError, match="of their own"):
        reviews.decide(job.id, "approve", by="a")
    assert now(queue, job).state is JobState.HELD and entries(memory, "review") == []
    assert reviews.decide(job.id, "approve", by="r").state is JobState.WAITING


@pytest.mark.parametrize("after", [False, True])
def test_a_job_is_decided_once(ledger: Ledger, after: bool) -> None:
    queue = Queue(ledger)
    job = run(queue, EQUAL)[0] if after else put(queue, held=True)
    with pytest.raises(ForbiddenError, match="of their own"):
        Reviews(ledger).find(job.id, by="a")
    gate, told = threading.Barrier(6), []

    def decide(number: int) -> None:
        gate.wait()
        try:
            Reviews(ledger).decide(job.id, ("approve", "refuse")[number % 2], by=f"r{number}")
            told.append("decided")
        except HeldError:
            told.append("late")

    threads = [threading.Thread(target=decide, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (entry,) = entries(ledger, "review")
    assert sorted(told) == ["decided"] + ["late"] * 5
    ends = {"approve": JobState.DONE if after else JobState.WAITING, "refuse": JobState.FAILED}
    assert now(queue, job).state is ends[entry["decision"]]
    again = Reviews(ledger).decide(job.id, entry["decision"], by=entry["by"])
    assert again.state is ends[entry["decision"]] and len(entries(ledger, "review")) == 1, "a retry changes nothing"
    other = "refuse" if entry["decision"] == "approve" else "approve"
    with pytest.raises(HeldError, match="it was decided"):
        Reviews(ledger).decide(job.id, other, by=entry["by"])
    audit(ledger)
    verify(ledger)


def test_held_answers_reach_nobody_while_many_ask_at_once(ledger: Ledger) -> None:
    """Those who ask the same while it is decided are given it from then on, and not before."""
    queue, reviews = Queue(ledger), Reviews(ledger)
    job, names = run(queue, EQUAL)
    asked, approving, over = threading.Semaphore(0), threading.Event(), threading.Event()
    got: list[tuple[str, bool]] = []

    def ask(number: int) -> None:
        while not over.is_set():
            try:
                (found,) = equal(ledger, f"b{number}", None)
            except HeldError:
                asked.release()
                continue
            got.append((found.request, approving.is_set()))
            return

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(8):
            asked.acquire(timeout=600)
        assert got == []
        approving.set()
        reviews.decide(job.id, "approve", by="r")
        for thread in threads:
            thread.join(600)
    finally:
        over.set()
    assert got == [(names, True)] * 4
    audit(ledger)


# crashes --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("point", ["review-logged", "review-committed"])
@pytest.mark.parametrize("after", [False, True])
def test_a_crash_leaves_a_decision_whole_or_not_at_all(
    place: Place, after: bool, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(reached: str) -> None:
        if reached == point:
            raise KeyboardInterrupt

    with opened(place) as ledger:
        queue = Queue(ledger)
        account(ledger)
        job = run(queue, EQUAL)[0] if after else put(queue, held=True)
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(failpoint, "hook", die)
            Reviews(ledger).decide(job.id, "approve", by="r")
    with opened(place) as ledger:
        queue = Queue(ledger)
        if point == "review-logged":
            assert now(queue, job).state is JobState.HELD and entries(ledger, "review") == []
            if after:
                reaches_nobody(ledger, job, HeldError)
            Reviews(ledger).decide(job.id, "approve", by="r")
        assert now(queue, job).state is (JobState.DONE if after else JobState.WAITING)
        assert len(entries(ledger, "review")) == 1
        assert not after or queue.sealed(now(queue, job)) is not None
        audit(ledger)
        verify(ledger)


# what is no decision --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"decision": "maybe"}, UserError, "a decision is approve or refuse, not 'maybe'"),
        ({"decision": ["approve"]}, UserError, "a decision is approve or refuse"),
        ({"reason": "I like it"}, UserError, "is no reason to approve"),
        ({"decision": "refuse", "reason": "checked"}, UserError, "is no reason to refuse"),
        ({"by": " "}, UserError, "by must be a printable text"),
        ({"note": "x" * 2001}, UserError, "a note is a text of at most 2,000 letters"),
        ({"job": "0" * 32}, NotFoundError, "no request .* is held"),
        ({"dataset": "e"}, NotFoundError, "no request .* is held"),
    ],
)
def test_what_is_no_decision(memory: Ledger, given: dict[str, Any], error: type[UserError], said: str) -> None:
    job = put(Queue(memory), held=True)
    with pytest.raises(error, match=said):
        Reviews(memory).decide(**{"job": job.id, "decision": "approve", "by": "r"} | given)
    assert entries(memory, "review") == [] and now(Queue(memory), job).state is JobState.HELD


def test_votes_come_to_a_decision() -> None:
    def vote(who: str, what: Decision) -> Vote:
        return Vote(who, Stage.AFTER, what, "checked")

    yes, no = vote("r", Decision.APPROVE), vote("s", Decision.REFUSE)
    assert decided([]) is None and decided([yes]) is Decision.APPROVE and decided([no]) is Decision.REFUSE
    assert decided([yes], needed=2) is None is decided([yes, yes], needed=2), "one person is one vote"
    assert decided([yes, vote("s", Decision.APPROVE)], needed=2) is Decision.APPROVE
    assert decided([yes, no], needed=2) is None, "another decides between them"
    assert decided([yes, no, vote("t", Decision.REFUSE)], needed=2) is Decision.REFUSE
