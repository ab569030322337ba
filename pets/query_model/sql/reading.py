"""Reading: a SELECT as the query that it asks, the same as the fluent form builds, or a refusal of the whole."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from sqlglot import exp

from pets.common.arguments import plain_arguments
from pets.errors import QueryError, SchemaError, shown
from pets.query_model.nodes.aggregate_base import Aggregate
from pets.query_model.query import Query
from pets.query_model.sql.answer import Columns, read_display
from pets.query_model.sql.computed import add, computed
from pets.query_model.sql.conditions import condition
from pets.query_model.sql.instead import instead
from pets.query_model.sql.keys import NamedKey, key
from pets.query_model.sql.measures import default_name, is_measure, measure
from pets.query_model.sql.parsing import tree
from pets.query_model.sql.people.ctes import written_out
from pets.query_model.sql.people.sources import about_people, people_scope
from pets.query_model.sql.refusal import Refusal, at, only, refused
from pets.query_model.sql.scope import FEATURES, STAR, Scope, matched
from pets.query_model.sql.subselect import source_of
from pets.schema.schema import Schema

_PARTS = ("expressions", "from_", "joins", "where", "group", "having", "order", "limit", "offset")
_DEEP = "the statement is nested too deeply to be read; write long lists with IN (…), and fewer brackets"


@plain_arguments(QueryError, "sql", "write pets.sql('SELECT sex, COUNT(*) AS n FROM stays GROUP BY sex', schema)")
def sql(text: str, schema: Schema) -> Query:
    """The query that a SELECT asks: the very query, with the digest, that the fluent form builds.

    The SQL is DuckDB's. ``COUNT(DISTINCT patient)`` of the column that names a person counts people; other columns are
    never counted distinctly. HAVING on measures, ORDER BY, LIMIT and the names that CASE gives to bins show the noisy
    answer in another way; they are no part of the question, so that it is charged once however it is shown. What is
    not answered is refused as a whole, with its place underlined and what to write instead. No SQL is stored or run.

    Warns where a day is compared with date-times and most of that day is left out.

    Raises:
        SqlError: names the part that is not answered, and what to write.
        QueryError, SchemaError: no SQL, no schema, or a query that cannot be.
    """
    query, remarks = read(text, schema)
    for remark in remarks:
        warnings.warn(remark, stacklevel=3)
    return query


def read(text: str, schema: Schema) -> tuple[Query, tuple[str, ...]]:
    """The query that a SELECT asks, as :func:`sql` gives it, and what that warns of.

    For whoever shows the remarks to somebody: warnings are the whole process's, and one of another thread, which may
    tell the custodian of real rows, would be taken for one of these.
    """
    if not isinstance(schema, Schema):
        raise SchemaError(
            f"sql needs a schema, such as pets.Schema.load('stays.yaml'), not {shown(schema)}: it says which column "
            "names a person"
        )
    try:
        query, remarks = _read(text, schema)
    except Refusal as refusal:
        raise refused(text, refusal) from None
    except RecursionError:
        raise QueryError(_DEEP) from None
    return query, tuple(dict.fromkeys(remarks))


def _read(text: str, schema: Schema) -> tuple[Query, list[str]]:
    select = written_out(tree(text))
    _whole(select)
    people = people_scope(select, schema) if about_people(select) else None
    scope, inner = source_of(select, schema) if people is None else (people, None)
    where = select.args.get("where")
    keys, measures, names = _columns(select, scope)
    met = None
    if where is not None:
        only(where, "this")
        met = condition(where.this, scope)
    display, keyset = read_display(select, Columns(scope, keys, measures, names))
    with at(select):
        asked = Query(scope.table) if people is None else people.query(met, select)
        for one in (inner, met) if people is None else ():
            asked = asked if one is None else asked.where(one)
        asked = asked.bound(**scope.bounds).with_columns(**scope.derived)
        plain = [one.key for one in keys]
        if plain:
            asked = asked.group_by(*(plain if keyset is None else [keyset, *plain]))
        return asked.agg(**measures).shown_as(display), scope.remarks


def _whole(select: exp.Select) -> None:
    """Refuse what a statement may have beside the parts that are read."""
    for name, value in select.args.items():
        if not value or name in _PARTS:
            continue
        node = value if isinstance(value, exp.Expression) else value[0] if isinstance(value, list) else select
        raise Refusal(node if isinstance(node, exp.Expression) else select, _ELSE.get(name, f"{name} is not answered"))


_ELSE = {
    "with_": "a query is one SELECT over one table; " + FEATURES,
    "distinct": "write GROUP BY for DISTINCT, and count people with COUNT(DISTINCT person)",
    "qualify": "QUALIFY chooses rows by a window; " + FEATURES,
    "windows": "a window looks at rows beside each other, and rows never leave; leave WINDOW out",
    "laterals": FEATURES,
    "sample": "which rows count is the bound's business: write FROM BOUND(stays, rows := 1)",
    "into": "a query writes no table; release.save('answer.parquet') does",
    "kind": "rows never leave as structures; name measures, such as COUNT(*) AS n",
}


# keys and measures ----------------------------------------------------------------------------------------------------


@dataclass
class _Item:
    """One expression of SELECT: a key or a measure, under the name that AS gives it."""

    node: exp.Expression
    name: str
    measure: Aggregate | None = None
    key: NamedKey | None = None
    used: bool = False


def _columns(select: exp.Select, scope: Scope) -> tuple[tuple[NamedKey, ...], dict[str, Aggregate], tuple[str, ...]]:
    """The keys, the measures, and the answer's name of each item of SELECT."""
    for node in select.expressions:
        _computed(node, scope)
    items = [_item(node, scope) for node in select.expressions]
    keys = _keys(select, items, scope)
    taken = {one.key.name for one in keys}
    measures: dict[str, Aggregate] = {}
    for item in items:
        if item.measure is not None:
            if item.name and item.name in (*taken, *measures):
                raise Refusal(item.node, f"the name {item.name!r} is used twice in the answer; rename one with AS")
            item.name = item.name or _free(default_name(item.measure), {*taken, *measures})
            measures[item.name] = item.measure
        elif not item.used:
            said = "rows never leave, and this is neither a measure nor a group key; group by it"
            raise Refusal(item.node, instead(item.node) or said)
    if not measures:
        raise Refusal(select, "the query asks for no measure; add one, such as COUNT(*) AS n")
    return keys, measures, tuple(item.name for item in items)


