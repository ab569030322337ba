"""Row conditions: frozen nodes, which ``col(...)`` builds (:mod:`pets.query_model.columns`).

A null satisfies only ``is_null``, also under ``~``: ``~(col("age") > 60)`` is "age is known and at most 60".
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NoReturn

from pets.common.arguments import plain_fields
from pets.common.codec import Json
from pets.common.literals import Literal_, literal, literal_from, literal_json, text
from pets.common.literals import name as name_of
from pets.errors import QueryError, did_you_mean, shown
from pets.query_model.node import Node

Operator = Literal["==", "!=", "<", "<=", ">", ">="]
OPERATORS: tuple[Operator, ...] = ("==", "!=", "<", "<=", ">", ">=")
MAX_VALUES = 100_000
MAX_DEPTH = 100


@dataclass(frozen=True)
class Filter(Node):
    """A condition on one row. Combine with ``&``, ``|`` and ``~``."""

    kind: ClassVar[str] = ""
    depth: ClassVar[int] = 1
    instead: ClassVar[str] = (
        "a condition is not compared or computed with; it holds where it is true, so write it as it is, ~(…) for its "
        "opposite, and join conditions with & and |, each in brackets"
    )

    def __and__(self, other: object) -> Filter:
        return And(_terms(And, self) + _terms(And, condition_of(other)))

    def __or__(self, other: object) -> Filter:
        return Or(_terms(Or, self) + _terms(Or, condition_of(other)))

    def __rand__(self, other: object) -> Filter:
        return condition_of(other) & self

    def __ror__(self, other: object) -> Filter:
        return condition_of(other) | self

    def __invert__(self) -> Filter:
        return self.term if isinstance(self, Not) else Not(self)

    def __bool__(self) -> NoReturn:
        raise QueryError("a condition has no truth of its own; combine conditions with & | ~ and put each in brackets")

    def to_json(self) -> Json:
        """The canonical form."""
        raise NotImplementedError


class Comparand:
    """What a column may be compared with that is no constant."""

    def against(self, column: str, op: Operator) -> Filter:
        """The condition that a column compares so with it."""
        raise NotImplementedError

    def after(self, column: str, low: int | None, high: int | None) -> Filter:
        """The condition that a column lies so many days after it."""
        raise NotImplementedError

    def age(self, column: str) -> Any:
        """The age at it of who was born on the column's day."""
        raise NotImplementedError

    def extreme(self, kind: str, of: tuple[object, ...]) -> Any:
        """The least (``min_of``) or the greatest of it and of others."""
        raise NotImplementedError


def comparisons(node: Filter) -> int:
    """How many conditions on one column a condition is made of; a list of values is one."""
    count, left = 0, [node]
    while left:
        one = left.pop()
        inner = one.terms if isinstance(one, (And, Or)) else (one.term,) if isinstance(one, Not) else ()
        count += not inner
        left.extend(inner)
    return count


def condition_of(value: object, what: str = "a condition") -> Filter:
    """A condition; raises :class:`QueryError` for anything else, of which ``what`` says where it stands."""
    if isinstance(value, Filter):
        return value
    hint = "; two things that Python compares as wholes, such as sums of columns, have names first: .with_columns(…)"
    raise QueryError(
        f"{what} must be built from col(...), such as col('age') >= 18, not {shown(value)}"
        + (hint if isinstance(value, bool) else "")
    )


def _nested(node: Filter, terms: tuple[Filter, ...]) -> None:
    """Note how deep a condition is nested; refuse one that no reader would follow."""
    depth = 1 + max(term.depth for term in terms)
    if depth > MAX_DEPTH:
        raise QueryError(f"a condition may be nested at most {MAX_DEPTH} deep; simplify it, such as with isin")
    object.__setattr__(node, "depth", depth)


def _several(node: And | Or) -> None:
    if not isinstance(node.terms, (tuple, list)) or not node.terms:
        raise QueryError(f"an {node.kind!r} condition needs a list of at least one condition, not {shown(node.terms)}")
    object.__setattr__(node, "terms", tuple(condition_of(term) for term in node.terms))
    _nested(node, node.terms)


def _terms(kind: type[Filter], value: Filter) -> tuple[Filter, ...]:
    return value.terms if isinstance(value, (And, Or)) and type(value) is kind else (value,)


def known_operator(op: object) -> None:
    """Raise :class:`QueryError` for what is no comparison."""
    if not isinstance(op, str) or op not in OPERATORS:
        raise QueryError(f"a comparison is one of {' '.join(OPERATORS)}, not {shown(op)}")


@plain_fields(QueryError)
@dataclass(frozen=True)
class Compare(Filter):
    """``column <op> value`` for a constant value."""

    column: str
    op: Operator
    value: Literal_
    kind: ClassVar[str] = "compare"

    def __post_init__(self) -> None:
        name_of("a condition's column", self.column)
        known_operator(self.op)
        object.__setattr__(self, "value", literal(self.value))

    def to_json(self) -> Json:
        return {"filter": self.kind, "column": self.column, "op": self.op, "value": literal_json(self.value)}


def _listed(values: object) -> list[object]:
    """The values of a list, a set, an array or a series."""
    if isinstance(values, Iterable) and not isinstance(values, (str, bytes, Mapping, type)):
        try:
            return list(itertools.islice(values, MAX_VALUES + 1))
        except TypeError:  # such as an array of no dimension
            pass
    raise QueryError(f"isin needs a list of values, such as isin(['Female', 'Male']), not {shown(values)}")


