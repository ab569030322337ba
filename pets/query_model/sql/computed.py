"""Computed columns: SQL's arithmetic of a row as the derived columns of a query.

What SQL computes otherwise than a query does (a missing value in LEAST, the rounding of a negative //, an age at
29 February) is refused, with the word of pets' own that says it.
"""

from __future__ import annotations

import datetime as dt
import importlib
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from sqlglot import exp

from pets.query_model.nodes.derived import Age, Derived, Floor, Greatest, Least, Linear, Mapped, Prefix
from pets.query_model.sql.conditions import bare, constant, number
from pets.query_model.sql.instead import instead
from pets.query_model.sql.refusal import Refusal, at, only, written
from pets.query_model.sql.scope import Scope
from pets.query_model.sql.whole import is_whole, rounds_down
from pets.schema.dates import DateTime
from pets.schema.domain import Category

_OWN: dict[str, type[Least | Greatest]] = {"MIN_OF": Least, "MAX_OF": Greatest}
_SUMS = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Neg, exp.DateDiff)


def name_of(node: exp.Expression, scope: Scope) -> str | None:
    """The name of the column that an expression computes, which the question then has; ``None`` where it computes none.

    An expression that was named before keeps that name.
    """
    if not scope.computes:
        return scope.named(node)
    found = computed(node, scope)
    if found is None:
        return None
    known = next((name for name, other in scope.derived.items() if other == found), None)
    if known is not None:
        return known
    stem = "_".join([*found.columns[:3], found.kind])[:100]
    free = (stem if number == 1 else f"{stem}_{number}" for number in range(1, 1000))
    name = next(name for name in free if scope.free(name))
    add(node, name, found, scope)
    return name


def add(node: exp.Expression, name: str, found: Derived, scope: Scope) -> None:
    """Give a computed column its name in the question, and its domain in what follows."""
    with at(node):
        # found by name: a question does not depend on how it is planned, but CASE and dates ask for a domain
        derive = importlib.import_module("pets.plan.computed.derive").derive
        own = list(scope.schema.table(scope.table).columns)
        (made,) = derive([(name, found)], scope.fields, own, scope.table)
    scope.derived[name], scope.fields[name] = found, made.domain
    if is_whole(node.this if isinstance(node, exp.Alias) else node, scope):
        scope.whole.add(name)


def computed(node: exp.Expression, scope: Scope) -> Derived | None:
    """The derived column that an expression is; ``None`` where it is a plain column or no arithmetic of a row."""
    node = bare(node)
    with at(node):
        if isinstance(node, _SUMS):
            terms, rest = _sum(node, scope)
            return Linear(tuple(terms), rest) if terms else None
        if isinstance(node, (exp.Least, exp.Greatest)):
            return _extreme(node, scope)
        if isinstance(node, exp.Anonymous):
            return _own(node, scope)
        if isinstance(node, (exp.IntDiv, exp.Floor)):
            return _quotient(node, scope)
        if isinstance(node, (exp.Left, exp.Substring)):
            return Prefix(*prefix(node, scope))
        if isinstance(node, exp.Case):
            return _mapped(node, scope)
    return None


def _sum(node: exp.Expression, scope: Scope) -> tuple[list[tuple[str, Fraction]], Fraction]:
    """A sum: columns times numbers, and a number."""
    node = bare(node)
    exact = number(node)
    if exact is not None:
        return [], exact
    if isinstance(node, exp.Column):
        return [(_untimed(node, scope.column(node), scope), Fraction(1))], Fraction(0)
    if isinstance(node, exp.Anonymous) and str(node.this).upper() == "DAYS" and len(node.expressions) == 1:
        return [(_column(node.expressions[0], scope), Fraction(1))], Fraction(0)
    if isinstance(node, exp.Interval) and str(node.args.get("unit") or "").upper() in ("DAY", "DAYS"):
        return [], _literal(node.this)
    if isinstance(node, exp.Neg):
        return _times(_sum(node.this, scope), Fraction(-1))
    if isinstance(node, (exp.Add, exp.Sub)):
        left, right = _sum(node.this, scope), _sum(node.expression, scope)
        return _plus(left, right if isinstance(node, exp.Add) else _times(right, Fraction(-1)))
    if isinstance(node, exp.Mul):
        left, right = _sum(node.this, scope), _sum(node.expression, scope)
        if left[0] and right[0]:
            raise Refusal(
                node,
                "columns are multiplied with constants alone; compute the product in the data and declare it in the "
                "schema",
            )
        return _times(left, right[1]) if left[0] else _times(right, left[1])
    if isinstance(node, exp.Div):
        below = number(node.expression)
        if below:
            return _times(_sum(node.this, scope), 1 / below)
        raise Refusal(node, "a column is divided by a number alone, which is not 0")
    if isinstance(node, exp.DateDiff):
        return _days(node, scope)
    named = name_of(node, scope)
    if named is None:
        raise Refusal(node, instead(node) or "a column or a number belongs here")
    return [(_untimed(node, named, scope), Fraction(1))], Fraction(0)


