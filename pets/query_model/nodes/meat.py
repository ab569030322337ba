"""The spread of people's scores of a regression: a frozen node of its sums at public coefficients.

What an interval needs where a person has several rows, which are alike: the middle of a sandwich, called the meat.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, ClassVar

from pets.common.arguments import plain_fields
from pets.common.codec import Json, fraction, number
from pets.errors import QueryError, shown
from pets.query_model.expression import Filter
from pets.query_model.nodes.design import Moments
from pets.query_model.nodes.moments import OfColumns
from pets.query_model.nodes.newton import GRID, on_grid

MOST = 1 << 22
"""No coefficient of such a column is greater."""
STEP = 4096
"""Norms are whole numbers of 1/4096."""
WIDEST = 1 << 22
"""No norm is greater."""


@plain_fields(QueryError)
@dataclass(frozen=True)
class Meat(OfColumns):
    """The sums, over people, of the products of two numbers of each person's score at public coefficients.

    A person's score is the sum over their rows of w·x·(y − x'β), with columns, outcome and weights as
    :class:`Moments` has them. The last number is how many people have such a row. Rows without a value in one of the
    columns do not count.

    Attributes:
        columns: of its terms and the outcome; it follows from them.
        where: only rows that meet this condition.
        terms, outcome, weights, levels: as :class:`Moments` has them.
        at: the coefficients, one a column of the design, in units of 2^-30.
        norm: a person's score is shortened to this length; ``None``: none is, and all bits are kept, for exact answers.
    """

    columns: tuple[str, ...] = field(default=(), init=False)  # type: ignore[assignment]
    where: Filter | None = None
    terms: tuple[tuple[str, ...], ...] = ()
    outcome: str = ""
    at: tuple[int, ...] = ()
    norm: Fraction | None = None
    weights: Fraction | None = None
    levels: tuple[str, ...] = ()
    kind: ClassVar[str] = "scores"

    def __post_init__(self) -> None:
        sums = self._sums()
        for name in ("terms", "outcome", "weights", "levels", "columns"):
            object.__setattr__(self, name, getattr(sums, name))
        object.__setattr__(self, "at", _coefficients(self.at))
        object.__setattr__(self, "norm", _norm(self.norm))

    def _sums(self) -> Moments:
        return Moments(
            where=self.where, terms=self.terms, outcome=self.outcome, weights=self.weights, levels=self.levels
        )

    @property
    def moments(self) -> Moments:
        """The sums of the line itself: they have the same design."""
        return self._sums()

    def to_json(self) -> Json:
        out = self.moments.to_json() | {"agg": self.kind, "at": list(self.at)}
        return out if self.norm is None else out | {"norm": number(self.norm)}


def _coefficients(given: Any) -> tuple[int, ...]:
    found = on_grid(given, MOST)
    if not found:
        raise QueryError(
            f"coefficients are whole numbers of 2^-{GRID}, such as (0, 536870912), and none is beyond {MOST:,}; not "
            f"{shown(given)}"
        )
    return found


def _norm(given: Any) -> Fraction | None:
    if given is None:
        return None
    try:
        found = fraction(given)
    except ValueError:
        found = Fraction(0)
    if isinstance(given, bool) or not 0 < found <= WIDEST or (found * STEP).denominator != 1:
        raise QueryError(
            f"norm is a number above 0 to {WIDEST:,} in steps of 1/{STEP}, such as 2.5, not {shown(given)}"
        )
    return found
