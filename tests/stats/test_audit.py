"""An audit from outside: what one event on two neighbouring answers proves about ε.

Two answers that differ by one person (0 and 1 for a count), many releases of each, one event (x ≥ 1, the best one for
discrete Laplace: there P/P' is e^ε exactly), and Clopper-Pearson bounds at 1e-13 each: the audit claims a greater ε
than the truth with a chance below 2e-13. An audit cannot prove privacy; it catches one that spends a tenth more than
it charges. The broken mechanisms are drawn by a seeded sampler, so that the tests' teeth never miss by chance.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from pets.dp.noise import add_gaussian, add_laplace, gaussian_rho, laplace_epsilon
from tests.stats.judges import LEVEL, Broken, Ints, audited_epsilon, cdf

N = 160_000


def constant(value: int) -> Ints:
    return np.full(N, value, dtype=np.int64)


@pytest.mark.chance(3e-13)  # 2e-13 for the promise; the power would miss by more than ten standard deviations
@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_laplace_spends_what_it_charges(scale: float) -> None:
    """Not more (the promise), and not much less (the audit has power)."""
    found = audited_epsilon(add_laplace(constant(1), scale), add_laplace(constant(0), scale))
    claimed = laplace_epsilon(1, scale)
    assert found <= claimed
    assert found > 0.75 * claimed


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_the_audit_flags_laplace_at_a_tenth_more(scale: float) -> None:
    """Teeth: ε is 1.1 times the claim; a right one from the same sampler passes."""
    broken = Broken()
    for spends, flagged in ((scale, False), (scale / 1.1, True)):
        found = audited_epsilon(1 + broken.right("laplace", spends, N), broken.right("laplace", spends, N))
        assert (found > laplace_epsilon(1, scale)) is flagged


def test_the_audit_flags_a_sensitivity_that_is_too_small() -> None:
    """Teeth: a person who moves the answer by 2 where 1 was proved (the defect a broken bound would cause)."""
    broken = Broken()
    found = audited_epsilon(2 + broken.right("laplace", 2.0, N), broken.right("laplace", 2.0, N), event=2)
    assert found > laplace_epsilon(1, 2.0)


def audited_delta(with_person: Ints, without: Ints, epsilon: float, event: int, level: float = LEVEL) -> float:
    """A lower bound on δ at this ε: P(x ≥ event with the person) − e^ε·P(x ≥ event without)."""
    hits, misses = int((with_person >= event).sum()), int((without >= event).sum())
    least = stats.beta.ppf(level, hits, len(with_person) - hits + 1)
    most = stats.beta.isf(level, misses + 1, len(without) - misses)
    return float(least - math.exp(epsilon) * most)


def exact_delta(sigma: float, epsilon: float) -> tuple[float, int]:
    """δ of the discrete Gaussian at sensitivity 1 and the event that attains it: where the privacy loss exceeds ε."""
    event = math.floor(epsilon * sigma**2 + 0.5) + 1  # loss at x is (2x − 1)/(2σ²)
    above = 1 - cdf("gaussian", sigma, np.array([event - 2.0, event - 1.0]))  # P(1 + X ≥ event), P(X ≥ event)
    return float(above[0] - math.exp(epsilon) * above[1]), event


@pytest.mark.chance(3e-13)  # as above
def test_gaussian_spends_what_it_charges() -> None:
    """At σ = 1 (ρ = 1/2) and ε = 1, where δ is great enough to be seen."""
    truth, event = exact_delta(1.0, 1.0)
    found = audited_delta(add_gaussian(constant(1), 1.0), add_gaussian(constant(0), 1.0), 1.0, event)
    assert found <= truth
    assert found > 0.6 * truth
    assert gaussian_rho(1, 1.0) >= 0.5


def test_the_audit_flags_gaussian_at_a_tenth_more() -> None:
    """Teeth: a scale that is a tenth too small; a right one from the same sampler passes."""
    truth, event = exact_delta(1.0, 1.0)
    broken = Broken()
    for spends, flagged in ((1.0, False), (1 / 1.1, True)):
        found = audited_delta(1 + broken.right("gaussian", spends, N), broken.right("gaussian", spends, N), 1.0, event)
        assert (found > truth) is flagged
