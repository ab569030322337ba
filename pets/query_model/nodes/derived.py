"""Derived columns: frozen nodes for what a question computes of a row's own values, before anything is counted.

A derived column is a public function of other columns of the same row. Its bounds follow from theirs
(:mod:`pets.plan.computed.intervals`), so it costs nothing; a row that lacks one of the values lacks the derived one. It
has a name, which no column of the table has: a bound never changes under a name.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, NoReturn

from pets.common.arguments import plain_fields
from pets.common.codec import Json, number, whole
from pets.common.literals import day, literal_from, literal_json, text
from pets.common.literals import name as name_of
from pets.errors import QueryError, shown
from pets.query_model.node import Node
from pets.query_model.nodes.operands import divided, exact, operand

MAX_TERMS = 64
"""Columns that one derived column is made of."""

MAX_PAIRS = 100_000
"""Values that one map takes."""

NAMED = (
    "give what is computed a name first, as .with_columns(total=…) does, and use col('total'), such as "
    "where(col('total') == 2)"
)


@dataclass(frozen=True)
class Derived(Node):
    """What one derived column is."""

    kind: ClassVar[str] = ""
    instead: ClassVar[str] = NAMED

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it is made of."""
        raise NotImplementedError

    def to_json(self) -> Json:
        """The canonical form."""
        raise NotImplementedError

    def compared(self, other: object) -> NoReturn:
        self.refused()

    __bool__ = bins = isin = between = is_null = startswith = age_at = map = prefix = within = Node.refused
    period = year = quarter = month = weekday = hour = week = mmwr_week = day = Node.refused


def _column(name: object) -> str:
    return name_of("a column that is computed with", name)


class Summand:
    """What may stand in a sum beside numbers: a column."""

    def linear(self) -> Linear:
        """The sum of it alone."""
        raise NotImplementedError


@plain_fields(QueryError)
@dataclass(frozen=True)
class Linear(Derived):
    """Columns times constants, added up, and a constant; days between dates are counted as whole numbers.

    >>> Linear((("b", Fraction(-1)), ("a", Fraction(1)))).to_json()["terms"]
    [{'column': 'a', 'times': 1}, {'column': 'b', 'times': -1}]
    """

    terms: tuple[tuple[str, Fraction], ...]
    constant: Fraction = Fraction(0)
    kind: ClassVar[str] = "linear"

    def __post_init__(self) -> None:
        added: dict[str, Fraction] = {}
        for name, times in self.terms:
            added[_column(name)] = added.get(name, Fraction(0)) + exact(times)
        gone = next((name for name, times in self.terms if not (added[name] and exact(times))), None)
        if gone is not None:  # a row that lacks a term lacks the sum, also where the term is 0 in all others
            raise QueryError(
                f"{gone!r} is in the sum 0 times, and a row without it would lack the sum for nothing; leave {gone!r} "
                f"out, or choose the rows that have it with where(~col({gone!r}).is_null()), in SQL IS NOT NULL"
            )
        if not 1 <= len(added) <= MAX_TERMS:
            raise QueryError(f"a sum is of 1 to {MAX_TERMS} columns, each times a number that is not 0")
        object.__setattr__(self, "terms", tuple(sorted(added.items())))
        object.__setattr__(self, "constant", exact(self.constant))

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.terms)

    def to_json(self) -> Json:
        terms = [{"column": name, "times": number(times)} for name, times in self.terms]
        out: Json = {"derive": self.kind, "terms": terms}
        return out | {"constant": number(self.constant)} if self.constant else out

    def plus(self, other: object, sign: int = 1) -> Linear:
        """The sum with another, or with a number."""
        other = other.linear() if isinstance(other, Summand) else other
        if isinstance(other, Linear):
            moved = tuple((name, sign * times) for name, times in other.terms)
            return Linear(self.terms + moved, self.constant + sign * other.constant)
        if isinstance(other, Derived):
            raise QueryError(NAMED)
        return Linear(self.terms, self.constant + sign * operand(other))

    def times(self, factor: object) -> Linear:
        """The product with a number."""
        if isinstance(factor, (Derived, Summand)):
            raise QueryError(
                "columns are multiplied with constants alone, for a product of two has no even steps; compute it in "
                "the data and declare it in the schema"
            )
        by = operand(factor)
        return Linear(tuple((name, by * times) for name, times in self.terms), by * self.constant)

    def __add__(self, other: object) -> Linear:
        return self.plus(other)

    __radd__ = __add__

    def __sub__(self, other: object) -> Linear:
        return self.plus(other, -1)

    def __rsub__(self, other: object) -> Linear:
        return self.times(-1).plus(other)

    def __mul__(self, other: object) -> Linear:
        return self.times(other)

    __rmul__ = __mul__

    def __truediv__(self, other: object) -> NoReturn:
        if isinstance(other, (Derived, Summand)):
            self.refused()
        divided("(…)", other)

    def __neg__(self) -> Linear:
        return self.times(-1)


