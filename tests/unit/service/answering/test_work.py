"""Work: a job's answer is the session's own, its refusal the session's words, and its failure says nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import pets
from pets.common.codec import Json
from pets.errors import LedgerDownError, LedgerError, OtherQuestionError, PetsError
from pets.ledger.grants import Grants
from pets.ledger.ledger import Ledger
from pets.ledger.queue import JobState, Queue, QueuedJob
from pets.release.release import Release
from pets.service.answering import answers
from pets.service.answering.grid import Grid
from pets.service.answering.work import Work
from pets.service.wire.asked import Asked
from pets.session.custodian import Custodian
from pets.session.custody import Custody
from tests.ledgers import Place, audit, commits, verify
from tests.services import CANARY, DP, answer_of, asked, free, opening, prepared, question, rows_of_jobs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("service"))


class World:
    """A custodian, its queue, and what answers it."""

    def __init__(self, custodian: Custodian) -> None:
        self.custodian, self.ledger = custodian, custodian.ledger
        self.queue = Queue(self.ledger)
        self.work = Work([custodian], self.queue, Grid(0.001, 0.002))

    def put(self, kind: str, given: Json, key: str | None = None, analyst: str = "amina") -> QueuedJob:
        return self.queue.put("service-test", "stroke", analyst, kind, given, key)

    def answered(self, job: QueuedJob) -> QueuedJob:
        claimed = self.queue.claim("w")
        assert claimed is not None and claimed.id == job.id
        self.work.answer(claimed)
        found = self.seen(job)
        assert found.state.ended
        return found

    def seen(self, job: QueuedJob) -> QueuedJob:
        import time

        time.sleep(0.003)
        found = self.queue.find(job.id, job.project, job.analyst)
        assert found is not None
        return found

    def custody(self, analyst: str = "amina") -> Custody:
        return self.custodian.custody.scoped("stroke", analyst)

    @property
    def spent(self) -> int:
        return self.custodian.remaining().spent.loss


@pytest.fixture
def world(folder: Path, place: Place) -> Iterator[World]:
    custodian = opening(folder, place).custodian()
    yield World(custodian)
    custodian.ledger.close()


@pytest.fixture
def here(folder: Path) -> World:
    """With a ledger in memory, where the database is of no concern."""
    budget = pets.Budget(epsilon=100, delta=1e-6, threshold_delta=5e-7)
    given: dict[str, Any] = {"budget": budget, "ledger": Ledger(None), "snapshots": folder / "snap", "threads": 1}
    return World(pets.Custodian(folder / "schema.yaml", **given, progress=False))


def test_a_release_is_answered_and_read_from_the_ledger(world: World) -> None:
    job = world.answered(world.put("release", asked(question(1), question(2), question(1))))
    assert job.state is JobState.DONE and job.request is not None and len(set(job.request.split(","))) == 2
    answer = answer_of(world.queue, job)
    assert answer is not None
    raw, sealed = answers.answer_of(world.queue, job), world.queue.sealed(job)
    assert raw and sealed and all(one.release[:-1] in raw and one.certificate in raw for one in sealed), "as committed"
    releases = [Release.from_json(form) for form in answer["releases"]]
    assert [one.query for one in releases] == [question(1), question(2), question(1)]
    assert [one.to_json() for one in releases] == answer["releases"]
    session = world.custodian.session(analyst="amina", project="stroke")
    assert [one.to_json() for one in session.release([question(1), question(2)], DP)] == answer["releases"][:2]
    assert {one.analyst for one in releases} == {"amina"} and all(one.certificate for one in releases)
    audit(world.ledger)
    verify(world.ledger)


def test_a_job_of_one_answer_ends_with_its_commit(world: World) -> None:
    """Two transactions write for it: what is charged, and what is answered, ended, and taken next."""
    jobs = [world.put("release", asked(question(days))) for days in (1, 2)]
    first = world.queue.claim("w")
    assert first is not None
    told: list[str] = []
    world.ledger.listeners.on("*", lambda event: told.append(event.kind))
    with commits(world.ledger) as written:
        following = world.work.answer(first, lambda: "w")
    assert len(written) == 2
    assert told == ["started", "committed", "delivered", "job-done", "job-running"]
    assert following is not None and following.id == jobs[1].id
    (entry,) = world.custodian.custody.entries()
    done = world.seen(jobs[0])
    assert (done.state, done.request) == (JobState.DONE, entry.id)
    with commits(world.ledger) as written:
        assert world.work.answer(following, lambda: None) is None
    assert len(written) == 2 and world.seen(jobs[1]).state is JobState.DONE
    audit(world.ledger)
    verify(world.ledger)


@pytest.mark.parametrize("point", ["seal-stored", "seal-committed", "checkpoint-written", "delivered"])
@pytest.mark.parametrize("error", [LedgerError("the disk is full"), RuntimeError(CANARY)], ids=["told", "bug"])
def test_a_job_that_fails_about_its_commit_is_done_where_that_stands(
    world: World, point: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [world.put("release", asked(question(days))) for days in (1, 2)]
    first = world.queue.claim("w")
    assert first is not None

    def fails(here: str) -> None:
        if here == point:
            raise error

    with monkeypatch.context() as patch:
        patch.setattr("pets.ledger.failpoint.hook", fails)
        following = world.work.answer(first, lambda: "w")
    (entry,) = world.custodian.custody.entries()
    done = world.seen(jobs[0])
    assert world.spent == entry.cost.loss > 0
    if point == "seal-stored":
        assert (done.state, entry.state.value, following) == (JobState.FAILED, "forfeited", None)
    else:
        assert (done.state, done.request, entry.state.value) == (JobState.DONE, entry.id, "committed")
        assert answer_of(world.queue, done) is not None
        assert following is not None and following.id == jobs[1].id
    following = following or world.queue.claim("w")
    assert following is not None and world.work.answer(following) is None
    assert world.seen(jobs[1]).state is JobState.DONE and CANARY not in rows_of_jobs(world.queue)
    audit(world.ledger)


def test_an_outage_after_the_commit_leaves_one_job_running(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commit has ended the job and taken the next, which nobody else may answer until its lease is over."""
    jobs = [world.put("release", asked(question(days))) for days in (1, 2, 3)]
    first = world.queue.claim("w")
    assert first is not None

    def fails(here: str) -> None:
        if here == "seal-committed":
            raise LedgerError("the connection was lost")

    def away() -> None:
        raise LedgerDownError("away")

    with monkeypatch.context() as patch, pytest.raises(LedgerDownError):
        patch.setattr("pets.ledger.failpoint.hook", fails)
        patch.setattr(world.ledger, "check_same", away)
        world.work.answer(first, lambda: "w")
    following = world.queue.claim("w")
    assert following is not None and (following.id, following.tries) == (jobs[1].id, 1)
    assert [world.seen(one).state.value for one in jobs] == ["done", "running", "waiting"]
    world.work.answer(following)
    assert world.seen(jobs[1]).state is JobState.DONE
    audit(world.ledger)


