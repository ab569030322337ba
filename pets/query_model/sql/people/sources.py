"""Sources: what a statement about people reads, each one row a person, and how they are joined."""

from __future__ import annotations

from sqlglot import exp

from pets.query_model.expression import Filter
from pets.query_model.features import CAPPED, Reading, Rows
from pets.query_model.sql.conditions import condition
from pets.query_model.sql.people import computing, readings
from pets.query_model.sql.people.groups import Group, alias_of, by_person, grouped, inner_of, once
from pets.query_model.sql.people.having import either, having_of, may_be_denied
from pets.query_model.sql.people.parts import own_column
from pets.query_model.sql.people.rows import row_scope, rows_of
from pets.query_model.sql.people.scope import ANY, UNIVERSE, Named, PeopleScope, Source
from pets.query_model.sql.people.ties import tied
from pets.query_model.sql.refusal import Refusal, only
from pets.query_model.sql.scope import FEATURES, table_named
from pets.schema.schema import Schema

_PROJECTED = ("expressions", "from_", "joins", "where")


def about_people(select: exp.Select) -> bool:
    """Whether a statement asks about people: it has sub-queries by person, or names everybody."""
    for node in select.walk():
        if isinstance(node, exp.Exists) or (isinstance(node, exp.In) and node.args.get("query") is not None):
            return True
        if isinstance(node, exp.Table) and _is_universe(node):
            return True
        if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Select):
            inner = node.this
            plain = isinstance(node.parent, exp.From) and not inner.args.get("group") and not inner.args.get("distinct")
            if not plain:
                return True
    return False


def people_scope(select: exp.Select, schema: Schema) -> PeopleScope:
    """What a statement about people reads."""
    words = frozenset(str(part.name).casefold() for part in select.find_all(exp.Identifier))
    scope = PeopleScope(schema, "people", words=words)
    _from(select, scope)
    return scope


def _is_universe(node: exp.Table) -> bool:
    return isinstance(node.this, exp.Anonymous) and str(node.this.this).upper() == UNIVERSE


def _from(select: exp.Select, scope: PeopleScope) -> None:
    """FROM, and what is joined to it."""
    source = select.args.get("from_")
    if source is None:
        raise Refusal(select, f"name the table, such as FROM {next(iter(scope.schema.tables))}")
    only(source, "this")
    _base(source.this, scope)
    for join in select.args.get("joins") or ():
        _join(join, scope)


def _base(node: exp.Expression, scope: PeopleScope) -> None:
    if isinstance(node, exp.Subquery):
        only(node, "this", "alias")
        if not isinstance(node.this, exp.Select):
            raise Refusal(node, "a sub-query is one SELECT over one table")
        if by_person(node.this):
            _place(grouped(node.this, scope), alias_of(node), scope, "base", node)
        else:
            _project(node.this, alias_of(node), scope)
        return
    if not isinstance(node, exp.Table):
        raise Refusal(node, FEATURES)
    only(node, "this", "db", "catalog", "alias")
    if _is_universe(node):
        scope.of = _whose(node.this, scope)
        scope.planned()
        scope.sources.append(Source(alias_of(node, UNIVERSE.lower()), {}, "id", attributes=ANY))
        return
    name = _table(node, scope)
    scope.of = name
    scope.planned()
    unit = scope.schema.table(name).unit.column
    scope.sources.append(Source(alias_of(node, name), {}, str(unit), attributes=name))


def _whose(call: exp.Anonymous, scope: PeopleScope) -> str | None:
    """PEOPLE() is everybody, PEOPLE(stays) who has a row in a table."""
    if not call.expressions:
        return None
    table = call.expressions[0]
    if len(call.expressions) == 1 and isinstance(table, exp.Column) and table.args.get("table") is None:
        found = table_named(table.this, scope.schema)
        if found is not None:
            return found
    raise Refusal(call, f"write {UNIVERSE}(stays) for people with a row in a table, or {UNIVERSE}()")


