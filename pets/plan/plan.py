"""Plan: a query against a schema, bounded and laid out, with the proof of its sensitivity.

A plan is a pure function of the query and the schema; no row is read. It says exactly which whole numbers are
computed and how far one person can move them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from types import MappingProxyType

from pets.common.codec import Json, digest
from pets.errors import QueryError
from pets.plan.bounding.bounds import Bounds, chosen, rows_text
from pets.plan.computed.codelists import ListFacts, list_facts
from pets.plan.computed.derive import Made, derive
from pets.plan.fitted.gradient import check_source
from pets.plan.layout import MAX_SLOTS, Layout, make_layout
from pets.plan.measure import Measure, Output
from pets.plan.measures import Planner
from pets.plan.people import PeoplePlanner, used_columns
from pets.plan.person_steps import PersonPlan
from pets.plan.predicate import Predicate, columns_in, predicate_json, resolve
from pets.query_model.group_keys import Period
from pets.query_model.query import Query
from pets.schema.domain import Domain
from pets.schema.person.periods import period_of, spelling
from pets.schema.schema import Schema

VERSION = 1
MAX_GROUPS = 16


@dataclass(frozen=True)
class Plan:
    """A bounded, laid-out query.

    Attributes:
        query: the question.
        schema_digest: the schema it was planned against.
        dataset, table: whose rows.
        unit_column: the column that names a person (``None``: one row per person).
        rows: K, the rows of one person that count, over the whole table.
        kept_rows: the rows of one person that the snapshot keeps (what ``count_units`` reads).
        group_cap: groups one person may fall in, enforced by the compiled query (``None``: no cap).
        group_rows: rows of one person that count in each group, enforced by the compiled query (``None``: up to K).
        people: the public bound on people for which every sum is proved to stay within 62 bits.
        where: the query's condition on codes.
        layout: slots of the group key.
        measures: the blocks of the vector, in order.
        outputs: the answer's columns, in order.
        fields: the domains of all columns, the derived ones too (in the canonical form the schema's digest stands for
            those of the table).
        people_of: of a question about people, how each person's one row is made of their rows.
        derived: the derived columns, in order.
        stored_rank: the columns within which snapshots hold a rank that enforces ``group_rows`` (``None``: they hold
            none that does, and rows are ranked for each question).
        lists: what of code lists is not as their columns have it.
        arrival: the column by which the first rows of a person to arrive count (``None``: rows chosen at random).
    """

    query: Query
    schema_digest: str
    dataset: str
    table: str
    unit_column: str | None
    rows: int
    kept_rows: int
    group_cap: int | None
    group_rows: int | None
    people: int
    where: Predicate | None
    layout: Layout
    measures: tuple[Measure, ...]
    outputs: tuple[Output, ...]
    fields: Mapping[str, Domain] = field(repr=False, compare=False)
    people_of: PersonPlan | None = None
    derived: tuple[Made, ...] = ()
    stored_rank: tuple[str, ...] | None = field(default=None, compare=False)
    lists: tuple[ListFacts, ...] = field(default=(), compare=False)
    arrival: str | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.size > MAX_SLOTS:
            raise QueryError(
                f"the answer has {self.size:,} numbers and at most {MAX_SLOTS:,} are allowed; "
                "group by fewer columns, use coarser bins or ask for fewer measures"
            )
        for measure in self.measures:
            if measure.limit > 2**62:
                raise QueryError(
                    f"{measure.name} could pass 2^62 with {self.people:,} people; use a coarser step, a tighter clip, "
                    "or state a smaller 'people' (a public upper bound) in the schema's table"
                )

    @property
    def who(self) -> str:
        """Whom the plan protects, in words."""
        if self.unit_column is None:
            return "any one row (a person)"
        rows = f"all rows of any one person ({self.unit_column})"
        return rows if self.people_of is None else f"{rows} in all tables of the dataset"

    @property
    def source(self) -> str:
        """What is asked, in words: the table, or the tables of whose people."""
        return self.table if self.people_of is None else f"people of {', '.join(self.people_of.tables)}"

    @property
    def counted(self) -> str:
        """How many rows of a person enter the answer; distinct people are counted over all rows that were kept."""
        if self.people_of is not None:
            return f"one row a person is counted, made of at most {self.people_of.said}"
        if all(measure.reads_kept for measure in self.measures):
            return f"at most {rows_text(self.kept_rows)} of a person are looked at"
        people = any(measure.reads_kept for measure in self.measures) and self.kept_rows != self.rows
        also = f" ({self.kept_rows} are looked at to count people)" if people else ""
        each = "" if self.group_rows is None else f", {self.group_rows} in each group"
        return f"at most {rows_text(self.rows)} of a person count{each}{also}"

    @property
    def chosen(self) -> str:
        """Which of a person's rows count, in words."""
        return chosen(self.arrival) if self.people_of is None else self.people_of.chosen

    @property
    def groups(self) -> int:
        """The number of groups."""
        return self.layout.groups

    @property
    def size(self) -> int:
        """The length of the vector."""
        return sum(self.groups * measure.width for measure in self.measures)

    @cached_property
    def blocks(self) -> tuple[slice, ...]:
        """Where each measure's block lies in the vector."""
        out: list[slice] = []
        start = 0
        for measure in self.measures:
            out.append(slice(start, start + self.groups * measure.width))
            start = out[-1].stop
        return tuple(out)

    @cached_property
    def made(self) -> Mapping[str, Made]:
        """The derived columns by their names."""
        return {made.name: made for made in self.derived}

    def to_json(self) -> Json:
        """The canonical form: no row, no snapshot, no key."""
        out: Json = {
            "version": VERSION,
            "query": self.query.to_json(),
            "schema": self.schema_digest,
            "dataset": self.dataset,
            "table": self.table,
            "unit": self.unit_column,
            "rows": self.rows,
            "kept_rows": self.kept_rows,
            "groups": self.group_cap,
            "people": self.people,
            "where": None if self.where is None else predicate_json(self.where),
            "layout": self.layout.to_json(),
            "measures": [measure.to_json() for measure in self.measures],
            "outputs": [output.to_json() for output in self.outputs],
        }
        if self.derived:
            out["derived"] = [made.to_json() for made in self.derived]
        if self.group_rows is not None:
            out["rows_per_group"] = self.group_rows
        return out if self.people_of is None else out | {"people_of": self.people_of.to_json()}

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical form."""
        return digest(self.to_json())


def make_plan(query: Query, schema: Schema) -> Plan:
    """The plan of a query; raises :class:`QueryError` with the remedy when it cannot be asked of this schema."""
    if not isinstance(query, Query):
        raise QueryError(f"a query is built from pets.query('table'), not {type(query).__name__}")
    # how an answer is shown is nobody else's: a plan in the cache serves whoever asks the same
    return _cached(_Asked(query.shown_as(None), schema))


class _Asked:
    """A cache key by digest: in Python True equals 1, but they are not the same question."""

    __slots__ = ("key", "query", "schema")

    def __init__(self, query: Query, schema: Schema) -> None:
        self.query, self.schema = query, schema
        self.key = (query.digest, schema.digest)

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Asked) and other.key == self.key


@lru_cache(maxsize=256)
def _cached(asked: _Asked) -> Plan:
    query, schema = asked.query, asked.schema
    if not query.aggregates:
        raise QueryError("the query asks for nothing; add .agg(n=pets.count()) or another aggregate")
    check_source(query)
    source = None if query.people is None else PeoplePlanner(query, schema)
    table = schema.table(query.table)
    fields = dict(schema.fields(query.table) if source is None else source.fields)
    about = query.table if source is None else "people"
    # (what is computed of people is a step of each of them, as a feature is)
    derived = derive(query.derived, fields, list(table.columns), about) if source is None else ()
    fields |= {made.name: made.domain for made in derived}
    if source is None:
        bounds = _bounds(query, schema, fields)
    else:  # a person is one row
        bounds = Bounds(make_layout(query.keys, query.keyset, fields, about), 1, 1, None, None, source.people)
    where = None if query.condition is None else resolve(query.condition, fields, about)
    planner = Planner(fields, about, bounds)
    for name, aggregate in query.aggregates:
        planner.add(name, aggregate)
    people_of = None
    if source is not None:
        source.check_population(where)
        conditions = [where, *(measure.where for measure in planner.measures())]
        columns = [one.column for one in bounds.layout.dimensions]
        columns += [column for one in planner.measures() for column in one.columns]
        people_of = source.finished(used_columns(columns, conditions))
    return Plan(
        query=query,
        schema_digest=schema.digest,
        dataset=schema.dataset,
        table=query.table,
        unit_column=table.unit.column,
        rows=bounds.rows,
        kept_rows=bounds.kept_rows,
        group_cap=bounds.group_cap,
        group_rows=bounds.group_rows,
        people=bounds.people,
        where=where,
        layout=bounds.layout,
        measures=planner.measures(),
        outputs=planner.outputs(),
        fields=MappingProxyType(fields),
        people_of=people_of,
        derived=derived,
        lists=list_facts(query, schema, fields),
        arrival=table.unit.arrival,
        stored_rank=None if bounds.group_rows is None else stored_rank(query, schema, bounds.layout, where),
    )


def _bounds(query: Query, schema: Schema, fields: Mapping[str, Domain]) -> Bounds:
    table = schema.table(query.table)
    rows = table.unit.default_rows if query.rows is None else query.rows
    if rows > table.unit.max_rows:
        raise QueryError(
            f"bound(rows={rows}) is above the {table.unit.max_rows} rows of a person that snapshots of table "
            f"{query.table!r} keep; ask for at most {table.unit.max_rows}"
        )
    layout = make_layout(query.keys, query.keyset, fields, query.table)
    cap = query.groups
    if cap is not None and cap > MAX_GROUPS:
        raise QueryError(
            f"bound(groups={cap}) is above {MAX_GROUPS}, the most that is enforced; lower it or leave it out"
        )
    if cap is not None and cap >= min(table.unit.max_rows, layout.groups):
        cap = None  # the row cap alone keeps a person in no more groups than that
    most = query.rows_per_group
    if most is not None and most >= rows:
        most = None  # nor do more rows than K count in a group
    return Bounds(layout, rows, table.unit.max_rows, cap, most, table.people)


def stored_rank(query: Query, schema: Schema, layout: Layout, where: Predicate | None) -> tuple[str, ...] | None:
    """The columns and periods of the stored rank that says which rows of a group come first; ``None``: none does.

    It was made over all kept rows of a person with the same values in these. The rows of a rank of at most K are the
    first ones among them; so are the rows that meet a condition only if it takes all of them or none, which it does if
    it reads nothing but these columns (not those of which only the period is the same) and what is the same for all
    rows of a person.
    """
    table = schema.table(query.table)
    same = set(schema.fields(query.table)) - set(table.columns)  # the person table's; a computed column may differ
    whole, periods = set[str](), set[str]()
    for key, one in zip(query.keys, layout.dimensions, strict=True):
        if one.column in same:
            continue
        if one.column not in table.columns:  # it is computed
            return None
        if one.tells_apart(table.columns[one.column]):
            whole.add(one.column)
        elif isinstance(key, Period) and period_of(spelling(one.column, key.unit), table.columns):
            periods.add(spelling(one.column, key.unit))
        else:
            return None
    names = tuple(sorted(whole | periods))
    return names if names in table.unit.rank_within and columns_in(where) - same <= whole else None
