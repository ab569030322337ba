"""Random questions about people: linked tables, their rows, features over them, and what is asked of the people."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args

from hypothesis import assume
from hypothesis import strategies as st

from pets.errors import QueryError
from pets.plan.plan import make_plan
from pets.query_model import expression as ex
from pets.query_model import features as ft
from pets.query_model.aggregate import Count
from pets.query_model.nodes import derived as dv
from pets.query_model.people import People, tables_of
from pets.query_model.query import Query
from pets.schema.schema import (
    Boolean,
    Category,
    Date,
    DateTime,
    Domain,
    Identifier,
    Integer,
    Real,
    Schema,
    Table,
    Text,
    Time,
    Unit,
)
from tests import people, strategies
from tests.aggregates import AGGREGATES
from tests.derived import DERIVED, with_derived

Draw = Any

FIRST = dt.date(2019, 12, 28)
COLUMNS: dict[str, Callable[[Draw], Domain]] = {
    "day": lambda draw: Date(
        FIRST, FIRST + dt.timedelta(draw(st.sampled_from([5, 40, 400]))), nullable=draw(st.booleans())
    ),
    "other day": lambda draw: Date(FIRST - dt.timedelta(3), FIRST + dt.timedelta(60)),
    "time": lambda draw: DateTime("2019-12-28 22:00", "2020-01-03 23:00", "hour", nullable=draw(st.booleans())),
    "clock": lambda draw: Time("06:00", "09:00", "hour", nullable=draw(st.booleans())),
    "n": lambda draw: Integer(draw(st.integers(-3, 2)), draw(st.integers(3, 9)), nullable=draw(st.booleans())),
    "cost": lambda draw: Real(*draw(st.sampled_from([("0", "4", "0.5"), ("0.25", "6.25", "1"), ("-1", "2", "1/3")]))),
    "kind": lambda draw: Category(["a", "b", "c"][: draw(st.integers(2, 3))], nullable=draw(st.booleans())),
    "flag": lambda draw: Boolean(nullable=draw(st.booleans())),
    "code": lambda draw: Text(3, nullable=draw(st.booleans())),
}


@st.composite
def schemas(draw: Draw) -> Schema:
    """Two or three tables of events, mostly with a person table."""
    tables: dict[str, Table] = {}
    owner = "p" if draw(st.integers(0, 3)) > 0 else None
    for name in ("a", "b", "c")[: draw(st.integers(1, 3))]:
        names = [
            "day",
            *draw(st.lists(st.sampled_from(sorted(set(COLUMNS) - {"day"})), min_size=1, max_size=3, unique=True)),
        ]
        columns = {column: COLUMNS[column](draw) for column in names}
        unit = Unit("id", draw(st.integers(1, 5)))
        tables[name] = Table(unit, {"id": Identifier()} | columns, owner, people=strategies.PEOPLE)
    if owner is not None:
        born = Date("2000-02-27", "2004-03-02", nullable=draw(st.booleans()))
        columns = {"id": Identifier(), "born": born, "sex": Category(["f", "m"], nullable=draw(st.booleans()))}
        columns |= {"town": Text(5)} if draw(st.booleans()) else {}
        tables[owner] = Table(Unit("id", 1), columns, people=strategies.PEOPLE)
    return Schema(tables)


IDS = ("1", "2", "3", "4", "5", "x")


@st.composite
def datasets(draw: Draw, schema: Schema, size: int = 14) -> dict[str, list[dict[str, Any]]]:
    """Rows for every table, of a few people, some of them in one table alone."""
    ids = draw(st.lists(st.sampled_from(IDS), min_size=2, max_size=6, unique=True))
    return {name: draw(strategies.rows(schema, name, ids, size)) for name in schema.tables}


# features ------------------------------------------------------------------------------------------------------------


@dataclass
class Scope:
    """What a feature may be made of: features, and the columns of people that are named already."""

    schema: Schema
    made: list[ft.Feature]
    named: dict[str, Domain]

    @property
    def owner(self) -> str | None:
        return "p" if "p" in self.schema.tables else None


def _versus(draw: Draw, fields: Mapping[str, Domain], scope: Scope) -> ex.Filter | None:
    name = strategies.pick(draw, fields, Date, Integer, Real, DateTime)
    if name is None or not scope.made:
        return None
    return ft.Versus(name, draw(st.sampled_from(ex.OPERATORS)), draw(st.sampled_from(scope.made)))


def _within(draw: Draw, fields: Mapping[str, Domain], scope: Scope) -> ex.Filter | None:
    name = strategies.pick(draw, fields, Date, DateTime)
    if name is None or not scope.made:
        return None
    ends = sorted((draw(st.integers(-40, 40)), draw(st.integers(-5, 90))))
    low, high = draw(st.sampled_from([(ends[0], ends[1]), (ends[0], None), (None, ends[1])]))
    return ft.Within(name, draw(st.sampled_from(scope.made)), low, high)


EVENT_FILTERS: dict[type[ex.Filter], Callable[[Draw, Mapping[str, Domain], Scope], ex.Filter | None]] = {
    ft.Versus: _versus,
    ft.Within: _within,
}


def _condition(draw: Draw, fields: Mapping[str, Domain], scope: Scope) -> ex.Filter | None:
    kind = draw(st.integers(0, 5))
    plain = strategies.some_condition(draw, fields, 1)
    if kind < 2:
        return None
    compared = draw(st.sampled_from(list(EVENT_FILTERS.values())))(draw, fields, scope)
    if kind == 2 or compared is None:
        return plain
    compared = ~compared if draw(st.integers(0, 3)) == 0 else compared
    if kind == 3 or plain is None:
        return compared
    return compared & plain if kind == 4 else compared | plain


KINDS: dict[str, tuple[type[Domain], ...]] = {
    **dict.fromkeys(("sum", "mean"), (Integer, Real)),
    **dict.fromkeys(("min", "max"), (Date, DateTime, Integer, Real)),
    **dict.fromkeys(("days_with", "episodes"), (Date, DateTime)),
}


def _reading(draw: Draw, scope: Scope) -> ft.Feature | None:
    table = draw(st.sampled_from(sorted(set(scope.schema.tables))))
    fields = {n: d for n, d in scope.schema.fields(table).items() if not isinstance(d, Identifier)}
    most = draw(st.one_of(st.none(), st.integers(1, scope.schema.tables[table].unit.max_rows)))
    rows = ft.Rows(table, _condition(draw, fields, scope), most)
    kinds = {how: KINDS.get(how, strategies.QUERYABLE) for how in get_args(ft.How)}
    fit = [h for h in kinds if h in ("count", "exists") or any(isinstance(d, kinds[h]) for d in fields.values())]
    how = draw(st.sampled_from(fit))
    column = None if how in ("count", "exists") else strategies.pick(draw, fields, *kinds[how])
    by = strategies.pick(draw, fields, Date, DateTime, Integer, Real) if how in ft.PICKED else None
    clip = draw(st.sampled_from([(0, 5), (-1, 2), ("0.1", "7.3"), (3, 40)])) if how == "sum" else None
    most = draw(st.integers(1, 4)) if how in ft.CAPPED else None
    gap = draw(st.sampled_from([0, 1, 2, 7, 40])) if how == "episodes" else None
    nth = draw(st.sampled_from([None, None, 1, 2, 2, 3, 4, 999])) if how in ft.PICKED else None
    return ft.Reading(how, rows, column, by, clip, most, gap, nth)


def _dates(scope: Scope) -> list[ft.Feature]:
    found = []
    for one in scope.made:
        domain = people.domain_of(one, scope.schema, scope.named)
        if isinstance(domain, Date):
            found.append(one)
    return found


def _days(draw: Draw, scope: Scope) -> ft.Feature | None:
    dates = _dates(scope)
    low = draw(st.integers(-30, 10))
    return (
        ft.Days(draw(st.sampled_from(dates)), draw(st.sampled_from(dates)), low, low + draw(st.integers(0, 60)))
        if dates
        else None
    )


def _age(draw: Draw, scope: Scope) -> ft.Feature | None:
    dates = _dates(scope)
    return ft.AgeAt("born", draw(st.sampled_from(dates))) if dates and scope.owner is not None else None


def _filled(draw: Draw, scope: Scope) -> ft.Feature | None:
    if not scope.made:
        return None
    of = draw(st.sampled_from(scope.made))
    domain = people.domain_of(of, scope.schema, scope.named)
    return ft.Filled(of, draw(st.sampled_from(strategies.constants(domain))))


COMPUTED = (dv.Linear, dv.Least, dv.Greatest, dv.Floor, dv.Mapped, dv.Prefix)


def _computed(draw: Draw, scope: Scope) -> ft.Feature | None:
    """Sums, extremes, quotients and maps of features, as of columns; each feature under the name of its place."""
    kind = draw(st.sampled_from(COMPUTED))
    named = kind in (dv.Mapped, dv.Prefix)
    fit: list[ft.Feature] = []
    for one in scope.made:
        domain = people.domain_of(one, scope.schema, scope.named)
        fit += [one] if isinstance(domain, Category if named else (Integer, Real, Date, DateTime)) else []
    some = draw(st.lists(st.sampled_from(fit), min_size=1, max_size=3)) if fit else []
    order = [one for _, one in sorted({one.key: one for one in some}.items())]
    domains = people.parts([people.domain_of(one, scope.schema, scope.named) for one in order])
    node = DERIVED[kind].drawn(draw, domains)
    if node is None or not isinstance(node, COMPUTED):
        return None
    used = sorted(node.columns)
    again = dict(zip(used, people.parts(used), strict=True))
    return ft.Computed(_renamed(node, again), tuple(order[int(name) - 1] for name in used))


def _renamed(node: dv.Derived, names: Mapping[str, str]) -> dv.Derived:
    def moved(form: Any) -> Any:
        if isinstance(form, dict):
            return {k: names[v] if k == "column" else moved(v) for k, v in form.items()}
        return [moved(one) for one in form] if isinstance(form, list) else form

    return dv.derived_from_json(moved(node.to_json()))


def _case(draw: Draw, scope: Scope) -> ft.Feature | None:
    """A case of what is named before it; who lacks a value that it looks at is named too, or has no value."""
    fields = {name: domain for name, domain in scope.named.items() if not isinstance(domain, (Text, Identifier))}
    found = [strategies.some_condition(draw, fields, 2) for _ in range(draw(st.integers(1, 3)))] if fields else []
    arms = [(one, draw(st.sampled_from(["x", "y", "it's"]))) for one in found if one is not None]
    if not arms:
        return None
    default = draw(st.sampled_from([None, "x", "rest"]))
    if default is not None:
        read = sorted({name for one, _ in arms for name in ft.columns_named(one) if fields[name].nullable})
        some: list[tuple[ex.Filter, str]] = [(ex.IsNull(name), "unknown") for name in read]
        arms = some + arms if draw(st.booleans()) else arms + some
    return ft.Case(tuple(arms), default)


FEATURES: dict[type[ft.Feature], Callable[[Draw, Scope], ft.Feature | None]] = {
    ft.Reading: _reading,
    ft.Filled: _filled,
    ft.Days: _days,
    ft.AgeAt: _age,
    ft.Computed: _computed,
    ft.Case: _case,
}


@st.composite
def questions(draw: Draw, schema: Schema, *, computed: bool = True) -> Query:
    """A question about people of a schema that the planner takes (``computed``: also of what is computed)."""
    scope = Scope(schema, [], {})
    named: list[tuple[str, ft.Feature]] = []
    of = draw(st.sampled_from([None, None, *schema.tables]))
    others = [ft.Filled, ft.Days, ft.Days, ft.AgeAt, ft.AgeAt, ft.Computed, ft.Computed, ft.Case]
    weighted = [*[ft.Reading] * 5, *(others if computed else [ft.Filled, ft.Days, ft.AgeAt])]
    for index in range(draw(st.integers(1, 6))):
        first = next(iter(schema.tables))
        scope.named = people.fields(schema, Query(of or first, people=People(tuple(named), of or first)))
        made = FEATURES[draw(st.sampled_from(weighted))](draw, scope)
        if not computed and isinstance(made, ft.Reading) and made.how == "episodes":
            continue
        if made is None or not _takes(schema, [*named, (f"f{index}", made)]):
            continue
        scope.made.append(made)
        named.append((f"f{index}", made))
    assume(of is not None or any(tables_of([one]) for _, one in named))
    source = People(tuple(named), of)
    base = Query(source.home, people=source)
    # (texts are no values of people: the planner refuses them by name)
    fields = {name: domain for name, domain in people.fields(schema, base).items() if not isinstance(domain, Text)}
    derived = _derived(draw, schema, base.agg(n=Count()), fields) if computed else ()
    fields = with_derived(derived, fields)
    condition = strategies.some_condition(draw, fields, 2) if draw(st.integers(0, 3)) > 0 else None
    keys = draw(strategies.group_keys(fields, 2))
    kinds = draw(st.lists(st.sampled_from(list(AGGREGATES)), min_size=1, max_size=3))
    aggregates = [AGGREGATES[kind].drawn(draw, fields) for kind in kinds]
    pairs = tuple((f"m{index}", one) for index, one in enumerate(aggregates) if one is not None)
    assume(pairs)
    asked = Query(source.home, condition, keys, None, pairs, people=source, derived=derived)
    assume(_planned(asked, schema))
    return asked


def _derived(draw: Draw, schema: Schema, base: Query, fields: Mapping[str, Domain]) -> tuple[tuple[str, Any], ...]:
    """Mostly nothing; else one column that is computed of people's columns."""
    node = DERIVED[draw(st.sampled_from(list(DERIVED)))].drawn(draw, fields) if draw(st.integers(0, 3)) == 0 else None
    made = () if node is None else (("made", node),)
    whose = base.where(ex.Not(ex.IsNull(next(iter(fields))))) if base.people and base.people.of is None else base
    return made if _planned(replace(whose, derived=made), schema) else ()


