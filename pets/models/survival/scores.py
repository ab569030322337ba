"""Log-rank scores: how many events each group has above what it would have if all groups were alike.

In each bin the events are shared as those at risk are; what a group has beyond its share, added up, is its score
(Mantel 1966; Peto and Peto 1972). Its variance by sampling is the hypergeometric one of each bin; that of the noise
follows from the score's derivative with respect to each count (the delta method) and is added to it, or the test would
call noise a difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pets.common.integers import Floats
from pets.models.survival.streams import Streams


@dataclass(frozen=True)
class Scores:
    """The scores of all groups.

    Attributes:
        observed, expected: events, and those that a group would have if all were alike.
        noise, sampling: covariances of the scores, which add up to 0.
    """

    observed: Floats
    expected: Floats
    noise: Floats
    sampling: Floats

    @property
    def statistic(self) -> float:
        """χ² with one degree of freedom less than there are groups; NaN where nothing tells them apart."""
        score = (self.observed - self.expected)[:-1]
        spread = (self.noise + self.sampling)[:-1, :-1]
        if not np.isfinite(spread).all() or np.linalg.matrix_rank(spread) < len(score):
            return float("nan")
        return float(score @ np.linalg.solve(spread, score))


def scores(groups: Sequence[Streams]) -> Scores:
    """The scores of these groups, over the bins in which there are people at risk in all of them together."""
    risk = np.array([one.at_risk for one in groups])
    events = np.array([one.events for one in groups])
    total, died = risk.sum(axis=0), events.sum(axis=0)
    there = total > 0
    share = np.divide(risk, total, out=np.zeros_like(risk), where=there)
    hazard = np.divide(died, total, out=np.zeros_like(died), where=there)
    spread = np.divide(died * (total - died), total - 1, out=np.zeros_like(died), where=total > 1)
    count = len(groups)
    own = np.eye(count)
    sampling = np.einsum("b,gb,ghb->gh", spread, share, own[:, :, None] - share[None, :, :])
    noise = np.zeros((count, count))
    for at, group in enumerate(groups):
        beyond = own[at][:, None] - share
        fall = np.cumsum(hazard * beyond, axis=1)
        later = np.repeat(fall[:, -1:], len(group.others) - group.bins, axis=1)
        for moved in (np.where(there, beyond, 0.0) - fall, -np.concatenate([fall, later], axis=1)):
            noise += moved @ group.covariance(moved.shape[1]) @ moved.T
    return Scores(events.sum(axis=1), (share * died).sum(axis=1), noise, sampling)
