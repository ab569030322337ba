"""Noise of whole numbers: answers of small noise are held as often as is said, by exact enumeration of the noise."""

from __future__ import annotations

import itertools
from fractions import Fraction
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pytest

import pets
from pets.plan.plan import make_plan
from pets.release.consistent_tree import starts
from pets.release.estimate import Cells, Column, Estimates, Noise, estimate
from pets.release.noise_quantiles import coverage
from pets.release.standardise import standardise
from pets.release.tables.shares import shares
from tests.sample_releases import ASKED, SCHEMA

Mechanism = Literal["gaussian", "laplace"]
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
def test_shares_are_held_as_often_as_they_say(mechanism: Mechanism, scale: float, counts: tuple[int, ...]) -> None:
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
            sharing=None,
            display=None,
        )
        table = shares(answer, "n", ["draw"], 0.95).iloc[:: len(counts)]
        assert held(table["share_low"], table["share_high"], count / sum(counts), weight) > 0.95 - LOST, count


@pytest.mark.parametrize(
    "counts", [(0, 1000), (2, 1000), (50, 1000), (330, 1000), (3000, 1000), (-10_000, 1000)], ids=str
)
@pytest.mark.parametrize(("mechanism", "scale"), LAWS)
def test_ratios_are_held_as_often_as_they_say(mechanism: Mechanism, scale: float, counts: tuple[int, int]) -> None:
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


SMALL = [("gaussian", 0.37), ("gaussian", 0.6), ("gaussian", 1.0), ("laplace", 0.27)]
MOMENTS = pets.Schema(
    {
        "t": pets.Table(
            pets.Unit(None),
            {"x": pets.Integer(0, 1, nullable=False), "y": pets.Integer(0, 2, nullable=False)},
            people=10**6,
        )
    }
)


def draws(one: Law, many: int) -> tuple[np.ndarray, np.ndarray]:
    """Every draw of so many noises, one a row, and how likely it is."""
    number, weight = one
    every = np.array(list(itertools.product(range(len(number)), repeat=many)))
    return number[every], np.prod(weight[every], axis=1)


@pytest.mark.parametrize(
    "aggregate",
    [pets.variance("x"), pets.std("x", sample=True), pets.covariance("x", "y"), pets.covariance("x", "y", sample=True)],
    ids=["variance", "std", "covariance", "of a sample"],
)
@pytest.mark.parametrize(("mechanism", "scale"), SMALL)
def test_second_moments_are_held_as_often_as_they_say(mechanism: Mechanism, scale: float, aggregate: Any) -> None:
    """Of 40 rows, with the same noise on each of their sums: every draw of all the noises is looked at."""
    plan = make_plan(pets.query("t").agg(m=aggregate), MOMENTS)
    output, values = plan.outputs[0], {"x": np.array([0, 1] * 20), "y": np.array([0, 1, 0, 2] * 10)}
    sums = []
    for measure in plan.measures:
        weights = [
            weight.scale * values[column] - weight.offset
            for column, weight in ((measure.column, measure.weight), (measure.other, measure.other_weight))
            if column is not None and weight is not None
        ]
        if measure.kind == "square":
            weights = [weights[0] ** 2 - measure.centre]
        sums.append(40 if measure.kind == "rows" else int(np.prod(weights, axis=0).sum()))
    noise, weight = draws(law(mechanism, scale), len(plan.measures))
    blocks = tuple((exact + noise[:, [place]]).astype(np.int64) for place, exact in enumerate(sums))
    scales = (scale,) * len(sums)
    truth = Cells(plan.measures, tuple(np.array([[exact]]) for exact in sums), Noise("none", (0.0,) * len(sums)))
    found = Cells(plan.measures, blocks, Noise(mechanism, scales)).column(output)
    assert held(found.low, found.high, float(truth.column(output).estimate[0]), weight) > 0.95 - LOST


@pytest.mark.parametrize("q", ["1/4", "1/2", "9/10"])
@pytest.mark.parametrize(("mechanism", "scale"), SMALL[1:])
def test_quantiles_are_held_as_often_as_they_say(mechanism: Mechanism, scale: float, q: str) -> None:
    """Of twelve rows in four bins: every draw of the noises of the bins is looked at."""
    schema = pets.Schema({"t": pets.Table(pets.Unit(None), {"x": pets.Integer(0, 3, nullable=False)}, people=10**6)})
    plan = make_plan(pets.query("t").agg(m=pets.quantile("x", Fraction(q))), schema)
    noise, weight = draws(law(mechanism, scale), 4)
    counts = np.array([4, 2, 4, 2])
    found = Cells(plan.measures, ((counts + noise).astype(np.int64),), Noise(mechanism, (scale,))).column(
        plan.outputs[0]
    )
    known = ~np.isnan(found.estimate)
    truth = int(np.argmax(np.cumsum(counts) >= Fraction(q) * 12))
    here = held(found.low[known], found.high[known], truth, weight[known])
    assert weight[known].sum() > 0.5 and here > (0.95 - LOST) * weight[known].sum()


APART: dict[str, tuple[int, Fraction, list[int], list[int]]] = {
    # values, the share, and how many rows have which of them: the true one is beside a flat stretch or at its end
    "two heaps, a quarter": (1000, Fraction(1, 4), [0, 999], [500, 1500]),
    "two heaps, a few rows past a quarter": (1000, Fraction(1, 4), [0, 999], [505, 1495]),
    "two heaps, half": (365, Fraction(1, 2), [0, 364], [1000, 1000]),
    "two heaps, a row short of three quarters": (1000, Fraction(3, 4), [0, 999], [1499, 501]),
    "zeros, and few rows of many values": (256, Fraction(1, 2), [0, *range(85, 256)], [170, *[1] * 171]),
    "two runs of values": (256, Fraction(1, 4), [*range(25), *range(170, 256)], [*[8] * 25, *[7] * 86]),
    "one row a value": (256, Fraction(3, 4), [*range(256)], [1] * 256),
}


