"""Rows: which rows of a person a sub-query reads: one table, tied to the person, and conditions on its columns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from sqlglot import exp

from pets.query_model.expression import And, Filter, Operator
from pets.query_model.features import Feature, Rows, Versus, Within
from pets.query_model.sql.conditions import SIGNS, and_terms, bare, condition
from pets.query_model.sql.people.computing import Sum, sum_of
from pets.query_model.sql.refusal import Refusal, at, only
from pets.query_model.sql.scope import Scope, matched, scope_of
from pets.schema.dates import Date
from pets.schema.domain import Domain

_FLIPPED: dict[Operator, Operator] = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass
class RowScope(Scope):
    """The rows of a table in a sub-query about one person.

    Attributes:
        people: the statement about people that it is part of.
        outer: the statement around it, whose person and features it may name (``None``: none).
        joined: features of the person that it joins, by the name of their sub-query.
        persons: what those sub-queries call the person.
    """

    people: Any = None
    outer: Any = None
    joined: dict[str, dict[str, Feature]] = field(default_factory=dict)
    persons: dict[str, str] = field(default_factory=dict)
    computes: ClassVar[bool] = False

    def named(self, node: exp.Expression, wanted: str = "") -> str | None:
        if isinstance(bare(node), _COMPUTED):
            raise Refusal(
                node,
                "a feature reads the columns of a table as they are, and compares them with constants or with dates of "
                "the person; compute the column in the data and declare it in the schema",
            )
        return None

    def own(self, node: exp.Expression) -> bool:
        """Whether a column is one of the table itself: the names of a sub-query go before those around it."""
        if not isinstance(node, exp.Column) or isinstance(node.this, exp.Star):
            return False
        qualifier = node.args.get("table")
        if qualifier is not None:
            return str(qualifier.name).casefold() in self.aliases
        return matched(node.this, self._qualified(node)) is not None

    def knows(self, node: exp.Expression) -> bool:
        """Whether a column is one of this sub-query, or of the statement around it."""
        return self.own(node) or self._joined(node) is not None or (self.outer is not None and self.outer.knows(node))

    def _joined(self, node: exp.Expression) -> Feature | None:
        qualifier = node.args.get("table")
        found = [
            features[name]
            for alias, features in self.joined.items()
            if qualifier is None or alias == str(qualifier.name).casefold()
            if (name := matched(node.this, features)) is not None
        ]
        if len(found) > 1:
            raise Refusal(node, f"{node.name[:60]!r} is a column of several tables; say of which")
        return found[0] if found else None

    def feature(self, node: exp.Expression) -> Feature | None:
        """The feature that a column is; ``None`` where it is a column of the table."""
        if self.own(node):
            return None
        found = self._joined(node)
        if found is None and self.outer is not None and self.outer.knows(node):
            found = self.outer.feature(node)
            if found is None:
                raise Refusal(
                    node,
                    "rows are compared with constants and with features of the person, not with a column of the person "
                    "table; declare their difference in the schema",
                )
        return found

    def counted(self, node: exp.Expression) -> Feature | None:
        """What :meth:`PeopleScope.counted` gives, of the statement around this one."""
        known = isinstance(node, exp.Column) and not self.own(node) and self._joined(node) is None
        return self.outer.counted(node) if known and self.outer is not None else None

    def names_person(self, node: exp.Expression) -> bool:
        """Whether a column names the person of these rows, here or in the statement around it."""
        if self.own(node):
            return self.is_person(node)
        qualifier = node.args.get("table")
        if qualifier is not None and str(qualifier.name).casefold() in self.persons:
            person = self.persons[str(qualifier.name).casefold()]
            return matched(node.this, [person]) is not None
        return self.outer is not None and bool(self.outer.names_person(node))

    # conditions -------------------------------------------------------------------------------------------------

    def leaf(self, node: exp.Expression) -> Filter | None:
        if isinstance(node, exp.Exists) or (isinstance(node, exp.In) and node.args.get("query") is not None):
            raise Refusal(
                node,
                "whether a row counts is a condition on its own columns, and on dates of the person; write this beside "
                "the sub-query, as a condition on the person",
            )
        sign = SIGNS.get(type(node))
        if sign is not None:
            return self._versus(node, node.this, node.expression, sign)
        if isinstance(node, exp.Between) and self._is_of_feature(node):
            only(node, "this", "low", "high")
            low = self._versus(node, node.this, node.args["low"], ">=")
            high = self._versus(node, node.this, node.args["high"], "<=")
            if low is None or high is None:
                raise Refusal(node, "one end is a constant and one a feature; write two comparisons, joined with AND")
            return _between(low, high)
        return None

    def _is_of_feature(self, node: exp.Expression) -> bool:
        return any(
            isinstance(part, (exp.Subquery, exp.DateDiff))
            or (isinstance(part, exp.Column) and not self.own(part) and self.knows(part))
            for part in node.walk(prune=lambda part: isinstance(part, exp.Subquery))
        )

    def _versus(
        self, node: exp.Expression, left: exp.Expression, right: exp.Expression, sign: Operator
    ) -> Filter | None:
        """A column compared with a feature, or with a day so many days after it."""
        if not self._is_of_feature(left) and not self._is_of_feature(right):
            return None
        one, other = sum_of(left, self), sum_of(right, self)
        if one is None or other is None:
            raise Refusal(node, _SHAPE)
        both = one.plus(other, -1)
        if both.columns and both.columns[0][0] < 0:
            both, sign = Sum().plus(both, -1), _FLIPPED[sign]
        if [times for times, _ in both.columns] != [1] or [times for times, _ in both.features] != [-1]:
            raise Refusal(node, _SHAPE)
        column, feature = both.columns[0][1], both.features[0][1]
        plain = not both.days and not both.calendar and all(isinstance(bare(one), _SIDES) for one in (left, right))
        return Versus(column, sign, feature) if plain else self._days(node, column, sign, feature, both)

    def _days(self, node: exp.Expression, column: str, sign: Operator, feature: Feature, both: Sum) -> Filter:
        domains: list[Domain] = [self.fields[column], self.people.domain_of(feature)]
        if not both.calendar and not all(isinstance(domain, Date) for domain in domains):
            raise Refusal(
                node,
                "days are added to dates; of times of day, calendar days are counted: write DATE_DIFF('day', "
                "first, seen) BETWEEN 1 AND 30",
            )
        value = -both.days
        if value.denominator != 1:
            raise Refusal(node, "dates are whole days apart; write a whole number")
        days = int(value)
        low = {"==": days, ">=": days, ">": days + 1}.get(sign)
        high = {"==": days, "<=": days, "<": days - 1}.get(sign)
        if sign == "!=":
            return ~Within(column, feature, days, days)
        return Within(column, feature, low, high)


def _between(low: Filter, high: Filter) -> Filter:
    """Two ends of one span of days, whichever of them is the earlier; else both conditions."""
    if isinstance(low, Within) and isinstance(high, Within):
        first, last = (low, high) if low.high is None else (high, low)
        same = first.column == last.column and first.feature.key == last.feature.key
        if same and first.high is None and last.low is None:
            return Within(first.column, first.feature, first.low, last.high)
    return low & high


_COMPUTED = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.DateDiff, exp.Least, exp.Greatest)
_SIDES = (exp.Column, exp.Subquery, exp.Coalesce, exp.Anonymous, exp.Case, exp.Exists)
_SHAPE = (
    "of a person's rows, one column is compared with one feature and a number of days: admitted > first, or "
    "DATE_DIFF('day', first, admitted) BETWEEN 1 AND 30"
)


def row_scope(select: exp.Select, people: Any, outer: Any) -> RowScope:
    """The table that a sub-query reads."""
    if select.args.get("from_") is None:
        raise Refusal(select, f"name the table, such as FROM {next(iter(people.schema.tables))}")
    found = scope_of(select, people.schema, RowScope)
    assert isinstance(found, RowScope)
    found.people, found.outer, found.remarks = people, outer, people.remarks
    if found.unit is None:
        raise Refusal(
            select.args["from_"], f"table {found.table!r} names no person, so its rows are nobody's; ask it alone"
        )
    for word in found.bounds:
        if word != "rows":
            raise Refusal(
                select.args["from_"], "of a person's rows only their number is bounded: BOUND(stays, rows := 3)"
            )
    return found


def rows_of(select: exp.Select, scope: RowScope, *, tied: bool) -> Rows:
    """The rows that a sub-query reads of a person (``tied``: it must say that they are this person's)."""
    terms: list[Filter] = []
    known = False
    where = select.args.get("where")
    if where is not None:
        only(where, "this")
        for node in and_terms(where.this):
            if _ties(node, scope):
                known = True
            else:
                terms.append(condition(node, scope))
    if tied and not known:
        raise Refusal(
            select,
            f"the sub-query must be of the same person; {_tie(scope)}",
        )
    with at(select):
        return Rows(scope.table, _all(terms), scope.bounds.get("rows"))


def _tie(scope: RowScope) -> str:
    return f"tie it to the outer table, by that one's name: WHERE {scope.table}.{scope.unit} = p.{scope.unit}"


def _ties(node: exp.Expression, scope: RowScope) -> bool:
    """Whether a condition says that a row is the person's own."""
    if not isinstance(node, exp.EQ) or scope.outer is None:
        return False
    sides = [bare(node.this), bare(node.expression)]
    if not all(isinstance(side, exp.Column) and not isinstance(side.this, exp.Star) for side in sides):
        return False
    own = [scope.own(side) for side in sides]
    if all(own) and all(scope.is_person(side) for side in sides):
        raise Refusal(node, f"both are of the sub-query's own table; {_tie(scope)}")
    if sorted(own) != [False, True]:
        return False
    mine, other = sides if own[0] else sides[::-1]
    return scope.is_person(mine) and scope.outer.names_person(other)


def _all(terms: list[Filter]) -> Filter | None:
    if len(terms) < 2:
        return terms[0] if terms else None
    return And(tuple(part for term in terms for part in (term.terms if type(term) is And else (term,))))
