"""Scope: what the names of a statement stand for: one table, the attributes of its people, their columns.

Names are matched whatever their case, in quotes, too, as in DuckDB; one that may be several is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from sqlglot import exp

from pets.errors import did_you_mean
from pets.query_model.expression import Filter
from pets.query_model.nodes.derived import Derived
from pets.query_model.query import BOUNDS
from pets.query_model.sql.refusal import Refusal, at, only
from pets.schema.domain import Domain, Identifier
from pets.schema.schema import Schema

FEATURES = (
    "what is known of a person is read in a sub-query by person: FROM (SELECT patient, MIN(admitted) AS first FROM "
    "stays GROUP BY patient), or EXISTS (SELECT 1 FROM stays WHERE stays.patient = p.patient AND …)"
)
_MADE = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Neg, exp.Floor, exp.Least, exp.Greatest, exp.DateDiff)

NO_QUESTION = (
    "ask for another column, or have the custodian declare this one as a category (with its values) or a text in the "
    "schema"
)


@dataclass
class Scope:
    """One table of a schema as a statement calls it, and what is collected while the statement is read.

    Attributes:
        fields: every column that a query on the table may name.
        unit: the column that names a person (``None``: a row is a person).
        bounds: what BOUND states.
        person: the table of people's attributes, where the statement joins it.
        derived: the columns that the statement computes, by name.
        whole: those of them that SQL computes in whole numbers, as its types go.
        visible: the columns that a sub-select lists (``None``: all).
        remarks: what a reader should know of conditions that are read otherwise than they look.
    """

    schema: Schema
    table: str
    bounds: dict[str, int] = field(default_factory=dict)
    person: str | None = None
    aliases: dict[str, str] = field(default_factory=dict)
    derived: dict[str, Derived] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)
    visible: set[str] | None = None
    remarks: list[str] = field(default_factory=list)
    computes: ClassVar[bool] = True
    """Whether columns are computed of a row's own values; else :meth:`named` says what an expression is."""

    def __post_init__(self) -> None:
        self.fields: dict[str, Domain] = dict(self.schema.fields(self.table))
        self.unit = self.schema.table(self.table).unit.column

    def column(self, node: exp.Expression) -> str:
        """The column that a node names; refused where it names a person, or nothing that the schema has."""
        name = self._named(node)
        if self.is_person(node):
            raise Refusal(node, f"{name!r} is an identifier: people are only counted, with COUNT(DISTINCT {name})")
        if isinstance(self.fields.get(name), Identifier):
            raise Refusal(node, f"{name!r} is an identifier, which no question reads; {NO_QUESTION}")
        return name

    def refuse_identifier(self, node: exp.Column) -> None:
        """Raises what :meth:`column` does where a node names an identifier, and nothing of any other name."""
        alike = [domain for name, domain in self.fields.items() if name.casefold() == str(node.name).casefold()]
        other = bool(alike) and isinstance(alike[0], Identifier) and not self.is_of_person_table(node)
        if len(alike) < 2 and (other or self.is_person(node)):
            self.column(node)

    def named(self, node: exp.Expression, wanted: str = "") -> str | None:
        """The name of what an expression is, where :attr:`computes` does not hold (``wanted``: as it is called)."""
        raise NotImplementedError

    def seen(self, node: exp.Expression) -> bool:
        """Whether a name is that of a column."""
        return matched(node.this, self.fields) is not None

    def leaf(self, node: exp.Expression) -> Filter | None:
        """A condition in words that only this scope knows; ``None`` where it is one like others."""
        return None

    def present(self, node: exp.Expression) -> Filter | None:
        """Of a column that names a person: the condition that it names one (``None``: it always does)."""
        return None

    def domain(self, node: exp.Expression) -> Domain:
        """The domain of the column that a node names."""
        return self.fields[self.column(node)]

    def is_person(self, node: exp.Expression | None) -> bool:
        """Whether a node names the column that tells people apart."""
        if self.unit is None or not isinstance(node, exp.Column) or isinstance(node.this, exp.Star):
            return False
        known = self._of(node)
        return (node.args.get("table") is None or self.unit in known) and matched(node.this, known) == self.unit

    def is_of_person_table(self, node: exp.Expression) -> bool:
        """Whether a column is qualified as one of the person table."""
        qualifier = node.args.get("table")
        return qualifier is not None and self.aliases.get(str(qualifier.name).casefold()) != self.table

    def free(self, name: str) -> bool:
        """Whether a computed column may have this name."""
        made_of = (column for made in self.derived.values() for column in made.columns)
        return name not in (*self.fields, *self.schema.table(self.table).columns, *made_of)

    def _of(self, node: exp.Column) -> list[str]:
        """The columns that a name may be, as it is qualified."""
        found = self._qualified(node)
        return found if self.visible is None else [name for name in found if name in self.visible]

    def _qualified(self, node: exp.Column) -> list[str]:
        qualifier = node.args.get("table")
        own = [*self.schema.table(self.table).columns, *self.derived]
        if qualifier is None:
            return list(self.fields) if self.unit is None else [self.unit, *(n for n in self.fields if n != self.unit)]
        found = self.aliases.get(str(qualifier.name).casefold())
        if found is None:
            hint = did_you_mean(qualifier.name, self.aliases)
            raise Refusal(qualifier, f"{qualifier.name[:60]!r} is no table of this statement{hint}")
        if found == self.table:
            return own
        return [name for name in self.schema.table(found).columns if name in self.fields and name not in own]

    def _named(self, node: exp.Expression) -> str:
        if not isinstance(node, exp.Column):
            raise Refusal(node, f"a column's name belongs here{self._first(node)}")
        only(node, "this", "table", "db", "catalog")
        if isinstance(node.this, exp.Star):
            raise Refusal(node, STAR)
        known = self._of(node)
        name = matched(node.this, known)
        if name is None or name not in self.fields:
            self._unknown(node, name, known)
        return str(name)

    def _first(self, node: exp.Expression) -> str:
        """Where to name what is computed, so that its name may stand in its place."""
        if not isinstance(node, _MADE) or node.find(exp.Column) is None:
            return ""
        made, table = node.sql(dialect="duckdb"), exp.to_identifier(self.table).sql(dialect="duckdb")
        return f"; name what is computed first, FROM (SELECT *, {made} AS computed FROM {table}), and write computed"

    def _unknown(self, node: exp.Column, name: str | None, known: Iterable[str]) -> None:
        if name is not None:  # the person table's own column of people
            raise Refusal(node, f"{name!r} is an identifier; count people with COUNT(DISTINCT {self.unit})")
        usable = [n for n in known if n in self.fields and not isinstance(self.fields[n], Identifier)]
        hint = did_you_mean(node.name, usable)
        if node.this.args.get("quoted"):
            hint = f"{hint}; a text is written in single quotes, '…'"
        raise Refusal(node, f"column {node.name[:60]!r} is not in table {self.table!r}{hint}")


