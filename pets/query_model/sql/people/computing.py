"""Computing: what SQL computes of one person, as features: sub-queries, COALESCE, days between dates, ages."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from sqlglot import exp

from pets.query_model.expression import Compare, Filter, Operator
from pets.query_model.features import AgeAt, Case, Days, Feature, Filled
from pets.query_model.sql.conditions import SIGNS, bare, condition, constant, number
from pets.query_model.sql.refusal import Refusal, at, only
from pets.schema.dates import Date

_BOUNDS = "write DAYS_BETWEEN(earlier, later, 0, 365): the days from one date to another, none outside the bounds"
_DAY = ("DAY", "DAYS")


@dataclass
class Sum:
    """Columns and features with signs, and a number of days; ``calendar``: it counts calendar days of times, too."""

    columns: list[tuple[int, str]] = field(default_factory=list)
    features: list[tuple[int, Feature]] = field(default_factory=list)
    days: Fraction = Fraction(0)
    calendar: bool = False

    def plus(self, other: Sum, sign: int = 1) -> Sum:
        """Both, the other one with a sign."""
        columns = [*self.columns, *((sign * one, name) for one, name in other.columns)]
        features = [*self.features, *((sign * one, made) for one, made in other.features)]
        return Sum(columns, features, self.days + sign * other.days, self.calendar or other.calendar)


def sum_of(node: exp.Expression, scope: Any) -> Sum | None:
    """A sum or a difference of dates and days; ``None`` where it is something else."""
    node = bare(node)
    exact = number(node)
    if exact is not None:
        return Sum(days=exact)
    if isinstance(node, exp.Interval) and str(node.args.get("unit") or "").upper() in _DAY:
        text = str(node.this.name)
        if not (text.isascii() and text.removeprefix("-").isdigit()) or len(text) > 9:
            raise Refusal(node, "how many days is a whole number, such as INTERVAL 30 DAY")
        return Sum(days=Fraction(text))
    if isinstance(node, exp.Column):
        known = scope.feature(node)
        return Sum(features=[(1, known)]) if known is not None else Sum(columns=[(1, scope.column(node))])
    if isinstance(node, (exp.Add, exp.Sub)):
        left, right = sum_of(node.this, scope), sum_of(node.expression, scope)
        return None if left is None or right is None else left.plus(right, 1 if isinstance(node, exp.Add) else -1)
    if isinstance(node, exp.DateDiff):
        only(node, "this", "expression", "unit")
        unit = str(node.args.get("unit") or "").upper()
        if unit not in _DAY:
            said = "ages are counted by the calendar: write AGE_AT(birth, day)" if unit == "YEAR" else _BOUNDS
            raise Refusal(node, said)
        left, right = sum_of(node.this, scope), sum_of(node.expression, scope)
        if left is None or right is None or left.days or right.days or left.calendar or right.calendar:
            raise Refusal(node, "DATE_DIFF takes two dates: DATE_DIFF('day', earlier, later)")
        return Sum(calendar=True).plus(left).plus(right, -1)
    found = _atom(node, scope)
    return None if found is None else Sum(features=[(1, found)])


def feature(node: exp.Expression, scope: Any) -> Feature | None:
    """The feature that an expression is; ``None`` for plain columns and what no person has."""
    node = bare(node)
    if isinstance(node, exp.Column):
        return scope.feature(node)  # type: ignore[no-any-return]
    if isinstance(node, (exp.Sub, exp.DateDiff, exp.Add)):
        found = sum_of(node, scope)
        if found is None or not found.features:
            raise Refusal(node, f"of people, days between two features are computed and nothing else; {_BOUNDS}")
        return _days(node, found, scope, exact=True)
    return _atom(node, scope)


def named(node: exp.Expression, scope: Any, wanted: str = "") -> str | None:
    """The name of the feature that an expression is; ``None`` for a plain column and what is no feature."""
    node = bare(node)
    if isinstance(node, exp.Column):
        return None
    found = feature(node, scope)
    return None if found is None else str(scope.add(found, node, wanted))


def _atom(node: exp.Expression, scope: Any) -> Feature | None:
    with at(node):
        if isinstance(node, (exp.Subquery, exp.Exists)):
            # found late: a sub-query has conditions, which compute features
            reading = importlib.import_module("pets.query_model.sql.people.readings")
            return reading.of_subquery(node, scope)  # type: ignore[no-any-return]
        if isinstance(node, exp.Coalesce):
            return _filled(node, scope)
        if isinstance(node, exp.Case):
            return _inside(node, scope)
        if isinstance(node, exp.Anonymous):
            return _own(node, scope)
    return None


def _must(node: exp.Expression, scope: Any) -> Feature:
    found = feature(node, scope)
    if found is None:
        raise Refusal(
            node,
            "a feature of the person belongs here: a sub-query such as (SELECT MIN(admitted) FROM stays WHERE "
            "stays.patient = p.patient), or the name of one",
        )
    return found


def _filled(node: exp.Coalesce, scope: Any) -> Feature:
    only(node, "this", "expressions")
    if len(node.expressions) != 1:
        raise Refusal(node, "write COALESCE(x, 0): a feature, and one constant for people who have none")
    value = constant(node.expressions[0])
    gap = scope.counted(bare(node.this))
    if gap is None:
        return Filled(_must(node.this, scope), value)
    if isinstance(value, bool) or value != 0:
        raise Refusal(node, "people without a row count 0; write COALESCE(…, 0)")
    assert isinstance(gap, Feature)
    return gap


def _own(node: exp.Anonymous, scope: Any) -> Feature | None:
    name, parts = str(node.this).upper(), node.expressions
    if name == "DAYS_BETWEEN":
        if len(parts) != 4:
            raise Refusal(node, _BOUNDS)
        return Days(_must(parts[1], scope), _must(parts[0], scope), _whole(parts[2]), _whole(parts[3]))
    if name == "AGE_AT" and len(parts) == 2:
        born, when = bare(parts[0]), _must(parts[1], scope)
        if not isinstance(born, exp.Column) or scope.feature(born) is not None:
            raise Refusal(parts[0], "the first is a date in the person table: AGE_AT(born, first)")
        return AgeAt(scope.column(born), when)
    # found late: what is computed of features is made of them
    return importlib.import_module("pets.query_model.sql.people.parts").own_feature(node, scope)  # type: ignore[no-any-return]


def _inside(node: exp.Case, scope: Any) -> Feature | None:
    """CASE WHEN later - earlier BETWEEN 0 AND 365 THEN later - earlier END: the days, none outside the bounds."""
    branches = node.args["ifs"]
    met, value = branches[0].this, bare(branches[0].args["true"])
    if len(branches) != 1 or node.this is not None or not isinstance(met, exp.Between):
        return None
    if not isinstance(value, (exp.Sub, exp.DateDiff)) or bare(met.this) != value:
        return None
    only(met, "this", "low", "high")
    default = node.args.get("default")
    found = sum_of(value, scope)
    if found is None or not (default is None or isinstance(default, exp.Null)):
        raise Refusal(node, _BOUNDS)
    made = _days(node, found, scope, exact=True)
    return Days(made.later, made.earlier, _whole(met.args["low"]), _whole(met.args["high"]))


def names_by_conditions(node: exp.Expression, scope: Any) -> Case | None:
    """CASE WHEN … THEN 'often' ELSE 'seldom' END in a sub-select: the name of the first condition that is met."""
    branches = node.args.get("ifs") or []
    if not isinstance(node, exp.Case) or not all(isinstance(constant_text(one.args["true"]), str) for one in branches):
        return None
    only(node, "ifs", "default")
    default = node.args.get("default")
    rest = None if default is None or isinstance(default, exp.Null) else constant_text(default)
    if rest is None and not (default is None or isinstance(default, exp.Null)):
        raise Refusal(default or node, "a text in single quotes belongs here")
    with at(node):
        return Case(tuple((condition(one.this, scope), str(constant_text(one.args["true"]))) for one in branches), rest)


def constant_text(node: exp.Expression) -> str | None:
    """A text that stands there as a constant."""
    node = bare(node)
    return str(node.this) if isinstance(node, exp.Literal) and node.args.get("is_string") else None


def _whole(node: exp.Expression) -> int:
    found = number(node)
    if found is None or found.denominator != 1:
        raise Refusal(node, _BOUNDS)
    return int(found)


def _days(node: exp.Expression, found: Sum, scope: Any, *, exact: bool) -> Days:
    """The days between two features, in the widest bounds that their dates have, which lose nothing."""
    two = dict(found.features)
    if found.columns or len(found.features) != 2 or sorted(two) != [-1, 1] or (exact and found.days):
        raise Refusal(node, f"of people, days between two features are computed, and nothing else; {_BOUNDS}")
    domains = {sign: scope.people.domain_of(one) for sign, one in two.items()}
    later, earlier = domains[1], domains[-1]
    if not isinstance(later, Date) or not isinstance(earlier, Date):
        wrong = later if not isinstance(later, Date) else earlier
        raise Refusal(
            node,
            f"two features are compared by the days between two dates, and one of them holds {wrong.describe()}; ask "
            "for each of them, compared with a constant",
        )
    return Days(two[1], two[-1], (later.lo - earlier.hi).days, (later.hi - earlier.lo).days)


# conditions -----------------------------------------------------------------------------------------------------------


def leaf(node: exp.Expression, scope: Any) -> Filter | None:
    """A condition of people in words of sub-queries and features; ``None`` where it compares one with a constant."""
    if isinstance(node, exp.Exists):
        name = named(node, scope)
        assert name is not None
        return Compare(name, "==", True)
    if isinstance(node, exp.In) and node.args.get("query") is not None:
        only(node, "this", "query")
        if not scope.names_person(node.this):
            raise Refusal(node.this, "the person belongs here: WHERE patient IN (SELECT patient FROM stays WHERE …)")
        groups = importlib.import_module("pets.query_model.sql.people.sources")
        return groups.among(node.args["query"], scope)  # type: ignore[no-any-return]
    sign = SIGNS.get(type(node))
    if sign is not None:
        return _between_features(node, node.this, node.expression, sign, scope)
    if isinstance(node, exp.Between):
        low, high = node.args["low"], node.args["high"]
        only(node, "this", "low", "high")
        if _varies(low) or _varies(high):
            return _compared(node, node.this, low, ">=", scope) & _compared(node, node.this, high, "<=", scope)
    return None


def _varies(node: exp.Expression) -> bool:
    return any(isinstance(part, (exp.Column, exp.Subquery, exp.Exists)) for part in node.walk())


def _between_features(
    node: exp.Expression, left: exp.Expression, right: exp.Expression, sign: Operator, scope: Any
) -> Filter | None:
    """Two features compared: the days between them, compared with a number."""
    if not _varies(left) or not _varies(right):
        return None
    return _compared(node, left, right, sign, scope)


def _compared(node: exp.Expression, left: exp.Expression, right: exp.Expression, sign: Operator, scope: Any) -> Filter:
    one, other = sum_of(left, scope), sum_of(right, scope)
    if one is None or other is None or not (one.features or other.features):
        raise Refusal(
            node,
            "of people, a feature is compared with a constant or with another date; a column of the person table with "
            "constants alone",
        )
    both = one.plus(other, -1)
    if not both.features or both.columns:
        raise Refusal(
            node,
            "a column of the person table is compared with constants alone; compare rows of events with it in the "
            "data, and declare the result in the schema",
        )
    name = scope.add(_days(node, both, scope, exact=False), node)
    value = -both.days
    if value.denominator != 1:
        raise Refusal(node, "dates are whole days apart; write a whole number")
    return Compare(name, sign, int(value))
