"""Cox: the model of proportional hazards over covariates of few values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pets.common.arguments import plain_arguments, plain_fields
from pets.dp.calibrate import calibrate
from pets.errors import QueryError
from pets.models.forecast import SIZES, ErrorForecast
from pets.models.survival.covariates import Covariates, Judged, check_covariates
from pets.models.survival.exit_model import NAME, ExitModel
from pets.models.survival.forecast import EVENTS
from pets.models.survival.hazards import Hazards
from pets.models.survival.partial import partial
from pets.models.survival.streams import Streams
from pets.plan.fitted.exits import UNIT
from pets.plan.plan import make_plan
from pets.protection.budget import Budget
from pets.protection.protection import DP, Protection
from pets.query_model.query import Query
from pets.release.release import Release
from pets.schema.schema import Schema


@plain_fields(QueryError)
@dataclass(frozen=True)
class Cox(ExitModel[Hazards]):
    """How covariates multiply the hazard of the event, whatever it is over time (``by``: the covariates)."""

    kind: ClassVar[str] = "cox"
    called: ClassVar[str] = "a Cox regression"
    fewest: ClassVar[int] = 2

    def check(self, schema: Schema) -> None:
        """Refuse what is no time, event or covariate, and too many patterns; raises :class:`QueryError`."""
        alone = make_plan(self.data.agg(**{NAME: self.counted}), schema)
        check_covariates(self.by, alone.fields, alone.table)
        super().check(schema)

    def forecast(self, schema: Schema, protection: Protection, budget: Budget) -> ErrorForecast:  # type: ignore[override]
        """The standard errors of its coefficients, if all patterns are alike and half of the rows have the event."""
        plan = make_plan(self.query, schema)
        covariates = Covariates.of(plan, self.by)
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


@plain_arguments(QueryError, "cox", "write pets.cox('days', 'died', ['arm', 'sex'], data='stays', bins=24)")
def cox(
    time: str,
    event: str,
    covariates: str | Sequence[str],
    *,
    data: str | Query,
    edges: Iterable[object] | None = None,
    bins: int | None = None,
) -> Cox:
    """The model of proportional hazards (Cox 1972), for :meth:`pets.Session.fit`. Nothing is read.

    It rests on who leaves when in each pattern of covariates, so these have few values: categories, booleans and whole
    numbers of a small range, at most 50 patterns together.

    >>> cox("days", "died", ["arm", "sex"], data="stays").by
    ('arm', 'sex')

    Args:
        time, event, data, edges, bins: as of :func:`pets.kaplan_meier`. In wide bins hazard ratios are drawn towards 1,
            and bins in which hardly anybody is left are noise alone: end them where people do. Under noise nothing is
            given where either would keep the intervals from holding.
        covariates: the columns whose hazard ratios are asked for; a category's are against the first value that the
            schema lists.

    Raises:
        QueryError: for columns and edges that are none.
    """
    asked = Query(data) if isinstance(data, str) else data
    return Cox(asked, time, event, covariates, edges, bins)  # type: ignore[arg-type]
