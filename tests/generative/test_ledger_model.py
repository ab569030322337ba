"""Every state × deaths at every place × two processes × exact totals × retries, against a model that is a list.

Two processes share one file. Either may die anywhere in a request, and is started again; the other goes on. What was
started without a guarantee must be named on each certificate after it, by whichever process, whatever became of it; and
so must the number of requests that were charged and never answered.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from pets.errors import BudgetError, LedgerError
from pets.ledger import failpoint, standing
from pets.ledger.account import Account
from pets.ledger.db.transaction import Transaction
from pets.ledger.ledger import SWEEP, Ledger
from pets.ledger.publish.read_log import published
from pets.ledger.states import Grant, State
from pets.release.certificate import Certificate
from tests.ledgers import MILLI, audit, request, root, seal, verify

LEASE = 100.0
COSTS = {"A": 100, "B": 300, "C": 0, "U": 0, "V": 0}
"""Of each question, in thousandths of ε; the budget is 1."""
UNBOUNDED = "UV"

RESERVING = ("reserve-begin", "reserve-charged", "reserve-logged", "reserve-committed")
STARTING = ("start-committed",)
SEALING = ("seal-begin", "seal-logged", "seal-stored", "seal-committed", "checkpoint-written")
CLOSING = ("close-moved", "close-committed")
DONE = ("reserve-committed", "start-committed", "seal-committed", "checkpoint-written", "close-committed")
"""Where what was under way is in the file already."""

processes = st.sampled_from([0, 1])
mostly = st.sampled_from([True, True, True, False])


def death(places: tuple[str, ...]) -> st.SearchStrategy[str | None]:
    """Where a process dies, every second time."""
    return st.sampled_from([*[None] * len(places), *places])


class Died(BaseException):
    """A process ended here."""


@dataclass
class Asked:
    """One request in the model."""

    question: str
    key: str | None
    milli: int
    unbounded: bool
    state: str
    lease: float
    id: str = ""
    grant: Grant | None = None  # where somebody still holds it
    owner: int = 0

    @property
    def opened(self) -> bool:
        return self.state in ("started", "committed", "forfeited")


class Model(RuleBasedStateMachine):
    """One file, two processes, and what ought to be in it."""

    @initialize(calm=st.booleans())
    def begin(self, calm: bool) -> None:
        """In a calm life nobody dies but for a while: processes then live long enough to forget what others did."""
        self.calm = calm
        self.folder = tempfile.TemporaryDirectory()
        self.now = 1e9
        self.asked: list[Asked] = []
        self.swept = [self.now, self.now]
        self.ledgers = [self._open(process) for process in (0, 1)]

    def teardown(self) -> None:
        failpoint.hook = None
        if hasattr(self, "ledgers"):
            verify(self.ledgers[0])
            for ledger in self.ledgers:
                ledger.close()
            self.folder.cleanup()

    # the model ------------------------------------------------------------------------------------------------------

    def _open(self, process: int) -> Ledger:
        self.swept[process] = self.now
        return Ledger(Path(self.folder.name) / "ledger.db", lease=LEASE, clock=lambda: self.now)

    def _account(self, process: int) -> Account:
        return Account(self.ledgers[process], root(), "p", "a")

    def _restart(self, process: int) -> None:
        """What it held is lost; opening a ledger closes what others left behind too."""
        self.ledgers[process].close()
        for one in self.asked:
            if one.owner == process:
                one.grant = None
        self.ledgers[process] = self._open(process)
        self._expire()

    def _expire(self) -> None:
        for one in self.asked:
            if one.state in ("reserved", "started") and one.lease < self.now:
                self._end(one)

    @staticmethod
    def _end(one: Asked) -> None:
        one.state = "voided" if one.state == "reserved" else "forfeited"
        if one.state == "voided":
            one.key = None

    def _sweeps(self, process: int) -> None:
        if self.now - self.swept[process] >= SWEEP:
            self.swept[process] = self.now
            self._expire()

    def _charged(self) -> int:
        return sum(a.milli for a in self.asked if a.state in ("reserved", "started", "committed", "forfeited"))

    def _known(self, letter: str, key: str | None, again: bool) -> Asked | str | None:
        """The request that answers this one, or why it may not be asked, or nothing."""
        same = next((a for a in self.asked if key is not None and a.key == key), None)
        if same is not None:
            if same.question != letter:
                return "another question"
            if same.state == "committed":
                return same
            if same.state != "reserved" or same.lease >= self.now:
                return "its charge stands" if same.state == "forfeited" or same.lease < self.now else "still being"
            return None  # a reservation that was left behind makes room
        return next((a for a in self.asked if not again and a.question == letter and a.state == "committed"), None)

    @contextmanager
    def _mortal(self, process: int, dies: str | None) -> Iterator[list[str]]:
        """The process dies where it is told to, unless life is calm; gives the place."""
        places: list[str] = []
        dies = None if self.calm else dies

        def hook(point: str) -> None:
            if point == dies:
                places.append(point)
                raise Died

        failpoint.hook = hook
        try:
            yield places
        except Died:
            pass
        finally:
            failpoint.hook = None

    # what is done ---------------------------------------------------------------------------------------------------

    @rule(
        process=processes,
        letter=st.sampled_from("AABCCUUUVVV"),
        key=st.sampled_from([None, None, None, "k", "l"]),
        again=mostly,
        start=mostly,
        dies=death(RESERVING),
        answered=st.booleans(),
        dies_later=death(SEALING),
    )
    def ask(
        self,
        process: int,
        letter: str,
        key: str | None,
        again: bool,
        start: bool,
        dies: str | None,
        answered: bool,
        dies_later: str | None,
    ) -> None:
        one = request(letter, COSTS[letter], key=key, unbounded=letter in UNBOUNDED)
        if dies != "reserve-begin" or self.calm:
            self._sweeps(process)
        known = self._known(letter, key, again)
        fits = self._charged() + COSTS[letter] <= 1000
        grant = None
        with self._mortal(process, dies) as places:
            asker = self._account(process)
            try:
                (grant,) = asker.reserve([one], start=start, again=again)
                assert (known is None and fits) or isinstance(known, Asked), (known, fits)
            except BudgetError:
                assert known is None and not fits
            except LedgerError as error:
                assert isinstance(known, str) and known in str(error), (known, str(error))
        written = not places or places[0] in DONE
        if known is None and written:
            left = next((a for a in self.asked if key is not None and a.key == key), None)
            if left is not None and fits:
                self._end(left)
            state = "denied" if not fits else "started" if start else "reserved"
            lease, mine = self.now + LEASE, grant if fits else None
            self.asked.append(
                Asked(
                    letter, key if fits else None, COSTS[letter], letter in UNBOUNDED, state, lease, "", mine, process
                )
            )
        if isinstance(known, Asked) and grant is not None:
            assert grant.sealed is not None and grant.sealed.request == known.id, "another answer to the same question"
        if places:
            self._restart(process)
        self._named(process)
        if not places and known is None and fits and start and answered:
            self._answer(process, self.asked[-1], dies_later)

    def _named(self, process: int) -> None:
        """New requests get the names that the file gave them."""
        for one, entry in zip(self.asked, self._account(process).entries(), strict=True):
            assert one.id in ("", entry.id)
            one.id = entry.id

    def _answer(self, process: int, one: Asked, dies: str | None) -> None:
        assert one.grant is not None
        others = [a.id for a in self.asked if a.unbounded and a.opened and a is not one]
        finite = sum(a.state == "committed" and not a.unbounded for a in self.asked)
        forfeited = sum(a.state == "forfeited" for a in self.asked)
        alive = one.state == "started"
        with self._mortal(process, dies) as places:
            try:
                sealed = seal(self._account(process), one.grant)
                assert alive, "an answer was sealed after its request had ended"
                said = Certificate(json.loads(sealed.certificate)).predicate["other_releases"]
                assert [other["request_id"] for other in said["unbounded"]] == others, "an exact total is not named"
                assert (said["dp"], said["forfeited"]) == (finite, forfeited)
            except LedgerError as error:
                assert not alive and "its charge stands" in str(error)
        if alive and (not places or places[0] in DONE):
            one.state, one.grant = "committed", None
        if places:
            self._restart(process)

    def _held(self, place: int) -> Asked | None:
        held = [a for a in self.asked if a.grant is not None and a.grant.sealed is None]
        return held[place % len(held)] if held else None

    @precondition(lambda self: self._held(0) is not None)
    @rule(place=st.integers(0, 20), dies=death(STARTING))
    def start(self, place: int, dies: str | None) -> None:
        one = self._held(place)
        if one is None or one.grant is None or one.state not in ("reserved", "voided"):
            return
        alive = one.state == "reserved"
        with self._mortal(one.owner, dies) as places:
            try:
                self._account(one.owner).start([one.grant])
                assert alive
            except LedgerError as error:
                assert not alive and "closed before it started" in str(error)
        if alive:
            one.state, one.lease = "started", self.now + LEASE
        if places:
            self._restart(one.owner)

    @precondition(lambda self: self._held(0) is not None)
    @rule(place=st.integers(0, 20), dies=death(SEALING))
    def answer(self, place: int, dies: str | None) -> None:
        one = self._held(place)
        if one is not None and one.state != "reserved":
            self._answer(one.owner, one, dies)

    @precondition(lambda self: self._held(0) is not None)
    @rule(place=st.integers(0, 20), dies=death(CLOSING))
    def fail(self, place: int, dies: str | None) -> None:
        """Reading the rows failed: the request is closed."""
        one = self._held(place)
        if one is None or one.grant is None:
            return
        with self._mortal(one.owner, dies) as places:
            self._account(one.owner).close([one.grant])
        if one.state in ("reserved", "started") and (not places or places[0] in DONE):
            self._end(one)
            one.grant = None
        if places:
            self._restart(one.owner)

    @rule(process=processes, letter=st.sampled_from(UNBOUNDED), end=st.sampled_from(["failed", "late", "dead"]))
    def leave_behind(self, process: int, letter: str, end: str) -> None:
        """What has no guarantee reads rows, and is never answered."""
        self.ask(process, letter, None, True, True, None, False, None)
        if end == "failed":
            self.fail(-1, None)
        elif end == "late":
            self.time_passes(150)
            self.recover(1 - process, None)
        else:
            self.die_at_rest(process)

    @rule(process=processes)
    def tell(self, process: int) -> None:
        """A certificate, which names all of them."""
        self.ask(process, "C", None, True, True, None, True, None)

    @rule(seconds=st.sampled_from([1, 30, 61, 150]))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @rule(process=processes, dies=death(CLOSING))
    def recover(self, process: int, dies: str | None) -> None:
        with self._mortal(process, dies) as places:
            self.ledgers[process].recover()
        self.swept[process] = self.now
        if not places or places[0] in DONE:
            self._expire()
        if places:
            self._restart(process)

    @rule(process=processes)
    def die_at_rest(self, process: int) -> None:
        if not self.calm:
            self._restart(process)

    @rule(process=processes)
    def look_at_the_public_page(self, process: int) -> None:
        story = published(self.ledgers[process]).history.datasets["d"]
        assert [one.id for one in story.unbounded] == [a.id for a in self.asked if a.unbounded and a.opened]
        assert len(story.of(State.FORFEITED)) == sum(a.state == "forfeited" for a in self.asked)
        assert len(story.releases) == sum(a.state == "committed" for a in self.asked)

    # what holds -----------------------------------------------------------------------------------------------------

    @invariant()
    def agrees(self) -> None:
        for process in (0, 1) if hasattr(self, "ledgers") else ():
            here = self._account(process)
            assert [entry.state.value for entry in here.entries()] == [one.state for one in self.asked]
            assert here.unbounded() == sum(one.unbounded and one.opened for one in self.asked)
            assert here.standing().spent.loss == self._charged() * MILLI
        if hasattr(self, "ledgers"):
            audit(self.ledgers[0])


def run(examples: int, steps: int) -> None:
    class Here(Model):
        pass

    chosen: Any = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Here, settings=chosen)


def test_the_ledger_is_what_the_model_says() -> None:
    run(examples=25, steps=20)


def test_a_life_by_hand() -> None:
    """Two requests, one of them without a guarantee, are left behind; the other process tells of both ever after."""
    life = Model()
    life.begin(calm=True)
    try:
        for process, letter in ((0, "A"), (1, "U")):
            life.ask(process, letter, None, False, True, None, False, None)
            life.agrees()
        life.ask(0, "C", None, False, True, None, True, None)  # while both are under way
        life.time_passes(150)
        life.recover(1, None)
        for process, letter in ((0, "B"), (1, "V"), (0, "C")):
            life.ask(process, letter, None, True, True, None, True, None)
            life.look_at_the_public_page(process)
            life.agrees()
        assert [one.state for one in life.asked[:2]] == ["forfeited", "forfeited"]
    finally:
        life.teardown()


@pytest.mark.soak
def test_the_ledger_is_what_the_model_says_for_long() -> None:
    run(examples=3000, steps=60)


# ── planted: a release without a guarantee is forgotten ───────────────────────────────────────────────────────────────

Plant = Callable[[pytest.MonkeyPatch], None]
_real = Transaction.unbounded


def unless_it_was_answered(patch: pytest.MonkeyPatch) -> None:
    """What died after the rows were read is forgotten."""

    def unbounded(self: Transaction, dataset: str) -> Any:
        return tuple(one for one in _real(self, dataset) if self.request(one[0]).state == "committed")

    patch.setattr(Transaction, "unbounded", unbounded)


def once_its_lease_is_over(patch: pytest.MonkeyPatch) -> None:
    """What is under way is named, and what was forfeited is not."""

    def unbounded(self: Transaction, dataset: str) -> Any:
        return tuple(one for one in _real(self, dataset) if self.request(one[0]).state != "forfeited")

    patch.setattr(Transaction, "unbounded", unbounded)


def by_the_other_process(patch: pytest.MonkeyPatch) -> None:
    """A process keeps what it has once seen."""
    kept: dict[int, Any] = {}
    opened, told = Ledger.__init__, standing.others

    def fresh(self: Ledger, *given: Any, **more: Any) -> None:
        kept.clear()
        opened(self, *given, **more)

    def others(tx: Transaction, dataset: str, own: str) -> Any:
        seen = kept.setdefault(id(tx.connection.engine), [one[0] for one in _real(tx, dataset)])
        now = told(tx, dataset, own)
        return now | {"unbounded": [one for one in now["unbounded"] if one["request_id"] in seen]}

    patch.setattr(Ledger, "__init__", fresh)
    patch.setattr(standing, "others", others)


def failures_that_are_not_counted(patch: pytest.MonkeyPatch) -> None:
    """What was forfeited is left out of certificates."""
    patch.setattr(Transaction, "forfeited", lambda self, dataset: 0)


@pytest.mark.parametrize(
    "plant",
    [unless_it_was_answered, once_its_lease_is_over, by_the_other_process, failures_that_are_not_counted],
    ids=lambda plant: plant.__name__.replace("_", " "),
)
def test_the_model_finds_a_release_that_is_forgotten(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """In 4 to 25 lives, by whatever seed."""
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        run(examples=200, steps=20)


@pytest.mark.parametrize(
    "plant",
    [once_its_lease_is_over, by_the_other_process, failures_that_are_not_counted],
    ids=lambda plant: plant.__name__.replace("_", " "),
)
def test_a_life_by_hand_finds_them_too(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        test_a_life_by_hand()
