"""The account: states, all-or-none reservations, and what counts against the cap."""

from __future__ import annotations

import pytest

from pets.budget import Budget, Cost
from pets.errors import BudgetError, InternalError
from pets.ledger import Account, State
from pets.ledger.account import Request


def request(loss: int) -> Request:
    return Request("default", "local", "t", "question", "{}", Cost("pure", loss))


def states(account: Account) -> list[State]:
    return [entry.state for entry in account.entries]


def test_a_request_is_charged_from_its_reservation_on() -> None:
    account = Account(Budget(epsilon=1))
    (first,) = account.reserve([request(400_000_000_000)])
    assert account.left().loss == 600_000_000_000
    account.start(first)
    account.commit(first)
    assert account.spent.loss == 400_000_000_000 and states(account) == [State.COMMITTED]


def test_all_or_none() -> None:
    account = Account(Budget(epsilon=1))
    with pytest.raises(BudgetError, match=r"these 2 queries would cost ε = 1\.2 and the budget has room for ε = 1;"):
        account.reserve([request(600_000_000_000)] * 2)
    assert account.spent.loss == 0 and states(account) == [State.DENIED] * 2


def test_to_the_last_unit() -> None:
    account = Account(Budget(epsilon=1))
    account.reserve([request(10**12)])
    with pytest.raises(BudgetError):
        account.reserve([request(1)])


def test_settling_refunds_only_what_never_started() -> None:
    account = Account(Budget(epsilon=1))
    ids = account.reserve([request(1), request(2), request(4)])
    account.start(ids[0])
    account.start(ids[1])
    account.commit(ids[1])
    account.settle(ids)
    assert states(account) == [State.FORFEITED, State.COMMITTED, State.VOIDED] and account.spent.loss == 3


@pytest.mark.parametrize("step", ["start", "commit"])
def test_no_state_is_reached_twice(step: str) -> None:
    account = Account(Budget(epsilon=1))
    (found,) = account.reserve([request(1)])
    account.start(found)
    account.commit(found)
    with pytest.raises(InternalError):
        getattr(account, step)(found)
