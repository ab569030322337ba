"""The proof's checks: what they take, and every way in which a claim can be wrong."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from pets.errors import QueryError
from pets.sdc.proof import Attack, Protected, verify_attack, verify_pair
from pets.sdc.system import GREATEST, Statement, System

TOLD = [
    Statement((0, 1), 8, 12, "row"),
    Statement((1, 2), 20, 20, "column"),
    Statement((2,), 15, 15, "cell"),
]
SYSTEM = System.from_statements(3, TOLD)
ONE = Protected((0,), "one")
RIGHT = (np.array([3, 5, 15]), np.array([7, 5, 15]))


def test_a_right_pair_is_taken_either_way_round() -> None:
    assert verify_pair(SYSTEM, ONE, RIGHT, 4)
    assert verify_pair(SYSTEM, ONE, RIGHT[::-1], 4)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(np.array([8, 5, 15]), id="a sum above what was told"),
        pytest.param(np.array([2, 5, 15]), id="a sum below what was told"),
        pytest.param(np.array([3, 6, 15]), id="an exact number missed"),
        pytest.param(np.array([9, -1, 15]), id="fewer than nobody"),
        pytest.param(np.array([7.0, 5.0, 15.0]), id="no whole numbers by kind"),
        pytest.param(np.array([6.5, 5.0, 15.0]), id="half a person"),
        pytest.param(np.array([7, 5]), id="an atom left out"),
        pytest.param(np.array([[7, 5, 15]]), id="another shape"),
        pytest.param(np.array([True, True, True]), id="no numbers"),
        pytest.param(np.array([7, GREATEST + 1, 15]), id="more people than there can be"),
        pytest.param(np.array([2**63 + 7, 5, 15], dtype=np.uint64), id="numbers that wrap"),
    ],
)
def test_a_wrong_table_is_refused_on_either_side(wrong: Any) -> None:
    assert not verify_pair(SYSTEM, ONE, (RIGHT[0], wrong), 0)
    assert not verify_pair(SYSTEM, ONE, (wrong, RIGHT[0]), 0)


def test_a_pair_that_lies_nearer_than_it_says() -> None:
    assert not verify_pair(SYSTEM, ONE, RIGHT, 5)
    assert not verify_pair(SYSTEM, ONE, (RIGHT[0], RIGHT[0]), 1)


def test_an_atom_that_is_named_twice_would_count_twice() -> None:
    with pytest.raises(QueryError, match="each atom once"):
        Protected((0, 0), "one")


# cell 0 = row − column + cell: at least 8 − 20 + 15, at most 12 − 20 + 15
F = Fraction
ROWS = ((0, F(1)), (1, F(-1)), (2, F(1)))
ATTACK = Attack(3, 7, ROWS, ROWS)


def test_a_right_derivation() -> None:
    assert verify_attack(SYSTEM, ONE, ATTACK, 5)
    assert verify_attack(SYSTEM, ONE, Attack(2, 8, ROWS, ROWS), 7)  # it may say less than it shows


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(Attack(4, 7, ROWS, ROWS), id="a least number that does not follow"),
        pytest.param(Attack(3, 6, ROWS, ROWS), id="a greatest number that does not follow"),
        pytest.param(Attack(3, 7, ROWS[:2], ROWS), id="an atom left over below"),
        pytest.param(Attack(3, 7, ROWS, ROWS[1:]), id="an atom that is wanting above"),
        pytest.param(Attack(3, 7, ROWS, ((0, F(1, 2)), *ROWS[1:])), id="half an atom above"),
        pytest.param(Attack(3, 7, ((0, F(3, 2)), *ROWS[1:]), ROWS), id="half an atom too many below"),
        pytest.param(Attack(3, 7, ROWS, (*ROWS, (3, F(1)))), id="a number that nobody told"),
        pytest.param(Attack(3, 7, ROWS, (*ROWS, (-1, F(1)))), id="a number counted from the end"),
    ],
)
def test_a_wrong_derivation_is_refused(wrong: Attack) -> None:
    assert not verify_attack(SYSTEM, ONE, wrong, 100)


def test_a_derivation_that_leaves_as_much_open_as_was_promised_is_no_attack() -> None:
    assert not verify_attack(SYSTEM, ONE, ATTACK, 4)


def test_ends_are_rounded_inwards_to_whole_numbers() -> None:
    twice = System.from_statements(2, [Statement((0, 1), 5, 5, "sum"), Statement((1,), 2, 3, "one")])
    both = Protected((0, 1), "both")
    half = ((0, F(1)),)
    assert verify_attack(twice, both, Attack(5, 5, half, half), 1)
    thirds = System.from_statements(3, [Statement(pair, 0, 1, "") for pair in [(0, 1), (1, 2), (0, 2)]])
    every = Protected((0, 1, 2), "all")
    halves = tuple((row, F(1, 2)) for row in range(3))
    assert verify_attack(thirds, every, Attack(0, 1, (), halves), 2)  # 3/2, so 1
    assert not verify_attack(thirds, every, Attack(0, 0, (), halves), 2)
