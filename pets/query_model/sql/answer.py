"""HAVING, ORDER BY and LIMIT: which groups of the answer are listed by key, and how the noisy answer is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from sqlglot import exp

from pets.errors import did_you_mean
from pets.query_model.display import Display, Order
from pets.query_model.expression import And, Filter, IsIn, Not, Or
from pets.query_model.group_keys import KeySet
from pets.query_model.nodes.aggregate_base import Aggregate
from pets.query_model.sql.conditions import Conditions, bare, constant
from pets.query_model.sql.keys import NamedKey, key
from pets.query_model.sql.measures import is_measure, measure
from pets.query_model.sql.refusal import Refusal, at, listed, only
from pets.query_model.sql.scope import Scope, matched
from pets.schema.domain import MISSING

_KEYS = "KEYS"


@dataclass(frozen=True)
class Columns:
    """The columns of an answer, as HAVING and ORDER BY may name them.

    Attributes:
        select: the name of each item of SELECT, in order.
    """

    scope: Scope
    keys: tuple[NamedKey, ...]
    measures: Mapping[str, Aggregate]
    select: tuple[str, ...]

    def key_names(self) -> list[str]:
        """The keys' names in the answer."""
        return [one.key.name for one in self.keys]

    def name(self, node: exp.Expression) -> str:
        """The column of the answer that a node names: by its name, or the expression that it is of."""
        node = bare(node)
        if isinstance(node, exp.Column) and node.args.get("table") is None and isinstance(node.this, exp.Identifier):
            found = matched(node.this, [*self.measures, *self.key_names()])
            if found is not None:
                return found
        return self._of(node)

    def groups_by(self, node: exp.Expression) -> bool:
        """Whether a name is that of a column of the table that makes groups, whatever the answer calls them."""
        node = bare(node)
        if not isinstance(node, exp.Column) or not self.scope.seen(node) or self.scope.is_person(node):
            return False
        try:
            return self.scope.column(node) in [one.key.column for one in self.keys]
        except Refusal:
            return False  # what no question reads makes no groups

    def sorted_by(self, node: exp.Expression) -> str:
        """The column that ORDER BY names, where a whole number is a place in SELECT."""
        if not isinstance(node, exp.Literal) or not node.is_int:
            return self.name(node)
        place = int(node.this) if len(node.this) < 6 else 0
        if not 1 <= place <= len(self.select):
            raise Refusal(node, f"SELECT has {len(self.select)} columns; write one of their names")
        return self.select[place - 1]

    def _of(self, node: exp.Expression) -> str:
        """The column whose expression this is."""
        if is_measure(node):
            wanted = measure(node, self.scope)
            for name, aggregate in self.measures.items():
                if aggregate == wanted:
                    return name
            raise Refusal(node, "this measure is not in the answer; give it a name in SELECT, such as COUNT(*) AS n")
        if isinstance(node, exp.Column):
            names = [*self.measures, *self.key_names()]
            if not isinstance(node.this, exp.Identifier) or not self.scope.seen(node):
                raise Refusal(node, f"the answer has no column {node.name[:60]!r}{did_you_mean(node.name, names)}")
        wanted_key = key(node, self.scope)
        for one in self.keys:
            if _unnamed(one) == _unnamed(wanted_key):
                return one.key.name
        raise Refusal(node, "this is neither a group key nor a measure of the answer")


def _unnamed(one: NamedKey) -> Any:
    form = one.key.to_json()
    form.pop("label", None)
    return form, one.labels


def read_display(select: exp.Select, columns: Columns) -> tuple[Display | None, KeySet | None]:
    """How the answer is shown (``None``: as it is), and the groups that HAVING lists."""
    having, keyset = None, None
    node = select.args.get("having")
    if node is not None:
        only(node, "this")
        having, keyset = _having(node.this, columns)
    labels = tuple((one.key.name, one.labels) for one in columns.keys if one.labels)
    limit, offset = _whole(select, "limit"), _whole(select, "offset")
    display = Display(labels, having, _orders(select.args.get("order"), columns), limit, offset or 0)
    return (None if display == Display() else display), keyset


def _having(node: exp.Expression, columns: Columns) -> tuple[Filter | None, KeySet | None]:
    """The condition on measures, and the listed keys: ``KEYS(sex, age) IN (('Female', 3), …)``."""
    keyset: KeySet | None = None
    rest: Filter | None = None
    for term in _terms(node):
        keys = _listed(term, columns)
        if keys is None:
            found = Conditions(lambda name: _output(name, columns)).filter(term)
            _numbers(found, term)
            rest = found if rest is None else rest & found
        elif keyset is not None:
            raise Refusal(term, "the keys are listed twice; keep one list")
        else:
            keyset = keys
    return rest, keyset


