"""Products of people's scores: nobody moves them further than stated, the worst do, and the parts are their own."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest

import pets
from pets.plan.measure import Measure
from pets.plan.plan import make_plan
from pets.query_model.nodes.meat import Meat
from pets.query_model.query import Query
from pets.rows.engine.people_scores import of_rows, products
from tests.unit.plan.fitted import test_newton
from tests.unit.plan.fitted.test_newton import COLUMNS

pytestmark = pytest.mark.chance(0)

DESIGNS = test_newton.DESIGNS | {"in the middle": (["n2"], 2)}
UNIT = pets.Unit("id", max_rows=4, rows=3)


def measured(design: str, at: Any = 0, norm: Any = None, weights: Any = None, people: int = 10_000) -> Measure:
    terms, count = DESIGNS[design]
    given = (at,) * count if isinstance(at, int) else tuple(at)[:count]
    node = Meat(terms=tuple(terms), outcome="n", at=given, norm=norm, weights=weights)
    schema = pets.Schema({"t": pets.Table(UNIT, {"id": pets.Identifier(), **COLUMNS}, people=people)}, dataset="d")
    (measure,) = make_plan(Query("t", aggregates=(("fit", node),)), schema).measures
    return measure


def drawn(measure: Measure, people: int, seed: int) -> dict[str, Any]:
    """Codes of up to three rows of each person, often at the ends of their ranges."""
    draw = np.random.default_rng(seed)
    person = np.repeat(np.arange(people), draw.integers(1, 4, people))
    out: dict[str, Any] = {"": person}
    for name in measure.columns:
        cells = COLUMNS[name].cells
        ends = draw.choice([0, cells - 1, cells // 2], len(person))
        out[name] = np.where(draw.random(len(person)) < 0.5, ends, draw.integers(0, cells, len(person)))
    return out


def summed(measure: Measure, codes: dict[str, Any]) -> Any:
    count = len(codes[""])
    return products(measure, codes, np.zeros(count, dtype=np.int64), np.ones(count, dtype=np.int64), 1)


def of_people(measure: Measure, codes: dict[str, Any]) -> list[Any]:
    return [summed(measure, {n: one[codes[""] == who] for n, one in codes.items()}) for who in np.unique(codes[""])]


@pytest.mark.parametrize("norm", [None, "0.0625", 1, 40])
@pytest.mark.parametrize("weights", [None, 2])
@pytest.mark.parametrize("design", DESIGNS)
def test_nobody_moves_the_sums_further_than_stated(design: str, weights: Any, norm: Any) -> None:
    draw = random.Random(len(design))
    for far in (0, 2**29, 2**36):
        measure = measured(design, [draw.randint(-far, far) for _ in range(8)], norm, weights)
        stated = measure.sensitivity
        for moved in of_people(measure, drawn(measure, 40, far % 97)):
            own = [int(one) for one in moved]
            assert sum(map(bool, own)) <= stated.l0 and sum(map(abs, own)) <= stated.l1
            assert sum(one * one for one in own) <= stated.l2_squared and max(map(abs, own)) <= stated.linf


def test_the_worst_reaches_the_bound() -> None:
    """One number, which lies in the middle of its range: the score is the intercept's alone, as long as may be."""
    measure = measured("in the middle", 0, 1)
    assert measure.scores is not None
    codes = {"": np.zeros(1, dtype=int), "n2": np.array([50]), "n": np.array([14])}
    moved = [int(one) for one in summed(measure, codes)]
    assert moved[0] == measure.sensitivity.linf == 5 * measure.scores.bound**2
    assert sum(one * one for one in moved) == measure.sensitivity.l2_squared


def test_with_two_numbers_alike_a_product_weighs_nearly_as_much_as_may_be() -> None:
    """(s, s): 25 + 25 + 49 of 100 parts of the bound's square."""
    measure = measured("a line", 0, "0.5")
    codes = {"": np.zeros(1, dtype=int), "n1": np.array([COLUMNS["n1"].cells - 1]), "n": np.array([14])}
    moved = [int(one) for one in summed(measure, codes)]
    assert 0.985 * measure.sensitivity.l2_squared < sum(one * one for one in moved) <= measure.sensitivity.l2_squared


