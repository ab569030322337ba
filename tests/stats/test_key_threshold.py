"""A key of one person shows no more often than δ says; the same judge finds a broken threshold out.

Clopper-Pearson at 1e-13 a look, so a false alarm is as rare.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from pets.dp import noise as dp_noise
from pets.dp.noise import noisy_keys, threshold_loss

LEVEL = 1e-13
N = 40_000


def shown(scale: float, threshold: int) -> int:
    """How many of N keys of one person each show."""
    return len(noisy_keys(np.ones(N, dtype=np.int64), scale, threshold)[0])


def within(count: int, delta: float) -> bool:
    """Whether so many of N are not too many for a chance of at most δ."""
    return bool(binom.sf(count - 1, N, delta) > LEVEL)


@pytest.mark.chance(3e-13)  # one look each
@pytest.mark.parametrize(("scale", "threshold"), [(1.0, 3), (0.5, 2), (7.5, 12)])
def test_a_key_of_one_person_shows_with_a_chance_of_at_most_delta(scale: float, threshold: int) -> None:
    count, delta = shown(scale, threshold), threshold_loss(1, scale, threshold)[1]
    assert 0.01 < delta < 0.51
    assert within(count, delta)
    assert count > 0, "nothing shows at all: the test looked at nothing"


@pytest.mark.chance(0)  # a judge that missed either would need 500 standard deviations
def test_the_judge_finds_broken_thresholds_and_opendps_own_delta_out() -> None:
    delta = threshold_loss(1, 1.0, 3)[1]
    assert not within(shown(1.0, 2), delta), "one step lower"
    assert not within(N, delta), "no threshold at all"
    assert not within(shown(0.5, 3 - 1), dp_noise._threshold(0.5, 2).map((1, 1.0, 1.0))[1]), "the continuous tail"


@pytest.mark.chance(1e-13)  # one look
def test_a_person_of_several_keys_pays_for_each() -> None:
    """Four own keys, N/4 people: how many people have one that shows."""
    places = noisy_keys(np.ones(N, dtype=np.int64), 1.0, 4)[0]
    people = len(np.unique(places // 4))
    delta = threshold_loss(4, 1.0, 4)[1]
    assert binom.sf(people - 1, N // 4, delta) > LEVEL
    assert not binom.sf(people - 1, N // 4, threshold_loss(1, 1.0, 5)[1]) > LEVEL
