"""Each derived column three times, side by side: how the generative tests draw one, what it means, and its domain.

Like ``tests/aggregates.py``: from decoded values of one row with fractions, without a line of the compiler. A domain is
found by trying every corner of the box of values, its step by Euclid's algorithm on fractions.
"""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from pets.query_model.nodes import derived as dv
from pets.schema.schema import Category, Date, DateTime, Domain, Integer, Real

Fields = Mapping[str, Domain]
Values = Mapping[str, Any]


@dataclass(frozen=True)
class Kind:
    """What the tests know of a kind of derived column.

    Attributes:
        drawn: one for these columns; ``None`` where no column is of its type.
        means: its value for values that are all there.
        domain: the values that it may have.
    """

    drawn: Callable[[Any, Fields], dv.Derived | None]
    means: Callable[[Any, Values, Fields], Any]
    domain: Callable[[Any, Fields], Domain]


def with_derived(derived: Sequence[tuple[str, dv.Derived]], fields: Fields) -> dict[str, Domain]:
    """The columns of a table and the derived ones."""
    out = dict(fields)
    for name, node in derived:
        out[name] = DERIVED[type(node)].domain(node, out)
    return out


def computed(derived: Sequence[tuple[str, dv.Derived]], values: Values, fields: Fields) -> dict[str, Any]:
    """A row's values and its derived ones: ``None`` where a value is missing."""
    out = dict(values)
    for name, node in derived:
        parts = [out[column] for column in node.columns]
        out[name] = None if None in parts else DERIVED[type(node)].means(node, out, fields)
    return out


def days(value: Any) -> Fraction:
    """A number as it is; a time in days."""
    if isinstance(value, dt.datetime):
        return Fraction(value.toordinal()) + Fraction((value - dt.datetime.combine(value, dt.time())).seconds, 86_400)
    return Fraction(value.toordinal()) if isinstance(value, dt.date) else Fraction(value)


def ends(domain: Domain) -> tuple[Any, Any]:
    """The least and the greatest value of a column that has an order."""
    assert isinstance(domain, (Integer, Real, Date, DateTime))
    return domain.lo, domain.hi


def step(domain: Domain) -> Fraction:
    if domain.cells == 1:
        return Fraction(0)
    if isinstance(domain, DateTime):
        return Fraction(1, {"second": 86_400, "minute": 1440, "hour": 24}[domain.step])
    return Fraction(domain.step) if isinstance(domain, Real) else Fraction(1)


def common(steps: Sequence[Fraction]) -> Fraction:
    found = Fraction(0)
    for one in map(abs, steps):
        while one:
            found, one = one, found % one
    return found or Fraction(1)


def spread(values: Sequence[Fraction], steps: Sequence[Fraction], *, dates: bool, nullable: bool) -> Domain:
    """The domain whose ends are among the values, and whose steps are common to all."""
    low, high, width = min(values), max(values), common(steps)
    if dates:
        return Date(dt.date.fromordinal(int(low)), dt.date.fromordinal(int(high)), nullable=nullable)
    if low.denominator == width.denominator == 1:
        return Integer(int(low), int(high), nullable=nullable)
    return Real(low, high, width, nullable=nullable)


def box(names: Sequence[str], fields: Fields) -> list[dict[str, Any]]:
    """Every corner of the values of some columns."""
    return [dict(zip(names, corner, strict=True)) for corner in itertools.product(*(ends(fields[n]) for n in names))]


def timed(names: Sequence[str], fields: Fields) -> list[bool]:
    return [isinstance(fields[name], (Date, DateTime)) for name in names]


def pick(draw: Any, fields: Fields, *kinds: type[Domain]) -> str | None:
    found = sorted(name for name, domain in fields.items() if isinstance(domain, kinds))
    return draw(st.sampled_from(found)) if found else None


# ── sums ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

TIMES = [Fraction(n) for n in ("1", "-1", "2", "-3", "0.5", "1/3", "-0.01")]


def a_sum(draw: Any, fields: Fields) -> dv.Derived | None:
    dates = pick(draw, fields, Date, DateTime)
    if dates is not None and draw(st.booleans()):
        other = pick(draw, fields, Date, DateTime)
        by = draw(st.sampled_from([Fraction(0), Fraction(3), Fraction(-40)]))
        if other == dates:
            return dv.Linear(((dates, Fraction(1)),), by)
        return dv.Linear(((dates, Fraction(1)), (str(other), Fraction(-1))), by)
    names = [name for name in (pick(draw, fields, Integer, Real) for _ in range(draw(st.integers(1, 3)))) if name]
    terms = {name: draw(st.sampled_from(TIMES)) for name in names}
    return dv.Linear(tuple(terms.items()), draw(st.sampled_from([Fraction(0), Fraction(7, 2)]))) if terms else None


def total(node: dv.Linear, values: Values, fields: Fields) -> Any:
    found = node.constant + sum((by * days(values[name]) for name, by in node.terms), Fraction(0))
    moved = sum(by for (_, by), time in zip(node.terms, timed(node.columns, fields), strict=True) if time)
    return dt.date.fromordinal(int(found)) if moved else found


def total_domain(node: dv.Linear, fields: Fields) -> Domain:
    found = [
        node.constant + sum(by * days(corner[name]) for name, by in node.terms) for corner in box(node.columns, fields)
    ]
    moved = sum(by for (_, by), time in zip(node.terms, timed(node.columns, fields), strict=True) if time)
    nullable = any(fields[name].nullable for name in node.columns)
    return spread(found, [by * step(fields[name]) for name, by in node.terms], dates=bool(moved), nullable=nullable)


