"""Threshold: which counts are few. One rule, of what is hidden in a table and of what a site withholds.

A rule of disclosure control hides counts from 1 to a bound (:class:`pets.protection.rounding.Rounding`); a site's
``min_cell`` withholds an answer with such a group, and its ``min_cohort`` one about such a cohort, or about nobody.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pets.common.integers import Ints

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Threshold:
    """Counts of people, or of rows, below a bound are few.

    Attributes:
        least: the least count that is not few (1 or 0: no count of somebody is).
        zero: whether nobody is few, too.

    >>> Threshold(8).few(np.array([0, 1, 7, 8])).tolist(), Threshold(8, zero=True).few(np.array([0, 8])).tolist()
    ([False, True, True, False], [True, False])
    >>> Threshold(8).interval, Threshold(1, zero=True).interval, Threshold(0).few(np.array([0, 1])).any()
    ((1, 7), (0, 0), np.False_)
    """

    least: int
    zero: bool = False

    @property
    def interval(self) -> tuple[int, int]:
        """The least and the greatest count that is few; the second is below the first where none is."""
        return int(not self.zero), self.least - 1

    def few(self, counts: Ints) -> Flags:
        """Which counts are few."""
        low, high = self.interval
        return np.asarray((counts >= low) & (counts <= high))
