"""Rules of dominance: worked examples, the public bound, and what digits of a mean tell."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from pets.errors import QueryError
from pets.sdc.dominance import Contributions, Dominance, counts_of_mean, nk_fails, p_fails, share

TENTH, NINE = Fraction(1, 10), Fraction(9, 10)


def given(*sums: list[int]) -> Contributions:
    ordered = [sorted(one, reverse=True) for one in sums]
    totals = np.array([sum(one) for one in ordered], dtype=np.int64)
    greatest = np.array([[*one, 0, 0][:2] for one in ordered], dtype=np.int64)
    return Contributions(totals, greatest, np.array([len(one) for one in ordered], dtype=np.int64))


@pytest.mark.parametrize(
    ("people", "nk", "p"),
    [
        ([90000, 300, 250, 190], True, True),
        ([50, 30, 10, 5, 5], False, False),
        ([500, 400, 60, 40], True, False),
        ([500, 400, 50], True, False),
        ([500, 400, 49], True, True),
        ([10], True, True),
        ([10, 10], True, True),
        ([0, 0, 0], False, False),
    ],
)
def test_worked_examples(people: list[int], nk: bool, p: bool) -> None:
    assert nk_fails(given(people), 2, NINE).tolist() == [nk]
    assert p_fails(given(people), TENTH).tolist() == [p]
    assert Dominance().sensitive(given(people)).tolist() == [nk or p]


def test_two_safe_sums_may_have_an_unsafe_difference() -> None:
    rule = Dominance(nk=None)
    assert rule.sensitive(given([100, 80, 60, 40, 20], [100, 60, 40], [80, 20])).tolist() == [False, False, True]


def test_one_person_alone_is_sensitive_though_he_contributes_nothing() -> None:
    assert Dominance().sensitive(given([0], [])).tolist() == [True, False]


def test_sums_that_64_bits_would_not_hold_when_multiplied() -> None:
    huge = 2**61
    assert p_fails(given([huge, huge // 8, huge // 8]), share("0.123456789")).tolist() == [False]
    assert nk_fails(given([huge, huge // 2, 1]), 2, share("0.999999999999")).tolist() == [True]


def test_what_the_public_bound_passes_no_rule_fails() -> None:
    draw = np.random.default_rng(4)
    rules = [Dominance(), Dominance(nk=(1, NINE)), Dominance(nk=None, p=Fraction(1, 2)), Dominance(p=None)]
    passed = 0
    for _ in range(400):
        most = int(draw.integers(1, 20))
        some = given(draw.integers(0, most + 1, int(draw.integers(0, 12))).tolist())
        for rule in rules:
            safe = bool(rule.surely_safe(some.totals, most)[0])
            passed += safe
            assert not (safe and rule.sensitive(some)[0])
    assert passed > 200


def test_the_public_bound_at_its_edge() -> None:
    assert Dominance(nk=None).surely_safe(np.array([20, 21]), 10).tolist() == [False, True]
    assert Dominance(p=None).surely_safe(np.array([22, 23]), 10).tolist() == [False, True]
    assert Dominance(nk=None, p=None).surely_safe(np.array([10, 11]), 10).tolist() == [False, True]  # nobody alone


def test_how_many_the_rules_read() -> None:
    assert [Dominance(nk=one).needed for one in (None, (1, NINE), (5, NINE))] == [2, 2, 5]
    with pytest.raises(QueryError, match="the 3 greatest"):
        Dominance(nk=(3, NINE)).sensitive(given([1, 2, 3]))
    with pytest.raises(QueryError, match="two greatest"):
        p_fails(Contributions(np.array([3]), np.array([[3]]), np.array([1])), TENTH)


@pytest.mark.parametrize(
    ("settings", "told"),
    [({"nk": (0, 0.9)}, "at least 1"), ({"nk": (2, 1.1)}, "up to 1"), ({"p": 0}, "above 0"), ({"p": "a"}, "no share")],
)
def test_rules_that_are_none(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(QueryError, match=told):
        Dominance(**settings)


def test_a_share_is_what_was_written() -> None:
    assert Dominance(nk=(2, 0.9), p=0.1) == Dominance()  # type: ignore[arg-type]


@pytest.mark.parametrize("greatest", [[[3, -1]], [[1, 3]]])
def test_contributions_for_which_the_rules_are_not_defined(greatest: list[list[int]]) -> None:
    with pytest.raises(QueryError, match="0 or more, greatest first"):
        Contributions(np.array([2]), np.array(greatest), np.array([2]))


def test_digits_of_a_mean_tell_how_many_there_are() -> None:
    assert counts_of_mean("0.142857", 30) == [7, 14, 21, 28]
    assert [n for n in range(3, 31) if n not in counts_of_mean("33.3", 30)] == [5]
    assert counts_of_mean("4", 3) == [1, 2, 3]
    with pytest.raises(QueryError, match="no mean"):
        counts_of_mean("many", 30)