@plain_fields(QueryError)
@dataclass(frozen=True)
class IsIn(Filter):
    """``column`` is one of the listed values."""

    column: str
    values: tuple[Literal_, ...]
    kind: ClassVar[str] = "isin"

    def __post_init__(self) -> None:
        name_of("a condition's column", self.column)
        values = tuple(literal(value) for value in _listed(self.values))
        if not values:
            raise QueryError("isin needs at least one value")
        if len(values) > MAX_VALUES:
            raise QueryError(f"isin takes at most {MAX_VALUES:,} values; use a range, such as between, or bins")
        object.__setattr__(self, "values", values)

    def to_json(self) -> Json:
        return {"filter": self.kind, "column": self.column, "values": [literal_json(value) for value in self.values]}


@plain_fields(QueryError)
@dataclass(frozen=True)
class Between(Filter):
    """``low <= column <= high``: both ends included."""

    column: str
    low: Literal_
    high: Literal_
    kind: ClassVar[str] = "between"

    def __post_init__(self) -> None:
        name_of("a condition's column", self.column)
        object.__setattr__(self, "low", literal(self.low))
        object.__setattr__(self, "high", literal(self.high))

    def to_json(self) -> Json:
        low, high = literal_json(self.low), literal_json(self.high)
        return {"filter": self.kind, "column": self.column, "low": low, "high": high}


@plain_fields(QueryError)
@dataclass(frozen=True)
class IsNull(Filter):
    """``column`` has no value (it was empty, unreadable or outside its domain)."""

    column: str
    kind: ClassVar[str] = "is_null"

    def __post_init__(self) -> None:
        name_of("a condition's column", self.column)

    def to_json(self) -> Json:
        return {"filter": self.kind, "column": self.column}


@plain_fields(QueryError)
@dataclass(frozen=True)
class StartsWith(Filter):
    """``column``, a category, has a value that begins with a text."""

    column: str
    prefix: str
    kind: ClassVar[str] = "startswith"

    def __post_init__(self) -> None:
        name_of("a condition's column", self.column)
        if not isinstance(self.prefix, str) or not self.prefix:
            raise QueryError(f"startswith takes a text, such as startswith('I21'), not {shown(self.prefix)}")
        object.__setattr__(self, "prefix", text(self.prefix))

    def to_json(self) -> Json:
        return {"filter": self.kind, "column": self.column, "prefix": self.prefix}


@plain_fields(QueryError)
@dataclass(frozen=True)
class And(Filter):
    """Every term holds."""

    terms: tuple[Filter, ...]
    kind: ClassVar[str] = "and"

    def __post_init__(self) -> None:
        _several(self)

    def to_json(self) -> Json:
        return {"filter": self.kind, "terms": [term.to_json() for term in self.terms]}


@plain_fields(QueryError)
@dataclass(frozen=True)
class Or(Filter):
    """At least one term holds."""

    terms: tuple[Filter, ...]
    kind: ClassVar[str] = "or"

    def __post_init__(self) -> None:
        _several(self)

    def to_json(self) -> Json:
        return {"filter": self.kind, "terms": [term.to_json() for term in self.terms]}


@plain_fields(QueryError)
@dataclass(frozen=True)
class Not(Filter):
    """The term does not hold; a comparison with a null does not hold either way."""

    term: Filter
    kind: ClassVar[str] = "not"

    def __post_init__(self) -> None:
        _nested(self, (condition_of(self.term),))

    def to_json(self) -> Json:
        return {"filter": self.kind, "term": self.term.to_json()}


def filter_from_json(form: Any, features: int = 0) -> Filter:
    """The condition whose canonical form this is, in so many features; raises :class:`QueryError` for anything else."""
    return _read(form, 1, features)


def _read(form: Any, depth: int, features: int) -> Filter:
    if not isinstance(form, Mapping):
        raise QueryError(f"a condition must be a mapping with 'filter', not {shown(form)}")
    if depth > MAX_DEPTH:
        raise QueryError(f"a condition may be nested at most {MAX_DEPTH} deep; simplify it, such as with isin")
    kind = form.get("filter")
    build = READERS.get(kind) if isinstance(kind, str) else None
    if build is None:
        raise QueryError(f"a condition is {', '.join(READERS)}; there is no {shown(kind)}")
    try:
        found = build(form, depth + 1, features)
    except (LookupError, TypeError, ValueError):
        raise QueryError(f"the condition {kind!r} lacks a part or has a wrong one") from None
    known = found.to_json()
    for part in form:
        if part not in known:  # a part that is not read would be a part of the question that nobody answers
            raise QueryError(f"the condition {kind!r} has no part {shown(part)}{did_you_mean(part, known)}")
    return found


READERS: dict[str, Callable[[Mapping[str, Any], int, int], Filter]] = {
    "compare": lambda form, _, __: Compare(form["column"], form["op"], literal_from(form["value"])),
    "isin": lambda form, _, __: IsIn(form["column"], tuple(literal_from(value) for value in _listed(form["values"]))),
    "between": lambda form, _, __: Between(form["column"], literal_from(form["low"]), literal_from(form["high"])),
    "startswith": lambda form, _, __: StartsWith(form["column"], form["prefix"]),
    "is_null": lambda form, _, __: IsNull(form["column"]),
    "and": lambda form, depth, inside: And(tuple(_read(term, depth, inside) for term in form["terms"])),
    "or": lambda form, depth, inside: Or(tuple(_read(term, depth, inside) for term in form["terms"])),
    "not": lambda form, depth, inside: Not(_read(form["term"], depth, inside)),
}
"""By kind: of a form, how deep it is nested, and in how many features.

Conditions on the rows of events add their own (see :mod:`pets.query_model.feature_form`).
"""
