"""Releases made by hand for the tests of estimates, releases and charts: a small ward, invented and seeded."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

import pets
from pets.common.integers import Ints
from pets.plan.plan import Plan, make_plan
from pets.release.release import Release, sealed_release
from pets.schema.schema import Boolean, Category, Identifier, Integer, Real, Schema, Table, Unit

AGES = ["[0-10)", "[10-20)", "[20-30)", "<30 & over>"]
SCHEMA = Schema(
    {
        "stays": Table(
            Unit("id", max_rows=3),
            {
                "id": Identifier(),
                "age": Category(AGES, nullable=False),
                "sex": Category(["F", "M"], nullable=False),
                "ward": Integer(0, 199, nullable=False),
                "emergency": Boolean(nullable=False),
                "days": Integer(1, 14, nullable=False),
                "cost": Real(0, 1000, "0.01", nullable=False),
                "huge": Integer(2**40, 2**41 - 2, nullable=False),
            },
            people=2**18,
        )
    },
    dataset="demo",
)
ASKED = pets.query("stays")
GUARANTEE = "Differentially private with ε = 0.5 and δ = 1e-06: nobody's rows show."


@cache
def codes(rows: int = 40_000) -> dict[str, Ints]:
    """Integer codes of each column, as a snapshot would hold them; the last age group is nearly empty."""
    rng = np.random.default_rng(7)
    age = rng.integers(0, 4, rows)
    age[(age == 3) & (rng.random(rows) < 0.999)] = 0
    return {
        "age": age,
        "sex": rng.integers(0, 2, rows),
        "ward": rng.integers(0, 200, rows),
        "emergency": rng.integers(0, 2, rows),
        "days": np.minimum(rng.geometric(0.2, rows) - 1, 13),
        "cost": np.minimum(rng.gamma(2, 15_000, rows).astype(np.int64), 100_000),
        "huge": rng.integers(0, 2**40 - 1, rows),
    }


def exact(plan: Plan) -> Ints:
    """The exact vector, by the definitions of the measures."""
    data = codes()
    group = np.zeros(len(data["age"]), dtype=np.int64)
    for dimension in plan.layout.dimensions:
        group = group * dimension.size + data[dimension.column]
    group = plan.layout.slots_of(group)
    kept = group >= 0
    blocks = []
    for measure in plan.measures:
        if measure.kind in ("rows", "units"):  # every row is a person of its own
            block = _added(plan, group[kept], np.ones(kept.sum(), dtype=np.int64))
        elif measure.kind == "balance":
            block = _added(plan, group[kept], np.where(data["days"][kept] >= 7, 1, -1))
        elif measure.kind in ("total", "square"):
            weight = measure.weight
            clipped = np.clip(data[measure.column][kept], weight.low, weight.high)
            value = weight.scale * (clipped // weight.coarse) - weight.offset
            block = _added(plan, group[kept], value if measure.kind == "total" else value**2 - measure.centre)
        else:
            block = _tree(plan, measure, group[kept], data[measure.column][kept])
        blocks.append(block)
    return np.concatenate(blocks)


def _added(plan: Plan, group: Ints, values: Ints) -> Ints:
    out = np.zeros(plan.groups, dtype=np.int64)
    np.add.at(out, group, values)
    return out


def _tree(plan: Plan, measure: Any, group: Ints, values: Ints) -> Ints:
    bins = len(measure.breaks) - 1
    leaf = np.searchsorted(measure.breaks, values, side="right") - 1
    counts = np.zeros((plan.groups, bins), dtype=np.int64)
    np.add.at(counts, (group, leaf), 1)
    levels = [counts]
    for size in (measure.levels or (bins,))[1:]:
        step = -(-levels[-1].shape[1] // size)
        levels.append(np.add.reduceat(levels[-1], np.arange(0, levels[-1].shape[1], step), axis=1))
    return np.concatenate(levels, axis=1).reshape(-1)


def noise(rng: np.random.Generator, mechanism: str, scale: float, size: int) -> Ints:
    """Draws of the discrete Gaussian or Laplace, by inverting a table (tests only)."""
    reach = int(np.ceil(scale * (10 if mechanism == "gaussian" else 40))) + 2
    k = np.arange(-reach, reach + 1)
    mass = np.exp(-(k**2) / (2 * scale**2)) if mechanism == "gaussian" else np.exp(-np.abs(k) / scale)
    return k[np.searchsorted(np.cumsum(mass / mass.sum()), rng.random(size))].astype(np.int64)


def noisy(plan: Plan, values: Ints, mechanism: str, scales: tuple[float, ...], rng: np.random.Generator) -> Ints:
    out = values.copy()
    for block, scale in zip(plan.blocks, scales, strict=True):
        out[block] += noise(rng, mechanism, scale, out[block].size)
    return out


def release(query: pets.Query, scale: float = 100.0, mechanism: str = "gaussian", **parts: Any) -> Release:
    """A release of the sample; ``scale`` 0 or mechanism ``"none"`` is exact."""
    plan = make_plan(query, SCHEMA)
    scales = (0.0,) * len(plan.measures) if mechanism == "none" else (scale,) * len(plan.measures)
    values = exact(plan)
    if mechanism != "none":
        values = noisy(plan, values, mechanism, scales, np.random.default_rng(11))
    made = {
        "id": "0123abcd",
        "dataset": "demo",
        "table": "stays",
        "query": query,
        "schema": SCHEMA,
        "plan_digest": plan.digest,
        "values": values,
        "mechanism": mechanism,
        "scales": scales,
        "protection": {"kind": "dp", "epsilon": "0.5"},
        "snapshot_id": "5eed",
        "data": "real",
        "cost": {"currency": "zcdp", "loss": 12_345_678_901, "delta": 0},
        "epsilon": 0.5,
        "delta": 1e-6,
        "rho": 0.0123,
        "guarantee": GUARANTEE,
        "budget": {
            "currency": "zcdp",
            "cap": 2 * 10**11,
            "spent": 5 * 10**10,
            "epsilon_cap": 3.0,
            "epsilon_spent": 1.2,
            "delta": 1e-6,
        },
        "issued_at": "2025-01-01T00:00:00+00:00",
        "project": "default",
        "analyst": "local",
        "notes": ("At most K = 3 rows of a person count.",),
    }
    return sealed_release(**(made | parts))
