"""The account of one dataset, in this process's memory: a budget that cannot be overspent while the process lives.

Requests move RESERVED → STARTED → COMMITTED. One that fails after it started is FORFEITED and stays charged; one that
never started is VOIDED and costs nothing; one over the cap is DENIED. No transition depends on a row.

Simple addition of costs is a valid privacy filter under fully adaptive choice of queries and of their costs (Rogers,
Roth, Ullman and Vadhan 2016 for pure DP; Whitehouse, Ramdas, Rogers and Wu, ICML 2023, for approximate zCDP).
"""

from __future__ import annotations

import datetime as dt
import enum
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pets.budget import Budget, Cost
from pets.entropy import random_id
from pets.errors import BudgetError, InternalError


class State(enum.Enum):
    """Where a request stands."""

    RESERVED = "reserved"
    STARTED = "started"
    COMMITTED = "committed"
    FORFEITED = "forfeited"
    VOIDED = "voided"
    DENIED = "denied"

    @property
    def charged(self) -> bool:
        """Whether the request's cost counts against the cap."""
        return self in (State.RESERVED, State.STARTED, State.COMMITTED, State.FORFEITED)


_NEXT = {
    State.RESERVED: {State.STARTED, State.VOIDED},
    State.STARTED: {State.COMMITTED, State.FORFEITED},
}


@dataclass(frozen=True)
class Entry:
    """One request and its fate.

    Attributes:
        id: random, fresh for each request.
        at: when it was made (UTC).
        table, question: what was asked (a digest of the plan).
        protection: its canonical JSON, as text.
        cost: what it costs while it is charged.
        unbounded: it has no finite guarantee (exact totals of real rows).
    """

    id: str
    at: dt.datetime
    project: str
    analyst: str
    table: str
    question: str
    protection: str
    cost: Cost
    state: State
    unbounded: bool = False


@dataclass(frozen=True)
class Request:
    """What a session wants to spend on one release."""

    project: str
    analyst: str
    table: str
    question: str
    protection: str
    cost: Cost
    unbounded: bool = False


class Account:
    """Reserves, starts and settles requests against one budget; safe to use from several threads."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self._entries: dict[str, Entry] = {}
        self._lock = threading.Lock()

    @property
    def cap(self) -> Cost:
        """The most that may ever be charged."""
        return self.budget.cap

    @property
    def spent(self) -> Cost:
        """What is charged now, requests under way included."""
        with self._lock:
            return self._spent()

    def _spent(self) -> Cost:
        cap = self.budget.cap
        total = Cost(cap.currency, 0)
        for entry in self._entries.values():
            if entry.state.charged:
                total = total + entry.cost
        return total

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Every request ever made, oldest first."""
        with self._lock:
            return tuple(self._entries.values())

    def left(self) -> Cost:
        """What may still be charged."""
        spent, cap = self.spent, self.cap
        return Cost(cap.currency, cap.loss - spent.loss, cap.delta - spent.delta)

    def reserve(self, requests: Sequence[Request]) -> tuple[str, ...]:
        """Reserve all requests or none; returns their ids.

        Raises :class:`BudgetError`, with nothing charged, when they do not all fit under the cap.
        """
        now = dt.datetime.now(dt.UTC)
        with self._lock:
            total = self._spent()
            for request in requests:
                total = total + request.cost
            fits = total.fits(self.cap)
            state = State.RESERVED if fits else State.DENIED
            made = [Entry(random_id(), now, state=state, **vars(request)) for request in requests]
            self._entries.update((entry.id, entry) for entry in made)
        if not fits:
            raise BudgetError(self._refusal(requests))
        return tuple(entry.id for entry in made)

    def _refusal(self, requests: Sequence[Request]) -> str:
        cost = Cost(self.cap.currency, 0)
        for request in requests:
            cost = cost + request.cost
        asked, left = self.budget.describe(cost), self.budget.describe(self.left())
        what = "this query" if len(requests) == 1 else f"these {len(requests)} queries"
        return (
            f"{what} would cost ε = {asked[0]:.4g} and the budget has room for ε = {left[0]:.4g}"
            f"{f' (at δ = {self.budget.conversion_delta:g})' if self.budget.delta else ''}; nothing was spent; "
            "ask with a smaller epsilon, or for less accuracy"
        )

    def start(self, request_id: str) -> None:
        """The data is about to be opened: from here on the charge stands whatever happens."""
        self._move(request_id, State.STARTED)

    def commit(self, request_id: str) -> None:
        """The answer is sealed."""
        self._move(request_id, State.COMMITTED)

    def settle(self, request_ids: Sequence[str]) -> None:
        """Close whatever is still open: started requests are forfeited (charged), reserved ones voided (refunded)."""
        for request_id in request_ids:
            with self._lock:
                state = self._entries[request_id].state
            if state is State.STARTED:
                self._move(request_id, State.FORFEITED)
            elif state is State.RESERVED:
                self._move(request_id, State.VOIDED)

    def _move(self, request_id: str, state: State) -> None:
        with self._lock:
            entry = self._entries.get(request_id)
            if entry is None or state not in _NEXT.get(entry.state, ()):
                raise InternalError(f"a request cannot become {state.value} from here")
            self._entries[request_id] = replace(entry, state=state)
