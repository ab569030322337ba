"""Whole releases: every cell of every block gets noise of its own, and a new one each time.

False alarms: at most 1e-13 for each look (see ``judges``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from pets.dp.calibrate import Noise
from pets.dp.mechanism import measure
from pets.plan.measure import Measure, Sensitivity
from pets.protection.budget import Cost
from tests.stats.judges import LEVEL, Broken, Ints, Kind, independence, least_fit

RELEASES = 1_000
BLOCKS = ((6, 1, 2.0), (6, 2, 30.0), (6, 1, 5000.0))  # groups, width, scale
SCALES = [scale for groups, width, scale in BLOCKS for _ in range(groups * width)]
SLICES = [slice(0, 6), slice(6, 18), slice(18, 24)]


@dataclass(frozen=True)
class FakePlan:
    measures: tuple[Measure, ...]
    groups: int = 6


PLAN = FakePlan(tuple(Measure("m", "rows", Sensitivity(1, 1, 1, 1), "test", 10**6, width=w) for _, w, _ in BLOCKS))


def releases(kind: Kind) -> Ints:
    """Noise of many releases of one vector: a row for each, a column for each cell."""
    cost = Cost("zcdp", 3)
    noise = Noise(kind, tuple(scale for *_, scale in BLOCKS), (1, 1, 1), cost, 1.0, 1e-6)
    values = np.arange(24, dtype=np.int64) * 12_345
    return np.array([measure(PLAN, values, noise) - values for _ in range(RELEASES)])


@pytest.mark.chance(4e-13)  # four looks
@pytest.mark.parametrize("kind", ["gaussian", "laplace"])
def test_every_cell_has_noise_of_its_own(kind: Kind) -> None:
    table = releases(kind)
    for at, (*_, scale) in zip(SLICES, BLOCKS, strict=True):
        assert least_fit(table[:, at], kind, scale) > LEVEL
    assert independence(table, kind, SCALES) > LEVEL


def right(kind: Kind) -> Ints:
    broken = Broken()
    return np.column_stack([broken.right(kind, 30.0, RELEASES) for _ in range(24)])


@pytest.mark.parametrize("kind", ["gaussian", "laplace"])
def test_the_judges_accept_a_right_table(kind: Kind) -> None:
    assert least_fit(right(kind), kind, 30.0) > 1e-5
    assert independence(right(kind), kind, [30.0] * 24) > 1e-5


@pytest.mark.parametrize("kind", ["gaussian", "laplace"])
def test_the_judges_reject_a_broken_table(kind: Kind) -> None:
    """Teeth: noise missing in one cell, shared by two cells, partly shared, negated, or kept for the next release."""
    silent = right(kind)
    silent[:, 7] = 0
    assert least_fit(silent, kind, 30.0) < LEVEL
    rarely = right(kind)
    rarely[::5, 7] = 0  # every fifth release of one cell without noise
    assert least_fit(rarely, kind, 30.0) < LEVEL
    other_block = right(kind)
    other_block[:, 7] = Broken(1).right(kind, 45.0, RELEASES)
    assert least_fit(other_block, kind, 30.0) < LEVEL
    for second in (1, -1):
        shared = right(kind)
        shared[:, 20] = second * shared[:, 3]
        assert independence(shared, kind, [30.0] * 24) < LEVEL
        partly = right(kind)
        partly[: RELEASES // 3, 20] = second * partly[: RELEASES // 3, 3]
        assert independence(partly, kind, [30.0] * 24) < LEVEL
    kept = right(kind)
    kept[1:, 5] = kept[:-1, 5].copy()
    kept[1::2, 4] = kept[0::2, 4]
    assert independence(kept, kind, [30.0] * 24) < LEVEL
    once = right(kind)
    once[1::2, 4] = once[0::2, 4]
    assert independence(once, kind, [30.0] * 24) < LEVEL
