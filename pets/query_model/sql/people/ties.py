"""Ties: that two sources are joined by the person, and by nothing else."""

from __future__ import annotations

from sqlglot import exp

from pets.query_model.sql.conditions import and_terms, bare
from pets.query_model.sql.people.scope import PeopleScope, Source
from pets.query_model.sql.refusal import Refusal
from pets.query_model.sql.scope import matched


def tied(join: exp.Join, added: Source, scope: PeopleScope) -> list[exp.Expression]:
    """Refuse a join that is not by the person; what else ON says."""
    using, on = join.args.get("using") or [], join.args.get("on")
    earlier = [one for one in scope.sources if one is not added and not one.left and one.person]
    if using:
        names = [added.person, *(one.person for one in earlier[:1])]
        if on is None and len(using) == 1 and len(names) == 2 and all(matched(using[0], [name]) for name in names):
            return []
        raise Refusal(join, "people are joined by the person: USING (patient)")
    rest: list[exp.Expression] = []
    met = False
    for node in [] if on is None else and_terms(on):
        if isinstance(node, exp.EQ) and _two_people(node, added, earlier):
            met = True
        else:
            rest.append(node)
    if not met:
        where = f"{added.alias}.{added.person} = {earlier[0].alias}.{earlier[0].person}" if earlier else "…"
        raise Refusal(on or join, f"people are joined by the person, and by nothing else: ON {where}")
    return rest


def _two_people(node: exp.EQ, added: Source, earlier: list[Source]) -> bool:
    sides = [bare(node.this), bare(node.expression)]
    if not all(isinstance(side, exp.Column) and side.args.get("table") is not None for side in sides):
        return False

    def names(side: exp.Expression, source: Source) -> bool:
        called = str(side.args["table"].name).casefold() == source.alias.casefold()
        return called and bool(source.person) and matched(side.this, [source.person]) is not None

    return any(
        names(one, added) and any(names(other, source) for source in earlier) for one, other in (sides, sides[::-1])
    )
