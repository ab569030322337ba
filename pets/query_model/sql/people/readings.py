"""Readings: what a sub-query reads of a person's rows, as the feature that it is."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

from sqlglot import exp

from pets.query_model.expression import Filter, IsNull, Not
from pets.query_model.features import CAPPED, Feature, Reading, Rows
from pets.query_model.nodes.feature_bounds import MAX_NTH
from pets.query_model.sql.conditions import bare, condition, number
from pets.query_model.sql.instead import instead
from pets.query_model.sql.people.rows import RowScope, row_scope, rows_of
from pets.query_model.sql.refusal import Refusal, at, only, word

KNOWN = (
    "of a person's rows are read COUNT, COUNT(DISTINCT x), MIN, MAX, CLIP(SUM(x), 0, 100), MEAN(x), "
    "ARG_MIN_NULL(x, day), ARG_MAX_NULL(x, day), of a second row ARG_MIN_NULL(x, day, 2), and whether there is one: "
    "EXISTS (…)"
)
_PARTS = ("expressions", "from_", "joins", "where")


def of_subquery(node: exp.Subquery | exp.Exists, outer: Any) -> Feature:
    """The feature that a sub-query about one person is: (SELECT COUNT(*) FROM …) by the person, EXISTS (…)."""
    only(node, "this")
    select = bare(node.this) if isinstance(node, exp.Exists) else node.this
    select = select.this if isinstance(select, exp.Subquery) else select
    if not isinstance(select, exp.Select):
        raise Refusal(node, "a sub-query is one SELECT over one table")
    scope = row_scope(select, outer.people, outer)
    if isinstance(node, exp.Exists):
        only(select, "expressions", "from_", "where", "joins")
        for part in select.expressions:
            if not isinstance(bare(part), (exp.Literal, exp.Star, exp.Column)):
                raise Refusal(part, "of rows it is asked whether there is one; write EXISTS (SELECT 1 FROM …)")
        _join_no_features(select)
        return Reading("exists", rows_of(select, scope, tied=True))
    only(select, *_PARTS)
    _join_no_features(select)
    if len(select.expressions) != 1:
        raise Refusal(select, f"a sub-query in a place of one value gives one; {KNOWN}")
    return reading(select.expressions[0], rows_of(select, scope, tied=True), scope, grouped=False)


def _join_no_features(select: exp.Select) -> None:
    for join in select.args.get("joins") or ():
        if isinstance(join.this, exp.Subquery):
            raise Refusal(join, "name the feature of the outer statement instead of joining it here again")


def reading(node: exp.Expression, rows: Rows, scope: RowScope, *, grouped: bool) -> Feature:
    """The feature that an aggregate of a person's rows is (``grouped``: only people with a row are there)."""
    node = bare(node)
    if isinstance(node, exp.Alias):
        node = bare(node.this)
    most: int | None = None
    if isinstance(node, exp.Least):
        node, most = _capped(node)
    met: Filter | None = None
    if isinstance(node, exp.Filter):
        only(node, "this", "expression")
        met, node = condition(node.expression.this, scope), bare(node.this)
    with at(node):
        made = _read(node, rows, scope, met, grouped=grouped)
        if made.how in CAPPED:
            return made if most is None else replace(made, most=most)
    if most is not None:
        raise Refusal(
            node, "LEAST(…, n) caps what counts rows: LEAST(COUNT(*), 20); a sum is moved by CLIP(SUM(x), 0, 20)"
        )
    return made


def _capped(node: exp.Least) -> tuple[exp.Expression, int]:
    """LEAST(COUNT(*), 20)."""
    parts = [bare(node.this), *map(bare, node.expressions)]
    numbers = [found for found in map(number, parts) if found is not None]
    inner = [part for part in parts if number(part) is None]
    if len(parts) != 2 or len(numbers) != 1 or numbers[0].denominator != 1 or numbers[0] < 1:
        raise Refusal(node, "write LEAST(COUNT(*), 20): what is counted, and the most that counts of one person")
    return inner[0], int(numbers[0])


def _read(node: exp.Expression, rows: Rows, scope: RowScope, met: Filter | None, *, grouped: bool) -> Reading:
    read = _both(rows, met)
    most = scope.bounds.get("rows", scope.schema.table(scope.table).unit.max_rows)
    if isinstance(node, exp.Count):
        return _count(node, read, scope, most)
    if isinstance(node, (exp.Min, exp.Max)):
        only(node, "this")
        return Reading("min" if isinstance(node, exp.Min) else "max", read, scope.column(node.this))
    if isinstance(node, exp.Sum):
        only(node, "this")
        counted = _ones(node, scope) if grouped else None
        if counted is not None:
            return Reading("count", _both(read, counted), most=most)
        inner = node.this.sql(dialect="duckdb")[:60]
        said = f"a person's total needs its bounds: write CLIP(SUM({inner}), 0, 1000)"
        raise Refusal(node, said if not isinstance(node.this, exp.Case) else "write COUNT(*) FILTER (WHERE …)")
    if isinstance(node, exp.Avg):
        said = "a person's mean is taken to the column's nearest step"
        raise Refusal(node, f"{said}; write MEAN({node.this.sql(dialect='duckdb')[:60]})")
    if isinstance(node, (exp.ArgMin, exp.ArgMax)):
        return _picked(node, read, scope)
    if isinstance(node, exp.Anonymous):
        found = _own(node, read, scope)
        if found is not None:
            return found
    raise Refusal(node, f"{word(node)} is not read of a person's rows; {KNOWN}")