def _table(node: exp.Table, scope: PeopleScope) -> str:
    """A table that holds one row a person."""
    if not isinstance(node.this, exp.Identifier):
        raise Refusal(node, "features say themselves how many rows they read; write BOUND inside the sub-query")
    found = table_named(node.this, scope.schema)
    if found is None:
        raise Refusal(node, f"table {node.name[:60]!r} is not in the schema")
    unit = scope.schema.table(found).unit
    if unit.column is None:
        raise Refusal(node, f"table {found!r} names no person, so it cannot be asked about people")
    if unit.max_rows != 1:
        raise Refusal(
            node,
            f"table {found!r} has many rows of a person, and people count once here: write (SELECT DISTINCT "
            f"{unit.column} FROM {found}) AS p for its people, or a sub-query with GROUP BY {unit.column}",
        )
    return found


# their place in the statement -----------------------------------------------------------------------------------------


def _place(group: Group, alias: str, scope: PeopleScope, how: str, node: exp.Expression) -> None:
    """Add a sub-query's features, and who is in by it (``how``: base, inner or left)."""
    whole = how == "base" and group.rows == Rows(group.scope.table) and group.having is None
    if whole:
        scope.of = group.scope.table
        scope.planned()
    columns: dict[str, Named] = {}
    for name, feature in group.features.items():
        known = scope.features.get(name)
        free = known is None or known.key == feature.key
        wanted = name if free else scope.fresh(f"{group.rows.table}_{name}")
        gap = how == "left" and isinstance(feature, Reading) and feature.how in CAPPED
        columns[name] = Named(scope.add(feature, node, wanted), gap)
    scope.sources.append(Source(alias, columns, group.person, group.rows, how == "left"))
    if not scope.features and scope.of is None and group.having is None:
        scope.there(scope.sources[-1], node)  # people have columns only once it is known which
    for name, of in group.attributes.items():
        columns[name] = Named(scope.attribute(of, node))
    if how == "left" and group.having is not None:
        raise Refusal(group.having, "HAVING beside LEFT JOIN takes features away from people; put it into WHERE")
    if how != "left" and not whole:
        scope.needed.append(group.rows)
        if group.having is not None:
            scope.met.append(having_of(group, scope.sources[-1], scope))


def _join(join: exp.Join, scope: PeopleScope) -> None:
    """A join of one row a person, by the person."""
    target = join.this
    only(join, "this", "side", "kind", "on", "using")
    side = str(join.args.get("side") or "")
    if side not in ("", "LEFT") or str(join.args.get("kind") or "") not in ("", "INNER", "OUTER"):
        raise Refusal(join, "people are joined with JOIN, or with LEFT JOIN")
    how = "left" if side == "LEFT" else "inner"
    before = len(scope.sources)
    if isinstance(target, exp.Subquery):
        only(target, "this", "alias")
        if not isinstance(target.this, exp.Select) or not by_person(target.this):
            raise Refusal(target, "a sub-query that is joined has one row a person: SELECT person, … GROUP BY person")
        _place(grouped(target.this, scope), alias_of(target), scope, how, target)
    else:
        _join_table(join, target, scope, how)
    added = scope.sources[before]
    if any(one.alias.casefold() == added.alias.casefold() for one in scope.sources[:before]):
        raise Refusal(target, f"two tables of the statement are called {added.alias!r}; give one another name with AS")
    rest = tied(join, added, scope)
    if rest and how == "left":
        raise Refusal(
            rest[0], "a LEFT JOIN keeps everybody, so a condition beside the person belongs into the sub-query"
        )
    scope.met += [condition(node, scope) for node in rest]


def _join_table(join: exp.Join, target: exp.Expression, scope: PeopleScope, how: str) -> None:
    if not isinstance(target, exp.Table) or _is_universe(target):
        raise Refusal(join, FEATURES)
    only(target, "this", "db", "catalog", "alias")
    name = _table(target, scope)
    unit = str(scope.schema.table(name).unit.column)
    rows = Rows(name)
    scope.sources.append(Source(alias_of(target, name), {}, unit, rows, how == "left", attributes=name))
    if how == "inner":
        scope.needed.append(rows)


