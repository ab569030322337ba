"""Public group keys: which groups a table has, decided before any row is read.

A *key* is one column of the answer (a column, bins of a number, a part of a date). A :class:`KeySet` lists the
combinations to report; without one, a query reports every combination of its keys' public domains.
"""

from __future__ import annotations

import datetime as dt
import importlib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar, Literal

from pets.common.arguments import plain_arguments, plain_fields
from pets.common.codec import Json
from pets.common.literals import is_null, literal
from pets.common.literals import name as name_of
from pets.errors import QueryError, shown
from pets.query_model.node import Node
from pets.query_model.nodes.bin_edges import Cut, cut_json, cuts_of, interval_labels, members
from pets.schema.person.periods import STEPS, Step

Part = Literal["year", "quarter", "month", "weekday", "hour"]
PARTS: tuple[Part, ...] = ("year", "quarter", "month", "weekday", "hour")
MAX_KEYS = 2_000_000


@dataclass(frozen=True)
class Key(Node):
    """One column of the answer's key, derived from one column of the table.

    Attributes:
        column: the table's column.
        label: the name in the answer (empty: the key's own default).
    """

    column: str
    label: str = ""
    kind: ClassVar[str] = ""
    instead: ClassVar[str] = (
        "a group key is for group_by and is not compared or computed with; choose rows by the column itself, such as "
        "where(col('admitted').between('2024-01-01', '2024-12-31')) for a year"
    )

    def __post_init__(self) -> None:
        name_of("a group key's column", self.column)
        if not isinstance(self.label, str) or self.label:
            name_of("a group key's name", self.label)

    @property
    def default(self) -> str:
        """The name in the answer where it is given no other."""
        return self.column

    @property
    def name(self) -> str:
        """The name in the answer."""
        return self.label or self.default

    def plain(self) -> Key:
        """The same key without a label that is its default name anyway: one question has one digest.

        Saved forms keep such a label, for the sake of theirs.
        """
        return replace(self, label="") if self.label == self.default else self

    def to_json(self) -> Json:
        """The canonical form."""
        out: Json = {"key": self.kind, "column": self.column}
        return out | {"label": self.label} if self.label else out


@plain_fields(QueryError)
@dataclass(frozen=True)
class ColumnKey(Key):
    """A column with a public domain, as it is: a category, a boolean, a date or a bounded integer."""

    kind: ClassVar[str] = "column"


@plain_fields(QueryError)
@dataclass(frozen=True)
class Bins(Key):
    """Half-open bins ``[e0, e1), [e1, e2), …``, the last one closed: ``[e(n-1), en]``; rows outside are not reported.

    Edges are numbers, or of dates and date-times days and moments; a day is its midnight.

    >>> Bins("age", edges=(0, 18, 65, 120)).labels()
    ['[0, 18)', '[18, 65)', '[65, 120]']
    >>> Bins("admitted", edges=("2022-01-01", "2022-04-01")).labels()
    ['[2022-01-01, 2022-04-01]']
    """

    edges: Sequence[object] = ()
    kind: ClassVar[str] = "bins"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "edges", cuts_of(self.edges))

    @property
    def cuts(self) -> tuple[Cut, ...]:
        """The edges as exact numbers, or as days and moments."""
        return tuple(self.edges)  # type: ignore[arg-type]

    def labels(self) -> list[str]:
        """One label a bin, in interval notation."""
        return interval_labels(self.cuts)

    def to_json(self) -> Json:
        return super().to_json() | {"edges": [cut_json(cut) for cut in self.cuts]}


@plain_fields(QueryError)
@dataclass(frozen=True)
class DatePart(Key):
    """The year (2024), quarter (1 to 4) or month (1 to 12) of a date, its weekday (1 is Monday, 7 Sunday), its hour.

    Group by a :class:`Period` for a time series.
    """

    part: Part = "year"
    kind: ClassVar[str] = "part"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.part, str) or self.part not in PARTS:
            raise QueryError(f"a part of a date is {_either(PARTS)}, not {shown(self.part)}")

    @property
    def default(self) -> str:
        return f"{self.column}_{self.part}"

    def to_json(self) -> Json:
        return super().to_json() | {"part": self.part}


