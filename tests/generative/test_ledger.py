"""Any sequence of requests, against a small model of the rules and against OpenDP's own privacy filter.

The model knows nothing of databases: it keeps a list. The filter is OpenDP's fully adaptive composition with a limit;
it knows neither refunds nor keys, so it is shown what is charged, in every scope.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from opendp import combinators, domains, measurements, measures, metrics
from opendp.mod import OpenDPException, enable_features

from pets.errors import BudgetError, LedgerError
from pets.ledger.account import Account
from pets.ledger.ledger import SWEEP, Ledger
from pets.ledger.states import Grant, Request, Sealed
from pets.protection.budget import Budget, Cost
from tests.ledgers import ask, audit, request, root, seal, verify

STEP = 976_562_500
"""Units of 1/1024: a number that floats hold exactly, so that OpenDP's sums are exact too."""

LEASE = 100.0
PROJECTS, ANALYSTS = ("p", "q"), ("a", "b")
BUDGETS = {"pure": Budget(epsilon=24 / 1024), "zcdp": Budget(epsilon=1, delta=1e-6)}
CAPS = {("p", ""): 13, ("p", "a"): 7, ("q", "b"): 11}
"""In steps; the roots hold 24 and a bit."""

Scope = tuple[str, str]


class Filter:
    """OpenDP's filter over what one scope was charged."""

    def __init__(self, currency: str, limit: int) -> None:
        enable_features("contrib", "honest-but-curious")
        self._measure = measures.max_divergence() if currency == "pure" else measures.zero_concentrated_divergence()
        self._space = domains.atom_domain(T=int), metrics.absolute_distance(T=int)
        self._limit = limit / 10**12
        self._charged: list[int] | None = None

    def takes(self, charged: Sequence[int], more: Sequence[int]) -> bool:
        """Whether the filter lets these costs be spent after those."""
        if self._charged != list(charged):
            odometer = combinators.make_fully_adaptive_composition(*self._space, self._measure)
            self._queryable = combinators.make_privacy_filter(odometer, d_in=1, d_out=self._limit)(0)
            assert all(self._spend(cost) for cost in charged), "the ledger charged what the filter refuses"
        self._charged = [*charged, *more]
        if all(self._spend(cost) for cost in more):
            return True
        self._charged = None  # a filter that refused once refuses for ever
        return False

    def _spend(self, cost: int) -> bool:
        if not cost:
            return True
        measurement = measurements.make_user_measurement(
            *self._space, self._measure, lambda _: 0, lambda d_in: d_in * cost / 10**12, TO=int
        )
        try:
            self._queryable(measurement)
        except OpenDPException as error:
            assert "exhausted" in str(error)
            return False
        return True


@dataclass
class Asked:
    """One request in the model."""

    grant: Grant | None
    scope: Scope
    question: str
    key: str | None
    cost: int
    state: str
    lease: float
    sealed: Sealed | None = None


