"""Query: what is asked, apart from any data, schema or protection.

The fluent surface only builds one frozen node. Nothing here knows whether the rows are real, invented or encrypted.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from pets.aggregate import Aggregate, aggregate_from_json
from pets.codec import Json, digest
from pets.errors import QueryError, shown
from pets.expression import Col, Filter, filter_from_json
from pets.keyset import ColumnKey, Key, KeySet, key_from_json


@dataclass(frozen=True)
class Query:
    """A question about one table.

    Attributes:
        table: the table's name in the schema.
        filter: only rows that meet it (after the rows of each person were chosen).
        keys: the group key, one entry a column of the answer.
        keyset: the key combinations to report; ``None`` for every combination of the keys' domains.
        aggregates: named measures of each group.
        rows: rows of one person that count (``None``: the schema's default).
        groups: groups one person may fall in (``None``: no cap).

    >>> from pets.aggregate import count
    >>> query("stays").group_by("age").agg(stays=count()).keys
    (ColumnKey(column='age', label=''),)
    """

    table: str
    filter: Filter | None = None
    keys: tuple[Key, ...] = ()
    keyset: KeySet | None = None
    aggregates: tuple[tuple[str, Aggregate], ...] = ()
    rows: int | None = None
    groups: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.table, str) or not self.table:
            raise QueryError(f"a query needs a table's name, not {self.table!r}")
        names = [key.name for key in self.keys] + [name for name, _ in self.aggregates]
        for name in names:
            if names.count(name) > 1:
                raise QueryError(f"the name {name!r} is used twice in the answer; rename one of the two")

    def where(self, condition: Filter) -> Query:
        """Keep only rows that meet the condition (and any earlier one)."""
        if not isinstance(condition, Filter):
            raise QueryError(
                f"where needs a condition built from col(...), such as col('age') >= 18, not {shown(condition)}"
            )
        return replace(self, filter=condition if self.filter is None else self.filter & condition)

    def group_by(self, *keys: str | Col | Key | KeySet) -> Query:
        """One row of answer a group: columns by name, derived keys such as ``col("age").bins(...)``, or a KeySet.

        Keys replace earlier ones. A KeySet may come with derived keys only by naming their columns.
        """
        found: list[Key] = []
        keyset: KeySet | None = None
        for key in keys:
            if isinstance(key, KeySet):
                keyset = key if keyset is None else keyset * key
            elif isinstance(key, (Key, Col, str)):
                found.append(key if isinstance(key, Key) else ColumnKey(key.name if isinstance(key, Col) else key))
            else:
                raise QueryError(f"group_by takes column names, derived keys or a KeySet, not {key!r}")
        if keyset is not None:
            named = {key.name: key for key in found}
            extra = [name for name in named if name not in keyset.columns]
            if extra:
                raise QueryError(f"the key set does not list {extra[0]!r}; add it to the key set or leave it out")
            found = [named.get(name, ColumnKey(name)) for name in keyset.columns]
        return replace(self, keys=tuple(found), keyset=keyset)

    def agg(self, **aggregates: Aggregate) -> Query:
        """Add named measures: ``agg(stays=count(), days=sum("time_in_hospital"))``."""
        for name, aggregate in aggregates.items():
            if not isinstance(aggregate, Aggregate):
                raise QueryError(f"{name!r} must be an aggregate such as pets.count(), not {shown(aggregate)}")
        return replace(self, aggregates=(*self.aggregates, *aggregates.items()))

    def bound(self, *, rows: int | None = None, groups: int | None = None) -> Query:
        """Override how much one person may contribute: at most ``rows`` rows over the whole table, in ``groups``."""
        for label, value in (("rows", rows), ("groups", groups)):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise QueryError(f"bound({label}=…) must be a whole number of at least 1, not {shown(value)}")
        return replace(
            self,
            rows=self.rows if rows is None else rows,
            groups=self.groups if groups is None else groups,
        )

    def explain(self, schema: Any, protection: Any = None) -> Any:
        """Who is protected, what is clamped, each measure's sensitivity and why, and the error at a given budget.

        Reads no rows. ``schema`` is a :class:`pets.Schema`; ``protection`` a :class:`pets.DP` or ``None``.
        """
        # a question does not depend on how it is planned; this one upward call is made by name
        return importlib.import_module("pets.explain").explain(self, schema, protection)

    def to_json(self) -> Json:
        """The canonical form: only what was given."""
        out: Json = {"table": self.table, "agg": [[name, node.to_json()] for name, node in self.aggregates]}
        if self.filter is not None:
            out["where"] = self.filter.to_json()
        if self.keys:
            out["by"] = [key.to_json() for key in self.keys]
        if self.keyset is not None:
            out["keyset"] = self.keyset.to_json()
        for name, value in (("rows", self.rows), ("groups", self.groups)):
            if value is not None:
                out[name] = value
        return out

    @classmethod
    def from_json(cls, form: Any) -> Query:
        """The query whose canonical form this is; raises :class:`QueryError` for anything else."""
        if not isinstance(form, Mapping):
            raise QueryError(f"a query must be a mapping with 'table' and 'agg', not {shown(form)}")
        unknown = set(form) - {"table", "agg", "where", "by", "keyset", "rows", "groups"}
        if unknown:
            raise QueryError(f"{sorted(unknown)[0]!r} is not a part of a query; there are: table, where, by, agg")
        pairs = form.get("agg") or []
        try:
            entries = list(pairs.items()) if isinstance(pairs, Mapping) else list(pairs)
            aggregates = tuple((str(name), aggregate_from_json(node)) for name, node in entries)
        except (TypeError, ValueError):
            raise QueryError("'agg' must map each measure's name to an aggregate") from None
        by = form.get("by") or ()
        if not isinstance(by, (list, tuple)):
            raise QueryError(f"'by' must be a list of column names or keys, not {shown(by)}")
        base = cls(str(form.get("table") or "")).bound(rows=form.get("rows"), groups=form.get("groups"))
        keys = tuple(ColumnKey(key) if isinstance(key, str) else key_from_json(key) for key in by)
        keyset = None if form.get("keyset") is None else KeySet.from_json(form["keyset"])
        where = None if form.get("where") is None else filter_from_json(form["where"])
        return replace(base, filter=where, keys=keys, keyset=keyset, aggregates=aggregates)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical form."""
        return digest(self.to_json())


def query(table: str) -> Query:
    """Begin a question about a table."""
    return Query(table)
