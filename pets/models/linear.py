"""Linear: the model of a straight line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, ClassVar, Self

from pets.common.arguments import plain_arguments, plain_fields
from pets.common.codec import Json, number
from pets.dp.calibrate import calibrate
from pets.errors import QueryError, ReleaseFailedError, shown
from pets.models.fit import Fit
from pets.models.forecast import ErrorForecast
from pets.models.glm.stepping import CHANGED, of_same_rows
from pets.models.line.clusters import SHARE, asked_at, meat_of, solved_from, why
from pets.models.model import Ask
from pets.models.regression import NAME, Regression, parts
from pets.models.weighting import worth
from pets.plan.fitted.design import design_of
from pets.plan.plan import make_plan
from pets.protection.budget import Budget
from pets.protection.protection import DP, Protection
from pets.query_model.nodes.design import Moments
from pets.query_model.query import Query
from pets.schema.numeric import Numeric
from pets.schema.schema import Schema

AUTO = "auto"


@plain_fields(QueryError)
@dataclass(frozen=True)
class Linear(Regression[Fit]):
    """A straight line: an outcome as a sum of terms, each times a coefficient, and an intercept.

    Attributes:
        weights: R², up to which squared length rows count in full (:class:`pets.query_model.nodes.design.Moments`);
            ``None``: all do; ``"auto"``: settled by schema and protection, and all do in :attr:`query`.
        values: those of :attr:`levels` that are numbers; settled by the schema.
    """

    weights: Fraction | str | None = None
    values: tuple[str, ...] = ()
    several: ClassVar[bool] = True
    kind: ClassVar[str] = "linear"
    called: ClassVar[str] = "a straight line"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "values", self._sums(self.terms).levels)
        if wrong := [name for name in self.values if name not in self.levels]:
            raise QueryError(f"{shown(wrong[0])} is to be taken by its values, and not a category; write C({wrong[0]})")
        if self.weights != AUTO:
            object.__setattr__(self, "weights", self._sums(self.terms).weights)

    def _sums(self, terms: Any) -> Moments:
        weights: Any = None if self.weights == AUTO else self.weights
        return Moments(terms=terms, outcome=self.outcome, weights=weights, levels=self.values)

    def check(self, schema: Schema) -> None:
        """Refuse ``C()`` of what has no few listed values; raises :class:`QueryError`."""
        model = self.with_values(schema)
        others = tuple(name for name in self.levels if name not in model.values)
        Regression.check(replace(self, levels=others, values=()), schema)
        make_plan(model.query, schema)

    def with_values(self, schema: Schema) -> Self:
        """The model with ``values`` settled."""
        fields = make_plan(replace(self, values=()).query, schema).fields
        return replace(self, values=tuple(name for name in self.levels if isinstance(fields[name], Numeric)))

    def settled(self, schema: Schema, protection: Protection) -> Self:
        """The model with ``weights`` and ``values`` settled: weights under noise where they are worth it."""
        model = self.with_values(schema)
        if self.weights != AUTO:
            return model
        if not isinstance(protection, DP):
            return replace(model, weights=None)
        return replace(model, weights=worth(lambda weights: replace(model, weights=weights).query, schema))

    def to_json(self) -> Json:
        """The canonical form."""
        weights = number(self.weights) if isinstance(self.weights, Fraction) else self.weights
        form = super().to_json() | ({} if weights is None else {"weights": weights})
        return form | ({"values": [{"column": name} for name in self.values]} if self.values else {})

    @classmethod
    def _more(cls, form: Any) -> dict[str, Any]:
        more = {"weights": form["weights"]} if "weights" in form else {}
        return more | ({"values": tuple(one["column"] for one in form["values"])} if "values" in form else {})

    def questions(
        self, schema: Schema, protection: Protection, rho: Callable[[DP], float]
    ) -> tuple[tuple[Query, Protection], ...]:
        """Its sums; and where a person has several rows, those of people's scores."""
        plan = make_plan(self.query, schema)
        if plan.rows == 1:
            return ((self.query, protection),)
        first, second = _shared(protection, rho)
        ((_, sums),) = self.query.aggregates
        assert isinstance(sums, Moments)
        at = (0,) * len(design_of(sums, plan.fields, plan.table).columns)
        scores = meat_of(sums, at, Fraction(1) if isinstance(protection, DP) else None)
        return ((self.query, first), (self.data.agg(**{NAME: scores}), second))

    def fitted(self, ask: Ask, protection: Protection) -> Fit:
        """The line, of the answer to :attr:`query`; where a person has several rows, and of one about people's scores.

        That is asked at the line, and not where there is none: what was kept for it is then not spent.
        """
        if make_plan(self.query, ask.schema).rows == 1:
            return Fit(self, ask(self.query, protection))
        each = _shared(protection, ask.rho)
        if isinstance(protection, DP):
            ask.check(self.query, each)
        release = ask(self.query, each[0])
        solved = solved_from(release)
        if why(solved):
            return Fit(self, release)
        query = self.data.agg(**{NAME: asked_at(release, solved)})
        if isinstance(protection, DP):
            ask.check(query, each[1:], begun=True)
        meat = ask(query, each[1])
        if not of_same_rows((release, meat)):
            raise ReleaseFailedError(CHANGED)
        return Fit(self, release, meat)

    def forecast(self, schema: Schema, protection: Protection, budget: Budget) -> ErrorForecast:
        """The standard errors of its coefficients."""
        plan = make_plan(self.query, schema)
        if plan.rows == 1:
            return ErrorForecast.of(plan, protection, budget)
        first, _ = _shared(protection, lambda under: calibrate(plan, under, budget).rho or 0.0)
        return replace(ErrorForecast.of(plan, first, budget), rows=plan.rows)


