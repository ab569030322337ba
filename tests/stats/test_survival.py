"""Survival curves and log-rank tests hold what they say: intervals, bands, means and the chance of a false alarm.

What is simulated is the published side alone: counts of rows of a known law, noise of the charged scale on their sums,
and the fit. People leave by an exponential law, are lost early or late, and the study ends at one of many times.
Seeds are fixed, so nothing here fails by chance; CI looks at a tenth of what the soak looks at. A test that leaves the
noise out of its variance is shown to fail beside the right one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2

import pets
from pets.dp.calibrate import calibrate
from pets.models.survival.estimate import FIRM, Curve, Z, curve, ended, mean_time
from pets.models.survival.scores import Scores, scores
from pets.models.survival.streams import Streams, streams
from pets.plan.fitted.exits import UNIT, matrix
from pets.plan.plan import make_plan
from tests.unit.models.survival.data_sets import followed

pytestmark = pytest.mark.chance(0)

HORIZON = 600
RATE = 0.9 / 400
COLUMNS: dict[str, Any] = {
    "days": pets.Integer(0, 2000, nullable=False),
    "died": pets.Boolean(nullable=False),
    "arm": pets.Category([str(at) for at in range(4)], nullable=False),
}
SCHEMA = pets.Schema({"t": pets.Table(pets.Unit(None), COLUMNS, people=200_000)})
BUDGET = pets.Budget(epsilon=100, delta=1e-6)


@cache
def deviation(bins: int, epsilon: float) -> float:
    """Of the noise that is charged for."""
    edges = [HORIZON * at / bins for at in range(bins + 1)]
    plan = make_plan(pets.kaplan_meier("days", "died", by="arm", data="t", edges=edges).query, SCHEMA)
    return calibrate(plan, pets.DP(epsilon=epsilon), BUDGET).scales[0]


def leave(draw: np.random.Generator, count: int, bins: int, hazard: float = 1.0) -> tuple[Any, Any]:
    """The exact counts of events and of those who leave otherwise, or stay."""
    time = draw.exponential(1 / (RATE * hazard), count)
    lost = np.minimum(draw.exponential(1600, count), draw.uniform(280, 1200, count))
    at = np.minimum((np.minimum(time, lost) / HORIZON * bins).astype(int), bins)
    event = (time <= lost) & (at < bins)
    return np.bincount(at[event], minlength=bins)[:bins], np.bincount(at[~event], minlength=bins + 1)


def released(draw: np.random.Generator, exact: tuple[Any, Any], sigma: float) -> Streams:
    """What is solved from their sums, with noise rounded to whole numbers."""
    sums = [matrix(len(one)) @ one + np.rint(draw.normal(0, sigma, len(one))).astype(np.int64) for one in exact]
    return streams(np.concatenate(sums), (len(exact[0]), len(exact[1])), sigma)


# ── curves ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Held:
    """How often the truth was held, of those bins and curves that were given."""

    points: float
    worst: float
    bands: float
    means: float
    naive: float
    given: float


@cache
def held(count: int, bins: int, epsilon: float, looks: int, seed: int = 0) -> Held:
    """So many curves."""
    draw, sigma = np.random.default_rng(100 * count + bins + seed), deviation(bins, epsilon)
    edges = np.linspace(0, HORIZON, bins + 1)
    truth = np.exp(-RATE * edges[1:])
    inside, bare, seen = np.zeros(bins), np.zeros(bins), np.zeros(bins)
    bands, means = [], []
    for _ in range(looks):
        left = released(draw, leave(draw, count, bins), sigma)
        made = curve(left, np.ones(bins))
        if not made.bins:
            continue
        there = truth[: made.bins]

        def covers(one: Curve, z: float, there: Any = there) -> Any:
            low, high = one.interval(z)
            return (low <= there) & (there <= high)

        seen[: made.bins] += 1
        inside[: made.bins] += covers(made, Z)
        bare[: made.bins] += covers(replace(made, noise=np.zeros_like(made.noise)), Z)
        bands.append(covers(made, made.band).all())
        last = min(made.bins, ended(left, FIRM))  # the horizon where none is asked for
        if not last:
            continue
        mean, noise, sampling = mean_time(made, edges[: last + 1], np.full(last, 0.5))
        area = (1 - math.exp(-RATE * edges[last])) / RATE
        means.append(abs(mean - area) <= Z * math.sqrt(noise + sampling))
    often = seen >= looks / 4
    rates = inside[often] / seen[often]
    naive = bare[often].sum() / seen[often].sum()
    given = seen.sum() / looks / bins
    mean = float(np.mean(means)) if means else math.nan
    return Held(inside[often].sum() / seen[often].sum(), rates.min(), float(np.mean(bands)), mean, naive, given)


CURVES = [(300, 10, 0.5), (686, 12, 0.5), (1000, 12, 0.5), (1000, 40, 0.5), (1000, 40, 1.0), (10_000, 24, 0.5)]
MORE = [(300, 10, 1.0), (686, 12, 1.0), (1000, 12, 1.0), (10_000, 24, 1.0), (70_000, 24, 0.5)]


def few(looks: int) -> float:
    """What chance may take off a rate of 95 per cent, once in about a thousand."""
    return 3.1 * math.sqrt(0.05 * 0.95 / looks)


@pytest.mark.parametrize(("count", "bins", "epsilon"), CURVES)
def test_intervals_bands_and_means_hold_as_often_as_they_say(count: int, bins: int, epsilon: float) -> None:
    found = held(count, bins, epsilon, 200)
    assert found.points >= 0.93 and found.worst >= 0.95 - 1.5 * few(200), found
    assert found.bands >= 0.95 - few(200) and found.means >= 0.95 - few(200), found
    assert found.given >= (0.5 if count < 500 else 0.9)


@pytest.mark.parametrize(("count", "bins", "epsilon"), [one for one in CURVES if one[0] <= 1000])
def test_intervals_without_the_noise_are_found_out(count: int, bins: int, epsilon: float) -> None:
    assert held(count, bins, epsilon, 200).naive < 0.9


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize(("count", "bins", "epsilon"), CURVES + MORE)
def test_intervals_bands_and_means_hold_as_often_as_they_say_soak(count: int, bins: int, epsilon: float) -> None:
    found = held(count, bins, epsilon, 2000, seed=1)
    told = [found.points, found.worst, found.bands, found.means, found.naive]
    print(f"\n| {count:,}, {bins}, {epsilon:g} |", " | ".join(f"{one:.3f}" for one in told), "|")
    assert found.points >= 0.93 and found.worst >= 0.9 and found.bands >= 0.92 and found.means >= 0.9


def test_a_curve_of_real_people_is_near_and_a_curve() -> None:
    """686 women of a trial on breast cancer, 20 bins of 130 days, ε = 1: error and bias of 150 releases."""
    data = followed("gbsg2")
    sigma = deviation(20, 1.0)
    time, event = data.rows.time.to_numpy(), data.rows.event.to_numpy()
    at = np.minimum(time // 130, 20).astype(int)
    exact = (np.bincount(at[event & (at < 20)], minlength=20)[:20], np.bincount(at[~event | (at == 20)], minlength=21))
    wide = np.ones(20)
    truth = curve(Streams(exact[0].astype(float), exact[1].astype(float), 0.0), wide).survival
    draw = np.random.default_rng(3)
    away = []
    for _ in range(150):
        made = curve(released(draw, exact, sigma), wide)
        assert (np.diff(made.survival) <= 0).all() and ((made.survival >= 0) & (made.survival <= 1)).all()
        away.append(np.append(made.survival - truth[: made.bins], np.full(20 - made.bins, np.nan)))
    assert math.sqrt(np.nanmean(np.square(away))) <= 0.035 and abs(np.nanmean(away)) <= 0.025


# ── tests between groups ──────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Called:
    """How often a difference was called: by the test, and by one without the noise in its variance."""

    right: float
    naive: float


@cache
def called(count: int, bins: int, epsilon: float, looks: int, ratio: float = 1.0, groups: int = 2) -> Called:
    """So many tests between groups, the last of which has another hazard."""
    draw, sigma = np.random.default_rng(7 * count + bins + round(100 * ratio) + groups), deviation(bins, epsilon)
    limit, right, naive = chi2.ppf(0.95, groups - 1), 0, 0
    for _ in range(looks):
        sizes = draw.multinomial(count, np.full(groups, 1 / groups))
        hazards = [*[1.0] * (groups - 1), ratio]
        left = [
            released(draw, leave(draw, size, bins, hazard), sigma) for size, hazard in zip(sizes, hazards, strict=True)
        ]
        found: Scores = scores(left)
        right += found.statistic > limit
        naive += not replace(found, noise=np.zeros_like(found.noise)).statistic <= limit
    return Called(right / looks, naive / looks)


ALIKE = [(n, bins, epsilon) for n in (200, 686, 2000, 10_000) for bins in (12, 48) for epsilon in (0.5, 1.0)]


@pytest.mark.parametrize(("count", "bins", "epsilon"), ALIKE)
def test_groups_that_are_alike_are_called_different_as_seldom_as_it_says(count: int, bins: int, epsilon: float) -> None:
    found = called(count, bins, epsilon, 150)
    assert found.right <= 0.065 + 0.05, found  # of 150 looks: the soak holds the bar of 6.5 %
    assert found.naive > 0.065 or count * epsilon >= 2000, "a test without the noise is found out"


def test_all_of_them_together_hold_the_bar_and_those_without_the_noise_do_not() -> None:
    found = [called(*one, 150) for one in ALIKE]
    assert 0.015 <= np.mean([one.right for one in found]) <= 0.05
    assert np.mean([one.naive for one in found]) > 0.15


@pytest.mark.parametrize(("bins", "least"), [(12, 0.85), (48, 0.85)])
def test_a_difference_that_is_there_is_seen(bins: int, least: float) -> None:
    assert called(2000, bins, 0.5, 150, ratio=0.75).right >= least


@pytest.mark.parametrize("groups", [3, 4])
def test_several_groups_hold_too(groups: int) -> None:
    found = called(2000, 12, 0.5, 150, groups=groups)
    assert found.right <= 0.065 + 0.05 and found.naive > 0.2


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize(("count", "bins", "epsilon"), ALIKE)
def test_groups_that_are_alike_soak(count: int, bins: int, epsilon: float) -> None:
    found = called(count, bins, epsilon, 1500)
    power = called(count, bins, epsilon, 300, ratio=0.75)
    told = f"{found.right:.3f} | {found.naive:.3f} | {power.right:.2f}"
    print(f"\n| {count:,}, {bins}, {epsilon:g} | {told} |")
    assert found.right <= 0.065 and (count == 200 or found.right >= 0.015), found  # (of few people it is careful)
    assert found.naive > 0.065 or count == 10_000


def test_the_noise_of_the_simulation_is_that_of_the_plan() -> None:
    """√(Δ²/2ρ) of 13 numbers, ε = 1: ρ = 0.02436."""
    assert deviation(12, 1.0) / UNIT == pytest.approx(math.sqrt(1.8758 / (2 * 0.02436)), rel=1e-3)
