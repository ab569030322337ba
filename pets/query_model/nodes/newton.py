"""One step of a logistic or a Poisson regression: a frozen node of its sums at public coefficients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, ClassVar

from pets.common.arguments import plain_fields
from pets.common.codec import Json, fraction, number, whole
from pets.errors import QueryError, did_you_mean, shown
from pets.query_model.expression import Filter
from pets.query_model.nodes.aggregate_base import check_column
from pets.query_model.nodes.design import Moments
from pets.query_model.nodes.moments import OfColumns

FAMILIES = ("logistic", "poisson")
GRID = 30
"""Coefficients are whole numbers of 2^-30, on columns (and an outcome) that lie from -1 to 1."""
MOST = 32
"""No coefficient of such a column is greater."""


@plain_fields(QueryError)
@dataclass(frozen=True)
class Newton(OfColumns):
    """The sums that a step of a logistic or a Poisson regression takes, at coefficients that everybody knows.

    Without coefficients, the sums with which it starts: rows, outcomes, both in each value of each boolean and
    category, and of a Poisson regression with an exposure its sum. With them, the score Σ w·x·(y − μ) and the
    information Σ w·v·xx', μ the mean and v the variance of a row's outcome there; columns as :class:`Moments` has them.
    Rows without a value in one of the columns do not count.

    Attributes:
        columns: of its terms, the outcome and the exposure; it follows from them.
        where: only rows that meet this condition.
        terms, outcome: as :class:`Moments` has them.
        family: ``"logistic"`` or ``"poisson"``.
        at: the coefficients, one a column of the design, in units of 2^-30.
        exposure: of a Poisson regression, the column of what its mean is proportional to.
        weights: R², with which a row weighs w = min(1, R² / ‖x‖²); ``None``: each weighs 1.
        fine: whether the sums keep as many bits as fit, for exact answers.
    """

    columns: tuple[str, ...] = field(default=(), init=False)  # type: ignore[assignment]
    where: Filter | None = None
    terms: tuple[tuple[str, ...], ...] = ()
    outcome: str = ""
    family: str = ""
    at: tuple[int, ...] | None = None
    exposure: str | None = None
    weights: Fraction | None = None
    fine: bool | None = None
    kind: ClassVar[str] = "newton"

    def __post_init__(self) -> None:
        sums = Moments(where=self.where, terms=self.terms, outcome=self.outcome)
        object.__setattr__(self, "terms", sums.terms)
        object.__setattr__(self, "outcome", sums.outcome)
        if self.family not in FAMILIES:
            raise QueryError(f"family {shown(self.family)} does not exist{did_you_mean(self.family, FAMILIES)}")
        exposure: Any = self.exposure
        if isinstance(exposure, Mapping):  # from JSON
            exposure = exposure.get("column")
        if exposure is not None:
            check_column("an exposure", exposure)
            if self.family != "poisson":
                raise QueryError("an exposure is of a Poisson regression; leave it out, or ask with pets.poisson")
            if exposure in sums.columns:
                raise QueryError(f"column {exposure!r} is the exposure; take it out of the outcome and the terms")
        object.__setattr__(self, "exposure", exposure)
        object.__setattr__(self, "at", _coefficients(self.at))
        object.__setattr__(self, "weights", _weights(self.weights))
        if self.fine is not None and not isinstance(self.fine, bool):
            raise QueryError(f"fine is True or False, not {shown(self.fine)}")
        object.__setattr__(self, "fine", self.fine or None)
        columns = {*sums.columns, *(() if exposure is None else (exposure,))}
        object.__setattr__(self, "columns", tuple(sorted(columns)))

    @property
    def moments(self) -> Moments:
        """A straight line's sums of the same columns: they have the same design."""
        return Moments(where=self.where, terms=self.terms, outcome=self.outcome)

    def to_json(self) -> Json:
        out = self.moments.to_json() | {"agg": self.kind, "family": self.family}
        if self.at is not None:
            out["at"] = list(self.at)
        if self.exposure is not None:
            out["exposure"] = {"column": self.exposure}
        if self.weights is not None:
            out["weights"] = number(self.weights)
        return out | {"fine": True} if self.fine else out


def on_grid(given: Any, most: int) -> tuple[int, ...]:
    """Whole numbers of 2^-GRID of which none is beyond ``most``; none at all where they are not such."""
    try:
        found = tuple(whole(one) for one in given)
    except (TypeError, ValueError):
        return ()
    return found if found and max(map(abs, found)) <= most << GRID else ()


def _coefficients(given: Any) -> tuple[int, ...] | None:
    if given is None:
        return None
    found = on_grid(given, MOST)
    if not found:
        raise QueryError(
            f"coefficients are whole numbers of 2^-{GRID} from -{MOST} to {MOST}, such as (0, 536870912), not "
            f"{shown(given)}"
        )
    return found


def _weights(given: Any) -> Fraction | None:
    if given is None:
        return None
    try:
        found = fraction(given)
    except ValueError:
        found = Fraction(0)
    if not 1 <= found <= 10_000 or (found * 64).denominator != 1:
        raise QueryError(f"weights is a number from 1 to 10,000 in steps of 1/64, such as 4.5, not {shown(given)}")
    return found
