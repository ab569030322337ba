"""Cox: the model of proportional hazards over covariates of few values, and products of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from pets.common.arguments import plain_arguments, plain_fields
from pets.common.codec import Json, python_value
from pets.dp.calibrate import calibrate
from pets.errors import QueryError, shown
from pets.models.forecast import SIZES, ErrorForecast
from pets.models.formula import Terms, explained
from pets.models.regression import formula_of
from pets.models.survival.covariates import Covariates, Judged, Value, check_covariates, check_levels
from pets.models.survival.exit_model import NAME, ExitModel
from pets.models.survival.forecast import EVENTS
from pets.models.survival.hazards import Hazards
from pets.models.survival.partial import partial
from pets.models.survival.streams import Streams
from pets.plan.fitted.exits import UNIT
from pets.plan.plan import Plan, make_plan
from pets.protection.budget import Budget
from pets.protection.protection import DP, Protection
from pets.query_model.nodes.design import Moments
from pets.query_model.query import Query
from pets.release.release import Release
from pets.schema.schema import Schema


@plain_fields(QueryError)
@dataclass(frozen=True)
class Cox(ExitModel[Hazards]):
    """How covariates multiply the hazard of the event, whatever it is over time (``by``: the covariates).

    Attributes:
        products: of covariates, each its columns; with the product of several stand those of fewer of them.
        levels: whole numbers that are taken by their values.
        reference: of columns the value against which the others are, where it is not the first of the schema.
    """

    products: tuple[tuple[str, ...], ...] = ()
    levels: tuple[str, ...] = ()
    reference: tuple[tuple[str, Value], ...] = ()
    kind: ClassVar[str] = "cox"
    called: ClassVar[str] = "a Cox regression"
    fewest: ClassVar[int] = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        given: Any = self.products if isinstance(self.products, (tuple, list)) else (self.products,)
        found = Moments(terms=(*((name,) for name in self.by), *given), outcome=self.event, levels=self.levels)
        products = tuple(sorted((term for term in found.terms if len(term) > 1), key=len))
        if len(products) != len(given):
            raise QueryError("products are of two or three covariates each, and name covariates of by; write a formula")
        object.__setattr__(self, "products", products)
        object.__setattr__(self, "levels", found.levels)
        object.__setattr__(self, "reference", _references(self.reference))

    @property
    def formula(self) -> str:
        """The covariates as a formula.

        >>> cox("days", "died", "sex * C(dose)", data="stays").formula
        'sex + C(dose) + C(dose):sex'
        """
        return formula_of((*((name,) for name in self.by), *self.products), self.levels)

    def covariates(self, plan: Plan) -> Covariates:
        """The patterns of a plan's groups, and what the coefficients are of."""
        return Covariates.of(plan, self.by, self.products, self.levels, self.reference)

    def check(self, schema: Schema) -> None:
        """Refuse what is no time, event or covariate, and too many patterns; raises :class:`QueryError`."""
        alone = make_plan(self.data.agg(**{NAME: self.counted}), schema)
        check_covariates(self.by, alone.fields, alone.table)
        super().check(schema)
        plan = make_plan(self.query, schema)
        check_levels(self.levels, self.reference, self.by, plan.fields)
        covariates = self.covariates(plan)
        if np.linalg.matrix_rank(covariates.design - covariates.design[0]) < len(covariates.terms):
            raise QueryError(
                "some covariate says nothing that the others do not; leave out a column of one value, or of the same "
                "values as another"
            )

    @property
    def settings(self) -> Json:
        """What its canonical form has besides."""
        form: Json = {}
        if self.products:
            form["products"] = [[{"column": name} for name in term] for term in self.products]
        if self.levels:
            form["levels"] = [{"column": name} for name in self.levels]
        if self.reference:
            form["reference"] = [{"column": name, "value": value} for name, value in self.reference]
        return form

    @classmethod
    def _more(cls, form: Any) -> dict[str, Any]:
        return {
            "products": tuple(tuple(one["column"] for one in term) for term in form.get("products", ())),
            "levels": tuple(one["column"] for one in form.get("levels", ())),
            "reference": tuple((one["column"], one["value"]) for one in form.get("reference", ())),
        }

    def forecast(self, schema: Schema, protection: Protection, budget: Budget) -> ErrorForecast:  # type: ignore[override]
        """The standard errors of its coefficients, if all patterns are alike and half of the rows have the event."""
        plan = make_plan(self.query, schema)
        covariates = self.covariates(plan)
        (measure,) = plan.measures
        bins, size = measure.levels
        deviation = calibrate(plan, protection, budget).scales[0] / UNIT if isinstance(protection, DP) else 1e-9
        count = len(covariates.design)
        noise, sampling, health = list[tuple[float, ...]](), list[tuple[float, ...]](), list[float]()
        for rows in SIZES:
            each = rows / count
            others = np.full(size, (1 - EVENTS) * each / size)
            patterns, wide = [Streams(np.full(bins, EVENTS * each / bins), others, deviation)] * count, np.zeros(bins)
            enough = Judged(covariates, patterns, wide).enough
            made = partial(patterns, covariates.design, wide)
            for out, spread in ((noise, made.noise), (sampling, made.sampling)):
                out.append(tuple(np.sqrt(np.diag(spread)).tolist()) if enough else (math.inf,) * len(covariates.terms))
            health.append(math.inf if enough else 0.0)
        return ErrorForecast(tuple(map(str, covariates.terms)), tuple(noise), tuple(sampling), tuple(health))

    def of(self, release: Release) -> Hazards:
        """The fit that follows from the answer."""
        return Hazards(self, release)


