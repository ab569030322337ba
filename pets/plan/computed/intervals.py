"""Intervals: the public bounds of what is computed of columns, in exact fractions, and the same on whole codes.

A column's values lie on a *grid*: equally spaced between two public ends. A weighted sum of columns, and the least or
greatest of several, lie on a grid again, whose ends and spacing follow from those of the parts (interval arithmetic:
Moore, "Interval Analysis", 1966); nothing is read from rows, and no float is in it. What engines compute are the codes:
whole multiples of whole numbers, so that all of them agree.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from pets.errors import QueryError, SchemaError
from pets.schema.dates import Calendar, Date
from pets.schema.domain import Domain
from pets.schema.numeric import Integer, Numeric, Real

GREATEST = 2**62
"""No code, and no sum on the way to one, may pass this."""

DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Grid:
    """The values ``low + spacing · code`` for the codes 0 to ``cells − 1``; time is counted in days (1: 1 Jan 0001).

    >>> Grid(Fraction(0), Fraction(1, 2), 21).high
    Fraction(10, 1)
    """

    low: Fraction
    spacing: Fraction
    cells: int

    @classmethod
    def constant(cls, value: Fraction) -> Grid:
        """One value alone."""
        return cls(value, Fraction(1), 1)

    @property
    def high(self) -> Fraction:
        """The greatest value."""
        return self.low + self.spacing * (self.cells - 1)

    @property
    def step(self) -> Fraction:
        """The spacing; 0 of one value alone, which lies on every grid through it."""
        return self.spacing if self.cells > 1 else Fraction(0)


@dataclass(frozen=True)
class Affine:
    """The code of a sum: ``offset + Σ factor · code``, one factor a part."""

    factors: tuple[int, ...]
    offset: int


def grid_of(domain: Domain) -> Grid | None:
    """The grid of a column of numbers, days or date-times; ``None`` where its values have no order."""
    if isinstance(domain, Numeric):
        return Grid(domain.origin, domain.spacing, domain.cells)
    if isinstance(domain, Calendar):
        return Grid(instant(domain.lo), Fraction(domain.width // dt.timedelta(seconds=1), 86_400), domain.cells)
    return None


def instant(value: dt.date) -> Fraction:
    """A day or a date-time in days, of which 1 January 0001 is the first.

    >>> instant(dt.date(1, 1, 1)), instant(dt.datetime(1, 1, 2, 12))
    (Fraction(1, 1), Fraction(5, 2))
    """
    if not isinstance(value, dt.datetime):
        return Fraction(value.toordinal())
    unit = dt.timedelta(microseconds=1)
    return 1 + Fraction((value - dt.datetime(1, 1, 1)) // unit, DAY // unit)


def weighted(terms: Sequence[tuple[Fraction, Grid]], constant: Fraction = Fraction(0)) -> tuple[Grid, Affine]:
    """The sum of columns times constants, plus a constant: its grid, and how its code is made of theirs.

    Where every value is whole, the grid is that of whole numbers.

    Raises:
        QueryError: a code could pass 2^62.

    >>> age = Grid(Fraction(18), Fraction(1), 83)
    >>> weighted([(Fraction(-2), age)], Fraction(200))
    (Grid(low=Fraction(0, 1), spacing=Fraction(1, 1), cells=165), Affine(factors=(-2,), offset=164))
    """
    low = constant + sum((times * (grid.low if times > 0 else grid.high) for times, grid in terms), Fraction(0))
    high = constant + sum((times * (grid.high if times > 0 else grid.low) for times, grid in terms), Fraction(0))
    spacing = _common([times * grid.step for times, grid in terms], low)
    factors = tuple(int(times * grid.step / spacing) for times, grid in terms)
    offset = sum(-factor * (grid.cells - 1) for factor, (_, grid) in zip(factors, terms, strict=True) if factor < 0)
    _fits([(factors, offset)], [grid for _, grid in terms])
    return Grid(low, spacing, int((high - low) / spacing) + 1), Affine(factors, offset)


def extreme(parts: Sequence[Grid], *, greatest: bool) -> tuple[Grid, tuple[Affine, ...]]:
    """The least (or greatest) of several values: its grid, and each part's code on it (which may lie below 0).

    Raises:
        QueryError: a code could pass 2^62.
    """
    ends = max if greatest else min
    low, high = ends(part.low for part in parts), ends(part.high for part in parts)
    spacing = _common([part.step for part in parts] + [part.low - low for part in parts], low)
    moved = tuple(Affine((int(part.step / spacing),), int((part.low - low) / spacing)) for part in parts)
    for one, part in zip(moved, parts, strict=True):
        _fits([(one.factors, one.offset)], [part])
    return Grid(low, spacing, int((high - low) / spacing) + 1), moved


def _common(steps: Sequence[Fraction], low: Fraction) -> Fraction:
    """The widest spacing of which all steps are whole multiples; 1 where all values are then whole numbers."""
    steps = [abs(step) for step in steps if step]
    if not steps:
        return Fraction(1)
    below = math.lcm(*(step.denominator for step in steps))
    common = Fraction(math.gcd(*(int(step * below) for step in steps)), below)
    return Fraction(1) if common.denominator == 1 and low.denominator == 1 else common


def _fits(sums: Sequence[tuple[tuple[int, ...], int]], parts: Sequence[Grid]) -> None:
    for factors, offset in sums:
        most = sum(abs(factor) * part.cells for factor, part in zip(factors, parts, strict=True)) + abs(offset)
        if most >= GREATEST:
            raise QueryError(
                "its codes could pass 2^62; use constants with fewer digits, or columns with coarser steps in the "
                "schema"
            )


def as_number(grid: Grid, *, nullable: bool) -> Integer | Real:
    """The domain of numbers on a grid: whole numbers where they all are, else reals in its steps.

    Raises:
        QueryError: its numbers have more digits than are read exactly.
    """
    try:
        if grid.spacing == 1 and grid.low.denominator == 1:
            return Integer(int(grid.low), int(grid.high), nullable=nullable)
        return Real(grid.low, grid.high, grid.spacing, nullable=nullable)
    except SchemaError as error:
        raise QueryError(str(error)) from None


def as_day(grid: Grid, *, nullable: bool) -> Date:
    """The domain of calendar days on a grid.

    Raises:
        QueryError: not all of its values are whole days of the years 1 to 9999.
    """
    if grid.spacing != 1 or grid.low.denominator != 1:
        raise QueryError("a date moved by parts of a day is no date; move it by whole days")
    if not 1 <= grid.low <= grid.high <= dt.date.max.toordinal():
        raise QueryError("it could leave the years 1 to 9999; move the date by fewer days")
    return Date(dt.date.fromordinal(int(grid.low)), dt.date.fromordinal(int(grid.high)), nullable=nullable)


# ages -----------------------------------------------------------------------------------------------------------------

YEAR = 366
BEFORE = 305
"""Days from 1 March of the year 0 to the day before 1 January 0001."""


def birthdays(day: int) -> int:
    """A day as 366 · years + days, in years that begin on 1 March, so that 29 February is the last day of its year.

    Differences of it, divided by 366 and rounded down, are ages: whole years by the calendar, where a birthday on
    29 February falls on 1 March of years that have none (as in ehrQL). The years are counted as in Hinnant's
    "chrono-compatible low-level date algorithms" (2013), whose divisions are all of small whole numbers.

    >>> born = birthdays(dt.date(2000, 2, 29).toordinal())
    >>> [(birthdays(dt.date(2001, *at).toordinal()) - born) // 366 for at in ((2, 28), (3, 1))]
    [0, 1]
    """
    era, days = divmod(day + BEFORE, 146_097)
    year = (days - days // 1_460 + days // 36_524 - days // 146_096) // 365
    return YEAR * (400 * era + year) + days - (365 * year + year // 4 - year // 100)


def marches(first: int, last: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """``birthdays(day) - day`` for the days of an interval, as steps: the first day of each, and its values.

    It grows by one on each 1 March but that of a leap year, before which a year had all of its 366 days.

    >>> [dt.date.fromordinal(day).isoformat() for day in marches(737_425, 738_520)[0]]  # 2020 to 2022
    ['2020-01-01', '2021-03-01', '2022-03-01']
    """
    ends = range(birthdays(first) // YEAR + 1, birthdays(last) // YEAR + 1)
    begins = [365 * year + year // 4 - year // 100 + year // 400 - BEFORE for year in ends]
    breaks = tuple(day for day in begins if birthdays(day) - day != birthdays(day - 1) - (day - 1))
    least = birthdays(first) - first
    return (first, *breaks), tuple(range(least, least + len(breaks) + 1))


def years(birth: Grid, at: Grid) -> tuple[int, int]:
    """The least and the greatest age in whole years, negative before birth; both grids are of time."""
    ends = [(math.floor(at.low), math.floor(birth.high)), (math.floor(at.high), math.floor(birth.low))]
    low, high = ((birthdays(then) - birthdays(born)) // YEAR for then, born in ends)
    return low, high
