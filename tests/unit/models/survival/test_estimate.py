"""Curves from counts: the noise on them is that of their derivatives, and a band holds what it says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pets.models.survival.estimate import Curve, Z, curve
from pets.models.survival.streams import Streams, streams
from pets.plan.fitted.exits import UNIT, matrix

EVENTS, OTHERS = np.array([30.0, 25, 0, 40, 10]), np.array([5.0, 12, 20, 8, 15, 300])


@pytest.mark.parametrize("wide", [np.zeros(5), np.ones(5), np.array([0, 1, 1, 0, 1.0])])
@pytest.mark.parametrize("past", [True, False])
def test_the_noise_on_a_curve_is_the_derivative_s(wide: np.ndarray, past: bool) -> None:
    left = Streams(EVENTS, OTHERS if past else OTHERS[:5] + 60, 3.0)
    made = curve(left, wide)
    assert made.bins == 5
    noise = np.zeros((5, 5))
    for name in ("events", "others"):
        counts, slopes = getattr(left, name), []
        for place in range(len(counts)):
            step = np.zeros(len(counts))
            step[place] = 1e-4
            ends = [np.log(curve(replace(left, **{name: counts + by * step}), wide).survival) for by in (1, -1)]
            slopes.append((ends[0] - ends[1]) / 2e-4)
        slope = np.array(slopes).T
        noise += slope @ left.covariance(len(counts)) @ slope.T
    assert np.allclose(noise, made.noise, rtol=1e-5, atol=1e-9)


def test_the_noise_on_who_is_at_risk_is_that_of_the_sums() -> None:
    draw = np.random.default_rng(0)
    sizes, sigma = (5, 6), 3.0 * UNIT
    found = []
    for _ in range(4000):
        noise = [np.linalg.solve(matrix(size) / UNIT, draw.normal(0, 3.0, size)) for size in sizes]
        found.append(Streams(noise[0], noise[1], 0.0).at_risk)
    told = streams(np.zeros(11, dtype=np.int64), sizes, sigma).at_risk_deviation
    assert np.allclose(np.std(found, axis=0), told, rtol=0.05)


def test_counts_are_nowhere_negative_and_their_sums_the_nearest() -> None:
    draw = np.random.default_rng(1)
    sums = np.rint(matrix(5) @ EVENTS + draw.normal(0, 40 * UNIT, 5)).astype(np.int64)
    left = streams(np.concatenate([sums, matrix(6) @ OTHERS.astype(np.int64)]), (5, 6), 40.0 * UNIT)
    assert (left.events >= 0).all() and np.allclose(left.others, OTHERS)
    away = np.square(matrix(5) @ left.events - sums).sum()
    for _ in range(500):
        beside = np.maximum(left.events + draw.normal(0, 3, 5), 0)
        assert np.square(matrix(5) @ beside - sums).sum() >= away


@pytest.mark.parametrize("bins", [2, 10, 60])
def test_a_band_holds_the_whole_curve_as_often_as_it_says(bins: int) -> None:
    left = Streams(np.full(bins, 400.0 / bins), np.append(np.full(bins, 400.0 / bins), 200.0), 4.0)
    made = curve(left, np.ones(bins))
    spread = made.covariance
    draw = np.random.default_rng(bins).multivariate_normal(np.zeros(bins), spread, 20_000)
    greatest = np.abs(draw / np.sqrt(np.diag(spread))).max(axis=1)
    assert (greatest <= made.band).mean() == pytest.approx(0.95, abs=0.01)
    assert made.band > Z and curve(left, np.ones(bins)).band == made.band


def test_near_to_one_an_interval_still_says_how_near() -> None:
    nobody = Curve(np.array([1.0, 0.999]), np.full((2, 2), 1e-4), np.zeros((2, 2)))
    low, high = nobody.interval(Z)
    assert np.allclose(low, np.array([1.0, 0.999]) * np.exp(-Z * 0.01)) and (high == 1).all()
    exact = Curve(np.array([1.0]), np.zeros((1, 1)), np.zeros((1, 1)))
    assert [float(end[0]) for end in exact.interval(Z)] == [1.0, 1.0]
