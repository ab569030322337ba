"""A log with answers that a person must approve: what none of them may do is found, each of it by one entry."""

from __future__ import annotations

import copy
import io
import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest

import pets
from pets.common.codec import canonical
from pets.errors import VerificationError
from pets.ledger.ledger import Ledger, public
from pets.ledger.publish import export
from pets.ledger.queue import Queue, QueuedJob
from pets.ledger.review.outputs import Outputs
from pets.ledger.review.reviews import Reviews
from pets.ledger.review.voting import Voting
from pets.release.release import Release
from pets.service.answering.work import _requests
from pets.verify.check import CannotCheck, Refused, check
from tests.unit.verify.test_check import QUERIES, ROWS, SCHEMA

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
DP = pets.DP(epsilon=0.1)


class World:
    """A custodian whose answers are held, and two of them: one approved (of ``p``), one only held (of ``q``)."""

    def __init__(self, folder: Path) -> None:
        self.ledger = Ledger(folder / "ledger.db")
        given: dict[str, Any] = {"ledger": self.ledger, "budget": pets.Budget(9, 1e-6), "progress": False}
        self.keeper = pets.Custodian(SCHEMA, {"stays": ROWS}, policy=pets.Policy(approval="after"), **given)
        self.queue, self.reviews = Queue(self.ledger), Reviews(self.ledger)
        self.job, self.release = self.held("p", QUERIES[0])
        self.open, self.unapproved = self.held("q", QUERIES[1])
        self.reviews.decide(self.job.id, "approve", by="jo")

    def held(self, project: str, query: pets.Query) -> tuple[QueuedJob, Release]:
        self.queue.put(SCHEMA.dataset, project, "a", "release", {"queries": []}, None)
        job = self.queue.claim("w")
        assert job is not None
        custody = self.keeper.custody.scoped(project, "a").under(job.ledger_key)
        (release,) = custody.release([custody.job(query, DP)])
        assert self.reviews.hold(job, _requests(release.to_json())[0], 0.0)
        return job, release

    def log(self) -> io.BytesIO:
        with self.ledger.reading() as tx:
            lines = [export.line(body, None, chain) for body, _, chain in tx.entries()]
            return io.BytesIO(export.header("public", self.ledger.key, self.ledger.checkpoint(tx)) + b"".join(lines))

    def entry(self, event: str, number: int = -1) -> dict[str, Any]:
        with self.ledger.reading() as tx:
            said = [json.loads(body) for body, _, _ in tx.entries()]
        found: dict[str, Any] = [one for one in said if one["event"] == event][number]
        return {name: found[name] for name in found if name not in ("at", "event", "seq", "sealed")}

    def append(self, event: str, said: dict[str, Any]) -> None:
        with self.ledger.writing() as (tx, now):
            tx.append(event, now, said, {})

    def checked(self, release: Release) -> str:
        return check(canonical(release.to_json()), self.ledger.key.raw, log=self.log())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Path]:
    folder = tmp_path_factory.mktemp("reviewed")
    with warnings.catch_warnings(action="ignore"):
        world = World(folder)
    world.ledger.close()
    return world, folder


@pytest.fixture
def world(made: tuple[World, Path], tmp_path: Path) -> World:
    """The same, each with a log of its own to lie in."""
    world = copy.copy(made[0])
    world.ledger = Ledger(shutil.copytree(made[1], tmp_path / "own") / "ledger.db")
    world.queue, world.reviews = Queue(world.ledger), Reviews(world.ledger)
    return world


def test_what_was_approved_holds_and_what_was_not_does_not(world: World) -> None:
    assert world.checked(world.release).startswith(world.release.guarantee)
    for _ in range(2):
        with pytest.raises((CannotCheck, Refused), match="a second person has not approved it, by this log"):
            world.checked(world.unapproved)
        if world.reviews.waiting():
            world.reviews.decide(world.open.id, "refuse", by="jo")
    assert world.checked(world.release).startswith(world.release.guarantee), "another's refusal is no part of it"


def test_outputs_in_the_log_are_heard_too(world: World) -> None:
    said = {"context": "Stays by sex, for the paper.", "controls": "Counts below 10 hidden, rest to 5."}
    whose = {"dataset": SCHEMA.dataset, "project": "p", "analyst": "a"}
    outputs, voting = Outputs(world.ledger), Voting(world.ledger)
    for _ in range(2):
        made = outputs.submit({"t.csv": b"sex,n\nF,120\n"}, **whose, **said)
        for name in ("jo", "kim"):
            voting.decide(made.id, "approve", by=name, digest=made.digest)
    outputs.release(made.id, by="vera")
    assert world.checked(world.release).startswith(world.release.guarantee)
    world.append("output-released", world.entry("output-released"))
    with pytest.raises((CannotCheck, Refused), match="lets an output go that was not approved"):
        world.checked(world.release)


def request_of(world: World, release: Release) -> dict[str, Any]:
    with world.ledger.reading() as tx:
        return public(tx.request(_requests(release.to_json())[0])) | {"loss": 0, "delta": 0, "analyst": "eve"}


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        ("deliver", "gives an answer that nobody has approved"),
        ("deliver refused", "gives an answer that nobody has approved"),
        ("decide again", "decides for a second time, or about what is not held"),
        ("approve refused", "decides about an answer that is not held"),
        ("unheld job", "decides for a second time, or about what is not held"),
        ("early again", "decides for a second time, or about what is not held"),
        ("hold again", "holds a job that was held"),
        ("hold decided", "holds an answer that was decided about"),
        ("no decision", "decides nothing"),
    ],
)
def test_what_must_never_happen_is_found(world: World, lie: str, said: str, tmp_path: Path) -> None:
    review, held, other = world.entry("review"), world.entry("held"), _requests(world.unapproved.to_json())
    if "refused" in lie:
        world.reviews.decide(world.open.id, "refuse", by="jo")
    lies: dict[str, tuple[str, dict[str, Any]]] = {
        "deliver": ("delivered", request_of(world, world.unapproved)),
        "deliver refused": ("delivered", request_of(world, world.unapproved)),
        "decide again": ("review", review | {"requests": []}),
        "unheld job": ("review", review | {"job": "0" * 64, "requests": other}),
        "early again": ("review", review | {"stage": "before", "requests": []}),
        "hold again": ("held", held),
        "hold decided": ("held", held | {"job": "1" * 64, "requests": review["requests"]}),
        "no decision": ("review", review | {"job": held["job"], "requests": other, "decision": "perhaps"}),
    }
    if lie == "approve refused":  # by way of another job
        world.append("held", held | {"job": "2" * 64, "requests": []})
        lies[lie] = ("review", review | {"job": "2" * 64, "requests": other})
    world.append(*lies[lie])
    with pytest.raises((CannotCheck, Refused), match=said):
        world.checked(world.release)
    export.write(world.ledger, tmp_path / "log.jsonl", progress=False)
    with pytest.raises(VerificationError):  # and by the ledger's own audit
        export.verify(tmp_path / "log.jsonl", progress=False)