class Machine(RuleBasedStateMachine):
    """A ledger, and what ought to be in it."""

    currency = "pure"

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.now = 1e9
        self.asked: list[Asked] = []
        self.ledger = self._open()
        cap = BUDGETS[self.currency].cap.loss
        self.caps = {("", ""): cap} | {scope: steps * STEP for scope, steps in CAPS.items()}
        self._account(("p", "a"))
        with self.ledger.writing() as (tx, _):
            for scope, steps in CAPS.items():
                tx.scopes("d", scope)
                tx.set_cap("d", scope, (steps * STEP, 0))
        self.filters = {scope: Filter(self.currency, limit) for scope, limit in self.caps.items()}

    def teardown(self) -> None:
        if hasattr(self, "ledger"):
            verify(self.ledger)
            self.ledger.close()
            self.folder.cleanup()

    def _open(self) -> Ledger:
        self.swept = self.now
        return Ledger(Path(self.folder.name) / "ledger.db", lease=LEASE, clock=lambda: self.now)

    def _account(self, scope: Scope) -> Account:
        return Account(self.ledger, root(budget=BUDGETS[self.currency]), *scope)

    # the model ------------------------------------------------------------------------------------------------------

    def _charged(self, scope: Scope) -> list[int]:
        """What counts against a scope, oldest first."""
        within = [a for a in self.asked if scope in (("", ""), (a.scope[0], ""), a.scope)]
        return [a.cost for a in within if a.state in ("reserved", "started", "committed", "forfeited")]

    def _expire(self) -> None:
        for one in self.asked:
            if one.state in ("reserved", "started") and one.lease < self.now:
                self._end(one)
        self.swept = self.now

    @staticmethod
    def _end(one: Asked) -> None:
        one.state = "voided" if one.state == "reserved" else "forfeited"
        if one.state == "voided":
            one.key = None

    def _before(self, one: Request, scope: Scope, again: bool, freed: list[Asked]) -> Asked | str | None:
        """The request that answers this one already, or why it may not be asked, or nothing."""
        same = next((a for a in self.asked if one.key is not None and (a.key, a.scope) == (one.key, scope)), None)
        if same is not None:
            if same.question != one.asked:
                return "another question"
            if same.state == "committed":
                return same
            if same.state != "reserved" or same.lease >= self.now:
                ended = same.state == "forfeited" or same.lease < self.now
                return "its charge stands" if ended else "still being answered"
            freed.append(same)
        return next((a for a in self.asked if not again and a.question == one.asked and a.state == "committed"), None)

    # what is done ---------------------------------------------------------------------------------------------------

    @rule(
        scope=st.tuples(st.sampled_from(PROJECTS), st.sampled_from(ANALYSTS)),
        wanted=st.lists(st.tuples(st.sampled_from("ABCDEFGH"), st.integers(0, 6)), min_size=1, max_size=3),
        key=st.sampled_from([None, None, "k", "l"]),
        again=st.booleans(),
        start=st.booleans(),
        answer=st.booleans(),
    )
    def reserve(
        self, scope: Scope, wanted: list[tuple[str, int]], key: str | None, again: bool, start: bool, answer: bool
    ) -> None:
        # the same letter asks the same, so its cost is the same
        requests = [
            request(name, cost=Cost(self.currency, (ord(name) % 7) * STEP), key=key if i == 0 else None)
            for i, (name, _) in enumerate(wanted)
        ]
        if self.now - self.swept >= SWEEP:
            self._expire()
        freed: list[Asked] = []
        known = [self._before(one, scope, again, freed) for one in requests]
        reason = next((found for found in known if isinstance(found, str)), None)
        new = [one for one, found in zip(requests, known, strict=True) if found is None]
        asker = self._account(scope)
        if reason is not None:
            with pytest.raises(LedgerError, match=reason):
                asker.reserve(requests, start=start, again=again)
            return
        for one in freed:
            self._end(one)
        costs = [one.cost.loss for one in new]
        scopes = [s for s in (("", ""), (scope[0], ""), scope) if s in self.caps]
        fits = all(sum(self._charged(s)) + sum(costs) <= self.caps[s] for s in scopes)
        assert fits == all(self.filters[s].takes(self._charged(s), costs) for s in scopes), "OpenDP disagrees"
        if not fits:
            with pytest.raises(BudgetError, match="nothing was spent"):
                asker.reserve(requests, start=start, again=again)
            self.asked += [Asked(None, scope, o.asked, None, o.cost.loss, "denied", 0) for o in new]
            return
        grants = asker.reserve(requests, start=start, again=again)
        for one, found, grant in zip(requests, known, grants, strict=True):
            if found is None:
                assert grant.sealed is None
                fate, until = "started" if start else "reserved", self.now + LEASE
                self.asked.append(Asked(grant, scope, one.asked, one.key, one.cost.loss, fate, until))
            else:
                assert isinstance(found, Asked) and grant.sealed == found.sealed, "other bytes"
        assert grants[-1].standing.spent.loss == sum(self._charged(("", "")))
        for one in self.asked[len(self.asked) - len(new) :] if start and answer else []:
            assert one.grant is not None
            one.sealed, one.state = seal(asker, one.grant), "committed"

    def _one(self, place: int) -> Asked | None:
        granted = [a for a in self.asked if a.grant is not None]
        return granted[place % len(granted)] if granted else None

    @rule(place=st.integers(0, 50))
    def start(self, place: int) -> None:
        one = self._one(place)
        if one is None or one.grant is None:
            return
        if one.state == "reserved":
            self._account(one.scope).start([one.grant])
            one.state, one.lease = "started", self.now + LEASE
        else:
            with pytest.raises(LedgerError, match="closed before it started"):
                self._account(one.scope).start([one.grant])

    @rule(place=st.integers(0, 50))
    def seal(self, place: int) -> None:
        one = self._one(place)
        if one is None or one.grant is None:
            return
        if one.state == "started":
            one.sealed, one.state = seal(self._account(one.scope), one.grant), "committed"
        else:
            with pytest.raises(LedgerError, match="its charge stands"):
                seal(self._account(one.scope), one.grant)

    @rule(place=st.integers(0, 50))
    def close(self, place: int) -> None:
        one = self._one(place)
        if one is not None and one.grant is not None:
            self._account(one.scope).close([one.grant])
            if one.state in ("reserved", "started"):
                self._end(one)

    @rule(seconds=st.sampled_from([1, 30, 61, 99, 150]))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @rule()
    def recover(self) -> None:
        open_ = [a for a in self.asked if a.state in ("reserved", "started")]
        self._expire()
        assert self.ledger.recover() == sum(a.state in ("voided", "forfeited") for a in open_)

    @rule()
    def reopen(self) -> None:
        self.ledger.close()
        self.ledger = self._open()
        self._expire()

    # what holds -----------------------------------------------------------------------------------------------------

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "filters"):
            return
        found = [entry.state.value for entry in self._account(("p", "a")).entries()]
        assert found == [one.state for one in self.asked]
        audit(self.ledger)
        for scope in ((PROJECTS[len(found) % 2], ANALYSTS[len(found) // 2 % 2]),):
            here = self._account(scope).standing()
            lefts = [self.caps[s] - sum(self._charged(s)) for s in (("", ""), (scope[0], ""), scope) if s in self.caps]
            assert here.left.loss == min(lefts)
            assert here.spent.loss == here.lifetime.loss == sum(self._charged(("", "")))


@pytest.mark.parametrize("currency", ["pure", "zcdp"])
def test_the_ledger_the_model_and_opendp_agree(currency: str) -> None:
    _run(currency, examples=12, steps=20)


@pytest.mark.soak
@pytest.mark.parametrize("currency", ["pure", "zcdp"])
def test_they_agree_for_long(currency: str) -> None:
    _run(currency, examples=5000, steps=50)


def _run(currency: str, examples: int, steps: int) -> None:
    class Here(Machine):
        pass

    Here.currency = currency
    chosen: Any = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(Here, settings=chosen)


def test_100_000_replays_are_the_same_bytes_at_no_cost(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    asker, other = (Account(ledger, root(), "p", analyst) for analyst in ("a", "b"))
    first = ask(asker, request("q", key="k"))[0]
    with ledger.reading() as tx:
        head, spent = tx.head, asker.standing().spent
    for turn in range(20):
        grants = (asker, other)[turn % 2].reserve([request("q", key=("k", None)[turn // 2 % 2])] * 5000)
        assert all(grant.sealed == first for grant in grants)
    with ledger.reading() as tx:
        assert tx.head == head, "a replay leaves no entry"
    assert asker.standing().spent == spent
    ledger.close()