def _shared(protection: Protection, rho: Callable[[DP], float]) -> tuple[Protection, Protection]:
    """What protects the sums of a line, and those of people's scores."""
    if not isinstance(protection, DP):
        return protection, protection
    whole = rho(protection)
    first, second = (DP(rho=whole * part, confidence=protection.confidence) for part in (1 - SHARE, SHARE))
    return first, second


@plain_arguments(QueryError, "linear", "write pets.linear('cost ~ age + sex', data='stays')")
def linear(
    formula: str,
    terms: Sequence[str] | None = None,
    *,
    data: str | Query,
    weights: float | Fraction | str | None = AUTO,
) -> Linear:
    """The model of a straight line, for :meth:`pets.Session.fit`. Nothing is read, and no code is run.

    >>> linear("cost ~ age + C(region)", data="stays") == linear("cost", ["age", "region"], data="stays")
    False
    >>> linear("cost ~ age + region", data="stays") == linear("cost", ["age", "region"], data="stays")
    True

    Args:
        formula: such as ``"cost ~ age + sex * C(region)"``: columns, ``C(column)`` for a category, a boolean
            or a number of few public values (50), ``:`` for a product, ``*`` for a product with its parts. Needs the
            extra ``models``. With ``terms``, the outcome.
        terms: the columns that explain it, in place of a formula.
        data: the table, or a question that chooses rows and computes columns, such as
            ``pets.query("stays").where(pets.col("age") >= 18)`` or ``pets.people(…)``.
        weights: ``None`` is ordinary least squares. R², a number from 1 to 64, lets a row whose terms have a squared
            length beyond it (the intercept's 1; of each column of two values 1; of a number its square, from -1 to 1 by
            the schema's bounds; of a category 2, or 0 at its first value) count R² over that length: less noise, and
            where the true line is not straight another line, which the fit says. ``"auto"`` takes an R² under noise
            where it lowers the noise by 15 % or more, and is ordinary for exact fits.

    Raises:
        QueryError: for a formula that has more than that, with what to write in its place.
    """
    return Linear(*parts(formula, terms, data), weights)  # type: ignore[arg-type]
