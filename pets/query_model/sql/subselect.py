"""Sub-selects that compute columns: FROM (SELECT *, discharged - admitted AS days FROM stays)."""

from __future__ import annotations

from fractions import Fraction

from sqlglot import exp

from pets.query_model.expression import Filter
from pets.query_model.nodes.derived import Linear
from pets.query_model.sql.computed import add, computed
from pets.query_model.sql.conditions import condition
from pets.query_model.sql.instead import instead
from pets.query_model.sql.refusal import Refusal, only
from pets.query_model.sql.scope import Scope, called, scope_of
from pets.schema.schema import Schema

_PARTS = ("expressions", "from_", "joins", "where")


def source_of(select: exp.Select, schema: Schema) -> tuple[Scope, Filter | None]:
    """What a statement reads: one table with the columns computed of it, and the condition of its sub-selects."""
    source = select.args.get("from_")
    inner = None if source is None else source.this
    if not isinstance(inner, exp.Subquery) or not _computes(inner.this):
        return scope_of(select, schema), None
    assert source is not None
    only(source, "this")
    only(inner, "this", "alias")
    if select.args.get("joins"):
        raise Refusal(select.args["joins"][0], "join the table of people inside the sub-select")
    below = inner.this
    scope, met = source_of(below, schema)
    listed = _columns(below, scope)
    where = below.args.get("where")
    if where is not None:
        only(where, "this")
        found = condition(where.this, scope)
        met = found if met is None else met & found
    # only now: the sub-select's own WHERE may name what it does not list
    scope.visible = listed if scope.visible is None or listed is None else listed & scope.visible
    called(inner, scope)
    return scope, met


def _computes(node: exp.Expression) -> bool:
    """Whether a sub-select only lists and computes columns of each row; others are features of a person."""
    if not isinstance(node, exp.Select):
        return False
    parts = [name for name, value in node.args.items() if value and name not in _PARTS]
    return not parts and not any(isinstance(part, (exp.AggFunc, exp.Window)) for part in node.walk())


def _columns(select: exp.Select, scope: Scope) -> set[str] | None:
    """The columns that a sub-select lists (``None``: all); later ones may be made of earlier ones, as in DuckDB."""
    listed: set[str] | None = set()
    for node in select.expressions:
        if isinstance(node, exp.Star):
            only(node)
            listed = None
            continue
        name = _listed(node, scope)
        if listed is not None:
            listed.add(name)
    return listed


def _listed(node: exp.Expression, scope: Scope) -> str:
    name, of = (str(node.alias), node.this) if isinstance(node, exp.Alias) else ("", node)
    if isinstance(node, exp.Alias):
        only(node, "this", "alias")
    if isinstance(of, exp.Column) and not isinstance(of.this, exp.Star):
        own = str(scope.unit) if scope.is_person(of) else scope.column(of)
        if name in ("", own):
            return own
        if scope.is_person(of):
            raise Refusal(node, f"the column that names people keeps its name; write {own}")
    found = computed(of, scope)
    if isinstance(of, exp.Column) and not isinstance(of.this, exp.Star):
        found = Linear(((scope.column(of), Fraction(1)),))  # a number or a date under another name
    if found is None:
        raise Refusal(node, instead(of) or "a sub-select lists columns, and what is computed of them")
    if not name:
        raise Refusal(node, "give what is computed a name, such as AS days")
    if scope.visible is not None and name not in scope.visible:
        scope.visible.add(name)
    add(node, name, found, scope)
    return name
