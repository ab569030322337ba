"""Parts: the fields of a form as the question that they describe, which is then written down as SQL.

A form has a few rows each for measures, groups and conditions; what it has no field for is written as SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

from pets.common.codec import fraction
from pets.errors import QueryError, did_you_mean, shown
from pets.query_model import aggregate as agg
from pets.query_model.expression import Compare, Filter, IsIn, IsNull, Not
from pets.query_model.group_keys import Bins, ColumnKey, Key, Period
from pets.query_model.nodes.aggregate_base import Aggregate
from pets.query_model.query import Query, query
from pets.query_model.traits import SPELLINGS
from pets.schema.dates import Calendar
from pets.schema.domain import Boolean, Category, Domain, Identifier, truth
from pets.schema.numeric import Numeric
from pets.schema.person.periods import STEPS
from pets.schema.schema import Schema
from pets.schema.text_column import Text

ROWS = range(3)
"""How many measures, groups and conditions the form has room for."""

MEASURES = {
    "count": "Number of rows",
    "count_units": "Number of people",
    "sum": "Sum of",
    "mean": "Mean of",
    "median": "Median of",
    "std": "Standard deviation of",
}
"""By the name of an aggregate, what the form calls it. (SQL has the others too.)"""

SIGNS = {
    "==": "is",
    "!=": "is not",
    "<": "is less than",
    "<=": "is at most",
    ">": "is more than",
    ">=": "is at least",
    "in": "is one of (with commas)",
    "missing": "has no value",
    "known": "has a value",
}
"""By the name of a comparison, what the form calls it."""

PERIODS = {step: "week (CDC)" if step == "mmwr_week" else step for step in STEPS}
"""By the name of a period, what the form calls it."""


@dataclass(frozen=True)
class Column:
    """A column, as the form offers it.

    Attributes:
        kind, holds: its type, and its values in a few words.
        numbers, times: whether it holds numbers, or days or date-times.
        groups: whether its values make groups, as they are or cut at some.
        values: those of a category that has only a few.
    """

    name: str
    kind: str
    holds: str
    numbers: bool
    times: bool
    groups: bool
    values: tuple[str, ...] = ()


def columns(schema: Schema, table: str) -> list[Column]:
    """Those that a question about the table may name; never an identifier."""
    return [_column(name, one) for name, one in schema.fields(table).items() if not isinstance(one, Identifier)]


def _column(name: str, domain: Domain) -> Column:
    number, time = isinstance(domain, Numeric), isinstance(domain, Calendar)
    values = tuple(domain.values[:200]) if isinstance(domain, Category) else ()
    return Column(name, domain.kind, domain.describe(), number, time, not isinstance(domain, Text), values)


def question(schema: Schema, table: str, form: Mapping[str, str]) -> Query:
    """The question that the fields describe.

    Raises:
        QueryError, SchemaError: for what is no question yet, with the field to fill in.
    """
    known = {name: one for name, one in schema.fields(table).items() if not isinstance(one, Identifier)}
    found = query(table)
    conditions = [met for row in ROWS if (met := _condition(known, form, row)) is not None]
    if conditions:
        found = found.where(reduce(lambda a, b: a & b, conditions))
    if keys := [key for row in ROWS if (key := _key(known, form, row)) is not None]:
        found = found.group_by(*keys)
    measures: dict[str, Aggregate] = {}
    for row in ROWS:
        named = _measure(known, form, row)
        if named is not None:
            name, aggregate = named
            if name in measures:
                raise QueryError(f"two measures are called {shown(name)}; give one another name")
            measures[name] = aggregate
    if not measures:
        raise QueryError("nothing is measured yet; choose what to measure, such as the number of rows")
    return found.agg(**measures)


def _text(form: Mapping[str, str], row: int, name: str) -> str:
    return form.get(f"{name}{row}", "").strip()


def _domain(known: Mapping[str, Domain], name: str) -> Domain:
    if name not in known:
        raise QueryError(f"there is no column {shown(name)} to ask about{did_you_mean(name, known)}")
    return known[name]


def _measure(known: Mapping[str, Domain], form: Mapping[str, str], row: int) -> tuple[str, Aggregate] | None:
    kind, column, name = (_text(form, row, field) for field in ("what", "of", "name"))
    if not kind:
        return None
    if kind not in MEASURES:
        raise QueryError(f"the form has no measure {shown(kind)}{did_you_mean(kind, MEASURES)}")
    if SPELLINGS[kind].takes == "rows":
        return name or ("n" if kind == "count" else "people"), getattr(agg, kind)()
    if not column:
        raise QueryError(f"“{MEASURES[kind]}” needs a column; choose one beside it")
    domain = _domain(known, column)
    if not isinstance(domain, Numeric):
        raise QueryError(f"{shown(column)} holds no numbers ({domain.describe()}); choose a column that does")
    return name or f"{kind}_{column}", getattr(agg, kind)(column, **_clip(form, row, kind))


def _clip(form: Mapping[str, str], row: int, kind: str) -> dict[str, Any]:
    ends = [_text(form, row, end) for end in ("low", "high")]
    if not any(ends):
        return {}
    if SPELLINGS[kind].colon != "bounds":
        raise QueryError(f"“{MEASURES[kind]}” is not clipped; leave “from” and “to” empty")
    if not all(ends):
        raise QueryError("values are clipped between two ends; fill in both “from” and “to”, or neither")
    return {"clip": tuple(map(_number, ends))}


def _key(known: Mapping[str, Domain], form: Mapping[str, str], row: int) -> Key | None:
    column, cuts, period = (_text(form, row, field) for field in ("by", "cut", "period"))
    if not column:
        return None
    domain = _domain(known, column)
    if cuts:
        if not isinstance(domain, (Numeric, Calendar)):
            raise QueryError(f"{shown(column)} has no order to cut ({domain.describe()}); leave “cut at” empty")
        ends = [one.strip() for one in cuts.split(",") if one.strip()]
        return Bins(column, "", tuple(ends if isinstance(domain, Calendar) else map(_number, ends)))
    if period:
        if not isinstance(domain, Calendar):
            raise QueryError(f"{shown(column)} holds no dates ({domain.describe()}); leave the period empty")
        if period not in PERIODS:
            raise QueryError(f"there is no period {shown(period)}{did_you_mean(period, PERIODS)}")
        return Period(column, "", period)
    return ColumnKey(column)


def _condition(known: Mapping[str, Domain], form: Mapping[str, str], row: int) -> Filter | None:
    column, sign, value = (_text(form, row, field) for field in ("if", "is", "value"))
    if not column:
        return None
    domain = _domain(known, column)
    if sign in ("missing", "known"):
        return IsNull(column) if sign == "missing" else Not(IsNull(column))
    if sign not in SIGNS:
        raise QueryError(f"the form has no comparison {shown(sign)}{did_you_mean(sign, SIGNS)}")
    if not value:
        raise QueryError(f"the condition on {shown(column)} compares with nothing; fill in a value")
    if sign == "in":
        return IsIn(column, tuple(_constant(domain, one.strip()) for one in value.split(",") if one.strip()))
    return Compare(column, sign, _constant(domain, value))  # type: ignore[arg-type]  # one of them


def _constant(domain: Domain, text: str) -> Any:
    """A value as a column's type has it."""
    if isinstance(domain, Numeric):
        return _number(text)
    if isinstance(domain, Boolean):
        said = truth(text)
        if said not in ("true", "false"):
            raise QueryError(f"{shown(text)} is neither yes nor no; write one of them")
        return said == "true"
    return text


def _number(text: str) -> Any:
    try:
        return fraction(text)
    except ValueError:
        raise QueryError(f"{shown(text)} is no number; write one such as 30 or 2.5") from None
