"""Intervals of rows lost hold the truth as often as they say; with noise that is not as it says they do not.

False alarms: each look asks whether a number of hits lies where a binomial law puts all but 1e-13.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import pytest

from pets.common.integers import Ints
from pets.dp.noise import add_gaussian, add_laplace
from pets.release.bounding.loss import Loss
from pets.release.estimate import Noise

DRAWS = 800
TRUE = np.array([2_000, 900, 500, 320, 220, 160, 120, 90], dtype=np.int64)
SCALE = 12.0
Draw = Callable[[Ints, float], Ints]


def hits(draw: Draw, mechanism: str) -> dict[str, float]:
    """The share of draws in which each interval holds what is true."""
    found = {f"lost at {k}": 0 for k in (1, 3, 6)} | {"counted at 3": 0}
    total = TRUE.sum()
    for _ in range(DRAWS):
        loss = Loss(draw(TRUE, SCALE).reshape(1, -1), Noise(mechanism, (SCALE,)), falls=True)  # type: ignore[arg-type]
        for k in (1, 3, 6):
            one = loss.lost(k)
            found[f"lost at {k}"] += bool(one.low[0] <= TRUE[k:].sum() <= one.high[0])
            assert one.low[0] <= one.estimate[0] <= one.high[0]
        share = loss.share(3)
        found["counted at 3"] += bool(share.low[0] <= TRUE[:3].sum() / total <= share.high[0])
    return {name: number / DRAWS for name, number in found.items()}


def least() -> float:
    """Below so large a share of hits of 0.95 at least, all but 1e-13 of draws would not lie."""
    return 0.95 + NormalDist().inv_cdf(1e-13) * float(np.sqrt(0.95 * 0.05 / DRAWS)) - 0.005


@pytest.mark.chance(1e-11)  # four looks at a binomial share, each 1e-13 and the law's approximation
@pytest.mark.parametrize(("draw", "mechanism"), [(add_gaussian, "gaussian"), (add_laplace, "laplace")])
def test_intervals_hold_what_was_lost_as_often_as_they_say(draw: Draw, mechanism: str) -> None:
    found = hits(draw, mechanism)
    assert min(found.values()) > least(), found
    lost = [share for name, share in found.items() if name.startswith("lost")]
    assert max(lost) < 0.995, found


def twice(values: Ints, scale: float) -> Ints:
    return add_gaussian(values, 2 * scale)


def shared(values: Ints, scale: float) -> Ints:
    """The same noise on every count: their sums are then far noisier than independent ones."""
    return values + (add_gaussian(values, scale) - values)[0]


def shifted(values: Ints, scale: float) -> Ints:
    return add_gaussian(values + round(scale), scale)


@pytest.mark.chance(0)  # they miss by so much that no draw hides it
@pytest.mark.parametrize("broken", [twice, shared, shifted])
def test_the_look_rejects_a_broken_mechanism(broken: Draw) -> None:
    assert min(hits(broken, "gaussian").values()) < least()
