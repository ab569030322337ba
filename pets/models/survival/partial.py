"""Partial likelihood from who leaves when in each pattern of covariates: log hazard ratios, and what moves them.

Cox 1972. Those at risk in a bin are those who are there when it begins, less half, or a little more, of those who leave
it (of those lost: in a bin of several values): with ties this is Efron's 1977 mean of the risk sets that the events
might have met one by one, which exact counts get as it stands. The noise moves the score; the coefficients follow by
the inverse of the information (the delta method), in which each count enters wherever it stands. A pattern leaves the
likelihood, as if lost from sight, where few are at risk in it beside the noise on their number: from there on noise
decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pets.common.integers import Floats
from pets.models.survival.estimate import FIRM, Curve, ended
from pets.models.survival.streams import Streams

APART = 20.0
"""Log hazards of two patterns that lie further from each other are those of a covariate that separates the events."""
STEPS = 50
CLOSE = 1e-11
"""Newton's steps end where none is longer."""


@dataclass(frozen=True)
class Partial:
    """The fit.

    Attributes:
        coefficients: log hazard ratios, one a column of the design.
        noise, sampling: their covariances.
        settled: whether Newton's steps came to an end.
    """

    coefficients: Floats
    noise: Floats
    sampling: Floats
    settled: bool


def partial(patterns: Sequence[Streams], design: Floats, wide: Floats) -> Partial:
    """The coefficients that make the events likeliest.

    Args:
        patterns: who leaves each pattern of covariates when.
        design: one row a pattern, one column a coefficient.
        wide: by bin 1 where those who are lost in it count half, else 0.
    """
    beta, settled = np.zeros(design.shape[1]), False
    exact = not any(one.deviation for one in patterns)
    counts = Counts.of(patterns, wide)
    for _ in range(STEPS):
        score, information = counts.tied(design, beta) if exact else counts.halved(design, beta)
        try:
            step = np.linalg.solve(information, score)
        except np.linalg.LinAlgError:
            break
        if not np.isfinite(step).all() or np.abs(beta + step).max() > 50:
            break
        beta = beta + step * min(1.0, 2.0 / max(np.abs(step).max(), 1e-300))
        if np.abs(step).max() <= CLOSE:
            settled = True
            break
    settled = settled and bool(np.ptp(design @ beta) <= APART)
    inverse = np.linalg.pinv(information).astype(np.float64)
    noise = np.zeros_like(inverse) if exact else inverse @ _noise(patterns, counts, design, beta) @ inverse.T
    return Partial(beta, noise, inverse, settled)


