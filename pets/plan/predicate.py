"""Row conditions on codes: a :class:`~pets.query_model.expression.Filter` resolved against public domains.

Negation is pushed down to the columns, where it means "has a value, and another one"; so a null satisfies only
``is_null``, and every engine evaluates the same two-valued comparisons of small integers.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from pets.common.codec import Json
from pets.common.literals import Literal_
from pets.errors import InternalError, QueryError, did_you_mean, shown
from pets.query_model.codelists.codelist import InCodelist
from pets.query_model.expression import And, Between, Compare, Filter, IsIn, IsNull, Not, Or, StartsWith
from pets.query_model.features import Versus, Within
from pets.schema.clock.time_of_day import Time
from pets.schema.dates import Calendar
from pets.schema.domain import Boolean, Category, Domain, Identifier
from pets.schema.numeric import Numeric
from pets.schema.text_column import Text

Range = tuple[int, int]


@dataclass(frozen=True)
class Codes:
    """The column's code lies in one of the ranges (both ends included; increasing and apart)."""

    column: str
    ranges: tuple[Range, ...]


@dataclass(frozen=True)
class Texts:
    """The column's text is one of the listed (``among``), or none of them; the empty text stands for no value.

    Attributes:
        values: increasing and apart.
    """

    column: str
    values: tuple[str, ...]
    among: bool = True


@dataclass(frozen=True)
class AllOf:
    """Every term holds (no term: always)."""

    terms: tuple[Predicate, ...]


@dataclass(frozen=True)
class AnyOf:
    """At least one term holds (no term: never)."""

    terms: tuple[Predicate, ...]


Predicate = Codes | Texts | AllOf | AnyOf
NEVER = AnyOf(())
NO_TEXT = ("",)
"""What a text column holds where there is no value."""


def predicate_json(predicate: Predicate) -> Json:
    """The canonical form."""
    if isinstance(predicate, Codes):
        return {"column": predicate.column, "codes": [list(pair) for pair in predicate.ranges]}
    if isinstance(predicate, Texts):
        return {"column": predicate.column, "texts": list(predicate.values), "among": predicate.among}
    return {"all" if isinstance(predicate, AllOf) else "any": [predicate_json(term) for term in predicate.terms]}


def overlap(first: Sequence[Range], second: Sequence[Range]) -> tuple[Range, ...]:
    """The codes in both; each is increasing and apart."""
    out: list[Range] = []
    i = j = 0
    while i < len(first) and j < len(second):
        low, high = max(first[i][0], second[j][0]), min(first[i][1], second[j][1])
        if low <= high:
            out.append((low, high))
        if first[i][1] < second[j][1]:
            i += 1
        else:
            j += 1
    return tuple(out)


def union(several: Iterable[Sequence[Range]]) -> tuple[Range, ...]:
    """The codes in any of them."""
    out: list[Range] = []
    for low, high in sorted(one for ranges in several for one in ranges):
        if out and low <= out[-1][1] + 1:
            out[-1] = (out[-1][0], max(out[-1][1], high))
        else:
            out.append((low, high))
    return tuple(out)


def field(name: str, fields: Mapping[str, Domain], table: str) -> Domain:
    """The domain of a column that a query may use; raises :class:`QueryError` naming the closest column."""
    if name not in fields:
        known = [known for known, domain in fields.items() if not isinstance(domain, Identifier)]
        raise QueryError(f"column {name!r} is not in table {table!r}{did_you_mean(name, known)}")
    if isinstance(fields[name], Identifier):
        raise QueryError(
            f"column {name!r} is an identifier; identifiers may not appear in a query: name another column, or count "
            "people with pets.count_units() (of pets.people(…) with pets.count())"
        )
    return fields[name]


def met(predicate: Predicate, codes: Mapping[str, int]) -> bool:
    """Whether one row's codes meet a condition; a condition on texts is on no codes."""
    if isinstance(predicate, Codes):
        return any(low <= codes[predicate.column] <= high for low, high in predicate.ranges)
    if isinstance(predicate, Texts):
        raise InternalError("texts have no codes, so no column of people holds them")
    return (all if isinstance(predicate, AllOf) else any)(met(term, codes) for term in predicate.terms)


def columns_in(predicate: Predicate | None) -> frozenset[str]:
    """The columns that a condition looks at."""
    if predicate is None:
        return frozenset()
    if isinstance(predicate, (Codes, Texts)):
        return frozenset((predicate.column,))
    return frozenset().union(*(columns_in(term) for term in predicate.terms))


def both(first: Predicate | None, second: Predicate | None) -> Predicate | None:
    """Both conditions (``None``: no condition)."""
    if first is None or second is None:
        return second if first is None else first
    return AllOf((first, second))


def known(column: str, domain: Domain) -> Predicate | None:
    """The column has a value; ``None`` (no condition) where the schema declares that it always has."""
    if isinstance(domain, Text):
        return Texts(column, NO_TEXT, among=False) if domain.nullable else None
    return Codes(column, ((0, domain.cells - 1),)) if domain.nullable else None


Other = Callable[[Filter], tuple[str, tuple[Range, ...], int]]
"""Of a condition on more than a column: a column made for it, the codes that meet it, and how many codes there are."""


def resolve(condition: Filter, fields: Mapping[str, Domain], table: str, other: Other | None = None) -> Predicate:
    """The condition on codes; raises :class:`QueryError` for an unknown column or a value of the wrong type."""
    return _resolve(condition, fields, table, other, positive=True)


