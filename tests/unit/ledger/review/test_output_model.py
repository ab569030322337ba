"""Outputs as a state machine: whatever people do in whatever order, the model of a few lines says what it comes to."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from pets.errors import ForbiddenError, HeldError, UserError
from pets.ledger.ledger import Ledger
from pets.ledger.review.output import Rules
from pets.ledger.review.outputs import Outputs
from pets.ledger.review.voting import Voting
from tests.ledgers import account, audit, verify

PEOPLE = ("author", "mate", "r1", "r2", "r3")
NEEDED = 2
OPEN = ("submitted", "partially-reviewed", "reviewed")
SAID = {"context": "Stays by region, for the paper.", "controls": "Counts below 10 hidden, rest to 5."}


@dataclass
class Expected:
    """One output, as the rules say in plain words."""

    bytes: bytes
    state: str = "submitted"
    turn: int = 1
    votes: dict[str, str] = field(default_factory=dict)

    def count(self) -> None:
        said = Counter("yes" if one == "approve" else "no" for one in self.votes.values())
        if said["yes"] >= NEEDED:
            self.state = "approved"
        elif said["no"] >= NEEDED:
            self.state = "returned" if "return" in self.votes.values() else "rejected"
        else:
            self.state = OPEN[min(len(self.votes), NEEDED)]


class Model(RuleBasedStateMachine):
    """An analyst, a colleague of theirs, and three other people."""

    turns = left = 0
    """How many outputs were handed in anew, and left, over all that was tried."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(None)
        account(self.ledger)
        self.outputs, self.voting = Outputs(self.ledger), Voting(self.ledger)
        self.known: dict[str, Expected] = {}
        self.seen: list[tuple[str, str]] = []  # outputs and the digests that somebody looked at
        self.released: set[bytes] = set()
        self.approved: set[bytes] = set()

    def teardown(self) -> None:
        audit(self.ledger)
        verify(self.ledger)
        self.ledger.close()

    def pick(self, number: int) -> tuple[str, Expected]:
        return [*self.known.items()][number % len(self.known)]

    @rule(cell=st.integers(10, 40))
    @precondition(lambda self: len(self.known) < 4 and all(one.state not in OPEN for one in self.known.values()))
    def submit(self, cell: int) -> None:
        data = f"region,n\nNorth,{5 * cell}\n".encode()
        whose = {"dataset": "d", "project": "p", "analyst": "author", "rules": Rules(NEEDED)}
        made = self.outputs.submit({"t.csv": data}, **whose, **SAID)  # type: ignore[arg-type]
        self.known[made.id] = Expected(data)
        self.seen.append((made.id, made.digest))

    @rule(
        which=st.sampled_from((1, 1, 1, 1, 2, 3)),
        by=st.sampled_from((*PEOPLE, "r1", "r2", "r3")),
        what=st.sampled_from(("approve", "approve", "approve", "return", "reject")),
    )
    @precondition(lambda self: self.seen)
    def vote(self, which: int, by: str, what: str) -> None:
        """About something that was looked at at some time."""
        self.vote_about(self.seen[-min(which, len(self.seen))], by, what)

    def vote_about(self, looked: tuple[str, str], by: str, what: str) -> None:
        name, digest = looked
        one = self.known[name]
        current = digest == [seen for other, seen in self.seen if other == name][-1]
        try:
            project = "p" if by in ("author", "mate") else "q"
            self.voting.decide(name, what, by=by, digest=digest, project=project, login=True)
        except ForbiddenError:
            assert by in ("author", "mate")
            return
        except HeldError:
            assert by not in ("author", "mate")
            assert one.state not in OPEN or by in one.votes or not current
            return
        assert by not in ("author", "mate")
        if one.votes.get(by) == what:
            return  # said again: nothing changes
        assert one.state in OPEN and by not in one.votes and current
        one.votes[by] = what
        one.count()
        if one.state == "approved":
            self.approved.add(one.bytes)

    @rule()
    @precondition(lambda self: self.seen)
    def approve_together(self) -> None:
        for by in ("r1", "r2"):
            self.vote_about(self.seen[-1], by, "approve")

    @rule()
    @precondition(lambda self: self.seen)
    def leave(self) -> None:
        self.approve_together()
        self.release([*self.known].index(self.seen[-1][0]))

    @rule(which=st.integers(0, 9), by=st.sampled_from(PEOPLE))
    @precondition(lambda self: self.known)
    def send_back(self, which: int, by: str) -> None:
        name, one = self.pick(which)
        digest = next(seen for other, seen in reversed(self.seen) if other == name)
        try:
            project = "p" if by in ("author", "mate") else "q"
            self.voting.send_back(name, by=by, digest=digest, project=project, login=True)
        except (ForbiddenError, HeldError):
            assert by in ("author", "mate") or one.state not in OPEN or by in one.votes
            return
        assert one.state in OPEN and by not in ("author", "mate", *one.votes)
        one.state = "returned"

    @rule(which=st.integers(0, 9), cell=st.integers(10, 40), by=st.sampled_from(("author", "author", "r1")))
    @precondition(lambda self: self.known)
    def resubmit(self, which: int, cell: int, by: str) -> None:
        name, one = self.pick(which)
        data = f"region,n\nNorth,{5 * cell}\n".encode()
        try:
            made = self.outputs.resubmit(name, {"t.csv": data}, by=by, **SAID)
        except UserError:
            assert by != "author" or one.state != "returned" or data == one.bytes
            return
        assert by == "author" and one.state == "returned" and data != one.bytes
        self.known[name] = Expected(data, turn=one.turn + 1)
        Model.turns += 1
        self.seen.append((name, made.digest))

    @rule(which=st.integers(0, 9), cell=st.integers(10, 40))
    @precondition(lambda self: self.known)
    def mend(self, which: int, cell: int) -> None:
        self.send_back(which, "r3")
        self.resubmit(which, cell, "author")

    @rule(which=st.integers(0, 9))
    @precondition(lambda self: self.known)
    def withdraw(self, which: int) -> None:
        name, one = self.pick(which)
        try:
            self.outputs.withdraw(name, by="author")
        except HeldError:
            assert one.state not in (*OPEN, "returned")
            return
        assert one.state in (*OPEN, "returned")
        one.state = "withdrawn"

    @rule(which=st.integers(0, 9))
    @precondition(lambda self: self.known)
    def release(self, which: int) -> None:
        name, one = self.pick(which)
        try:
            files = self.outputs.release(name, by="keeper")
        except HeldError:
            assert one.state not in ("approved", "released")
            return
        assert one.state in ("approved", "released") and files == {"t.csv": one.bytes}
        one.state = "released"
        Model.left += 1
        self.released.add(one.bytes)

    @invariant()
    def what_is_seen_is_what_the_rules_say(self) -> None:
        assert self.released <= self.approved, "bytes left that nobody had approved"
        for name, one in self.known.items():
            for by in ("author", "r1", "r9"):
                found = self.outputs.find(name, by=by)
                assert (found.state.value, found.turn, found.voted) == (one.state, one.turn, len(one.votes))
                votes = {vote.reviewer: vote.decision.value for vote in found.votes if vote.nonce}
                every = len(one.votes) >= NEEDED and not (by == "author" and one.state in OPEN)
                assert votes == (one.votes if every else {own: v for own, v in one.votes.items() if own == by})


def played(examples: int, steps: int) -> None:
    run_state_machine_as_test(Model, settings=settings(max_examples=examples, stateful_step_count=steps, deadline=None))


def test_whatever_people_do() -> None:
    played(12, 20)
    if settings.default.derandomize:
        assert Model.turns and Model.left > 2, "it did not come far enough to see anything"


@pytest.mark.soak
def test_whatever_people_do_for_long() -> None:
    played(int(os.environ.get("PETS_EXAMPLES", "300")), 60)
