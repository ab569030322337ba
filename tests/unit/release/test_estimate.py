"""Estimates and their intervals: exact where there is no noise, and honest where there is."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

import pets
from pets.errors import InternalError, QueryError
from pets.plan.plan import Plan, make_plan
from pets.query_model.nodes.aggregate_base import Aggregate
from pets.release import consistent_tree
from pets.release.estimate import Estimates, Noise, estimate
from tests.sample_releases import ASKED, SCHEMA, codes, exact, noisy

LONG = pets.col("days") >= 8
WARDS = ASKED.group_by("ward")  # 200 groups of about 200 rows: 200 draws at once
WHOLE = ASKED.group_by("sex")  # 2 groups of 20,000 rows


def answered(plan: Plan, values: np.ndarray, mechanism: str = "none", scale: float = 0.0, **more: float) -> Estimates:
    return estimate(plan, values, mechanism, (scale,) * len(plan.measures), **more)  # type: ignore[arg-type]


def covered(query: pets.Query, mechanism: str, scale: float, rounds: int) -> dict[str, float]:
    """The share of intervals that hold the exact value, among groups that are estimable."""
    plan = make_plan(query, SCHEMA)
    truth = exact(plan)
    right = answered(plan, truth)
    rng = np.random.default_rng(3)
    held: dict[str, list[bool]] = {}
    for _ in range(rounds):
        values = noisy(plan, truth, mechanism, (scale,) * len(plan.measures), rng)
        for found, real in zip(answered(plan, values, mechanism, scale), right, strict=True):
            known = ~np.isnan(found.estimate.astype(float))
            inside = (found.low <= real.estimate) & (real.estimate <= found.high)
            held.setdefault(found.output.name, []).extend(inside[known].reshape(-1).tolist())
    return {name: float(np.mean(hits)) for name, hits in held.items()}


# ── the noise ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("scale", [0.3, 1.0, 2.5, 40.0])
def test_a_deviation_is_that_of_the_discrete_law(scale: float) -> None:
    """Added up over the whole numbers; a continuous Laplace variable's, √2·b, is greater by up to a half here."""
    k = np.arange(-4000, 4001)
    mass = np.exp(-np.abs(k) / scale)
    law = math.sqrt((k**2 * mass).sum() / mass.sum())
    assert Noise("laplace", (scale,)).deviation(0) == pytest.approx(law, rel=1e-9)
    assert Noise("laplace", (scale,), cells=9).deviation(0) == pytest.approx(3 * law, rel=1e-9)


