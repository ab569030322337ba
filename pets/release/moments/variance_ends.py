"""Variance ends: how small and how great noise can make a variance or a covariance.

There the first derivatives (the delta method) mislead: a variance is a difference of ratios, and bends over the width
of the noise on the number of rows.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from pets.common.integers import Floats


def variance_ends(square: Floats, mean: Floats, e: Floats, d: Floats, c: Floats) -> tuple[Floats, Floats]:
    """The least and the greatest (square + e·x)/(1 + c·w) − ((mean + d·y)/(1 + c·w))² with x² + y² + w² ≤ 1.

    By points on a sphere, for each of which the greatest x is known; between them little is lost (under 1 %).
    """
    x, y, w = _sphere()
    rows: Floats = np.multiply.outer(c, w)
    rows += 1
    moved: Floats = np.multiply.outer(e, x)
    moved /= rows
    squared: Floats = np.multiply.outer(d, y)
    squared += mean[:, None]
    squared /= rows
    np.square(squared, out=squared)
    rest = np.divide(square[:, None], rows, out=rows)  # in place, as above: to hold it is dearer than to compute it
    rest -= squared
    low: Floats = np.subtract(rest, moved, out=squared).min(axis=1)
    rest += moved
    high: Floats = rest.max(axis=1)
    return low, high


@cache
def _sphere() -> tuple[Floats, Floats, Floats]:
    """Points on the half of the unit sphere where x is positive."""
    angle, turn = np.meshgrid(np.linspace(0, np.pi / 2, 25), np.linspace(0, 2 * np.pi, 48, endpoint=False))
    return np.cos(angle).ravel(), (np.sin(angle) * np.cos(turn)).ravel(), (np.sin(angle) * np.sin(turn)).ravel()


def covariance_ends(
    product: Floats, first: Floats, second: Floats, e: Floats, d: Floats, f: Floats, c: Floats
) -> tuple[Floats, Floats]:
    """Bounds of (product + e·x)/(1 + c·w) − (first + d·y)(second + f·v)/(1 + c·w)² with x² + y² + v² + w² ≤ 1.

    For a fixed w, with r² = 1 − w², the linear part moves by at most r times the length of its slopes, and the last
    product by at most d·f·r²/2, since y·v ≤ (y² + v²)/2; so the ends are never too near. Over w by points, between
    which little is lost (under 1 %).
    """
    low, high = np.full(len(product), np.inf), np.full(len(product), -np.inf)
    for w in np.sin(np.linspace(-np.pi / 2, np.pi / 2, 41)):
        rows, r = 1 + c * w, np.sqrt(max(0.0, 1 - w * w))
        middle = product / rows - first * second / rows**2
        slopes = np.square(e / rows) + np.square(d * second / rows**2) + np.square(f * first / rows**2)
        moved = r * np.sqrt(slopes) + r * r * d * f / (2 * rows**2)
        low, high = np.minimum(low, middle - moved), np.maximum(high, middle + moved)
    return low, high
