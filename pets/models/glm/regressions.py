"""Glm: the models of a logistic and of a Poisson regression, each of a few questions: a start, and some steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, ClassVar

from pets.common.arguments import plain_arguments, plain_fields
from pets.common.codec import Json, number
from pets.errors import QueryError, ReleaseFailedError
from pets.models.forecast import ErrorForecast
from pets.models.glm.fit import GlmFit
from pets.models.glm.forecast import forecast
from pets.models.glm.stepping import CHANGED, MOST, Progress, of_same_rows, shares, step_of_query
from pets.models.model import Ask
from pets.models.regression import NAME, Regression, parts
from pets.plan.plan import make_plan
from pets.protection.budget import Budget
from pets.protection.protection import DP, Protection
from pets.query_model.nodes.newton import GRID, Newton
from pets.query_model.nodes.newton import MOST as MOST_AT
from pets.query_model.query import Query
from pets.schema.domain import Boolean, Category
from pets.schema.schema import Schema

AUTO = "auto"
"""What stands for the weights that follows from the columns."""


@dataclass(frozen=True)
class Glm(Regression[GlmFit]):
    """The log of the odds, or of the mean, as a sum of terms, each times a coefficient, and an intercept.

    Attributes:
        weights: R²: under noise a row weighs min(1, R² / ‖x‖²), columns from -1 to 1; ``"auto"``: of them 1, 1 for
            each boolean and category and 0.15 for each number; ``None``: every row weighs 1, and noise is greater.
        exposure: of a Poisson regression, the column of what the mean is proportional to.
    """

    weights: Any = AUTO
    exposure: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        made = self._newton(None, None if self.weights == AUTO else self.weights)
        object.__setattr__(self, "exposure", made.exposure)
        object.__setattr__(self, "weights", AUTO if self.weights == AUTO else made.weights)

    def _newton(self, at: tuple[int, ...] | None, weights: Any = None, fine: bool | None = None) -> Newton:
        return Newton(
            terms=self.terms,
            outcome=self.outcome,
            family=self.kind,
            at=at,
            exposure=self.exposure,
            weights=weights,
            fine=fine,
        )

    @cached_property
    def query(self) -> Query:
        """The question that is asked first: rows, outcomes, and both in the groups of booleans and categories."""
        return self.data.agg(**{NAME: self._newton(None)})

    def asked(self, at: tuple[int, ...] | None, schema: Schema | None, *, fine: bool) -> Query:
        """The question of a step at some coefficients, or of the start.

        Args:
            schema: from which weights that are ``"auto"`` follow.
            fine: for exact answers: every row weighs 1, and the sums keep all bits.
        """
        radius = None if fine or at is None else self.radius_of(schema)
        return self.data.agg(**{NAME: self._newton(at, radius, fine or None)})

    def radius_of(self, schema: Schema | None) -> Fraction | None:
        """R² under noise."""
        if self.weights != AUTO:
            given: Fraction | None = self.weights
            return given
        assert schema is not None, "weights that follow from columns need their schema"
        fields = make_plan(self.query, schema).fields
        numbers = sum(all(not isinstance(fields[name], (Boolean, Category)) for name in term) for term in self.terms)
        return Fraction(round(64 * (1 + len(self.terms) - numbers + Fraction(15 * numbers, 100))), 64)

    def check(self, schema: Schema) -> None:
        """Refuse what :class:`Regression` refuses, and what no step could measure wherever the coefficients go."""
        super().check(schema)
        count = len(step_of_query(self.query, schema).design.columns)
        make_plan(self.asked((MOST_AT << GRID,) * count, schema, fine=False), schema)

    def check_noise(self, schema: Schema, protection: Protection) -> None:
        """Refuse a Poisson regression of what is 0 or 1 under noise: there no mean may pass 1, so it is another fit."""
        domain: Any = make_plan(self.query, schema).fields[self.outcome]
        most = getattr(domain, "origin", 0) + domain.cells - 1
        if self.kind == "poisson" and isinstance(protection, DP) and most <= 1:
            raise QueryError(
                f"under noise no mean of a Poisson regression passes its greatest outcome, and that of "
                f"{self.outcome!r} is 1, which means of it could pass; take pets.logistic, or an exact fit where the "
                "policy allows it"
            )

    def questions(
        self, schema: Schema, protection: Protection, rho: Callable[[DP], float]
    ) -> tuple[tuple[Query, Protection], ...]:
        """The start, and the steps at the greatest coefficients."""
        fine, each = not isinstance(protection, DP), self._each(schema, protection, rho)
        count = len(step_of_query(self.query, schema).design.columns)
        step = self.asked((MOST_AT << GRID,) * count, schema, fine=fine)
        start = self.asked(None, schema, fine=fine)
        return ((start, each[0]), *((step, one) for one in each[1 : 2 if fine else None]))

    def _each(self, schema: Schema, protection: Protection, rho: Callable[[DP], float]) -> list[Protection]:
        """What protects each question; refuses what :meth:`check_noise` refuses."""
        self.check_noise(schema, protection)
        if not isinstance(protection, DP):
            return [protection] * (MOST + 2)
        whole = rho(protection)
        return [DP(rho=whole * share, confidence=protection.confidence) for share in shares(self, schema)]

    def fitted(self, ask: Ask, protection: Protection) -> GlmFit:
        """The fit: the start, and then each step at the coefficients to which those before it lead.

        Under noise the loss is shared out beforehand; nothing is asked where the whole of it does not fit.
        """
        fine, each = not isinstance(protection, DP), self._each(ask.schema, protection, ask.rho)
        progress = Progress(self, ask.schema, fine)
        while (query := progress.next) is not None:
            place = len(progress.releases)
            if not fine:
                ask.check(query, each[place:], begun=place > 0)
            progress = Progress(self, ask.schema, fine, (*progress.releases, ask(query, each[place])))
            if not of_same_rows(progress.releases):
                raise ReleaseFailedError(CHANGED)
        return GlmFit(self, progress.releases)

    def forecast(self, schema: Schema, protection: Protection, budget: Budget) -> ErrorForecast:
        """The standard errors of its coefficients, where every second outcome is true, or half of the greatest one."""
        self.check_noise(schema, protection)
        return forecast(self, schema, protection, budget)

    def to_json(self) -> Json:
        form = super().to_json()
        form |= {} if self.exposure is None else {"exposure": {"column": self.exposure}}
        if self.weights != AUTO:
            form["weights"] = None if self.weights is None else number(self.weights)
        return form

    @classmethod
    def _more(cls, form: Any) -> dict[str, Any]:
        return {
            "weights": form.get("weights", AUTO),
            "exposure": form["exposure"]["column"] if "exposure" in form else None,
        }


@plain_fields(QueryError)
@dataclass(frozen=True)
class Logistic(Glm):
    """A logistic regression: the log of the odds of a boolean outcome."""

    kind: ClassVar[str] = "logistic"
    called: ClassVar[str] = "a logistic regression"


@plain_fields(QueryError)
@dataclass(frozen=True)
class Poisson(Glm):
    """A Poisson regression: the log of the mean of a number of events, maybe for each unit of an exposure."""

    kind: ClassVar[str] = "poisson"
    called: ClassVar[str] = "a Poisson regression"


@plain_arguments(QueryError, "logistic", "write pets.logistic('readmitted ~ age + sex', data='stays')")
def logistic(
    formula: str, terms: Sequence[str] | None = None, *, data: str | Query, weights: object = AUTO
) -> Logistic:
    """The model of a logistic regression, for :meth:`pets.Session.fit`. Nothing is read, and no code is run.

    >>> logistic("died ~ age + C(sex)", data="stays").formula
    'died ~ age + C(sex)'

    Args:
        formula: as :func:`pets.linear` takes it; the outcome is a boolean.
        terms: the columns that explain it, in place of a formula.
        data: the table, or a question that chooses rows and computes columns.
        weights: R²: under noise a row weighs min(1, R² / ‖x‖²), with columns from -1 to 1. A smaller one makes less
            noise, and rows that lie far out count less; ``None``: every row weighs 1.

    Raises:
        QueryError: for a formula that has more than that, with what to write in its place.
    """
    return Logistic(*parts(formula, terms, data), weights)


@plain_arguments(QueryError, "poisson", "write pets.poisson('visits ~ age + sex', data='people')")
def poisson(
    formula: str,
    terms: Sequence[str] | None = None,
    *,
    data: str | Query,
    exposure: str | None = None,
    weights: Any = AUTO,
) -> Poisson:
    """The model of a Poisson regression, for :meth:`pets.Session.fit`. Nothing is read, and no code is run.

    >>> poisson("falls ~ age", data="stays", exposure="days").exposure
    'days'

    Args:
        formula: as :func:`pets.linear` takes it; the outcome is an integer of 0 or more, or a boolean.
        terms: the columns that explain it, in place of a formula.
        data: the table, or a question that chooses rows and computes columns.
        exposure: a column above 0, such as days under observation: coefficients are then of events for each unit of it.
        weights: as :func:`pets.logistic` takes it.

    Raises:
        QueryError: as :func:`pets.logistic`.
    """
    return Poisson(*parts(formula, terms, data), weights, exposure)
