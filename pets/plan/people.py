"""People: a question about one row a person against a schema, lowered to steps with public domains.

Nothing here reads a row. Domains follow from the schema and the stated bounds by exact arithmetic on whole numbers; who
is in is decided on the person who has no row in any table, for whom the condition must be false.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from pets.errors import QueryError, SchemaError
from pets.plan.computed.intervals import grid_of, years
from pets.plan.person.computed import Choice, Compute, choose, compute, of_features
from pets.plan.person_reads import certain, check_columns, difference, meaning, no_feature, nullable, runs_of
from pets.plan.person_steps import Age, Attribute, Difference, Fill, PersonPlan, Read, Span, Step
from pets.plan.predicate import Predicate, Range, columns_in, met, resolve
from pets.plan.predicate import field as find_field
from pets.query_model.expression import Filter
from pets.query_model.features import AgeAt, Case, Computed, Days, Feature, Filled, Reading, Versus, Within
from pets.query_model.people import People
from pets.query_model.query import Query
from pets.schema.dates import Date
from pets.schema.domain import Boolean, Domain, Identifier
from pets.schema.numeric import Integer
from pets.schema.schema import Schema
from pets.schema.text_column import Text

DATES = "take columns of dates (the schema may declare a column of times as a date, which keeps their days)"


class PeoplePlanner:
    """The table of people of one question: its columns, and the steps that make them."""

    def __init__(self, query: Query, schema: Schema) -> None:
        assert query.people is not None
        self._people: People = query.people
        self._condition, self._schema = query.condition, schema
        self._steps: list[Step] = []
        self._known: dict[bytes, int] = {}
        for name in self._people.tables:
            self._linked(name)
        self.attributes = self._attributes()
        self.of = self._of()
        self.fields: dict[str, Domain] = {}
        self._named: dict[str, int] = {}
        self._fields()
        check_columns(query, schema, self.fields, self.attributes)
        self._derived(query)

    # tables -----------------------------------------------------------------------------------------------------

    def _linked(self, name: str) -> None:
        try:
            unit = self._schema.table(name).unit
        except SchemaError as error:
            raise QueryError(str(error)) from None
        if unit.column is None:
            raise QueryError(
                f"table {name!r} names no person (unit: row), so its rows cannot be told to be somebody's; ask it "
                f"alone: pets.query({name!r})"
            )

    def _attributes(self) -> str | None:
        """The table whose columns people have: the person table of the tables that are read."""
        owners = {other.person_table for other in self._schema.tables.values()} - {None}
        read = self._people.tables
        found = [self._schema.table(name).person_table or (name if name in owners else None) for name in read]
        several = sorted({name for name in found if name is not None})
        if len(several) > 1:
            raise QueryError(
                f"the tables attach different person tables ({', '.join(map(repr, several))}); ask one question each"
            )
        if several:
            self._linked(several[0])
            return several[0]
        of = self._people.of
        return of if of is not None and self._schema.table(of).unit.max_rows == 1 else None

    def _of(self) -> str | None:
        if self._people.of is not None or self._condition is not None:
            return self._people.of
        if self.attributes is None:
            raise QueryError(
                f"it is not said who the people are; name a table, such as pets.people(of={self._people.home!r}, …), "
                "or keep some by a condition, such as .where(col('n') > 0)"
            )
        return self.attributes

    def _fields(self) -> None:
        """The columns of the person table, then the features; each may be made of those before it."""
        fields, owner = self.fields, self.attributes
        for name, domain in ({} if owner is None else self._schema.table(owner).columns).items():
            if isinstance(domain, Identifier):
                fields[name] = domain
            else:
                fields[name] = domain if self.of == owner else nullable(domain)
        for name, feature in self._people.features:
            if name in fields:
                raise QueryError(
                    f"the feature {name!r} has the name of a column of the person table {owner!r}; give the feature "
                    "another name"
                )
            try:
                self._named[name] = self._step(feature)
            except QueryError as error:
                raise QueryError(f"the feature {name!r}: {error}") from None
            fields[name] = self._steps[self._named[name]].domain

    def _derived(self, query: Query) -> None:
        """The columns that the question computes, as those of a table, of the features and the person table."""
        owner = () if self.attributes is None else self._schema.table(self.attributes).columns
        for name, node in query.derived:
            if name in self.fields or name in owner:
                raise QueryError(
                    f"people have a column {name!r} already, and no bound changes under its name; give the derived "
                    "column another name"
                )
            try:
                found = {column: find_field(column, self.fields, "people") for column in node.columns}
                step = compute(name, node, self.fields, {column: self._known_as(column) for column in found})
            except (QueryError, SchemaError) as error:
                raise QueryError(f"the derived column {name!r}: {error}") from None
            self._named[name] = self._add(b"derived " + name.encode(), lambda step=step: step)  # type: ignore[misc]
            self.fields[name] = step.domain

    def _known_as(self, name: str) -> tuple[int, Step]:
        """The step of a column of people, with its place."""
        place = self._named[name] if name in self._named else self._attribute(name)
        return place, self._steps[place]

    # who is in --------------------------------------------------------------------------------------------------

    def check_population(self, where: Predicate | None) -> None:
        """Refuse a condition that somebody without any row would meet, where no table says who the people are."""
        if self.of is not None or where is None:
            return
        absent = {
            name: self._steps[self._named[name]].absent if name in self._named else self.fields[name].cells
            for name in columns_in(where)
        }
        if met(where, absent):
            table = self.attributes or self._people.home
            raise QueryError(
                "somebody without a row in any table meets the condition, and nobody knows how many such people there "
                f"are; name the table of those who are meant, such as pets.people(of={table!r}, …)"
            )

    def finished(self, used: Iterable[str]) -> PersonPlan:
        """The steps of the columns that the question uses."""
        names = sorted(set(used))
        found = {name: self._known_as(name)[0] for name in names}
        needed: set[int] = set()
        left = list(found.values())
        while left:
            if (index := left.pop()) not in needed:
                needed.add(index)
                left += self._steps[index].inputs
        kept = sorted(needed)
        place = {old: new for new, old in enumerate(kept)}
        steps = tuple(_moved(self._steps[index], place) for index in kept)
        tables = [self.of] if self.of is not None else list(self._people.tables)
        tables += [step.table for step in steps if isinstance(step, (Read, Attribute))]
        if self.of is None and self.attributes is not None:
            tables.append(self.attributes)  # its people may meet the condition, too
        most = {name: self._schema.table(name).unit.max_rows for name in tables}
        columns = tuple((name, place[found[name]]) for name in names)
        owners = {found.person_table for found in self._schema.tables.values()}
        events = dict.fromkeys(step.table for step in steps if isinstance(step, Read) and step.table not in owners)
        arrivals = {name: self._schema.table(name).unit.arrival for name in most}
        first = tuple((name, column) for name, column in arrivals.items() if column is not None)
        return PersonPlan(steps, columns, self.of, tuple(most.items()), tuple(events), first)

    @property
    def people(self) -> int:
        """A public bound on how many people there are."""
        if self.of is not None:
            return self._schema.table(self.of).people
        tables = dict.fromkeys((*self._people.tables, *([self.attributes] if self.attributes is not None else [])))
        return sum(self._schema.table(name).people for name in tables)

    # steps ------------------------------------------------------------------------------------------------------

    def _add(self, key: bytes, make: Callable[[], Step]) -> int:
        if key not in self._known:
            made = make()
            self._known[key] = len(self._steps)
            self._steps.append(made)
        return self._known[key]

    def _attribute(self, column: str) -> int:
        owner = self.attributes
        assert owner is not None
        domain = self.fields[column]
        return self._add(b"column " + column.encode(), lambda: Attribute(domain, domain.cells, owner, column))

    def _step(self, feature: Feature) -> int:
        if feature.key in self._known:
            return self._known[feature.key]
        if isinstance(feature, Reading):
            made: Step = self._read(feature)
        elif isinstance(feature, Filled):
            made = self._filled(feature)
        elif isinstance(feature, Days):
            made = self._span(feature)
        elif isinstance(feature, Computed):
            parts = [self._step(one) for one in feature.of]
            made = of_features(feature, [(place, self._steps[place]) for place in parts])
        elif isinstance(feature, Case):
            made = choose(feature, self.fields, self.attributes, self._known_as)
        else:
            assert isinstance(feature, AgeAt)
            made = self._age(feature)
        return self._add(feature.key, lambda: made)

    def _read(self, feature: Reading) -> Step:
        table = feature.rows.table
        fields = self._schema.fields(table)
        kept = self._schema.table(table).unit.max_rows
        most = feature.rows.most
        if most is not None and most > kept:
            raise QueryError(
                f"bound(rows={most}) is above the {kept} rows of a person that snapshots of table {table!r} keep; ask "
                f"for at most {kept}"
            )
        differences: dict[tuple[str, int, tuple[int, int]], Difference] = {}

        def other(condition: Filter) -> tuple[str, tuple[Range, ...], int]:
            assert isinstance(condition, (Versus, Within))
            index = self._step(condition.feature)
            domain = find_field(condition.column, fields, table)
            made = difference(condition, fields, index, self._steps[index].domain, len(differences))
            made = differences.setdefault((condition.column, index, made.widths), made)
            return made.name, *runs_of(condition, made, domain, self._steps[index].domain)

        where = None if feature.rows.condition is None else resolve(feature.rows.condition, fields, table, other)
        column = None if feature.column is None else find_field(feature.column, fields, table)
        if isinstance(column, Text):
            raise no_feature(feature.column or "", table)
        step = Read(
            Boolean(nullable=False),
            0,
            feature.how,
            table,
            None if most == kept else most,
            where,
            tuple(differences.values()),
            feature.column,
            cells=0 if column is None else column.cells,
        )
        return meaning(step, feature, column, fields, kept)

    def _filled(self, feature: Filled) -> Step:
        of = self._step(feature.of)
        step = self._steps[of]
        try:
            code = step.domain.encode(feature.value)
        except QueryError as error:
            raise QueryError(f"fill: {error}; fill with a value that the feature may have") from None
        absent = code if step.absent == step.domain.cells else step.absent
        return Fill(certain(step.domain), absent, of, code, step.domain.cells if step.domain.nullable else -1)

    def _span(self, feature: Days) -> Step:
        two = [self._step(feature.later), self._step(feature.earlier)]
        domains = [self._steps[index].domain for index in two]
        for domain in domains:
            if not isinstance(domain, Date):
                raise QueryError(f"days lie between two dates, and one side holds {domain.describe()}; {DATES}")
        later, earlier = (domain.lo for domain in domains if isinstance(domain, Date))
        shift = (later - earlier).days - feature.low
        least, most = shift - domains[1].cells + 1, shift + domains[0].cells - 1
        span = Integer(feature.low, feature.high)
        if most < 0 or least >= span.cells:
            raise QueryError(
                f"no two days of the schema are {feature.low} to {feature.high} days apart; choose other bounds of days"
            )
        made = Span(span, 0, two[0], two[1], shift, (domains[0].cells, domains[1].cells))
        return replace(made, absent=made.value({index: self._steps[index].absent for index in two}))

    def _age(self, feature: AgeAt) -> Step:
        if self.attributes is None:
            raise QueryError("age_at needs a date in the person table, and these tables attach none (person_table)")
        columns = self._schema.table(self.attributes).columns
        domain = find_field(feature.column, columns, self.attributes)
        domain = domain if self.of == self.attributes else nullable(domain)
        at = self._step(feature.at)
        other = self._steps[at].domain
        if not isinstance(domain, Date) or not isinstance(other, Date):
            wrong = domain if not isinstance(domain, Date) else other
            raise QueryError(f"age_at takes two dates, and one of them holds {wrong.describe()}; {DATES}")
        if other.hi < domain.lo:
            raise QueryError(f"nobody is born yet: the days of {feature.column!r} lie after all days of the feature")
        owner = self.attributes
        key = b"column " + feature.column.encode()
        born = self._add(key, lambda: Attribute(domain, domain.cells, owner, feature.column))
        birth, then = grid_of(domain), grid_of(other)
        assert birth is not None and then is not None
        most = years(birth, then)[1]
        made = Age(Integer(0, most), 0, born, at, (domain.lo, other.lo), (domain.cells, other.cells))
        return replace(made, absent=made.value({index: self._steps[index].absent for index in (born, at)}))


def _moved(step: Step, place: Mapping[int, int]) -> Step:
    """The same step, its inputs at their new places."""
    if isinstance(step, Read):
        return replace(step, differences=tuple(replace(one, step=place[one.step]) for one in step.differences))
    if isinstance(step, Fill):
        return replace(step, of=place[step.of])
    if isinstance(step, (Compute, Choice)):
        return replace(step, columns=tuple((name, place[index]) for name, index in step.columns))
    if isinstance(step, Span):
        return replace(step, later=place[step.later], earlier=place[step.earlier])
    return replace(step, born=place[step.born], at=place[step.at]) if isinstance(step, Age) else step


def used_columns(columns: Iterable[str | None], conditions: Iterable[Predicate | None]) -> set[str]:
    """The columns of people that a question looks at."""
    found = {column for column in columns if column is not None}
    return found.union(*(columns_in(one) for one in conditions))
