"""Fit: a straight line with intervals that contain both the choice of people and the noise, from one release."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from pets.common import html_table
from pets.common.integers import Floats
from pets.errors import UserError, missing_extra
from pets.models.forest import forest
from pets.models.glm.stepping import of_same_rows
from pets.models.least_squares import POOR, Means, Solved, back, scale
from pets.models.line.clusters import Spread, belongs, design_from, several, solved_from, spread_of, why
from pets.models.margins.effects import Line
from pets.models.margins.verb import CONFIDENCE, Margined
from pets.models.new_rows import frame_of
from pets.models.predicting import judged, summed
from pets.models.regression import Regression, regression_of
from pets.models.saved import Saved
from pets.plan.clamping import clamped_columns
from pets.plan.fitted.design import Design
from pets.release.certificate import Certificate
from pets.release.release import Release
from pets.release.text import DUMMY

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Fit(Saved, Margined):
    """A fitted straight line. Everything in it follows from its releases, so it keeps their guarantee.

    Attributes:
        model: what was fitted.
        release: the sums that it was made of, with their certificate.
        meat: where a person has several rows, the sums of people's scores at the line, with theirs.
    """

    model: Regression[Any]
    release: Release
    meat: Release | None = None
    form: ClassVar[str] = "fit"
    called: ClassVar[str] = "a fit"
    also: ClassVar[tuple[str, ...]] = ("meat",)

    def __post_init__(self) -> None:
        right = isinstance(self.model, Regression) and isinstance(self.release, Release)
        if not right or self.release.query.digest != self.model.query.digest or not self._whole:
            raise UserError("a fit is made by session.fit(model, protection), of the release of that model's own sums")

    @property
    def _whole(self) -> bool:
        """Whether scores are there where a person has several rows and there is a line, at the line, and else not."""
        meat, needed = self.meat, several(self.release) and not why(self._solved)
        if meat is None:
            return not needed
        alike = needed and isinstance(meat, Release) and of_same_rows((self.release, meat))
        return alike and meat.schema == self.release.schema and belongs(meat, self.release, self._solved)

    @classmethod
    def _made(cls, model: Any, release: Release, **also: Release) -> Self:
        return cls(regression_of(model), release, **also)

    # what follows from the release --------------------------------------------------------------------------------

    @cached_property
    def design(self) -> Design:
        """The columns of the regression and the sums that were measured."""
        return design_from(self.release)

    @cached_property
    def _solved(self) -> Solved:
        return solved_from(self.release)

    @cached_property
    def _spread(self) -> Spread | None:
        """What the choice of people makes, by their scores; ``None`` where a person has one row."""
        return None if self.meat is None else spread_of(self.meat, self._solved)

    @property
    def _why(self) -> str:
        """Why no coefficient is given (``""``: they are)."""
        if self._solved.why or not several(self.release):
            return self._solved.why
        return why(self._solved) or ("rows are of fewer than two people" if self.people < 2 else "")

    @property
    def estimable(self) -> bool:
        """Whether there are coefficients; :attr:`notes` say why not."""
        return not self._why

    @property
    def terms(self) -> tuple[str, ...]:
        """The names of the coefficients: ``region[North]`` is against the first value that the schema lists."""
        return self.design.terms

    @cached_property
    def _own(self) -> tuple[Floats, Floats, Floats]:
        """The coefficients in their columns' own units, and the covariances of noise and of sampling."""
        found, p = self._solved, len(self.design.columns)
        if not self.estimable:
            gone = np.full((p, p), np.nan)
            return np.full(p, np.nan), gone, gone
        turn, added = back(self.design)
        beta = turn @ found.coefficients + added
        noise, sampling = (turn @ one @ turn.T for one in (found.noise, found.sampling))
        if self._spread is not None:
            alone, sampling = np.diag(sampling), turn @ self._spread.sampling @ turn.T
            if self.release.mechanism != "none":  # (noise may have made it too small)
                sampling = sampling + np.diag(np.maximum(alone - np.diag(sampling), 0.0))
        return beta, noise, sampling

    @property
    def line(self) -> Line:
        """The coefficients with their full covariances."""
        return Line(self.design, "linear", *self._own)

    @property
    def one_row(self) -> bool:
        """Whether a person has one row in it."""
        return not several(self.release)

    @property
    def column_means(self) -> Means:
        """The means of the columns in their own units, and what moves these and the coefficients."""
        turn, _ = back(self.design)
        unit = scale(self.design, self.design.outcome)[1] * self.design.weight(self.design.outcome).largest
        return self._solved.means.turned(turn, np.asarray(np.linalg.inv(turn.T / float(unit)), dtype=np.float64))

    @property
    def coefficients(self) -> dict[str, float]:
        """By term, in the outcome's unit for each unit of the term; NaN where they cannot be given."""
        return dict(zip(self.terms, self._own[0].tolist(), strict=True))

    @property
    def covariance(self) -> pd.DataFrame:
        """The covariance of the coefficients, of noise and sampling together."""
        import pandas as pd

        return pd.DataFrame(self._own[1] + self._own[2], index=list(self.terms), columns=list(self.terms))

    @property
    def rows(self) -> float:
        """How many rows it is about: those with a value in every column, counted with noise; their weights' sum."""
        return self._solved.rows

    @property
    def people(self) -> float:
        """Where a person has several rows: how many people they are of, counted with noise; else NaN."""
        return math.nan if self._spread is None else self._spread.people

    @property
    def residual(self) -> float:
        """The standard deviation of what the line does not explain, in the outcome's unit."""
        unit = scale(self.design, self.design.outcome)[1] * self.design.weight(self.design.outcome).largest
        return math.sqrt(max(self._solved.squares, 0.0)) * float(unit) if self.estimable else math.nan

    @property
    def health(self) -> float:
        """κ: how far the least determined direction stands out of the noise. Below 1 no coefficient is given."""
        return self._solved.health

    @property
    def certificate(self) -> Certificate | None:
        """The ledger's signed statement about the sums; those of people's scores have one of their own."""
        return self.release.certificate

    @property
    def table(self) -> pd.DataFrame:
        """One row a term: coefficient, standard error, 95 % interval, p, and what noise and sampling make of the error.

        ``error`` holds both: error² = ``noise``² + ``sampling``², and ``noise_share`` is noise² over error². ``low``
        and ``high`` cover the coefficient of the population; ±1.96 · ``noise`` covers that of the table's own rows.
        Exact fits use Student's t with n − p degrees of freedom (where a person has several rows, of G people: with
        G − 1, and errors by person as ``cov_type="cluster"`` of statsmodels has them), noisy ones the normal law.
        """
        import pandas as pd

        beta, noise, sampling = self._own
        parts = [np.sqrt(np.maximum(np.diag(one), 0.0)) for one in (noise, sampling)]
        error = np.hypot(*parts)
        z, chance = self.law(beta, error)
        share = np.divide(parts[0] ** 2, error**2, out=np.zeros_like(error), where=error > 0)
        columns = {"coefficient": beta, "error": error, "low": beta - z * error, "high": beta + z * error, "p": chance}
        columns |= {"noise": parts[0], "sampling": parts[1], "noise_share": np.where(np.isnan(beta), np.nan, share)}
        return pd.DataFrame(columns, index=pd.Index(self.terms, name="term"))

    def law(self, values: Floats, errors: Floats) -> tuple[float, Floats]:
        """Half the width of an interval in standard errors, and the chance of values as far from 0.

        Of an exact fit by Student's law, otherwise by the normal one.
        """
        ratio = np.abs(np.divide(values, errors, out=np.full_like(values, np.inf), where=errors > 0))
        ratio = np.where(np.isnan(values), np.nan, ratio)
        if self.release.mechanism != "none" or not self.estimable:
            normal = NormalDist()
            chance = [math.nan if math.isnan(one) else 2 * normal.cdf(-one) for one in ratio]
            return normal.inv_cdf((1 + CONFIDENCE) / 2), np.array(chance)
        try:
            from scipy import stats
        except ImportError:
            raise missing_extra("an exact regression", "models") from None
        law = stats.t(self.rows - len(self.terms) if self._spread is None else self.people - 1)
        return float(law.ppf((1 + CONFIDENCE) / 2)), 2 * law.sf(ratio)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know, from released numbers alone."""
        found, out, lacks = self._solved, [], self._why
        if lacks:
            most = np.argsort(-np.abs(found.direction), kind="stable")[:2]
            named = " and ".join(repr(self.terms[place]) for place in sorted(most.tolist()))
            where = "" if lacks != found.why or "rows" in lacks else f", {named} above all"
            more = "" if self.release.mechanism == "none" else ", or ask with more epsilon"
            more += "; this answer stays charged" if more and self.release.data == "real" else ""
            out.append(f"No coefficients: {lacks}{where}. Take fewer terms or more rows{more}.")
        elif found.health < POOR:
            out.append(
                f"Noise is large against what tells terms apart (κ = {found.health:.2g}, below {POOR:g}): intervals "
                "may be too wide, and coefficients are drawn towards 0."
            )
        if self.meat is not None and self.estimable:
            out.append(self._of_people)
        if self.design.weights is not None:
            out.append(
                f"Weighted least squares, R² = {float(self.design.weights):.6g}: rows whose scaled terms have a "
                "greater squared length count less, which lowers the noise. Where the true line is not straight this "
                "is another line than the ordinary one, which is weights=None."
            )
        if self.design.references:
            out.append(f"Coefficients of values are against {html_table.few(self.design.references)}.")
        if self.release.mechanism != "none":  # an exact release says so itself
            plan = self.release.plan
            out += clamped_columns(plan.fields, plan.measures[0].columns)
        if lacking := [name for name, domain in self.design.domains.items() if domain.nullable]:
            out.append(f"Rows without a value in {html_table.few(lacking)} are left out.")
        if self.release.mechanism != "none":
            out.append("The line is that of the clamped values; no interval holds what clamping moved.")
        further = () if self.meat is None else self.meat.notes
        return tuple(dict.fromkeys((*out, *self.release.notes, *further)))

    @property
    def _of_people(self) -> str:
        """What errors rest on where a person has several rows."""
        assert self.meat is not None
        (measure,) = self.meat.plan.measures
        assert measure.scores is not None
        said = f"A person has up to {self.release.plan.rows} rows, which are alike: errors of sampling are by person"
        if self.release.mechanism == "none":
            return said + ", with G / (G - 1) · (n - 1) / (n - p) for n rows of G people."
        return (
            f"{said}, from a second release; there what one person adds is shortened to a length of "
            f"{float(measure.scores.norm):.4g} on columns from -1 to 1, and no error is below that of independent rows."
        )

    # what is done with it -------------------------------------------------------------------------------------------

    def predict(self, data: Any) -> Floats:
        """The line's value for new rows: a data frame, or a mapping, with the columns of the terms.

        Numbers are moved between the schema's bounds first, as those of the fit were. A row without a value in one of
        them has NaN.

        Raises:
            UserError: for a column that is missing, or a value that the schema does not list.
        """
        if not self.estimable:
            raise UserError(f"this fit has no coefficients, so it predicts nothing: {self.notes[0]}")
        return summed(self.design, self._own[0], frame_of(data))

    def score(self, data: Any, outcome: Any = None) -> float:
        """R² of new rows: the share of the variance of their outcomes that the line's values explain.

        Args:
            outcome: of each row; left out, the column of that name in ``data``. Rows without one do not count.

        Raises:
            UserError: as :meth:`predict`; and where no row has an outcome, or all have the same.
        """
        found = judged(self.design, frame_of(data), outcome, self.predict(data))
        rest, spread = np.square(found[0] - found[1]).sum(), np.square(found[0] - found[0].mean()).sum()
        if not spread:
            raise UserError("all outcomes are the same, so there is no variance to explain; give other rows")
        return float(1 - rest / spread)

    def summary(self) -> str:
        """The fit as text: every line comes from released sums."""
        said = self.table
        kind = "Straight line" if self.design.weights is None else "Straight line by weighted least squares"
        head = [f"{kind}: {self.model.formula}", f"Data: {self.release.dataset}, {self.release.plan.source}"]
        about = "" if self.release.mechanism == "none" else "about "
        facts = f"{'Rows' if self.design.weights is None else 'Rows by weight'}: {about}{self.rows:,.0f}"
        if self._spread is not None:
            facts += f"; people: {about}{self.people:,.0f}"
        if self.estimable:
            facts += f"; residual standard deviation: {self.residual:,.4g}"
        width = max(4, *(len(term) for term in self.terms))
        lines = [
            f"{'term':<{width}}  {'coefficient':>12}  {'error':>10}  {'95 % interval':>26}  {'p':>7}  {'noise':>6}"
        ]
        for term, row in said.iterrows():
            ends = f"[{row['low']:,.5g}, {row['high']:,.5g}]"
            share = "" if math.isnan(row["noise_share"]) else f"{row['noise_share']:.0%}"
            lines.append(
                f"{term!s:<{width}}  {row['coefficient']:>12,.5g}  {row['error']:>10,.4g}  {ends:>26}  "
                f"{row['p']:>7.3f}  {share:>6}"
            )
        both = "The error, the interval and p contain both the choice of people and the noise; noise is its share of "
        tail = [both + "error².", *self.notes, self.guarantee]
        if self.release.data == "dummy":
            head = [DUMMY, *head]
        return "\n".join([*head, facts, "", *lines, "", *tail])

    __str__ = summary

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        said = self.table
        header = ("term", "coefficient", "error", "low", "high", "p", "share of noise")
        rows = [
            (term, *(f"{row[name]:,.5g}" for name in ("coefficient", "error", "low", "high", "p", "noise_share")))
            for term, row in said.iterrows()
        ]
        alarm = [html_table.sentence(DUMMY, alarm=True)] if self.release.data == "dummy" else []
        notes = [html_table.sentence(note) for note in (*self.notes, self.guarantee)]
        return html_table.block(*alarm, html_table.table(self.model.formula, header, rows, numbers=range(1, 7)), *notes)

    def chart(self) -> Any:
        """The coefficients with their intervals, as an Altair chart (a forest plot); without the intercept.

        Raises:
            MissingExtraError: without the extra ``plot``.
        """
        return forest(self.table.iloc[1:], f"Coefficients: {self.model.formula}", self.release, self.notes)

    plot = chart