def test_no_answer_is_told_before_a_checkpoint_tells_of_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process may die right after the commit that ended its job: an older copy of the database must be told."""

    class Killed(BaseException):
        """As by a signal: nothing hears it."""

    def dies(here: str) -> None:
        if here == "seal-committed":
            raise Killed

    def published() -> int:
        found = world.ledger.published()
        return 0 if found is None else found.size

    job = world.put("release", asked(question(1)))
    claimed = world.queue.claim("w")
    assert claimed is not None
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr("pets.ledger.failpoint.hook", dies)
        world.work.answer(claimed)
    with world.ledger.reading() as tx:
        size = tx.head.size
    assert published() < size
    assert answer_of(world.queue, world.seen(job)) is not None
    assert published() == size
    verify(world.ledger)


def test_a_job_that_is_cancelled_while_it_is_answered_stays_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What had begun stays charged, and its worker goes on."""
    jobs = [world.put("release", asked(question(days))) for days in (1, 2)]
    first = world.queue.claim("w")
    assert first is not None

    def cancels(here: str) -> None:
        if here == "measured":
            world.queue.cancel(jobs[0].id, jobs[0].project, jobs[0].analyst)

    with monkeypatch.context() as patch:
        patch.setattr("pets.ledger.failpoint.hook", cancels)
        following = world.work.answer(first, lambda: "w")
    assert following is not None and following.id == jobs[1].id
    assert world.seen(jobs[0]).state is JobState.CANCELLED and world.spent > 0