STAR = "rows never leave; name measures in place of *, such as COUNT(*) AS n"


def matched(name: exp.Expression, known: Iterable[str]) -> str | None:
    """The one known name that an identifier stands for; ``None`` where none is, refused where several are."""
    text = str(name.name)
    alike = [one for one in dict.fromkeys(known) if one.casefold() == text.casefold()]
    if len(alike) > 1:
        raise Refusal(
            name,
            f"{text[:60]!r} may be {' or '.join(map(repr, alike))}, which SQL does not tell apart, not even in quotes; "
            "rename one with AS, or ask in Python, with pets.query",
        )
    return alike[0] if alike else None


def table_named(name: exp.Expression, schema: Schema) -> str | None:
    """The table that an identifier stands for: as written, where two differ by case, which no database has."""
    return str(name.name) if name.name in schema.tables else matched(name, schema.tables)


def scope_of(select: exp.Select, schema: Schema, kind: type[Scope] | None = None) -> Scope:
    """The table that a statement reads, and the person table that it joins (``kind``: of which kind of scope)."""
    source = select.args.get("from_")
    if source is None:
        raise Refusal(select, f"name the table, such as FROM {next(iter(schema.tables))}")
    only(source, "this")
    if isinstance(source.this, exp.Subquery):
        raise Refusal(source.this, FEATURES)
    scope = _table(source.this, schema, kind or Scope)
    for join in select.args.get("joins") or ():
        if not isinstance(join.this, exp.Subquery) or kind is None:
            join_person_table(join, scope)
    return scope


