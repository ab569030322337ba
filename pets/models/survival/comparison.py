"""Comparison: a log-rank test whose chance contains both the choice of people and the noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from pets.common import html_table
from pets.errors import missing_extra
from pets.models.survival.exit_fit import ExitFit
from pets.models.survival.scores import Scores, scores

if TYPE_CHECKING:
    import pandas as pd

MUCH = 0.5
"""The share of noise from which it is said that a difference may well be missed."""


@dataclass(frozen=True, repr=False)
class Comparison(ExitFit):
    """A log-rank test of one release, so it keeps that release's guarantee.

    Attributes:
        model: what was fitted.
        release: the counts that it was made of, with their certificate.
    """

    form: ClassVar[str] = "log-rank test"
    kind: ClassVar[str] = "log_rank"
    called: ClassVar[str] = "a log-rank test"

    @cached_property
    def scores(self) -> Scores:
        """Observed and expected events, and how far noise and the choice of people move them."""
        return scores(self.streams)

    @property
    def statistic(self) -> float:
        """χ², with the noise in its variance; NaN where nothing tells the groups apart."""
        return self.scores.statistic

    @property
    def freedom(self) -> int:
        """Degrees of freedom: one less than there are groups."""
        return len(self.groups) - 1

    @cached_property
    def p(self) -> float:
        """The chance of a statistic as great, if the groups were alike: of people and noise together."""
        try:
            from scipy.stats import chi2
        except ImportError:
            raise missing_extra("a log-rank test", "models") from None
        return float(chi2.sf(self.statistic, self.freedom))

    @property
    def noise_share(self) -> float:
        """The part of the scores' variance that the noise makes, over all groups."""
        noise, both = (float(np.trace(one)) for one in (self.scores.noise, self.scores.noise + self.scores.sampling))
        return noise / both if both > 0 else math.nan

    @property
    def table(self) -> pd.DataFrame:
        """One row a group: people, events, those expected if all groups were alike, and the error of the difference.

        ``error`` holds both noise and the choice of people, and ``noise_share`` is noise² over error².
        """
        import pandas as pd

        found = self.scores
        noise, sampling = np.diag(found.noise), np.diag(found.sampling)
        columns = {
            "rows": [rows for rows, _ in self.sizes],
            "events": found.observed,
            "expected": found.expected,
            "difference": found.observed - found.expected,
            "error": np.sqrt(noise + sampling),
            "noise_share": np.divide(noise, noise + sampling, out=np.zeros_like(noise), where=noise + sampling > 0),
        }
        return pd.DataFrame(columns, index=pd.Index(self.groups, name=", ".join(self.model.by)))

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know, from released numbers alone."""
        out = []
        if math.isnan(self.statistic):
            out.append("No test: there are no events, or no people in some group, so nothing tells the groups apart.")
        elif self.noise_share > MUCH:
            out.append(
                f"{self.noise_share:.0%} of the variance is noise, so a difference that is there may well be missed: "
                "take fewer bins or groups, or more epsilon."
            )
        return (*out, *self._said, *self.release.notes)

    @property
    def _test(self) -> str:
        return f"χ² = {self.statistic:.4g}, degrees of freedom: {self.freedom}, p = {self.p:.4g}"

    def summary(self) -> str:
        """The test as text: every line comes from released counts."""
        width = max(len("group"), *(len(name) for name in self.groups))
        about = "" if self.exact else "about "
        head = f"{'group':<{width}}  {'rows':>10}  {'events':>10}  {'expected':>10}  {'error':>8}  {'noise':>6}"
        lines = [*self._head, "", head]
        for name, row in self.table.iterrows():
            lines.append(
                f"{name!s:<{width}}  {row['rows']:>10,.0f}  {row['events']:>10,.1f}  {row['expected']:>10,.1f}  "
                f"{row['error']:>8,.3g}  {row['noise_share']:>6.0%}"
            )
        both = f"Counts are {about}those of the rows; χ² and p contain both the choice of people and the noise."
        both = both if about else "p is of the choice of people: there is no noise."
        return "\n".join([*lines, "", self._test, both, *self.notes, self.release.guarantee])

    __str__ = summary

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        names = ("rows", "events", "expected", "difference", "error", "noise_share")
        rows = [(name, *(f"{row[one]:,.5g}" for one in names)) for name, row in self.table.iterrows()]
        *alarm, said, _ = self._head
        return html_table.block(
            *(html_table.sentence(one, alarm=True) for one in alarm),
            html_table.table(said, ("group", *names), rows, numbers=range(1, 7)),
            *(html_table.sentence(note) for note in (self._test, *self.notes, self.release.guarantee)),
        )