def test_a_free_answer_is_looked_up_and_one_that_is_not_is_none(world: World) -> None:
    given = asked(question(1), question(2))
    assert free(world.custody(), "release", given, None) is None and world.spent == 0
    job, read = world.answered(world.put("release", given)), Asked.read("release", given)
    answer = answer_of(world.queue, job)
    spent = world.spent
    assert free(world.custody(), "release", given, None) == answer
    again = answers.free(world.custody(), read, answers.jobs_of(world.custody(), read), None)
    assert again == answers.answer_of(world.queue, job), "the same text, wherever it comes from"
    assert free(world.custody(), "release", asked(question(1), question(3)), None) is None
    assert free(world.custody(), "release", asked(question(1), again=True), None) is None
    other = free(world.custody("ben"), "release", given, "k")
    assert other is not None and other != answer
    assert "amina" not in str(other) and other["releases"][0]["analyst"] == "ben"
    again = world.answered(world.put("release", given, analyst="ben"))
    assert answer_of(world.queue, again) == other, "as it was delivered to him"
    assert world.spent == spent
    world.answered(world.put("release", asked(question(4)), "mine"))
    with pytest.raises(OtherQuestionError):
        free(world.custody(), "release", asked(question(5)), "mine")
    with pytest.raises(PetsError, match="days"):
        free(world.custody(), "release", asked(pets.query("stays").agg(x=pets.sum("dayz"))), None)


def test_an_answer_is_its_askers_alone(world: World) -> None:
    """A job's row that names another's request gives nothing."""
    mine = world.answered(world.put("release", asked(question(1))))
    with pytest.raises(PetsError, match="does not hold what answered this"):
        world.queue.sealed(replace(mine, analyst="ben"))
    with pytest.raises(PetsError, match="does not hold what answered this"):
        world.queue.sealed(replace(mine, request="0" * 32))
    assert world.queue.sealed(replace(mine, state=JobState.RUNNING)) is None