# ── the least and the greatest ────────────────────────────────────────────────────────────────────────────────────────


def an_extreme(draw: Any, fields: Fields) -> dv.Derived | None:
    kind = draw(st.sampled_from([dv.Least, dv.Greatest]))
    dates = sorted(name for name, domain in fields.items() if type(domain) is Date)
    if len(dates) > 1 and draw(st.booleans()):
        return kind(tuple(dates[:2]))
    names = {pick(draw, fields, Integer, Real) for _ in range(draw(st.integers(1, 2)))} - {None}
    constant = draw(st.sampled_from([Fraction(0), Fraction(5), Fraction(1, 2), Fraction(-1000)]))
    if not names:
        return None
    return kind(tuple(map(str, names)), constant if len(names) == 1 or draw(st.booleans()) else None)


def best(node: dv.Extreme, values: Values, fields: Fields) -> Any:
    constants = [] if node.constant is None else [node.constant]
    found = [*(values[name] for name in node.of), *constants]
    return max(found) if isinstance(node, dv.Greatest) else min(found)


def best_domain(node: dv.Extreme, fields: Fields) -> Domain:
    found = [days(best(node, corner, fields)) for corner in box(node.of, fields)]
    lows = [days(ends(fields[name])[0]) for name in node.of] + ([] if node.constant is None else [node.constant])
    steps = [step(fields[name]) for name in node.of] + [low - min(lows) for low in lows]
    nullable = any(fields[name].nullable for name in node.of)
    return spread(found, steps, dates=any(timed(node.of, fields)), nullable=nullable)


# ── ages ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def an_age(draw: Any, fields: Fields) -> dv.Derived | None:
    birth = pick(draw, fields, Date, DateTime)
    other = pick(draw, fields, Date, DateTime)
    if birth is None:
        return None
    at = [dt.date(2020, 2, 29), dt.date(2021, 2, 28), dt.date(2021, 3, 1)]
    return dv.Age(birth, other if other not in (None, birth) and draw(st.booleans()) else draw(st.sampled_from(at)))


def birthdays(node: dv.Age, values: Values, _: Fields) -> Fraction:
    """How often the birthday came round: on 1 March where there is no 29 February."""
    born, then = values[node.birth], values[node.at] if isinstance(node.at, str) else node.at
    birthday = (born.month, born.day)
    leap = then.year % 4 == 0 and (then.year % 100 != 0 or then.year % 400 == 0)
    if birthday == (2, 29) and not leap:
        birthday = (3, 1)
    return Fraction(then.year - born.year - ((then.month, then.day) < birthday))


def age_domain(node: dv.Age, fields: Fields) -> Domain:
    found = [birthdays(node, corner, fields) for corner in box(node.columns, fields)]
    return spread(found, [], dates=False, nullable=any(fields[name].nullable for name in node.columns))


# ── quotients ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def a_quotient(draw: Any, fields: Fields) -> dv.Derived | None:
    name = pick(draw, fields, Integer, Real)
    by = draw(st.sampled_from([Fraction(1), Fraction(7), Fraction(365), Fraction(1, 4), Fraction(5, 2)]))
    return None if name is None else dv.Floor(name, by)


def quotient(node: dv.Floor, values: Values, _: Fields) -> Fraction:
    return Fraction(math.floor(values[node.column] / node.by))


def quotient_domain(node: dv.Floor, fields: Fields) -> Domain:
    found = [quotient(node, corner, fields) for corner in box(node.columns, fields)]
    return spread(found, [], dates=False, nullable=fields[node.column].nullable)


# ── categories ────────────────────────────────────────────────────────────────────────────────────────────────────────


def a_map(draw: Any, fields: Fields) -> dv.Derived | None:
    name = pick(draw, fields, Category)
    if name is None:
        return None
    domain = fields[name]
    assert isinstance(domain, Category)
    listed = draw(st.lists(st.sampled_from(list(domain.values)), min_size=1, unique=True))
    pairs = tuple((value, draw(st.sampled_from(["up", "down", "it's"]))) for value in listed)
    return dv.Mapped(name, pairs, draw(st.sampled_from([None, "rest", "up"])))


def mapped(node: dv.Mapped, values: Values, _: Fields) -> Any:
    return dict(node.pairs).get(values[node.column], node.otherwise)


def a_prefix(draw: Any, fields: Fields) -> dv.Derived | None:
    name = pick(draw, fields, Category)
    return None if name is None else dv.Prefix(name, draw(st.integers(1, 3)))


def prefix(node: dv.Prefix, values: Values, _: Fields) -> Any:
    return values[node.column][: node.length]


def named_domain(node: dv.Mapped | dv.Prefix, fields: Fields) -> Domain:
    """The names that some value has, in the order in which they are first said."""
    domain = fields[node.column]
    assert isinstance(domain, Category)
    found = [DERIVED[type(node)].means(node, {node.column: value}, fields) for value in domain.values]
    said = [name for _, name in node.pairs] + [node.otherwise] if isinstance(node, dv.Mapped) else found
    names = [name for name in dict.fromkeys(said) if name is not None and name in found]
    return Category(names, nullable=domain.nullable or None in found)


DERIVED: dict[type[dv.Derived], Kind] = {
    dv.Linear: Kind(a_sum, total, total_domain),
    dv.Least: Kind(an_extreme, best, best_domain),
    dv.Greatest: Kind(an_extreme, best, best_domain),
    dv.Age: Kind(an_age, birthdays, age_domain),
    dv.Floor: Kind(a_quotient, quotient, quotient_domain),
    dv.Mapped: Kind(a_map, mapped, named_domain),
    dv.Prefix: Kind(a_prefix, prefix, named_domain),
}
