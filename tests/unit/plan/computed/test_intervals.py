"""Exact interval arithmetic: every value that can be lies on the grid, and both ends are reached."""

from __future__ import annotations

import datetime as dt
import itertools
from fractions import Fraction as Q

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pets.errors import QueryError
from pets.plan.computed.intervals import (
    Grid,
    as_day,
    as_number,
    birthdays,
    extreme,
    grid_of,
    instant,
    marches,
    weighted,
    years,
)
from pets.schema.schema import Boolean, Category, Date, DateTime, Integer, Real

SMALL = st.builds(
    Grid,
    st.sampled_from([Q(0), Q(-3), Q(1, 2), Q(7, 3), Q(-1, 10)]),
    st.sampled_from([Q(1), Q(2), Q(1, 2), Q(1, 3), Q(1, 100), Q(5)]),
    st.integers(1, 4),
)
TIMES = st.sampled_from([Q(1), Q(-1), Q(2), Q(-3, 2), Q(1, 3), Q(85, 100)])


def value(grid: Grid, code: int) -> Q:
    return grid.low + grid.spacing * code


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(TIMES, SMALL), min_size=1, max_size=3), st.sampled_from([Q(0), Q(1), Q(-7, 4)]))
def test_a_weighted_sum_has_the_value_of_its_code(terms: list[tuple[Q, Grid]], constant: Q) -> None:
    grid, affine = weighted(terms, constant)
    seen = []
    for codes in itertools.product(*(range(part.cells) for _, part in terms)):
        code = affine.offset + sum(a * b for a, b in zip(affine.factors, codes, strict=True))
        exact = constant + sum((t * value(part, c) for (t, part), c in zip(terms, codes, strict=True)), Q(0))
        assert 0 <= code < grid.cells and value(grid, code) == exact
        seen.append(exact)
    assert (min(seen), max(seen)) == (grid.low, grid.high)
    assert as_number(grid, nullable=False).cells == grid.cells


@settings(max_examples=60, deadline=None)
@given(st.lists(SMALL, min_size=1, max_size=3), st.booleans())
def test_an_extreme_has_the_value_of_its_code(parts: list[Grid], greatest: bool) -> None:
    grid, moved = extreme(parts, greatest=greatest)
    best = max if greatest else min
    seen = []
    for codes in itertools.product(*(range(part.cells) for part in parts)):
        code = best(one.offset + one.factors[0] * code for one, code in zip(moved, codes, strict=True))
        exact = best(value(part, code) for part, code in zip(parts, codes, strict=True))
        assert 0 <= code < grid.cells and value(grid, code) == exact
        seen.append(exact)
    assert (min(seen), max(seen)) == (grid.low, grid.high)


def test_no_float_is_in_it() -> None:
    """0.1 + 0.2 + 0.3 is 0.6, in whatever order it is added."""
    tenths = [Grid(Q(n, 10), Q(1), 1) for n in (1, 2, 3)]
    for order in itertools.permutations(tenths):
        assert weighted([(Q(1), part) for part in order])[0].low == Q(6, 10)


def test_whole_numbers_stay_whole() -> None:
    grid, _ = weighted([(Q(2), Grid(Q(0), Q(1), 11))])
    assert as_number(grid, nullable=True) == Integer(0, 20)
    half, _ = weighted([(Q(1, 2), Grid(Q(0), Q(1), 11))])
    assert as_number(half, nullable=False) == Real(0, 5, "0.5", nullable=False)


def test_days_between() -> None:
    first, second = (grid_of(Date(*ends)) for ends in (("2020-01-01", "2020-12-31"), ("2021-01-01", "2021-01-31")))
    assert first is not None and second is not None
    between, _ = weighted([(Q(1), second), (Q(-1), first)])
    assert as_number(between, nullable=False) == Integer(1, 396, nullable=False)
    later, _ = weighted([(Q(1), first)], Q(31))
    assert as_day(later, nullable=False) == Date("2020-02-01", "2021-01-31", nullable=False)


def test_hours_are_parts_of_a_day() -> None:
    found = grid_of(DateTime("2020-01-01 06:00", "2020-01-02 05:00", "hour"))
    assert found == Grid(instant(dt.date(2020, 1, 1)) + Q(1, 4), Q(1, 24), 24)
    assert [grid_of(domain) for domain in (Category(["a"]), Boolean())] == [None, None]


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        (Grid(Q(3, 2), Q(1), 2), "whole days"),
        (Grid(Q(0), Q(1), 2), "fewer days"),
        (Grid(instant(dt.date(9999, 12, 31)), Q(1), 2), "fewer days"),
    ],
)
def test_what_is_no_day_is_refused(grid: Grid, said: str) -> None:
    with pytest.raises(QueryError, match=said):
        as_day(grid, nullable=True)


def test_codes_that_do_not_fit_are_refused() -> None:
    wide = Grid(Q(0), Q(1, 2**40), 2**61)
    with pytest.raises(QueryError, match="2\\^62"):
        weighted([(Q(1), wide), (Q(1, 3), wide)])
    with pytest.raises(QueryError, match="2\\^62"):
        extreme([wide, Grid(Q(1, 3), Q(1), 1)], greatest=True)


def _age(born: dt.date, at: dt.date) -> int:
    """By the calendar: how many birthdays there were, 1 March standing in for 29 February where there is none."""

    def birthday(year: int) -> dt.date:
        try:
            return born.replace(year=year)
        except ValueError:
            return dt.date(year, 3, 1)

    return at.year - born.year if at >= birthday(at.year) else at.year - born.year - 1


DAYS = st.one_of(
    st.dates(),
    st.builds(
        dt.date,
        st.sampled_from([1, 4, 1899, 1900, 1904, 1999, 2000, 2001, 2004, 2100, 9999]),
        st.just(2),
        st.integers(26, 28),
    ),
    st.sampled_from([dt.date(2000, 2, 29), dt.date(2004, 2, 29), dt.date(1900, 3, 1), dt.date(2001, 3, 1)]),
)


@settings(max_examples=120, deadline=None)
@given(DAYS, DAYS)
def test_an_age_is_the_number_of_birthdays(born: dt.date, at: dt.date) -> None:
    assert (birthdays(at.toordinal()) - birthdays(born.toordinal())) // 366 == _age(born, at)


@settings(max_examples=120, deadline=None)
@given(DAYS, st.integers(0, 16_000), st.floats(0, 1))
def test_birthdays_of_an_interval_are_steps(start: dt.date, days: int, part: float) -> None:
    first = start.toordinal()
    begins, slots = marches(first, first + days)
    assert begins[0] == first and list(begins) == sorted(set(begins)) and begins[-1] <= first + days
    near = [one + more for one in begins[1:] for more in (-1, 0)]
    for day in (first, first + int(part * days), first + days, *near):
        assert day + slots[sum(one <= day for one in begins) - 1] == birthdays(day)


def test_29_february_rolls_to_1_march() -> None:
    born = dt.date(2000, 2, 29)
    days = [dt.date(2001, 2, 28), dt.date(2001, 3, 1), dt.date(2004, 2, 28), dt.date(2004, 2, 29)]
    assert [(birthdays(day.toordinal()) - birthdays(born.toordinal())) // 366 for day in days] == [0, 1, 3, 4]


def test_the_ends_of_an_age() -> None:
    birth, at = (grid_of(Date(*ends)) for ends in (("1900-02-28", "2022-06-30"), ("2022-01-01", "2022-12-31")))
    assert birth is not None and at is not None
    assert years(birth, at) == (-1, 122)