def _planned(query: Query, schema: Schema) -> bool:
    try:
        make_plan(query, schema)
    except QueryError:
        return False
    return True


def _takes(schema: Schema, named: list[tuple[str, ft.Feature]]) -> bool:
    """Whether the planner takes these features; what it refuses are columns that cannot be compared, and the like."""
    from pets.plan.people import PeoplePlanner

    first = next(iter(schema.tables))
    try:
        PeoplePlanner(Query(first, people=People(tuple(named), first)), schema)
    except QueryError:
        return False
    return True


@dataclass(frozen=True)
class Case:
    """A schema, rows of its tables, and a question about their people."""

    schema: Schema
    data: dict[str, list[dict[str, Any]]]
    query: Query

    def sources(self) -> dict[str, Any]:
        """The rows as pets reads them."""
        return {name: strategies.source(self.schema.table(name), rows) for name, rows in self.data.items()}

    def __repr__(self) -> str:
        lines = [f"schema {self.schema.to_json()}", f"query {self.query.to_json()}"]
        for name, rows in self.data.items():
            lines += [f"{name}:", *(f"  {row}" for row in rows)]
        return "\n".join(lines)


@st.composite
def cases(draw: Draw, *, computed: bool = True) -> Case:
    """A schema, rows and a question."""
    schema = draw(schemas())
    return Case(schema, draw(datasets(schema)), draw(questions(schema, computed=computed)))
