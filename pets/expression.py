"""Row conditions: frozen nodes, and ``col(...)``, which builds them.

A null satisfies only ``is_null``, also under ``~``: ``~(col("age") > 60)`` is "age is known and at most 60".
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Literal, NoReturn

from pets.codec import Json, fraction, number
from pets.errors import QueryError, shown
from pets.keyset import Bins, DatePart, Period

Operator = Literal["==", "!=", "<", "<=", ">", ">="]
OPERATORS: tuple[Operator, ...] = ("==", "!=", "<", "<=", ">", ">=")
Literal_ = str | int | bool | Fraction | dt.date


def literal(value: object) -> Literal_:
    """A public constant in canonical type; raises :class:`QueryError` for anything else."""
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, (str, bool, dt.date)):
        return value
    if hasattr(value, "item"):  # a numpy scalar
        value = value.item()
        if isinstance(value, (str, bool)):
            return value
    try:
        exact = fraction(value)
    except (ValueError, TypeError):
        raise QueryError(f"{value!r} is not a text, a number, a boolean or a date") from None
    return int(exact) if exact.denominator == 1 else exact


def literal_json(value: Literal_) -> Any:
    """The canonical form of a constant."""
    if isinstance(value, dt.date):
        return {"date": value.isoformat()}
    if isinstance(value, Fraction):
        return {"number": number(value)}
    return value


def literal_from(form: Any) -> Literal_:
    """The constant whose canonical form this is (plain decimals are accepted too)."""
    if isinstance(form, Mapping) and set(form) == {"date"}:
        return dt.date.fromisoformat(str(form["date"]))
    if isinstance(form, Mapping) and set(form) == {"number"}:
        return literal(fraction(str(form["number"])))
    return literal(form)


@dataclass(frozen=True)
class Filter:
    """A condition on one row. Combine with ``&``, ``|`` and ``~``."""

    kind: ClassVar[str] = ""

    def __and__(self, other: Filter) -> Filter:
        return And(_terms(And, self) + _terms(And, _filter(other)))

    def __or__(self, other: Filter) -> Filter:
        return Or(_terms(Or, self) + _terms(Or, _filter(other)))

    def __invert__(self) -> Filter:
        return self.term if isinstance(self, Not) else Not(self)

    def __bool__(self) -> NoReturn:
        raise QueryError("a condition has no truth of its own; combine conditions with & | ~ and put each in brackets")

    def to_json(self) -> Json:
        """The canonical form."""
        raise NotImplementedError


def _filter(value: object) -> Filter:
    if not isinstance(value, Filter):
        raise QueryError(f"a condition must be built from col(...), such as col('age') >= 18, not {shown(value)}")
    return value


def _terms(kind: type[Filter], value: Filter) -> tuple[Filter, ...]:
    return value.terms if isinstance(value, (And, Or)) and type(value) is kind else (value,)


@dataclass(frozen=True)
class Compare(Filter):
    """``column <op> value`` for a constant value."""

    column: str
    op: Operator
    value: Literal_
    kind: ClassVar[str] = "compare"

    def __post_init__(self) -> None:
        if self.op not in OPERATORS:
            raise QueryError(f"a comparison is one of {' '.join(OPERATORS)}, not {self.op!r}")
        object.__setattr__(self, "value", literal(self.value))

    def to_json(self) -> Json:
        return {"filter": self.kind, "column": self.column, "op": self.op, "value": literal_json(self.value)}


@dataclass(frozen=True)
class IsIn(Filter):
    """``column`` is one of the listed values."""

    column: str
    values: tuple[Literal_, ...]
    kind: ClassVar[str] = "isin"

    def __post_init__(self) -> None:
        if isinstance(self.values, (str, bytes)) or not isinstance(self.values, Iterable):
            raise QueryError(f"isin needs a list of values, such as isin(['Female', 'Male']), not {shown(self.values)}")
        values = tuple(literal(value) for value in self.values)
        if not values:
            raise QueryError("isin needs at least one value")
        object.__setattr__(self, "values", values)

    def to_json(self) -> Json:
        return {"filter": self.kind, "column": self.column, "values": [literal_json(value) for value in self.values]}


@dataclass(frozen=True)
class Between(Filter):
    """``low <= column <= high``: both ends included."""

    column: str
    low: Literal_
    high: Literal_
    kind: ClassVar[str] = "between"

    def __post_init__(self) -> None:
        object.__setattr__(self, "low", literal(self.low))
        object.__setattr__(self, "high", literal(self.high))

    def to_json(self) -> Json:
        low, high = literal_json(self.low), literal_json(self.high)
        return {"filter": self.kind, "column": self.column, "low": low, "high": high}


@dataclass(frozen=True)
class IsNull(Filter):
    """``column`` has no value (it was empty, unreadable or outside its domain)."""

    column: str
    kind: ClassVar[str] = "is_null"

    def to_json(self) -> Json:
        return {"filter": self.kind, "column": self.column}


@dataclass(frozen=True)
class And(Filter):
    """Every term holds."""

    terms: tuple[Filter, ...]
    kind: ClassVar[str] = "and"

    def to_json(self) -> Json:
        return {"filter": self.kind, "terms": [term.to_json() for term in self.terms]}


@dataclass(frozen=True)
class Or(Filter):
    """At least one term holds."""

    terms: tuple[Filter, ...]
    kind: ClassVar[str] = "or"

    def to_json(self) -> Json:
        return {"filter": self.kind, "terms": [term.to_json() for term in self.terms]}


@dataclass(frozen=True)
class Not(Filter):
    """The term does not hold; a comparison with a null does not hold either way."""

    term: Filter
    kind: ClassVar[str] = "not"

    def to_json(self) -> Json:
        return {"filter": self.kind, "term": self.term.to_json()}


def filter_from_json(form: Any) -> Filter:
    """The condition whose canonical form this is; raises :class:`QueryError` for anything else."""
    if not isinstance(form, Mapping):
        raise QueryError(f"a condition must be a mapping with 'filter', not {shown(form)}")
    kind = form.get("filter")
    try:
        if kind == "compare":
            return Compare(str(form["column"]), form["op"], literal_from(form["value"]))
        if kind == "isin":
            return IsIn(str(form["column"]), tuple(literal_from(value) for value in form["values"]))
        if kind == "between":
            return Between(str(form["column"]), literal_from(form["low"]), literal_from(form["high"]))
        if kind == "is_null":
            return IsNull(str(form["column"]))
        if kind in ("and", "or"):
            terms = tuple(filter_from_json(term) for term in form["terms"])
            if not terms:
                raise QueryError(f"an {kind!r} condition needs at least one term")
            return And(terms) if kind == "and" else Or(terms)
        if kind == "not":
            return Not(filter_from_json(form["term"]))
    except (KeyError, TypeError, ValueError):
        raise QueryError(f"the condition {kind!r} lacks a part or has a wrong one") from None
    raise QueryError(f"a condition is compare, isin, between, is_null, and, or, not; there is no {kind!r}")


class Col:
    """A column named in a question; comparing it gives a :class:`Filter`, cutting it gives a group key."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, name: str) -> None:
        if not isinstance(name, str) or not name:
            raise QueryError(f"col(...) needs a column's name, not {name!r}")
        self.name = name

    def __repr__(self) -> str:
        return f"col({self.name!r})"

    def __eq__(self, other: object) -> Filter:  # type: ignore[override]
        return Compare(self.name, "==", literal(other))

    def __ne__(self, other: object) -> Filter:  # type: ignore[override]
        return Compare(self.name, "!=", literal(other))

    def __lt__(self, other: object) -> Filter:
        return Compare(self.name, "<", literal(other))

    def __le__(self, other: object) -> Filter:
        return Compare(self.name, "<=", literal(other))

    def __gt__(self, other: object) -> Filter:
        return Compare(self.name, ">", literal(other))

    def __ge__(self, other: object) -> Filter:
        return Compare(self.name, ">=", literal(other))

    def __bool__(self) -> NoReturn:
        raise QueryError(f"col({self.name!r}) has no truth of its own; compare it, such as col({self.name!r}) == True")

    def isin(self, values: Iterable[object]) -> Filter:
        """One of the listed values."""
        return IsIn(self.name, values if isinstance(values, str) else tuple(values))  # type: ignore[arg-type]

    def between(self, low: object, high: object) -> Filter:
        """From ``low`` to ``high``, both included."""
        return Between(self.name, literal(low), literal(high))

    def is_null(self) -> Filter:
        """Has no value."""
        return IsNull(self.name)

    def bins(self, edges: Iterable[object], name: str = "") -> Bins:
        """Group by half-open bins of a number (the last one closed)."""
        return Bins(self.name, name, edges)  # type: ignore[arg-type]

    def year(self, name: str = "") -> DatePart:
        """Group by the year of a date."""
        return DatePart(self.name, name, "year")

    def quarter(self, name: str = "") -> DatePart:
        """Group by the quarter of the year, 1 to 4."""
        return DatePart(self.name, name, "quarter")

    def month(self, name: str = "") -> DatePart:
        """Group by the month of the year, 1 to 12."""
        return DatePart(self.name, name, "month")

    def period(self, unit: Literal["year", "quarter", "month"], name: str = "") -> Period:
        """Group by calendar period, such as ``2024-05``."""
        return Period(self.name, name, unit)


def col(name: str) -> Col:
    """A column of the queried table.

    >>> col("age") >= 18
    Compare(column='age', op='>=', value=18)
    """
    return Col(name)
