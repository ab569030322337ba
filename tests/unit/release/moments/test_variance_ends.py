"""The ends of a variance, beside points of the ball looked at one by one."""

from __future__ import annotations

import numpy as np
import pytest

from pets.release.moments.variance_ends import variance_ends


@pytest.mark.parametrize("rows", [0.05, 0.4, 0.85])
def test_no_point_of_the_ball_lies_outside(rows: float) -> None:
    random = np.random.default_rng(3)
    square, mean = np.array([9.0, 2.0, 0.1]), np.array([2.5, 0.0, -0.3])
    e, d, c = np.array([0.5, 0.2, 0.4]), np.array([0.1, 0.3, 0.2]), np.full(3, rows)
    low, high = variance_ends(square, mean, e, d, c)
    points = random.normal(size=(200_000, 3))
    x, y, w = (points / np.linalg.norm(points, axis=1, keepdims=True)).T
    for i in range(3):
        found = (square[i] + e[i] * x) / (1 + rows * w) - ((mean[i] + d[i] * y) / (1 + rows * w)) ** 2
        width = high[i] - low[i]
        assert found.max() == pytest.approx(high[i], abs=0.02 * width)
        assert found.min() == pytest.approx(low[i], abs=0.02 * width)


def test_small_noise_gives_the_first_derivatives() -> None:
    e, d, c = (np.array([size]) for size in (1e-4, 2e-4, 3e-4))
    low, high = variance_ends(np.array([5.0]), np.array([1.5]), e, d, c)
    half = np.sqrt(1e-8 + (2 * 1.5 * 2e-4) ** 2 + ((5.0 - 2 * 1.5**2) * 3e-4) ** 2)
    assert (high - low) / 2 == pytest.approx(half, rel=0.01)
    assert (high + low) / 2 == pytest.approx(5.0 - 1.5**2, abs=1e-6)
