"""Train plan: the numbers of a step, and what is stated of one person; and the public arithmetic between steps."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import pets
from pets.plan.trained.descent import Descent, first_weights, trained
from pets.plan.trained.train_plan import make_train_plan

pytestmark = pytest.mark.chance(0)

COLUMNS = {
    "id": pets.Identifier(),
    "x": pets.Real(-2, 2, "0.5"),
    "ill": pets.Boolean(),
    "sex": pets.Category(["F", "M"]),
    "three": pets.Category(["a", "b", "c"]),
}
SCHEMA = pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=3), COLUMNS, people=1000)})


def test_inputs_widths_and_size_are_those_of_the_schema() -> None:
    plan = make_train_plan(pets.classifier("ill", ["x", "three", "sex"], data="t", hidden=(5,)), SCHEMA)
    assert plan.inputs == (("x", None), ("three", 1), ("three", 2), ("sex", None))
    assert plan.widths == (4, 5, 1)
    assert plan.size == 5 * 5 + 6 == 31
    assert plan.numbers == 200 * 31 + 1
    many = make_train_plan(pets.classifier("three", ["x"], data="t"), SCHEMA)
    assert many.widths == (1, 3) and many.size == 6


def test_the_stated_norms_are_those_of_whole_numbers() -> None:
    """Whoever reaches L0 or L1 has whole numbers whose squares add up to the bound's."""
    plan = make_train_plan(pets.classifier("ill", ["x", "sex"], data="t", clip=0.001), SCHEMA)
    people, step = plan.sensitivities()
    assert plan.bound == 4 and plan.l2_squared == 16
    assert people == {"kind": "people", "l0": 1, "l1": 1, "l2_squared": 1, "linf": 1}
    every = [np.array(v) for v in np.ndindex(5, 5, 5) if sum(one * one for one in v) <= 16]
    assert step["linf"] == max(v.max() for v in every) == 4
    assert step["l1"] == max(v.sum() for v in every) == 6
    assert step["l0"] == max((v > 0).sum() for v in every) == 3
    assert step["l2_squared"] == 16


def test_weights_follow_from_sums_as_the_page_says() -> None:
    """By hand, in fractions: one weight and what is always 1, four steps."""
    sums = [[4096, 0], [8192, -4096], [0, 4096], [4096, 4096]]
    found = trained((1, 1), 2, sums, 4, 0.5, 0)
    w, u, kept = [Fraction(0)] * 2, [Fraction(0)] * 2, []
    for done, step in enumerate(sums):
        rate = Fraction(1, 2) * (Fraction(3, 10) if done >= 2 else 1)
        u = [Fraction(9, 10) * before + Fraction(value, 2 * 4096) for before, value in zip(u, step, strict=True)]
        w = [at - by * rate for at, by in zip(w, u, strict=True)]
        if done >= 2:
            kept.append([round(at * 65536) for at in w])
    assert found == [round(Fraction(sum(pair), 2)) for pair in zip(*kept, strict=True)]


def test_a_count_below_one_is_taken_as_one() -> None:
    assert trained((1, 1), -50, [[4096, 0]], 1, 1.0, 0) == trained((1, 1), 1, [[4096, 0]], 1, 1.0, 0) == [-19661, 0]


def test_weights_stay_within_their_bound_whatever_the_noise() -> None:
    descent = Descent((1, 1), 1, 2, 100.0, 0)
    descent.move(np.array([-(2**60), 2**60]))
    assert [one.tolist() for one in descent.weights] == [[[64 * 65536.0, -64 * 65536.0]]]


def test_first_weights_are_public_and_differ_by_seed() -> None:
    first = first_weights((3, 4, 1), 0)
    assert first == first_weights((3, 4, 1), 0) != first_weights((3, 4, 1), 1)
    assert len(set(first[:16])) == 16 and all(abs(one) <= 0.5 for one in first) and first[16:] == [0.0] * 5
