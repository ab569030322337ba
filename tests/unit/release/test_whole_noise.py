"""Noise of whole numbers: ratios of small noise are held as often as is said, by exact enumeration of the noise."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pytest

import pets
from pets.plan.plan import make_plan
from pets.release.estimate import Cells, Column, Estimates, Noise
from pets.release.tables.shares import shares
from tests.sample_releases import ASKED, SCHEMA

LAWS = [
    *(("gaussian", scale) for scale in (0.37, 0.6, 0.81, 1.0, 1.35, 3.0)),
    *(("laplace", scale) for scale in (0.27, 0.7, 1.0, 3.0)),
]
LOST = 1e-4
"""What is left out of an enumeration, at most."""

Law = tuple[np.ndarray, np.ndarray]


def law(mechanism: str, scale: float) -> Law:
    """Whole numbers, and how likely each is (Canonne, Kamath and Steinke 2020, definition 1)."""
    number = np.arange(-200, 201)
    weight = np.exp(-(number**2) / (2 * scale**2) if mechanism == "gaussian" else -np.abs(number) / scale)
    return likely(number, weight / weight.sum())


def likely(number: np.ndarray, weight: np.ndarray) -> Law:
    kept = weight > 1e-7
    assert weight[~kept].sum() < LOST / 4
    return number[kept], weight[kept]


def summed(one: Law, many: int) -> Law:
    number, weight = one
    ends, total = number[-1] * many, weight
    for _ in range(many - 1):
        total = np.convolve(total, weight)
    return likely(np.arange(-ends, ends + 1), total)


def pairs(first: Law, second: Law) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, y = (grid.ravel() for grid in np.meshgrid(first[0], second[0], indexing="ij"))
    return x, y, np.outer(first[1], second[1]).ravel()


def held(low: Any, high: Any, truth: float, weight: np.ndarray) -> float:
    return float(weight[(np.asarray(low) <= truth + 1e-9) & (truth - 1e-9 <= np.asarray(high))].sum())


@pytest.mark.parametrize("counts", [(1, 50, 949), (500, 500), (333, 333, 334), (200, 300, 500)], ids=str)
@pytest.mark.parametrize(("mechanism", "scale"), LAWS)
def test_shares_are_held_as_often_as_they_say(
    mechanism: Literal["gaussian", "laplace"], scale: float, counts: tuple[int, ...]
) -> None:
    """A share is a matter of its own count's noise and of the sum of the others': every pair of these is a draw."""
    one = law(mechanism, scale)
    x, y, weight = pairs(one, summed(one, len(counts) - 1))
    output = make_plan(ASKED.agg(n=pets.count()), SCHEMA).outputs[0]
    for count in sorted(set(counts)):
        cells = np.zeros((len(x), len(counts)), dtype=np.int64)
        cells[:, 0], cells[:, 1] = count + x, sum(counts) - count + y
        found = cells.ravel()
        columns = {"draw": np.repeat(np.arange(len(x)), len(counts)).tolist(), "cell": list(range(len(found)))}
        answer: Any = SimpleNamespace(
            estimates=Estimates((Column(output, found, found, found),), 0.95, False),
            plan=SimpleNamespace(
                groups=len(found),
                layout=SimpleNamespace(columns=lambda named=columns: dict(named), dimensions=()),
                query=SimpleNamespace(keys=()),
            ),
            mechanism=mechanism,
            scales=(scale,),
            display=None,
        )
        table = shares(answer, "n", ["draw"], 0.95).iloc[:: len(counts)]
        assert held(table["share_low"], table["share_high"], count / sum(counts), weight) > 0.95 - LOST, count


@pytest.mark.parametrize(
    "counts", [(0, 1000), (2, 1000), (50, 1000), (330, 1000), (3000, 1000), (-10_000, 1000)], ids=str
)
@pytest.mark.parametrize(("mechanism", "scale"), LAWS)
def test_ratios_are_held_as_often_as_they_say(
    mechanism: Literal["gaussian", "laplace"], scale: float, counts: tuple[int, int]
) -> None:
    """Of a total by rows, with the same noise on both: every pair of noises is a draw."""
    one = law(mechanism, scale)
    x, y, weight = pairs(one, one)
    plan = make_plan(ASKED.agg(m=pets.mean("cost")), SCHEMA)
    output = plan.outputs[0]
    blocks = [np.zeros((len(x), 1), dtype=np.int64)] * 2
    for part, noisy in zip(output.parts, (counts[0] + x, counts[1] + y), strict=True):
        blocks[part] = noisy[:, None]
    found = Cells(plan.measures, tuple(blocks), Noise(mechanism, (scale, scale))).column(output)
    truth = float(output.centre + output.factor * counts[0] / counts[1])
    assert output.low < truth < output.high
    assert held(found.low, found.high, truth, weight) > 0.95 - LOST
