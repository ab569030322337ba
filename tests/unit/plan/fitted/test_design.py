"""The sums of a regression: which are measured, and that no row moves them further than is stated.

Rows are tried by the hundred thousand, at corners and at random, in whole numbers of any size; the worst of them reach
the bound, so it could not be smaller.
"""

from __future__ import annotations

import itertools
import math
import random
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import pets
from pets.dp.calibrate import calibrate
from pets.plan.fitted.design import Design, design_of
from pets.plan.fitted.row_weights import _most, _patterns
from pets.plan.measure import Measure
from pets.plan.plan import Plan, make_plan
from pets.query_model.nodes.design import Moments
from pets.query_model.query import Query

pytestmark = pytest.mark.chance(0)

COLUMNS: dict[str, Any] = {
    "n1": pets.Integer(-3, 4, nullable=False),
    "n2": pets.Integer(0, 100),
    "n3": pets.Real(0, 10, "0.5"),
    "two": pets.Integer(7, 8),
    "b1": pets.Boolean(),
    "b2": pets.Boolean(),
    "s": pets.Category(["F", "M"]),
    "r": pets.Category(["N", "E", "S", "W"]),
    "q": pets.Category(["x", "y", "z"]),
    "y": pets.Integer(0, 1000),
}
SCHEMA = pets.Schema({"t": pets.Table(pets.Unit(None), COLUMNS, people=1000)})
LISTED = {"values of a number": ("n1", "two"), "values by a number": ("n1",)}
"""Numbers that are taken as categories of their values."""
DESIGNS: dict[str, tuple[Any, str]] = {
    "a line": (["n1"], "y"),
    "numbers": (["n1", "n2", "n3"], "y"),
    "booleans": (["b1", "b2", "s", "two"], "y"),
    "a category": (["r"], "y"),
    "two categories": (["r", "q"], "y"),
    "all of them": (["n1", "n2", "b1", "s", "r"], "y"),
    "a boolean outcome": (["n1", "r"], "b2"),
    "products of numbers": (["n1", "n2", ["n1", "n2"]], "y"),
    "a number by a category": (["n1", "r", ["n1", "r"]], "y"),
    "categories by each other": (["r", "q", ["q", "r"]], "y"),
    "values of a number": (["n1", "two", "b1"], "y"),
    "values by a number": (["n1", "n2", ["n1", "n2"]], "y"),
    "three": (["n1", "b1", "r", ["n1", "b1"], ["b1", "r"], ["n1", "r"], ["b1", "n1", "r"]], "y"),
}


LENGTHS = ("1", "1.7", "2.6", "4", "8.25", "64")
"""Squared lengths up to which rows count in full."""


def planned(name: str, weights: Any = None) -> tuple[Plan, Measure, Design]:
    terms, outcome = DESIGNS[name]
    sums = Moments(terms=tuple(terms), outcome=outcome, weights=weights, levels=LISTED.get(name, ()))
    plan = make_plan(Query("t", aggregates=(("fit", sums),)), SCHEMA)
    return plan, plan.measures[0], design_of(sums, plan.fields, "t")


