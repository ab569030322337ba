"""Regressions and survival curves from one table of whole numbers: the same for a session and for a federation.

With canonical links a generalised linear model needs, of every pattern of covariates, only how many rows there are
and the sum of their outcomes (McCullagh and Nelder 1989, *Generalized Linear Models*, section 2.2.4); a straight
line's error needs the sum of squares, too. So the fit is post-processing of *one* released table, equal to the fit on
pooled rows up to the rounding of floats; no iteration asks the sites again. The price: covariates must have few values,
and the table of patterns itself is what is released. Over covariates of many values a federation is asked once for each
iteration instead (:mod:`pets.federated.analyst.fits.irls`), and only sums over all rows are released.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from pets.common.arguments import plain_arguments
from pets.common.codec import Json
from pets.errors import PolicyError, QueryError, did_you_mean, shown
from pets.federated.analyst.fits.entry import Signed, of_steps, signed
from pets.plan.clamping import clamped_columns
from pets.protection.protection import DP, Exact, Protection, Total
from pets.protection.sdc import SDC
from pets.query_model.aggregate import count, sum, variance
from pets.query_model.columns import col
from pets.query_model.expression import Filter
from pets.query_model.nodes.aggregate_base import Aggregate
from pets.query_model.query import Query
from pets.release import views
from pets.release.release import Release
from pets.release.release_form import plain
from pets.schema.numeric import Integer, Real
from pets.schema.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

Family = Literal["gaussian", "binomial", "poisson"]
FAMILIES = ("gaussian", "binomial", "poisson")
Floats = npt.NDArray[np.float64]
MAX_STEPS = 100
MAX_PATTERNS = 100_000


class Answers(Protocol):
    """A session or a federation."""

    @property
    def schema(self) -> Schema:
        """What its tables are."""

    @property
    def release(self) -> Callable[..., Any]:
        """The verb that gives the protected answer to a query."""


@dataclass(frozen=True)
class Fit(Signed):
    """A fitted model; a session's has a certificate, and ``save`` writes it for ``pets verify``.

    Attributes:
        family: ``"gaussian"``, ``"binomial"`` or ``"poisson"``, with its canonical link.
        terms: names of the coefficients; ``gender[Male]`` is against the first value of gender.
        coefficients, errors: by term; the errors are standard errors.
        rows: that the fit is about (those with a known outcome and known covariates).
        dispersion: σ² of a straight line; 1 otherwise.
        steps: of iteratively re-weighted least squares until nothing moved.
        release: the table that it was made from; ``None`` where each step was a query of its own.
        ids: those queries, for their certificates at each site.
        notes: between which values those of the model's columns were moved before it was fitted.
    """

    family: Family
    terms: tuple[str, ...]
    coefficients: tuple[float, ...]
    errors: tuple[float, ...]
    rows: int
    dispersion: float
    steps: int
    release: Release | None
    ids: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def made(self) -> Json:
        """The numbers, as they are signed."""
        names = ("family", "terms", "coefficients", "errors", "rows", "dispersion")
        form: Json = plain({name: getattr(self, name) for name in names})
        return form

    @property
    def table(self) -> pd.DataFrame:
        """One row a term: coefficient, standard error, z, and the ends of a 95 % interval."""
        import pandas as pd

        b, e = np.array(self.coefficients), np.array(self.errors)
        columns = {"coefficient": b, "error": e, "z": b / e, "low": b - 1.959963984540054 * e}
        return pd.DataFrame(columns | {"high": b + 1.959963984540054 * e}, index=list(self.terms))


@plain_arguments(QueryError, "glm", "write glm(federation, 'stays', 'died', ['age'], 'binomial', pets.Total())")
def glm(
    source: Answers,
    table: str,
    outcome: str,
    covariates: Sequence[str],
    family: Family,
    protection: Protection,
    *,
    where: Filter | None = None,
    **settings: Any,
) -> Fit:
    """A linear, logistic or Poisson regression.

    Args:
        source: a session or a federation; ``settings`` (such as ``secure=``) go to its ``release``.
        outcome: an integer or real column; for ``"binomial"`` a boolean one.
        covariates: categories and booleans become indicators, numbers stay numbers. A real column among them, or more
            than 100,000 patterns, asks a federation once for each iteration, each an entry of its own in every ledger.
        protection: ``pets.Total()`` (or ``pets.Exact()`` on dummy data). Under DP the standard errors would not count
            the noise; release the table under DP and model it with the noise in mind.

    Raises:
        QueryError: where the model has no finite or no single best fit.
    """
    if family not in FAMILIES:
        raise QueryError(f"family {shown(family)} does not exist{did_you_mean(family, FAMILIES)}")
    covariates = _columns(source, table, covariates, outcome)
    if not isinstance(protection, (Total, Exact)):
        raise PolicyError(
            "a regression's standard errors do not count the noise of differential privacy, so glm takes pets.Total() "
            "(on dummy data pets.Exact()); under pets.DP release the table of counts itself"
        )
    if _many_values(source, table, covariates):
        from pets.federated.analyst.fits.irls import iterated

        found = iterated(source, table, outcome, covariates, family, protection, where, **settings)  # type: ignore[arg-type]
        beta, errors = tuple(found.beta.tolist()), tuple(found.errors.tolist())
        said = clamped_columns(source.schema.fields(table), (outcome, *covariates))
        steps = len(found.ids)
        stepped = Fit(family, found.terms, beta, errors, found.rows, found.dispersion, steps, None, found.ids, said)
        return of_steps(stepped, stepped.made, found.last_step)
    measures: dict[str, Aggregate] = {"n": count(where=~col(outcome).is_null())}
    if family == "binomial":
        measures["s"] = count(where=_true(outcome))
    else:
        measures["s"] = sum(outcome)
    if family == "gaussian":
        measures["v"] = variance(outcome)
    query = Query(table, condition=where).group_by(*covariates).agg(**measures)
    release = source.release(query, protection, **settings)
    model = fit(release, family)
    return signed(source, "fit", model, model.made, release)


def fit(release: Release, family: Family) -> Fit:
    """The model of a released table with the group keys as covariates and ``n``, ``s`` (and ``v``) as measures."""
    frame = views.frame(release, times=False)
    keys = [key.name for key in release.query.keys]
    fields = release.schema.fields(release.table_name)
    # (a column without nulls may have a value of the null slot's name)
    null = [name for name in keys if name not in fields or fields[name].nullable]
    frame = frame[(frame["n"] > 0) & ~frame[null].isin(["missing"]).any(axis=1) if null else frame["n"] > 0]
    terms, design = _design(frame, keys)
    weight = frame["n"].to_numpy(dtype=np.float64)
    mean = frame["s"].to_numpy(dtype=np.float64) / weight
    if len(frame) == 0 or np.linalg.matrix_rank(design) < len(terms):
        raise QueryError("the covariates do not determine one best fit: one is empty, or follows from the others")
    beta, information, steps = _irls(design, weight, mean, family)
    dispersion = 1.0
    if family == "gaussian":
        inside = weight * np.nan_to_num(frame["v"].to_numpy(dtype=np.float64))
        freedom = weight.sum() - len(terms)
        if freedom <= 0:
            raise QueryError("there are no more rows than coefficients; use fewer covariates")
        dispersion = float((inside + weight * (mean - design @ beta) ** 2).sum() / freedom)
    errors = np.sqrt(np.diag(np.linalg.inv(information)) * dispersion)
    rows = int(weight.sum())
    plan = release.plan
    columns = [measure.column for measure in plan.measures if measure.column]
    said = clamped_columns(plan.fields, dict.fromkeys([*columns, *(one.column for one in plan.layout.dimensions)]))
    made = tuple(beta.tolist()), tuple(errors.tolist())
    return Fit(family, terms, *made, rows, dispersion, steps, release, notes=said)


def _columns(source: Answers, table: str, covariates: object, outcome: object) -> tuple[str, ...]:
    """The covariates, all of them columns of the table, and none of them the outcome."""
    if not hasattr(source, "schema") or not hasattr(source, "release"):
        raise QueryError(f"the first argument is a session or a federation, not {shown(source)}")
    if not isinstance(covariates, (list, tuple)) or not all(isinstance(name, str) for name in covariates):
        raise QueryError(f"covariates is a list of column names, such as ['age'], not {shown(covariates)}")
    for name in (outcome, *covariates):
        if name not in source.schema.fields(table):
            raise QueryError(
                f"column {shown(name)} is not in table {table!r}{did_you_mean(name, source.schema.fields(table))}"
            )
    if outcome in covariates:
        raise QueryError(f"column {outcome!r} is the outcome and a covariate; take it out of the covariates")
    return tuple(covariates)


def _many_values(source: Answers, table: str, covariates: Sequence[str]) -> bool:
    """Whether the table of patterns would be too great, by the schema alone."""
    fields = source.schema.fields(table)
    known = [fields[name] for name in covariates if name in fields]
    wide = any(isinstance(domain, Real) for domain in known) or math.prod(d.codes for d in known) > MAX_PATTERNS
    if wide and not hasattr(source, "iterate"):
        raise QueryError(
            "over covariates of many values glm asks a federation, step by step; in one session, take covariates of "
            "few values"
        )
    return wide


def _true(column: str) -> Filter:
    return col(column).isin([True])


def _design(frame: pd.DataFrame, keys: Sequence[str]) -> tuple[tuple[str, ...], Floats]:
    terms, columns = ["intercept"], [np.ones(len(frame))]
    for key in keys:
        values = frame[key]
        numbers = [value for value in values if isinstance(value, (int, float, np.number)) and value is not True]
        if len(numbers) == len(values) and values.dtype != bool:
            terms.append(key)
            columns.append(values.to_numpy(dtype=np.float64))
            continue
        for level in list(dict.fromkeys(values))[1:]:
            terms.append(f"{key}[{level}]")
            columns.append((values == level).to_numpy(dtype=np.float64))
    return tuple(terms), np.column_stack(columns)


def _irls(design: Floats, weight: Floats, mean: Floats, family: Family) -> tuple[Floats, Floats, int]:
    """β, X'WX at it, and the steps taken (Nelder and Wedderburn 1972)."""
    total = float((weight * mean).sum() / weight.sum())
    if family != "gaussian" and not (total > 0 and (family == "poisson" or total < 1)):
        raise QueryError("all outcomes are the same, so no finite fit exists")
    start = {"gaussian": total, "binomial": math.log(total / (1 - total)) if 0 < total < 1 else 0.0, "poisson": 0.0}
    beta = np.zeros(design.shape[1])
    beta[0] = math.log(total) if family == "poisson" else start[family]
    for step in range(1, MAX_STEPS + 1):
        eta = design @ beta
        if family == "gaussian":
            fitted, slope = eta, np.ones_like(eta)
        elif family == "binomial":
            fitted = 1 / (1 + np.exp(-eta))
            slope = fitted * (1 - fitted)
        else:
            fitted = np.exp(eta)
            slope = fitted
        if not np.isfinite(fitted).all() or (slope <= 1e-300).any() or np.abs(beta).max() > 1e6:
            break
        information = design.T @ (design * (weight * slope)[:, None])
        try:
            move = np.linalg.solve(information, design.T @ (weight * (mean - fitted)))
        except np.linalg.LinAlgError:
            break
        beta = beta + move
        if np.abs(move).max() <= 1e-12 * (1 + np.abs(beta).max()):
            return beta, information, step
    raise QueryError("the fit does not settle: a covariate separates the outcomes, so no finite fit exists")


