"""Margins: means, risks or rates of a population by level, their differences and ratios, with honest intervals."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pets.common import html_table
from pets.common.codec import Json
from pets.common.integers import Floats
from pets.errors import PetsError, UserError
from pets.models import saving
from pets.models.forest import forest
from pets.models.least_squares import Means
from pets.models.margins.effects import Effects, Line, over_means, over_population
from pets.models.margins.population import Population
from pets.models.margins.together import together
from pets.release.release import Release
from pets.release.text import DUMMY

if TYPE_CHECKING:
    import pandas as pd

VERSION = 1
WHAT = {"linear": "mean", "logistic": "risk", "poisson": "rate"}
UNSURE = 0.5
"""Errors of a log ratio from which on its interval is said to be rough."""


class Fitted(Protocol):
    """What is read of a fit."""

    model: Any

    @property
    def line(self) -> Line:
        """Its coefficients with their full covariances."""

    @property
    def column_means(self) -> Means | None:
        """Of a straight line's own people; of other fits there are none."""

    @property
    def answers(self) -> tuple[Release, ...]:
        """The releases that it follows from."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know of it."""

    def law(self, values: Floats, errors: Floats) -> tuple[float, Floats]:
        """Half the width of an interval in standard errors, and the chance of values as far from 0."""

    def to_json(self) -> Json:
        """The canonical form."""


