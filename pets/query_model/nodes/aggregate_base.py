"""What aggregates share: the canonical form, the checks of their settings, and what those of one column have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any, ClassVar

from pets.common.codec import Json, fraction, number
from pets.common.literals import name as name_of
from pets.errors import QueryError, shown
from pets.query_model.expression import Filter, condition_of
from pets.query_model.node import Node
from pets.query_model.traits import TRAITS, Traits


@dataclass(frozen=True)
class Aggregate(Node):
    """One measure of the rows of a group."""

    kind: ClassVar[str] = ""
    instead: ClassVar[str] = (
        "a measure is compared and computed with once it is released, free of charge: release.table['n'] > 5; in the "
        "query choose rows with where(col(...) > 5), and ask for shares and means as pets.rate and pets.mean"
    )

    @property
    def traits(self) -> Traits:
        """What is known of its kind."""
        return TRAITS[self.kind]

    @property
    def of(self) -> tuple[str, ...]:
        """The columns whose values it takes."""
        column = getattr(self, "column", None)
        return getattr(self, "columns", ()) if column is None else (column,)

    def to_json(self) -> Json:
        """The canonical form: the kind and every setting that is given."""
        out: Json = {"agg": self.kind}
        for entry in fields(self):
            value = getattr(self, entry.name)
            if value is None:
                continue
            if isinstance(value, Filter):
                out[entry.name] = value.to_json()
            elif isinstance(value, Fraction):
                out[entry.name] = number(value)
            elif isinstance(value, tuple):
                numbers = not any(isinstance(item, str) for item in value)
                out[entry.name] = [number(item) if numbers else {"column": item} for item in value]
            else:
                out[entry.name] = value
        return out


def check_where(where: object) -> None:
    """Refuse what is neither a condition nor ``None``."""
    if where is not None:
        condition_of(where, "the condition in where=")


def named(form: object) -> Any:
    """A column's name, from JSON too, where it stands as ``{"column": …}``."""
    return form.get("column") if isinstance(form, Mapping) else form


def check_column(kind: str, column: object) -> None:
    """Refuse what is no name of a column."""
    name_of(f"the column of {kind}", column)


@dataclass(frozen=True)
class OfColumn(Aggregate):
    """What aggregates of one numeric column share.

    Attributes:
        column: the column; rows without a value in it do not count.
        clip: (low, high) bounds tighter than the schema's; values outside are moved to the nearer bound.
        where: only rows that meet this condition.
    """

    column: str
    clip: tuple[Fraction, Fraction] | None = None
    where: Filter | None = None

    def __post_init__(self) -> None:
        check_column(self.kind, self.column)
        check_where(self.where)
        if self.clip is not None:
            try:
                if not isinstance(self.clip, (tuple, list)):
                    raise ValueError("not a pair")
                low, high = (fraction(bound) for bound in self.clip)
            except ValueError:
                raise QueryError(f"clip needs two numbers, such as clip=(0, 10), not {shown(self.clip)}") from None
            if low > high:
                raise QueryError(f"clip's low bound is above its high bound in {shown(self.clip)}; swap them")
            object.__setattr__(self, "clip", (low, high))
