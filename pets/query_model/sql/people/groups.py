"""Groups: a sub-query with GROUP BY the person, or SELECT DISTINCT of it: one row a person, made of their own rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from pets.query_model.expression import And
from pets.query_model.features import CAPPED, Feature, Reading, Rows, Versus, Within
from pets.query_model.sql.conditions import bare
from pets.query_model.sql.people import readings
from pets.query_model.sql.people.rows import RowScope, row_scope, rows_of
from pets.query_model.sql.refusal import Refusal, only
from pets.query_model.sql.scope import matched

_PARTS = ("expressions", "from_", "joins", "where", "group", "having", "distinct")


@dataclass
class Group:
    """A sub-query that has one row a person: SELECT patient, MIN(day) AS first FROM t WHERE … GROUP BY patient.

    Attributes:
        person: what it calls the person ('': it does not list the column).
        attributes: the columns of the person table that it lists, by their names.
    """

    scope: RowScope
    rows: Rows
    features: dict[str, Feature]
    person: str
    attributes: dict[str, str]
    having: exp.Expression | None


def by_person(select: exp.Select) -> bool:
    """Whether a sub-query makes one row of several."""
    group = select.args.get("group")
    if select.args.get("distinct"):
        return True
    return group is not None or any(readings.is_aggregate(one) for one in select.expressions)


def grouped(select: exp.Select, people: Any, outer: Any = None) -> Group:
    """Read a sub-query that groups by the person."""
    only(select, *_PARTS)
    scope = row_scope(select, people, outer)
    _join_features(select, scope, people)
    rows = rows_of(select, scope, tied=False)
    _followed(select, scope, rows)
    _only_person(select, scope)
    features: dict[str, Feature] = {}
    attributes: dict[str, str] = {}
    person = ""
    taken: list[str] = []
    for node in select.expressions:
        of, name = (node.this, str(node.alias)) if isinstance(node, exp.Alias) else (node, "")
        readings.refuse_window(of)
        if isinstance(of, exp.Column) and scope.is_person(of):
            person = once(name or str(scope.unit), taken, node)
            continue
        if isinstance(of, exp.Column) and not isinstance(of.this, exp.Star):
            attributes[once(name or scope.column(of), taken, node)] = scope.column(of)
            continue
        if not readings.is_aggregate(of):
            raise Refusal(
                node, f"a sub-query by person lists the person and what is read of the rows; {readings.KNOWN}"
            )
        if not name:
            raise Refusal(node, "give what is read a name, such as AS first")
        features[once(name, taken, node)] = readings.reading(of, rows, scope, grouped=True)
    having = select.args.get("having")
    return Group(scope, rows, features, person, attributes, having)


def once(name: str, taken: list[str], node: exp.Expression) -> str:
    """A name that a sub-query gives once, whatever its case: of two, SQL takes the first."""
    if name.casefold() in taken:
        raise Refusal(node, f"the name {name[:60]!r} is used twice in the sub-query; rename one with AS")
    taken.append(name.casefold())
    return name


def _only_person(select: exp.Select, scope: RowScope) -> None:
    """Refuse a sub-query whose rows are not people."""
    unit, group = scope.unit, select.args.get("group")
    said = f"a sub-query about people has one row a person: GROUP BY {unit}"
    if select.args.get("distinct"):
        only(select.args["distinct"])
        if group is not None or len(select.expressions) != 1 or not scope.is_person(inner_of(select.expressions[0])):
            raise Refusal((select.expressions or [select])[0], f"{said}; or SELECT DISTINCT {unit} alone")
        return
    if group is None:
        raise Refusal(select, said)
    only(group, "expressions", "all")
    listed = (
        list(group.expressions)
        if not group.args.get("all")
        else [inner_of(one) for one in select.expressions if not readings.is_aggregate(one)]
    )
    people = 0
    for node in listed:
        if isinstance(node, exp.Literal) and node.is_int and 1 <= int(node.this[:6]) <= len(select.expressions):
            node = inner_of(select.expressions[int(node.this[:6]) - 1])
        if not isinstance(node, exp.Column) or isinstance(node.this, exp.Star):
            raise Refusal(node, said)
        if scope.is_person(node):
            people += 1
        elif scope.column(node) in scope.schema.table(scope.table).columns:
            raise Refusal(node, f"{said}, and by columns of the person table; of others read one, such as MIN(day)")
    if not people:
        raise Refusal(group, said)
    for one in select.expressions:
        of = inner_of(one)
        plain = isinstance(of, exp.Column) and not isinstance(of.this, exp.Star) and not scope.is_person(of)
        if plain and not any(isinstance(node, exp.Column) and _same(node, of, scope) for node in listed):
            raise Refusal(one, "this is neither read of the rows nor grouped by; read one, such as MIN(day) AS first")


def _same(one: exp.Expression, other: exp.Expression, scope: RowScope) -> bool:
    return not scope.is_person(one) and scope.column(one) == scope.column(other)


def inner_of(node: exp.Expression) -> exp.Expression:
    """An expression without the name that AS gives it."""
    return node.this if isinstance(node, exp.Alias) else node


def _join_features(select: exp.Select, scope: RowScope, people: Any) -> None:
    """Features that a sub-query joins, to compare its rows with them."""
    for join in select.args.get("joins") or ():
        if not isinstance(join.this, exp.Subquery):
            continue
        only(join, "this", "kind", "on", "using")
        if join.args.get("kind") not in (None, "", "INNER") or not by_person(join.this.this):
            raise Refusal(join, "rows are compared with features by JOIN (SELECT person, … GROUP BY person) AS f ON …")
        group = grouped(join.this.this, people)
        if group.having is not None or group.attributes:
            raise Refusal(join, "features that rows are compared with have no HAVING; put the condition outside")
        alias = alias_of(join.this).casefold()
        if not alias or alias in scope.aliases or alias in scope.joined:
            raise Refusal(join, "give the sub-query a name of its own, with AS")
        scope.joined[alias], scope.persons[alias] = dict(group.features), group.person
        if not _meet(join, scope, group, alias):
            raise Refusal(
                join.args.get("on") or join, f"sub-queries meet by the person alone: ON {scope.table}.{scope.unit} = …"
            )


def _meet(join: exp.Join, scope: RowScope, group: Group, alias: str) -> bool:
    using, on = join.args.get("using") or [], join.args.get("on")
    if using:
        both = group.person == scope.unit
        return both and on is None and len(using) == 1 and matched(using[0], [str(scope.unit)]) is not None
    if not isinstance(on, exp.EQ):
        return False
    sides = [bare(on.this), bare(on.expression)]
    mine = [side for side in sides if scope.own(side) and scope.is_person(side)]
    theirs = [
        side
        for side in sides
        if isinstance(side, exp.Column)
        and str(side.table).casefold() == alias
        and group.person
        and matched(side.this, [group.person]) is not None
    ]
    return len(mine) == 1 and len(theirs) == 1


def _followed(select: exp.Select, scope: RowScope, rows: Rows) -> None:
    """Refuse joined features that no condition needs: SQL would leave out people who have none, and pets would not."""
    terms = rows.condition.terms if isinstance(rows.condition, And) else (rows.condition,)
    needed = {term.feature.key for term in terms if isinstance(term, (Versus, Within)) and _missing(term.feature)}
    for alias, features in scope.joined.items():
        if not any(one.key in needed for one in features.values()):
            raise Refusal(
                select,
                f"people whom {alias!r} does not have are left out by SQL here; compare a row with a date of it, by "
                "AND, or join it outside the sub-query",
            )


def _missing(feature: Feature) -> bool:
    """Whether people without a row have no value of it."""
    return isinstance(feature, Reading) and feature.how not in (*CAPPED, "exists")


def alias_of(node: exp.Expression, otherwise: str = "") -> str:
    """What a table or a sub-query is called."""
    alias = node.args.get("alias")
    if alias is not None:
        only(alias, "this")
    return str(node.alias) or otherwise
