"""Codes of derived columns: one arithmetic of whole numbers for expressions of an engine and for arrays.

What is divided is never negative and below 2^52 (``EXACT`` in :mod:`pets.plan.computed.derive`), so that an engine may
divide as doubles do.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping
from typing import Any

from pets.plan.computed.derive import Best, Clock, Made, Quotient, Recipe, Runs, Weighted, Years
from pets.plan.computed.intervals import BEFORE, YEAR, birthdays, marches
from pets.schema.domain import Domain

Choose = Callable[[Any, Any, Any], Any]
"""The second where the first holds, else the third: an engine's CASE, or ``numpy.where``."""

Whole = Callable[[Any], Any]
"""The same as whole numbers of 64 bits."""

FEW = 40 * YEAR
"""Days of a column up to which its years are told apart by comparing: a tree of five is less work for an engine, and
less to read, than a dozen divisions of the days that are written out each time."""


def steps(code: Any, breaks: tuple[int, ...], slots: tuple[Any, ...], choose: Choose) -> Any:
    """A public step function of a code, as a balanced tree of comparisons."""
    if len(slots) == 1:
        return slots[0]
    middle = len(slots) // 2
    return choose(
        code < breaks[middle],
        steps(code, breaks[:middle], slots[:middle], choose),
        steps(code, breaks[middle:], slots[middle:], choose),
    )


def derived_code(
    made: Made, domains: Mapping[str, Domain], column: Callable[[str], Any], choose: Choose, whole: Whole
) -> Any:
    """The code of a derived column, its null code where a column that it is made of is null."""
    recipe = made.recipe
    codes = {name: whole(column(name)) for name in recipe.columns}
    if isinstance(recipe, Runs):
        only = codes[recipe.columns[0]]
        # (an engine may take one number for a whole column as a number)
        return only * 0 + steps(only, recipe.breaks, recipe.codes, choose)
    found = _code(recipe, domains, codes, choose, whole)
    nulls = [codes[name] == domains[name].cells for name in recipe.columns if domains[name].nullable]
    return choose(functools.reduce(operator.or_, nulls), made.domain.cells, found) if nulls else found


def _code(recipe: Recipe, domains: Mapping[str, Domain], codes: Mapping[str, Any], choose: Choose, whole: Whole) -> Any:
    if isinstance(recipe, Weighted):
        parts = [codes[name] * factor for name, factor in zip(recipe.columns, recipe.affine.factors, strict=True)]
        return functools.reduce(operator.add, parts) + recipe.affine.offset
    if isinstance(recipe, Best):
        moved = [codes[n] * one.factors[0] + one.offset for n, one in zip(recipe.columns, recipe.parts, strict=True)]
        moved += [] if recipe.constant is None else [recipe.constant]
        # comparisons, as for clips: LEAST and GREATEST are slow on DuckDB's narrow integers
        better = operator.ge if recipe.greatest else operator.le
        return functools.reduce(lambda a, b: choose(better(a, b), a, b), moved)
    if isinstance(recipe, Years):
        at, birth = (_birthdays(clock, domains, codes, choose, whole) for clock in (recipe.at, recipe.birth))
        lived = at - birth
        return whole((lived - YEAR * recipe.least) // YEAR)
    assert isinstance(recipe, Quotient), f"derived_codes.py must say how {type(recipe).__name__} is computed"
    return whole((codes[recipe.columns[0]] * recipe.factor + recipe.offset) // recipe.divisor)


def _birthdays(
    clock: Clock, domains: Mapping[str, Domain], codes: Mapping[str, Any], choose: Choose, whole: Whole
) -> Any:
    """:func:`pets.plan.computed.intervals.birthdays` of the day of a code; of the null code, any number."""
    if clock.column is None:
        return birthdays(clock.shift)
    code = codes[clock.column]
    time = code + clock.shift
    day = time if clock.per_day == 1 else whole(time // clock.per_day)
    first, last = ((end + clock.shift) // clock.per_day for end in (0, domains[clock.column].cells - 1))
    if last - first <= FEW:
        begins, more = marches(first, last)
        return day + steps(code, tuple(one * clock.per_day - clock.shift for one in begins), more, choose)
    day = day + BEFORE
    era, days = whole(day // 146_097), whole(day % 146_097)
    year = whole((days - whole(days // 1_460) + whole(days // 36_524) - whole(days // 146_096)) // 365)
    return (era * 400 + year) * YEAR + days - (year * 365 + whole(year // 4) - whole(year // 100))
