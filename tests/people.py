"""What a question about people means, in slow plain Python: one person after another, over decoded values.

Like ``tests/oracle.py``, on which it rests, it shares no code with the compiler and imports neither planner nor rows.
"""

from __future__ import annotations

import copy
import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from pets.query_model.features import AgeAt, Case, Computed, Days, Feature, Filled, Reading
from pets.query_model.query import Query
from pets.schema.schema import Boolean, Category, Date, Domain, Identifier, Integer, Real, Schema, Unit
from tests import derived, oracle
from tests.oracle import Answer, Kept, Value

Rows = Mapping[str, Sequence[Kept]]
"""Rows of one person, by table."""


def person_table(schema: Schema, query: Query) -> str | None:
    """The table whose columns people have."""
    assert query.people is not None
    owners = {table.person_table for table in schema.tables.values()}
    read = query.people.tables
    for name in read:
        found = schema.tables[name].person_table or (name if name in owners else None)
        if found is not None:
            return found
    of = query.people.of
    return of if of is not None and schema.tables[of].unit.max_rows == 1 else None


def declared(domain: Domain, *, nullable: bool) -> Domain:
    """The domain with or without missing values."""
    twin = copy.copy(domain)
    object.__setattr__(twin, "nullable", nullable)
    return twin


def fields(schema: Schema, query: Query) -> dict[str, Domain]:
    """The columns of people: those of the person table, and the features."""
    assert query.people is not None
    owner = person_table(schema, query)
    of = population(schema, query)
    out: dict[str, Domain] = {}
    for name, domain in ({} if owner is None else schema.tables[owner].columns).items():
        if not isinstance(domain, Identifier):
            out[name] = declared(domain, nullable=domain.nullable or of != owner)
    for name, feature in query.people.features:
        out[name] = domain_of(feature, schema, out)
    return out


def population(schema: Schema, query: Query) -> str | None:
    """The table of the people, where one is named or no condition says who they are."""
    assert query.people is not None
    if query.people.of is None and query.condition is None:
        return person_table(schema, query)
    return query.people.of


def step_of(domain: Any) -> tuple[Fraction, Fraction]:
    """The least value of a column of numbers and its step."""
    return Fraction(domain.lo), Fraction(domain.step) if isinstance(domain, Real) else Fraction(1)


def grid(domain: Any) -> Fraction:
    """The widest step of which every sum of the column's values is a multiple."""
    low, step = step_of(domain)
    below = math.lcm(low.denominator, step.denominator)
    return Fraction(1) if below == 1 else Fraction(math.gcd(int(low * below), int(step * below)), below)


def clip_of(feature: Reading, domain: Any) -> tuple[Fraction, Fraction]:
    """The bounds of a total, on its grid."""
    assert feature.clip is not None
    step = grid(domain)
    return math.floor(feature.clip[0] / step) * step, math.ceil(feature.clip[1] / step) * step


def parts(of: Sequence[Any]) -> dict[str, Any]:
    """What is computed with, under the names of a computed feature."""
    return {str(place): one for place, one in enumerate(of, start=1)}


def domain_of(feature: Feature, schema: Schema, attributes: Mapping[str, Domain]) -> Domain:
    """Which values a feature may have, after columns of the person table and features that are named before it."""
    if isinstance(feature, Computed):
        several = parts([domain_of(one, schema, attributes) for one in feature.of])
        return derived.DERIVED[type(feature.made)].domain(feature.made, several)
    if isinstance(feature, Case):
        names = [name for _, name in feature.arms] + ([feature.default] if feature.default is not None else [])
        return Category(sorted(set(names), key=names.index), nullable=feature.default is None)
    if isinstance(feature, Filled):
        return declared(domain_of(feature.of, schema, attributes), nullable=False)
    if isinstance(feature, Days):
        return Integer(feature.low, feature.high)
    if isinstance(feature, AgeAt):
        born, at = attributes[feature.column], domain_of(feature.at, schema, attributes)
        assert isinstance(born, Date) and isinstance(at, Date)
        return Integer(0, age(born.lo, at.hi))
    assert isinstance(feature, Reading)
    if feature.how == "exists":
        return Boolean(nullable=False)
    if feature.most is not None:
        return Integer(0, feature.most, nullable=False)
    own = schema.fields(feature.rows.table)[feature.column or ""]
    if feature.how == "sum":
        low, high = clip_of(feature, own)
        return Integer(low, high) if grid(own) == 1 else Real(low, high, grid(own))
    return declared(own, nullable=True)


def age(born: dt.date, at: dt.date) -> int:
    """Birthdays since birth: one a year, on 1 March in years that lack 29 February."""
    count = 0
    for year in range(born.year + 1, at.year + 1):
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        day = (3, 1) if (born.month, born.day) == (2, 29) and not leap else (born.month, born.day)
        count += dt.date(year, *day) <= at
    return count


