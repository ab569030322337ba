"""Survival curves from who leaves when: the share that is still without the event, and how far noise moves it.

Sources: Kaplan and Meier 1958 (the product), Greenwood 1926 (its variance by sampling), Böhmer 1912 (a censored person
counts half in a wide bin), Kalbfleisch and Prentice 1980 (intervals of log(−log S)). The noise enters by the derivative
of log S with respect to each count (the delta method), with the covariance that the solved counts have.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist

import numpy as np

from pets.common.integers import Floats
from pets.errors import missing_extra
from pets.models.survival.streams import Streams

CLEAR = 4.0
"""A curve ends where fewer people are at risk than so many standard deviations of the noise on their number."""
FIRM = 2 * CLEAR
"""A mean is given up to where as many are at risk: where the noise itself decides how far a curve goes, the releases in
which it goes far are those that err, and a mean adds up their errors."""
CONFIDENCE = 0.95
Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
POINTS = 4096
"""Points of the even sequence by which the width of a band is found."""


@dataclass(frozen=True)
class Curve:
    """A survival curve up to its last estimable bin.

    Attributes:
        survival: at the end of each bin.
        noise, sampling: covariances of log S.
    """

    survival: Floats
    noise: Floats
    sampling: Floats

    @property
    def bins(self) -> int:
        """How many bins could be estimated."""
        return len(self.survival)

    @cached_property
    def covariance(self) -> Floats:
        """Of log S, of noise and sampling together."""
        return self.noise + self.sampling

    def deviation(self, spread: Floats) -> Floats:
        """The standard error of S that a covariance of log S makes; NaN where S is 0."""
        there = self.survival > 0
        return np.where(there, self.survival * np.sqrt(np.where(there, np.diag(spread), 0.0)), np.nan)

    def interval(self, z: float) -> tuple[Floats, Floats]:
        """The ends of S moved by z standard errors on the scale of log(−log S).

        Where −log S is within z standard errors of 0 that scale says nothing of how near to 1 the curve is, and the
        scale of log S is used.
        """
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            away = -np.log(self.survival)
            error = np.sqrt(np.diag(self.covariance))
            ratio = np.where(away > 0, z * error / away, np.inf)
            near = (ratio > 1) & (np.diag(self.noise) > 0)
            low = np.exp(-away * np.exp(ratio))
            high = np.exp(-away * np.exp(-ratio))
            low = np.where(near, np.exp(-away - z * error), low)
            high = np.where(near, np.minimum(1.0, np.exp(z * error - away)), high)
        gone = ~(np.diag(self.covariance) >= 0) | (self.survival <= 0)
        whole = (away == 0) & (error == 0)
        low, high = np.where(whole, 1.0, low), np.where(whole, 1.0, high)
        return np.where(gone, np.nan, low), np.where(gone, np.nan, high)

    @cached_property
    def band(self) -> float:
        """z of a band that holds the whole curve with the confidence: of the greatest of its correlated errors.

        By an even (Sobol) sequence in place of random numbers, so the same release has the same band.
        """
        if not self.bins:
            return Z
        spread = self.covariance
        error = np.sqrt(np.diag(spread))
        there = np.isfinite(error) & (error > 0)
        if there.sum() < 2:
            return Z
        try:
            from scipy.special import ndtri
            from scipy.stats import qmc
        except ImportError:
            raise missing_extra("the band of a survival curve", "models") from None
        alike = spread[np.ix_(there, there)] / np.outer(error[there], error[there])
        roots, sides = np.linalg.eigh(alike)
        order = np.argsort(-roots)
        map_ = sides[:, order] * np.sqrt(np.maximum(roots[order], 0.0))
        even = qmc.Sobol(len(alike), scramble=False).random(POINTS)
        normal = ndtri(even + 0.5 / POINTS)
        greatest = np.abs(normal @ map_.T).max(axis=1)
        return max(Z, float(np.quantile(greatest, CONFIDENCE)))


def curve(left: Streams, wide: Floats) -> Curve:
    """The curve of one group.

    Args:
        left: who leaves when.
        wide: by bin 1 where those who are censored in it count half, else 0.
    """
    risk = left.at_risk
    last = ended(left)
    events = left.events[:last]
    exposed = risk[:last] - wide[:last] * left.others[:last] / 2
    share = events / exposed
    if left.deviation and (share >= 1).any():  # nobody would be left: noise alone
        last = int((share >= 1).argmax())
        events, exposed, share = events[:last], exposed[:last], share[:last]
    survival = np.cumprod(1 - share).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        step = 1 / (exposed * (1 - share))
        moved = share * step
        so_far = np.cumsum(moved)
    at = np.arange(last)
    sooner = np.minimum.outer(at, at)
    sampling = so_far[sooner]
    if not left.deviation:
        return Curve(survival, np.zeros_like(sampling), sampling)
    reached = at[:, None] >= at[None, :]
    size = len(left.others)
    of_events, of_others = np.zeros((last, left.bins)), np.zeros((last, size))
    of_events[:, :last] = so_far[sooner] - np.where(reached, step[None, :], 0.0)
    of_events[:, last:] = so_far[:, None]
    of_others[:, :last] = so_far[sooner] - np.where(reached, (wide[:last] * moved / 2)[None, :], 0.0)
    of_others[:, last:] = so_far[:, None]
    noise = of_events @ left.covariance(left.bins) @ of_events.T + of_others @ left.covariance(size) @ of_others.T
    return Curve(survival, noise, sampling)


def ended(left: Streams, clear: float = CLEAR) -> int:
    """How many bins have enough people at risk when they begin: so many standard deviations of the noise on them."""
    few = left.at_risk < clear * left.at_risk_deviation if left.deviation else left.at_risk <= 0
    return int(few.argmax()) if few.any() else left.bins


def mean_time(made: Curve, edges: Floats, drops: Floats) -> tuple[float, float, float]:
    """The mean time without the event up to the last of these edges, and its variances by noise and by sampling.

    NaN where the curve ends before that, unless it has come down to 0: there it stays.

    Args:
        made: the curve.
        edges: the ends of the bins up to the horizon.
        drops: where in each bin the curve falls, as a share of its width.
    """
    width, last = np.diff(edges), min(len(drops), made.bins)
    if last < len(drops) and not (last and made.survival[-1] == 0):
        return (math.nan,) * 3
    after, before = width * (1 - drops), width * drops
    weight = after + np.append(before[1:], 0.0)
    moved = weight[:last] * made.survival[:last]
    mean = float(edges[0] + before[0] + moved.sum())
    noise, sampling = (
        float(moved @ np.nan_to_num(one[:last, :last], nan=0.0, posinf=0.0) @ moved)
        for one in (made.noise, made.sampling)
    )
    return mean, noise, sampling