def _untimed(node: exp.Expression, name: str, scope: Scope) -> str:
    """A column of a sum, which is no date-time."""
    if isinstance(scope.fields[name], DateTime):
        raise Refusal(node, f"SQL takes times apart in its own way; write DAYS({written(node)}), its time in days")
    return name


def _plus(one: tuple[list[Any], Fraction], other: tuple[list[Any], Fraction]) -> tuple[list[Any], Fraction]:
    return one[0] + other[0], one[1] + other[1]


def _times(one: tuple[list[Any], Fraction], by: Fraction) -> tuple[list[Any], Fraction]:
    return [(name, by * times) for name, times in one[0]], by * one[1]


def _literal(node: exp.Expression) -> Fraction:
    try:
        return Fraction(str(node.this)[:40])
    except ValueError:
        raise Refusal(node, "how many days is a whole number, such as INTERVAL 30 DAY") from None


def _days(node: exp.DateDiff, scope: Scope) -> tuple[list[tuple[str, Fraction]], Fraction]:
    only(node, "this", "expression", "unit")
    unit = str(node.args.get("unit") or "").lower()
    if unit != "day":
        raise Refusal(
            node,
            "it counts how often the calendar turned, and is no age; write AGE_AT(birth, day)"
            if unit == "year"
            else "dates are a number of days apart; write DATE_DIFF('day', a, b)",
        )
    return _plus(_sum(node.this, scope), _times(_sum(node.expression, scope), Fraction(-1)))


def _names(parts: Sequence[exp.Expression], scope: Scope) -> tuple[tuple[str, ...], Fraction | None]:
    """Columns, and at most one number."""
    numbers = [found for found in map(number, parts) if found is not None]
    columns = [_column(part, scope) for part in parts if number(part) is None]
    if len(numbers) > 1:
        raise Refusal(parts[0], "beside the columns there is at most one number; keep the one that counts")
    return tuple(columns), numbers[0] if numbers else None


def _column(node: exp.Expression, scope: Scope) -> str:
    """A column by its name, or what it computes by the name that this then has."""
    node = bare(node)
    if isinstance(node, exp.Column):
        return scope.column(node)
    name = name_of(node, scope)
    if name is None:
        raise Refusal(node, instead(node) or "a column belongs here")
    return name


def _extreme(node: exp.Least | exp.Greatest, scope: Scope) -> Derived:
    kind = Least if isinstance(node, exp.Least) else Greatest
    names, beside = _names([node.this, *node.expressions], scope)
    own = "MIN_OF" if kind is Least else "MAX_OF"
    gap = next((name for name in names if scope.fields[name].nullable), None)
    if gap is not None:
        raise Refusal(
            node,
            f"SQL passes the missing values of {gap!r} by; write {own}(…), which has no value then, or CLIP(x, 0, 10) "
            "for a measure of values moved between bounds",
        )
    return kind(names, beside)


def _own(node: exp.Anonymous, scope: Scope) -> Derived | None:
    name, parts = str(node.this).upper(), node.expressions
    if name in _OWN and parts:
        return _OWN[name](*_names(parts, scope))
    if name == "DAYS" and len(parts) == 1:
        return Linear(((_column(parts[0], scope), Fraction(1)),))
    if name == "AGE_AT" and len(parts) == 2:
        other = bare(parts[1])
        when: Any = scope.column(other) if isinstance(other, exp.Column) else constant(other)
        if isinstance(when, str) and not isinstance(other, exp.Column):
            when = dt.date.fromisoformat(when) if _is_day(when) else None
        return Age(scope.column(parts[0]), when)
    if name in ("DATE_SUB", "DATESUB", "AGE"):
        raise Refusal(node, "ages are counted by the calendar, 29 February too, by AGE_AT(birth, day)")
    return None


