"""What stands between pets and OpenDP: distances are rounded up, and what OpenDP would not refuse is refused."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from pets.dp.noise import MAX_SCALE, MAX_VALUE, add_gaussian, add_laplace, gaussian_rho, laplace_epsilon, sqrt_up
from pets.errors import BudgetError, InternalError

BESIDE = [n * n + step for n in (1, 3, 94_906_265, 94_906_266, 94_906_267, 2**31, 2**40 + 1) for step in (-1, 0, 1)]


@pytest.mark.parametrize("square", [n for n in [2, 3, 5, *BESIDE] if n > 0])
def test_a_root_is_never_below(square: int) -> None:
    """Nor two floats above: whole squares beyond 2^53 are where float roots go wrong."""
    root = sqrt_up(square)
    assert Fraction(root) ** 2 >= square
    assert Fraction(math.nextafter(root, 0.0)) ** 2 < square


def test_what_a_distance_costs() -> None:
    assert gaussian_rho(2, 10.0) >= Fraction(2, 200)
    assert gaussian_rho(2, 10.0) == pytest.approx(0.01, rel=1e-12)
    assert laplace_epsilon(3, 6.0) == 0.5 == laplace_epsilon(6, 12.0)
    for wrong in (0, -1, 2**63):
        with pytest.raises(InternalError):
            laplace_epsilon(wrong, 1.0)
    with pytest.raises(InternalError):
        gaussian_rho(0, 1.0)


@pytest.mark.parametrize("add", [add_gaussian, add_laplace])
@pytest.mark.parametrize("value", [MAX_VALUE + 1, -MAX_VALUE - 1, 2**63 - 1, -(2**63)])
def test_a_value_beyond_the_range_is_refused(add: object, value: int) -> None:
    with pytest.raises(InternalError, match="beyond the range"):
        add(np.array([0, value], dtype=np.int64), 1.0)  # type: ignore[operator]


@pytest.mark.parametrize("add", [add_gaussian, add_laplace])
@pytest.mark.parametrize(
    "values", [[1, 2], np.zeros(3), np.zeros(3, dtype=np.uint64), np.zeros((2, 2), dtype=np.int64)]
)
def test_noise_is_added_to_rows_of_whole_numbers(add: object, values: object) -> None:
    with pytest.raises(InternalError, match="one row of 64-bit integers"):
        add(values, 1.0)  # type: ignore[operator]


@pytest.mark.parametrize("scale", [0.0, -1.0, math.nan, math.inf, MAX_SCALE * 2])
def test_a_scale_is_a_positive_number(scale: float) -> None:
    """OpenDP takes a scale of 0, and adds nothing."""
    values = np.zeros(2, dtype=np.int64)
    for call in (
        lambda: add_gaussian(values, scale),
        lambda: add_laplace(values, scale),
        lambda: gaussian_rho(1, scale),
        lambda: laplace_epsilon(1, scale),
    ):
        with pytest.raises(BudgetError, match="scale"):
            call()


def test_nothing_stays_nothing_and_the_exact_values_as_they_were() -> None:
    assert add_gaussian(np.zeros(0, dtype=np.int64), 1.0).size == 0
    values = np.arange(5)
    add_laplace(values, 1e6)
    assert values.tolist() == [0, 1, 2, 3, 4]
