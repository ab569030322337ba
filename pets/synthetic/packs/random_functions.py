"""What formulas may leave to chance. Every draw comes from the stream of the column that is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pets.synthetic.packs.scope import Maker, numbers, whole
from pets.synthetic.packs.values import Values

FIRST_DAY, LAST_DAY = -719_162, 2_932_896
"""The first day of year 1 and the last of year 9999, counted from 1970."""

CHANCE: dict[str, Callable[..., Values]] = {}


def _function(function: Callable[..., Values]) -> Callable[..., Values]:
    CHANCE[function.__name__] = function
    return function


@_function
def pick(scope: Maker, name: str, by: Values | None = None) -> Values:
    """A code of a list, by its weights; ``by`` numbers the group whose weights are meant, from 0."""
    codes = scope.codes(name)
    if by is not None and len(by.data) and not 0 <= by.data.min() <= by.data.max() < codes.groups:
        raise ValueError(f"code list {name!r} has weights for {codes.groups} groups")
    group = None if by is None else by.data
    return Values("text", codes.draw(scope.random, scope.rows, group), codes.codes)


@_function
def chance(scope: Maker, share: Any) -> Values:
    """Whether a thing happens that happens in this share of cases."""
    return Values("truth", scope.random.random(scope.rows) < numbers(scope, share))


@_function
def uniform(scope: Maker, low: Any, high: Any) -> Values:
    """A whole number from low to high, each as likely."""
    return whole(scope.random.integers(numbers(scope, low), numbers(scope, high) + 1, size=scope.rows))


@_function
def geometric(scope: Maker, mean: Any) -> Values:
    """0, 1, 2, … falling off evenly."""
    share = 1 / (1 + np.asarray(numbers(scope, mean), dtype=np.float64))
    draws = np.log(1 - scope.random.random(scope.rows)) / np.log1p(-np.minimum(share, 1 - 1e-12))
    return whole(np.minimum(draws, 2**31))


@_function
def poisson(scope: Maker, mean: Any) -> Values:
    """How often independent things happen."""
    return whole(scope.random.poisson(numbers(scope, mean), size=scope.rows))


@_function
def often(scope: Maker, mean: Any, shape: float) -> Values:
    """How often things happen that happen to some people again and again (negative binomial; less even below 1)."""
    frail = scope.random.gamma(shape, np.asarray(numbers(scope, mean), dtype=np.float64) / shape, scope.rows)
    return whole(scope.random.poisson(frail))


@_function
def normal(scope: Maker, mean: Any, spread: float) -> Values:
    """A number about its mean."""
    return Values("real", numbers(scope, mean) + spread * scope.random.standard_normal(scope.rows))


@_function
def skewed(scope: Maker, median: Any, spread: float) -> Values:
    """A number above 0 with a long tail (log-normal)."""
    return Values("real", numbers(scope, median) * np.exp(spread * scope.random.standard_normal(scope.rows)))


@_function
def day_in(scope: Maker, low: Values, high: Values, name: str = "") -> Values:
    """A day from low to high, busier on the busy days of a calendar; no day where high lies before low."""
    empty = low.holes | high.holes | (low.data > high.data)
    first, last = np.where(empty, 0, low.data), np.where(empty, 0, high.data)
    share = scope.random.random(scope.rows)
    if not name or not len(first) or empty.all():
        days = first + (share * (last - first + 1)).astype(np.int64)
    else:
        start, end = int(low.data[~empty].min()), int(high.data[~empty].max())
        if not FIRST_DAY <= start <= end <= LAST_DAY:
            raise ValueError("day_in() draws days of the years 1 to 9999")
        busy = scope.calendar(name).busy(start, end)
        first, last = np.where(empty, start, low.data) - start, np.where(empty, start, high.data) - start
        wanted = busy[first] + share * (busy[last + 1] - busy[first])
        days = start + np.clip(np.searchsorted(busy, wanted, side="right") - 1, first, last)
    return Values("day", days, (), empty if empty.any() else None)


@_function
def missing(scope: Maker, value: Values, share: float) -> Values:
    """The value, not recorded in a share of the rows."""
    return value.without(scope.random.random(scope.rows) < share)