@pytest.mark.parametrize("norm", [None, 1])
def test_who_leaves_takes_their_own_part_and_nothing_else(norm: Any) -> None:
    measure = measured("all of them", [2**29, -(2**28), 2**27, 3, 2**30, 1, 2, 2**29], norm, 3)
    codes = drawn(measure, 60, 5)
    whole, parts = summed(measure, codes), of_people(measure, codes)
    assert (sum(parts) == whole).all()
    for who in (0, 17, 59):
        fewer = {name: one[codes[""] != who] for name, one in codes.items()}
        assert (whole - summed(measure, fewer) == parts[who]).all()
    order = np.random.default_rng(1).permutation(len(codes[""]))
    assert (summed(measure, {name: one[order] for name, one in codes.items()}) == whole).all()


def test_exact_sums_are_those_of_floating_point_to_nine_digits() -> None:
    at = [2**29, -(2**28), 2**27, 2**26, 2**25, 2**24, 2**23, 2**29]
    for weights in (None, 2):
        measure = measured("all of them", at, None, weights)
        codes, p = drawn(measure, 500, 3), 8
        rows = of_rows(measure, codes) * float(measure.scores.norm / measure.scores.bound)  # type: ignore[union-attr]
        people = np.zeros((500, p))
        np.add.at(people, codes[""], rows)
        wanted = (people.T @ people)[np.triu_indices(p)]
        found = summed(measure, codes).astype(float)
        schema = pets.Schema({"t": pets.Table(UNIT, {"id": pets.Identifier(), **COLUMNS}, people=10_000)}, dataset="d")
        node = Meat(terms=tuple(DESIGNS["all of them"][0]), outcome="n", at=tuple(at), weights=weights)
        (output,) = make_plan(Query("t", aggregates=(("fit", node),)), schema).outputs
        scaled = found / np.array(output.units, dtype=float)
        parts = sum(scaled[place : place + 36] for place in (0, 36, 72)) * float(measure.scores.norm) ** 2  # type: ignore[union-attr]
        assert np.allclose(parts, wanted, rtol=1e-9, atol=1e-9 * np.abs(wanted).max())
        assert scaled[-1] == 500


def test_where_a_row_is_a_person_patterns_count_as_often_as_they_stand() -> None:
    measure = measured("numbers", 2**28, 2)
    codes = drawn(measure, 30, 9)
    alone = {name: one for name, one in codes.items() if name}
    count = len(codes[""])
    each = summed(measure, alone | {"": np.arange(count)})
    zeros = np.zeros(count, dtype=np.int64)
    assert (products(measure, alone, zeros, np.ones(count, dtype=np.int64), 1) == each).all()
    assert (products(measure, alone, zeros, np.full(count, 3), 1) == 3 * each).all()
    assert (products(measure, alone, zeros - 1, np.full(count, 3), 1) == 0).all()


def test_people_are_told_apart_within_groups() -> None:
    measure = measured("numbers", 2**28, 2)
    codes = drawn(measure, 30, 10)
    count = len(codes[""])
    slots = np.arange(count) % 3 - 1
    found = products(measure, codes, slots, np.ones(count, dtype=np.int64), 2)
    for group in (0, 1):
        part = {name: one[slots == group] for name, one in codes.items()}
        assert (found[group * measure.width :][: measure.width] == summed(measure, part)).all()


def test_sums_fit_for_as_many_people_as_are_stated() -> None:
    for people in (1, 10**6, 2**36):
        for norm in (None, 1):
            measure = measured("numbers", 2**30, norm, people=people)
            assert measure.limit <= 2**62
            assert measure.scores is not None and measure.scores.bound >= 2**8
    bits = [math.log2(measured("numbers", 0, 1, people=people).scores.bound) for people in (100, 2**36)]  # type: ignore[union-attr]
    assert bits == [16, 10]
