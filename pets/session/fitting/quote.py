"""Quote of a fit: its price, and the standard errors that it will have at several numbers of rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pets.common import html_table
from pets.dp.calibrate import calibrate
from pets.errors import PolicyError, QueryError, shown
from pets.models.forecast import SIZES, errors
from pets.models.least_squares import FEW, POOR
from pets.models.linear import Linear
from pets.plan.fitted.design import design_of
from pets.plan.plan import make_plan
from pets.protection.budget import Budget
from pets.protection.protection import DP, Exact, Protection, Total
from pets.query_model.nodes.design import Moments
from pets.schema.schema import Schema
from pets.session.quoting.quote import Quote

if TYPE_CHECKING:
    import pandas as pd


def check(model: Linear, schema: Schema, protection: Protection, *, pure: bool) -> None:
    """Refuse what cannot be fitted so that its intervals are honest; by public knowledge alone, before any price.

    Args:
        pure: whether the ledger counts ε without a δ.

    Raises:
        QueryError, PolicyError: with the remedy.
    """
    if not isinstance(model, Linear):
        raise QueryError(f"fit takes a model, such as pets.linear('cost ~ age', data='stays'), not {shown(model)}")
    if not isinstance(protection, (DP, Exact, Total)):
        raise PolicyError(
            "a regression is fitted to sums with known noise or none: ask with pets.DP(epsilon=…), or where the "
            "custodian allows it with pets.Total()"
        )
    if isinstance(protection, DP) and (protection.pure or pure):
        raise PolicyError(
            "intervals of a regression are of normal noise, and Laplace noise is not: ask pets.DP(epsilon=…) of a "
            "budget with a delta, without pure"
        )
    if isinstance(protection, DP) and protection.within is not None:
        raise PolicyError(
            "a regression has no one distance to lie within; ask with pets.DP(epsilon=…), and see the quote"
        )
    model.check(schema)
    plan = make_plan(model.query, schema)
    if plan.rows > 1:
        raise QueryError(
            f"intervals of a regression are right where a person has one row, and here {plan.rows} count; ask with "
            f"data=pets.query({plan.table!r}).bound(rows=1), or of people: data=pets.people(…)"
        )


@dataclass(frozen=True)
class FitQuote:
    """The price of a fit and what it will be worth, before anything is spent and without reading a row.

    Attributes:
        price: the quote of its sums.
        terms: the names of the coefficients.
        noise, sampling: by number of rows, in the order of :data:`pets.models.forecast.SIZES`, the standard errors that
            noise and the choice of people will make: where columns are spread evenly over their public values. Real
            columns lie closer together, and both are then greater.
        health: by number of rows, κ: below 1 there will be no coefficients, below 4 they are poor.
    """

    price: Quote
    terms: tuple[str, ...]
    noise: tuple[tuple[float, ...], ...]
    sampling: tuple[tuple[float, ...], ...]
    health: tuple[float, ...]

    @property
    def table(self) -> pd.DataFrame:
        """One row a term: the expected standard error, and noise's part of it, at each number of rows."""
        import pandas as pd

        columns: dict[str, Sequence[float]] = {}
        for rows, noise, sampling in zip(SIZES, self.noise, self.sampling, strict=True):
            columns[f"error_at_{rows}"] = [math.hypot(*pair) for pair in zip(noise, sampling, strict=True)]
            columns[f"noise_at_{rows}"] = list(noise)
        return pd.DataFrame(columns, index=pd.Index(self.terms, name="term"))

    @property
    def _lines(self) -> list[str]:
        said = ["Expected standard errors, of columns that are spread evenly over their public values (noise alone):"]
        width = max(map(len, self.terms))
        head = "".join(f"{f'n = {rows:,}':>26}" for rows in SIZES)
        said.append(f"  {'':<{width}}{head}")
        for place, term in enumerate(self.terms):
            pairs = zip(self.noise, self.sampling, strict=True)
            cells = [f"{math.hypot(a[place], b[place]):,.3g} ({a[place]:,.3g})" for a, b in pairs]
            said.append(f"  {term:<{width}}" + "".join(f"{cell:>26}" for cell in cells))
        for rows, health in zip(SIZES, self.health, strict=True):
            if health < POOR:
                what = "no coefficients" if health < FEW else "poor ones"
                said.append(f"At n = {rows:,} expect {what} (κ = {health:.2g}): take fewer terms, or more epsilon.")
        return said

    def __str__(self) -> str:
        return "\n".join([str(self.price).splitlines()[0], *self._lines])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = [
            (term, *(f"{one:,.3g}" for one in row)) for term, row in zip(self.terms, self.table.values, strict=True)
        ]
        header = ("term", *self.table.columns)
        return html_table.block(
            html_table.sentence(str(self.price).splitlines()[0]),
            html_table.table("Expected standard errors", header, rows, numbers=range(1, len(header))),
            *(html_table.sentence(line) for line in self._lines if line.startswith("At n")),
        )


def quoted(model: Linear, schema: Schema, protection: Protection, budget: Budget, price: Quote) -> FitQuote:
    """The quote of a model: of exact sums, without noise."""
    plan = make_plan(model.query, schema)
    (measure,) = plan.measures
    ((_, asked),) = model.query.aggregates
    assert isinstance(asked, Moments)
    design = design_of(asked, plan.fields, plan.table)
    deviation = calibrate(plan, protection, budget).scales[0] if isinstance(protection, DP) else 1e-300
    found = [errors(design, measure, deviation, rows) for rows in SIZES]
    return FitQuote(
        price,
        design.terms,
        tuple(tuple(one[0].tolist()) for one in found),
        tuple(tuple(one[1].tolist()) for one in found),
        tuple(one[2] for one in found),
    )
