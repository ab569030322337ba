"""Budgets: exact units, and a conversion that is tight, never optimistic, and agrees with two other libraries."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opendp import combinators, domains, measurements, metrics
from opendp.mod import enable_features

from pets.errors import BudgetError, InternalError
from pets.protection.budget import DELTA_UNIT, UNIT, Budget, Cost, epsilon_from_rho, pure_as_zcdp, rho_from_epsilon
from tests.work import calls

GRID = [(e, d) for e in (0.01, 0.1, 0.5, 1.0, 3.0, 8.0, 50.0) for d in (1e-12, 1e-9, 1e-6, 1e-5, 1e-3)]


def exact_epsilon(rho: float, delta: float) -> mpmath.mpf:
    """CKS20 Corollary 13 in 60 digits: another search (bisection on the derivative of log δ) in another arithmetic."""
    with mpmath.workdps(60):
        rho, delta = mpmath.mpf(rho), mpmath.mpf(delta)

        def epsilon(above: mpmath.mpf) -> mpmath.mpf:
            a = 1 + above
            return a * rho + (mpmath.log(1 / delta) + above * mpmath.log(1 - 1 / a) - mpmath.log(a)) / above

        low, high = mpmath.mpf(-30), mpmath.mpf(40)
        for _ in range(300):
            third = (high - low) / 3
            if epsilon(mpmath.exp(low + third)) < epsilon(mpmath.exp(high - third)):
                high -= third
            else:
                low += third
        return epsilon(mpmath.exp(low))


def test_the_anchor() -> None:
    assert rho_from_epsilon(1.0, 1e-6) == pytest.approx(0.0243560, rel=2e-6)
    assert Budget(epsilon=1, delta=1e-6).cap.loss == math.floor(Fraction(rho_from_epsilon(1.0, 1e-6)) * UNIT)


@pytest.mark.parametrize(("epsilon", "delta"), GRID)
def test_tight_and_never_optimistic_in_sixty_digits(epsilon: float, delta: float) -> None:
    rho = rho_from_epsilon(epsilon, delta)
    truth = exact_epsilon(rho, delta)
    assert truth <= mpmath.mpf(epsilon)
    assert float(truth) == pytest.approx(epsilon, rel=1e-9)
    said = epsilon_from_rho(rho, delta)
    assert mpmath.mpf(said) >= truth
    assert said == pytest.approx(epsilon, rel=1e-9)


@pytest.mark.parametrize(("epsilon", "delta"), [(0.1, 1e-6), (1.0, 1e-6), (3.0, 1e-9), (8.0, 1e-5)])
def test_opendp_agrees(epsilon: float, delta: float) -> None:
    enable_features("contrib")
    rho = rho_from_epsilon(epsilon, delta)
    vectors = domains.vector_domain(domains.atom_domain(T="i64"))
    noise = measurements.make_gaussian(vectors, metrics.l2_distance(T="f64"), scale=math.sqrt(1 / (2 * rho)))
    theirs = combinators.make_zCDP_to_approxDP(noise).map(1.0).epsilon(delta)
    assert theirs == pytest.approx(epsilon, rel=1e-6)
    assert epsilon_from_rho(noise.map(1.0), delta) == pytest.approx(theirs, rel=1e-6)


@pytest.mark.parametrize(("epsilon", "delta"), [(0.1, 1e-6), (1.0, 1e-6), (3.0, 1e-9), (8.0, 1e-5)])
def test_dp_accounting_agrees(epsilon: float, delta: float) -> None:
    import dp_accounting
    from dp_accounting.rdp import RdpAccountant

    rho = rho_from_epsilon(epsilon, delta)
    orders = [1 + math.exp(-3 + k / 400) for k in range(4800)]
    theirs = RdpAccountant(orders).compose(dp_accounting.ZCDpEvent(rho)).get_epsilon(delta)
    assert theirs == pytest.approx(epsilon, rel=1e-4)
    assert theirs >= epsilon_from_rho(rho, delta) * (1 - 1e-12)  # theirs looks at a grid of orders only


@given(st.floats(1e-3, 100), st.floats(1e-3, 100), st.sampled_from([1e-12, 1e-6, 1e-3]))
def test_monotone(first: float, second: float, delta: float) -> None:
    low, high = sorted((first, second))
    if high > low * (1 + 1e-9):
        assert rho_from_epsilon(low, delta) < rho_from_epsilon(high, delta)
        assert epsilon_from_rho(low, delta) < epsilon_from_rho(high, delta)
    assert rho_from_epsilon(high, delta) <= rho_from_epsilon(high, delta * 2)


def test_quick() -> None:
    work = calls(lambda: [rho_from_epsilon(1 + k / 1000, 1e-7) for k in range(50)])
    assert work / 50 < 1500  # 435 each


def test_currency_and_caps() -> None:
    assert Budget(epsilon=3).currency == "pure"
    assert Budget(epsilon=3).cap == Cost("pure", 3 * UNIT)
    assert Budget(epsilon=0.1).cap == Cost("pure", UNIT // 10)  # 0.1 is read as a decimal, not as its float
    both = Budget(epsilon=3, delta=2e-6, threshold_delta=5e-7)
    assert both.currency == "zcdp"
    assert both.conversion_delta == pytest.approx(1.5e-6)
    assert Fraction(both.conversion_delta) <= Fraction(15, 10**7)
    assert both.cap.delta == DELTA_UNIT // 2_000_000
    assert both.cap.loss == math.floor(Fraction(rho_from_epsilon(3.0, both.conversion_delta)) * UNIT)


def test_describe_is_at_most_the_budget() -> None:
    for budget in (Budget(1, 1e-6), Budget(2.5, 1e-5, 1e-6), Budget(0.3)):
        epsilon, delta = budget.describe(budget.cap)
        assert epsilon <= budget.epsilon
        assert epsilon == pytest.approx(budget.epsilon, rel=1e-8)
        assert delta == pytest.approx(budget.delta, rel=1e-12)
        assert budget.describe(Cost(budget.currency, 0)) == (0.0, 0.0)


def test_costs_add_and_compare_componentwise() -> None:
    cap = Cost("zcdp", 10, 5)
    assert Cost("zcdp", 10, 5).fits(cap)
    assert not Cost("zcdp", 11, 0).fits(cap)
    assert not Cost("zcdp", 0, 6).fits(cap)
    assert Cost("zcdp", 4, 2) + Cost("zcdp", 6, 3) == cap
    assert Cost.from_json(cap.to_json()) == cap
    with pytest.raises(InternalError):
        Cost("zcdp", 1) + Cost("pure", 1)
    with pytest.raises(InternalError):
        Cost("pure", 1).fits(cap)
    for bad in (("zcdp", -1, 0), ("zcdp", True, 0), ("zcdp", 1.0, 0), ("pure", 1, 1), ("renyi", 1, 0)):
        with pytest.raises(InternalError):
            Cost(*bad)


@given(st.integers(0, 10**18))
def test_pure_cost_is_rounded_up(units: int) -> None:
    exact = Fraction(units, UNIT) ** 2 / 2 * UNIT
    assert exact <= pure_as_zcdp(units) < exact + 1


def test_json_round_trip() -> None:
    for budget in (Budget(1, 1e-6), Budget(0.1), Budget(2.5, 1e-5, 1e-6), Budget(1 / 3, 1e-7)):
        assert Budget.from_json(budget.to_json()) == budget
    for bad in ({}, None, {"epsilon": "x", "delta": 0, "threshold_delta": 0}, {"epsilon": 1, "delta": 0, "extra": 0}):
        with pytest.raises(BudgetError):
            Budget.from_json(bad)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"epsilon": 0}, "epsilon must be greater than 0"),
        ({"epsilon": -1}, "epsilon must be greater than 0"),
        ({"epsilon": float("nan")}, "finite"),
        ({"epsilon": float("inf")}, "finite"),
        ({"epsilon": True}, "must be a number"),
        ({"epsilon": "1"}, "must be a number"),
        ({"epsilon": None}, "must be a number"),
        ({"epsilon": 1e7}, "at most 1,000,000"),
        ({"epsilon": 1e-13}, "too small"),
        ({"epsilon": 1, "delta": -1e-6}, "at least 0"),
        ({"epsilon": 1, "delta": 1}, "below 1"),
        ({"epsilon": 1, "delta": 0.01}, "choose well below 1 divided by the number of people"),
        ({"epsilon": 1, "delta": float("nan")}, "finite"),
        ({"epsilon": 1, "delta": False}, "must be a number"),
        ({"epsilon": 1, "delta": 1e-19}, "too small"),
        ({"epsilon": 1, "delta": 1e-6, "threshold_delta": 1e-6}, "half of delta"),
        ({"epsilon": 1, "threshold_delta": 1e-6}, "half of delta"),
    ],
)
def test_refusals_name_the_setting(settings: dict[str, object], said: str) -> None:
    with pytest.raises(BudgetError, match=said):
        Budget(**settings)  # type: ignore[arg-type]
