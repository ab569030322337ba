"""What follows from counts of people by their number of rows, with noise of which everything is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pets.release.bounding.loss import Loss
from pets.release.estimate import Noise

EXACT = np.array([[100, 40, 15, 5]])


def loss(counts: np.ndarray, scale: float, *, falls: bool = True) -> Loss:
    return Loss(counts, Noise("gaussian" if scale else "none", (scale,)), falls)


def test_without_noise_it_is_the_sum_of_the_later_counts() -> None:
    exact = loss(EXACT, 0.0)
    assert [exact.lost(k).estimate.tolist() for k in range(1, 5)] == [[60], [20], [5], [0]]
    assert [exact.counted(k).estimate.tolist() for k in range(1, 5)] == [[100], [140], [155], [160]]
    assert exact.share(2).estimate.tolist() == [140 / 160]
    assert exact.share(4).low.tolist() == [1.0]


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_an_interval_is_that_of_so_many_noises(rows: int) -> None:
    """sd(L_K) = σ·√(M − K), so that 95 % are within 1.96 of it."""
    noisy = loss(EXACT * 1000, 200.0)
    found = noisy.lost(rows)
    wanted = 1.96 * 200 * math.sqrt(4 - rows)
    assert found.high[0] - found.estimate[0] == pytest.approx(wanted, rel=0.01)
    assert found.estimate[0] - found.low[0] == pytest.approx(wanted, rel=0.01)


def test_a_fit_stays_inside_the_interval_and_above_nothing() -> None:
    noisy = loss(np.array([[90, -30, 40, -50]]), 20.0)
    found = [noisy.lost(k) for k in range(1, 5)]
    assert all(one.low[0] <= one.estimate[0] <= one.high[0] and one.low[0] >= 0 for one in found)
    assert found[0].estimate[0] == pytest.approx(10)  # 5 and 5, then 0: the raw sum is -40
    people = noisy.people()
    assert (np.diff(people.estimate[0]) <= 0).all() and people.estimate.min() >= 0


def test_groups_are_not_made_to_fall() -> None:
    """A group's k-th rows may be more than its first ones: people's first rows lie in other groups."""
    risen = loss(np.array([[3_000, 9_000], [9_000, 3_000]]), 5.0, falls=False)
    assert risen.people().estimate.tolist() == [[3_000, 9_000], [9_000, 3_000]]
    assert risen.lost(1).estimate.tolist() == [9_000, 3_000]


def test_a_share_holds_with_both_of_its_parts() -> None:
    noisy = loss(EXACT * 100, 50.0)
    found = noisy.share(2)
    inside, outside = noisy.counted(2, 0.975), noisy.lost(2, 0.975)
    assert found.low[0] == pytest.approx(inside.low[0] / (inside.low[0] + outside.high[0]))
    assert found.high[0] == pytest.approx(inside.high[0] / (inside.high[0] + outside.low[0]))
    assert found.low[0] < 140 / 160 < found.high[0]


def test_where_nobody_is_there_is_no_share() -> None:
    empty = loss(np.zeros((1, 4), dtype=np.int64), 0.0)
    assert np.isnan(empty.share(1).estimate[0])