NETWORK = pets.classifier("ward", ["days"], data="stays", steps=3)
KINDS: dict[str, tuple[Json, str]] = {
    "group_keys": ({"table": "stays", "by": ["code"], "protection": pets.DP(epsilon=5)}, "keys"),
    "top_keys": (
        {"query": pets.query("stays").group_by("days").agg(n=pets.count_units()), "k": 3, "protection": DP},
        "top",
    ),
    "rows_lost": ({"table": "stays", "protection": DP}, "rows_lost"),
    "train": ({"network": NETWORK, "protection": DP}, "trained"),
    "dummy": ({"queries": [question()], "protection": DP, "rows": 50, "seed": 3}, "releases"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_answered_as_a_session_does(kind: str, here: World) -> None:
    arguments, name = KINDS[kind]
    question = Asked(kind, arguments)
    job = here.answered(here.put(kind, question.to_json()))
    assert job.state is JobState.DONE, job.problem
    answer = answer_of(here.queue, job)
    assert answer is not None and list(answer) == [name] and CANARY not in str(answer)
    if kind != "dummy":  # asked again, a session gives what was sealed
        spent = here.spent
        assert spent > 0
        assert question.ask(here.custodian.session(analyst="amina", project="stroke")) == answer
        assert here.spent == spent
    else:
        assert here.spent == 0 and answer["releases"][0]["data"] == "dummy"


def test_a_job_that_is_tried_again_is_charged_once(here: World) -> None:
    """A process died after the commit and before it could say so."""
    for kind, given in (
        ("release", asked(question(1), question(2), again=True)),
        ("group_keys", Asked("group_keys", {**KINDS["group_keys"][0], "again": True}).to_json()),
        ("rows_lost", Asked("rows_lost", {"table": "stays", "protection": DP, "again": True}).to_json()),
    ):
        before = here.spent
        job = here.put(kind, given)
        claimed = here.queue.claim("w")
        assert claimed is not None
        custody = here.custody().under(claimed.ledger_key)
        from pets.session.verbs.analyst_session import AnalystSession

        first = Asked.read(kind, given).ask(AnalystSession(custody), claimed.ledger_key)
        once = here.spent - before
        here.queue.gone(job.id, claimed.token, "it died", 0.0, again=True)
        found = here.answered(job)
        assert answer_of(here.queue, found) == first, kind
        assert here.spent - before == once > 0, kind


REFUSED: dict[str, tuple[str, Json, str, str]] = {
    "budget": ("release", asked(question(), protection=pets.DP(epsilon=1000)), "budget", "would cost"),
    "query": ("release", asked(pets.query("stays").agg(n=pets.sum("dayz"))), "query", "did you mean 'days'"),
    "form": ("release", {"queries": [{"table": 3}], "protection": DP.to_json()}, "query", ""),
    "argument": ("release", {"queries": [], "protection": DP.to_json(), "x": 1}, "request", "has no 'x'"),
    "empty": ("release", asked(), "query", ""),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_session_refuses_is_told_word_for_word(case: str, here: World) -> None:
    kind, given, code, words = REFUSED[case]
    job = here.answered(here.put(kind, given))
    assert job.state is JobState.FAILED and job.problem is not None
    with pytest.raises(PetsError) as refused:
        Asked.read(kind, given).ask(here.custodian.session(analyst="amina", project="stroke"))
    assert job.problem == {"code": refused.value.code, "message": str(refused.value), "retry_after": None}
    assert job.problem["code"] == code and words in job.problem["message"] and here.spent == 0


def test_a_key_that_was_used_for_something_else_is_told(here: World) -> None:
    session = here.custodian.session(analyst="amina", project="stroke")
    session.release(question(1), DP, key="k")
    job = here.answered(here.put("release", asked(question(2)), key="k"))
    assert job.problem is not None and job.problem["code"] == OtherQuestionError.code


def test_a_dataset_of_another_service_is_refused(here: World) -> None:
    with here.ledger.writing() as (tx, _):
        tx.add_dataset("other", "zcdp", {}, {}, (1, 1))
    here.queue.put("other", "stroke", "amina", "release", asked(question()), None)
    claimed = here.queue.claim("w")
    assert claimed is not None
    here.work.answer(claimed)
    problem = here.seen(claimed).problem
    assert problem is not None and problem["message"].startswith("this service has no dataset 'other'")


def test_what_fails_on_the_rows_says_nothing_and_stays_charged(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError(f"in row {CANARY}")

    monkeypatch.setattr("pets.session.job.tabulate", broken)
    job = world.answered(world.put("release", asked(question())))
    (entry,) = world.custodian.custody.entries()
    assert entry.state.value == "forfeited" and world.spent == entry.cost.loss > 0
    number = entry.id[:12]
    assert job.problem == {
        "code": "release-failed",
        "message": f"the release failed after the data was opened (incident {number}); its charge stands; give the "
        "incident number to the custodian",
        "retry_after": None,
    }
    assert CANARY in world.custodian.incident(number)
    assert CANARY not in rows_of_jobs(world.queue)


def test_a_bug_elsewhere_says_nothing_either(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the charge and after it."""

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError(f"in row {CANARY}")

    for place, code in (("job", "internal"), ("release", "release-failed")):
        with monkeypatch.context() as patch:
            if place == "job":
                patch.setattr("pets.session.custody.Custody.job", broken)
            else:
                patch.setattr("pets.session.answering.guarantee_text.predicate", broken)
            job = here.answered(here.put("release", asked(question(5))))
        assert job.problem is not None and job.problem["code"] == code
        assert CANARY not in str(job.problem) and any(
            CANARY in here.ledger.incidents.read(number) for number in here.ledger.incidents.numbers
        )
        assert (here.spent > 0) == (place == "release")


def test_answers_are_shown_at_ticks(here: World) -> None:
    here.work = Work([here.custodian], here.queue, Grid(1000.0, 3000.0))
    shown = []
    for given in (asked(question(1)), asked(pets.query("stays").agg(n=pets.sum("dayz")))):
        job = here.put("release", given)
        claimed = here.queue.claim("w")
        assert claimed is not None
        here.work.answer(claimed)
        seen = here.seen(job)
        assert seen.state is JobState.RUNNING and answer_of(here.queue, seen) is None
        shown.append(seen.shown % (1000 if given == asked(question(1)) else 3000))
    assert shown == [0, 0]


def test_who_may_ask_no_more_is_not_answered(here: World) -> None:
    """A grant ended while the question waited."""
    grants = Grants(here.ledger)
    grants.grant("service-test", "stroke", "amina", ["analyst"], by="jo")
    grants.grant("service-test", "stroke", "ben", ["reviewer"], by="jo")
    first = here.put("release", asked(question(1)))
    assert here.answered(first).state is JobState.DONE and here.spent > 0
    spent, jobs = here.spent, [here.put("release", asked(question(2)), analyst=one) for one in ("amina", "ben", "eve")]
    grants.end("service-test", "stroke", "amina", by="jo")
    for job in jobs:
        found = here.answered(job)
        assert found.state is JobState.FAILED and found.problem is not None and found.problem["code"] == "forbidden"
        assert "nothing was charged" in found.problem["message"]
    assert here.spent == spent
