"""Intervals of variances, covariances and correlations hold the exact answer as often as they say; broken ones do not.

False alarms: at most 1e-14 for each look. Groups share the sizes of their noise and nothing else.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pets
from pets.plan.plan import make_plan
from pets.release.estimate import Estimates, Mechanism, estimate
from pets.release.moments import second_moments as moments

GROUPS, REPEATS = 250, 12
COLUMNS: dict[str, Any] = {
    "g": pets.Category([f"g{number}" for number in range(GROUPS)], nullable=False),
    "x": pets.Integer(0, 100, nullable=False),
    "y": pets.Integer(0, 50, nullable=False),
}
SCHEMA = pets.Schema({"t": pets.Table(pets.Unit(None), COLUMNS, people=10**6)})
QUERY = (
    pets.query("t")
    .group_by("g")
    .agg(
        v=pets.variance("x", sample=True),
        s=pets.std("x"),
        c=pets.covariance("x", "y"),
        cs=pets.covariance("x", "y", sample=True),
        r=pets.correlation("x", "y"),
    )
)
PLAN = make_plan(QUERY, SCHEMA)
SCALES = tuple(3.0 * measure.sensitivity.linf for measure in PLAN.measures)


def vector(size: int, draw: np.random.Generator) -> Any:
    """The exact sums of groups of so many rows, by the definitions of the measures."""
    x = np.minimum(draw.poisson(15, (GROUPS, size)), 100)  # far from the midpoint, so that every noise matters
    values = {"x": x, "y": np.clip(np.rint(x / 2 + draw.normal(0, 5, x.shape)), 0, 50).astype(np.int64)}
    out = np.zeros(PLAN.size, dtype=np.int64)
    for measure, block in zip(PLAN.measures, PLAN.blocks, strict=True):
        if measure.kind == "rows":
            out[block] = size
            continue
        weights = [
            weight.scale * values[column] - weight.offset
            for column, weight in ((measure.column, measure.weight), (measure.other, measure.other_weight))
            if column is not None and weight is not None
        ]
        if measure.kind == "square":
            out[block] = (weights[0] ** 2 - measure.centre).sum(axis=1)
        else:
            out[block] = np.prod(weights, axis=0).sum(axis=1)
    return out


def held(kind: Mechanism, size: int, seed: int, scales: tuple[float, ...] = SCALES) -> dict[str, tuple[int, int]]:
    """Of each output, how many intervals hold the exact answer, of how many."""
    draw = np.random.default_rng(seed)
    exact_vector = vector(size, draw)
    exact = estimate(PLAN, exact_vector, "none", (0.0,) * len(scales))
    out = {output.name: (0, 0) for output in PLAN.outputs}
    for _ in range(REPEATS):
        noise = np.zeros(PLAN.size, dtype=np.int64)
        for block, scale in zip(PLAN.blocks, scales, strict=True):
            drawn = draw.normal(0, scale, GROUPS) if kind == "gaussian" else draw.laplace(0, scale, GROUPS)
            noise[block] = np.rint(drawn)
        found: Estimates = estimate(PLAN, exact_vector + noise, kind, scales)
        for name, (hits, looks) in out.items():
            one, truth = found[name], exact[name].estimate
            known = ~np.isnan(one.estimate)
            inside = (one.low <= truth + 1e-9) & (truth - 1e-9 <= one.high)
            out[name] = hits + int(inside[known].sum()), looks + int(known.sum())
    return out


def too_few(hits: int, looks: int) -> bool:
    """Whether so few would be there by chance less than once in 1e14, were 95 % meant (less what a bend may take)."""
    return hits - 0.94 * looks < -8 * (looks * 0.94 * 0.06) ** 0.5


@pytest.mark.chance(1e-12)
@pytest.mark.parametrize("size", [40, 300])
@pytest.mark.parametrize("kind", ["gaussian", "laplace"])
def test_intervals_hold_the_exact_answer_as_often_as_they_say(kind: Mechanism, size: int) -> None:
    for name, (hits, looks) in held(kind, size, 11).items():
        assert looks > GROUPS * REPEATS / 2 or size == 40, name
        assert not too_few(hits, looks), (name, hits / looks)


@pytest.mark.parametrize(
    ("left_out", "kind"), [(0, "product"), (1, "total"), (3, "rows")], ids=["products", "a total", "rows"]
)
def test_an_interval_that_forgets_a_noise_is_found_out(
    left_out: int, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where that noise is the greatest part of all."""
    right = moments.covariance_ends

    def broken(*parts: Any) -> Any:
        given = list(parts)
        given[3 + left_out] = np.zeros_like(given[3 + left_out])
        return right(*given)

    greater = [10.0 if measure.kind == kind else 1.0 for measure in PLAN.measures]
    scales = tuple(scale * by for scale, by in zip(SCALES, greater, strict=True))
    assert not too_few(*held("gaussian", 400, 12, scales)["c"])
    monkeypatch.setattr(moments, "covariance_ends", broken)
    assert too_few(*held("gaussian", 400, 12, scales)["c"])