def _numbers(condition: Filter, node: exp.Expression) -> None:
    """Refuse constants that are no numbers: measures are."""
    left = [condition]
    while left:
        one = left.pop()
        left += one.terms if isinstance(one, (And, Or)) else (one.term,) if isinstance(one, Not) else ()
        values = (getattr(one, name, 0) for name in ("value", "low", "high"))
        for value in (*values, *(one.values if isinstance(one, IsIn) else ())):
            if isinstance(value, bool) or not isinstance(value, (int, Fraction)):
                raise Refusal(node, "HAVING compares measures with numbers, such as HAVING COUNT(*) > 100")


def _terms(node: exp.Expression) -> list[exp.Expression]:
    out, left = [], [node]
    while left:
        one = bare(left.pop())
        if isinstance(one, exp.And):
            left += [one.expression, one.this]
        else:
            out.append(one)
    return out


def _output(node: exp.Expression, columns: Columns) -> str:
    if isinstance(bare(node), exp.Literal):
        raise Refusal(node, "in HAVING a number is a number, and no place in SELECT; write the name of a measure")
    name = columns.name(node)
    if name in columns.measures and columns.groups_by(node):
        raise Refusal(
            node,
            f"{name!r} is a column that makes groups, which goes before the measure in HAVING; give the measure "
            "another name, or write the measure itself, such as COUNT(*) > 100",
        )
    if name not in columns.measures:
        raise Refusal(node, "HAVING chooses groups by their measures; a condition on a key belongs into WHERE")
    if columns.measures[name].traits.shape == "bins":
        raise Refusal(node, f"{name!r} is a histogram: many numbers a group; choose by another measure")
    return name


def _listed(node: exp.Expression, columns: Columns) -> KeySet | None:
    """The key set of ``(sex, age) IN (…)`` or ``KEYS(sex, age) IN (…)``; ``None`` where the term is another one."""
    if not isinstance(node, exp.In) or not node.expressions:
        return None
    of = node.this
    own = isinstance(of, exp.Anonymous) and str(of.this).upper() == _KEYS
    if own or isinstance(of, exp.Tuple):
        parts: Sequence[exp.Expression] = of.expressions
    elif isinstance(of, exp.Column) and not of.args.get("table") and matched(of.this, columns.key_names()):
        parts = [of]
    else:
        return None
    only(node, "this", "expressions")
    names = []
    for part in parts:
        name = matched(part.this, columns.key_names()) if isinstance(part, exp.Column) else None
        if name is None:
            raise Refusal(part, f"keys are listed by their names in the answer: {', '.join(columns.key_names())}")
        names.append(name)
    if sorted(names) != sorted(columns.key_names()):
        raise Refusal(
            of,
            f"a list of keys names every group key once ({', '.join(columns.key_names())}); a condition on one of them "
            "belongs into WHERE",
        )
    shown = {
        one.key.name: {text: None if label == MISSING else label for label, text in one.labels} for one in columns.keys
    }
    rows = [_row(item, names, shown, nulls=own) for item in node.expressions]
    with at(node):
        return KeySet(tuple(names), tuple(rows))


def _row(
    node: exp.Expression, names: Sequence[str], shown: Mapping[str, Mapping[str, str | None]], *, nulls: bool
) -> tuple[Any, ...]:
    parts = node.expressions if isinstance(node, exp.Tuple) else [node]
    if len(parts) != len(names):
        raise Refusal(node, f"each listed key has {len(names)} values, in the order of the names")
    return tuple(_value(part, shown[name], nulls=nulls) for part, name in zip(parts, names, strict=True))


def _value(node: exp.Expression, shown: Mapping[str, str | None], *, nulls: bool) -> Any:
    node = bare(node)
    if isinstance(node, exp.Null):
        if nulls:
            return None
        raise Refusal(node, "IN finds no NULL; write KEYS(…) IN (…), where NULL is the group without a value")
    found = constant(node)
    if not shown:
        return found
    if found not in shown:
        raise Refusal(node, f"CASE gives no such name; it gives {listed(list(shown))}")
    return shown[found]


def _orders(node: exp.Expression | None, columns: Columns) -> tuple[Order, ...]:
    if node is None:
        return ()
    only(node, "expressions")
    return tuple(_order(one, columns) for one in node.expressions)


def _order(node: exp.Expression, columns: Columns) -> Order:
    of = node.this if isinstance(node, exp.Ordered) else node
    if isinstance(node, exp.Ordered):
        only(node, "this", "desc", "nulls_first")
    name = columns.sorted_by(of)
    if name in columns.measures and columns.measures[name].traits.shape == "bins":
        raise Refusal(of, f"{name!r} is a histogram: many numbers a group; order by another measure")
    return Order(name, bool(node.args.get("desc")), bool(node.args.get("nulls_first")))


def _whole(select: exp.Select, part: str) -> int | None:
    node = select.args.get(part)
    if node is None:
        return None
    only(node, "expression")
    number = node.expression
    if not isinstance(number, exp.Literal) or not number.is_int or len(number.this) > 9:
        raise Refusal(node, f"{part.upper()} takes a whole number of groups")
    return int(number.this)