def _references(given: Any) -> tuple[tuple[str, Value], ...]:
    """Pairs of a column and a value, by column; raises :class:`QueryError` for anything else."""
    try:
        pairs = dict(given.items() if isinstance(given, Mapping) else given or ())
    except (TypeError, ValueError):
        pairs = {None: None}
    found = {name: python_value(value) for name, value in pairs.items()}
    if not all(isinstance(name, str) and isinstance(value, (str, bool, int)) for name, value in found.items()):
        raise QueryError(
            "reference says of columns which value the others are against, such as {'arm': 'old'}, not "
            f"{shown(given)}"
        )
    return tuple(sorted(found.items()))  # type: ignore[arg-type]


@plain_arguments(QueryError, "cox", "write pets.cox('days', 'died', ['arm', 'sex'], data='stays', bins=24)")
def cox(
    time: str,
    event: str,
    covariates: str | Sequence[str],
    *,
    data: str | Query,
    edges: Iterable[object] | None = None,
    bins: int | None = None,
    reference: Mapping[str, Value] | None = None,
) -> Cox:
    """The model of proportional hazards (Cox 1972), for :meth:`pets.Session.fit`. Nothing is read, and no code is run.

    It rests on who leaves when in each pattern of covariates, so these have few values: categories, booleans and whole
    numbers of a small range, at most 50 patterns together. A number of many values is taken in steps:
    ``with_columns(band=pets.col("age") // 20)``.

    >>> cox("days", "died", ["arm", "sex"], data="stays") == cox("days", "died", "arm + sex", data="stays")
    True

    Args:
        time, event, data, edges, bins: as of :func:`pets.kaplan_meier`. In wide bins hazard ratios are drawn towards 1,
            and bins in which hardly anybody is left are noise alone: end them where people do. Under noise nothing is
            given where either would keep the intervals from holding.
        covariates: the columns whose hazard ratios are asked for, or a formula of them as :func:`pets.linear` has it
            right of ``~``, such as ``"arm * sex + C(dose)"``: ``C(dose)`` takes a whole number by its values.
        reference: of columns the value against which the others are, such as ``{"arm": "old"}``; else it is the first
            that the schema lists. The counts are the same, so with another one they are free.

    Raises:
        QueryError: for columns, edges and formulas that are none.
    """
    asked = Query(data) if isinstance(data, str) else data
    by: Any = covariates
    products, levels = Terms(), tuple[str, ...]()
    if isinstance(covariates, str) and not covariates.isidentifier():
        terms, levels = explained(covariates)
        by, products = tuple(name for (name, *rest) in terms if not rest), tuple(one for one in terms if len(one) > 1)
    return Cox(asked, time, event, by, edges, bins, products, levels, reference)  # type: ignore[arg-type]
