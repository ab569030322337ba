"""Features of a person: frozen nodes, each a function of that person's own rows and of features made before it.

Nothing here reads another person's rows: there is no window over people, no rank among them, no join but that of a
person with their own rows. What is made of features is in :mod:`pets.query_model.feature_base`.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Literal, get_args

from pets.common.arguments import plain_arguments, plain_fields
from pets.common.codec import Json, number
from pets.common.literals import name as name_of
from pets.common.literals import text
from pets.errors import QueryError, shown
from pets.query_model.expression import Filter, condition_of
from pets.query_model.feature_base import MAX_DEPTH, AgeAt, Computed, Days, Feature, Filled, Keyed
from pets.query_model.nodes.compared import Versus, Within, columns_named, features_in
from pets.query_model.nodes.feature_bounds import clip_of, gap_of, most_of, nth_of

__all__ = [
    "MAX_DEPTH",
    "AgeAt",
    "Case",
    "Computed",
    "Days",
    "Feature",
    "Filled",
    "How",
    "Keyed",
    "Reading",
    "Rows",
    "Versus",
    "Within",
    "case",
    "columns_named",
    "features_in",
]

How = Literal[
    "first", "last", "min", "max", "sum", "mean", "count", "exists", "count_distinct", "days_with", "episodes"
]
PICKED, CAPPED = ("first", "last"), ("count", "count_distinct", "days_with", "episodes")
MAX_ARMS = 64
"""Conditions that one case may have."""


@plain_fields(QueryError)
@dataclass(frozen=True)
class Rows:
    """Which rows of a person a feature reads: of one table, those that meet a condition, of the first ``most``."""

    table: str
    condition: Filter | None = None
    most: int | None = None

    def __post_init__(self) -> None:
        name_of("the name of a table of events", self.table)
        if self.condition is not None:
            condition_of(self.condition, "the condition in where(...)")
        if self.most is not None:
            object.__setattr__(self, "most", most_of("bound(rows=…)", self.most))

    def to_json(self) -> Json:
        """The canonical form: only what was given."""
        out: Json = {"table": self.table}
        out |= {} if self.condition is None else {"where": self.condition.to_json()}
        return out if self.most is None else out | {"rows": self.most}


@plain_fields(QueryError)
@dataclass(frozen=True)
class Reading(Feature):
    """What is read of a person's rows; see :class:`pets.query_model.people.Events` for what each ``how`` means.

    Attributes:
        nth: of ``first`` and ``last``, which row in the order is read, 2 to 999; ``None``: the one at the end.
    """

    how: How
    rows: Rows
    column: str | None = None
    by: str | None = None
    clip: tuple[Fraction, Fraction] | None = None
    most: int | None = None
    gap: int | None = None
    nth: int | None = None
    kind: ClassVar[str] = "reading"

    def __post_init__(self) -> None:
        if not isinstance(self.how, str) or self.how not in get_args(How):
            raise QueryError(f"a feature is one of {', '.join(get_args(How))}, not {shown(self.how)}")
        if not isinstance(self.rows, Rows):
            raise QueryError(f"a feature reads rows of a table, not {shown(self.rows)}")
        if self.how in ("count", "exists"):
            wanted = set()
        else:
            name_of(f"the column of {self.how}", self.column)
            wanted = {"column"}
        if self.how in PICKED:
            name_of(f"the column by which {self.how} is chosen", self.by)
            wanted |= {"by", "nth"}
            nth = None if self.nth is None else nth_of(self.how, self.nth)
            object.__setattr__(self, "nth", None if nth == 1 else nth)
        if self.how == "sum":
            object.__setattr__(self, "clip", clip_of(self.clip))
            wanted |= {"clip"}
        if self.how in CAPPED:
            if self.most is None:
                raise QueryError(f"{self.how} needs the most that counts of one person, such as {self.how}(max=20)")
            object.__setattr__(self, "most", most_of(f"{self.how}(max=…)", self.most))
            wanted |= {"most"}
        if self.how == "episodes":
            object.__setattr__(self, "gap", gap_of(self.gap))
            wanted |= {"gap"}
        for name in ("column", "by", "clip", "most", "gap", "nth"):
            if name not in wanted and getattr(self, name) is not None:
                raise QueryError(f"{self.how} takes no {'max' if name == 'most' else name}; leave it out")
        self._small()

    @property
    def inputs(self) -> tuple[Feature, ...]:
        return features_in(self.rows.condition)

    def to_json(self) -> Json:
        out: Json = {"feature": self.how, "rows": self.rows.to_json()}
        for name in ("column", "by", "most", "gap", "nth"):
            if getattr(self, name) is not None:
                out[name] = getattr(self, name)
        return out if self.clip is None else out | {"clip": [number(end) for end in self.clip]}


@plain_fields(QueryError)
@dataclass(frozen=True)
class Case(Feature):
    """The name of the first condition that a person meets: a category of these names.

    Attributes:
        arms: conditions on features named before it and on columns of the person table, each with its name.
        default: the name of those who meet none; ``None``: they have no value.
    """

    arms: tuple[tuple[Filter, str], ...]
    default: str | None
    kind: ClassVar[str] = "case"

    def __post_init__(self) -> None:
        arms = self.arms if isinstance(self.arms, (tuple, list)) else ()
        if not 1 <= len(arms) <= MAX_ARMS or not all(isinstance(arm, (tuple, list)) and len(arm) == 2 for arm in arms):
            raise QueryError(
                f"a case takes 1 to {MAX_ARMS} pairs of a condition and a name, such as (col('n') >= 3, 'many'), not "
                f"{shown(self.arms)}"
            )
        object.__setattr__(self, "arms", tuple((self._condition(one), self._text(name)) for one, name in arms))
        if self.default is not None:
            object.__setattr__(self, "default", self._text(self.default))

    @staticmethod
    def _condition(value: object) -> Filter:
        if not isinstance(value, Filter) or features_in(value):
            raise QueryError(
                "the conditions of a case are on features that are named before it and on columns of the person table, "
                f"such as col('n') >= 3, not {shown(value)}"
            )
        return value

    @staticmethod
    def _text(value: object) -> str:
        if not isinstance(value, str) or not value:
            raise QueryError(f"a case gives names, which are texts such as 'many', not {shown(value)}")
        return text(value)

    def to_json(self) -> Json:
        arms = [{"if": condition.to_json(), "name": name} for condition, name in self.arms]
        return {"feature": self.kind, "when": arms} | ({} if self.default is None else {"default": self.default})


@plain_arguments(QueryError, "case", "write pets.case((col('n') >= 3, 'many'), default='few')")
def case(*arms: tuple[Filter, str], default: str | None) -> Case:
    """A category of people by conditions on their features: the name of the first one that they meet.

    Args:
        arms: pairs of a condition and a name. Conditions name features that stand before it in :func:`pets.people`,
            and columns of the person table; somebody without a value meets only ``is_null()``.
        default: the name of those who meet none. Where a value that the conditions look at may be missing, those
            without it are named by a condition of their own, or ``default=None``: then they have no value.

    >>> from pets.query_model.columns import col
    >>> case((col("n") >= 3, "many"), default="few").default
    'few'
    """
    return Case(arms, default)