@dataclass(frozen=True)
class Extreme(Derived):
    """What the least and the greatest of several columns share.

    Attributes:
        of: the columns: numbers, or dates.
        constant: a number beside them.
    """

    of: tuple[str, ...]
    constant: Fraction | None = None

    def __post_init__(self) -> None:
        names = tuple(sorted({_column(name) for name in self.of}))
        if not 1 <= len(names) <= MAX_TERMS or (len(names) == 1 and self.constant is None):
            raise QueryError(f"{self.kind} is of 2 to {MAX_TERMS} columns, or of a column and a number")
        object.__setattr__(self, "of", names)
        if self.constant is not None:
            object.__setattr__(self, "constant", exact(self.constant))

    @property
    def columns(self) -> tuple[str, ...]:
        return self.of

    def to_json(self) -> Json:
        out: Json = {"derive": self.kind, "of": [{"column": name} for name in self.of]}
        return out if self.constant is None else out | {"constant": number(self.constant)}


@plain_fields(QueryError)
@dataclass(frozen=True)
class Least(Extreme):
    """The least of several values of a row."""

    kind: ClassVar[str] = "min_of"


@plain_fields(QueryError)
@dataclass(frozen=True)
class Greatest(Extreme):
    """The greatest of several values of a row."""

    kind: ClassVar[str] = "max_of"


@plain_fields(QueryError)
@dataclass(frozen=True)
class Age(Derived):
    """Whole years from a date to another one (a column's name) or to one day (a date), by the calendar.

    A birthday on 29 February is kept on 1 March in years that have none. Before birth it is negative.
    """

    birth: str
    at: str | dt.date
    kind: ClassVar[str] = "age"

    def __post_init__(self) -> None:
        _column(self.birth)
        if not isinstance(self.at, str):
            try:
                object.__setattr__(self, "at", day(self.at))
            except ValueError:
                raise QueryError(
                    "age_at takes a column, a day or a feature, such as age_at(col('admitted')), "
                    f"age_at('2022-01-01') or age_at(first), not {shown(self.at)}"
                ) from None
        elif _column(self.at) == self.birth:
            raise QueryError(f"nobody ages between {self.at!r} and itself; write age_at(col('admitted')) or a day")

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.birth, self.at) if isinstance(self.at, str) else (self.birth,)

    def to_json(self) -> Json:
        at = {"column": self.at} if isinstance(self.at, str) else literal_json(self.at)
        return {"derive": self.kind, "column": self.birth, "at": at}


@plain_fields(QueryError)
@dataclass(frozen=True)
class Floor(Derived):
    """How many whole times a number goes into a column, rounded down (also below 0)."""

    column: str
    by: Fraction
    kind: ClassVar[str] = "floor"

    def __post_init__(self) -> None:
        _column(self.column)
        object.__setattr__(self, "by", exact(self.by))
        if self.by <= 0:
            raise QueryError(f"// takes a number greater than 0, such as col('days') // 365, not {shown(self.by)}")

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def to_json(self) -> Json:
        return {"derive": self.kind, "column": self.column, "by": number(self.by)}


