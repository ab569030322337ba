"""Streams: how many leave in each bin of time with the event, and how many without it, from released sums."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from pets.common.integers import Floats, Ints
from pets.errors import missing_extra
from pets.plan.fitted.exits import UNIT, counts, inverse, matrix


@dataclass(frozen=True)
class Streams:
    """Those who leave of one group.

    Attributes:
        events: with the event, in each bin up to the last edge.
        others: without it, in each bin; with one number more, those who stay past the last edge.
        deviation: of the noise on each released sum, in rows; 0 where there is none.
    """

    events: Floats
    others: Floats
    deviation: float

    @property
    def bins(self) -> int:
        """Bins up to the last edge."""
        return len(self.events)

    @property
    def at_risk(self) -> Floats:
        """Who is still there when each bin begins."""
        left = self.others.copy()
        left[: self.bins] += self.events
        found: Floats = np.cumsum(left[::-1])[::-1][: self.bins]
        return found

    def covariance(self, size: int) -> Floats:
        """Of the noise on a stream of so many numbers, before it is moved to be nowhere negative."""
        return self.deviation**2 * _spread(size)

    @property
    def at_risk_deviation(self) -> Floats:
        """The standard deviation of the noise on who is there when each bin begins."""
        return self.deviation * risk_spread(self.bins, len(self.others))


@cache
def _spread(size: int) -> Floats:
    """(M'M)⁻¹: the covariance of counts that are solved from sums with noise of deviation 1."""
    turn = UNIT * inverse(size)
    made: Floats = turn @ turn.T
    made.setflags(write=False)
    return made


@cache
def risk_spread(events: int, others: int) -> Floats:
    """The standard deviation of who is there when each bin begins, where each sum has noise of deviation 1."""
    parts = [_spread(size)[::-1, ::-1].cumsum(axis=0).cumsum(axis=1)[::-1, ::-1] for size in (events, others)]
    made: Floats = np.sqrt(np.diag(parts[0]) + np.diag(parts[1])[:events])
    made.setflags(write=False)
    return made


def streams(values: Ints, levels: tuple[int, int], deviation: float) -> Streams:
    """Those who leave, from one group's released sums.

    Without noise they are the counts. With it they are those numbers, none of them negative, whose sums lie nearest to
    the released ones (least squares): each sum has the same noise, so no other counts are likelier.

    Args:
        values: the sums of events, then of others.
        levels: how many there are of each.
        deviation: of the noise on each, in units of the sums; 0 where there is none.
    """
    if not deviation:
        events, others = counts(values[: levels[0]]), counts(values[levels[0] :])
        return Streams(events.astype(np.float64), others.astype(np.float64), 0.0)
    try:
        from scipy.optimize import nnls
    except ImportError:
        raise missing_extra("a survival curve with noise", "models") from None
    parts = values[: levels[0]], values[levels[0] :]
    found = [nnls(matrix(len(part)) / UNIT, part / UNIT, maxiter=100 * len(part))[0] for part in parts]
    return Streams(found[0], found[1], deviation / UNIT)
