"""Quote of a fit: its price, and the errors that it will have; and what is refused before any price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pets.common import html_table
from pets.errors import PolicyError, QueryError, shown
from pets.models.model import Forecast, Model
from pets.plan.plan import make_plan
from pets.protection.budget import Cost
from pets.protection.protection import DP, Exact, Protection, Total
from pets.schema.schema import Schema
from pets.session.quoting.quote import Quote

if TYPE_CHECKING:
    import pandas as pd


def check(model: Model[object], schema: Schema, protection: Protection, *, pure: bool) -> None:
    """Refuse what cannot be fitted so that its intervals are honest; by public knowledge alone, before any price.

    Args:
        pure: whether the ledger counts ε without a δ.

    Raises:
        QueryError, PolicyError: with the remedy.
    """
    if not isinstance(model, Model):
        raise QueryError(f"fit takes a model, such as pets.linear('cost ~ age', data='stays'), not {shown(model)}")
    if isinstance(protection, (int, float, str)):
        raise PolicyError(f"a protection has a name: write pets.DP(epsilon=1), not {shown(protection)}")
    if not isinstance(protection, (DP, Exact, Total)):
        raise PolicyError(
            "a model is fitted to sums with known noise or none: ask with pets.DP(epsilon=…), or where the "
            "custodian allows it with pets.Total()"
        )
    if isinstance(protection, DP) and (protection.pure or pure):
        raise PolicyError(
            "intervals of a model are of normal noise, and Laplace noise is not: ask pets.DP(epsilon=…) of a "
            "budget with a delta, such as pets.Budget(epsilon=5, delta=1e-6), without pure"
        )
    if isinstance(protection, DP) and protection.within is not None:
        raise PolicyError("a model has no one distance to lie within; ask with pets.DP(epsilon=…), and see the quote")
    model.check(schema)
    plan = make_plan(model.query, schema)
    if plan.rows > 1 and not model.several:
        raise QueryError(
            f"intervals of this model are right where a person has one row, and here {plan.rows} count; ask with "
            f"data=pets.query({plan.table!r}).bound(rows=1), or of people: data=pets.people(of={plan.table!r}, …)"
        )


def price_of(price: Quote, units: Sequence[int], lefts: Sequence[Cost]) -> Quote:
    """The price of a model of several questions: what all of them may cost together, which no fit goes beyond.

    What a question is charged depends a little on the answers before it: its noise is rounded, never to a lesser one.

    Args:
        price: as if all were one question.
        units: the most that each may cost.
        lefts: what each account has room for; none where they are elsewhere.
    """
    if len(units) == 1:
        return price
    cost = Cost(price.cost.currency, sum(units))
    more = min((left.loss // cost.loss for left in lefts), default=None)
    return replace(price, cost=cost, fits=all(cost.fits(left) for left in lefts), more=more)


@dataclass(frozen=True)
class FitQuote:
    """The price of a fit and what it will be worth, before anything is spent and without reading a row.

    Attributes:
        price: the quote of what it is made of; of several questions, the most that they may cost together.
        forecast: the errors that it will have.
    """

    price: Quote
    forecast: Forecast

    @property
    def table(self) -> pd.DataFrame:
        """The expected errors: one row a term or time."""
        return self.forecast.table

    @property
    def _cost(self) -> str:
        return str(self.price).splitlines()[0]

    def __str__(self) -> str:
        return "\n".join([self._cost, *self.forecast.lines])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        shown = self.table
        rows = [
            (str(name), *(f"{one:,.3g}" for one in row)) for name, row in zip(shown.index, shown.values, strict=True)
        ]
        header = (str(shown.index.name), *shown.columns)
        return html_table.block(
            html_table.sentence(self._cost),
            html_table.table("Expected standard errors", header, rows, numbers=range(1, len(header))),
            *(
                html_table.sentence(line)
                for line in self.forecast.lines
                if line.startswith(("At n", "Weighted", "A person"))
            ),
        )
