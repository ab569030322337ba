"""Whole numbers: what SQL computes in them throughout, for its // rounds down nothing else."""

from __future__ import annotations

from sqlglot import exp

from pets.query_model.sql.conditions import bare
from pets.query_model.sql.refusal import Refusal
from pets.query_model.sql.scope import Scope
from pets.schema.dates import Date
from pets.schema.domain import Domain
from pets.schema.numeric import Integer


def rounds_down(node: exp.IntDiv, domain: Domain, scope: Scope) -> None:
    """Refuse // where SQL does not round down: it rounds towards 0, and quotients of doubles not at all.

    Args:
        domain: what is divided may be.
    """
    if not (isinstance(domain, Integer) and is_whole(node.this, scope) and is_whole(node.expression, scope)):
        why = "// rounds quotients of whole numbers alone"
    elif domain.lo < 0:
        why = "// rounds towards 0, and what is divided may be negative"
    else:
        return
    above, below = (part.sql(dialect="duckdb") for part in (node.this, node.expression))
    raise Refusal(node, f"{why}; write FLOOR({above} / {below})")


def is_whole(node: exp.Expression, scope: Scope) -> bool:
    """Whether SQL computes an expression in whole numbers throughout: 2.0 and FLOOR(x) are no such numbers there."""
    node = bare(node)
    if isinstance(node, exp.Column):
        name = scope.column(node)
        return name in scope.whole if name in scope.derived else isinstance(scope.fields[name], (Integer, Date))
    if isinstance(node, exp.Literal):
        return not node.args.get("is_string") and str(node.this).isdigit()
    if isinstance(node, exp.Neg):
        return is_whole(node.this, scope)
    if isinstance(node, (exp.Add, exp.Sub, exp.Mul, exp.IntDiv)):
        return is_whole(node.this, scope) and is_whole(node.expression, scope)
    if isinstance(node, (exp.Least, exp.Greatest)) or _is_extreme(node):
        first = [node.this] if isinstance(node.this, exp.Expression) else []
        return all(is_whole(part, scope) for part in [*first, *node.expressions])
    return isinstance(node, (exp.DateDiff, exp.Anonymous))  # days, and ages in pets' own words


def _is_extreme(node: exp.Expression) -> bool:
    return isinstance(node, exp.Anonymous) and str(node.this).upper() in ("MIN_OF", "MAX_OF")
