"""The noise that leaves pets.dp has the law it claims; the same judge rejects mechanisms that are nearly right.

False alarms: at most 1e-13 for each look (see ``judges``). What these tests cannot show: that no draw depends on
another in a way that correlations miss, or that the randomness is unpredictable; OpenDP's proofs speak of that.
"""

from __future__ import annotations

import numpy as np
import pytest

from pets.dp.noise import THREADED, add_gaussian, add_laplace
from tests.stats.judges import LEVEL, Broken, Ints, Kind, fit, independence

N = 60_000
ADD = {"gaussian": add_gaussian, "laplace": add_laplace}
SCALES = [0.3, 1.0, 7.5, 1000.0, 1e9]


@pytest.mark.chance(1e-13)  # one look
@pytest.mark.parametrize("kind", ["gaussian", "laplace"])
@pytest.mark.parametrize("scale", SCALES)
def test_the_noise_has_the_law_it_claims(kind: Kind, scale: float) -> None:
    """Chi-square over the whole range with four tail cells; drawn in threads; values other than 0 are moved along."""
    values = np.arange(-N // 2, N // 2, dtype=np.int64) * 1_000_003
    noise = ADD[kind](values, scale) - values
    assert noise.dtype == np.int64
    assert len(noise) > THREADED
    assert fit(noise, kind, scale) > LEVEL


@pytest.mark.chance(4e-13)  # four looks; the fifth must fail: 20,000 pairs of one number, above 0 in half of them
@pytest.mark.parametrize("kind", ["gaussian", "laplace"])
def test_threads_do_not_change_the_law(kind: Kind) -> None:
    """One thread's worth, and each half of a split vector, fit; the halves are unrelated."""
    scale = 20.0
    small = ADD[kind](np.zeros(THREADED - 1, dtype=np.int64), scale)
    assert fit(small, kind, scale) > LEVEL
    both = ADD[kind](np.zeros(2 * THREADED, dtype=np.int64), scale)
    first, second = both[:THREADED], both[THREADED:]
    assert fit(first, kind, scale) > LEVEL
    assert fit(second, kind, scale) > LEVEL
    assert independence(np.column_stack([first, second]), kind, [scale] * 2) > LEVEL
    assert (
        independence(np.column_stack([first, first]), kind, [scale] * 2) < LEVEL
    )  # teeth: one thread's noise used twice


@pytest.mark.parametrize("kind", ["gaussian", "laplace"])
@pytest.mark.parametrize("scale", [0.3, 1.0, 7.5, 200.0])
def test_the_judge_accepts_the_right_law_from_another_sampler(kind: Kind, scale: float) -> None:
    assert fit(Broken().right(kind, scale, N), kind, scale) > 1e-4


BROKEN: list[tuple[str, list[float]]] = [
    ("wider", [0.5, 1.0, 7.5, 200.0]),
    ("narrower", [0.5, 1.0, 7.5, 200.0]),
    ("rounded", [0.3, 0.5, 0.7]),  # from σ = 1 on, rounding a continuous Gaussian is a wider discrete one by 1/24
    ("shifted", [0.5, 1.0, 7.5]),
    ("clipped", [7.5, 200.0]),
    ("redrawn", [7.5, 200.0]),
    ("even", [1.0, 3.0]),
]


@pytest.mark.parametrize("kind", ["gaussian", "laplace"])
@pytest.mark.parametrize(("how", "scale"), [(how, scale) for how, scales in BROKEN for scale in scales])
def test_the_judge_rejects_a_broken_mechanism(kind: Kind, how: str, scale: float) -> None:
    """Teeth: same judge, same number of draws, same level."""
    sample: Ints = getattr(Broken(), how)(kind, scale, N)
    assert fit(sample, kind, scale) < LEVEL


@pytest.mark.parametrize("kind", ["gaussian", "laplace"])
def test_the_judge_rejects_silence(kind: Kind) -> None:
    for scale in SCALES:
        assert fit(np.zeros(N, dtype=np.int64), kind, scale) < LEVEL
