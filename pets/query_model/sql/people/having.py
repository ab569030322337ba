"""HAVING of a sub-query by person: a condition on what is read of each person's rows."""

from __future__ import annotations

from sqlglot import exp

from pets.query_model.expression import And, Filter, IsNull, Not, Or
from pets.query_model.sql.conditions import condition
from pets.query_model.sql.people import readings
from pets.query_model.sql.people.groups import Group
from pets.query_model.sql.people.scope import Named, PeopleScope, Source
from pets.query_model.sql.refusal import only, span


def having_of(group: Group, source: Source, scope: PeopleScope) -> Filter:
    """HAVING of a sub-query: a condition on what is read of each person."""
    assert group.having is not None
    only(group.having, "this")
    hidden = Source("", {})
    tree = group.having.this.copy()
    holder = exp.Having(this=tree)
    for node in list(tree.walk(prune=_ends)):
        if not _ends(node):
            continue
        readings.refuse_window(node)
        name = scope.add(readings.reading(node, group.rows, group.scope, grouped=True), node)
        hidden.columns[name] = Named(name)
        column = exp.Column(this=exp.to_identifier(name, quoted=True))
        place = span(node)
        column.this.meta.update({} if place is None else {"start": place[0], "end": place[1]})
        node.replace(column)
    before = scope.sources
    scope.sources = [source, hidden]
    try:
        return condition(holder.this, scope)
    finally:
        scope.sources = before


def either(found: Filter, scope: PeopleScope, *, met: bool = True) -> Filter:
    """A condition that is met, or is not: never unknown, as IN is for people whom HAVING has no answer for.

    Args:
        found: the condition, which what is missing leaves unknown.
        scope: says what may be missing.
        met: whether its being met is asked for, or its not being met.
    """
    if isinstance(found, Not):
        return either(found.term, scope, met=not met)
    if isinstance(found, (And, Or)):
        kind = And if isinstance(found, And) == met else Or
        terms = [either(term, scope, met=met) for term in found.terms]
        return kind(tuple(part for term in terms for part in (term.terms if type(term) is kind else (term,))))
    leaf = found if met else Not(found)
    column = getattr(found, "column", None)
    if isinstance(found, IsNull) or column is None or not scope.fields[column].nullable:
        return leaf
    return leaf & Not(IsNull(column))


def may_be_denied(node: exp.Expression) -> bool:
    """Whether a condition stands below NOT, so that unknown is not the same as not met."""
    above = node.parent
    while above is not None and not isinstance(above, exp.Select):
        if isinstance(above, (exp.Not, exp.Having)):
            return True
        above = above.parent
    return False


def _ends(node: exp.Expression) -> bool:
    """Whether a node is an aggregate with all that belongs to it."""
    if isinstance(node, exp.Filter) or (isinstance(node, exp.Least) and readings.is_aggregate(node)):
        return True
    return isinstance(node, (exp.Anonymous, exp.AggFunc, exp.Window)) and readings.is_aggregate(node)
