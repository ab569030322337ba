"""The sums of a regression: a frozen node of an outcome and of terms, each a column or a product of columns."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations
from typing import Any, ClassVar

from pets.common.arguments import plain_fields
from pets.common.codec import Json, fraction, number
from pets.errors import QueryError, shown
from pets.query_model.expression import Filter
from pets.query_model.nodes.aggregate_base import check_column, check_where, named
from pets.query_model.nodes.moments import OfColumns

MAX_TERMS = 32
"""Terms of one regression."""
MAX_FACTORS = 3
"""Columns that one term is a product of."""
MAX_LENGTH = 64
"""The greatest squared length up to which rows count in full."""


@plain_fields(QueryError)
@dataclass(frozen=True)
class Moments(OfColumns):
    """The sums of a straight-line regression: of products of two terms, of a term and the outcome, and of its square.

    Each number is moved to lie from -1 to 1 first, by its public bounds; a column of two values is -1 or 1, and a
    category of more is 0 or 1 for each value but the first. A sum that follows from another one is left out. Rows
    without a value in one of the columns do not count.

    Attributes:
        columns: of all its terms and the outcome; it follows from them.
        where: only rows that meet this condition.
        terms: each a column, or the columns of a product; with the product of several stand those of fewer of them.
            The intercept is among every regression's, and not listed.
        outcome: a number, or a column of two values.
        weights: R²: a row counts min(1, R² ÷ its squared length), so that no row counts for much. The squared length is
            1, and for each term the product of its columns' squares: of a number, as it lies from -1 to 1; of two
            values 1; of a category 2, and 0 at the first. ``None``: every row counts in full.
        levels: numbers of its terms that are taken as categories of their public values.
    """

    columns: tuple[str, ...] = field(default=(), init=False)  # type: ignore[assignment]
    where: Filter | None = None
    terms: tuple[tuple[str, ...], ...] = ()
    outcome: str = ""
    weights: Fraction | None = None
    levels: tuple[str, ...] = ()
    kind: ClassVar[str] = "regression"

    def __post_init__(self) -> None:
        outcome = named(self.outcome)
        check_column(self.kind, outcome)
        object.__setattr__(self, "outcome", outcome)
        given: Any = self.terms if isinstance(self.terms, (tuple, list)) else ()
        terms = tuple(_term(term) for term in given)
        if not 1 <= len(terms) <= MAX_TERMS:
            raise QueryError(f"a regression has from 1 to {MAX_TERMS} terms, such as age + sex, not {len(terms)}")
        seen: set[tuple[str, ...]] = set()
        for term in terms:
            if outcome in term:
                raise QueryError(f"column {outcome!r} is the outcome and in a term; take it out of the terms")
            if term in seen:
                raise QueryError(f"the term {':'.join(term)!r} is there twice; keep one")
            seen.add(term)
        for term in terms:
            fewer = (part for size in range(1, len(term)) for part in combinations(term, size))
            if lacking := next((part for part in fewer if part not in seen), None):
                raise QueryError(
                    f"the product {':'.join(term)!r} is there without {':'.join(lacking)!r}; write {' * '.join(term)}, "
                    "which has them all"
                )
        object.__setattr__(self, "terms", terms)
        object.__setattr__(self, "columns", tuple(sorted({outcome, *(name for term in terms for name in term)})))
        object.__setattr__(self, "weights", _weights(self.weights))
        given = self.levels if isinstance(self.levels, (tuple, list)) else (self.levels,)
        levels = tuple(sorted(map(named, given), key=str))
        known = {name for term in terms for name in term}
        if wrong := [name for name in levels if not isinstance(name, str) or name not in known]:
            raise QueryError(f"{shown(wrong[0])} is to be taken by its values, and in no term; leave it out of levels")
        if len(set(levels)) != len(levels):
            raise QueryError("a column is in levels twice; keep one")
        object.__setattr__(self, "levels", levels)
        check_where(self.where)

    def to_json(self) -> Json:
        terms = [[{"column": name} for name in term] for term in self.terms]
        out: Json = {"agg": self.kind, "terms": terms, "outcome": {"column": self.outcome}}
        out |= {} if self.weights is None else {"weights": number(self.weights)}
        out |= {"levels": [{"column": name} for name in self.levels]} if self.levels else {}
        return out if self.where is None else out | {"where": self.where.to_json()}


def _weights(value: object) -> Fraction | None:
    """R², exactly; raises :class:`QueryError` for what is none."""
    if value is None:
        return None
    wrong = QueryError(
        f"weights is None, or R², a number from 1 to {MAX_LENGTH} such as 4.5 (rows of a greater squared length count "
        f"less), not {shown(value)}"
    )
    try:
        found = fraction(value)
    except ValueError:
        raise wrong from None
    if isinstance(value, bool) or not 1 <= found <= MAX_LENGTH:
        raise wrong
    return found


def _term(form: object) -> tuple[str, ...]:
    """The columns of one term, each once and in order; raises :class:`QueryError` for anything else."""
    parts = [named(one) for one in form] if isinstance(form, (tuple, list)) else [named(form)]
    for name in parts:
        check_column("a regression's term", name)
    if not 1 <= len(parts) <= MAX_FACTORS or len(set(parts)) != len(parts):
        raise QueryError(
            f"a term is a column, or a product of up to {MAX_FACTORS} different ones, not {shown(':'.join(parts))}"
        )
    return tuple(sorted(parts))
