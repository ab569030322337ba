"""Noise on whole numbers, drawn by OpenDP: the only file of pets that draws.

Guarantee: what OpenDP's ``make_gaussian`` and ``make_laplace`` on vectors of 64-bit integers prove. The samplers are
exact (Canonne, Kamath and Steinke 2020, Algorithms 1 to 3), fed by the operating system's randomness, and work on
integers, so no floating-point noise ever meets an answer. OpenDP does not check that a value lies in its declared
domain, accepts a scale of 0 and saturates at ±2^63; this file refuses what would lead there.
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from functools import cache, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from pets.errors import BudgetError, InternalError

Ints = npt.NDArray[np.int64]

MAX_VALUE = 2**62  # of an exact value; the plan proves it
MAX_SCALE = 2.0**52  # 1,000 standard deviations still fit between 2^62 and OpenDP's saturation at 2^63
THREADED = 20_000  # draws from which a second thread pays for itself (about 0.4 s of work)


def gaussian_rho(l2_squared: int, scale: float) -> float:
    """ρ (zCDP) of discrete Gaussian noise of this scale on a vector that one person moves by √l2_squared in L2.

    OpenDP's own map, rounded outward; asked before a measurement runs.

    >>> gaussian_rho(2, 10.0)
    0.010000000000000002
    """
    _check_scale(scale)
    return float(_gaussian(float(scale)).map(sqrt_up(l2_squared)))


def laplace_epsilon(l1: int, scale: float) -> float:
    """ε (pure DP) of discrete Laplace noise of this scale on a vector that one person moves by ``l1`` in L1.

    >>> laplace_epsilon(3, 6.0)
    0.5
    """
    _check_scale(scale)
    if not 0 < l1 < 2**63:
        raise InternalError(f"an L1 sensitivity of {l1} is outside 64-bit integers")
    return float(_laplace(float(scale)).map(l1))


def add_gaussian(values: Ints, scale: float) -> Ints:
    """The values with independent discrete Gaussian noise on each: P(k) ∝ exp(−k²/(2·scale²)).

    Raises:
        InternalError: for values that are not a row of 64-bit integers within ±2^62.
        BudgetError: for a scale that is not a positive number, or so great that sums would saturate.
    """
    _check_scale(scale)
    return _invoke(_gaussian(float(scale)), values)


def add_laplace(values: Ints, scale: float) -> Ints:
    """The values with independent discrete Laplace noise on each: P(k) ∝ exp(−|k|/scale).

    Raises:
        InternalError, BudgetError: as :func:`add_gaussian`.
    """
    _check_scale(scale)
    return _invoke(_laplace(float(scale)), values)


def sqrt_up(square: int) -> float:
    """The smallest float that is not below the square root of a whole number.

    >>> sqrt_up(9), sqrt_up(2)
    (3.0, 1.4142135623730951)
    """
    if square < 1:
        raise InternalError("a sensitivity is at least 1")
    root = math.sqrt(square)
    while Fraction(root) ** 2 < square:
        root = math.nextafter(root, math.inf)
    while Fraction(below := math.nextafter(root, 0.0)) ** 2 >= square:
        root = below
    return root


def _check_scale(scale: float) -> None:
    if not (math.isfinite(scale) and scale > 0):
        raise BudgetError(
            f"the scale of the noise must be a positive number, not {scale!r}; ask with a smaller epsilon"
        )
    if scale > MAX_SCALE:
        raise BudgetError(
            f"noise of scale {scale:.3g} does not fit 64-bit integers; "
            "spend more on this query, or narrow the range of its columns"
        )


def _invoke(measurement: Any, values: Ints) -> Ints:
    if not isinstance(values, np.ndarray) or values.dtype != np.int64 or values.ndim != 1:
        raise InternalError("noise is added to one row of 64-bit integers")
    if values.size == 0:
        return values.copy()
    if int(values.max()) > MAX_VALUE or int(values.min()) < -MAX_VALUE:
        raise InternalError("a value lies beyond the range that the plan proved")
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if values.size < THREADED or workers == 1:
        return np.array(measurement(values.copy()), dtype=np.int64)
    # Coordinates are independent and the map speaks of the whole vector, so how it is cut changes nothing; OpenDP
    # releases the interpreter's lock while it draws.
    parts = [part.copy() for part in np.array_split(values, workers)]
    with ThreadPoolExecutor(workers) as pool:
        done = list(pool.map(measurement, parts))
    return np.concatenate([np.array(part, dtype=np.int64) for part in done])


@lru_cache(maxsize=256)
def _gaussian(scale: float) -> Any:
    import opendp.measurements

    # an integer L2 metric would force a whole-number sensitivity, which a square root is not
    return opendp.measurements.make_gaussian(_domain(), _metric("l2"), scale=scale)


@lru_cache(maxsize=256)
def _laplace(scale: float) -> Any:
    import opendp.measurements

    return opendp.measurements.make_laplace(_domain(), _metric("l1"), scale=scale)


@cache
def _domain() -> Any:
    """Vectors of signed 64-bit integers: unsigned ones saturate at 0, which biases what comes out."""
    import opendp.domains
    import opendp.mod

    opendp.mod.enable_features("contrib")
    return opendp.domains.vector_domain(opendp.domains.atom_domain(T="i64"))


@cache
def _metric(norm: str) -> Any:
    import opendp.metrics

    return opendp.metrics.l2_distance(T="f64") if norm == "l2" else opendp.metrics.l1_distance(T="i64")
