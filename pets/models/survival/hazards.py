"""Hazards: ratios of a Cox regression with intervals that contain both the choice of people and the noise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from pets.common import html_table
from pets.common.integers import Floats
from pets.errors import UserError
from pets.models.forest import forest
from pets.models.new_rows import frame_of
from pets.models.survival.covariates import Covariates, Judged
from pets.models.survival.estimate import Z
from pets.models.survival.exit_fit import ExitFit

if TYPE_CHECKING:
    import pandas as pd

MUCH = 0.5
"""The share of noise from which it is said that coefficients are drawn towards 0."""


@dataclass(frozen=True, repr=False)
class Hazards(ExitFit):
    """A Cox regression of one release, so it keeps that release's guarantee.

    Attributes:
        model: what was fitted.
        release: the counts that it was made of, with their certificate.
    """

    form: ClassVar[str] = "hazard ratios"
    kind: ClassVar[str] = "cox"
    called: ClassVar[str] = "a Cox regression"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.model.check(self.release.schema)  # (references and products are not in the question)

    @cached_property
    def covariates(self) -> Covariates:
        """The patterns, and what the coefficients are of."""
        return self.model.covariates(self.release.plan)  # type: ignore[attr-defined,no-any-return]

    @property
    def terms(self) -> tuple[str, ...]:
        """The names of the coefficients: ``arm[new]`` is against its column's reference, which :attr:`notes` name."""
        return tuple(map(str, self.covariates.terms))

    @cached_property
    def _judged(self) -> Judged:
        """Which coefficients are given."""
        return Judged(self.covariates, self.streams, np.array([float(value is None) for value in self.bins.values]))

    @property
    def estimable(self) -> bool:
        """Whether there are coefficients; :attr:`notes` say why not."""
        return self._judged.solved[0] is not None

    @cached_property
    def _own(self) -> tuple[Floats, Floats, Floats]:
        """Coefficients, and their covariances by noise and by sampling; NaN for those that are not given."""
        found, kept = self._judged.solved
        count = len(self.terms)
        beta, noise, sampling = np.full(count, np.nan), np.full((count, count), np.nan), np.full((count, count), np.nan)
        if found is not None:
            beta[kept] = found.coefficients
            noise[np.ix_(kept, kept)], sampling[np.ix_(kept, kept)] = found.noise, found.sampling
        return beta, noise, sampling

    @property
    def coefficients(self) -> dict[str, float]:
        """By term, the log hazard ratio; NaN where it cannot be given."""
        return dict(zip(self.terms, self._own[0].tolist(), strict=True))

    @property
    def covariance(self) -> pd.DataFrame:
        """The covariance of the coefficients, of noise and sampling together."""
        import pandas as pd

        return pd.DataFrame(self._own[1] + self._own[2], index=list(self.terms), columns=list(self.terms))

    @property
    def table(self) -> pd.DataFrame:
        """One row a term: log hazard ratio, standard error, 95 % interval and p; and the ratio with its interval.

        ``error`` holds both: error² = ``noise``² + ``sampling``², and ``noise_share`` is noise² over error².
        """
        import pandas as pd

        beta = self._own[0]
        noise, sampling = (np.sqrt(np.diag(one)) for one in self._own[1:])
        error = np.hypot(noise, sampling)
        normal = NormalDist()
        chance = [math.nan if math.isnan(one) else 2 * normal.cdf(-abs(one)) for one in beta / error]
        low, high = beta - Z * error, beta + Z * error
        columns = {"coefficient": beta, "error": error, "low": low, "high": high, "p": chance, "ratio": np.exp(beta)}
        columns |= {"ratio_low": np.exp(low), "ratio_high": np.exp(high), "noise": noise, "sampling": sampling}
        columns["noise_share"] = np.square(noise / error)
        return pd.DataFrame(columns, index=pd.Index(self.terms, name="term"))

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know, from released numbers alone."""
        out = []
        gone = [name for name, rare in zip(self.terms, self._judged.rare, strict=True) if rare]
        if self._judged.why:
            out.append(f"No coefficients: {self._judged.why}")
        elif gone:
            few = self._judged.few
            out.append(f"No coefficient of {html_table.few(gone)}: {few}; who has such a value is left out of the fit.")
        if self.estimable and np.nanmax(self.table["noise_share"].to_numpy()) > MUCH:
            out.append("More than half of some variance is noise: such coefficients are drawn towards 0.")
        if self.covariates.references:
            against = html_table.few(f"{name}[{value}]" for name, value in self.covariates.references.items())
            out.append(f"Ratios of values are against {against}; reference= takes others, of the same counts.")
        out.append("Hazards are taken to be proportional; nothing here tests that.")
        return (*out, *self._said, *self.release.notes)

    # what is done with it -------------------------------------------------------------------------------------------

    def predict(self, data: Any) -> Floats:
        """The hazard of new rows over that of the references (of a number: its least value): :meth:`ratios` alone.

        Args:
            data: a data frame, or a mapping, with the covariates; whole numbers are moved between the schema's bounds.

        Raises:
            UserError: for a column that is missing, or a value that the schema does not list.
        """
        found: Floats = self.ratios(data)["ratio"].to_numpy()
        return found

    def ratios(self, data: Any, against: Mapping[str, object] | None = None) -> pd.DataFrame:
        """By new row, its hazard over that of another pattern, with the 95 % interval, which contains the noise.

        ``error`` is that of the ratio's logarithm. NaN: a covariate has no value, or a coefficient that is not given
        enters.

        Args:
            data: as of :meth:`predict`.
            against: the other pattern, a value for each covariate; left out, the references and least numbers.

        Raises:
            UserError: as :meth:`predict`.
        """
        import pandas as pd

        frame = self._frame(data)
        given = self.covariates.first if against is None else self._pattern(against)
        beta, noise, sampling = self._own
        rows = self.covariates.rows(frame) - given
        gone = np.isnan(beta)
        known = ~np.isnan(rows).any(axis=1) & ~rows[:, gone].any(axis=1)
        rows, beta, spread = rows[:, ~gone], beta[~gone], (noise + sampling)[np.ix_(~gone, ~gone)]
        log = np.where(known, rows @ beta, np.nan)
        error = np.where(known, np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", rows, spread, rows), 0.0)), np.nan)
        ends = {"ratio": log, "error": error, "low": log - Z * error, "high": log + Z * error}
        told = {name: one if name == "error" else np.exp(one) for name, one in ends.items()}
        return pd.DataFrame(told, index=frame.index)

    def predict_survival(self, data: Any) -> pd.DataFrame:
        """By new row and bin, the share that is still without the event when it ends, if the hazards are proportional.

        ``row`` is the row's label; ``error``, ``low`` and ``high`` (95 % of one point) contain both the choice of
        people and the noise: error² = ``noise``² + ``sampling``². Up to where enough are at risk in some pattern; one
        line of NaN where a covariate has no value, or a coefficient that is not given enters.

        Args:
            data: as of :meth:`predict`.

        Raises:
            UserError: as :meth:`predict`.
        """
        import pandas as pd

        frame = self._frame(data)
        edges = np.array([float(edge) for edge in self.bins.edges])
        parts, names = [], ("survival", "error", "low", "high", "noise", "sampling")
        for label, made in zip(frame.index, self._judged.survival(self.covariates.rows(frame)), strict=True):
            if made is None:
                parts.append(pd.DataFrame({"row": [label], "from": math.nan, "to": math.nan}))
                continue
            spreads = [made.deviation(one) for one in (made.covariance, made.noise, made.sampling)]
            told: dict[str, Any] = dict(
                zip(names, (made.survival, spreads[0], *made.interval(Z), *spreads[1:]), strict=True)
            )
            parts.append(
                pd.DataFrame({"row": label, "from": edges[: made.bins], "to": edges[1 : made.bins + 1], **told})
            )
        columns = ["row", "from", "to", *names]
        return pd.concat(parts, ignore_index=True).reindex(columns=columns) if parts else pd.DataFrame(columns=columns)

    def _frame(self, data: Any) -> pd.DataFrame:
        if not self.estimable:
            raise UserError(f"this fit has no coefficients, so it predicts nothing: {self.notes[0]}")
        return frame_of(data)

    def _pattern(self, against: object) -> Floats:
        alone = isinstance(against, Mapping) and not any(isinstance(one, (list, tuple)) for one in against.values())
        rows = self.covariates.rows(frame_of({name: [one] for name, one in against.items()})) if alone else None  # type: ignore[attr-defined]
        if rows is None or np.isnan(rows).any():
            example = {name: self.covariates.references.get(name, 1) for name in self.model.by}
            raise UserError(f"against is one pattern, with a value for each covariate, such as {example!r}")
        found: Floats = rows[0]
        return found

    def chart(self) -> Any:
        """The hazard ratios with their intervals, as an Altair chart (a forest plot).

        Raises:
            MissingExtraError: without the extra ``plot``.
        """
        return forest(
            self.table,
            f"Hazard ratios: {self.model.formula}",
            self.release,
            self.notes,
            axis="hazard ratio",
            ratio=True,
        )

    plot = chart

    # how it is shown ------------------------------------------------------------------------------------------------

    def summary(self) -> str:
        """The fit as text: every line comes from released counts."""
        about = "" if self.exact else "about "
        rows, events = map(sum, zip(*self.sizes, strict=True))
        width = max(4, *(len(term) for term in self.terms))
        head = f"{'term':<{width}}  {'ratio':>8}  {'95 % interval':>20}  {'coefficient':>11}  {'error':>8}"
        lines = [f"{head}  {'p':>7}  {'noise':>6}"]
        for term, row in self.table.iterrows():
            ends = f"[{row['ratio_low']:.4g}, {row['ratio_high']:.4g}]"
            share = "" if math.isnan(row["noise_share"]) else f"{row['noise_share']:.0%}"
            lines.append(
                f"{term!s:<{width}}  {row['ratio']:>8.4g}  {ends:>20}  {row['coefficient']:>11.4g}  "
                f"{row['error']:>8.3g}  {row['p']:>7.3f}  {share:>6}"
            )
        both = "Errors, intervals and p contain both the choice of people and the noise; noise is its share of error²."
        facts = f"Rows: {about}{rows:,.0f}; events: {about}{events:,.0f}"
        return "\n".join([*self._head, facts, "", *lines, "", both, *self.notes, self.release.guarantee])

    __str__ = summary

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        names = ("ratio", "ratio_low", "ratio_high", "coefficient", "error", "p", "noise_share")
        rows = [(term, *(f"{row[one]:,.5g}" for one in names)) for term, row in self.table.iterrows()]
        *alarm, said, _ = self._head
        return html_table.block(
            *(html_table.sentence(one, alarm=True) for one in alarm),
            html_table.table(said, ("term", *names), rows, numbers=range(1, 8)),
            *(html_table.sentence(note) for note in (*self.notes, self.release.guarantee)),
        )
