"""Two columns in one comparison: refused, with the difference to compare in their place."""

from __future__ import annotations

from sqlglot import exp

from pets.query_model.sql.refusal import Refusal
from pets.query_model.sql.scope import Scope
from pets.schema.dates import Calendar, DateTime
from pets.schema.numeric import Numeric

_COMPUTED = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Neg, exp.Floor)
_WHY = "a column is compared with a constant, not with another column; "


def not_two_columns(node: exp.Expression, left: exp.Expression, right: exp.Expression, name: str, scope: Scope) -> None:
    """Refuse a comparison whose right side names a column, too.

    Args:
        left: what is compared, without brackets.
        right: with what.
        name: the column that the left side is, or computes.
    """
    if not isinstance(right, (exp.Column, *_COMPUTED)) or right.find(exp.Column) is None:
        return
    if isinstance(right, exp.Column):
        scope.column(right)  # a text in the wrong quotes is said to be one
    if not isinstance(scope.fields[name], (Numeric, Calendar)):
        raise Refusal(right, f"{_WHY}compute whether they agree in the data and declare it in the schema")
    instead = node.copy()
    instead.set("this", exp.Sub(this=_side(left, scope), expression=_side(right, scope)))
    instead.set("expression", exp.Literal.number(0))
    raise Refusal(right, f"{_WHY}compare their difference: {instead.sql(dialect='duckdb')}")


def _side(node: exp.Expression, scope: Scope) -> exp.Expression:
    """A side of a difference; SQL takes times apart in its own way."""
    if not isinstance(node, exp.Column):
        return exp.Paren(this=node.copy())
    if isinstance(scope.domain(node), DateTime):
        return exp.Anonymous(this="DAYS", expressions=[node.copy()])
    return node.copy()
