"""Scope of a statement about people: its sources, the features that they have, and which names stand for which."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import ClassVar

from sqlglot import exp

from pets.errors import QueryError, did_you_mean
from pets.query_model.expression import And, Between, Compare, Filter, IsIn, IsNull, Not
from pets.query_model.features import CAPPED, AgeAt, Days, Feature, Reading, Rows
from pets.query_model.nodes.derived import Derived
from pets.query_model.people import People
from pets.query_model.query import Query
from pets.query_model.sql.people import computing
from pets.query_model.sql.refusal import Refusal, at, only
from pets.query_model.sql.scope import NO_QUESTION, STAR, Scope, matched
from pets.schema.domain import Domain, Identifier
from pets.schema.schema import Schema

PERSON = "person"
UNIVERSE = "PEOPLE"
"""pets' own word for everybody who has a row in some table, or in the one that it names."""
ANY = "*"


@dataclass(frozen=True)
class Named:
    """What a name of a statement stands for.

    Attributes:
        name: of the feature, or of the column of the person table.
        gap: SQL has no value here for people that a LEFT JOIN found no row of, and the feature counts 0.
    """

    name: str
    gap: bool = False


@dataclass(frozen=True)
class Source:
    """One table of a statement about people: one row a person.

    Attributes:
        alias: what the statement calls it.
        columns: its columns.
        person: what it calls the column that names the person ('': it lists none).
        rows: whose people it holds, where they may be fewer than all.
        left: people without such rows are there, too.
        attributes: this person table's columns are its columns ('': none are; ANY: whichever table it is).
    """

    alias: str
    columns: dict[str, Named]
    person: str = ""
    rows: Rows | None = None
    left: bool = False
    attributes: str = ""


