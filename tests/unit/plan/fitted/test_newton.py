"""Steps of logistic and Poisson regressions: no row moves the sums further than stated; and what exponentials are.

Rows are tried at corners and at random, in whole numbers of any size; the worst of them reach the bound, where no row
weighs less, and nearly so where far rows do.
"""

from __future__ import annotations

import math
import random
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import pets
from pets.dp.calibrate import calibrate
from pets.plan.fitted.exponential import (
    ETA,
    FINE,
    exponential,
    logistic,
    logistic_means,
    poisson_bits,
    poisson_means,
)
from pets.plan.fitted.newton import step_of
from pets.plan.measure import Measure
from pets.plan.plan import Plan, make_plan
from pets.query_model.nodes.newton import Newton
from pets.query_model.query import Query
from pets.rows.engine import scores
from tests.unit.plan.fitted.test_design import COLUMNS, rows

pytestmark = pytest.mark.chance(0)

COLUMNS = COLUMNS | {"n": pets.Integer(0, 14), "e": pets.Integer(1, 30), "er": pets.Real("0.5", 20, "0.1")}
SCHEMA = pets.Schema({"t": pets.Table(pets.Unit(None), COLUMNS, people=1000)})
DESIGNS: dict[str, tuple[Any, int]] = {
    "a line": (["n1"], 2),
    "numbers": (["n1", "n2", "n3"], 4),
    "booleans": (["b1", "s", "two"], 4),
    "two categories": (["r", "q"], 6),
    "all of them": (["n1", "n2", "b1", "s", "r"], 8),
    "a number by a category": (["n1", "r", ["n1", "r"]], 8),
}
FAMILIES: dict[str, tuple[str, str, str | None]] = {
    "logistic": ("logistic", "b2", None),
    "poisson": ("poisson", "n", None),
    "by exposure": ("poisson", "n", "e"),
    "by a real exposure": ("poisson", "n", "er"),
}


def planned(design: str, family: str, at: Any = 0, radius: Any = None, people: int = 1000) -> tuple[Plan, Measure, Any]:
    terms, count = DESIGNS[design]
    kind, outcome, exposure = FAMILIES[family]
    coefficients = (at,) * count if isinstance(at, int) else tuple(at)[:count]
    asked = Newton(terms=tuple(terms), outcome=outcome, family=kind, at=coefficients, exposure=exposure, weights=radius)
    schema = pets.Schema({"t": pets.Table(pets.Unit(None), COLUMNS, people=people)})
    plan = make_plan(Query("t", aggregates=(("fit", asked),)), schema)
    return plan, plan.measures[0], step_of(asked, plan.fields, "t", people, 2**62)


def added(measure: Measure, some: list[dict[str, int]]) -> list[list[int]]:
    """What each row of these codes adds to each sum, in whole numbers."""
    codes = {name: np.array([row[name] for row in some]) for name in measure.columns}
    count = len(some)
    out = scores.added(measure, codes, np.arange(count), np.ones(count, dtype=np.int64), count)
    found: list[list[int]] = out.reshape(count, -1).tolist()
    return found


def norms(vectors: list[list[int]]) -> list[int]:
    most = [0, 0, 0, 0]
    for vector in vectors:
        moved = [sum(map(bool, vector)), sum(map(abs, vector)), sum(v * v for v in vector), max(map(abs, vector))]
        most = list(map(max, most, moved))
    return most


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("family", FAMILIES)
def test_no_row_moves_the_sums_further_than_stated_and_the_worst_reach_it(design: str, family: str) -> None:
    """Where every coefficient is 0 a mean is a half, or 1 for the greatest exposure: bounds are met to the last bit."""
    _, measure, step = planned(design, family)
    stated = measure.sensitivity
    found = norms(added(measure, rows(step.design, 1500)))
    wanted = [stated.l0, stated.l1, stated.l2_squared, stated.linf]
    assert all(a <= b for a, b in zip(found, wanted, strict=True))
    if family == "logistic":
        assert found == wanted
    assert found[3] >= 0.9 * wanted[3]


@pytest.mark.parametrize("radius", ["1", "2.5", "4.5", "100"])
@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("family", FAMILIES)
def test_nor_with_weights_wherever_the_coefficients_are(design: str, family: str, radius: str) -> None:
    draw = random.Random(len(design) * 7 + len(family) + len(radius))
    for far in (2**27, 2**30, 2**35):
        at = [draw.randint(-far, far) for _ in range(8)]
        _, measure, step = planned(design, family, at, radius)
        stated = measure.sensitivity
        found = norms(added(measure, rows(step.design, 300)))
        wanted = [stated.l0, stated.l1, stated.l2_squared, stated.linf]
        assert all(a <= b for a, b in zip(found, wanted, strict=True)), (found, wanted)


