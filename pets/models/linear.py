"""Linear: the model of a straight line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from pets.common.arguments import plain_arguments, plain_fields
from pets.errors import QueryError, shown
from pets.models.fit import Fit
from pets.models.forecast import ErrorForecast
from pets.models.formula import parsed
from pets.models.model import Ask
from pets.models.regression import Regression
from pets.plan.plan import make_plan
from pets.protection.budget import Budget
from pets.protection.protection import Protection
from pets.query_model.query import Query
from pets.schema.schema import Schema


@plain_fields(QueryError)
@dataclass(frozen=True)
class Linear(Regression[Fit]):
    """A straight line: an outcome as a sum of terms, each times a coefficient, and an intercept."""

    kind: ClassVar[str] = "linear"
    called: ClassVar[str] = "a straight line"

    def fitted(self, ask: Ask, protection: Protection) -> Fit:
        """The line, of the answer to :attr:`query`."""
        return Fit(self, ask(self.query, protection))

    def forecast(self, schema: Schema, protection: Protection, budget: Budget) -> ErrorForecast:
        """The standard errors of its coefficients."""
        return ErrorForecast.of(make_plan(self.query, schema), protection, budget)


@plain_arguments(QueryError, "linear", "write pets.linear('cost ~ age + sex', data='stays')")
def linear(formula: str, terms: Sequence[str] | None = None, *, data: str | Query) -> Linear:
    """The model of a straight line, for :meth:`pets.Session.fit`. Nothing is read, and no code is run.

    >>> linear("cost ~ age + C(region)", data="stays") == linear("cost", ["age", "region"], data="stays")
    False
    >>> linear("cost ~ age + region", data="stays") == linear("cost", ["age", "region"], data="stays")
    True

    Args:
        formula: such as ``"cost ~ age + sex * C(region)"``: columns, ``C(column)`` for a category or a boolean, ``:``
            for a product, ``*`` for a product with its parts. Needs the extra ``models``. With ``terms``, the outcome.
        terms: the columns that explain it, in place of a formula.
        data: the table, or a question that chooses rows and computes columns, such as
            ``pets.query("stays").where(pets.col("age") >= 18)`` or ``pets.people(…)``.

    Raises:
        QueryError: for a formula that has more than that, with what to write in its place.
    """
    asked = Query(data) if isinstance(data, str) else data
    if terms is None:
        found = parsed(formula)
        return Linear(asked, found.outcome, found.terms, found.levels)
    if isinstance(terms, (str, bytes, Mapping)) or not isinstance(terms, Sequence):
        raise QueryError(f"terms is a list of columns, such as ['age', 'sex'], not {shown(terms)}")
    return Linear(asked, formula, tuple((name,) for name in terms))
