"""Trees of noisy counts: from counts of runs of bins, at several widths, to one increasing distribution function.

Post-processing only. Sources: Hay, Rastogi, Miklau and Suciu, *Boosting the accuracy of differentially private
histograms through consistency*, VLDB 2010, section 4 (least squares on a tree), generalised here to uneven fan-out by
weighting with inverse variances; the average of the running greatest and the reversed running least value makes the
result increase (their section 3 bounds; any monotone smoothing between the two is allowed).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Distribution:
    """The number of rows at or below each bin, group by group.

    Attributes:
        cumulative: ``(groups, bins)``, increasing along the bins, from 0 to ``rows``: for estimates.
        unsmoothed: the same before it was made to increase. For intervals: its error is the noise's alone, whereas the
            smoothed curve leans to one side wherever few rows lie in many bins.
        rows: the number of rows of each group.
        variance: of each unsmoothed count, the same in every group, for noise of variance 1 on each node.
        covariance: of each unsmoothed count with ``rows``, for such noise.
        rows_variance: of ``rows``, for such noise.
    """

    cumulative: Floats | Ints
    unsmoothed: Floats | Ints
    rows: Floats | Ints
    variance: Floats
    covariance: Floats
    rows_variance: float


@dataclass(frozen=True)
class Position:
    """Where a quantile lies: a bin, how far into it (above 0, at most 1), and the bins that its interval spans."""

    bin: Ints
    inside: Floats
    low: Ints
    high: Ints


def starts(size: int, above: int) -> Ints:
    """The first node of each run of ``size`` nodes that shares one of ``above`` parents (as they were summed)."""
    return np.arange(0, size, -(-size // above), dtype=np.int64)


def distribution(tree: Ints, levels: tuple[int, ...], exact: bool) -> Distribution:
    """The distribution that a tree of counts shows.

    Args:
        tree: ``(groups, nodes)``, level after level, leaves first.
        levels: the number of nodes on each level.
        exact: the counts have no noise.
    """
    if exact:
        counted = np.cumsum(tree[:, : levels[0]], axis=1)
        nothing = np.zeros(levels[0])
        return Distribution(counted, counted, counted[:, -1], nothing, nothing, 0.0)
    summed = np.cumsum(consistent(tree, levels), axis=1)
    rows = summed[:, -1].copy()
    rising = np.maximum.accumulate(summed, axis=1)
    falling = np.minimum.accumulate(summed[:, ::-1], axis=1)[:, ::-1]
    # the truth starts at 0 and ends at the number of rows, so the smoothed curve may too
    smooth = np.clip((rising + falling) / 2, 0, np.maximum(rows, 0)[:, None])
    own, with_rows, all_rows = prefix_variances(levels)
    return Distribution(smooth, summed, rows, own, with_rows, all_rows)


def consistent(tree: Ints, levels: tuple[int, ...]) -> Floats:
    """The least-squares estimate of every leaf, given that each node is the sum of its children.

    Two passes: upwards each node is combined with the sum of its children, downwards what is left over is shared out,
    each time in proportion to the variances.
    """
    counts = np.split(tree.astype(np.float64), np.cumsum(levels)[:-1], axis=1)
    variances, sums = _variances(levels)
    best = [counts[0]]
    child_sums: list[Floats] = []
    for level in range(1, len(levels)):
        child_sums.append(np.add.reduceat(best[-1], starts(levels[level - 1], levels[level]), axis=1))
        below = sums[level - 1]
        best.append((counts[level] * below + child_sums[-1]) / (below + 1))
    final = best[-1]
    for level in range(len(levels) - 1, 0, -1):
        parent = parents(levels[level - 1], levels[level])
        share = variances[level - 1] / sums[level - 1][parent]
        final = best[level - 1] + share * (final - child_sums[level - 1])[:, parent]
    return final


def parents(size: int, above: int) -> Ints:
    """The parent of each node."""
    return np.arange(size, dtype=np.int64) // -(-size // above)


def _variances(levels: tuple[int, ...]) -> tuple[list[Floats], list[Floats]]:
    """The variance of each node after the upward pass, and of the sum of each node's children; noise of variance 1."""
    variances, sums = [np.ones(levels[0])], []
    for size, above in itertools.pairwise(levels):
        sums.append(np.add.reduceat(variances[-1], starts(size, above)))
        variances.append(sums[-1] / (sums[-1] + 1))
    return variances, sums


