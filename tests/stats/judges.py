"""Statistical judges of noise, and deliberately broken mechanisms that they must reject.

Each judge returns a p-value: the chance that a right mechanism looks at least this bad. A test fails below
``LEVEL`` = 1e-9. The p-values are asymptotic (chi-square and normal), which at the sample sizes here may be wrong by
some tens in the far tail; so the false-alarm rate of each test is stated as at most 1e-6, and of the folder 1e-4.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

Kind = Literal["gaussian", "laplace"]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

LEVEL = 1e-9


def cdf(kind: Kind, scale: float, k: Floats) -> Floats:
    """P(X ≤ k), independent of pets: closed form, or a direct sum of exp(−k²/2σ²)."""
    if kind == "laplace":
        p = math.exp(-1 / scale)
        # −expm1 keeps the digits that 1 + p and 1 − p lose at great scales
        return np.where(k < 0, np.exp(k / scale) / (1 + p), 1 - np.exp(-(k + 1) / scale) / (1 + p))
    if scale > 5000:  # midpoint rule: wrong by less than 1e-9
        return stats.norm.cdf((k + 0.5) / scale)
    reach = math.ceil(40 * scale) + 5
    support = np.arange(-reach, reach + 1)
    mass = np.exp(-(support**2) / (2 * scale**2))
    total = np.cumsum(mass) / mass.sum()
    return total[np.clip(k.astype(np.int64) + reach, 0, 2 * reach)]


def fit(sample: Ints, kind: Kind, scale: float) -> float:
    """Chi-square of about 66 cells of near-equal chance and four tail cells, each with at least 25 expected draws."""
    chances = np.concatenate([[0.001, 0.004], np.linspace(0.01, 0.99, 66), [0.996, 0.999]])
    law = stats.norm if kind == "gaussian" else stats.laplace
    cuts = np.unique(np.concatenate([np.round(law.ppf(chances) * scale), [-1.0, 0.0]]))
    expected = np.diff(np.concatenate([[0.0], cdf(kind, scale, cuts), [1.0]])) * len(sample)
    observed = np.bincount(np.searchsorted(cuts, sample, side="left"), minlength=len(cuts) + 1).astype(float)
    while len(expected) > 2 and expected.min() < 25:  # merge a thin cell with its thinner neighbour
        i = int(expected.argmin())
        j = i + 1 if i == 0 or (i + 1 < len(expected) and expected[i + 1] <= expected[i - 1]) else i - 1
        expected[j] += expected[i]
        observed[j] += observed[i]
        expected, observed = np.delete(expected, i), np.delete(observed, i)
    return float(stats.chi2.sf(np.sum((observed - expected) ** 2 / expected), len(expected) - 1))


def least_fit(cells: Ints, kind: Kind, scale: float) -> float:
    """The worst cell of a table (releases by cells), corrected for how many there are."""
    return min(1.0, min(fit(column, kind, scale) for column in cells.T) * cells.shape[1])


def independence(cells: Ints) -> float:
    """The strongest rank correlation between two cells of a table, or between a cell and its next release."""
    # ranks, so that Laplace tails do not matter; ties share one, or the order of draws would correlate them
    ranks = stats.rankdata(cells, axis=0)
    ranks = (ranks - ranks.mean(axis=0)) / ranks.std(axis=0)
    n, m = ranks.shape
    between = ranks.T @ ranks / n
    after = ranks[:-1].T @ ranks[1:] / (n - 1)
    strongest = max(float(np.abs(between[~np.eye(m, dtype=bool)]).max(initial=0.0)), float(np.abs(after).max()))
    tests = m * (m - 1) / 2 + m * m
    return min(1.0, 2 * float(stats.norm.sf(strongest * math.sqrt(n - 1))) * tests)


def audited_epsilon(with_person: Ints, without: Ints, delta: float = 0.0, event: int = 1, level: float = 1e-7) -> float:
    """A lower bound on ε from one event, x ≥ event, on two neighbouring answers; above the truth with chance ≤ 2·level.

    Clopper-Pearson on both chances: ε ≥ log((P(x ≥ event with the person) − δ) / P(x ≥ event without)).
    """
    hits, misses = int((with_person >= event).sum()), int((without >= event).sum())
    least = stats.beta.ppf(level, hits, len(with_person) - hits + 1) if hits else 0.0
    most = stats.beta.isf(level, misses + 1, len(without) - misses)
    return -math.inf if least <= delta else math.log((least - delta) / most)


class Broken:
    """Mechanisms that look like the right one; numpy draws them, with a seed, because they protect nobody."""

    def __init__(self, seed: int = 20_240_607) -> None:
        self.random = np.random.default_rng(seed)

    def right(self, kind: Kind, scale: float, size: int) -> Ints:
        """The right law from another sampler: that the judges accept it shows that they judge the law."""
        if kind == "laplace":
            p = -math.expm1(-1 / scale)
            return self.random.geometric(p, size) - self.random.geometric(p, size)
        reach = math.ceil(12 * scale) + 3
        support = np.arange(-reach, reach + 1)
        mass = np.exp(-(support**2) / (2 * scale**2))
        return self.random.choice(support, size, p=mass / mass.sum())

    def rounded(self, kind: Kind, scale: float, size: int) -> Ints:
        """Continuous noise, rounded: what a float mechanism would give."""
        draw = self.random.normal if kind == "gaussian" else self.random.laplace
        return np.rint(draw(0, scale, size)).astype(np.int64)

    def wider(self, kind: Kind, scale: float, size: int) -> Ints:
        return self.right(kind, 1.1 * scale, size)

    def narrower(self, kind: Kind, scale: float, size: int) -> Ints:
        return self.right(kind, 0.9 * scale, size)

    def clipped(self, kind: Kind, scale: float, size: int) -> Ints:
        """Nothing beyond 3 standard deviations (6 scales of Laplace): the draws there are moved to the edge."""
        edge = math.floor((3 if kind == "gaussian" else 6) * scale)
        return np.clip(self.right(kind, scale, size), -edge, edge)

    def redrawn(self, kind: Kind, scale: float, size: int) -> Ints:
        """The same, but the draws beyond are drawn again."""
        edge = math.floor((3 if kind == "gaussian" else 6) * scale)
        sample = self.right(kind, scale, 2 * size)
        return sample[np.abs(sample) <= edge][:size]

    def shifted(self, kind: Kind, scale: float, size: int) -> Ints:
        """Rounded down, not to the nearest: half a unit of bias."""
        draw = self.random.normal if kind == "gaussian" else self.random.laplace
        return np.floor(draw(0, scale, size)).astype(np.int64)

    def even(self, kind: Kind, scale: float, size: int) -> Ints:
        """Half the entropy: only even numbers come out."""
        return 2 * self.right(kind, scale / 2, size)
