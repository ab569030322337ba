"""Public group keys: which groups a table has, decided before any row is read.

A *key* is one column of the answer (a column, bins of a number, a part of a date). A :class:`KeySet` lists the
combinations to report; without one, a query reports every combination of its keys' public domains.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Literal

from pets.codec import Json, fraction, number
from pets.errors import QueryError, shown

Part = Literal["year", "quarter", "month"]
PARTS: tuple[Part, ...] = ("year", "quarter", "month")
MAX_KEYS = 2_000_000


def _text(what: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise QueryError(f"{what} must be a column's name, not {shown(value)}")
    return value


@dataclass(frozen=True)
class Key:
    """One column of the answer's key, derived from one column of the table.

    Attributes:
        column: the table's column.
        label: the name in the answer (empty: the key's own default).
    """

    column: str
    label: str = ""
    kind: ClassVar[str] = ""

    def __post_init__(self) -> None:
        _text("a group key", self.column)
        if not isinstance(self.label, str):
            raise QueryError(f"a group key's name must be a text, not {self.label!r}")

    @property
    def name(self) -> str:
        """The name in the answer."""
        return self.label or self.column

    def to_json(self) -> Json:
        """The canonical form."""
        out: Json = {"key": self.kind, "column": self.column}
        return out | {"label": self.label} if self.label else out


@dataclass(frozen=True)
class ColumnKey(Key):
    """A column with a public domain, as it is: a category, a boolean, a date or a bounded integer."""

    kind: ClassVar[str] = "column"


@dataclass(frozen=True)
class Bins(Key):
    """Half-open bins ``[e0, e1), [e1, e2), …``, the last one closed: ``[e(n-1), en]``; rows outside are not reported.

    >>> Bins("age", edges=(0, 18, 65, 120)).labels()
    ['[0, 18)', '[18, 65)', '[65, 120]']
    """

    edges: Sequence[object] = ()
    kind: ClassVar[str] = "bins"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "edges", edges_of(self.edges))

    @property
    def cuts(self) -> tuple[Fraction, ...]:
        """The edges as exact numbers."""
        return tuple(self.edges)  # type: ignore[arg-type]

    def labels(self) -> list[str]:
        """One label a bin, in interval notation."""
        return interval_labels(self.cuts)

    def to_json(self) -> Json:
        return super().to_json() | {"edges": [number(cut) for cut in self.cuts]}


@dataclass(frozen=True)
class DatePart(Key):
    """The year (2024), quarter (1 to 4) or month (1 to 12) of a date; group by year and month for a time series."""

    part: Part = "year"
    kind: ClassVar[str] = "part"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.part not in PARTS:
            raise QueryError(f"a part of a date is year, quarter or month, not {self.part!r}")

    @property
    def name(self) -> str:
        return self.label or f"{self.column}_{self.part}"

    def to_json(self) -> Json:
        return super().to_json() | {"part": self.part}


@dataclass(frozen=True)
class Period(Key):
    """The calendar period a date falls in, as text: ``2024``, ``2024-Q2`` or ``2024-05``."""

    unit: Part = "month"
    kind: ClassVar[str] = "period"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.unit not in PARTS:
            raise QueryError(f"a period is a year, quarter or month, not {self.unit!r}")

    @property
    def name(self) -> str:
        return self.label or f"{self.column}_{self.unit}"

    def to_json(self) -> Json:
        return super().to_json() | {"unit": self.unit}


def edges_of(edges: object) -> tuple[Fraction, ...]:
    """At least two exact, strictly increasing numbers; raises :class:`QueryError` otherwise."""
    if isinstance(edges, (str, bytes)) or not isinstance(edges, Iterable):
        raise QueryError(f"bins need a list of edges such as [0, 18, 65, 120], not {shown(edges)}")
    try:
        cuts = tuple(fraction(edge) for edge in edges)
    except (ValueError, TypeError):
        raise QueryError("bin edges must be finite numbers, such as [0, 18, 65, 120]") from None
    if len(cuts) < 2 or any(a >= b for a, b in itertools.pairwise(cuts)):
        raise QueryError("bins need at least two edges in increasing order, such as [0, 18, 65, 120]")
    return cuts


def interval_labels(cuts: Sequence[Fraction]) -> list[str]:
    """Interval notation for consecutive edges, the last interval closed."""
    pairs = list(itertools.pairwise([str(number(cut)) for cut in cuts]))
    return [f"[{a}, {b}{']' if i == len(pairs) - 1 else ')'}" for i, (a, b) in enumerate(pairs)]


_KEYS: dict[str, type[Key]] = {kind.kind: kind for kind in (ColumnKey, Bins, DatePart, Period)}


def key_from_json(form: Mapping[str, Any]) -> Key:
    """The key whose canonical form this is; raises :class:`QueryError` for anything else."""
    if not isinstance(form, Mapping):
        raise QueryError(f"a key must be a column's name or a mapping with 'key', not {shown(form)}")
    settings = {str(name): value for name, value in form.items() if name != "key"}
    kind = _KEYS.get(str(form.get("key")))
    if kind is None:
        raise QueryError(f"a key has kind column, bins, part or period, not {form.get('key')!r}")
    try:
        return kind(**settings)
    except TypeError:
        raise QueryError(f"the key {dict(form)!r} has a setting that keys of its kind do not have") from None


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
        object.__setattr__(self, "columns", tuple(_text("a key set's column", name) for name in self.columns))
        if not self.columns or len(set(self.columns)) != len(self.columns):
            raise QueryError("a key set needs at least one column, each named once")
        rows = tuple(tuple(row) for row in self.rows)
        if not rows:
            raise QueryError("a key set needs at least one row of keys")
        if len(rows) > MAX_KEYS:
            raise QueryError(f"a key set may list at most {MAX_KEYS:,} keys, not {len(rows):,}")
        for row in rows:
            if len(row) != len(self.columns):
                raise QueryError(f"each key needs {len(self.columns)} values ({', '.join(self.columns)}), not {row!r}")
        if len(set(rows)) != len(rows):
            raise QueryError("a key set lists a key twice; list each key once")
        object.__setattr__(self, "rows", rows)

    @classmethod
    def product(cls, values: Mapping[str, Iterable[Any]]) -> KeySet:
        """Every combination of the given values."""
        lists = [tuple(entries) for entries in values.values()]
        size = 1
        for entries in lists:
            size *= len(entries)
        if size > MAX_KEYS:
            raise QueryError(f"a key set may list at most {MAX_KEYS:,} keys, not {size:,}")
        return cls(tuple(values), tuple(itertools.product(*lists)))

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]]) -> KeySet:
        """An explicit list: one mapping of column to value a key, all with the same columns."""
        entries = [dict(row) for row in rows]
        if not entries:
            raise QueryError("a key set needs at least one row of keys")
        columns = tuple(entries[0])
        for entry in entries:
            if set(entry) != set(columns):
                raise QueryError(f"every key must name the same columns ({', '.join(columns)}), not {sorted(entry)}")
        return cls(columns, tuple(tuple(entry[name] for name in columns) for entry in entries))

    def __mul__(self, other: KeySet) -> KeySet:
        """Every combination of a key of the one with a key of the other."""
        if not isinstance(other, KeySet):
            return NotImplemented
        if len(self.rows) * len(other.rows) > MAX_KEYS:
            raise QueryError(f"a key set may list at most {MAX_KEYS:,} keys, not {len(self.rows) * len(other.rows):,}")
        return KeySet(self.columns + other.columns, tuple(a + b for a, b in itertools.product(self.rows, other.rows)))

    def to_json(self) -> Json:
        """The canonical form; dates as ISO text."""
        return {
            "columns": list(self.columns),
            "rows": [[v.isoformat() if hasattr(v, "isoformat") else v for v in row] for row in self.rows],
        }

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> KeySet:
        """The key set whose canonical form this is; raises :class:`QueryError` for anything else."""
        try:
            columns, rows = tuple(form["columns"]), tuple(tuple(row) for row in form["rows"])
            hash(rows)
        except (TypeError, KeyError):
            raise QueryError(
                "a key set must be a mapping with 'columns' (names) and 'rows' (lists of values)"
            ) from None
        return cls(columns, rows)