@dataclass(frozen=True, repr=False)
class Margins:
    """What the mean outcome of a population would be, were all of it alike in one column; :meth:`Margined.margins`.

    Everything in it follows from the fit's releases, and from that of the population where it has one.

    Attributes:
        fit: the fit.
        by: the column.
        levels: its values, that all others are held against first.
        over: the population; ``None``: a straight line's own people.
    """

    fit: Fitted
    by: str
    levels: tuple[Any, ...]
    over: Population | None

    @property
    def what(self) -> str:
        """``"mean"``, ``"risk"`` or ``"rate"`` (for one unit of the exposure)."""
        return WHAT[self.fit.line.kind]

    @cached_property
    def _found(self) -> Effects:
        line = self.fit.line
        if self.over is not None:
            return over_population(line, self.by, self.levels, self.over)
        means = self.fit.column_means
        assert means is not None, "others are refused before"
        return over_means(line, self.by, self.levels, means)

    @property
    def covariance(self) -> pd.DataFrame:
        """The covariance of the levels' means, of noise and the choice of people together."""
        import pandas as pd

        return pd.DataFrame(self._found.noise + self._found.sampling, index=self._index, columns=self._index)

    @property
    def _index(self) -> Any:
        import pandas as pd

        return pd.Index(self.levels, name=self.by)

    def _told(self, turn: Floats, value: Floats, scale: str = "") -> dict[str, Any]:
        """Interval, p and errors of what has these derivatives by the means."""
        gone = np.isnan(self._found.means)  # (which says nothing of the others)
        kept = np.where((turn[:, gone] != 0).any(axis=1), np.nan, 1.0)
        turn = np.where(gone, 0.0, turn)
        parts = [np.where(gone | gone[:, None], 0.0, one) for one in (self._found.noise, self._found.sampling)]
        noise, sampling = (kept * np.sqrt(np.maximum(np.diag(turn @ one @ turn.T), 0.0)) for one in parts)
        error = np.hypot(noise, sampling)
        z, chance = self.fit.law(np.log(value) if scale == "ratio" else value, error)
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            top = 1.0 if scale == "risk" else np.inf
            inside = (value > 0) & (value < top)  # (noise on how many people there are may carry a mean out of it)
            cut = tuple(np.clip(value + side * z * error, 0, top) for side in (-1, 1))
            if scale == "ratio":  # errors are those of its log
                ends = value * np.exp(-z * error), value * np.exp(z * error)
            elif scale == "rate":
                ends = value * np.exp(-z * error / value), value * np.exp(z * error / value)
            elif scale == "risk":
                odds, width = value / (1 - value), z * error / (value * (1 - value))
                ends = tuple(1 / (1 + np.exp(width * side) / odds) for side in (1, -1))
            else:
                ends = value - z * error, value + z * error
            if scale in ("rate", "risk"):
                ends = tuple(np.where(inside, one, other) for one, other in zip(ends, cut, strict=True))
        share = np.divide(noise**2, error**2, out=np.zeros_like(error), where=error > 0)
        parts_of = {"error": error, "low": ends[0], "high": ends[1], "p": chance, "noise": noise, "sampling": sampling}
        return parts_of | {"noise_share": np.where(np.isnan(error), np.nan, share)}

    @property
    def table(self) -> pd.DataFrame:
        """One row a level: the mean (of a logistic regression the risk, of a Poisson regression the rate) and errors.

        ``error`` holds both: error² = ``noise``² + ``sampling``², and ``noise_share`` is noise² over error². ``low``
        and ``high`` are ends of the 95 % interval, of a risk on the scale of log odds, of a rate on that of its log;
        noise on a released count of people may carry either out of its range, and then the plain interval is cut there.
        """
        import pandas as pd

        told = self._told(np.eye(len(self.levels)), self._found.means, self.what)
        told.pop("p")
        return pd.DataFrame({self.what: self._found.means, **told}, index=self._index)

    @property
    def differences(self) -> pd.DataFrame:
        """One row a level but the first: its difference from the first, errors, 95 % interval, and p."""
        import pandas as pd

        turn = np.eye(len(self.levels))[1:] - np.eye(len(self.levels))[0]
        value = self._found.means[1:] - self._found.means[0]
        names = pd.Index([f"{one} − {self.levels[0]}" for one in self.levels[1:]], name=self.by)
        return pd.DataFrame({"difference": value, **self._told(turn, value)}, index=names)

    @property
    def ratios(self) -> pd.DataFrame:
        """One row a level but the first: its risk or rate over the first's, with 95 % interval and p, on the log scale.

        ``log_error``, ``noise`` and ``sampling`` are errors of the ratio's log. NaN where either is not above 0.

        Raises:
            UserError: of a straight line, whose means may lie on both sides of 0.
        """
        import pandas as pd

        if self.what == "mean":
            raise UserError("ratios are of risks and of rates; of the means of a straight line take .differences")
        means = np.where(self._found.means > 0, self._found.means, np.nan)
        turn = np.diag(1 / means)[1:]
        turn[:, 0] = -1 / means[0]
        told = self._told(turn, means[1:] / means[0], "ratio")
        names = pd.Index([f"{one} / {self.levels[0]}" for one in self.levels[1:]], name=self.by)
        renamed = {"log_error" if name == "error" else name: one for name, one in told.items()}
        return pd.DataFrame({"ratio": means[1:] / means[0], **renamed}, index=names)

    # how they are shown ---------------------------------------------------------------------------------------------

    @property
    def releases(self) -> tuple[Release, ...]:
        """All that they follow from: the fit's releases, and the population's."""
        own = () if self.over is None or self.over.release is None else (self.over.release,)
        return (*self.fit.answers, *own)

    @property
    def guarantee(self) -> str:
        """What all the releases promise together."""
        return together(self.releases)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know, from public and released numbers alone."""
        out = []
        exposure = getattr(self.fit.model, "exposure", None)
        if exposure is not None:
            out.append(f"Rates are for one unit of {exposure!r}, averaged over people, whatever each was exposed to.")
        if self.over is None:
            out.append(
                "Averaged over the people of the fit, by their mean columns; that these people are a sample is in the "
                "errors."
            )
            if self.fit.line.design.weights is not None:
                out.append("They are the means of weighted rows: rows that lie far out count less.")
        elif self.over.release is None:
            out.append("Averaged over a public population, which is taken as it is given.")
        else:
            out.append(
                f"Averaged over about {self.over.total:,.0f} people of {self.over.release.plan.source}, by their "
                "released count; its noise, and that they are a sample, are in the errors."
            )
        if np.isnan(self._found.means).any():
            out.append("NaN: a coefficient that the fit does not give enters that level.")
        if self._outside:
            out.append(
                f"A {self.what} lies outside its range, by the noise on how many people there are: its interval ends "
                "where that does, and without a value above 0 it has no ratio. Count people by fewer columns, or with "
                "more epsilon."
            )
        if self.what != "mean" and (self.ratios["log_error"] > UNSURE).any():
            out.append("A level is hardly told apart from 0 beside its error: intervals of its ratios are rough.")
        about = () if self.over is None or self.over.release is None else self.over.release.notes
        return tuple(dict.fromkeys((*out, *self.fit.notes, *about)))

    @property
    def _outside(self) -> bool:
        """Whether noise carried a risk or a rate out of its range."""
        means, top = self._found.means, 1.0 if self.what == "risk" else math.inf
        noisy = self.what != "mean" and self.over is not None and self.over.deviation > 0
        return noisy and bool(((means <= 0) | (means >= top)).any())

    def _shown(self) -> list[tuple[str, pd.DataFrame, str]]:
        """Each table: what it is of, its name, and the column of its values."""
        parts = [(f"{self.what} by {self.by}", self.table, self.what), ("differences", self.differences, "difference")]
        return parts if self.what == "mean" else [*parts, ("ratios", self.ratios, "ratio")]

    @property
    def _dummy(self) -> bool:
        return any(one.data == "dummy" for one in self.releases)

    def summary(self) -> str:
        """All tables as text, with notes and guarantee."""
        lines = [DUMMY] if self._dummy else []
        lines += [f"Standardised {self.what}s: {self.fit.model.formula}", f"By: {self.by}", ""]
        for name, table, column in self._shown():
            width = max(len(name), *(len(str(one)) for one in table.index))
            lines.append(f"{name:<{width}}  {column:>10}  {'95 % interval':>24}  {'noise':>6}")
            for label, row in table.iterrows():
                ends = f"[{row['low']:,.4g}, {row['high']:,.4g}]"
                share = "" if math.isnan(row["noise_share"]) else f"{row['noise_share']:.0%}"
                lines.append(f"{label!s:<{width}}  {row[column]:>10,.4g}  {ends:>24}  {share:>6}")
            lines.append("")
        both = "Intervals contain both the choice of people and the noise; noise is its share of error²."
        return "\n".join([*lines, both, *self.notes, self.guarantee])

    __str__ = summary

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        alarm = [html_table.sentence(DUMMY, alarm=True)] if self._dummy else []
        tables = [
            html_table.table(
                name,
                (self.by, column, "low", "high", "share of noise"),
                [
                    (label, *(f"{row[one]:,.5g}" for one in (column, "low", "high", "noise_share")))
                    for label, row in table.iterrows()
                ],
                numbers=range(1, 5),
            )
            for name, table, column in self._shown()
        ]
        return html_table.block(*alarm, *tables, *map(html_table.sentence, (*self.notes, self.guarantee)))

    def chart(self, of: str = "table") -> Any:
        """A chart with a bar for each interval: ``"table"`` (by level), ``"differences"`` or ``"ratios"``.

        Raises:
            MissingExtraError: without the extra ``plot``.
            UserError: for another name, and for ratios of a straight line.
        """
        if of not in ("table", "differences", "ratios"):
            raise UserError("a chart is of 'table', 'differences' or 'ratios'")
        table = getattr(self, of)
        value, ratio = str(table.columns[0]), of == "ratios"
        ends = {"low": "ratio_low", "high": "ratio_high"} if ratio else {value: "coefficient"}
        invented = [one for one in self.releases if one.data == "dummy"]
        return forest(
            table.rename(columns=ends),
            f"Standardised {f'{self.what}s' if of == 'table' else of} by {self.by}: {self.fit.model.formula}",
            invented[0] if invented else self.releases[-1],
            self.notes,
            guarantee=self.guarantee,
            axis=f"{self.what} {value}" if of != "table" else value,
            ratio=ratio,
            line=of != "table",
        )

    plot = chart

    # its canonical form ---------------------------------------------------------------------------------------------

    def to_json(self) -> Json:
        """The canonical form: the fit, the column with its levels, and the population; every number follows."""
        over = None if self.over is None else self.over.to_json()
        form: Json = {"pets": "margins", "version": VERSION, "fit": self.fit.to_json(), "by": self.by}
        return form | {"levels": list(self.levels), "over": over}

    @classmethod
    def from_json(cls, form: Mapping[str, Any] | str | bytes) -> Margins:
        """Those whose canonical form this is; raises :class:`UserError` for one that was edited, or is none."""
        try:
            given = json.loads(form) if isinstance(form, (str, bytes)) else form
            if given["pets"] != "margins" or given["version"] != VERSION or len(given) != 6:
                raise ValueError("another form")
            module, name, _ = saving.SAVED[given["fit"]["pets"]]
            fit = getattr(import_module(module), name).from_json(given["fit"])
            over = given["over"]
            people = None if over is None else Population.from_json(over, fit.line.design, given["by"])
            if people is not None and people.release is None and people.to_json() != over:
                raise ValueError("not canonical")
            made: Margins = fit.margins_over(given["by"], people, given["levels"])  # (what is no regression has none)
        except (PetsError, LookupError, TypeError, ValueError, AttributeError):
            raise saving.broken(form, "margins", "averages over people") from None
        return made

    def save(self, path: str | Path) -> Path:
        """Write :meth:`to_json` to a file; :meth:`load` reads it.

        Raises:
            UserError: where the path cannot be written.
        """
        return saving.save(self.to_json(), path)

    @classmethod
    def load(cls, path: str | Path) -> Margins:
        """Read what was saved; raises :class:`UserError` when it is missing, was edited, or is none."""
        return cls.from_json(saving.load(path))
