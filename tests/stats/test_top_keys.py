"""A choice by noise spends what it charges, has the law that it claims, and the judge finds a broken one out.

Clopper-Pearson at 1e-13 a look, so a false alarm is as rare.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import beta, chi2

from pets.dp.noise import noisy_top, top_rho

LEVEL = 1e-13
LENGTHS = [1500, pytest.param(20_000, marks=pytest.mark.soak)]
CROWD = np.array([40, 40, 39, 39], dtype=np.int64)
WITH = CROWD + np.array([1, 0, 0, 0])
Choice = Callable[[np.ndarray, int], np.ndarray]


def firsts(choose: Choice, counts: np.ndarray, n: int) -> np.ndarray:
    """How often each place came first, of n."""
    return np.bincount([choose(counts, 1)[0] for _ in range(n)], minlength=len(counts))


def ratio(one: int, other: int, n: int) -> float:
    """A lower bound on |log(p/q)|, sure but for the level, from counts of one event in two worlds, each n times."""
    low, high = ([_end(count, n, upper=upper) for count in (one, other)] for upper in (False, True))
    return max(math.log(max(low[0], 1e-300) / high[1]), math.log(max(low[1], 1e-300) / high[0]), 0.0)


def _end(count: int, n: int, *, upper: bool) -> float:
    """The end of the interval of Clopper and Pearson."""
    if upper:
        return 1.0 if count == n else float(beta.isf(LEVEL / 4, count + 1, n - count))
    return 0.0 if count == 0 else float(beta.ppf(LEVEL / 4, count, n - count + 1))


def opendp(counts: np.ndarray, k: int) -> np.ndarray:
    return noisy_top(counts, k, 1.0)


def half(counts: np.ndarray, k: int) -> np.ndarray:
    """Half the noise."""
    return noisy_top(counts, k, 0.5)


def plain(counts: np.ndarray, k: int) -> np.ndarray:
    """No noise, and places of equal counts in order."""
    return np.argsort(-counts, kind="stable")[:k]


def fits(found: np.ndarray, counts: np.ndarray, scale: float) -> bool:
    """Whether the first places have the law of the exponential mechanism, by chi squared at the level."""
    weights = np.exp((counts - counts.max()) / scale)
    expected = found.sum() * weights / weights.sum()
    return bool(chi2.sf(float(((found - expected) ** 2 / expected).sum()), len(counts) - 1) > LEVEL)


@pytest.mark.chance(1e-12)  # four events with two ends each, and one look
@pytest.mark.parametrize("n", LENGTHS)
def test_a_choice_has_its_law_and_one_person_moves_it_by_what_is_charged(n: int) -> None:
    """ρ = ε²/8 of range ε: adding one person to one count moves each chance by at most a factor of exp(ε)."""
    epsilon = math.sqrt(8 * top_rho(1, 1, 1.0))
    assert epsilon == pytest.approx(1)
    here, there = firsts(opendp, WITH, n), firsts(opendp, CROWD, n)
    assert max(ratio(a, b, n) for a, b in zip(here, there, strict=True)) <= epsilon
    assert fits(there, CROWD, 1.0)


@pytest.mark.chance(0)  # they are dozens of standard deviations away
def test_the_judge_finds_broken_choices_out() -> None:
    n = 1500
    assert not fits(firsts(half, CROWD, n), CROWD, 1.0), "half the noise"
    assert not fits(firsts(plain, CROWD, n), CROWD, 1.0), "no noise at all"
    others = CROWD - np.array([1, 0, 0, 0])
    assert ratio(firsts(plain, CROWD, n)[0], firsts(plain, others, n)[0], n) > 2, "no noise at all"
