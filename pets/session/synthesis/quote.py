"""Quote of a synthetic table: its price, and what noise alone will do to it, at several numbers of rows.

Everything follows from the schema, the settings and the budget; no row is read.
"""

from __future__ import annotations

import html
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pets.common.codec import Json
from pets.errors import UserError, did_you_mean, shown
from pets.protection.budget import Budget, Cost
from pets.schema.schema import Schema
from pets.session.quoting.quote import describe_units
from pets.session.synthesis.hopeless import why_hopeless
from pets.session.synthesis.request import SynthesisRequest, check_settings
from pets.session.synthesis.synthesise import DP_SETTINGS, METHODS
from pets.synthetic.dp_model.noise_alone import GOOD, SIZES, Forecast, NoiseAlone

if TYPE_CHECKING:
    import pandas as pd

MEAN_OF_COLUMNS, MEAN_OF_PAIRS = "mean of columns", "mean of pairs"


@dataclass(frozen=True)
class SynthesisQuote:
    """The price of a synthetic table and its expected error, before anything is spent and without reading a row.

    Attributes:
        table_name: whose rows.
        cost: what it would charge, in the ledger's exact units.
        epsilon, delta: its guarantee.
        forecast: the noise on every marginal, from which the errors follow.
        fits: whether the budget has room for it now.
        more: how many such tables the budget has room for now.
        hopeless: why it would be refused before it is charged, with a remedy (``""``: it would not).
    """

    table_name: str
    cost: Cost
    epsilon: float
    delta: float
    forecast: Forecast
    fits: bool
    more: int
    hopeless: str = ""

    @property
    def table(self) -> pd.DataFrame:
        """One row a column, then the means over columns and over pairs: the expected total variation distance.

        It is the share of rows that noise alone puts in the wrong place, at :data:`SIZES` rows of the real table.
        """
        import pandas as pd

        rows: list[dict[str, Any]] = [
            {"columns": one.columns[0], "slots": one.cells, "sigma": one.sigma} | _at(one.at) for one in self._singles
        ]
        rows.append({"columns": MEAN_OF_COLUMNS} | _at(self.forecast.columns_at))
        if self.forecast.pairs:
            rows.append({"columns": MEAN_OF_PAIRS} | _at(lambda n: self.forecast.pairs_at(n) or 0.0))
        return pd.DataFrame(rows).astype({"slots": "Int64"})

    @property
    def _singles(self) -> tuple[NoiseAlone, ...]:
        return self.forecast.singles

    def __str__(self) -> str:
        at = f"ε = {self.epsilon:.4g}" + (f", δ = {self.delta:g}" if self.delta else "")
        room = f"about {self.more:,} such table{'s' if self.more != 1 else ''} left" if self.fits else "over budget"
        marginals = len(self.forecast.singles) + len(self.forecast.pairs)
        table = self.table
        width = max(len(name) for name in table["columns"])
        lines = [
            f"Cost: {at} ({describe_units(self.cost)}) for {marginals} noisy marginals; {room}.",
            "Share of rows that noise alone puts in the wrong place (expected total variation distance), at so many "
            "rows:",
            f"  {'':<{width}}  {'slots':>5}  " + "".join(f"{size:>9,}" for size in SIZES),
        ]
        for row in table.to_dict("records"):
            slots = "" if row["columns"] in (MEAN_OF_COLUMNS, MEAN_OF_PAIRS) else f"{row['slots']}"
            shares = "".join(f"{_percent(row[f'n_{size}']):>9}" for size in SIZES)
            lines.append(f"  {row['columns']:<{width}}  {slots:>5}  {shares}")
        return "\n".join([*lines, *(line for text in self._said for line in textwrap.wrap(text, 110))])

    @property
    def _said(self) -> list[str]:
        said = [
            f"Enough rows for columns by themselves, with {_percent(GOOD)} in the wrong place on average: about "
            f"{self.forecast.rows_for(self.forecast.singles):,}."
        ]
        if self.forecast.pairs:
            said.append(f"Enough rows for pairs of columns: about {self.forecast.rows_for(self.forecast.pairs):,}.")
        return [*said, *([f"It would be refused: {self.hopeless}."] if self.hopeless else [])]

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def quoted(schema: Schema, budget: Budget, left: Cost, rows: object, method: object, settings: Json) -> SynthesisQuote:
    """See :meth:`pets.Session.quote_synthesis`; ``left``: what the account has room for now."""
    if method != "dp":
        known = isinstance(method, str) and method in METHODS
        raise UserError(
            f"method {method!r} has no guarantee, so it has no price and no noise to tell of; quote method='dp'"
            if known
            else f"there is no method {shown(method)}{did_you_mean(method, METHODS)}"
        )
    check_settings("quote_synthesis", settings, DP_SETTINGS)
    given: dict[str, Any] = {"epsilon": None} | settings | {"rows": rows}
    request = SynthesisRequest(schema, budget.currency, budget.conversion_delta, **given)
    cost = request.cost
    return SynthesisQuote(
        request.name,
        cost,
        request.epsilon,
        request.delta,
        request.forecast,
        fits=cost.fits(left),
        more=left.loss // cost.loss,
        hopeless=why_hopeless(request, left.loss),
    )


def _at(error: Any) -> dict[str, float]:
    return {f"n_{size}": error(size) for size in SIZES}


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.0995 else f"{100 * share:.2g} %"
