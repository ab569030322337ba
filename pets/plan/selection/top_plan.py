"""Top plan: which of a question's groups have the greatest counts; only which ones is to leave.

The counts are those of an ordinary plan of one measure, and the candidates its groups: listed, so public. Adding all
rows of a person raises each count by at most the measure's L∞ and lowers none. No row is read here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pets.common.codec import Json, digest, whole
from pets.errors import QueryError, shown
from pets.plan.plan import Plan
from pets.query_model.group_keys import ColumnKey
from pets.query_model.query import Query
from pets.schema.domain import MISSING

COUNTS = {"units": "people", "rows": "rows"}
"""Measures that one more person only raises, and what they count."""


@dataclass(frozen=True)
class TopPlan:
    """What is counted, and how many of the groups are chosen.

    Attributes:
        plan: of the counts: one measure.
        k: how many, at least one and fewer than there are.
    """

    plan: Plan
    k: int

    @property
    def candidates(self) -> int:
        """Groups to choose from."""
        return self.plan.groups

    @property
    def linf(self) -> int:
        """The most by which one person raises any count."""
        return self.plan.measures[0].sensitivity.linf

    @property
    def counted(self) -> str:
        """What is counted: ``"people"`` or ``"rows"``."""
        one = self.plan.people_of is not None or self.plan.unit_column is None  # a row is a person
        return "people" if one else COUNTS[self.plan.measures[0].kind]

    def to_json(self) -> Json:
        """The canonical form: no row, no snapshot."""
        return self.plan.to_json() | {"pets": "top plan", "k": self.k}

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical form."""
        return digest(self.to_json())

    def keys(self, places: list[int]) -> list[list[Any]]:
        """The keys of places among the groups, as a key set has them (``None``: no value)."""
        columns = self.plan.layout.columns()
        nullable = [self.plan.fields[one.column].nullable for one in self.plan.layout.dimensions]
        sides = list(zip(columns.values(), nullable, strict=True))
        return [[_value(labels[place], missing=null) for labels, null in sides] for place in places]


def _value(label: Any, *, missing: bool) -> Any:
    if missing and label == MISSING:
        return None
    return label.isoformat() if hasattr(label, "isoformat") else label


def question_of(query: object, k: object) -> tuple[Query, int]:
    """What is asked, if it is one count of groups that are columns as they are; raises :class:`QueryError` else."""
    if not isinstance(query, Query):
        raise QueryError(f"a query is built from pets.query('table'), not {type(query).__name__}")
    try:
        most = whole(k)
    except ValueError:
        most = 0
    if most < 1:
        raise QueryError(f"k must be a whole number above 0, such as 10, not {shown(k)}")
    if [node.kind for _, node in query.aggregates] not in (["count"], ["count_units"]):
        raise QueryError(
            "groups are chosen by one count of people or of rows: .agg(n=pets.count_units()) or .agg(n=pets.count()), "
            "and nothing else"
        )
    if not query.keys:
        raise QueryError("there are no groups to choose from; add .group_by('diagnosis') or a KeySet")
    cut = next((key for key in query.keys if not isinstance(key, ColumnKey) or key.label), None)
    if cut is not None:
        raise QueryError(
            f"the key {cut.name!r} is no column as it is, so no KeySet can name its groups; release the counts and "
            "take the greatest of the answer's table, or group by the column itself"
        )
    return query.shown_as(None), most


def make_top_plan(plan: Plan, k: int) -> TopPlan:
    """The plan of a choice; raises :class:`QueryError` where there is none."""
    if k >= plan.groups:
        raise QueryError(
            f"the question has {plan.groups:,} groups, of which {k:,} are no choice; ask for fewer, or group by "
            "them all"
        )
    return TopPlan(plan, k)
