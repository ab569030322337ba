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
_KEYS = 100_000  # keys whose counts OpenDP is handed at a time
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


def threshold_loss(groups: int, scale: float, threshold: int) -> tuple[float, float]:
    """ρ and δ of :func:`noisy_keys` where one person moves at most ``groups`` counts, each by 1.

    ρ is OpenDP's. OpenDP 0.16 takes the tail of the *continuous* Gaussian for δ, and the discrete one that it draws
    lies beyond it: at scale 0.5 and threshold 3 a key of one person shows eight times as often as it says. So δ is the
    greater of OpenDP's and of ``groups`` times a bound on the true tail (docs/proofs/group_keys.md): for whole k ≥ 1,
    P(X ≥ k) ≤ ½·erfc((k − 1)/(scale·√2)), since its weights fall and add up to at least √(2π)·scale.

    An L2 that contradicts ``groups`` would pass OpenDP's map, so it is worked out here: √groups.

    >>> threshold_loss(1, 2.0, 6)
    (0.125, 0.0227501319...)
    """
    _check_scale(scale)
    if groups < 1 or threshold < 2:
        raise InternalError("a person is in at least one group, and a threshold is at least 2")
    rho, delta = _threshold(float(scale), threshold).map((groups, sqrt_up(groups), 1.0))
    shows = groups * math.erfc((threshold - 2) / (scale * math.sqrt(2))) / 2 * (1 + 1e-9)
    return float(rho), min(1.0, max(float(delta), shows))


def noisy_keys(counts: Ints, scale: float, threshold: int) -> tuple[Ints, Ints]:
    """The places of counts that reach the threshold once discrete Gaussian noise is added, and those noisy counts.

    Guarantee: :func:`threshold_loss`, for counts of the keys that some row has. What a key is called enters nowhere:
    places stand for keys one to one, and every count has noise of its own.

    Raises:
        InternalError: for a count below 1 (a key that nobody has must not be here: it could show), or beyond 2^62.
        BudgetError: for a scale that :func:`add_gaussian` would refuse.
    """
    _check_scale(scale)
    if not isinstance(counts, np.ndarray) or counts.dtype != np.int64 or counts.ndim != 1:
        raise InternalError("a threshold is held against one row of 64-bit integers")
    if counts.size and (int(counts.min()) < 1 or int(counts.max()) > MAX_VALUE):
        raise InternalError("a key that somebody has is counted at least once, and no count passes 2^62")
    measurement = _threshold(float(scale), threshold)
    # (whose order OpenDP leaves open is sorted here, so that it can tell nothing)
    found = sorted(
        (place, noisy)
        for start in range(0, counts.size, _KEYS)
        for place, noisy in measurement(dict(enumerate(counts[start : start + _KEYS].tolist(), start))).items()
    )
    pairs = np.array(found, dtype=np.int64).reshape(-1, 2)
    return pairs[:, 0].copy(), pairs[:, 1].copy()


def top_rho(k: int, linf: int, scale: float) -> float:
    """ρ of :func:`noisy_top` where all rows of one person raise no count by more than ``linf``, and lower none.

    OpenDP's own map: k rounds of the exponential mechanism, each of bounded range linf/scale, so (linf/scale)²/8-zCDP
    (Cesar and Rogers 2021, Lemma 3.4; docs/proofs/top_keys.md). A bound on ε alone would give four times as much.

    >>> top_rho(2, 3, 6.0)
    0.0625
    """
    _check_scale(scale)
    if not 0 < linf < 2**63 or k < 1:
        raise InternalError("at least one place is chosen, by counts that somebody moves")
    return float(_top(k, float(scale)).map(linf))


def noisy_top(counts: Ints, k: int, scale: float) -> Ints:
    """The places of the k greatest counts once Gumbel noise is added, the greatest first; the counts stay unseen.

    Guarantee: :func:`top_rho`, for counts that adding a person can only raise, in places that are public. One draw of
    noise a place, and its k greatest, is k rounds of the exponential mechanism (Durfee and Rogers 2019, Lemma 4.2).

    Raises:
        InternalError: for counts below 0 or beyond 2^62, or fewer than k + 1 of them.
        BudgetError: for a scale that :func:`add_gaussian` would refuse.
    """
    _check_scale(scale)
    if not isinstance(counts, np.ndarray) or counts.dtype != np.int64 or counts.ndim != 1:
        raise InternalError("places are chosen from one row of 64-bit integers")
    if not 0 < k < counts.size or int(counts.min()) < 0 or int(counts.max()) > MAX_VALUE:
        raise InternalError("fewer places are chosen than there are, by counts from 0 to 2^62")
    return np.array(_top(k, float(scale))(counts.copy()), dtype=np.int64)


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
def _threshold(scale: float, threshold: int) -> Any:
    import opendp.domains
    import opendp.measurements
    import opendp.metrics

    _domain()  # which enables what OpenDP calls contrib
    counts = opendp.domains.map_domain(opendp.domains.atom_domain(T="i64"), opendp.domains.atom_domain(T="i64"))
    metric = opendp.metrics.l02inf_distance(opendp.metrics.absolute_distance(T="f64"))
    return opendp.measurements.make_gaussian_threshold(counts, metric, scale=scale, threshold=threshold)


@lru_cache(maxsize=256)
def _top(k: int, scale: float) -> Any:
    import opendp.measurements
    import opendp.measures
    import opendp.metrics

    domain = _domain()
    # (monotonic: all counts move in one direction, which halves the range of the differences)
    metric = opendp.metrics.linf_distance(T="i64", monotonic=True)
    measure = opendp.measures.zero_concentrated_divergence()
    return opendp.measurements.make_noisy_top_k(domain, metric, measure, k=k, scale=scale)


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
