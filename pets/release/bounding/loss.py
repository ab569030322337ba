"""Loss: how many rows each bound K leaves out, and what share it counts, from noisy counts of people by rows.

T_k is the number of people with at least k kept rows (in a group: of people whose k-th row is in it). A query that
counts K rows of each person leaves out L_K = T_{K+1} + … + T_M, with M the rows that a snapshot keeps.
Post-processing only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from pets.common.integers import Floats, Ints
from pets.release.bounding.isotonic import falling
from pets.release.estimate import Noise


@dataclass(frozen=True)
class Range:
    """An estimate and the ends of its interval, one entry a group."""

    estimate: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Loss:
    """Noisy counts, and what follows from them.

    Attributes:
        counts: T_1 … T_M of each group, as they were released.
        noise: on each of them.
        falls: T_k never rises with k, since people with k + 1 rows have k: true of a whole table, not of a group.
    """

    counts: Ints
    noise: Noise
    falls: bool

    @property
    def kept(self) -> int:
        """M."""
        return int(self.counts.shape[1])

    def people(self) -> Range:
        """T_k, by group and k."""
        raw = self.counts.astype(np.float64)
        half = self.noise.half_width([(0, 1.0)])
        low, high = np.maximum(raw - half, 0.0), np.maximum(raw + half, 0.0)
        return Range(np.clip(self._fitted(), low, high), low, high)

    def lost(self, rows: int, confidence: float | None = None) -> Range:
        """L_K for K = ``rows``. The interval is that of the raw sum: the noises on M − K counts are independent."""
        return self._sum(rows, self.kept, confidence)

    def counted(self, rows: int, confidence: float | None = None) -> Range:
        """Rows that are counted at K = ``rows``: T_1 + … + T_K."""
        return self._sum(0, rows, confidence)

    def share(self, rows: int) -> Range:
        """The share of kept rows that K = ``rows`` counts; NaN where nothing says that there are any.

        It grows with the rows counted and falls with those lost; each of the two lies in an interval that misses half
        as often as it may, so both hold together with the stated confidence.
        """
        if rows >= self.kept:
            one = np.ones(len(self.counts))
            return Range(one, one, one)
        both = (1 + self.noise.confidence) / 2
        inside, outside = self.counted(rows, both), self.lost(rows, both)
        return Range(
            _part(inside.estimate, outside.estimate),
            _part(inside.low, outside.high),
            _part(inside.high, outside.low),
        )

    def _fitted(self) -> Floats:
        raw = self.counts.astype(np.float64)
        if self.falls:
            raw = np.array([falling(group) for group in raw]).reshape(raw.shape)
        return np.maximum(raw, 0.0)

    def _sum(self, start: int, stop: int, confidence: float | None) -> Range:
        if start >= stop:
            nothing = np.zeros(len(self.counts))
            return Range(nothing, nothing, nothing)
        sure = self.noise.confidence if confidence is None else confidence
        raw = self.counts[:, start:stop].sum(axis=1).astype(np.float64)
        many = (stop - start) * self.noise.cells  # noises: several sites may each have added one
        half = replace(self.noise, cells=many, confidence=sure).half_width([(0, 1.0)])
        low, high = np.maximum(raw - half, 0.0), np.maximum(raw + half, 0.0)
        fitted = self._fitted()[:, start:stop].sum(axis=1) if self.falls else raw
        return Range(np.clip(fitted, low, high), low, high)


def _part(inside: Floats, outside: Floats) -> Floats:
    whole = inside + outside
    return cast(Floats, np.divide(inside, whole, out=np.full(len(whole), np.nan), where=whole > 0))
