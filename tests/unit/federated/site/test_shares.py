"""Shares of noise: the bound of Kairouz, Liu and Steinke, the grid, and that charges follow from scales alone."""

from __future__ import annotations

import math

import numpy as np
import pytest

import pets
from pets.dp.calibrate import calibrate, target_units
from pets.dp.noise import gaussian_rho
from pets.dp.shares import (
    Shares,
    Spread,
    View,
    add_share,
    alone,
    on_the_plans_grid,
    share_losses,
    share_rho,
    share_scale,
    shared,
)
from pets.errors import BudgetError, InternalError
from pets.plan.plan import make_plan
from pets.protection.budget import UNIT
from pets.protection.protection import DP
from tests.unit.session.test_session import SCHEMA

VIEW = View("zcdp", 1e-6)
PLAN = make_plan(
    pets.query("stays").group_by("age").agg(n=pets.count(), u=pets.count_units(), d=pets.mean("days")), SCHEMA
)


def theorem(l2_squared: float, dimension: int, scale: float, honest: int) -> float:
    """Proposition 14 as printed, at α → 1 for its first term (which is where it is least)."""
    tau = 10 * math.fsum(math.exp(-2 * math.pi**2 * scale**2 * k / (k + 1)) for k in range(1, honest))
    first = l2_squared / (2 * honest * scale**2) + tau * dimension
    second = 0.5 * (math.sqrt(l2_squared) / (math.sqrt(honest) * scale) + tau * math.sqrt(dimension)) ** 2
    return min(first, second)


@pytest.mark.parametrize("honest", [1, 2, 5, 100])
@pytest.mark.parametrize("scale", [2.0, 2.5, 40.0])
@pytest.mark.parametrize(("l2_squared", "dimension"), [(1, 1), (10_000, 100_000), (7, 12)])
def test_the_cost_is_the_papers_and_never_less(honest: int, scale: float, l2_squared: int, dimension: int) -> None:
    cost = float(share_rho(None, l2_squared, dimension, scale, honest))
    printed = theorem(l2_squared, dimension, scale, honest)
    assert printed * (1 - 1e-15) <= cost <= printed * (1 + 1e-9)
    assert cost >= gaussian_rho(l2_squared, scale * math.sqrt(honest)) * (1 - 1e-15)


def test_tau_is_charged() -> None:
    # two shares of variance 4 on very many numbers: what the sum is not quite a Gaussian for must show in the charge
    plain = 1 / (2 * 2 * 4)
    assert share_rho(None, 1, 10**12, 2.0, 2) > plain * (1 + 1e-11)
    with pytest.raises(InternalError):
        share_rho(None, 1, 1, 0.4, 2)


def test_the_sum_of_shares_is_a_discrete_gaussian_as_near_as_the_bound_says() -> None:
    # exact convolution of two shares of variance 4, against the discrete Gaussian of variance 8
    k = np.arange(-80, 81)
    share = np.exp(-(k**2) / 8.0)
    share /= share.sum()
    summed = np.convolve(share, share)
    j = np.arange(-160, 161)
    whole = np.exp(-(j**2) / 16.0)
    whole /= whole.sum()
    near = np.abs(j) <= 12
    tau = 10 * math.exp(-2 * math.pi**2 * 4 / 2)
    assert np.abs(np.log(summed[near] / whole[near])).max() <= tau + 1e-12


@pytest.mark.parametrize(("scale", "honest"), [(0.3, 1), (0.5, 4), (3.0, 9), (100.0, 3)])
def test_a_share_has_a_variance_of_at_least_four_on_its_grid(scale: float, honest: int) -> None:
    share, refine = share_scale(scale, honest)
    assert share >= 2
    assert share * math.sqrt(honest) / refine >= scale * (1 - 1e-9)
    assert share * math.sqrt(honest) / refine <= max(scale * 1.00001, 2 * math.sqrt(honest) / refine * 1.00001)
    assert (refine == 1) == (scale / math.sqrt(honest) >= 2)


@pytest.mark.parametrize("sites", [1, 3])
@pytest.mark.parametrize(("honest", "parties"), [(2, 3), (7, 10), (1, 3)])
@pytest.mark.parametrize("epsilon", [0.1, 1.0, 8.0])
def test_the_charge_is_within_the_target_and_near_it(honest: int, parties: int, epsilon: float, sites: int) -> None:
    plan = Spread(PLAN, sites)
    made = shared(plan, DP(epsilon=epsilon), VIEW, honest, parties)
    charged = sum(share_losses(plan, made, honest))
    target = target_units(DP(epsilon=epsilon), "zcdp", 1e-6)
    assert target * 0.999 <= charged <= target
    if honest > 1:  # assuming fewer honest sites of the same shares costs more
        assert sum(share_losses(plan, made, honest - 1)) > charged
    assert Shares.from_json(made.to_json()) == made


