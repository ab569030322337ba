"""Who leaves when: the bins, and that no row moves the sums further than is stated."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import pets
from pets.errors import QueryError
from pets.plan.fitted.exits import UNIT, counts, exit_bins, inverse, matrix, max_spread, of_row, solved, weights
from pets.plan.plan import make_plan
from pets.query_model.nodes.exits import Exits

pytestmark = pytest.mark.chance(0)

COLUMNS: dict[str, Any] = {
    "days": pets.Integer(0, 99),
    "few": pets.Integer(1, 5),
    "years": pets.Real(0, 10, "0.5"),
    "early": pets.Integer(-1, 9),
    "once": pets.Integer(4, 4),
    "died": pets.Boolean(),
    "arm": pets.Category(["a", "b"], nullable=False),
}
SCHEMA = pets.Schema({"t": pets.Table(pets.Unit(None), COLUMNS, people=1000)})


def bins(time: str, **settings: Any) -> Any:
    return exit_bins(Exits(time, "died", **settings), SCHEMA.fields("t"), "t")


def test_bins_are_half_open_and_the_rest_of_the_range_is_one_more() -> None:
    found = bins("days", edges=[0, 30, 60])
    assert found.breaks == (0, 30, 60, 100) and found.levels == (2, 3) and found.within == 2
    assert found.labels == (
        *("event in [0, 30)", "event in [30, 60)", "left in [0, 30)", "left in [30, 60)"),
        "left from 60 on",
    )
    assert found.values == (None, None)
    whole = bins("days", edges=[0, 50, 100])
    assert whole.breaks == (0, 50, 100) and whole.levels == (2, 2)
    assert bins("days", edges=[0, 50, 1000]).breaks == (0, 50, 100)
    assert bins("years", edges=["0", "0.4", "0.6", 2]).breaks == (0, 1, 2, 4, 21)
    assert bins("few", edges=[0, 2, "3.5", 9]).breaks == (0, 1, 3, 5)


def test_bins_by_number_cut_the_public_range_and_are_one_value_where_there_are_so_few() -> None:
    assert bins("days", bins=4).breaks == (0, 24, 49, 74, 99, 100), "the largest time has a bin of its own"
    assert bins("days").within == 25 and bins("days").values[-2:] == (None, 99) and bins("days").largest == 99
    assert bins("days", bins=1000).within == 100
    one = bins("few")
    assert one.edges == (1, 2, 3, 4, 5, 6) and one.values == (1, 2, 3, 4, 5) and one.levels == (5, 5)
    assert bins("years", bins=3).edges == (0, 3, Fraction(13, 2), 10, Fraction(21, 2))
    assert bins("once").breaks == (0, 1) and bins("once").values == (4,)
    assert bins("few", edges=[0, 2, 4, 9]).values == (1, None, None)


@pytest.mark.parametrize("size", [1, 2, 12, 48, 365, 1000])
def test_the_matrix_squared_adds_up_and_the_first_column_is_the_longest(size: int) -> None:
    exact = [Fraction(math.comb(2 * k, k), 4**k) for k in range(size)]
    assert all(abs(one - UNIT * true) <= Fraction(1, 2) for one, true in zip(weights(size), exact, strict=True))
    if size <= 365:
        squared = (matrix(size) / UNIT) @ (matrix(size) / UNIT)
        assert np.allclose(squared, np.tril(np.ones((size, size))), atol=1e-2)
    norms = (matrix(size).astype(object) ** 2).sum(axis=0)
    told = of_row(size)
    assert told.l2_squared == max(norms) and told.l1 == matrix(size).sum(axis=0).max()
    assert told.l0 == size and told.linf == matrix(size).max() == UNIT


def test_the_norms_are_those_that_were_measured() -> None:
    """facts: 1.851 of 12 bins, 2.297 of 48, 2.944 of 365."""
    assert [round(of_row(size).l2_squared / UNIT**2, 3) for size in (12, 48, 365)] == [1.851, 2.297, 2.944]


def test_counts_come_back_from_their_sums() -> None:
    draw = np.random.default_rng(0)
    for size in (1, 2, 7, 200):
        true = draw.integers(0, 10**9, (3, size))
        sums = true @ matrix(size).T
        assert (counts(sums) == true).all() and (counts(sums[0]) == true[0]).all()
        both, spread = solved(np.concatenate([sums, sums], axis=1), (size, size), exact=False)
        assert np.allclose(both, np.concatenate([true, true], axis=1), rtol=1e-9)
        assert spread[-1] == pytest.approx(max_spread(size)) == pytest.approx(spread.max())
        assert np.allclose(inverse(size) @ matrix(size), np.eye(size), atol=1e-9)


def test_the_plan_has_one_block_whatever_the_groups() -> None:
    asked = pets.query("t").group_by("arm").agg(s=Exits("days", "died", edges=[0, 30, 60]))
    (measure,) = make_plan(asked, SCHEMA).measures
    assert measure.kind == "exits" and measure.width == 5 and measure.levels == (2, 3)
    row = of_row(3)
    moved = measure.sensitivity
    assert (moved.l1, moved.l2_squared) == (row.l1, row.l2_squared), "groups and lists are parallel: the price of one"
    assert measure.limit == 1000 * UNIT and measure.columns == ("days", "died")


@pytest.mark.parametrize(
    ("time", "settings", "says"),
    [
        ("early", {}, "can be -1, and no survival time is before 0"),
        ("died", {}, "the time of a survival curve is a number"),
        ("arm", {}, "the time of a survival curve is a number"),
        ("days", {"edges": [5, 10]}, "begin with 0"),
        ("days", {"edges": [-5, 10]}, "begin with 0"),
        ("years", {"edges": ["0", "0.1", "0.2"]}, "no value of column 'years' lies from 0.1 up to 0.2"),
        ("days", {"edges": [0, 200, 300]}, "lies from 200 up to 300"),
    ],
)
def test_what_is_no_survival_time_is_refused(time: str, settings: Any, says: str) -> None:
    with pytest.raises(QueryError, match=says):
        bins(time, **settings) if time != "died" else exit_bins(Exits("died", "days"), SCHEMA.fields("t"), "t")


def test_an_event_is_a_boolean() -> None:
    with pytest.raises(QueryError, match="is a boolean"):
        exit_bins(Exits("days", "arm"), SCHEMA.fields("t"), "t")