def _computed(node: exp.Expression, scope: Scope) -> None:
    """A key that SELECT computes and names is a column of that name."""
    if not isinstance(node, exp.Alias) or is_measure(node.this):
        return
    if not scope.computes:
        scope.named(node.this, str(node.alias))
    elif scope.free(str(node.alias)):
        found = computed(node.this, scope)
        if found is not None and found not in scope.derived.values():
            add(node.this, str(node.alias), found, scope)


def _item(node: exp.Expression, scope: Scope) -> _Item:
    name = ""
    if isinstance(node, exp.Alias):
        only(node, "this", "alias")
        name, node = str(node.alias), node.this
    if isinstance(node, exp.Star) or (isinstance(node, exp.Column) and isinstance(node.this, exp.Star)):
        raise Refusal(node, STAR)
    return _Item(node, name, measure=measure(node, scope)) if is_measure(node) else _Item(node, name)


def _free(name: str, taken: set[str]) -> str:
    number = 1
    while (found := name if number == 1 else f"{name}_{number}") in taken:
        number += 1
    return found


def _keys(select: exp.Select, items: list[_Item], scope: Scope) -> tuple[NamedKey, ...]:
    group = select.args.get("group")
    if group is None:
        return ()
    plain = [item for item in items if item.measure is None]
    if group.args.get("all"):
        only(group, "all")
        return tuple(_named(item, scope) for item in plain)
    for name in ("rollup", "cube", "grouping_sets", "totals"):
        if group.args.get(name):
            part = group.args[name]
            node = part[0] if isinstance(part, list) else group
            raise Refusal(node, instead(node) or "group by the plain keys; totals are taken of the answer")
    only(group, "expressions")
    return tuple(_key(node, items, plain, scope) for node in group.expressions)


def _key(node: exp.Expression, items: list[_Item], plain: list[_Item], scope: Scope) -> NamedKey:
    """A key of GROUP BY, under the name that SELECT gives to the same expression."""
    if isinstance(node, exp.Literal) and node.is_int:
        place = int(node.this) if len(node.this) < 6 else 0
        if not 1 <= place <= len(items) or items[place - 1].measure is not None:
            raise Refusal(node, "this is no place of a key in SELECT; write the key itself")
        return _named(items[place - 1], scope)
    if isinstance(node, exp.Column) and not node.args.get("table") and isinstance(node.this, exp.Identifier):
        # a column comes before a name given by AS, as in DuckDB
        named = {item.name: item for item in plain if item.name}
        alias = matched(node.this, named)
        if alias is not None and not scope.seen(node):
            return _named(named[alias], scope)
    found = key(node, scope)
    for item in plain:
        if not item.used and _same(item, found, scope):
            return _named(item, scope)
    return found


def _same(item: _Item, wanted: NamedKey, scope: Scope) -> bool:
    """Whether an item of SELECT is the same expression as a key."""
    try:
        return key(item.node, scope) == wanted
    except Refusal:
        return False  # it is looked at again, as no key


def _named(item: _Item, scope: Scope) -> NamedKey:
    if item.key is None:
        found = key(item.node, scope)
        with at(item.node):
            item.key = found.called(item.name) if item.name else found
    item.used, item.name = True, item.key.key.name
    return item.key