@pytest.mark.parametrize("mechanism", ["gaussian", "laplace"])
@pytest.mark.parametrize("case", APART)
def test_quantiles_beside_flat_stretches_are_held_as_often_as_they_say(mechanism: Mechanism, case: str) -> None:
    """Of 4,000 seeded draws of the noise of a whole tree; and no interval is right by being as wide as the column."""
    values, q, at, rows = APART[case]
    schema = pets.Schema(
        {"t": pets.Table(pets.Unit(None), {"x": pets.Integer(0, values - 1, nullable=False)}, people=10**6)}
    )
    plan = make_plan(pets.query("t").agg(m=pets.quantile("x", q)), schema)
    output, levels = plan.outputs[0], plan.measures[0].levels
    first = [float(edge) for edge in output.bins[:-1]]
    leaves = np.bincount(np.searchsorted(first, at, side="right") - 1, rows, levels[0]).astype(np.int64)
    tree = [leaves]
    for size, above in itertools.pairwise(levels):
        tree.append(np.add.reduceat(tree[-1], starts(size, above)))
    number, weight = law(mechanism, 3.0)
    noise = np.random.default_rng(7).choice(number, (4000, sum(levels)), p=weight / weight.sum())
    found = Cells(plan.measures, (np.concatenate(tree) + noise,), Noise(mechanism, (3.0,))).column(output)
    bin_ = int(np.argmax(np.cumsum(leaves) >= q * sum(rows)))
    here = (found.low <= first[bin_]) & (float(output.bins[bin_ + 1] - output.factor) <= found.high)
    assert not np.isnan(found.estimate).any() and np.all((found.low <= found.estimate) & (found.estimate <= found.high))
    assert here.mean() > 0.94, here.mean()  # the error of 4,000 draws is 0.0034
    if case == "one row a value":
        assert np.mean(found.high - found.low) < values / 2


def test_sums_of_several_noises_are_held_by_the_root_of_their_reaches() -> None:
    """What second moments, quantiles and standardised rates rest on; and z deviations alone do not hold them."""
    draw = np.random.default_rng(4)
    short = 0
    for _ in range(60):
        mechanism: Mechanism = "laplace" if draw.integers(2) else "gaussian"
        many = int(draw.integers(1, 4))
        scales = tuple(np.exp(draw.uniform(np.log(0.15), np.log(4), many)).tolist())
        by = draw.integers(1, 5, many) if draw.random() < 0.5 else np.exp(draw.uniform(-2, 0, many))
        noise = Noise(mechanism, scales)
        z = noise.spread(*(one * noise.deviation(place) for place, one in enumerate(by.tolist())))
        reach = np.linalg.norm([one * float(noise.reach(place, z)) for place, one in enumerate(by.tolist())])
        bare = np.linalg.norm([one * float(z) * noise.deviation(place) for place, one in enumerate(by.tolist())])
        terms = tuple(zip(by.tolist(), scales, strict=True))
        assert coverage(mechanism, terms, float(reach)) > 0.95 - 1e-6, (mechanism, terms)
        short += coverage(mechanism, terms, float(bare)) < 0.945
    assert short > 10


def standard(mechanism: Mechanism, scale: float, events: int, people: int) -> tuple[Any, np.ndarray]:
    """A standardised rate of one age and every pair of its noises, one an area; and how likely each pair is."""
    x, y, weight = pairs(*[law(mechanism, scale)] * 2)
    columns = {
        "area": pets.Category([f"a{place}" for place in range(len(x))], nullable=False),
        "age": pets.Category(["any"], nullable=False),
        "ill": pets.Boolean(nullable=False),
    }
    schema = pets.Schema({"t": pets.Table(pets.Unit(None), columns, people=10**6)})
    asked = pets.query("t").group_by("area", "age").agg(n=pets.count(pets.col("ill") == True), among=pets.count())  # noqa: E712
    plan, vector = make_plan(asked, schema), np.concatenate([events + x, people + y]).astype(np.int64)
    scales = (scale, scale)
    answer: Any = SimpleNamespace(
        plan=plan, estimates=estimate(plan, vector, mechanism, scales), mechanism=mechanism, scales=scales, sharing=None
    )
    return standardise(answer, "n", "among", "age", {"any": 1.0}, 1.0, 0.95), weight


@pytest.mark.parametrize("people", [10, 16])
@pytest.mark.parametrize(("mechanism", "scale"), [("gaussian", 2.0), ("laplace", 1.0)])
def test_standardised_rates_of_few_people_are_held_where_they_are_shown(
    mechanism: Mechanism, scale: float, people: int
) -> None:
    """Where noise is a great part of the people the rate bends over it, and it chooses those that are shown.

    The chance of events is another test's: they are so many that it hardly widens an interval.
    """
    table, weight = standard(mechanism, scale, 3000, people)
    shown = table["rate"].notna().to_numpy()
    assert 0.03 < weight[shown].sum() < (1 if people == 16 else 0.3)
    here = held(table["rate_low"][shown], table["rate_high"][shown], 3000 / people, weight[shown])
    assert here > 0.95 * weight[shown].sum()