@lru_cache(maxsize=64)
def prefix_variances(levels: tuple[int, ...]) -> tuple[Floats, Floats, float]:
    """Var of the least-squares count up to each leaf, its covariance with the count of all rows, and Var of that.

    For noise of variance 1 on each node. Between the two ends of a parent the count up to a child is the straight line
    between the ends plus a bridge (0 at both ends) that is uncorrelated with every level above, because the share of
    each child is chosen in proportion to its variance; so five numbers a node are enough to go down exactly.
    """
    variances, sums = _variances(levels)
    right = np.cumsum(variances[-1])
    left = right - variances[-1]
    total = float(right[-1])
    # of each node: Var(left end), Var(right end), Cov(both), Cov(left end, all), Cov(right end, all)
    var_l, var_r, cov, all_l, all_r = left, right, left, left, right
    for level in range(len(levels) - 1, 0, -1):
        parent = parents(levels[level - 1], levels[level])
        own, whole = variances[level - 1], sums[level - 1][parent]
        reached = np.cumsum(own)
        first = starts(levels[level - 1], levels[level])
        before = np.concatenate(([0.0], reached))[first][parent]
        t_r = (reached - before) / whole
        t_l = t_r - own / whole
        var_l, var_r, cov, all_l, all_r = (
            _mixed(t_l, t_l, var_l[parent], var_r[parent], cov[parent]) + whole * t_l * (1 - t_l),
            _mixed(t_r, t_r, var_l[parent], var_r[parent], cov[parent]) + whole * t_r * (1 - t_r),
            _mixed(t_l, t_r, var_l[parent], var_r[parent], cov[parent]) + whole * t_l * (1 - t_r),
            (1 - t_l) * all_l[parent] + t_l * all_r[parent],
            (1 - t_r) * all_l[parent] + t_r * all_r[parent],
        )
    return var_r, all_r, total


def _mixed(s: Floats, t: Floats, var_l: Floats, var_r: Floats, cov: Floats) -> Floats:
    """Cov of the points at s and at t of the straight line between two ends."""
    return (1 - s) * (1 - t) * var_l + s * t * var_r + (s * (1 - t) + t * (1 - s)) * cov


def locate(found: Distribution, q: Fraction, reach: float | Floats) -> Position:
    """The smallest bin with at least a share ``q`` of the rows at or below it, and the bins it could be instead.

    A bin is left out of the interval only where the unsmoothed count up to it is below ``q`` of the rows, or that
    before it above, by more than noise makes of it that ``reach``es so far on a node (of each group, or of all): each
    happens to the true bin with the probability of one tail at most, wherever the rows lie. The estimate's own bin is
    always in it.
    """
    counts = found.cumulative
    if np.issubdtype(counts.dtype, np.integer):
        # whole numbers: at least q·n rows means at least its ceiling, with no rounding of q
        target = np.array([-(-q.numerator * n // q.denominator) for n in found.rows.tolist()], dtype=np.float64)
    else:
        target = np.asarray(float(q) * found.rows, dtype=np.float64)
    wanted = target[:, None]
    at = np.argmax(counts >= wanted, axis=1)
    spread = found.variance - 2 * float(q) * found.covariance + float(q) ** 2 * found.rows_variance
    slack = np.asarray(reach, dtype=np.float64)[..., None] * np.sqrt(np.maximum(spread, 0.0))
    low = np.argmax(found.unsmoothed + slack >= wanted, axis=1)
    short = found.unsmoothed - slack < wanted
    last = counts.shape[1] - 1 - np.argmax(short[:, ::-1], axis=1)
    high = np.where(short.any(axis=1), np.minimum(last + 1, counts.shape[1] - 1), 0)
    row = np.arange(len(at))
    below = np.where(at > 0, counts[row, np.maximum(at - 1, 0)], 0)
    step = counts[row, at] - below
    inside = np.clip(np.divide(target - below, step, out=np.ones(len(at)), where=step > 0), 0.0, 1.0)
    return Position(at, inside, np.minimum(low, at), np.maximum(high, at))