def test_the_bound_with_weights_is_nearly_reached() -> None:
    for design in ("numbers", "booleans", "all of them"):
        _, measure, step = planned(design, "logistic", 0, "3")
        found = norms(added(measure, rows(step.design, 3000)))
        assert found[2] >= 0.93 * measure.sensitivity.l2_squared, design


def test_three_quarters_of_the_loss_are_the_scores() -> None:
    for radius in (None, "4.5"):
        _, measure, step = planned("all of them", "logistic", 0, radius)
        found = added(measure, rows(step.design, 3000))
        parts = [max(sum(v * v for v in vector[part]) for vector in found) for part in (slice(8), slice(8, None))]
        assert parts[0] / measure.sensitivity.l2_squared == pytest.approx(0.75, rel=0.05)
        assert 0.2 < parts[1] / measure.sensitivity.l2_squared < 0.27


def test_what_a_row_adds_is_what_mathematics_says() -> None:
    """By floating point, of random rows at random coefficients, with weights."""
    draw = random.Random(3)
    for family in FAMILIES:
        at = [draw.randint(-(2**30), 2**30) for _ in range(8)]
        plan, measure, step = planned("all of them", family, at, "4.5")
        some = rows(step.design, 200)[-200:]
        link = measure.link
        assert link is not None
        for row, vector in zip(some, added(measure, some), strict=True):
            x = []
            for cell in measure.cells[:8]:
                value = float(all(row[name] == code for name, code in cell.levels))
                for name, weight, _ in cell.factors:
                    value *= (weight.scale * row[name] - weight.offset) / weight.largest
                x.append(value)
            eta = sum(a / 2**30 * b for a, b in zip(at, x, strict=True))
            y = row[link.outcome]
            if family == "logistic":
                mean = 1 / (1 + math.exp(-eta))
                spread = mean * (1 - mean)
            else:
                share = 1.0
                if link.exposure is not None:
                    domain: Any = plan.fields[link.exposure[0]]
                    share = float((domain.origin + domain.spacing * row[link.exposure[0]]) / domain.hi)
                mean = spread = min(14.0, math.exp(eta) * share)
            weight_ = min(1.0, 4.5 / sum(one**2 for one in x))
            units = [cell.unit * 2 ** link.bits[place >= 8] for place, cell in enumerate(measure.cells)]
            for place in range(8):
                assert vector[place] / units[place] == pytest.approx(weight_ * x[place] * (y - mean), abs=0.02)
            assert vector[8] / units[8] == pytest.approx(weight_ * spread, abs=0.02)


@pytest.mark.parametrize("people", [1, 1000, 10**6, 10**8])
def test_sums_stay_within_62_bits_and_the_noise_that_is_asked_for_can_be_drawn(people: int) -> None:
    for family in FAMILIES:
        plan, measure, _ = planned("a line", family, 2**30, "1.5", people)
        assert measure.limit <= 2**62
        for epsilon in (0.05, 10):
            assert calibrate(plan, pets.DP(epsilon=epsilon), pets.Budget(epsilon=20, delta=1e-6)).scales[0] > 1


# ── exponentials ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_exponentials_are_those_of_the_decimal_module() -> None:
    import decimal

    with decimal.localcontext(decimal.Context(prec=60)):
        for text in ("-24", "-3.5", "-0.001", "0.25", "1", "7.125", "24"):
            wanted = Fraction(decimal.Decimal(text).exp())
            assert abs(exponential(Fraction(text)) / wanted - 1) < Fraction(1, 10**40)
    assert exponential(Fraction(0)) == 1 and logistic(Fraction(0)) == Fraction(1, 2)


def test_means_from_the_table_are_right_to_twelve_digits() -> None:
    draw = np.random.default_rng(0)
    eta = np.rint(draw.uniform(-26, 26, 20_000) * 2**ETA).astype(np.int64)
    ends = np.array([-24, 0, 24, -100, 100, 1, -1], dtype=np.int64) << ETA
    eta = np.concatenate([eta, ends, np.arange(-5000, 5000), (np.arange(-40, 40) << 21) + 1])
    own = np.clip(eta / 2**ETA, -24, 24)
    assert np.abs(logistic_means(eta) / 2**FINE - 1 / (1 + np.exp(-own))).max() < 3 * 2.0**-FINE
    for top in (1, 14, 5000, 2**23):
        unit = 2.0 ** poisson_bits(top)
        wanted = np.minimum(np.exp(own), top)
        assert np.abs(poisson_means(eta, top) / unit - wanted).max() * unit < 4
    middle = np.zeros(1, dtype=np.int64)
    assert logistic_means(middle)[0] == 1 << (FINE - 1)
    assert poisson_means(middle, 14)[0] == 1 << poisson_bits(14)


def test_a_table_that_is_a_little_wrong_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from pets.plan.fitted import exponential as there

    right = there._logistic_table()
    monkeypatch.setattr(there, "_logistic_table", lambda: (right[0], right[1], right[2], right[3] * 0))
    with pytest.raises(AssertionError):
        test_means_from_the_table_are_right_to_twelve_digits()