def _count(node: exp.Count, rows: Rows, scope: RowScope, most: int) -> Reading:
    only(node, "this", "expressions")
    of = node.this
    if node.expressions or of is None:
        raise Refusal(node, "COUNT takes one column, or *")
    if isinstance(of, exp.Distinct):
        only(of, "expressions")
        if len(of.expressions) != 1:
            raise Refusal(of, "COUNT(DISTINCT …) of a person's rows takes one column")
        return _distinct(bare(of.expressions[0]), rows, scope, most)
    if isinstance(of, exp.Star) or (isinstance(of, exp.Literal) and not of.args.get("is_string")):
        if isinstance(of, exp.Star):
            only(of)
        return Reading("count", rows, most=most)
    if scope.is_person(of):
        return Reading("count", rows, most=most)
    return Reading("count", _both(rows, Not(IsNull(scope.column(of)))), most=most)


def _distinct(node: exp.Expression, rows: Rows, scope: RowScope, most: int) -> Reading:
    day = isinstance(node, exp.TimestampTrunc) and str(node.args.get("unit") or "").upper() == "DAY"
    cast = isinstance(node, exp.Cast) and getattr(node.to.this, "name", "") == "DATE"
    if day or cast:
        return Reading("days_with", rows, scope.column(bare(node.this)), most=most)
    if scope.is_person(node):
        raise Refusal(node, "of one person's rows there is one person; write COUNT(*), or EXISTS (…)")
    return Reading("count_distinct", rows, scope.column(node), most=most)


def _ones(node: exp.Sum, scope: RowScope) -> Filter | None:
    """SUM(CASE WHEN … THEN 1 ELSE 0 END): the condition of the rows that it counts."""
    case = bare(node.this)
    if not isinstance(case, exp.Case):
        return None
    only(case, "ifs", "default")
    ifs, default = case.args["ifs"], case.args.get("default")
    if len(ifs) != 1 or number(ifs[0].args["true"]) != 1 or default is None or number(default) != 0:
        raise Refusal(case, "of a person's rows, SUM(CASE WHEN … THEN 1 ELSE 0 END) counts those that meet a condition")
    return condition(ifs[0].this, scope)


def _picked(node: exp.ArgMin | exp.ArgMax, rows: Rows, scope: RowScope) -> Reading:
    column, by = scope.column(bare(node.this)), scope.column(bare(node.expression))
    name = "ARG_MIN" if isinstance(node, exp.ArgMin) else "ARG_MAX"
    if node.args.get("count"):
        raise Refusal(
            node, f"{name} of several rows is a list; write {name}_NULL({column}, {by}, 2), of the second row"
        )
    only(node, "this", "expression")
    if column != by and scope.fields[column].nullable:
        raise Refusal(
            node,
            f"SQL passes rows without {column!r} by; write {name}_NULL({column}, {by}), the value in the first row, be "
            "it missing",
        )
    return Reading("first" if name == "ARG_MIN" else "last", rows, column, by)


def _own(node: exp.Anonymous, rows: Rows, scope: RowScope) -> Reading | None:
    name, parts = str(node.this).upper(), node.expressions
    if name in ("ARG_MIN_NULL", "ARG_MAX_NULL") and len(parts) in (2, 3):
        column, by = (scope.column(bare(part)) for part in parts[:2])
        nth = number(parts[2]) if len(parts) == 3 else Fraction(1)
        if nth is None or nth.denominator != 1 or not 1 <= nth <= MAX_NTH:
            said = f"write {name}({column}, {by}, 2): what is read, by what, and in which row, from 1 to {MAX_NTH}"
            raise Refusal(node, said)
        return Reading("first" if name == "ARG_MIN_NULL" else "last", rows, column, by, nth=int(nth))
    if name == "EPISODES" and len(parts) == 2:
        gap = number(parts[1])
        if gap is None or gap.denominator != 1:
            raise Refusal(node, "write EPISODES(admitted, 30): a date, and the days that part two episodes")
        most = scope.bounds.get("rows", scope.schema.table(scope.table).unit.max_rows)
        return Reading("episodes", rows, scope.column(bare(parts[0])), most=most, gap=int(gap))
    if name == "MEAN" and len(parts) == 1:
        return Reading("mean", rows, scope.column(bare(parts[0])))
    if name == "CLIP" and len(parts) == 3 and isinstance(bare(parts[0]), (exp.Sum, exp.Filter)):
        inner = bare(parts[0])
        if isinstance(inner, exp.Filter):
            only(inner, "this", "expression")
            rows, inner = _both(rows, condition(inner.expression.this, scope)), bare(inner.this)
        low, high = number(parts[1]), number(parts[2])
        if isinstance(inner, exp.Sum) and low is not None and high is not None:
            only(inner, "this")
            return Reading("sum", rows, scope.column(bare(inner.this)), clip=(Fraction(low), Fraction(high)))
        raise Refusal(node, "write CLIP(SUM(x), 0, 1000): the person's total, moved between bounds")
    return None


def _both(rows: Rows, met: Filter | None) -> Rows:
    if met is None:
        return rows
    return replace(rows, condition=met if rows.condition is None else rows.condition & met)


def is_aggregate(node: exp.Expression) -> bool:
    """Whether an expression aggregates the rows of a person."""
    own = ("ARG_MIN_NULL", "ARG_MAX_NULL", "MEAN", "EPISODES")
    return any(
        isinstance(part, (exp.AggFunc, exp.Window))
        or (isinstance(part, exp.Anonymous) and str(part.this).upper() in own)
        for part in node.walk(prune=lambda part: isinstance(part, exp.Select))
    )


def refuse_window(node: exp.Expression) -> None:
    """Refuse a window, with what to write instead."""
    window = node.find(exp.Window)
    if window is not None:
        raise Refusal(window, instead(window))