def _is_day(text: str) -> bool:
    try:
        dt.date.fromisoformat(text.strip())
    except ValueError:
        return False
    return True


def _quotient(node: exp.IntDiv | exp.Floor, scope: Scope) -> Derived:
    only(node, "this", "expression")
    inner = bare(node.this) if isinstance(node, exp.Floor) else node
    by = number(inner.expression) if isinstance(inner, (exp.Div, exp.IntDiv)) else Fraction(1)
    if by is None or by <= 0:
        raise Refusal(node, "a column is divided by a number greater than 0, such as FLOOR(days / 365)")
    name = _column(inner.this if isinstance(inner, (exp.Div, exp.IntDiv)) else inner, scope)
    if isinstance(inner, exp.IntDiv):
        rounds_down(inner, scope.fields[name], scope)
    return Floor(name, by)


def prefix(node: exp.Expression, scope: Scope) -> tuple[str, int]:
    """The column and the number of first characters that LEFT(x, 3) or SUBSTRING(x, 1, 3) take."""
    if isinstance(node, exp.Substring):
        only(node, "this", "start", "length")
        length, start = node.args.get("length"), node.args.get("start")
        if start is None or number(start) != 1 or length is None:
            raise Refusal(node, "only the first characters are taken; write LEFT(x, 3)")
    else:
        only(node, "this", "expression")
        length = node.expression
    size = number(length)
    if size is None or size.denominator != 1:
        raise Refusal(node, "how many characters is a whole number, such as LEFT(x, 3)")
    return scope.column(bare(node.this)), int(size)


def _mapped(node: exp.Case, scope: Scope) -> Derived | None:
    """CASE over the values of a category; ``None`` where it is over something else."""
    only(node, "this", "ifs", "default")
    of = node.this
    branches = node.args["ifs"]
    columns = [of] if of is not None else list(branches[0].this.find_all(exp.Column))[:1]
    if not columns or not isinstance(bare(columns[0]), exp.Column):
        return None
    name = scope.column(bare(columns[0]))
    domain = scope.fields[name]
    if not isinstance(domain, Category):
        return None
    pairs: list[tuple[str, str]] = []
    missing = False
    for branch in branches:
        value = branch.args["true"]
        if of is None and isinstance(branch.this, exp.Is) and isinstance(value, exp.Null):
            missing = True
            continue
        pairs += [(text, _text(value)) for text in _values(branch.this, name, scope, simple=of is not None)]
    default = node.args.get("default")
    rest = None if default is None or isinstance(default, exp.Null) else _text(default)
    if rest is not None and domain.nullable and not missing:
        raise Refusal(
            node,
            f"ELSE also takes the rows without a value; begin with CASE WHEN {name} IS NULL THEN NULL WHEN {name} = …",
        )
    first: dict[str, str] = {}
    for text, group in pairs:  # the first branch that holds
        first.setdefault(text, group)
    return Mapped(name, tuple(first.items()), rest)


def _values(node: exp.Expression, name: str, scope: Scope, *, simple: bool) -> list[str]:
    """The values that a branch of CASE names."""
    node = bare(node)
    if simple:
        return [_text(node)]
    parts: list[exp.Expression] = []
    if isinstance(node, exp.EQ) and isinstance(bare(node.this), exp.Column):
        parts = [node.expression]
    elif isinstance(node, exp.In) and isinstance(bare(node.this), exp.Column) and node.expressions:
        only(node, "this", "expressions")
        parts = node.expressions
    if not parts or scope.column(bare(node.this)) != name:
        raise Refusal(node, f"CASE over a category names its values: WHEN {name} = 'a' THEN …, or IN ('a', 'b')")
    return [_text(part) for part in parts]


def _text(node: exp.Expression) -> str:
    found = constant(node)
    if not isinstance(found, str):
        raise Refusal(node, "a text in single quotes belongs here")
    return found
