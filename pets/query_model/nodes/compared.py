"""Conditions on the rows of events that compare a column with a feature of the same person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from pets.common.arguments import plain_fields
from pets.common.codec import Json
from pets.common.literals import name as name_of
from pets.errors import QueryError, shown
from pets.query_model.expression import And, Comparand, Filter, Not, Operator, Or, known_operator
from pets.query_model.nodes.feature_bounds import days_between


@plain_fields(QueryError)
@dataclass(frozen=True)
class Versus(Filter):
    """A column of events compared with a feature of the same person; false where either has no value."""

    column: str
    op: Operator
    feature: Any
    kind: ClassVar[str] = "versus"

    def __post_init__(self) -> None:
        name_of("a condition's column", self.column)
        known_operator(self.op)
        feature_of(self.feature)

    def to_json(self) -> Json:
        return {"filter": self.kind, "column": self.column, "op": self.op, "feature": self.feature.to_json()}


@plain_fields(QueryError)
@dataclass(frozen=True)
class Within(Filter):
    """A date of events lies ``low`` to ``high`` days after a feature (``None``: however long); both ends included.

    Days are those of the calendar: of two times, 00:30 is a day after 23:30.
    """

    column: str
    feature: Any
    low: int | None
    high: int | None
    kind: ClassVar[str] = "within"

    def __post_init__(self) -> None:
        name_of("a condition's column", self.column)
        feature_of(self.feature)
        low, high = days_between("within(…, days=…)", self.low, self.high, open_ends=True)
        if low is None and high is None:
            raise QueryError("within needs a first or a last day, such as within(first, days=(1, 30))")
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)

    def to_json(self) -> Json:
        days = [self.low, self.high]
        return {"filter": self.kind, "column": self.column, "days": days, "feature": self.feature.to_json()}


def feature_of(value: object) -> Any:
    """A feature; raises :class:`QueryError` for anything else."""
    if not isinstance(value, Comparand):
        raise QueryError(
            f"a feature is made from events, such as pets.events('stays').first('admitted', by='admitted'), "
            f"not {shown(value)}"
        )
    return value


def features_in(node: Filter | None) -> tuple[Any, ...]:
    """The features that a condition compares with."""
    if node is None:
        return ()
    if isinstance(node, (Versus, Within)):
        return (node.feature,)
    inner = node.terms if isinstance(node, (And, Or)) else (node.term,) if isinstance(node, Not) else ()
    return tuple(found for term in inner for found in features_in(term))


def columns_named(node: Filter | None) -> tuple[str, ...]:
    """The columns that a condition names (not those of the features that it compares with)."""
    if node is None:
        return ()
    if isinstance(node, (And, Or)):
        return tuple(name for term in node.terms for name in columns_named(term))
    return columns_named(node.term) if isinstance(node, Not) else (node.column,)  # type: ignore[attr-defined]