def test_with_one_honest_site_and_no_refinement_it_is_the_central_noise() -> None:
    made = shared(PLAN, DP(epsilon=0.1), VIEW, 1, 1)
    assert made.scales == pytest.approx(calibrate(PLAN, DP(epsilon=0.1), VIEW).scales, rel=1e-5)


def test_within_is_reached_by_all_parties_together() -> None:
    plan = make_plan(pets.query("stays").agg(n=pets.count()), SCHEMA)
    made = shared(plan, DP(within=50), VIEW, 2, 4)
    _, scales = on_the_plans_grid(plan, np.zeros(1, dtype=np.int64), made, 4)
    central = calibrate(plan, DP(within=50), VIEW).scales
    assert scales[0] <= central[0]
    assert scales[0] == pytest.approx(central[0], rel=1e-4)


@pytest.mark.parametrize("confidence", [0.5, 0.8, 0.9, 0.95, 0.999])
@pytest.mark.parametrize("parties", [1, 2, 3, 7])
def test_the_sum_of_laplace_noises_is_within_what_was_asked_and_no_cheaper_one_is(
    confidence: float, parties: int
) -> None:
    plan = make_plan(pets.query("stays").agg(n=pets.count()), SCHEMA)
    made = alone(plan, DP(within=20, confidence=confidence, pure=True), VIEW, parties)
    assert made.mechanism == "laplace"

    def held(scale: float) -> float:
        """The chance that the sum is within 20, from the draws' laws, one after the other."""
        one = np.exp(-np.abs(np.arange(-800, 801)) / scale)
        law = np.ones(1)
        for _ in range(parties):
            law = np.convolve(law, one / one.sum())
        return float(law[len(law) // 2 - 20 : len(law) // 2 + 21].sum())

    assert held(made.scales[0]) >= confidence - 1e-6
    assert held(made.scales[0] * 1.001) < confidence


def test_what_shared_noise_cannot_do() -> None:
    with pytest.raises(BudgetError, match="secure='local'"):
        shared(PLAN, DP(epsilon=1), View("pure", 0.0), 2, 3)
    with pytest.raises(BudgetError, match="secure='local'"):
        shared(PLAN, DP(epsilon=1, pure=True), VIEW, 2, 3)
    assert alone(PLAN, DP(epsilon=1), View("pure", 0.0), 3).mechanism == "laplace"
    for wrong in (
        {"scales": [1.5]},
        {"refine": [0]},
        {"refine": [True]},
        {"scales": ["nan"]},
        {"mechanism": "laplace"},
        {"alone": 1},
    ):
        form = {"mechanism": "gaussian", "scales": [2], "refine": [1], "alone": False} | wrong
        with pytest.raises(BudgetError):
            Shares.from_json(form)


def test_refined_totals_come_back_to_the_plans_grid() -> None:
    plan = make_plan(pets.query("stays").group_by("age").agg(n=pets.count()), SCHEMA)
    shares = Shares("gaussian", (2.0,), (1000,))
    values = np.array([7, -3], dtype=np.int64)
    total = sum(add_share(plan, values, shares) for _ in range(3))
    back, scales = on_the_plans_grid(plan, np.asarray(total), shares, 3)
    assert back.tolist() == [21, -9]
    assert scales[0] == pytest.approx(math.sqrt(3 * 4 / 1000**2 + 1 / 12))
    with pytest.raises(InternalError):
        add_share(plan, np.array([2**60, 0], dtype=np.int64), shares)
    with pytest.raises(InternalError):
        add_share(plan, values[:1], shares)


def test_the_noise_of_a_sum_has_the_variance_that_was_promised() -> None:
    plan = make_plan(pets.query("stays").agg(n=pets.count()), SCHEMA)
    shares, draws = Shares("gaussian", (2.0,), (1,)), 4000
    zero = np.zeros(1, dtype=np.int64)
    sums = [int(add_share(plan, zero, shares)[0]) + int(add_share(plan, zero, shares)[0]) for _ in range(draws)]
    # (n−1)s²/σ² is chi-square with 3,999 degrees: 8·(1 ± 0.13) holds but once in a billion
    assert abs(np.var(sums) / 8 - 1) < 0.13
    assert abs(np.mean(sums)) < 6 * math.sqrt(8 / draws)


def test_units() -> None:
    assert share_losses(PLAN, shared(PLAN, DP(rho=0.5), VIEW, 2, 3), 2) < (UNIT,) * 3
