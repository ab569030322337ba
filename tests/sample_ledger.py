"""Ledgers with a past: requests of every fate over a year, without data or a session."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from pets.errors import BudgetError
from pets.ledger.account import Account
from pets.ledger.change import Change, apply, draft
from pets.ledger.ledger import Ledger
from pets.ledger.root import Root
from pets.ledger.states import Request
from pets.protection.budget import Budget, Cost, rho_from_epsilon

BEGIN = dt.datetime(2024, 1, 5, 9, 30, tzinfo=dt.UTC).timestamp()
DAY = 86_400.0
HOSTILE = "<script>alert('x')</script>&amp;\"'"


class Clock:
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        self.now = BEGIN

    def __call__(self) -> float:
        return self.now

    def sleep(self, days: float) -> None:
        self.now += days * DAY


def request(what: str, epsilon: float | None, number: int, snapshot: str = "s1", currency: str = "zcdp") -> Request:
    """A request as a session makes it; without ε it is exact, and unbounded."""
    units = 0
    if epsilon is not None:
        units = round((epsilon if currency == "pure" else rho_from_epsilon(epsilon, 1e-6)) * 10**12)
    form = {"kind": "total"} if epsilon is None else {"kind": "dp", "epsilon": str(epsilon)}
    asked = f"{snapshot}-{number}"
    cost = Cost("pure" if currency == "pure" else "zcdp", units)
    return Request("stays", what, asked, asked, snapshot, {}, form, cost, unbounded=epsilon is None)


class Past:
    """A ledger, and what happens in it."""

    def __init__(self, path: Path | str | None, **settings: object) -> None:
        self.clock = Clock()
        self.ledger = Ledger(path, clock=self.clock, **settings)  # type: ignore[arg-type]
        self.number = 0

    def account(
        self,
        project: str = "asthma",
        analyst: str = "a.jones",
        *,
        dataset: str = "hospital-stays",
        budget: Budget | None = None,
        units: Sequence[tuple[str, str]] = (("stays", "patient_nbr"),),
    ) -> Account:
        return Account(self.ledger, Root(dataset, dict(units), {}, budget), project, analyst)

    def release(self, account: Account, what: str, epsilon: float | None, snapshot: str = "s1") -> None:
        """A request that is answered a minute later."""
        grants = account.reserve([self._request(account, what, epsilon, snapshot)])
        self.clock.sleep(1 / 1440)
        account.seal(grants[0], b"{}", "0" * 64, {"release_id": "r"})

    def fail(self, account: Account, what: str, epsilon: float, snapshot: str = "s1") -> None:
        """A request that fails after the data was opened."""
        account.close(account.reserve([self._request(account, what, epsilon, snapshot)]))

    def withdraw(self, account: Account, what: str, epsilon: float, snapshot: str = "s1") -> None:
        """A request that never starts."""
        account.close(account.reserve([self._request(account, what, epsilon, snapshot)], start=False))

    def begin(self, account: Account, what: str, epsilon: float, snapshot: str = "s1") -> None:
        """A request that stays under way."""
        account.reserve([self._request(account, what, epsilon, snapshot)])

    def refuse(self, account: Account, what: str, epsilon: float, snapshot: str = "s1") -> None:
        """A request over the budget."""
        try:
            account.reserve([self._request(account, what, epsilon, snapshot)])
        except BudgetError:
            return
        raise AssertionError("there was room for it")

    def change(self, kind: str, details: dict[str, object], reason: str, dataset: str = "hospital-stays") -> None:
        """A signed change."""
        made = Change(self.ledger.origin, dataset, kind, details, reason, ("R. Okafor", "L. Meyer"))
        apply(self.ledger, draft(made))

    def _request(self, account: Account, what: str, epsilon: float | None, snapshot: str) -> Request:
        self.number += 1
        return request(what, epsilon, self.number, snapshot, account.budget.currency)


def eventful(path: Path | str | None = None, **settings: object) -> Past:
    """Every fate, hostile names, a project with a limit, an exact release, a renewal; and a second, pure dataset."""
    past = Past(path, **settings)
    first = past.account(budget=Budget(epsilon=3, delta=1e-6))
    past.clock.sleep(8)
    past.release(first, "count, mean(time_in_hospital) by age", 0.5)
    past.clock.sleep(20)
    past.release(first, "count_units by gender where diagnosis and year", 0.7)
    past.clock.sleep(31)
    past.change("cap", {"project": "asthma", "analyst": "", "budget": Budget(2, 1e-6).to_json()}, "A fair share.")
    hostile = past.account(HOSTILE, "Zoë <b>Ω</b>")
    past.release(hostile, "histogram(cost), sum(cost where age), rate(emergency) by a b; c", 1.1)
    past.clock.sleep(15)
    past.fail(first, "quantile(cost) by year", 0.4)
    past.withdraw(first, "count", 0.4)
    past.clock.sleep(3)
    past.release(past.account("national audit", "m.silva"), "count by gender", None)
    past.clock.sleep(28)
    past.refuse(first, "variance(cost)", 2.9)
    past.clock.sleep(60)
    budget = Budget(epsilon=2, delta=1e-6).to_json()
    past.change("renew", {"budget": budget, "snapshots": ["s2"], "epoch": 0}, "Stays of the year 2024 were added.")
    past.clock.sleep(12)
    past.release(first, "count by year", 0.6, "s2")
    past.clock.sleep(40)
    past.begin(past.account("national audit", "m.silva"), "mean(cost) by year, gender", 0.8, "s2")
    past.account("teaching", "students", dataset="dental", budget=Budget(epsilon=1), units=[("visits", "")])
    return past