@dataclass
class PeopleScope(Scope):
    """One row a person: what the names of a statement about people stand for.

    Attributes:
        of: the table whose people are meant (``None``: those who meet the condition).
        features: those that the statement has, by name.
        sources: what it reads, each one row a person.
        met: what people must meet to be in one of these.
        needed: the rows of which people must have one.
        owner: the table whose columns people have.
        words: every name of the statement, in small letters; names that are made here are none of them.
    """

    of: str | None = None
    features: dict[str, Feature] = field(default_factory=dict)
    sources: list[Source] = field(default_factory=list)
    met: list[Filter] = field(default_factory=list)
    needed: list[Rows] = field(default_factory=list)
    owner: str | None = None
    words: frozenset[str] = frozenset()
    computes: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self.fields: dict[str, Domain] = {}
        self.unit, self.people, self.named_owner = PERSON, self, False

    def planned(self) -> None:
        """The domains of all columns, as the planner has them."""
        if self.of is None and not self.features:
            return
        people = People(tuple(self.features.items()), self.of)
        # any condition: who the people are is said later, and a column of theirs may be without a value until then
        some = IsNull(next(iter(self.features))) if self.of is None else None
        planner = importlib.import_module("pets.plan.people").PeoplePlanner
        made = planner(Query(people.home, some, people=people, derived=tuple(self.derived.items())), self.schema)
        if self.named_owner and made.attributes != self.owner:
            raise QueryError(
                f"people's columns would be those of {made.attributes!r} in place of {self.owner!r}; read only tables "
                "that name the same person_table"
            )
        self.fields, self.owner = dict(made.fields), made.attributes

    def query(self, where: Filter | None, node: exp.Expression) -> Query:
        """The question as far as its people go: those who are in every source, and meet the condition."""
        terms = [*self.met, *([] if where is None else [where])]
        needed = [rows for rows in self.needed if not any(self._needs(term, rows) for term in _flat(terms))]
        present = [self.there(Source("", {}, rows=rows), node) for rows in needed]
        people = People(tuple(self.features.items()), self.of)
        asked = Query(people.home, people=people)
        for one in [*dict.fromkeys(present), *terms]:
            asked = asked.where(one)
        return asked

    def _needs(self, term: Filter, rows: Rows) -> bool:
        """Whether a condition is met by nobody who lacks such a row."""
        if isinstance(term, Not):
            return isinstance(term.term, IsNull) and _lacks(self.features.get(term.term.column), rows)
        if not isinstance(term, (Compare, Between, IsIn)):
            return False
        feature = self.features.get(term.column)
        if isinstance(feature, Reading) and feature.rows == rows and feature.how in ("count", "exists"):
            if isinstance(term, Compare) and isinstance(term.value, (int, Fraction)):
                least = {">=": 1, "==": 1, ">": 0}.get(term.op)
                return least is not None and term.value >= least
            return isinstance(term, Between) and isinstance(term.low, (int, Fraction)) and term.low >= 1
        return _lacks(feature, rows)

    # features ---------------------------------------------------------------------------------------------------

    def add(self, feature: Feature, node: exp.Expression, wanted: str = "", stem: str = "") -> str:
        """The name of a feature: the one that is wanted, or that it has, or a new one."""
        for name, known in self.features.items():
            if known.key == feature.key and (not wanted or wanted == name):
                return name
        if wanted in self.features:
            raise Refusal(node, f"there is another column {wanted!r}; give this one another name with AS")
        name = wanted or self.fresh(stem or _stem(feature))
        before = dict(self.features)
        try:
            with at(node):
                self.features[name] = feature
                self.planned()
        except Refusal:
            self.features = before
            raise
        return name

    def derive(self, name: str, made: Derived, node: exp.Expression) -> None:
        """A column that the question computes of others; an earlier one of that name is never another one's."""
        known = next((one for one in self.derived if one.casefold() == name.casefold()), name)
        if known in self.derived:
            if (known, self.derived[known]) == (name, made):
                return
            raise Refusal(node, f"there is another column {known!r}; give this one another name with AS")
        try:
            with at(node):
                self.derived[name] = made
                self.planned()
        except Refusal:
            del self.derived[name]
            raise

    def fresh(self, stem: str) -> str:
        """A name that neither the statement nor anything else has."""
        taken = {name.casefold() for name in (*self.features, *self.fields)} | self.words
        stem = stem[:100]
        names = (stem if number == 1 else f"{stem}_{number}" for number in range(1, 10_000))
        return next(name for name in names if name.casefold() not in taken)

    def domain_of(self, feature: Feature) -> Domain:
        """Which values a feature may have."""
        return domain_of(feature, self.fresh("feature"), self.features.items(), self.of, self.schema)

    def named(self, node: exp.Expression, wanted: str = "") -> str | None:
        if isinstance(node, exp.Anonymous) and str(node.this).upper() == "BINS" and node.expressions:
            computing.named(node.expressions[0], self, wanted)
            return None
        return computing.named(node, self, wanted)

    def feature(self, node: exp.Expression) -> Feature | None:
        """The feature that a column is; ``None`` for columns of the person table."""
        found = self._entry(node)
        if found is None or isinstance(found, Source):
            self.column(node)
        return self.features.get(self.column(node))

    def counted(self, node: exp.Expression) -> Feature | None:
        """The count that a LEFT JOIN leaves without a value for people without a row; ``None`` for other columns."""
        found = self._entry(node) if isinstance(node, exp.Column) else None
        return self.features[found.name] if isinstance(found, Named) and found.gap else None

    # names ------------------------------------------------------------------------------------------------------

    def column(self, node: exp.Expression) -> str:
        if not isinstance(node, exp.Column):
            raise Refusal(node, "a column's name belongs here; name what is computed in FROM (SELECT *, … AS name …)")
        only(node, "this", "table")
        if isinstance(node.this, exp.Star):
            raise Refusal(node, STAR)
        found = self._entry(node)
        if found is None:
            known = [name for one in self.sources for name in self._columns(one)]
            raise Refusal(node, f"people have no column {node.name[:60]!r} here{did_you_mean(node.name, known)}")
        if isinstance(found, Source):
            raise Refusal(node, f"{node.name[:60]!r} names a person: people are only counted, with COUNT(*)")
        if isinstance(self.fields.get(found.name), Identifier):
            raise Refusal(node, f"{node.name[:60]!r} is an identifier, which no question reads; {NO_QUESTION}")
        if found.gap:
            raise Refusal(
                node,
                f"people without a row have no value here in SQL, and count 0 for pets; {self._instead(node)}",
            )
        own = found.name in self.features or found.name in self.derived
        return found.name if own else self.attribute(found.name, node)

    def _instead(self, node: exp.Column) -> str:
        """What to write for a count that a LEFT JOIN leaves without a value."""
        filled = f"COALESCE({node.sql(dialect='duckdb')}, 0)"
        left = next((one for one in self.sources if one.left and one.person and matched(node.this, one.columns)), None)
        if left is None or not isinstance(node.parent, (exp.Is, exp.Count, exp.Avg)):
            return f"write {filled}"
        person = f"{left.alias}.{left.person}"
        if isinstance(node.parent, exp.Is):
            return f"write {person} IS NULL for them"
        if isinstance(node.parent, exp.Count):
            return f"write COUNT({person})"
        return f"write AVG({filled}) FILTER (WHERE {person} IS NOT NULL)"

    def _columns(self, source: Source) -> dict[str, Named]:
        if not source.attributes or (source.attributes != ANY and source.attributes != self.owner):
            return source.columns
        made = {*self.features, *self.derived}
        return {name: Named(name) for name in self.fields if name not in made} | source.columns

    def listed(self, source: Source) -> list[str]:
        """Every name that ``*`` lists of a source, that of the person with them."""
        return [*self._columns(source), *([source.person] if source.person else [])]

    def attribute(self, name: str, node: exp.Expression) -> str:
        """A column of the person table, which stays that one's."""
        if name not in self.fields or name in self.features:
            raise Refusal(node, f"people have no column {name!r}; join the person table outside the sub-query")
        self.named_owner = True
        return name

    def _entry(self, node: exp.Expression) -> Named | Source | None:
        """What a column is: a name, or the person of a source; ``None`` where nothing is called so."""
        if not isinstance(node, exp.Column) or isinstance(node.this, exp.Star):
            return None
        qualifier = node.args.get("table")
        sources = self.sources if qualifier is None else self.called(qualifier)
        found: list[Named | Source] = []
        for one in sources:
            columns = self._columns(one)
            if one.person and matched(node.this, [one.person]):
                found.append(one)
            elif (name := matched(node.this, columns)) is not None and columns[name] not in found:
                found.append(columns[name])
        if len(found) > 1 and not all(isinstance(one, Source) and not one.left for one in found):
            aliases = " or ".join(repr(one.alias) for one in sources if one.alias)
            raise Refusal(node, f"{node.name[:60]!r} is a column of several tables; say of which: {aliases}")
        return found[0] if found else None

    def called(self, qualifier: exp.Expression) -> list[Source]:
        """The sources of a name."""
        name = str(qualifier.name)
        found = [one for one in self.sources if one.alias.casefold() == name.casefold()]
        if not found:
            known = [one.alias for one in self.sources if one.alias]
            raise Refusal(qualifier, f"{name[:60]!r} is no table of this statement{did_you_mean(name, known)}")
        return found

    def is_person(self, node: exp.Expression | None) -> bool:
        return node is not None and isinstance(self._entry(node), Source)

    def names_person(self, node: exp.Expression) -> bool:
        """Whether a column of an outer statement names the person, and of everybody who is in it."""
        found = self._entry(node)
        if isinstance(found, Source) and found.left:
            raise Refusal(node, f"not everybody has a row in {found.alias!r}; name the person of the first table")
        return isinstance(found, Source)

    def seen(self, node: exp.Expression) -> bool:
        return self._entry(node) is not None

    def knows(self, node: exp.Expression) -> bool:
        """Whether a column is one of this statement."""
        return self._entry(node) is not None

    def is_of_person_table(self, node: exp.Expression) -> bool:
        return False

    # who is there -----------------------------------------------------------------------------------------------

    def present(self, node: exp.Expression) -> Filter | None:
        found = self._entry(node)
        return self.there(found, node) if isinstance(found, Source) and found.left else None

    def there(self, source: Source, node: exp.Expression) -> Filter:
        """The condition that somebody has a row in a source."""
        assert source.rows is not None
        name = self.add(Reading("exists", source.rows), node, stem=f"in_{source.rows.table}")
        return Compare(name, "==", True)

    def leaf(self, node: exp.Expression) -> Filter | None:
        if isinstance(node, exp.Is) and isinstance(node.expression, exp.Null) and self.is_person(node.this):
            there = self.present(node.this)
            if there is None:
                raise Refusal(node, "everybody has a row there; leave this out")
            return Not(there)
        return computing.leaf(node, self)


def domain_of(
    feature: Feature, name: str, others: Iterable[tuple[str, Feature]], of: str | None, schema: Schema
) -> Domain:
    """Which values a feature of people may have beside others, under a name that none of them has."""
    people = People((*others, (name, feature)), of)
    planner = importlib.import_module("pets.plan.people").PeoplePlanner
    return planner(Query(people.home, IsNull(name), people=people), schema).fields[name]  # type: ignore[no-any-return]


def _stem(feature: Feature) -> str:
    if isinstance(feature, Reading):
        return "_".join(part for part in (feature.how, feature.rows.table, feature.column) if part)
    return feature.kind


def _flat(terms: list[Filter]) -> list[Filter]:
    return [part for term in terms for part in (term.terms if isinstance(term, And) else (term,))]


def _lacks(feature: Feature | None, rows: Rows) -> bool:
    """Whether people without such a row have no value of a feature."""
    if isinstance(feature, Reading):
        return feature.rows == rows and feature.how not in (*CAPPED, "exists")
    return isinstance(feature, (Days, AgeAt)) and any(_lacks(one, rows) for one in feature.inputs)
