"""Forecast of survival curves: how far noise will move who is at risk, who leaves and the curve. It reads no row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pets.dp.calibrate import calibrate
from pets.models.forecast import SIZES
from pets.models.survival.estimate import CLEAR, curve
from pets.models.survival.streams import Streams
from pets.plan.fitted.exits import UNIT, inverse
from pets.plan.plan import Plan
from pets.protection.budget import Budget
from pets.protection.protection import DP, Protection

if TYPE_CHECKING:
    import pandas as pd

EVENTS = 0.5
"""The share of rows that are taken to have the event before the last edge."""


@dataclass(frozen=True)
class ExitForecast:
    """What will be known of who leaves when, in a group of so many rows; the same numbers leave each bin.

    Attributes:
        bins: of time, up to the last edge.
        groups: that are told apart, of equally many rows.
        at_risk, exits: the standard deviation of the noise on who is at risk (the greatest of all bins), and on the
            events of a bin.
        error, noise: by number of rows, in the order of :data:`pets.models.forecast.SIZES`, the expected standard error
            of the curve at half of the time (NaN: it ends before), and noise's part of it.
        known: by number of rows, the bins before the curve ends.
        remarks: on the edges.
    """

    bins: int
    groups: int
    at_risk: float
    exits: float
    error: tuple[float, ...]
    noise: tuple[float, ...]
    known: tuple[int, ...]
    remarks: tuple[str, ...] = ()

    @classmethod
    def of(cls, plan: Plan, groups: int, protection: Protection, budget: Budget) -> ExitForecast:
        """Of a plan's two lists of counts: of exact ones, without noise."""
        (measure,) = plan.measures
        bins, size = measure.levels
        deviation = calibrate(plan, protection, budget).scales[0] / UNIT if isinstance(protection, DP) else 0.0
        found = []
        for rows in SIZES:
            each = rows / groups
            events = np.full(bins, EVENTS * each / bins)
            others = np.append(np.zeros(bins), (1 - EVENTS) * each)[:size] if size > bins else events
            made = curve(Streams(events, others, deviation), np.zeros(bins))
            middle = bins // 2
            there = made.bins > middle
            pair = [float(made.deviation(one)[middle]) if there else math.nan for one in (made.covariance, made.noise)]
            found.append((*pair, made.bins))
        error, noises, known = zip(*found, strict=True)
        one = Streams(np.zeros(bins), np.zeros(size), deviation)
        spread = deviation * UNIT * math.sqrt(float((inverse(bins)[-1] ** 2).sum()))
        return cls(bins, groups, float(one.at_risk_deviation.max()), spread, error, noises, known)

    @property
    def table(self) -> pd.DataFrame:
        """One row for each number of rows: the error of the curve at half of the time, noise's part, and its bins."""
        import pandas as pd

        columns = {"error": list(self.error), "noise": list(self.noise), "bins": list(self.known)}
        return pd.DataFrame(columns, index=pd.Index(SIZES, name="rows"))

    @property
    def lines(self) -> Sequence[str]:
        """The same in text, with what will not be estimable."""
        group = "" if self.groups == 1 else f" in each of {self.groups} groups"
        said = [
            f"Noise (standard deviation){group}: ±{self.exits:,.3g} on the events of a bin, up to ±{self.at_risk:,.3g} "
            "on who is at risk.",
            "Expected standard error of the curve at half of the time, if half of the rows have the event (noise "
            "alone):",
        ]
        for rows, error, noise, known in zip(SIZES, self.error, self.noise, self.known, strict=True):
            what = "none" if math.isnan(error) else f"{error:.3g} ({noise:.3g})"
            ends = "" if known == self.bins else f"; it ends after {known} of {self.bins} bins"
            said.append(f"  n = {rows:>7,}: {what}{ends}")
            events = EVENTS * rows / self.groups
            if self.exits * self.bins > events:
                said.append(
                    f"At n = {rows:,} noise on the events of {self.bins} bins (±{self.exits:,.3g} on each) is more "
                    f"than {events:,.0f} events: take fewer bins, fewer groups or more epsilon."
                )
        if any(known < self.bins for known in self.known):
            said.append(
                f"A curve ends where fewer are at risk than {CLEAR:g} standard deviations of the noise on them."
            )
        return [*said, *self.remarks]
