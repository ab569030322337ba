"""A repeated answer tells the account of the moment at which the log enters it, whoever else asks meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import pets
from pets.common.codec import canonical
from pets.ledger.account import Account
from pets.session.verbs.analyst_session import AnalystSession
from pets.verify.check import check
from tests.attacks.replay_cases import KEY_ROWS, KEYS

DP = pets.DP(epsilon=1)
COUNT = pets.query("t").agg(n=pets.count())

ASKS: dict[str, Callable[[AnalystSession], Any]] = {
    "a release": lambda session: session.release(COUNT, DP).to_json(),
    "keys": lambda session: session.group_keys("t", by=["code"], protection=DP, groups=2).signed,
}


@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
def test_a_repeat_tells_the_account_that_its_certificate_tells(
    ask: Callable[[AnalystSession], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = pets.Budget(epsilon=50, delta=1e-5, threshold_delta=5e-6)
    custodian = pets.Custodian(KEYS, {"t": KEY_ROWS}, budget=budget, progress=False)
    ask(custodian.session(analyst="first"))
    before, deliver = custodian.remaining().spent, Account.deliver

    def late(self: Account, *given: Any) -> Any:
        """Somebody else asks, and pays, between the look at the account and the delivery."""
        custodian.session(analyst="third").release(COUNT, pets.DP(epsilon=2))
        return deliver(self, *given)

    monkeypatch.setattr(Account, "deliver", late)
    form = ask(custodian.session(analyst="second"))
    check(canonical(form), custodian.ledger.key.raw)  # by the independent checker
    assert form["budget"]["spent"] == custodian.remaining().spent.loss > before.loss
