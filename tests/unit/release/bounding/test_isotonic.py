"""The fit that never rises: against a search over all such sequences."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pets.release.bounding.isotonic import falling


@pytest.mark.parametrize(
    ("given", "fitted"),
    [
        ([9.0, 4.0, 1.0], [9.0, 4.0, 1.0]),
        ([1.0, 4.0], [2.5, 2.5]),
        ([5.0, 1.0, 2.0, 6.0], [5.0, 3.0, 3.0, 3.0]),
        ([3.0], [3.0]),
        ([-4.0, -2.0, -6.0], [-3.0, -3.0, -6.0]),
    ],
)
def test_known_fits(given: list[float], fitted: list[float]) -> None:
    assert falling(np.array(given)).tolist() == fitted


@pytest.mark.parametrize("given", list(itertools.product((0.0, 1.0, 3.0), repeat=4)))
def test_no_sequence_that_falls_is_nearer(given: tuple[float, ...]) -> None:
    fitted = falling(np.array(given))
    assert (np.diff(fitted) <= 0).all()
    near = float(np.square(fitted - given).sum())
    grid = [step / 4 for step in range(13)]
    others = (np.array(one) for one in itertools.product(grid, repeat=4) if sorted(one, reverse=True) == list(one))
    assert near <= min(float(np.square(other - given).sum()) for other in others) + 1e-12