@plain_fields(QueryError)
@dataclass(frozen=True)
class Period(Key):
    """The calendar period a date falls in, as text: ``2024``, ``2024-Q2``, ``2024-05``, ``2024-05-31`` or an hour.

    Weeks are those of ISO, from Monday (``2020-W53``), or by the name ``mmwr_week`` the epidemiological ones of the
    CDC, from Sunday (``2020-MMWR53``). In a data frame a period is the time with which it begins.
    """

    unit: Step = "month"
    kind: ClassVar[str] = "period"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.unit, str) or self.unit not in STEPS:
            raise QueryError(f"a period is a {_either(STEPS)}, not {shown(self.unit)}")

    @property
    def default(self) -> str:
        return f"{self.column}_{self.unit}"

    def to_json(self) -> Json:
        return super().to_json() | {"unit": self.unit}


def _either(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


_KEYS: dict[str, type[Key]] = {kind.kind: kind for kind in (ColumnKey, Bins, DatePart, Period)}


def key_from_json(form: Mapping[str, Any]) -> Key:
    """The key whose canonical form this is; raises :class:`QueryError` for anything else."""
    if not isinstance(form, Mapping):
        raise QueryError(f"a key must be a column's name or a mapping with 'key', not {shown(form)}")
    kind = form.get("key")
    found = _KEYS.get(kind) if isinstance(kind, str) else None
    if found is None:
        raise QueryError(f"a key has 'key' column, bins, part or period, not {shown(kind)}")
    for name in form:
        if not isinstance(name, str):
            raise QueryError(f"the settings of a key have names, and {shown(name)} is none")
    return found(**{name: value for name, value in form.items() if name != "key"})


def _key(value: object) -> str | int | bool | None:
    """A value of a key set in canonical type (a date as ISO text); ``None`` is the group of rows without a value."""
    if value is None:
        return None
    try:
        found = None if is_null(value) else literal(value)
    except QueryError:
        found = None
    if found is None or isinstance(found, (Fraction, dt.datetime)):
        raise QueryError(
            f"{shown(value)} is not a key; a key is a text, a whole number, a boolean, a date, or None for missing ones"
        )
    return found.isoformat() if isinstance(found, dt.date) else found


_EXAMPLE = "such as KeySet.product({'gender': ['Female', 'Male']})"


@plain_fields(QueryError)
@dataclass(frozen=True)
class KeySet:
    """A public list of key combinations, each a tuple of public values in the order of ``columns``.

    Rows whose combination is not listed are not reported. The list must be public knowledge: never read from rows.

    >>> KeySet.product({"age": ["[0-10)", "[10-20)"], "gender": ["Female", "Male"]}).rows[1]
    ('[0-10)', 'Male')
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def __post_init__(self) -> None:
        columns, listed = members(self.columns, 1000), members(self.rows, MAX_KEYS)
        if columns is None or listed is None:
            wrong = self.columns if columns is None else self.rows
            raise QueryError(f"a key set needs a list of columns and a list of keys, not {shown(wrong)}; {_EXAMPLE}")
        for name in columns:
            name_of("a key set's column", name)
        if not columns or len(set(columns)) != len(columns):
            raise QueryError("a key set needs at least one column, each named once")
        if not listed:
            raise QueryError("a key set needs at least one row of keys")
        if len(listed) > MAX_KEYS:
            raise QueryError(f"a key set may list at most {MAX_KEYS:,} keys")
        rows = []
        for row in listed:
            values = members(row, len(columns))
            if values is None or len(values) != len(columns):
                wanted = f"{len(columns)} value{'s' if len(columns) > 1 else ''}"
                raise QueryError(f"each key is a tuple of {wanted}, one a column, not {shown(row)}; {_EXAMPLE}")
            rows.append(tuple(_key(value) for value in values))
        if len(set(rows)) != len(rows):
            raise QueryError("a key set lists a key twice; list each key once")
        object.__setattr__(self, "columns", tuple(columns))
        object.__setattr__(self, "rows", tuple(rows))

    @classmethod
    @plain_arguments(QueryError, "KeySet.product", f"give one mapping, {_EXAMPLE}")
    def product(cls, values: Mapping[str, Iterable[Any]]) -> KeySet:
        """Every combination of the given values."""
        if not isinstance(values, Mapping):
            raise QueryError(f"KeySet.product needs a mapping of column to values, not {shown(values)}; {_EXAMPLE}")
        lists = []
        size = 1
        for name, entries in values.items():
            listed = members(entries, MAX_KEYS)
            if listed is None:
                raise QueryError(f"the values of {shown(name)} must be a list, not {shown(entries)}; {_EXAMPLE}")
            lists.append(listed)
            size *= len(listed)
            if size > MAX_KEYS:
                raise QueryError(f"a key set may list at most {MAX_KEYS:,} keys")
        return cls(tuple(values), tuple(itertools.product(*lists)))

    @classmethod
    @plain_arguments(QueryError, "KeySet.of", "give one list of mappings, such as KeySet.of([{'gender': 'Female'}])")
    def of(cls, rows: Iterable[Mapping[str, Any]]) -> KeySet:
        """An explicit list: one mapping of column to value a key, all with the same columns."""
        entries = members(rows, MAX_KEYS)
        if entries is None or not all(isinstance(entry, Mapping) for entry in entries):
            raise QueryError(
                f"KeySet.of needs a list of mappings, not {shown(rows)}; such as KeySet.of([{{'gender': 'Female'}}])"
            )
        if not entries:
            raise QueryError("a key set needs at least one row of keys")
        columns = tuple(entries[0])
        for entry in entries:
            if set(entry) != set(columns):
                wrong = next(iter(set(entry) ^ set(columns)))
                raise QueryError(f"every key must name the same columns, and {shown(wrong)} is not in all of them")
        return cls(columns, tuple(tuple(entry[name] for name in columns) for entry in entries))

    @classmethod
    def load(cls, path: str | Path) -> KeySet:
        """The keys in a file: released ones as they were saved, or a list, ``{"columns": […], "rows": [[…], …]}``.

        Raises :class:`UserError` for a file that is missing, edited or something else.
        """
        # found by name: a list of keys does not depend on how keys are released
        keys: KeySet = importlib.import_module("pets.release.keys.read_keys").read_keys(path)
        return keys

    def plain(self) -> KeySet:
        """The keys alone, without where they came from: what a question holds."""
        return self

    def __mul__(self, other: object) -> KeySet:
        """Every combination of a key of the one with a key of the other."""
        if not isinstance(other, KeySet):
            raise QueryError(f"a KeySet is multiplied with another KeySet, not with {shown(other)}")
        shared = next((name for name in self.columns if name in other.columns), None)
        if shared is not None:
            raise QueryError(
                f"both key sets list the column {shared!r}, which an answer has once; list its values in one of them, "
                "or both sets' keys in one KeySet.of([...])"
            )
        if len(self.rows) * len(other.rows) > MAX_KEYS:
            raise QueryError(f"a key set may list at most {MAX_KEYS:,} keys, not {len(self.rows) * len(other.rows):,}")
        return KeySet(self.columns + other.columns, tuple(a + b for a, b in itertools.product(self.rows, other.rows)))

    __rmul__ = __mul__
    __array_ufunc__: ClassVar[None] = None

    def to_json(self) -> Json:
        """The canonical form."""
        return {"columns": list(self.columns), "rows": [list(row) for row in self.rows]}

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> KeySet:
        """The key set whose canonical form this is; raises :class:`QueryError` for anything else."""
        if not isinstance(form, Mapping) or set(form) != {"columns", "rows"}:
            raise QueryError("a key set must be a mapping with 'columns' (names) and 'rows' (lists of values)")
        return cls(form["columns"], form["rows"])
