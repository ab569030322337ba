"""Statistical judges of noise, and deliberately broken mechanisms that they must reject.

Each judge returns a p-value: a bound on the chance that a right mechanism looks at least this bad. It is exact, not
asymptotic: counts of independent draws are binomial, and the bound is Bonferroni's over all counts that were looked at.
A test fails below ``LEVEL``, so that each look raises a false alarm with a probability of at most 1e-13.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

Kind = Literal["gaussian", "laplace"]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

LEVEL = 1e-13


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
    """How many draws lie in each of about 70 cells, up to the end of each, and within as far of 0: all binomial."""
    chances = np.concatenate([[0.001, 0.004], np.linspace(0.01, 0.99, 66), [0.996, 0.999]])
    law = stats.norm if kind == "gaussian" else stats.laplace
    cuts = np.unique(np.concatenate([np.round(law.ppf(chances) * scale), [-1.0, 0.0]]))
    below = np.concatenate([cdf(kind, scale, cuts), [1.0]])
    counted = np.cumsum(np.bincount(np.searchsorted(cuts, sample, side="left"), minlength=len(below)))
    inside = np.diff(np.concatenate([[0], counted]))
    shares = np.diff(np.concatenate([[0.0], below]))
    far = np.unique(np.abs(cuts))
    near = np.searchsorted(np.sort(np.abs(sample)), far, side="right")
    wide = cdf(kind, scale, far) - cdf(kind, scale, -far - 1)
    return rarest(np.concatenate([counted[:-1], inside, near]), len(sample), np.concatenate([below[:-1], shares, wide]))


def spread(sample: Ints, kind: Kind, scale: float) -> float:
    """How wide it is, from a scale of 20 on: Σx²/σ² of a Gaussian is χ², Σ|x|/b of a Laplace variable is a gamma one.

    Of the discrete laws this holds but for a shift of less than a hundredth of a standard deviation at 100,000 draws,
    which changes a p-value of 1e-13 by less than a tenth.
    """
    if kind == "gaussian":
        law, found = stats.chi2(len(sample)), float((sample.astype(float) ** 2).sum()) / scale**2
    else:
        law, found = stats.gamma(len(sample)), float(np.abs(sample).sum()) / scale
    return min(1.0, 2 * min(float(law.cdf(found)), float(law.sf(found))))


def rarest(counts: npt.ArrayLike, of: int, chances: npt.ArrayLike) -> float:
    """The two-sided binomial p-value of the least likely count, corrected for how many were looked at."""
    found, p = np.asarray(counts), np.clip(np.asarray(chances), 0.0, 1.0)
    tails = np.minimum(stats.binom.cdf(found, of, p), stats.binom.sf(found - 1, of, p))
    return min(1.0, 2 * float(tails.min()) * tails.size)


def least_fit(cells: Ints, kind: Kind, scale: float) -> float:
    """The worst cell of a table (releases by cells), corrected for how many there are."""
    return min(1.0, min(fit(column, kind, scale) for column in cells.T) * cells.shape[1])


def independence(cells: Ints, kind: Kind, scales: Sequence[float]) -> float:
    """Whether two cells of a table, or a cell and one of its next release, lie on one side of 0 as often as they may.

    Pairs of releases do not overlap (the first with the second, the third with the fourth; and then the second with the
    third), so that each count of agreements adds up independent trials.
    """
    above = (cells > 0).astype(np.int64)
    share = np.array([1 - float(cdf(kind, scale, np.array([0.0]))[0]) for scale in scales])
    alike = np.outer(share, share) + np.outer(1 - share, 1 - share)

    def look(these: Ints, those: Ints, pairs: Any) -> float:
        count = min(len(these), len(those))
        these, those = these[:count], those[:count]
        return rarest((these.T @ those + (1 - these).T @ (1 - those))[pairs], count, alike[pairs])

    every = np.indices(alike.shape)
    looks = [look(above, above, np.triu_indices(len(share), 1))]
    looks += [look(above[start::2], above[start + 1 :: 2], tuple(every)) for start in (0, 1)]
    return min(1.0, len(looks) * min(looks))


def audited_epsilon(
    with_person: Ints, without: Ints, delta: float = 0.0, event: int = 1, level: float = LEVEL
) -> float:
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