@dataclass(frozen=True)
class Counts:
    """What the likelihood is made of, pattern by bin.

    Attributes:
        events: of each pattern in each bin up to where enough are at risk in it.
        risk: who is there when a bin begins, less half of those who are lost in a wide one, up to there.
        lost: who is lost in a wide bin, up to there.
        wide: by bin 1 where that is so.
        seen: of each pattern 1 in each bin up to there, else 0.
    """

    events: Floats
    risk: Floats
    lost: Floats
    wide: Floats
    seen: Floats

    @classmethod
    def of(cls, patterns: Sequence[Streams], wide: Floats) -> Counts:
        """Of these patterns."""
        bins = len(wide)
        lost = np.array([one.others[:bins] for one in patterns])
        seen = np.array([np.arange(bins) < ended(one, FIRM) for one in patterns]).astype(np.float64)
        return cls(
            seen * np.array([one.events for one in patterns]),
            seen * (np.array([one.at_risk for one in patterns]) - wide * lost / 2),
            seen * wide * lost,
            wide,
            seen,
        )

    @property
    def share(self) -> Floats:
        """Of those who are there when a bin begins, who leaves it: in a wide one with the event or without it."""
        left, there = self.events + self.lost, self.risk + self.lost / 2
        return np.divide(left, there, out=np.zeros_like(left), where=there > 0)

    @property
    def exposed(self) -> Floats:
        """How many are at risk on the average over a bin that people leave one by one: m of n at the start.

        That is m ÷ −log(1 − m ÷ n), here to the fourth order. Less half of m would do in bins that few leave, and draws
        ratios of larger hazards towards 1.
        """
        further = (self.events + self.lost) * (self.share / 12 + self.share**2 / 24)
        return np.maximum(self.risk - self.events / 2 - further, 0.0)

    @property
    def slopes(self) -> tuple[Floats, Floats]:
        """By how much :attr:`exposed` grows with those who are there, and falls with those who leave."""
        return 1 + self.share**2 / 12 + self.share**3 / 12, 1 / 2 + self.share / 6 + self.share**2 / 8

    @property
    def died(self) -> Floats:
        """Events in each bin."""
        found: Floats = self.events.sum(axis=0)
        return found

    def means(self, design: Floats, beta: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Of those at risk: their relative hazards, the sum in each bin (1 where it is 0), whether there are any, and
        the mean of their covariates."""
        hazard = np.exp(design @ beta)[:, None] * self.exposed
        total = hazard.sum(axis=0)
        there = total > 0
        total = np.where(there, total, 1.0)
        return hazard, total, there, (design.T @ hazard) / total

    def halved(self, design: Floats, beta: Floats) -> tuple[Floats, Floats]:
        """The score and the information where those with the event are half at risk."""
        hazard, total, there, mean = self.means(design, beta)
        died = np.where(there, self.died, 0.0)
        score = design.T @ np.where(there, self.events, 0.0).sum(axis=1) - mean @ died
        second = np.einsum("gp,gb,gq->pqb", design, hazard, design) / total
        information = (second - mean[:, None, :] * mean[None, :, :]) @ died
        return score, information

    def tied(self, design: Floats, beta: Floats) -> tuple[Floats, Floats]:
        """The score and the information by Efron's rule, of whole counts."""
        weight = np.exp(design @ beta)
        score = design.T @ self.events.sum(axis=1)
        information = np.zeros((len(beta), len(beta)))
        for at in np.flatnonzero(self.died > 0):
            risk, own = weight * self.risk[:, at], weight * self.events[:, at]
            ties = round(float(self.died[at]))
            left = np.arange(ties) / ties
            sums = [design.T @ one for one in (risk, own)]
            squares = [(design.T * one) @ design for one in (risk, own)]
            total = risk.sum() - left * own.sum()
            mean = (sums[0][:, None] - sums[1][:, None] * left) / total
            score = score - mean.sum(axis=1)
            information += squares[0] * (1 / total).sum() - squares[1] * (left / total).sum() - mean @ mean.T
        return score, information


def _moves(
    patterns: Sequence[Streams], counts: Counts, design: Floats, beta: Floats
) -> Iterator[tuple[Floats, Floats]]:
    """Of each pattern, how each count of its events, and of its others, moves the score."""
    _, total, there, mean = counts.means(design, beta)
    for x, one, seen, grows, falls in zip(design, patterns, counts.seen, *counts.slopes, strict=True):
        beyond = np.where(there & (seen > 0), x[:, None] - mean, 0.0)
        own = np.where(there, counts.died / total, 0.0) * np.exp(x @ beta) * beyond
        so_far, by_exits = np.cumsum(own * grows, axis=1), own * falls
        later = np.repeat(so_far[:, -1:], len(one.others) - one.bins, axis=1)
        yield beyond - so_far + by_exits, -np.concatenate([so_far - counts.wide * by_exits, later], axis=1)


def _noise(patterns: Sequence[Streams], counts: Counts, design: Floats, beta: Floats) -> Floats:
    """The covariance that noise makes of the score."""
    out = np.zeros((len(beta), len(beta)))
    for one, both in zip(patterns, _moves(patterns, counts, design, beta), strict=True):
        for moved in both:
            out += moved @ one.covariance(moved.shape[1]) @ moved.T
    return out


def survival_of(patterns: Sequence[Streams], design: Floats, wide: Floats, found: Partial) -> Curve:
    """The curve of the pattern whose design is nothing but 0, by Breslow's cumulative hazard (1974).

    In a bin of several values those who leave it count half, with the event or without it, so that one minus the
    hazard is, nearly, what Kaplan and Meier would have. It ends where no pattern has enough people at risk. Errors hold
    those of the coefficients (by sampling: Tsiatis 1981), and of noise what it does to both together.

    Args:
        patterns, wide, found: of the fit, and what it was made of.
        design: of the patterns, less that of the row that is asked about.
    """
    counts, beta = Counts.of(patterns, wide), found.coefficients
    weight = np.exp(design @ beta)
    hazards = weight[:, None] * np.where(wide > 0, counts.exposed, counts.risk)
    total = hazards.sum(axis=0)
    few = total <= 0
    last = int(few.argmax()) if few.any() else len(total)
    total, died, wide = total[:last], counts.died[:last], wide[:last]
    hazard = died / total
    mean = (design.T @ hazards[:, :last]) / total
    slope = np.cumsum(hazard * mean, axis=1)  # of log S, by the coefficients
    at = np.arange(last)
    sooner, reached = np.minimum.outer(at, at), at[:, None] >= at[None, :]
    survival = np.exp(-np.cumsum(hazard)).astype(np.float64)
    sampling = np.cumsum(hazard / total)[sooner] + slope.T @ found.sampling @ slope
    noise = np.zeros_like(sampling)
    if any(one.deviation for one in patterns):
        through = slope.T @ found.sampling  # (the inverse of the information turns moves of the score)
        moves = _moves(patterns, counts, design, beta)
        grows, falls = (one[:, :last] for one in counts.slopes)
        each = zip(weight, patterns, counts.seen[:, :last], grows, falls, moves, strict=True)
        for own, one, seen, more, less, both in each:
            fall = hazard / total * own * seen
            so_far = np.cumsum(fall * np.where(wide > 0, more, 1.0))
            of_others = so_far[sooner] - np.where(reached, wide * fall * less, 0.0)
            of_events = of_others - np.where(reached, seen / total, 0.0)
            for part, moved in zip((of_events, of_others), both, strict=True):
                later = np.repeat(so_far[:, None], moved.shape[1] - last, axis=1)
                whole = np.concatenate([part, later], axis=1) + through @ moved
                noise += whole @ one.covariance(moved.shape[1]) @ whole.T
    return Curve(survival, noise, sampling)
