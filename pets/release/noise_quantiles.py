"""The law of the noise: how far an answer may lie from the exact one.

Noise is discrete: X of scale σ takes the whole number k with probability ∝ exp(−k²/2σ²) (*gaussian*) or ∝ exp(−|k|/b)
(*laplace*, σ written b). An output's error is a weighted sum of independent such variables. For small scales the
normal approximation is wrong (of σ = 0.5 most draws are 0), so the law itself is used: exactly where it is short
enough to tabulate, and on a fine grid where it is smooth. Nothing here draws anything, and nothing here is secret.

Guarantee: with one term, exact; with more, the probability is right to about 0.001 of 1 − confidence or 1e-6,
whichever is greater. Source: Canonne, Kamath and Steinke 2020, Definition 1, for the discrete Gaussian.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from pets.errors import InternalError

Kind = Literal["gaussian", "laplace"]
Terms = tuple[tuple[float, float], ...]
Floats = npt.NDArray[np.float64]

_FINE = {"gaussian": 256.0, "laplace": 64.0}  # a scale up to this is tabulated exactly; a greater one on this grid
_REACH = {"gaussian": 9.5, "laplace": 38.0}  # scales to the end of the table: what lies beyond is below 1e-16
_FFT_LIMIT = 2**20
_MERGED = 1024  # atoms of each part where three or more are added


@dataclass(frozen=True, eq=False)
class _Table:
    """A symmetric law on the grid ``stride · {−m … m}``; ``smooth``: it stands for a law far finer than the grid."""

    stride: float
    mass: Floats
    smooth: bool

    @property
    def reach(self) -> int:
        """m."""
        return len(self.mass) // 2

    @property
    def tail(self) -> Floats:
        """P(more than k grid steps) for k from −m−1 to m; summed from the far end, so that small values keep digits."""
        return np.concatenate([np.cumsum(self.mass[::-1])[::-1], [0.0]])


@lru_cache(maxsize=4096)
def half_width(kind: Kind, terms: Terms, confidence: float) -> float:
    """The smallest h with P(|Σ coefficient·X| ≤ h) ≥ confidence.

    Args:
        kind: the law of every X.
        terms: (coefficient, scale) of each independent X; h is in the unit of the coefficients.
        confidence: between 0 and 1.

    >>> half_width("gaussian", ((1.0, 10.0),), 0.95)
    20.0
    >>> half_width("gaussian", ((1000.0, 0.5),), 0.95)
    1000.0
    """
    parts = _parts(kind, terms)
    if not 0 < confidence < 1:
        raise InternalError(f"a confidence lies between 0 and 1, not at {confidence!r}")
    if not parts:
        return 0.0
    if len(parts) == 1 and parts[0][2] == 1:
        coefficient, scale, _ = parts[0]
        return coefficient * _whole_width(kind, scale, 1 - confidence)
    allowed = (1 - confidence) / 2  # above h; as much lies below −h
    values, weights, last, unit = _split(kind, parts)
    tail = last.tail
    low, high = 0.0, float(np.abs(values).max()) + unit * (last.reach + 1)
    if _above(0.0, values, weights, last, tail, unit) <= allowed:
        return 0.0
    while high - low > 1e-10 * high:
        middle = (low + high) / 2
        if _above(middle, values, weights, last, tail, unit) <= allowed:
            high = middle
        else:
            low = middle
    if len(parts) == 1:  # equal coefficients: the error is a whole multiple of them, and on a coarse grid none shows
        steps = high / parts[0][0]
        return parts[0][0] * max(0, math.ceil(steps - 0.5) if last.smooth else round(steps))
    whole = float(round(high))  # the place of a jump, where coefficients are whole
    exact = abs(whole - high) <= 2e-10 * high and _above(whole, values, weights, last, tail, unit) <= allowed
    return whole if exact else high


def coverage(kind: Kind, terms: Terms, width: float) -> float:
    """P(|Σ coefficient·X| ≤ width), the inverse of :func:`half_width`.

    >>> round(coverage("laplace", ((1.0, 1.0),), 0.0), 12) == round(math.tanh(0.5), 12)
    True
    """
    parts = _parts(kind, terms)
    if not parts:
        return 1.0
    if len(parts) == 1 and parts[0][2] == 1 and kind == "laplace":
        coefficient, scale, _ = parts[0]
        steps = math.floor(width / coefficient)
        return 1 - 2 * math.exp(-(steps + 1) / scale) / (1 + math.exp(-1 / scale))
    values, weights, last, unit = _split(kind, parts)
    return 1 - 2 * _above(width, values, weights, last, last.tail, unit)


def _parts(kind: Kind, terms: Terms) -> list[tuple[float, float, int]]:
    """(|coefficient|, scale, how many) of the different terms; the law is symmetric, so signs do not matter."""
    if kind not in _FINE:
        raise InternalError(f"there is no noise law {kind!r}")
    if any(not (math.isfinite(c) and math.isfinite(s) and s > 0) for c, s in terms):
        raise InternalError("a coefficient must be finite and a scale positive")
    count = Counter((abs(float(coefficient)), float(scale)) for coefficient, scale in terms if coefficient)
    return [(coefficient, scale, many) for (coefficient, scale), many in count.items()]


def _whole_width(kind: Kind, scale: float, outside: float) -> int:
    """The smallest whole m with P(|X| > m) ≤ outside, for one X."""
    if kind == "laplace":  # P(|X| > m) = 2·p^(m+1)/(1+p) with p = exp(−1/b)
        p = math.exp(-1 / scale)
        guess = -scale * (math.log(outside) + math.log1p(p) - math.log(2)) - 1
        low = high = max(0, math.ceil(guess - 1e-9 * (1 + abs(guess))))
        step = 1
        while 2 * math.exp(-(high + 1) / scale) / (1 + p) > outside:  # of a great scale the guess is millions too low
            low, high, step = high + 1, high + step, 2 * step
        while low < high:
            middle = (low + high) // 2
            too_low = 2 * math.exp(-(middle + 1) / scale) / (1 + p) > outside
            low, high = (middle + 1, high) if too_low else (low, middle)
        return low
    table = _table(kind, scale, 1)
    tail = table.tail[table.reach + 1 :]  # P(X > k) for k = 0 … m
    first = int(np.argmax(2 * tail <= outside))
    if not table.smooth:
        return first
    # between grid points, where the tail is that of a smooth law: tail[k] belongs to k + 1/2
    above, below = math.log(tail[first - 1]), math.log(max(tail[first], 1e-300))
    place = first - 0.5 + (above - math.log(outside / 2)) / (above - below)
    return max(0, math.ceil(place * table.stride - 0.5))


def _split(kind: Kind, parts: list[tuple[float, float, int]]) -> tuple[Floats, Floats, _Table, float]:
    """Atoms (values, weights) of all parts but one, and that one's table and unit: condition on the former."""
    tables = sorted(((c, _table(kind, s, n)) for c, s, n in parts), key=lambda pair: len(pair[1].mass))
    coefficient, last = tables.pop()  # the longest table: the fewest atoms to condition on
    values, weights = np.zeros(1), np.ones(1)
    for number, (factor, table) in enumerate(tables):
        grid: Floats = factor * table.stride * _grid(len(table.mass))
        mass = table.mass
        if number:
            values, weights = _thin(values, weights)
            grid, mass = _thin(grid, mass)
        values = np.add.outer(values, grid).ravel()
        weights = np.multiply.outer(weights, mass).ravel()
    if len(tables) > 1:
        values, weights = _thin(values, weights, 4 * _MERGED)
    return values, weights, last, coefficient * last.stride


