"""Approval: where a policy asks for a second person, what an answering process makes is held, or is not made."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

import pets
from pets.common.codec import Json
from pets.errors import HeldError, PolicyError
from pets.ledger.events import ANY, Event
from pets.ledger.ledger import Ledger
from pets.ledger.queue import JobState, Queue, QueuedJob
from pets.service.answering.grid import Grid
from pets.service.answering.work import Work
from pets.service.wire.asked import Asked
from tests.ledgers import audit, verify
from tests.services import CANARY, DP, answer_of, asked, free, prepared, question

KINDS: dict[str, tuple[Json, str]] = {
    "release": ({"queries": [question(1), question(2)], "protection": DP, "again": False}, "releases"),
    "release of one answer": ({"queries": [question(1)], "protection": DP, "again": False}, "releases"),
    "group_keys": ({"table": "stays", "by": ["code"], "protection": pets.DP(epsilon=5)}, "keys"),
    "rows_lost": ({"table": "stays", "protection": DP}, "rows_lost"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("approval"))


class World:
    """A custodian whose policy asks for approval, its queue, and what answers it."""

    def __init__(self, folder: Path, approval: str) -> None:
        budget = pets.Budget(epsilon=100, delta=1e-6, threshold_delta=5e-7)
        given: dict[str, Any] = {"budget": budget, "ledger": Ledger(None), "snapshots": folder / "snap", "threads": 1}
        policy = pets.Policy(approval=approval)
        self.custodian = pets.Custodian(folder / "schema.yaml", **given, policy=policy, progress=False)
        self.queue = Queue(self.custodian.ledger)
        self.work = Work([self.custodian], self.queue, Grid(0.001, 0.002))
        self.told: list[Event] = []
        self.custodian.on(ANY, self.told.append)

    def put(self, kind: str, form: Json, analyst: str = "amina", **more: Any) -> QueuedJob:
        return self.queue.put("service-test", "stroke", analyst, kind, form, None, **more)

    def answer(self) -> None:
        claimed = self.queue.claim("w")
        assert claimed is not None
        self.work.answer(claimed)
        time.sleep(0.003)

    def seen(self, job: QueuedJob) -> QueuedJob:
        found = self.queue.find(job.id, job.project, job.analyst)
        assert found is not None
        return found

    @property
    def spent(self) -> int:
        return self.custodian.remaining().spent.loss


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_answered_is_held_until_it_is_approved(folder: Path, kind: str) -> None:
    world = World(folder, "after")
    (arguments, name), kind = KINDS[kind], kind.partition(" ")[0]
    form = Asked(kind, arguments).to_json()
    job = world.put(kind, form)
    world.answer()
    spent = world.spent
    assert world.seen(job).state is JobState.HELD and answer_of(world.queue, world.seen(job)) is None and spent > 0
    (held,) = world.custodian.reviews()
    shown = world.custodian.review(held.id).answer
    assert shown is not None and list(shown) == [name] and CANARY not in str(shown) and held.answer is None
    for analyst in ("amina", "ben"):
        assert free(world.custodian.custody.scoped("stroke", analyst), kind, form, None) is None
    equal = world.put(kind, form, "ben")
    world.answer()
    refused = world.seen(equal)
    assert refused.state is JobState.FAILED and refused.problem is not None and refused.problem["code"] == "held"
    assert world.spent == spent and "delivered" not in {event.kind for event in world.told}
    world.custodian.approve(held.id, by="jo")
    assert answer_of(world.queue, world.seen(job)) == shown and world.custodian.reviews() == []
    audit(world.custodian.ledger)
    verify(world.custodian.ledger)


@pytest.mark.parametrize("kind", ["group_keys", "rows_lost"])
def test_one_answer_under_two_jobs_is_refused_for_both(folder: Path, kind: str) -> None:
    world = World(folder, "after")
    arguments, _ = KINDS[kind]
    jobs = [world.put(kind, Asked(kind, arguments).to_json()) for _ in range(2)]
    world.answer(), world.answer()
    assert [world.seen(job).state for job in jobs] == [JobState.HELD] * 2
    world.custodian.refuse(jobs[0].id, by="jo", reason="may-disclose")
    with pytest.raises(HeldError):
        world.custodian.approve(jobs[1].id, by="sam")
    assert [world.seen(job).state for job in jobs] == [JobState.FAILED] * 2
    assert [answer_of(world.queue, world.seen(job)) for job in jobs] == [None, None]


def test_what_nobody_approved_is_not_answered(folder: Path) -> None:
    world = World(folder, "before")
    jobs = [world.put("release", asked(question(day))) for day in (1, 2)]  # as an older service would put them
    world.answer(), world.answer()
    assert [world.seen(job).state for job in jobs] == [JobState.HELD] * 2 and world.spent == 0
    assert [(held.job.analyst, held.job.asked) for held in world.custodian.reviews()] == [
        ("amina", asked(question(day))) for day in (1, 2)
    ]
    world.custodian.refuse(jobs[0].id, by="jo", reason="out-of-scope")
    world.custodian.approve(jobs[1].id, by="jo")
    world.answer()
    assert world.queue.claim("w") is None
    assert [world.seen(job).state for job in jobs] == [JobState.FAILED, JobState.DONE]
    told = world.custodian.history()[["state", "reason"]].values.tolist()
    assert sorted(told) == [["committed", ""], ["refused", "out-of-scope"]]
    verify(world.custodian.ledger)


def test_invented_rows_need_nobody(folder: Path) -> None:
    form = Asked("dummy", {"queries": [question()], "protection": DP, "rows": 50, "seed": 3}).to_json()
    for approval in ("before", "after"):
        world = World(folder, approval)
        job = world.put("dummy", form)
        world.answer()
        assert world.seen(job).state is JobState.DONE and world.custodian.reviews() == []


@pytest.mark.parametrize("approval", ["before", "after"])
def test_a_session_of_ones_own_asks_nothing(folder: Path, approval: str) -> None:
    world = World(folder, approval)
    session = world.custodian.session(analyst="amina", project="stroke")
    assert session.quote(question(), DP) and session.dummy(rows=50).release(question(), DP)
    for ask in (
        lambda: session.release(question(), DP),
        lambda: session.group_keys("stays", by=["code"], protection=pets.DP(epsilon=5)),
        lambda: session.rows_lost("stays", protection=DP),
    ):
        with pytest.raises(HeldError, match="ask through the service"):
            ask()
    assert world.spent == 0 and {event.kind for event in world.told} == set()


def test_a_policy_without_approval_is_as_it_was() -> None:
    assert pets.Policy().to_json() == {"allow_unbounded": False} and pets.Policy().approval is None
    policy = pets.Policy(approval="after")
    assert policy.to_json() == {"allow_unbounded": False, "approval": "after"}
    assert pets.Policy.from_json(policy.to_json()) == policy
    for wrong in ("later", True, ["before"]):
        with pytest.raises(PolicyError, match="approval must be 'before' or 'after', or left out"):
            pets.Policy(approval=wrong)  # type: ignore[arg-type]
