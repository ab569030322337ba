"""Group keys: what SQL groups by, as the keys of a query, and the names that CASE gives to bins."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from sqlglot import exp

from pets.common.literals import clock, moment
from pets.query_model.group_keys import PARTS, Bins, ColumnKey, DatePart, Key, Part, Period
from pets.query_model.sql.computed import name_of
from pets.query_model.sql.conditions import bare, constant, number
from pets.query_model.sql.instead import instead
from pets.query_model.sql.refusal import Refusal, at, only, word
from pets.query_model.sql.scope import Scope
from pets.schema.clock.time_of_day import Time
from pets.schema.dates import Calendar
from pets.schema.domain import MISSING
from pets.schema.numeric import Numeric
from pets.schema.person.periods import STEPS, Step

Labels = tuple[tuple[str, str], ...]

_NAMED: dict[type[exp.Expression], Part] = {
    exp.Year: "year",
    exp.Quarter: "quarter",
    exp.Month: "month",
    exp.Hour: "hour",
    exp.DayOfWeekIso: "weekday",
}
_PARTS: dict[str, Part] = {"isodow" if part == "weekday" else part: part for part in PARTS}
_OTHERWISE = {
    "week": "a week without its year mixes years; write DATE_TRUNC('week', day), or MMWR_WEEK(day)",
    "day": "group by the calendar day: DATE_TRUNC('day', day)",
    **dict.fromkeys(("dow", "weekday", "dayofweek"), "write EXTRACT(ISODOW FROM day): 1 is Monday, 7 Sunday"),
}
_GROUPED = (
    "a key is a column, BINS(age, 0, 18, 65), CASE over ranges, EXTRACT(YEAR FROM day) or DATE_TRUNC('month', day)"
)


@dataclass(frozen=True)
class NamedKey:
    """A key, and what is shown for its labels."""

    key: Key
    labels: Labels = ()

    def called(self, name: str) -> NamedKey:
        """The same under the name that a statement gives it; its own name is no other one."""
        return replace(self, key=replace(self.key, label=name).plain())


def key(node: exp.Expression, scope: Scope) -> NamedKey:
    """The group key that an expression describes."""
    node = bare(node)
    if isinstance(node, exp.Column):
        return NamedKey(ColumnKey(scope.column(node)))
    if isinstance(node, exp.Anonymous) and str(node.this).upper() == "BINS":
        return NamedKey(_bins(node, scope))
    found = _time(node, scope)
    if found is None:
        made = name_of(node, scope)
        if made is not None:
            return NamedKey(ColumnKey(made))
    if isinstance(node, exp.Case):
        return Cases(node, scope).key()
    if found is None:
        raise Refusal(node, instead(node) or f"{word(node)} is no group key; {_GROUPED}")
    return NamedKey(found)


def _bins(call: exp.Anonymous, scope: Scope) -> Bins:
    first, *rest = call.expressions or [call]
    edges = [_edge(edge) for edge in rest]
    made = None if scope.computes or isinstance(first, exp.Column) else name_of(first, scope)
    if (made is None and not isinstance(first, exp.Column)) or None in edges:
        raise Refusal(
            call,
            "bins are a column and their edges, such as BINS(age, 0, 18, 65, 110), or of dates BINS(day, DATE "
            "'2022-01-01', DATE '2022-04-01'), or of times of day BINS(arrived, TIME '08:00', TIME '16:00')",
        )
    with at(call):
        return Bins(made or scope.column(first), "", tuple(edges))


def _edge(node: exp.Expression) -> Any:
    """An edge that SQL spells, a number or a time; ``None`` for anything else."""
    exact = number(node)
    if exact is not None or not isinstance(bare(node), (exp.Literal, exp.Cast)):
        return exact
    for read in (moment, clock):
        try:
            return read(constant(node))
        except ValueError:
            continue
    return None


def _time(node: exp.Expression, scope: Scope) -> Key | None:
    if type(node) in _NAMED:
        only(node, "this")
        return DatePart(scope.column(node.this), "", _NAMED[type(node)])
    if isinstance(node, exp.Extract):
        only(node, "this", "expression")
        return DatePart(scope.column(node.expression), "", _part(node, node.this))
    name = str(node.this).upper() if isinstance(node, exp.Anonymous) else ""
    if name in ("DATE_PART", "DATEPART") and len(node.expressions) == 2:
        return DatePart(scope.column(node.expressions[1]), "", _part(node, node.expressions[0]))
    if name == "MMWR_WEEK" and len(node.expressions) == 1:
        return Period(scope.column(node.expressions[0]), "", "mmwr_week")
    if isinstance(node, (exp.TimestampTrunc, exp.DateTrunc)):
        only(node, "this", "unit")
        return Period(scope.column(node.this), "", _step(node, node.args.get("unit")))
    other: dict[type[exp.Expression], str] = {
        exp.Week: "week",
        exp.WeekOfYear: "week",
        exp.Day: "day",
        exp.DayOfMonth: "day",
        exp.DayOfWeek: "dow",
    }
    if type(node) in other:
        raise Refusal(node, _OTHERWISE[other[type(node)]])
    return None


def _part(node: exp.Expression, unit: exp.Expression | None) -> Part:
    name = "" if unit is None else str(unit.name).lower()
    if name in _PARTS:
        return _PARTS[name]
    raise Refusal(node, _OTHERWISE.get(name, f"the parts of a day are {', '.join(_PARTS)}, not {name[:40]!r}"))


def _step(node: exp.Expression, unit: exp.Expression | None) -> Step:
    name = "" if unit is None else str(unit.name).lower()
    for step in STEPS:
        if step == name and step != "mmwr_week":
            return step
    raise Refusal(node, f"the calendar's periods are year, quarter, month, week, day and hour, not {name[:40]!r}")


Ordered = Numeric | Calendar | Time
Range = tuple[int, int]
"""Codes from the first to before the second."""


class Cases:
    """CASE over ranges of one number or date: bins, whose names are CASE's."""

    def __init__(self, node: exp.Case, scope: Scope) -> None:
        self._node, self._scope = node, scope
        self._missing: str | None = None

    def key(self) -> NamedKey:
        """The bins, and their names."""
        only(self._node, "ifs", "default")
        column = self._column()
        domain = self._scope.fields[column]
        if not isinstance(domain, (Numeric, Calendar, Time)):
            raise Refusal(
                self._node,
                f"CASE as a key cuts a number, a date or a time into ranges, and {column!r} holds {domain.describe()}; "
                "declare a category with a lookup in the schema",
            )
        pieces = self._pieces(domain)
        starts = [start for (start, _), _ in pieces]
        edges = [_value(domain, start) for start in starts]
        # the last bin is closed: at the greatest value, or one beyond where that is all that it holds
        try:
            edges.append(_value(domain, max(domain.cells - 1, starts[-1] + 1)))
        except OverflowError:
            raise Refusal(self._node, "the last range of CASE is the last day that there is; widen it") from None
        with at(self._node):
            bins = Bins(column, "", tuple(edges))
        labels = list(zip(bins.labels(), (name for _, name in pieces), strict=True))
        if self._missing is not None:
            labels.append((MISSING, self._missing))
        names = [name for _, name in labels]
        if len(set(names)) != len(names):
            raise Refusal(self._node, "two ranges of CASE have one name; give each its own")
        return NamedKey(bins, tuple(labels))

    def _column(self) -> str:
        branches = self._node.args["ifs"]
        found = [self._scope.column(node) for branch in branches for node in branch.this.find_all(exp.Column)]
        if not found or len(set(found)) > 1:
            raise Refusal(self._node, "CASE as a key cuts one column into ranges: CASE WHEN age < 18 THEN 'young' …")
        return found[0]

    def _pieces(self, domain: Ordered) -> list[tuple[Range, str]]:
        """The ranges in order, each with its name; together they are the whole domain."""
        left: list[Range] = [(0, domain.cells)]
        pieces: list[tuple[Range, str]] = []
        for branch in self._node.args["ifs"]:
            if isinstance(branch.this, exp.Is):
                self._without_value(branch.this)
                self._missing = _name(branch.args["true"])
                continue
            wanted = self._range(branch.this, domain)
            inside = [(max(a, wanted[0]), min(b, wanted[1])) for a, b in left]
            inside = [pair for pair in inside if pair[0] < pair[1]]
            if len(inside) != 1:
                raise Refusal(branch, "this branch is no one range of what earlier branches left; write its ends")
            pieces.append((inside[0], _name(branch.args["true"])))
            left = [rest for pair in left for rest in _without(pair, inside[0])]
        default = self._node.args.get("default")
        if default is not None:
            self._rest(default, domain, left, pieces)
        elif left:
            raise Refusal(self._node, "CASE must name every value that the column may have; end it with ELSE '…'")
        return sorted(pieces)

    def _without_value(self, node: exp.Is) -> None:
        """Refuse a branch with IS that is not the first ``column IS NULL``."""
        only(node, "this", "expression")
        if not isinstance(bare(node.this), exp.Column) or not isinstance(node.expression, exp.Null):
            raise Refusal(node, "the branch of rows without a value names the column alone: WHEN age IS NULL THEN …")
        if self._missing is not None:
            raise Refusal(node, "an earlier branch took the rows without a value; leave this branch out")

    def _rest(
        self, default: exp.Expression, domain: Ordered, left: list[Range], pieces: list[tuple[Range, str]]
    ) -> None:
        if domain.nullable and self._missing is None:
            raise Refusal(
                default,
                "ELSE also takes the rows without a value; give them a name first, such as WHEN x IS NULL THEN "
                "'unknown', or write the last range in place of ELSE",
            )
        if len(left) != 1:
            raise Refusal(default, "what ELSE leaves is no one range of values; write a branch for each range")
        pieces.append((left[0], _name(default)))

    def _range(self, node: exp.Expression, domain: Ordered) -> Range:
        """The codes of a branch: one comparison, BETWEEN, or several joined with AND."""
        node = bare(node)
        if isinstance(node, exp.And):
            first, second = self._range(node.this, domain), self._range(node.expression, domain)
            return max(first[0], second[0]), min(first[1], second[1])
        if isinstance(node, exp.Between):
            only(node, "this", "low", "high")
            if isinstance(node.this, exp.Column):
                return _from(node.args["low"], domain), _past(node.args["high"], domain)
        if isinstance(node, (exp.LT, exp.LTE, exp.GT, exp.GTE)):
            return self._compared(node, domain)
        raise Refusal(node, "a branch of CASE is a range of one column: WHEN age < 18, WHEN age BETWEEN 18 AND 64")

    def _compared(self, node: exp.Expression, domain: Ordered) -> Range:
        flipped = not isinstance(node.this, exp.Column)
        edge = node.this if flipped else node.expression
        if not isinstance(node.expression if flipped else node.this, exp.Column):
            raise Refusal(node, "a branch of CASE compares a column with a number or a date")
        below = isinstance(node, (exp.GT, exp.GTE) if flipped else (exp.LT, exp.LTE))
        closed = isinstance(node, (exp.LTE, exp.GTE))
        if below:
            return 0, _past(edge, domain) if closed else _from(edge, domain)
        return _from(edge, domain) if closed else _past(edge, domain), domain.cells


