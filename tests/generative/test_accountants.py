"""Another accountant prices random ledgers: what a ledger says was spent is never less than what it finds."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

import pytest

from pets.protection.budget import UNIT, Budget, Cost, pure_as_zcdp

if TYPE_CHECKING:
    from dp_accounting.rdp import RdpAccountant

LEDGERS = 400
ORDERS = [1 + math.exp(step / 12) for step in range(-60, 90)]


def priced(chance: random.Random) -> tuple[Cost, RdpAccountant, bool]:
    """A ledger's charges of random answers, and the same answers as the other accountant is told of them."""
    import dp_accounting
    from dp_accounting.rdp import RdpAccountant

    cost, theirs, laplace = Cost("zcdp", 0), RdpAccountant(ORDERS), False
    for _ in range(chance.randrange(1, 9)):
        count = chance.randrange(1, 6)
        if chance.random() < 0.3:
            units, laplace = chance.randrange(10**9, 2 * 10**11), True
            one, event = pure_as_zcdp(units), dp_accounting.LaplaceDpEvent(UNIT / units)
        else:
            one = chance.randrange(10**6, 10**11)
            event = dp_accounting.GaussianDpEvent(math.sqrt(UNIT / (2 * one)))
        for _ in range(count):
            cost = cost + Cost("zcdp", one)
        theirs.compose(event, count)
    return cost, theirs, laplace


@pytest.mark.chance(0)
def test_no_ledger_says_less_than_another_accountant_finds() -> None:
    chance, bare = random.Random(12), 0
    for number in range(LEDGERS):
        delta = chance.choice([1e-9, 1e-6, 1e-4])
        cost, theirs, laplace = priced(chance)
        ours, at = Budget(1, delta).describe(cost)
        assert at == delta
        found = theirs.get_epsilon(delta)
        assert ours >= found * (1 - 1e-3), number  # (theirs looks at a grid of orders, and so finds a little more)
        if not laplace:  # of Gaussian noise alone both know all there is to a sum of ρ
            assert ours == pytest.approx(found, rel=2e-3), number
            bare += 1
    assert 50 < bare < LEDGERS


@pytest.mark.chance(0)
def test_a_ledger_that_forgets_a_charge_is_found_out() -> None:
    chance, missed = random.Random(13), 0
    for _ in range(40):
        cost, theirs, laplace = priced(chance)
        if laplace:
            continue
        less = Cost("zcdp", cost.loss * 9 // 10)
        missed += Budget(1, 1e-6).describe(less)[0] >= theirs.get_epsilon(1e-6) * (1 - 1e-3)
    assert missed == 0