@dataclass(frozen=True)
class Survival(Signed):
    """A Kaplan–Meier curve; ``table`` has time, at_risk, events, survival and its standard error (Greenwood 1926).

    A session's has a certificate, and ``save`` writes it for ``pets verify``.
    """

    table: pd.DataFrame
    release: Release

    @property
    def made(self) -> Json:
        """The numbers, as they are signed; no error is null."""
        frame = self.table.astype(object).where(self.table.notna(), None)
        form: Json = plain({name: frame[name].tolist() for name in frame})
        return form


@plain_arguments(QueryError, "kaplan_meier", "write kaplan_meier(federation, 'stays', 'days', 'died', pets.Total())")
def kaplan_meier(
    source: Answers,
    table: str,
    time: str,
    event: str,
    protection: Protection,
    *,
    where: Filter | None = None,
    **settings: Any,
) -> Survival:
    """The survival curve of rows with a time (an integer column) and whether it ended in an event (a boolean one).

    One row is one follow-up. Source: Kaplan and Meier 1958. From whole counts alone, so a federation gives the bits
    that pooled rows give. Under DP the counts are noisy: the first at-risk number below 1 ends the curve, and there is
    no error (NaN), since Greenwood's does not count the noise: ask ``federation.fit(pets.kaplan_meier(…), …)`` then.
    """
    for name in (event, time):
        _columns(source, table, (), name)
    if isinstance(protection, SDC):
        raise PolicyError(
            "a survival curve is not made of rounded counts: each step would be off by what rounding leaves open, and "
            "hidden ones are none; ask with pets.DP(epsilon=…) or pets.Total()"
        )
    if not isinstance(source.schema.fields(table)[time], Integer):
        raise QueryError(f"the time of a survival curve is an integer column, and {time!r} is none")
    measures = {"n": count(where=~col(event).is_null()), "d": count(where=_true(event))}
    query = Query(table, condition=where).group_by(time).agg(**measures)
    release = source.release(query, protection, **settings)
    frame = release.table
    frame = frame[~frame[time].isin(["missing"])]
    found = Survival(_curve(frame, time, noisy=isinstance(protection, DP)), release)
    return signed(source, "survival", found, found.made, release)


def _curve(frame: pd.DataFrame, time: str, noisy: bool) -> pd.DataFrame:
    import pandas as pd

    n, d = frame["n"].to_numpy(), frame["d"].to_numpy()
    at_risk = np.cumsum(n[::-1])[::-1]
    kept = np.logical_and.accumulate(at_risk >= 1)
    n, d, at_risk = n[kept], np.clip(d[kept], 0, at_risk[kept]), at_risk[kept]
    survival = np.cumprod(1 - d / at_risk)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = survival * np.sqrt(np.cumsum(np.where(d > 0, d / (at_risk * (at_risk - d)), 0.0)))
    columns = {"time": frame[time].to_numpy()[kept], "at_risk": at_risk, "events": d, "survival": survival}
    return pd.DataFrame(columns | {"error": np.full(len(error), np.nan) if noisy else error})