def added(measure: Measure, row: dict[str, int]) -> list[int]:
    """What one row of these codes adds to each sum, in whole numbers."""
    out, share = [], 1
    if measure.row_weight is not None:
        length = measure.row_weight.start
        for part in measure.row_weight.parts:
            size = math.prod(((weight.scale * row[name] - weight.offset) ** 2 for name, weight in part.factors))
            length += part.times * int(size) * all(row[name] > 0 for name in part.beyond)
        share = min(1 << measure.row_weight.bits, measure.row_weight.top // length)
    for cell in measure.cells:
        value = share * cell.times * all(row[name] == code for name, code in cell.levels)
        for name, weight, power in cell.factors:
            value *= (weight.scale * row[name] - weight.offset) ** power
        out.append(int(value))
    return out


def rows(design: Design, count: int) -> list[dict[str, int]]:
    """Rows at the ends of each domain, every one of them where there are not too many, and random ones."""
    draw = random.Random(4)
    names = list(design.domains)
    ends = [
        range(one.cells) if one.cells <= 8 else (0, one.cells - 1, one.cells // 2) for one in design.domains.values()
    ]
    corners = [dict(zip(names, codes, strict=True)) for codes in itertools.islice(itertools.product(*ends), 20_000)]
    inside = [{name: draw.randrange(one.cells) for name, one in design.domains.items()} for _ in range(count)]
    return corners + inside


@pytest.mark.parametrize("name", DESIGNS)
def test_no_row_moves_the_sums_further_than_stated_and_the_worst_reach_it(name: str) -> None:
    _, measure, design = planned(name)
    stated, most = measure.sensitivity, [0, 0, 0, 0]
    for row in rows(design, 1500):
        vector = added(measure, row)
        moved = [sum(map(bool, vector)), sum(map(abs, vector)), sum(v * v for v in vector), max(map(abs, vector))]
        most = list(map(max, most, moved))
    assert most == [stated.l0, stated.l1, stated.l2_squared, stated.linf]


NEAR = ("booleans", "a category", "two categories", "all of them")
"""Designs of which some of the rows tried have nearly the worst length: others have few numbers, or products."""


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize("longest", LENGTHS)
def test_no_row_with_a_weight_moves_the_sums_further_than_stated(name: str, longest: str) -> None:
    """And some row comes near; of products more sums repeat than the bound takes off."""
    _, measure, design = planned(name, longest)
    stated, most = measure.sensitivity, 0
    for row in rows(design, 500):
        vector = added(measure, row)
        assert sum(map(bool, vector)) <= stated.l0 and max(map(abs, vector)) <= stated.linf
        assert sum(map(abs, vector)) <= stated.l1
        most = max(most, sum(v * v for v in vector))
    assert most <= stated.l2_squared
    assert most > (0.99 if name in NEAR else 0.55) * stated.l2_squared


FORMS = [("4.5", 4, 3), ("2.5", 3, 1), ("6", 8, 2), ("1.5", 2, 0)]


@pytest.mark.parametrize(("longest", "numbers", "booleans"), FORMS)
def test_the_bound_is_that_of_a_fine_grid_of_lengths(longest: str, numbers: int, booleans: int) -> None:
    """max over t in [0, numbers] of w² (((1+b+t)² + t − (1+b)) ÷ 2 + 1), w = min(1, R² ÷ (1+b+t))."""
    columns: dict[str, Any] = {f"n{at}": pets.Integer(0, 60, nullable=False) for at in range(numbers)}
    columns |= {f"b{at}": pets.Boolean(nullable=False) for at in range(booleans)}
    sums = Moments(terms=tuple((name,) for name in columns), outcome="y", weights=longest)  # type: ignore[arg-type]
    table = pets.Table(pets.Unit(None), columns | {"y": pets.Integer(0, 9)})
    design = design_of(sums, pets.Schema({"t": table}).fields("t"), "t")
    found = max(_most(Fraction(longest), (1, 0, 0), pattern) for pattern in _patterns(design))
    t, b = np.linspace(0, numbers, 200_001), booleans
    w = np.minimum(1, float(longest) / (1 + b + t))
    assert float(found) == pytest.approx((w**2 * (((1 + b + t) ** 2 + t - 1 - b) / 2 + 1)).max(), rel=1e-8)
    assert max(_most(Fraction(longest), (0, 1, 0), one) for one in _patterns(design)) == Fraction(longest)


def test_weights_that_are_all_in_full_leave_the_sums_of_numbers_as_they_are() -> None:
    for name in ("a line", "numbers", "booleans"):
        plain, full = planned(name)[1], planned(name, 64)[1]
        per_unit = [math.sqrt(one.sensitivity.l2_squared) / max(one.units) for one in (plain, full)]
        assert per_unit[1] == pytest.approx(per_unit[0], rel=0.02)


def test_weights_lower_what_one_row_can_do() -> None:
    plain, less = planned("all of them")[1], planned("all of them", "3.3")[1]
    per_unit = [math.sqrt(one.sensitivity.l2_squared) / max(one.units) for one in (plain, less)]
    assert per_unit[1] < 0.6 * per_unit[0]


@pytest.mark.soak
@pytest.mark.parametrize("name", DESIGNS)
def test_no_row_of_very_many_moves_the_sums_further(name: str) -> None:
    for longest in (None, *LENGTHS):
        _, measure, design = planned(name, longest)
        most = max(sum(v * v for v in added(measure, row)) for row in rows(design, 100_000))
        assert most <= measure.sensitivity.l2_squared


@pytest.mark.parametrize("name", DESIGNS)
def test_sums_that_repeat_are_measured_once_and_every_one_is_needed(name: str) -> None:
    """By values: over many rows no two sums are proportional, and each product of two columns is one of them, or 0."""
    _, measure, design = planned(name)
    some = rows(design, 300)
    table = np.array([[float(value) for value in added(measure, row)] for row in some])
    table /= np.abs(table).max(axis=0)
    alike = np.abs(table.T @ table) / np.outer(np.linalg.norm(table, axis=0), np.linalg.norm(table, axis=0))
    assert (alike - np.eye(len(alike)) < 1 - 1e-9).all()
    columns = []
    for one in design.columns:
        numbers = [name for name in one.term if name not in one.levels]
        weight = {name: design.weight(name) for name in (*numbers, design.outcome)}

        def value(row: dict[str, int], one: Any = one, numbers: Any = numbers, weight: Any = weight) -> float:
            inside = all(row[name] == code for name, code in one.levels.items())
            return inside * math.prod(
                (weight[n].scale * row[n] - weight[n].offset) / weight[n].largest for n in numbers
            )

        columns.append(np.array([value(row) for row in some]))
    outcome = design.weight(design.outcome)
    y = np.array([(outcome.scale * row[design.outcome] - outcome.offset) / outcome.largest for row in some])
    wanted = [a * b for a, b in itertools.combinations_with_replacement([*columns, y], 2)]
    used = set()
    for product in wanted:
        if np.abs(product).max() > 0:
            near = np.abs(table - product[:, None]).max(axis=0)
            assert near.min() < 1e-9, "a product of two columns is no sum"
            used.add(int(near.argmin()))
    assert used == set(range(len(measure.cells)))


def test_the_units_share_the_noise_as_the_blocks_need_it() -> None:
    """A twentieth of the loss for y'y; X'y and X'X by the roots of their sensitivities, the latter halved."""
    _, measure, design = planned("numbers")
    square = [0.0, 0.0, 0.0]
    for cell, block in zip(measure.cells, design.blocks, strict=True):
        square[block] += float(cell.unit) ** 2
    shares = [one / sum(square) for one in square]
    assert shares[2] == pytest.approx(0.05, rel=0.02)
    counts = [design.blocks.count(block) for block in range(2)]
    assert shares[1] / shares[0] == pytest.approx(2 * math.sqrt(counts[1] / counts[0]), rel=0.02)


def test_sums_stay_within_62_bits_and_are_fine_enough() -> None:
    for name in DESIGNS:
        _, measure, design = planned(name)
        units = [cell.unit for cell in measure.cells]
        assert measure.limit == 1000 * max(units) <= 2**62 and min(cell.times for cell in measure.cells) >= 1
        of_block = [[unit for unit, at in zip(units, design.blocks, strict=True) if at == block] for block in range(3)]
        assert all(min(few) > 0.95 * max(few) for few in of_block if few), "the noise on a block is nearly even"


@pytest.mark.parametrize("weights", [None, "2.5"])
@pytest.mark.parametrize("people", [1, 30, 1000, 10**5, 10**7])
def test_the_noise_that_is_asked_for_can_be_drawn(people: int, weights: Any) -> None:
    """Sums are no finer than needed: what noise a small epsilon asks for must fit, however few the people."""
    columns = {name: COLUMNS[name] for name in ("n1", "n2", "b1", "r", "y")}
    schema = pets.Schema({"t": pets.Table(pets.Unit(None), columns, people=people)})
    sums = Moments(terms=(("n1",), ("n2",), ("b1",), ("r",)), outcome="y", weights=weights)
    plan = make_plan(Query("t", aggregates=(("fit", sums),)), schema)
    for epsilon in (0.01, 0.1, 10):
        assert calibrate(plan, pets.DP(epsilon=epsilon), pets.Budget(epsilon=20, delta=1e-6)).scales[0] > 1


@pytest.mark.parametrize("people", [10**3, 10**6, 10**7])
def test_so_they_do_for_many_people_or_the_plan_is_refused(people: int) -> None:
    columns = COLUMNS | {"cost": pets.Real(0, 100_000, "0.01")}
    schema = pets.Schema({"t": pets.Table(pets.Unit(None), columns, people=people)})
    sums = Moments(terms=(("n2",), ("r",)), outcome="cost")
    asked = Query("t", aggregates=(("fit", sums),))
    if people > 10**5:
        with pytest.raises(pets.UserError, match="'cost' could pass"):
            make_plan(asked, schema)
    else:
        assert make_plan(asked, schema).measures[0].limit <= 2**62


def test_names_of_sums_and_of_coefficients() -> None:
    plan, _, design = planned("a number by a category")
    assert design.terms == ("intercept", "n1", "r[E]", "r[S]", "r[W]", "n1:r[E]", "n1:r[S]", "n1:r[W]")
    assert plan.outputs[0].bins[:5] == ("1", "n1", "r[E]", "r[S]", "r[W]")
    assert "n1*n1*r[W]" in plan.outputs[0].bins and plan.outputs[0].bins[-1] == "y*y"
    assert planned("booleans")[2].terms == ("intercept", "b1[True]", "b2[True]", "s[M]", "two")