def _without(pair: Range, taken: Range) -> list[Range]:
    rest = [(pair[0], min(pair[1], taken[0])), (max(pair[0], taken[1]), pair[1])]
    return [part for part in rest if part[0] < part[1]]


def _value(domain: Ordered, code: int) -> Any:
    """The value of a code, also of the one after the last."""
    return domain.origin + code * domain.spacing if isinstance(domain, Numeric) else domain.lo + code * domain.width


def _place(node: exp.Expression, domain: Ordered) -> Fraction:
    edge = number(node)
    if not isinstance(domain, Numeric):
        with at(node):
            return domain.position(constant(node))
    if edge is None:
        constant(node)
        raise Refusal(node, "a number belongs here")
    return domain.position(edge)


def _from(node: exp.Expression, domain: Ordered) -> int:
    """The first code at or above a number or a time."""
    return min(max(math.ceil(_place(node, domain)), 0), domain.cells)


def _past(node: exp.Expression, domain: Ordered) -> int:
    """The first code above a number or a time."""
    return min(max(math.floor(_place(node, domain)) + 1, 0), domain.cells)


def _name(node: exp.Expression) -> str:
    if not isinstance(node, exp.Literal):
        raise Refusal(node, "what CASE gives is the name of a range, a text in single quotes")
    return str(node.this)