# ── no noise ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_exact_answers_are_the_definitions() -> None:
    query = ASKED.group_by("age", "sex").agg(
        n=pets.count(),
        people=pets.count_units(),
        days=pets.sum("days"),
        mean=pets.mean("days"),
        cost=pets.sum("cost"),
        mean_cost=pets.mean("cost"),
        variance=pets.variance("days"),
        long=pets.rate(LONG),
        median=pets.quantile("days"),
        p90=pets.quantile("days", 0.9),
        bins=pets.histogram("days"),
    )
    plan = make_plan(query, SCHEMA)
    found = answered(plan, exact(plan))
    data = codes()
    for group in range(plan.groups):
        rows = (data["age"] == group // 2) & (data["sex"] == group % 2)
        days, cost = data["days"][rows] + 1, data["cost"][rows]
        n = len(days)
        assert found["n"].estimate[group] == found["people"].estimate[group] == n
        assert found["days"].estimate[group] == days.sum()
        assert found["mean"].estimate[group] == int(days.sum()) / n
        assert found["cost"].estimate[group] == int(cost.sum()) / 100
        assert found["mean_cost"].estimate[group] == int(cost.sum()) / (100 * n)
        assert found["variance"].estimate[group] == (n * int((days**2).sum()) - int(days.sum()) ** 2) / n**2
        assert found["long"].estimate[group] == int((days >= 8).sum()) / n
        assert found["median"].estimate[group] == np.sort(days)[math.ceil(n / 2) - 1]
        assert found["p90"].estimate[group] == np.sort(days)[math.ceil(Fraction(9, 10) * n) - 1]
        assert found["bins"].estimate[group].tolist() == np.bincount(days, minlength=15)[1:].tolist()
    for column in found:
        assert np.array_equal(column.low, column.estimate)
        assert np.array_equal(column.high, column.estimate)
    assert found["days"].estimate.dtype == found["n"].estimate.dtype == np.int64


def test_an_empty_group_has_no_mean_and_no_median() -> None:
    query = ASKED.group_by("sex").agg(
        n=pets.count(), m=pets.mean("days"), v=pets.variance("days"), r=pets.rate(LONG), q=pets.quantile("days")
    )
    plan = make_plan(query, SCHEMA)
    found = answered(plan, np.zeros(plan.size, dtype=np.int64))
    assert found["n"].estimate.tolist() == [0, 0]
    for name in "mvrq":
        assert np.isnan([found[name].estimate, found[name].low, found[name].high]).all()


def test_sums_up_to_2_to_the_62_are_not_rounded() -> None:
    plan = make_plan(ASKED.agg(s=pets.sum("huge"), m=pets.mean("huge"), n=pets.count()), SCHEMA)
    total, rows = (next(i for i, m in enumerate(plan.measures) if m.kind == kind) for kind in ("total", "rows"))
    values = np.zeros(plan.size, dtype=np.int64)
    output = plan.outputs[0]
    wanted = 2**62 - 1
    values[plan.blocks[rows]] = 2**21
    values[plan.blocks[total]] = (wanted - output.centre * 2**21) / output.factor
    for mechanism, scale in (("none", 0.0), ("gaussian", 5.0)):
        found = answered(plan, values, mechanism, scale)["s"]
        assert [int(found.estimate[0]), found.estimate.dtype] == [wanted, np.int64]
    assert int(found.high[0]) > wanted


def test_a_noisy_sum_with_a_midpoint_between_two_values_keeps_its_half() -> None:
    plan = make_plan(ASKED.agg(s=pets.sum("days"), n=pets.count()), SCHEMA)
    values = np.array([3, 4], dtype=np.int64)  # total of doubled deviations, rows: 3/2 + 7.5 · 4
    if plan.measures[0].kind == "rows":
        values = values[::-1].copy()
    assert answered(plan, values, "gaussian", 1.0)["s"].estimate.tolist() == [31.5]


# ── intervals ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mechanism", ["gaussian", "laplace"])
@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0, 10.0, 40.0])
def test_counts_and_sums_are_covered(mechanism: str, scale: float) -> None:
    query = WARDS.agg(n=pets.count(), people=pets.count_units(), s=pets.sum("days"), c=pets.sum("cost"))
    for name, share in covered(query, mechanism, scale, 40).items():
        assert share >= 0.93, name
        assert share <= 0.97 or scale < 10, name


@pytest.mark.parametrize("mechanism", ["gaussian", "laplace"])
def test_means_rates_and_variances_of_large_groups_are_covered(mechanism: str) -> None:
    query = WHOLE.agg(m=pets.mean("days"), r=pets.rate(LONG), v=pets.variance("days"))
    for name, share in covered(query, mechanism, 200.0, 1500).items():
        assert 0.93 <= share <= 0.97, name


@pytest.mark.parametrize("mechanism", ["gaussian", "laplace"])
def test_quantiles_of_large_groups_are_covered(mechanism: str) -> None:
    # a quantile lies on a grid, so intervals may hold it more often than asked, never less
    query = WHOLE.agg(a=pets.quantile("cost", 0.1), b=pets.quantile("cost"), c=pets.quantile("days", 0.9))
    for name, share in covered(query, mechanism, 100.0, 400).items():
        assert share >= 0.93, name


def test_fieller_holds_where_the_noise_is_a_third_of_the_group() -> None:
    for name, share in covered(WARDS.agg(m=pets.mean("days"), r=pets.rate(LONG)), "gaussian", 50.0, 40).items():
        assert share >= 0.93, name


def test_confidence_is_what_was_asked() -> None:
    plan = make_plan(WARDS.agg(n=pets.count()), SCHEMA)
    truth = exact(plan)
    widths = [answered(plan, truth, "gaussian", 10.0, confidence=c)["n"] for c in (0.5, 0.95, 0.999)]
    assert [int(w.high[0] - w.estimate[0]) for w in widths] == [7, 20, 33]


def test_groups_within_the_noise_are_not_estimable() -> None:
    query = ASKED.group_by("age").agg(
        m=pets.mean("days"), r=pets.rate(LONG), v=pets.variance("days"), q=pets.quantile("days")
    )
    plan = make_plan(query, SCHEMA)
    found = answered(plan, exact(plan), "gaussian", 40.0)  # the last group has about 10 rows
    for column in found:
        assert np.isnan(column.estimate).tolist() == [False, False, False, True]
        assert np.isnan(column.low).tolist() == np.isnan(column.high).tolist() == [False, False, False, True]


