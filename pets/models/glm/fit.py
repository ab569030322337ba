"""GlmFit: a logistic or a Poisson regression with intervals that contain both the choice of people and the noise."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pets.common import html_table
from pets.common.codec import Json
from pets.common.integers import Floats
from pets.errors import PetsError, UserError
from pets.models import saving
from pets.models.forest import forest
from pets.models.glm.newton import DOUBTFUL, Found, turned
from pets.models.glm.predicts import Predicts
from pets.models.glm.stepping import SEPARATED, Progress, of_same_rows
from pets.models.least_squares import POOR
from pets.models.margins.effects import Line
from pets.models.margins.together import together
from pets.models.margins.verb import Margined
from pets.models.reading.other_names import OtherNames
from pets.models.regression import Regression, regression_of
from pets.plan.clamping import clamped_columns
from pets.plan.fitted.design import Design
from pets.release.certificate import Certificate
from pets.release.release import Release
from pets.release.text import DUMMY

if TYPE_CHECKING:
    import pandas as pd

VERSION = 1
WHAT = {"logistic": "Logistic regression", "poisson": "Poisson regression"}
STEEP = 5.5
"""The log of how many times the least mean the greatest one is, above which a Poisson regression says so."""
RATIO = {"logistic": "odds ratio", "poisson": "rate ratio"}


@dataclass(frozen=True, repr=False)
class GlmFit(Predicts, Margined, OtherNames):
    """A fitted logistic or Poisson regression. Everything in it follows from its releases, so it keeps their guarantee.

    Attributes:
        model: what was fitted.
        releases: the sums of the start and of each step, in order, each with its certificate.
    """

    model: Regression[GlmFit]
    releases: tuple[Release, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "releases", tuple(self.releases))
        wrong = UserError("a fit is made by session.fit(model, protection), of the releases of that model's own steps")
        if not isinstance(self.model, Regression) or not self.releases:
            raise wrong
        schema = self.releases[0].schema
        for place, release in enumerate(self.releases):
            ((_, asked),) = release.query.aggregates
            at = getattr(asked, "at", None)
            own = self.model.asked(at, schema, fine=self.exact)  # type: ignore[attr-defined]
            if release.query.digest != own.digest or (at is None) != (place == 0) or release.schema != schema:
                raise wrong
        if not of_same_rows(self.releases) or not self._progress.sound:
            raise wrong

    @property
    def exact(self) -> bool:
        """Whether no noise was added."""
        return self.releases[0].mechanism == "none"

    @cached_property
    def _progress(self) -> Progress:
        return Progress(self.model, self.releases[0].schema, self.exact, self.releases)  # type: ignore[arg-type]

    @property
    def _found(self) -> Found:
        return self._progress.found

    @property
    def design(self) -> Design:
        """The columns of the regression."""
        return self._progress.step.design

    @property
    def estimable(self) -> bool:
        """Whether there are coefficients; :attr:`notes` say why not."""
        return not self._found.why

    @property
    def terms(self) -> tuple[str, ...]:
        """The names of the coefficients: ``region[North]`` is against the first value that the schema lists."""
        return self.design.terms

    @cached_property
    def hidden(self) -> tuple[str, ...]:
        """Terms whose coefficients are not given: of groups in which every outcome may be the same."""
        return tuple(self.terms[place] for place in self._progress.hidden)

    @cached_property
    def _own(self) -> tuple[Floats, Floats, Floats]:
        """The coefficients in their columns' own units, and the covariances of noise and of sampling."""
        found, p = self._found, len(self.terms)
        if not self.estimable:
            gone = np.full((p, p), np.nan)
            return np.full(p, np.nan), gone, gone
        turn = turned(self.design)
        beta = turn @ found.coefficients
        beta[0] -= math.log(self._greatest)
        return beta, turn @ found.noise @ turn.T, turn @ found.sampling @ turn.T

    @property
    def _greatest(self) -> float:
        """The greatest exposure, of which the coefficients of scaled columns are; without one, 1."""
        name = self.model.exposure  # type: ignore[attr-defined]
        if name is None:
            return 1.0
        domain: Any = self.design.domains[name]
        return float(domain.origin + domain.spacing * (domain.cells - 1))

    @cached_property
    def _given(self) -> Floats:
        """The coefficients that are given; NaN for the others."""
        beta = self._own[0].copy()
        beta[list(self._progress.hidden)] = np.nan
        return beta

    @property
    def line(self) -> Line:
        """The coefficients with their full covariances."""
        return Line(self.design, self.model.kind, self._given, *self._own[1:])

    @property
    def answers(self) -> tuple[Release, ...]:
        """The releases that it follows from."""
        return self.releases

    @property
    def _capped(self) -> int | None:
        """The greatest outcome, where the mean of a row within the public ranges would pass it."""
        domain: Any = self.design.domains[self.design.outcome]
        most = int(getattr(domain, "origin", 0)) + domain.cells - 1
        found, ends = self._found, self._end(1.0)
        error = math.sqrt(max(float(ends @ (found.noise + found.sampling) @ ends), 0.0))
        above = float(ends @ found.coefficients) + 2 * error
        return most if self.model.kind == "poisson" and above > math.log(most) else None

    @property
    def _steep(self) -> float:
        """How many times the least mean of rows within the public ranges the greatest is, as a logarithm."""
        return float((self._end(1.0) - self._end(-1.0)) @ self._found.coefficients)

    def _end(self, side: float) -> Floats:
        """The scaled columns of a row with the greatest mean within the public ranges; or with the least, for -1."""
        toward = side * self._found.coefficients
        out = np.zeros(len(toward))
        best: dict[tuple[str, ...], int] = {}
        for place, one in enumerate(self.design.columns):
            if not one.term or one.monomial[0]:
                out[place] = np.sign(toward[place]) if one.term else 1.0
            if one.term and toward[place] >= toward[best.setdefault(one.term, place)]:
                best[one.term] = place
        for term, place in best.items():  # a row has one value of a category, or its first, which has no column
            for other in [at for at, one in enumerate(self.design.columns) if one.term == term and at != place]:
                out[other] = 0.0
            if not self.design.columns[place].monomial[0]:
                out[place] = float(toward[place] > 0)
        return out

    @property
    def coefficients(self) -> dict[str, float]:
        """By term, of the log of the odds or of the mean, for each unit of the term; NaN where they are not given."""
        return dict(zip(self.terms, self._given.tolist(), strict=True))

    @property
    def covariance(self) -> pd.DataFrame:
        """The covariance of the coefficients, of noise and sampling together; NaN for those that are not given."""
        import pandas as pd

        gone = np.isnan(self._given)
        both = np.where(gone | gone[:, None], np.nan, self._own[1] + self._own[2])
        return pd.DataFrame(both, index=list(self.terms), columns=list(self.terms))

    @property
    def rows(self) -> float:
        """How many rows it is about: those with a value in every column, counted with noise."""
        return self._progress.start.rows

    @property
    def health(self) -> float:
        """κ: how far the least determined direction stands out of the noise. Below 1 no coefficient is given."""
        return self._found.health

    @property
    def table(self) -> pd.DataFrame:
        """One row a term: coefficient, standard error, 95 % interval, p, and what noise and sampling make of the error.

        ``error`` holds both: error² = ``noise``² + ``sampling``², and ``noise_share`` is noise² over error². ``low``
        and ``high`` cover the coefficient of the population; ±1.96 · ``noise`` covers that of the table's own rows.
        ``ratio``, ``ratio_low`` and ``ratio_high`` are e to the coefficient and to the interval's ends: odds ratios,
        or rate ratios.
        """
        import pandas as pd

        beta = self._given
        parts = [np.where(np.isnan(beta), np.nan, np.sqrt(np.maximum(np.diag(one), 0.0))) for one in self._own[1:]]
        error = np.hypot(*parts)
        z, chance = self.law(beta, error)
        low, high = beta - z * error, beta + z * error
        columns = {"coefficient": beta, "error": error, "low": low, "high": high, "p": chance}
        columns |= {"noise": parts[0], "sampling": parts[1], "noise_share": parts[0] ** 2 / error**2}
        with np.errstate(over="ignore"):
            columns |= {"ratio": np.exp(beta), "ratio_low": np.exp(low), "ratio_high": np.exp(high)}
        return pd.DataFrame(columns, index=pd.Index(self.terms, name="term"))

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know, from released numbers alone."""
        found, out = self._found, []
        if found.why:
            most = np.argsort(-np.abs(found.direction), kind="stable")[:2]
            named = " and ".join(repr(self.terms[place]) for place in sorted(most.tolist()))
            where = "" if self._progress.why else f", {named} above all"
            free = self.exact or self.releases[0].data == "dummy"
            rest = "" if free else "; what was asked stays charged"
            remedy = "Take fewer terms or more rows" + ("" if self.exact else ", or more epsilon")
            if found.why == SEPARATED:
                remedy = "Take the term out, or a category of its values in its place"
            if found.unsettled:
                remedy = "State tighter bounds in the schema, or take the term out"
            out.append(f"No coefficients: {found.why}{where}. {remedy}{rest}.")
        elif self.hidden:
            terms = ", ".join(map(repr, self.hidden))
            first = (
                "put another value of a category first (map lists them in its order), "
                if 0 in self._progress.hidden
                else ""
            )
            out.append(
                f"Not given: {terms}. In one of these groups, or in the one that they are held against, all outcomes "
                f"may be the same, and then no coefficient is the best one; join small groups, {first}or leave the "
                "term out."
            )
        if not found.why and found.unsettled > DOUBTFUL:
            out.append(
                f"The steps have nearly settled: what they leave is up to {found.unsettled:.2g} errors, which the "
                "intervals hold; tighter bounds in the schema let them settle."
            )
        if not found.why and not self.exact and (top := self._capped) is not None:
            out.append(
                f"At ends of the schema's ranges the mean may pass {top:,}, the greatest outcome. Under noise the mean "
                f"of such rows counts as {top:,}: where there are any, this is another fit than Poisson's. Raise the "
                "outcome's max in the schema, or state tighter bounds of the terms."
            )
        if not found.why and not self.exact and self.model.kind == "poisson" and self._steep > STEEP:
            out.append(
                f"The mean varies {math.exp(min(self._steep, 40)):,.0f}-fold over the schema's ranges, for which four "
                "steps are hardly enough: in simulations of such means intervals of 95 % held about 93 times in a "
                "hundred, and down to 70 times where the noise was large. State tighter bounds in the schema."
            )
        if not found.why and found.health < POOR:
            out.append(
                f"Noise is large against what tells terms apart (κ = {found.health:.2g}, below {POOR:g}): intervals "
                "may be too wide."
            )
        if not self.exact:
            columns = (*self.releases[0].plan.measures[0].columns, *(name for one in self.model.terms for name in one))
            out += clamped_columns(self.releases[0].plan.fields, tuple(dict.fromkeys(columns)))
            out.append("The fit is of the clamped values; no interval holds what clamping moved.")
            radius = self.model.radius_of(self.releases[0].schema)  # type: ignore[attr-defined]
            if radius is not None:
                out.append(
                    f"Rows are weighted by min(1, {float(radius):g} / ‖x‖²), with columns from -1 to 1: where the "
                    "model is wrong, this is another fit than that of rows alike."
                )
        if not found.why and self.design.references:
            out.append(f"Coefficients of values are against {html_table.few(self.design.references)}.")
        if self.model.kind == "poisson":
            out.append("Errors of sampling are those of Poisson's law; outcomes that vary more have greater ones.")
        return tuple(dict.fromkeys((*out, *(note for one in self.releases for note in one.notes))))

    @property
    def guarantee(self) -> str:
        """What all its releases promise together."""
        return together(self.releases)

    @property
    def certificates(self) -> tuple[Certificate | None, ...]:
        """The ledger's signed statements about the sums of the start and of each step; all else follows from them."""
        return tuple(release.certificate for release in self.releases)

    # how it is shown --------------------------------------------------------------------------------------------------

    def summary(self) -> str:
        """The fit as text: every line comes from released sums."""
        said = self.table
        head = [f"{WHAT[self.model.kind]}: {self.model.formula}"]
        head.append(f"Data: {self.releases[0].dataset}, {self.releases[0].plan.source}")
        about = "" if self.exact else "about "
        width = max(4, *(len(term) for term in self.terms))
        ratio = RATIO[self.model.kind]
        lines = [f"{'term':<{width}}  {'coefficient':>12}  {'error':>10}  {ratio:>10}  {'95 % of it':>22}  {'p':>7}"]
        lines[0] += f"  {'noise':>6}"
        for term, row in said.iterrows():
            ends = f"[{row['ratio_low']:,.4g}, {row['ratio_high']:,.4g}]"
            share = "" if math.isnan(row["noise_share"]) else f"{row['noise_share']:.0%}"
            lines.append(
                f"{term!s:<{width}}  {row['coefficient']:>12,.5g}  {row['error']:>10,.4g}  {row['ratio']:>10,.4g}  "
                f"{ends:>22}  {row['p']:>7.3f}  {share:>6}"
            )
        both = "The error, the interval and p contain both the choice of people and the noise; noise is its share of "
        if self.releases[0].data == "dummy":
            head = [DUMMY, *head]
        facts = f"Rows: {about}{self.rows:,.0f}; steps: {len(self.releases) - 1}"
        return "\n".join([*head, facts, "", *lines, "", both + "error².", *self.notes, self.guarantee])

    __str__ = summary

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        names = ("coefficient", "error", "low", "high", "p", "noise_share", "ratio")
        header = ("term", "coefficient", "error", "low", "high", "p", "share of noise", RATIO[self.model.kind])
        rows = [(term, *(f"{row[name]:,.5g}" for name in names)) for term, row in self.table.iterrows()]
        alarm = [html_table.sentence(DUMMY, alarm=True)] if self.releases[0].data == "dummy" else []
        notes = [html_table.sentence(note) for note in (*self.notes, self.guarantee)]
        return html_table.block(*alarm, html_table.table(self.model.formula, header, rows, numbers=range(1, 8)), *notes)

    def chart(self) -> Any:
        """The odds or rate ratios with their intervals, as an Altair chart (a forest plot); without the intercept.

        Raises:
            MissingExtraError: without the extra ``plot``.
        """
        title, axis = f"{WHAT[self.model.kind]}: {self.model.formula}", RATIO[self.model.kind]
        told, last = self.table.iloc[1:], self.releases[-1]
        return forest(told, title, last, self.notes, guarantee=self.guarantee, axis=axis, ratio=True)

    plot = chart

    # its canonical form ---------------------------------------------------------------------------------------------

    def to_json(self) -> Json:
        """The canonical form: the model and the releases; every number follows from them."""
        releases = [release.to_json() for release in self.releases]
        return {"pets": "glm fit", "version": VERSION, "model": self.model.to_json(), "releases": releases}

    @classmethod
    def from_json(cls, form: Mapping[str, Any] | str | bytes) -> GlmFit:
        """The fit whose canonical form this is; raises :class:`UserError` for one that was edited, or is none."""
        try:
            given = json.loads(form) if isinstance(form, (str, bytes)) else form
            if given["pets"] != "glm fit" or given["version"] != VERSION or len(given) != 4:
                raise ValueError("another form")
            return cls(regression_of(given["model"]), tuple(map(Release.from_json, given["releases"])))
        except (PetsError, LookupError, TypeError, ValueError, AttributeError):
            raise saving.broken(form, "glm fit") from None

    def save(self, path: str | Path) -> Path:
        """Write :meth:`to_json` to a file; :meth:`load` reads it. What ``pets verify`` checks is each release.

        Raises:
            UserError: where the path cannot be written.
        """
        return saving.save(self.to_json(), path)

    @classmethod
    def load(cls, path: str | Path) -> GlmFit:
        """Read a fit that was saved; raises :class:`UserError` when it is missing, was edited, or is no fit."""
        return cls.from_json(saving.load(path))