def among(node: exp.Expression, scope: PeopleScope) -> Filter:
    """IN (SELECT patient FROM …): the condition of being one of them."""
    select = node.this if isinstance(node, exp.Subquery) else node
    if not isinstance(select, exp.Select) or len(select.expressions) != 1:
        raise Refusal(node, "IN takes the people of one SELECT: WHERE patient IN (SELECT patient FROM stays WHERE …)")
    if not select.args.get("group") and not select.args.get("distinct"):
        only(select, *_PROJECTED)
        inner = row_scope(select, scope, scope)
        if not inner.own(inner_of(select.expressions[0])) or not inner.is_person(inner_of(select.expressions[0])):
            raise Refusal(select.expressions[0], f"IN takes people: SELECT {inner.unit} FROM {inner.table}")
        if select.args.get("joins"):
            raise Refusal(select.args["joins"][0], FEATURES)
        rows = rows_of(select, inner, tied=False)
        return scope.there(Source(inner.table, {}, rows=rows), node)
    group = grouped(select, scope)
    if not group.person:
        raise Refusal(select.expressions[0], "IN takes people: SELECT the person in the sub-query")
    source = Source(group.rows.table, {}, group.person, group.rows)
    there = scope.there(source, node)
    if group.having is None:
        return there
    met = having_of(group, source, scope)
    return there & (either(met, scope) if may_be_denied(node) else met)


# a sub-select around people -------------------------------------------------------------------------------------------


def _project(select: exp.Select, alias: str, scope: PeopleScope) -> None:
    """FROM (SELECT *, … AS name FROM people): names for what is computed of each person."""
    only(select, *_PROJECTED)
    _from(select, scope)
    listed: dict[str, Named] = {}
    made = Source("", {})
    whole, person = any(isinstance(node, exp.Star) for node in select.expressions), ""
    taken = [name.casefold() for one in scope.sources for name in scope.listed(one)] if whole else []
    scope.sources.append(made)
    for node in select.expressions:
        if isinstance(node, exp.Star):
            only(node)
            for one in scope.sources:
                for name, stands in one.columns.items():
                    if listed.setdefault(name, stands) != stands:
                        raise Refusal(node, f"two of the tables have a column {name!r}; list the columns by name")
            person = person or next((one.person for one in scope.sources if one.person and not one.left), "")
            continue
        of, name = (node.this, str(node.alias)) if isinstance(node, exp.Alias) else (node, "")
        readings.refuse_window(of)
        if readings.is_aggregate(of):
            raise Refusal(node, FEATURES)
        if isinstance(of, exp.Column) and not isinstance(of.this, exp.Star):
            if scope.is_person(of):
                if scope.present(of) is not None:
                    raise Refusal(of, "name the person of the first table")
                person = once(name or str(of.name), taken, node)
            else:
                listed[once(name or str(of.name), taken, node)] = Named(scope.column(of))
            continue
        if not name:
            raise Refusal(node, "give what is computed a name, such as AS days")
        once(name, taken, node)
        column = own_column(of, scope)
        if column is not None:
            scope.derive(name, column, of)
            listed[name] = made.columns[name] = Named(name)
            continue
        case = computing.names_by_conditions(of, scope)
        found = scope.named(of, name) if case is None else scope.add(case, of, name)
        if found is None:
            raise Refusal(node, f"this is no feature of a person; {FEATURES}")
        listed[name] = made.columns[name] = Named(found)
    where = select.args.get("where")
    if where is not None:
        only(where, "this")
        scope.met.append(condition(where.this, scope))
    tables = {one.attributes for one in scope.sources if one.attributes} if whole else set()
    scope.sources = [Source(alias, listed, person, attributes=tables.pop() if len(tables) == 1 else "")]