def value(
    feature: Feature, mine: Rows, attributes: Mapping[str, Value], schema: Schema, columns: Mapping[str, Domain]
) -> Value:
    """A feature of one person, whose columns and earlier features are ``attributes``, of the domains ``columns``."""

    def inner(one: Feature) -> Any:
        return value(one, mine, attributes, schema, columns)

    if isinstance(feature, Computed):
        own = parts([domain_of(one, schema, columns) for one in feature.of])
        return derived.computed([("it", feature.made)], parts([inner(one) for one in feature.of]), own)["it"]  # type: ignore[no-any-return]
    if isinstance(feature, Case):
        met = [name for condition, name in feature.arms if oracle.holds(condition, attributes)]
        return met[0] if met else feature.default
    if isinstance(feature, Filled):
        found = inner(feature.of)
        if found is not None:
            return found
        return filling(domain_of(feature.of, schema, columns), feature.value)
    if isinstance(feature, Days):
        later, earlier = inner(feature.later), inner(feature.earlier)
        if later is None or earlier is None:
            return None
        days = (later - earlier).days
        return Fraction(days) if feature.low <= days <= feature.high else None
    if isinstance(feature, AgeAt):
        born, at = attributes[feature.column], inner(feature.at)
        if born is None or at is None or at < born:
            return None
        assert isinstance(born, dt.date)
        return Fraction(age(born, at))
    assert isinstance(feature, Reading)
    known = {one.key.decode(): inner(one) for one in feature.inputs}
    rows = sorted(mine.get(feature.rows.table, ()), key=lambda row: row.rank)
    rows = [row for row in rows if feature.rows.most is None or row.rank <= feature.rows.most]
    where = feature.rows.condition
    read = [dict(row.values) for row in rows if where is None or oracle.holds(where, dict(row.values) | known)]
    return of_rows(feature, read, schema)


def filling(domain: Domain, constant: Any) -> Value:
    """A constant in the type of the values that it stands beside."""
    if isinstance(domain, (Integer, Real)):
        return oracle.constant(Fraction(0), constant)  # type: ignore[no-any-return]
    if isinstance(domain, Date):
        return oracle.constant(domain.lo, constant)  # type: ignore[no-any-return]
    return oracle.constant("" if not isinstance(constant, bool) else constant, constant)  # type: ignore[no-any-return]


def of_rows(feature: Reading, rows: list[dict[str, Value]], schema: Schema) -> Value:
    """What is read of the rows of one person, which come in the order of rank."""
    how = feature.how
    if how == "exists":
        return bool(rows)
    if how == "count":
        return Fraction(min(len(rows), feature.most or 0))
    column = feature.column or ""
    found: list[Any] = [row[column] for row in rows if row[column] is not None]
    if how in ("first", "last"):
        dated: list[Any] = [row for row in rows if row[feature.by or ""] is not None]
        dated.sort(key=lambda row: row[feature.by or ""])  # which leaves rows of one day in the order of rank
        if how == "last":
            days = sorted({row[feature.by or ""] for row in dated}, reverse=True)
            dated = [row for day in days for row in dated if row[feature.by or ""] == day]
        place = feature.nth or 1
        return dated[place - 1][column] if place <= len(dated) else None  # type: ignore[no-any-return]
    if how == "episodes":
        return Fraction(min(episodes(found, feature.gap or 0), feature.most or 0))
    if how in ("count_distinct", "days_with"):
        kinds = {(x.year, x.month, x.day) if how == "days_with" else x for x in found}
        return Fraction(min(len(kinds), feature.most or 0))
    if not found:
        return None
    if how in ("min", "max"):
        return (min if how == "min" else max)(found)  # type: ignore[no-any-return]
    domain = schema.fields(feature.rows.table)[column]
    total = sum(found, Fraction(0))
    if how == "mean":
        low, step = step_of(domain)
        return low + math.floor((total / len(found) - low) / step + Fraction(1, 2)) * step
    low, high = clip_of(feature, domain)
    return min(max(total, low), high)


def episodes(times: Sequence[dt.date], gap: int) -> int:
    """Days that no other one precedes by at most the gap."""
    days = {dt.date(time.year, time.month, time.day) for time in times}
    return sum(not any(0 < (day - other).days <= gap for other in days) for day in days)


@dataclass(frozen=True)
class Person:
    """One person: a number, and their rows."""

    number: int
    rows: Rows


def everybody(kept: Mapping[str, Sequence[Kept]]) -> list[Person]:
    """The people of linked tables."""
    out: dict[int, dict[str, list[Kept]]] = {}
    for table, rows in kept.items():
        for row in rows:
            out.setdefault(row.person, {}).setdefault(table, []).append(row)
    return [Person(number, rows) for number, rows in out.items()]


def as_rows(schema: Schema, query: Query, kept: Mapping[str, Sequence[Kept]]) -> list[Kept]:
    """The table of people: one row each."""
    assert query.people is not None
    owner, of = person_table(schema, query), population(schema, query)
    columns = () if owner is None else schema.tables[owner].columns.items()
    nothing: dict[str, Value] = {name: None for name, domain in columns if not isinstance(domain, Identifier)}
    domains = fields(schema, query)
    out = []
    for person in everybody(kept):
        if of is not None and of not in person.rows:
            continue
        profile = person.rows.get(owner or "", ())
        known = dict(profile[0].values) if profile else dict(nothing)
        for name, feature in query.people.features:
            known[name] = value(feature, person.rows, known, schema, domains)
        out.append(Kept(person.number, 1, known))
    return out


def answer(schema: Schema, query: Query, kept: Mapping[str, Sequence[Kept]]) -> Answer:
    """The answer to a question about people on the rows that snapshots kept."""
    return oracle.answered(query, fields(schema, query), Unit("id", 1), as_rows(schema, query, kept))
