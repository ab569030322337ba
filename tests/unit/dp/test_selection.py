"""Selection by noise: the charge is within the request, the noise the least, and what one person does decides it."""

from __future__ import annotations

import numpy as np
import pytest

from pets.dp.noise import noisy_top, top_rho
from pets.dp.selection import top_noise
from pets.errors import BudgetError, InternalError
from pets.protection.budget import UNIT, Budget, epsilon_from_rho
from pets.protection.protection import DP

BUDGET = Budget(epsilon=3, delta=1e-6, threshold_delta=1e-7)


@pytest.mark.parametrize(("k", "linf"), [(1, 1), (1, 7), (10, 1), (10, 3)])
@pytest.mark.parametrize("protection", [DP(epsilon=0.5), DP(rho=0.01), DP(epsilon=0.5, delta=1e-9)])
def test_the_charge_is_within_what_was_asked_and_the_noise_is_the_least(k: int, linf: int, protection: DP) -> None:
    found = top_noise(k, 100, linf, "people", protection, BUDGET)
    rho = k * (linf / found.scale) ** 2 / 8  # Cesar and Rogers 2021, k times
    assert found.cost.loss == pytest.approx(rho * UNIT, rel=1e-9) and found.cost.loss >= rho * UNIT * (1 - 1e-12)
    assert found.cost.delta == 0 and found.rho == found.cost.loss / UNIT
    delta = protection.delta or 9e-7
    assert found.delta == pytest.approx(delta)
    if protection.rho is not None:
        assert 0.01 * (1 - 1e-4) < found.rho <= 0.01
        assert found.epsilon == pytest.approx(epsilon_from_rho(found.rho, delta), rel=1e-9)
    else:
        assert found.epsilon == 0.5
        assert 0.5 * (1 - 1e-4) < epsilon_from_rho(found.rho, delta) <= 0.5 * (1 + 1e-9)


def test_ten_thousand_candidates_cost_what_ten_do() -> None:
    few, many = (top_noise(3, size, 1, "people", DP(epsilon=0.5), BUDGET) for size in (10, 10_000))
    assert few.scale == many.scale and few.cost == many.cost
    assert few.behind < many.behind < 3 * few.behind


def test_one_person_who_counts_seven_times_needs_seven_times_the_noise() -> None:
    one, seven = (top_noise(3, 10, linf, "rows", DP(rho=0.01), BUDGET) for linf in (1, 7))
    assert seven.scale == pytest.approx(7 * one.scale, rel=1e-5)


def test_rho_is_that_of_a_bounded_range_and_grows_with_k() -> None:
    assert top_rho(1, 1, 1.0) == pytest.approx(1 / 8)  # and not 1/2, as of any mechanism of ε = 1
    assert top_rho(5, 1, 1.0) == pytest.approx(5 / 8)
    assert top_rho(1, 3, 1.0) == pytest.approx(9 / 8)


def test_the_greatest_come_first_where_noise_is_small_beside_them() -> None:
    counts = np.array([10, 10**6, 0, 3 * 10**6, 2 * 10**6, 2**62], dtype=np.int64)
    assert noisy_top(counts, 4, 5.0).tolist() == [5, 3, 4, 1]


def test_requests_that_mean_nothing_are_refused() -> None:
    for budget, protection, said in [
        (Budget(epsilon=3), DP(epsilon=1), "release the counts of all groups"),
        (BUDGET, DP(epsilon=1, pure=True), "pure=True means nothing; ask with epsilon="),
        (BUDGET, DP(within=5), "within= means nothing; ask with epsilon="),
        (BUDGET, DP(rho=1e-13), "too small to be counted; ask with a larger"),
    ]:
        with pytest.raises(BudgetError, match=said):
            top_noise(2, 10, 1, "people", protection, budget)


@pytest.mark.parametrize(
    ("counts", "k", "scale", "error"),
    [
        ([1, 2, 3], 3, 1.0, InternalError),
        ([1, 2, 3], 0, 1.0, InternalError),
        ([1, -2, 3], 1, 1.0, InternalError),
        ([1, 2**62 + 1, 3], 1, 1.0, InternalError),
        ([1, 2, 3], 1, 0.0, BudgetError),
        ([1, 2, 3], 1, float("inf"), BudgetError),
    ],
)
def test_what_opendp_would_not_check_is_refused(
    counts: list[int], k: int, scale: float, error: type[Exception]
) -> None:
    with pytest.raises(error):
        noisy_top(np.array(counts, dtype=np.int64), k, scale)
    with pytest.raises(InternalError):
        noisy_top(np.array([1.0, 2.0, 3.0]), 1, 1.0)  # type: ignore[arg-type]
