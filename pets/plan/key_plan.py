"""Key plan: which keys of a table are to be found, and how far one person can move their counts.

One person is counted in at most ``groups`` keys (those of their first rows, in the order of rank), with 1 in each. So
removing them moves the counts by L0 = L1 = groups, L2 = √groups and L∞ = 1. No row is read here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

from pets.common.codec import Json, digest, whole
from pets.errors import QueryError, shown
from pets.plan.layout import Dimension, Layout
from pets.plan.plan import MAX_GROUPS
from pets.plan.predicate import Predicate, predicate_json, resolve
from pets.plan.predicate import field as find_field
from pets.query_model.columns import Col
from pets.query_model.expression import Filter, condition_of
from pets.schema.dates import Date
from pets.schema.domain import Boolean, Category, Domain
from pets.schema.numeric import Integer
from pets.schema.schema import Schema
from pets.schema.text_column import Text

USUAL_GROUPS = 5
"""Keys that one person is counted in at most, unless it is said: the threshold grows with its root."""


@dataclass(frozen=True)
class KeyPlan:
    """What is counted to find keys.

    Attributes:
        by: the columns of a key.
        condition: only rows that meet it.
        groups: keys that one person is counted in at most.
        rows, kept_rows: rows of one person that are looked at: all that snapshots keep.
        group_cap: ``groups`` where the compiled query has to enforce it (``None``: so many rows have no more keys).
        where: the condition on codes.
        layout: the key's columns; it lists no slots, since nobody knows which keys there are.
        fields: the domains of the table's columns.
        arrival: the column by which the first rows of a person to arrive are kept (``None``: rows chosen at random).
    """

    schema_digest: str
    dataset: str
    table: str
    unit_column: str | None
    by: tuple[str, ...]
    condition: Filter | None
    groups: int
    kept_rows: int
    where: Predicate | None
    layout: Layout
    fields: Mapping[str, Domain] = field(repr=False, compare=False)
    arrival: str | None = field(default=None, compare=False)

    @property
    def rows(self) -> int:
        """K: all kept rows."""
        return self.kept_rows

    @property
    def group_cap(self) -> int | None:
        """Groups that the compiled query caps."""
        return self.groups if self.groups < self.kept_rows else None

    @property
    def group_rows(self) -> int | None:
        """Rows of a group are not capped: a key is there or not."""
        return None

    @property
    def stored_rank(self) -> tuple[str, ...] | None:
        """No cap on the rows of a group, and no rank for one."""
        return None

    @property
    def who(self) -> str:
        """Whose presence is hidden, in words."""
        if self.unit_column is None:
            return "any one row (a person)"
        return f"all rows of any one person ({self.unit_column})"

    def question(self) -> Json:
        """What is asked, in canonical form."""
        out: Json = {"table": self.table, "by": list(self.by), "groups": self.groups}
        return out if self.condition is None else out | {"where": self.condition.to_json()}

    def to_json(self) -> Json:
        """The canonical form: no row, no snapshot, no key."""
        return {
            "pets": "key plan",
            "version": 1,
            "keys": self.question(),
            "schema": self.schema_digest,
            "dataset": self.dataset,
            "unit": self.unit_column,
            "kept_rows": self.kept_rows,
            "where": None if self.where is None else predicate_json(self.where),
        }

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical form."""
        return digest(self.to_json())

    def value(self, place: int, code: Any) -> str | int | bool | None:
        """What a stored code of a key's column stands for in a key set; ``None``: no value."""
        domain = self.fields[self.by[place]]
        if isinstance(domain, Text):
            return str(code) or None
        if int(code) == domain.cells:
            return None
        found: str | int | bool | dt.date = domain.decode(int(code))
        return found.isoformat() if isinstance(found, dt.date) else found


def make_key_plan(
    table: str, by: Sequence[str], schema: Schema, *, where: Filter | None = None, groups: int | None = None
) -> KeyPlan:
    """The plan of the keys of some columns; raises :class:`QueryError` with the remedy where it cannot be made."""
    home, fields = schema.table(table), schema.fields(table)
    names = [one.name if isinstance(one, Col) else one for one in by] if isinstance(by, (list, tuple)) else []
    if not names or not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
        raise QueryError(f"by must be a list of column names, each once, such as by=['diagnosis'], not {shown(by)}")
    for name in names:
        domain = find_field(name, fields, table)
        if not isinstance(domain, (Text, Category, Boolean, Integer, Date)):
            raise QueryError(
                f"column {name!r} holds {domain.describe()}, whose single values are no keys; leave it out"
            )
    if where is not None:
        condition_of(where, "the condition in where=")
    kept = home.unit.max_rows
    return KeyPlan(
        schema_digest=schema.digest,
        dataset=schema.dataset,
        table=table,
        unit_column=home.unit.column,
        by=tuple(names),
        condition=where,
        groups=min(_groups(groups), kept),
        kept_rows=kept,
        where=None if where is None else resolve(where, fields, table),
        layout=Layout(tuple(_dimension(name, fields[name]) for name in names)),
        fields=MappingProxyType(dict(fields)),
        arrival=home.unit.arrival,
    )


def _dimension(name: str, domain: Domain) -> Dimension:
    return Dimension(name, name, (), text=domain if isinstance(domain, Text) else None)


def _groups(value: object) -> int:
    if value is None:
        return USUAL_GROUPS
    try:
        found = whole(value)
    except ValueError:
        found = 0
    if not 1 <= found <= MAX_GROUPS:
        raise QueryError(f"groups must be a whole number from 1 to {MAX_GROUPS}, not {shown(value)}; 1 to 5 is usual")
    return found