@pytest.mark.parametrize(
    ("scale", "asked"),  # as much noise as leaves some of the wards, of 200 rows, estimable
    [
        (40.0, {"m": pets.mean("days"), "r": pets.rate(LONG), "v": pets.variance("days")}),
        (8.0, {"q": pets.quantile("days"), "p": pets.quantile("cost")}),
    ],
)
def test_what_has_public_bounds_stays_inside_them(scale: float, asked: dict[str, Aggregate]) -> None:
    plan = make_plan(WARDS.agg(**asked), SCHEMA)
    values = noisy(plan, exact(plan), "gaussian", (scale,) * len(plan.measures), np.random.default_rng(5))
    for column in answered(plan, values, "gaussian", scale):
        low, high = float(column.output.low), float(column.output.high)
        known = ~np.isnan(column.estimate)
        assert known.any()
        for part in (column.estimate, column.low, column.high):
            assert np.all((low <= part[known]) & (part[known] <= high))
        assert np.all((column.low <= column.estimate)[known] & (column.estimate <= column.high)[known])


# ── quantiles ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("scale", [1.0, 20.0, 60.0])
def test_quantiles_of_a_column_never_cross(scale: float) -> None:
    shares = [0.01, 0.05, 0.1, 0.25, 0.49, 0.5, 0.51, 0.75, 0.9, 0.99]
    query = WARDS.agg(**{f"q{i}": pets.quantile("cost", q) for i, q in enumerate(shares)})
    plan = make_plan(query, SCHEMA)
    values = noisy(plan, exact(plan), "gaussian", (scale,) * len(plan.measures), np.random.default_rng(2))
    found = list(answered(plan, values, "gaussian", scale))
    for lower, upper in pairwise(found):
        known = ~np.isnan(lower.estimate)
        assert np.all((lower.estimate <= upper.estimate)[known])


def test_a_quantile_of_exact_counts_is_not_misled_by_floats() -> None:
    # in floats, 0.1 · 30 is more than 3
    counts = np.array([[3, 27]], dtype=np.int64)
    found = consistent_tree.locate(consistent_tree.distribution(counts, (2,), exact=True), Fraction(1, 10), 0.0)
    assert (found.bin.tolist(), found.inside.tolist()) == ([0], [1.0])


@pytest.mark.parametrize("levels", [(5, 2), (35, 3), (50, 4), (40, 10, 3)])
def test_consistent_counts_are_least_squares(levels: tuple[int, ...]) -> None:
    design = _design(levels)
    counts = np.random.default_rng(1).integers(-20, 100, (3, sum(levels)))
    wanted, *_ = np.linalg.lstsq(design, counts.T.astype(float), rcond=None)
    assert np.allclose(consistent_tree.consistent(counts, levels), wanted.T)


@pytest.mark.parametrize("levels", [(5, 2), (35, 3), (50, 4), (40, 10, 3)])
def test_prefix_variances_are_those_of_least_squares(levels: tuple[int, ...]) -> None:
    design = _design(levels)
    summed = np.tril(np.ones((levels[0], levels[0])))
    covariance = summed @ np.linalg.inv(design.T @ design) @ summed.T
    own, with_rows, rows = consistent_tree.prefix_variances(levels)
    assert np.allclose(own, np.diag(covariance))
    assert np.allclose(with_rows, covariance[:, -1])
    assert math.isclose(rows, covariance[-1, -1])


def _design(levels: tuple[int, ...]) -> np.ndarray:
    """Which leaves each node adds up."""
    blocks = [np.eye(levels[0])]
    for size, above in pairwise(levels):
        blocks.append(np.add.reduceat(blocks[-1], consistent_tree.starts(size, above), axis=0))
        assert len(blocks[-1]) == above
    return np.concatenate(blocks)


def test_every_planned_tree_has_the_runs_that_tabulation_adds_up() -> None:
    for leaves in [*range(2, 700), 4096, 5000, 99_999]:
        levels = [leaves]
        while levels[-1] > 16:
            levels.append(-(-levels[-1] // 16))
        assert all(len(consistent_tree.starts(size, above)) == above for size, above in pairwise(levels))


# ── what cannot be ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_vector_of_another_plan_is_our_bug() -> None:
    plan = make_plan(WHOLE.agg(n=pets.count()), SCHEMA)
    with pytest.raises(InternalError):
        estimate(plan, np.zeros(3, dtype=np.int64), "none", (0.0,))
    with pytest.raises(InternalError):
        estimate(plan, np.zeros(2, dtype=np.int64), "gaussian", (0.0,))
    with pytest.raises(InternalError):
        estimate(plan, np.zeros(2, dtype=np.int64), "gaussian", (1.0, 1.0))


def test_an_unknown_output_is_named() -> None:
    plan = make_plan(WHOLE.agg(stays=pets.count()), SCHEMA)
    with pytest.raises(QueryError, match="did you mean 'stays'"):
        answered(plan, exact(plan))["stay"]