def _thin(values: Floats, weights: Floats, most: int = _MERGED) -> tuple[Floats, Floats]:
    """At most this many atoms: those that share a bin are replaced by their mean."""
    if len(values) <= most:
        return values, weights
    reach = float(np.abs(values).max())
    bins = np.minimum(((values + reach) / (2 * reach) * most).astype(np.int64), most - 1)
    mass: Floats = np.bincount(bins, weights, most).astype(np.float64)
    kept = mass > 0
    means: Floats = np.bincount(bins, weights * values, most)[kept] / mass[kept]
    return means, mass[kept]


def _above(width: float, values: Floats, weights: Floats, last: _Table, tail: Floats, unit: float) -> float:
    """P(Σ > width)."""
    steps = (width - values) / unit
    if last.smooth:  # tail[k] is the chance to lie above k + 1/2 steps
        at = np.clip(steps + last.reach + 0.5, 0.0, len(tail) - 1.0)
        whole = np.minimum(at.astype(np.int64), len(tail) - 2)
        part = at - whole
        chance = tail[whole] * (1 - part) + tail[whole + 1] * part
    else:
        chance = tail[np.clip(np.floor(steps) + last.reach + 1, 0, len(tail) - 1).astype(np.int64)]
    return float(weights @ chance)


@lru_cache(maxsize=128)
def _table(kind: Kind, scale: float, many: int) -> _Table:
    """The law of the sum of ``many`` independent X of one scale.

    A scale too great to tabulate is brought down to ``fine`` and the grid's stride up: there the law is smooth, and the
    shape on the coarse grid differs from it by less than 1e-4 of a standard deviation.
    """
    if many > 1 and (kind == "laplace" or scale < 3):
        fine = min(scale, 16.0)
        base = _mass(kind, fine)
        spread = math.sqrt(many * float(base @ np.square(_grid(len(base)))))
        reach = math.ceil(12 * spread + _REACH[kind] * fine) + 2
        if reach <= _FFT_LIMIT:
            return _Table(scale / fine, _power(base, many, reach), fine != scale)
        return _normal(spread * scale / fine)
    if kind == "gaussian":
        # the sum of discrete Gaussians of scale ≥ 3 differs from one of scale σ·√many by a factor below 1 + 1e-30
        scale *= math.sqrt(many)
    fine = min(scale, _FINE[kind])
    return _Table(scale / fine, _mass(kind, fine), fine != scale)


def _normal(spread: float) -> _Table:
    fine = _FINE["gaussian"]
    return _Table(spread / fine, _mass("gaussian", fine), True)


def _mass(kind: Kind, scale: float) -> Floats:
    """P(X = k) for k from −m to m."""
    reach = math.ceil(_REACH[kind] * scale) + 2
    k = _grid(2 * reach + 1)
    weight: Floats = np.exp(-np.square(k / scale) / 2) if kind == "gaussian" else np.exp(-np.abs(k) / scale)
    weight /= weight.sum()
    return weight


def _grid(length: int) -> Floats:
    return np.arange(-(length // 2), length // 2 + 1, dtype=np.float64)


def _power(base: Floats, many: int, reach: int) -> Floats:
    """The law of the sum of ``many`` draws, on −reach … reach, by a fast Fourier transform."""
    size = 2 ** math.ceil(math.log2(2 * reach + 1 + len(base)))
    turned = np.zeros(size)
    half = len(base) // 2
    turned[: half + 1] = base[half:]
    turned[-half:] = base[:half]
    # a symmetric law has a real transform
    power = np.fft.irfft(np.fft.rfft(turned).real ** many, size)
    mass: Floats = np.maximum(np.concatenate([power[-reach:], power[: reach + 1]]), 0.0)
    mass /= mass.sum()
    return mass
