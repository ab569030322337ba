"""Noise in shares: never less than what is charged, and the bound of Kairouz, Liu and Steinke 2021."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

import pets
from pets.dp.calibrate import calibrate
from pets.dp.shares import MIN_VARIANCE, add_share, party_terms, share_rho, tau
from pets.errors import BudgetError, InternalError
from pets.plan.plan import make_plan
from pets.protection.budget import UNIT
from pets.protection.protection import DP
from tests.he_parties import schema

BUDGET = pets.Budget(epsilon=5, delta=1e-6)
PLAN = make_plan(
    pets.query("t").group_by("g").agg(n=pets.count(), s=pets.sum("v"), u=pets.count_units()), schema(5, 1000, 100)
)


def law(scale: float, parties: int, reach: int) -> np.ndarray:
    """P(sum of shares = k) for |k| ≤ reach, by convolution."""
    k = np.arange(-reach, reach + 1)
    one = np.exp(-(k**2) / (2 * scale**2))
    one /= one.sum()
    out = one
    for _ in range(parties - 1):
        out = np.convolve(out, one)
    middle = len(out) // 2
    return out[middle - reach : middle + reach + 1]


def renyi(p: np.ndarray, shift: int, order: float) -> float:
    """D_order(P ‖ P + shift), numerically."""
    a, b = p[shift:], p[:-shift]
    kept = (a > 0) & (b > 0)
    return math.log(float(np.sum(np.exp(order * np.log(a[kept]) + (1 - order) * np.log(b[kept]))))) / (order - 1)


@pytest.mark.parametrize("scale", [0.5, 0.6, 0.8, 1.0, 2.0, 3.5])
@pytest.mark.parametrize("parties", [1, 2, 3, 7])
def test_the_bound_holds_numerically(scale, parties):
    """Where τ is large, too: a bound without it would be broken at σ = ½ (the second assertion)."""
    # the divergence of order 8 at a distance s lies around 7s: the table must reach beyond it, and not underflow
    p = law(scale, parties, 14 if scale < 1 else math.ceil(21 + 8 * scale * math.sqrt(parties)))
    for shift in (1,) if scale < 1 else (1, 2, 3):
        rho = float(share_rho(shift, shift**2, 1, scale, parties))
        for order in (1.5, 2.0, 4.0, 8.0):
            assert renyi(p, shift, order) <= order * rho * (1 + 1e-9)


def test_without_tau_the_bound_would_be_wrong():
    p = law(0.5, 2, 14)
    assert renyi(p, 1, 8.0) > 8.0 * 1 / (2 * 2 * 0.5**2) * (1 + 1e-6)


def test_tau():
    assert tau(2.0, 1) == 0
    assert tau(0.5, 3) >= 10 * (math.exp(-(math.pi**2) / 4) + math.exp(-(math.pi**2) / 3))
    for parties in (2, 64, 65, 66, 500):
        exact = 10 * math.fsum(math.exp(-2 * math.pi**2 * 0.25 * k / (k + 1)) for k in range(1, parties))
        assert exact <= tau(0.5, parties) <= exact * 1.05
    assert tau(math.sqrt(MIN_VARIANCE), 4096) < 1e-15


@pytest.mark.parametrize("rho", [1e-6, 1e-3, 0.05, 1.0, 20.0])
@pytest.mark.parametrize("honest", [1, 2, 5, 100])
def test_honest_shares_give_what_was_asked_and_no_more_is_charged(rho, honest):
    asked = DP(rho=rho)
    share = party_terms(PLAN, asked, BUDGET, honest)
    whole = calibrate(PLAN, asked, BUDGET)
    assert share.cost.loss == sum(share.losses) <= round(rho * UNIT)
    assert share.cost.loss >= 0.99 * whole.cost.loss  # and hardly less
    for measure, scale, finer, loss, central in zip(
        PLAN.measures, share.scales, share.refine, share.losses, whole.scales, strict=True
    ):
        assert scale >= math.sqrt(MIN_VARIANCE) and finer % 2
        spread = honest * Fraction(scale) ** 2
        assert loss >= Fraction(measure.sensitivity.l2_squared * finer**2) / (2 * spread) * UNIT
        together = math.sqrt(honest) * scale / finer
        assert together >= central * (1 - 1e-6)
        if finer == 1 and scale > math.sqrt(MIN_VARIANCE):
            assert together <= central * 1.001
    assert share.alone >= share.rho - len(PLAN.measures) / UNIT
    assert honest > 1 or share.alone == pytest.approx(share.rho, rel=1e-4)


def test_a_share_is_drawn_on_its_grid():
    share = party_terms(PLAN, DP(rho=5.0), BUDGET, 4)
    assert any(finer > 1 for finer in share.refine)
    values = np.arange(PLAN.size, dtype=np.int64)
    drawn = np.array([add_share(PLAN, values, share) for _ in range(400)], dtype=np.float64)
    for block, scale, finer in zip(PLAN.blocks, share.scales, share.refine, strict=True):
        error = (drawn[:, block] - finer * values[block]).ravel()
        assert abs(error.mean()) < 5 * scale / math.sqrt(error.size)
        assert 0.85 < error.std() / scale < 1.15


@pytest.mark.parametrize(
    ("asked", "budget"),
    [
        (DP(epsilon=1, pure=True), BUDGET),
        (DP(within=5), BUDGET),
        (DP(rho=1), pets.Budget(epsilon=1)),
        (DP(epsilon=1), pets.Budget(epsilon=1)),
    ],
)
def test_what_shares_cannot_do(asked, budget):
    with pytest.raises(BudgetError, match=r"shares of noise|counts epsilon"):
        party_terms(PLAN, asked, budget, 2)


def test_a_grid_that_does_not_fit_is_refused():
    plan = make_plan(pets.query("t").agg(s=pets.sum("v")), schema(5, 2**40, 2**18))
    with pytest.raises(BudgetError, match="smaller epsilon"):
        party_terms(plan, DP(rho=1e6), BUDGET, 10**8)


def test_shares_of_another_plan_are_a_bug():
    share = party_terms(PLAN, DP(rho=1), BUDGET, 2)
    with pytest.raises(InternalError):
        add_share(PLAN, np.zeros(3, dtype=np.int64), share)
    beyond = np.full(PLAN.size, 2**50, dtype=np.int64)
    with pytest.raises(InternalError, match="range that the plan proved"):
        add_share(PLAN, beyond, share)


def test_no_two_numbers_bear_one_draw():
    """One draw for a whole measure would leave every difference between its groups exact."""
    share = party_terms(PLAN, DP(rho=0.1), BUDGET, 2)
    drawn = np.array([add_share(PLAN, np.zeros(PLAN.size, dtype=np.int64), share) for _ in range(20)])
    for block in PLAN.blocks:
        assert (drawn[:, block] != drawn[:, block][:, :1]).any()