def _table(node: exp.Expression, schema: Schema, kind: type[Scope]) -> Scope:
    if not isinstance(node, exp.Table):
        raise Refusal(node, f"FROM takes one table: {', '.join(list(schema.tables)[:8])}")
    only(node, "this", "db", "catalog", "alias")
    bounds: dict[str, int] = {}
    name = node.this
    if isinstance(name, exp.Anonymous) and str(name.this).upper() == "BOUND":
        name, bounds = _bound(name)
    found = table_named(name, schema) if isinstance(name, exp.Identifier) else None
    if found is None:
        said = name.name if isinstance(name, exp.Identifier) else ""
        raise Refusal(node, f"table {said[:60]!r} is not in the schema{did_you_mean(said, schema.tables)}")
    with at(node):
        scope = kind(schema, found, bounds)
    _alias(node, found, scope)
    return scope


def called(node: exp.Expression, scope: Scope) -> None:
    """The name of a sub-select, in place of those inside it."""
    scope.aliases.clear()
    _alias(node, scope.table, scope)


def _alias(node: exp.Expression, table: str, scope: Scope) -> None:
    alias = node.args.get("alias")
    if alias is not None:
        only(alias, "this")
    name = (node.alias if alias is not None else table).casefold()
    if name in scope.aliases:
        raise Refusal(node, f"two tables of the statement are called {name!r}; give one another name with AS")
    scope.aliases[name] = table


def _bound(call: exp.Anonymous) -> tuple[exp.Expression, dict[str, int]]:
    """``BOUND(stays, rows := 3, groups := 2)``: pets' own word for what ``query.bound`` takes."""
    wanted: dict[str, int] = {}
    first, *rest = call.expressions or [None]
    help_ = (
        "write FROM BOUND(stays, rows := 3, groups := 2, rows_per_group := 1): the rows of a person that count, the "
        "groups, and the rows in each"
    )
    if not isinstance(first, exp.Column) or first.args.get("table") is not None:
        raise Refusal(call, help_)
    for part in rest:
        name = part.this.name.lower() if isinstance(part, exp.PropertyEQ) else ""
        value = part.args.get("expression")
        if name not in BOUNDS or name in wanted or not isinstance(value, exp.Literal) or not value.is_int:
            raise Refusal(part, help_)
        wanted[name] = int(value.this) if len(value.this) < 12 else 10**12
    return first.this, wanted


def join_person_table(join: exp.Join, scope: Scope) -> None:
    """A LEFT JOIN of the person table by the person: its columns are columns of each row already."""
    target = join.this
    attached = scope.schema.table(scope.table).person_table
    if isinstance(target, exp.Subquery) or not isinstance(target, exp.Table) or attached is None:
        raise Refusal(join, FEATURES if isinstance(target, exp.Subquery) else _ONE)
    only(target, "this", "db", "catalog", "alias")
    if not isinstance(target.this, exp.Identifier) or table_named(target.this, scope.schema) != attached:
        raise Refusal(join, _ONE)
    own, other = scope.unit, scope.schema.table(attached).unit.column
    if scope.person is not None:
        raise Refusal(join, f"{attached!r} is joined already; leave the second join out")
    if join.args.get("side") != "LEFT" or join.args.get("kind") not in (None, "", "OUTER"):
        raise Refusal(
            join,
            f"rows of people that {attached!r} does not know stay, without its values; write LEFT JOIN "
            f"{target.sql(dialect='duckdb')[:200]} ON {next(iter(scope.aliases))}.{own} = "
            f"{target.alias_or_name}.{other}",
        )
    only(join, "this", "side", "kind", "on", "using")
    _alias(target, attached, scope)
    scope.person = attached
    using, on = join.args.get("using") or [], join.args.get("on")
    if using and own == other and len(using) == 1 and matched(using[0], [str(own)]) is not None:
        return
    if not isinstance(on, exp.EQ) or {_side(on.this, scope), _side(on.expression, scope)} != {
        (scope.table, own),
        (attached, other),
    }:
        raise Refusal(on or join, f"tables meet by the person: ON {scope.table}.{own} = {attached}.{other}")


_ONE = "a query reads one table (and LEFT JOINs the person table that the schema names for it); " + FEATURES


def _side(node: exp.Expression, scope: Scope) -> tuple[str, str | None] | None:
    """Whose column one side of a join's condition is."""
    if not isinstance(node, exp.Column) or isinstance(node.this, exp.Star):
        return None
    tables = [scope.table, str(scope.person)]
    qualifier = node.args.get("table")
    if qualifier is not None:
        tables = [name for name in tables if scope.aliases.get(str(qualifier.name).casefold()) == name]
    units = {name: scope.schema.table(name).unit.column for name in tables}
    found = [(name, unit) for name, unit in units.items() if matched(node.this, [str(unit)]) is not None]
    return found[0] if len(found) == 1 else None