@plain_fields(QueryError)
@dataclass(frozen=True)
class Mapped(Derived):
    """What each value of a category belongs to: a category of the names that are mapped to.

    Attributes:
        pairs: (value, name); names come in the order in which they are first mapped to.
        otherwise: the name of the values that are not listed; ``None``: they have none.
    """

    column: str
    pairs: tuple[tuple[str, str], ...]
    otherwise: str | None = None
    kind: ClassVar[str] = "map"

    def __post_init__(self) -> None:
        _column(self.column)
        pairs: Any = tuple(self.pairs.items()) if isinstance(self.pairs, Mapping) else self.pairs
        right = isinstance(pairs, (list, tuple)) and all(
            isinstance(pair, (list, tuple)) and len(pair) == 2 and all(isinstance(one, str) for one in pair)
            for pair in pairs
        )
        if not right or not 1 <= len(pairs) <= MAX_PAIRS or len({pair[0] for pair in pairs}) != len(pairs):
            raise QueryError(
                f"map takes what each value belongs to, each value once, such as map({{'I21': 'heart'}}), not "
                f"{shown(self.pairs)}"
            )
        object.__setattr__(self, "pairs", tuple((text(value), text(name)) for value, name in pairs))
        if self.otherwise is not None:
            if not isinstance(self.otherwise, str):
                raise QueryError(f"otherwise is the name of all other values, a text, not {shown(self.otherwise)}")
            object.__setattr__(self, "otherwise", text(self.otherwise))

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def to_json(self) -> Json:
        out: Json = {"derive": self.kind, "column": self.column, "pairs": [list(pair) for pair in self.pairs]}
        return out if self.otherwise is None else out | {"otherwise": self.otherwise}


@plain_fields(QueryError)
@dataclass(frozen=True)
class Prefix(Derived):
    """The first characters of a category's values: a category of them, in the order of the values."""

    column: str
    length: int
    kind: ClassVar[str] = "prefix"

    def __post_init__(self) -> None:
        _column(self.column)
        try:
            object.__setattr__(self, "length", whole(self.length))
        except ValueError:
            object.__setattr__(self, "length", 0)
        if not 1 <= self.length <= 1000:
            raise QueryError("prefix takes how many characters, from 1 to 1000, such as prefix(3)")

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def to_json(self) -> Json:
        return {"derive": self.kind, "column": self.column, "length": self.length}


_READERS: dict[str, Callable[[Mapping[str, Any]], Derived]] = {
    Linear.kind: lambda form: Linear(
        tuple((term["column"], term["times"]) for term in form["terms"]), form.get("constant", Fraction(0))
    ),
    Least.kind: lambda form: Least(tuple(one["column"] for one in form["of"]), form.get("constant")),
    Greatest.kind: lambda form: Greatest(tuple(one["column"] for one in form["of"]), form.get("constant")),
    Age.kind: lambda form: Age(form["column"], _at(form["at"])),
    Floor.kind: lambda form: Floor(form["column"], form["by"]),
    Mapped.kind: lambda form: Mapped(form["column"], form["pairs"], form.get("otherwise")),
    Prefix.kind: lambda form: Prefix(form["column"], form["length"]),
}


def _at(form: Mapping[str, Any]) -> Any:
    return form["column"] if "column" in form else literal_from(form)


def derived_from_json(form: Any) -> Derived:
    """The derived column whose canonical form this is; raises :class:`QueryError` for anything else."""
    kind = form.get("derive") if isinstance(form, Mapping) else None
    build = _READERS.get(kind) if isinstance(kind, str) else None
    if build is None:
        raise QueryError(f"a derived column has 'derive' one of {', '.join(_READERS)}, not {shown(form)}")
    try:
        return build(form)
    except (LookupError, TypeError, ValueError):
        raise QueryError(f"the derived column {kind!r} lacks a part or has a wrong one") from None