def _resolve(
    condition: Filter, fields: Mapping[str, Domain], table: str, other: Other | None, *, positive: bool
) -> Predicate:
    if isinstance(condition, Not):
        return _resolve(condition.term, fields, table, other, positive=not positive)
    if isinstance(condition, (And, Or)):
        terms = tuple(_resolve(term, fields, table, other, positive=positive) for term in condition.terms)
        return AllOf(terms) if isinstance(condition, And) is positive else AnyOf(terms)
    if isinstance(condition, IsNull):
        domain = field(condition.column, fields, table)
        if isinstance(domain, Text):
            return Texts(condition.column, NO_TEXT, positive)
        null = ((domain.cells, domain.cells),) if domain.nullable else ()
        value = ((0, domain.cells - 1),)
        return Codes(condition.column, null if positive else value)
    if isinstance(condition, (Compare, IsIn, Between, StartsWith, InCodelist)):
        domain = field(condition.column, fields, table)
        try:
            if isinstance(condition, InCodelist):
                condition = condition.known(domain)
            if isinstance(domain, Text) and not isinstance(condition, StartsWith):
                return _texts(condition, domain, positive)
            ranges = _ranges(condition, domain)
        except QueryError as error:
            raise QueryError(f"column {condition.column!r} of table {table!r}: {error}") from None
        return Codes(condition.column, ranges if positive else _complement(ranges, domain.cells))
    if isinstance(condition, (Versus, Within)):
        if other is None:
            raise QueryError(
                f"column {condition.column!r} is compared with a feature, which only rows of events are: "
                "pets.events('stays').where(…) is the place of such a condition"
            )
        column, ranges, cells = other(condition)
        return Codes(column, ranges if positive else _complement(ranges, cells))
    raise QueryError(f"{shown(condition)} is not a condition; build one from col(...)")


def _texts(condition: Compare | IsIn | Between, domain: Text, positive: bool) -> Predicate:
    if isinstance(condition, Between) or (isinstance(condition, Compare) and condition.op not in ("==", "!=")):
        raise QueryError(
            f"it holds {domain.describe()}, whose order says nothing; use ==, != or isin, or list its values in the "
            "schema as a category"
        )
    listed = condition.values if isinstance(condition, IsIn) else (condition.value,)
    among = positive is not (isinstance(condition, Compare) and condition.op == "!=")
    values = {domain.spelt(value) for value in listed}
    return Texts(condition.column, tuple(sorted(values if among else values | {*NO_TEXT})), among)


def _complement(ranges: tuple[Range, ...], cells: int) -> tuple[Range, ...]:
    out: list[Range] = []
    start = 0
    for low, high in ranges:
        if low > start:
            out.append((start, low - 1))
        start = high + 1
    if start < cells:
        out.append((start, cells - 1))
    return tuple(out)


def _ranges(condition: Compare | IsIn | Between | StartsWith, domain: Domain) -> tuple[Range, ...]:
    if isinstance(condition, StartsWith):
        return _begins(condition.prefix, domain)
    if isinstance(condition, IsIn):
        return _merge([code for value in condition.values for code in _equal(domain, value)])
    if isinstance(condition, Between):
        low, high = _bounds(domain, condition.low), _bounds(domain, condition.high)
        return _clip(math.ceil(low), math.floor(high), domain.cells)
    if condition.op in ("==", "!="):
        ranges = _merge(list(_equal(domain, condition.value)))
        return ranges if condition.op == "==" else _complement(ranges, domain.cells)
    place = _bounds(domain, condition.value)
    if condition.op in ("<", "<="):
        top = math.ceil(place) - 1 if condition.op == "<" else math.floor(place)
        return _clip(0, top, domain.cells)
    bottom = math.floor(place) + 1 if condition.op == ">" else math.ceil(place)
    return _clip(bottom, domain.cells - 1, domain.cells)


def _begins(prefix: str, domain: Domain) -> tuple[Range, ...]:
    """The codes of the values that begin with a text: which those are is public."""
    if not isinstance(domain, Category):
        raise QueryError(f"it holds {domain.describe()}; only values of a category begin with a text")
    codes = [code for code, value in enumerate(domain.values) if value.startswith(prefix)]
    if not codes:
        raise QueryError(f"none of its values begins with {shown(prefix)}{did_you_mean(prefix, domain.values)}")
    return _merge(codes)


def _clip(low: int, high: int, cells: int) -> tuple[Range, ...]:
    low, high = max(low, 0), min(high, cells - 1)
    return ((low, high),) if low <= high else ()


def _equal(domain: Domain, value: Literal_) -> tuple[int, ...]:
    """The code equal to a constant; a number or a day outside the domain equals none."""
    if isinstance(domain, (Category, Boolean)):
        return (domain.encode(value),)
    place = _bounds(domain, value)
    return (int(place),) if place.denominator == 1 and 0 <= place < domain.cells else ()


def _bounds(domain: Domain, value: Literal_) -> Fraction:
    """Where a constant lies on the scale of codes."""
    if isinstance(domain, Numeric):
        if isinstance(value, (str, bool, dt.date)):
            raise QueryError(f"it holds {domain.describe()}, so compare it with a number, not {shown(value)}")
        return domain.position(value)
    if isinstance(domain, Calendar):
        if not isinstance(value, (str, dt.date)):
            raise QueryError(f"it holds {domain.describe()}, so compare it with a date, not {shown(value)}")
        return domain.position(value)
    if isinstance(domain, Time):
        if not isinstance(value, str):
            raise QueryError(
                f"it holds {domain.describe()}, so compare it with a time such as '08:30', not {shown(value)}"
            )
        return domain.position(value)
    raise QueryError(f"it holds {domain.describe()}, which have no order; use == , != or isin")


def _merge(codes: list[int]) -> tuple[Range, ...]:
    return union([[(code, code) for code in codes]])
