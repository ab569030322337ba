"""Exponentials in whole numbers: tables of means that every engine and every machine finds alike, and exact bounds.

A mean is looked up at the nearest of a grid of 2^-10 and taken from there by three terms of Taylor's series, all in
64-bit whole numbers: no floating point, so no two engines can differ. With a step of at most 2^-11 what the series
leaves out is below 2^-44 times the fourth derivative ÷ 24, and each of the three products is cut by less than 2^-40 of
the table's unit: the mean is right to 2^-38 of a logistic regression's 1, and of a Poisson regression's greatest.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
FINE = 40
"""Bits of a table's entries."""
STEP = 10
"""Bits of its grid."""
ETA = 32
"""Bits of a row's linear predictor."""
FAR = 24
"""A linear predictor is moved between -24 and 24."""
_GUARD = 160


def exponential(x: Fraction) -> Fraction:
    """e^x to 40 digits, for -64 ≤ x ≤ 64.

    >>> exponential(Fraction(0)), round(float(exponential(Fraction(-1))), 12)
    (Fraction(1, 1), 0.367879441171)
    """
    if x == 0:
        return Fraction(1)
    if x < 0:
        return 1 / exponential(-x)
    halvings = math.ceil(x).bit_length() + 8
    unit = 1 << (_GUARD + 64 + 2 * halvings)
    part = x.numerator * unit // (x.denominator << halvings)
    total = term = unit
    count = 0
    while term:
        count += 1
        term = term * part // (unit * count)
        total += term
    for _ in range(halvings):
        total = total * total // unit
    return Fraction(total, unit)


def logistic(x: Fraction) -> Fraction:
    """1 / (1 + e^-x).

    >>> logistic(Fraction(0))
    Fraction(1, 2)
    """
    return 1 / (1 + exponential(-x))


@lru_cache(maxsize=1)
def _logistic_table() -> tuple[Ints, ...]:
    """The logistic function from 0 to 24, and its derivatives over 1, 2 and 6."""
    step = exponential(Fraction(-1, 1 << STEP))
    down = step.numerator * (1 << _GUARD) // step.denominator
    one, now = 1 << _GUARD, 1 << _GUARD
    out = np.zeros((4, (FAR << STEP) + 1), dtype=np.int64)
    for place in range(out.shape[1]):
        mean = one * one // (one + now)
        slope = mean * (one - mean) >> _GUARD
        second = slope * (one - 2 * mean) >> _GUARD
        third = (slope * (one - 6 * slope)) >> _GUARD
        out[:, place] = [
            _rounded(mean),
            _rounded(slope),
            _rounded(second // 2),
            _rounded(third // 6),
        ]
        now = now * down >> _GUARD
    return tuple(out)


def _rounded(value: int) -> int:
    return (value + (1 << _GUARD - FINE - 1)) >> (_GUARD - FINE)


def logistic_means(eta: Ints) -> Ints:
    """1 / (1 + e^-η) in units of 2^-40, of η in units of 2^-32."""
    size = np.minimum(np.abs(eta), np.int64(FAR << ETA))
    mean = _taken(size, _logistic_table(), 0)
    return np.where(eta < 0, (1 << FINE) - mean, mean)


def poisson_bits(top: int) -> int:
    """Bits of a Poisson mean that reaches ``top``."""
    return FINE - top.bit_length()


@lru_cache(maxsize=8)
def _poisson_table(top: int) -> tuple[Ints, ...]:
    """e^η from -24 on until it passes ``top``, and its derivatives over 1, 2 and 6."""
    bits = _GUARD - poisson_bits(top)
    step, first = exponential(Fraction(1, 1 << STEP)), exponential(Fraction(-FAR))
    up = step.numerator * (1 << _GUARD) // step.denominator
    now = first.numerator * (1 << _GUARD) // first.denominator
    found = [now]
    while now <= top << _GUARD:
        now = now * up >> _GUARD
        found.append(now)
    half = 1 << (bits - 1)
    values = [(one + half) >> bits for one in found]
    means = np.array(values, dtype=np.int64)
    return means, means, means // 2, means // 6


def poisson_means(eta: Ints, top: int) -> Ints:
    """e^η, at most ``top``, in units of 2^-``poisson_bits(top)``, of η in units of 2^-32."""
    tables = _poisson_table(top)
    last = np.int64((len(tables[0]) - 1 - (FAR << STEP)) << (ETA - STEP))
    mean = _taken(np.clip(eta, np.int64(-FAR << ETA), last), tables, FAR << STEP)
    return np.asarray(np.minimum(mean, np.int64(top << poisson_bits(top))))


def _taken(eta: Ints, tables: tuple[Ints, ...], zero: int) -> Ints:
    """Taylor's series from the nearest place of a table; ``zero``: the place of 0."""
    place = (eta + (1 << (ETA - STEP - 1))) >> (ETA - STEP)
    left = eta - (place << (ETA - STEP))
    place = place + zero
    out = tables[3][place]
    for table in (tables[2], tables[1], tables[0]):
        out = table[place] + ((out * left) >> ETA)
    return np.asarray(out)
