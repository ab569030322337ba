"""Writing: a question about people as the SELECT that reads back to it, each feature a sub-query by the person."""

from __future__ import annotations

import importlib
from typing import Any

from pets.errors import QueryError
from pets.query_model.expression import Filter, Or
from pets.query_model.features import (
    AgeAt,
    Case,
    Computed,
    Days,
    Feature,
    Filled,
    Reading,
    Rows,
    Versus,
    Within,
    columns_named,
)
from pets.query_model.nodes.derived import Linear, Mapped
from pets.query_model.people import tables_of
from pets.query_model.query import Query
from pets.query_model.sql.people.parts import COLUMN, FEATURE, MAP
from pets.query_model.sql.people.scope import domain_of
from pets.query_model.sql.writing import SIGNS, Writer, constant, number_text
from pets.schema.domain import Domain
from pets.schema.schema import Schema

_READ = {"min": "MIN", "max": "MAX", "mean": "MEAN", "first": "ARG_MIN_NULL", "last": "ARG_MAX_NULL"}


class PeopleWriter(Writer):
    """One question about people."""

    def __init__(self, query: Query, schema: Schema) -> None:
        assert query.people is not None
        _has_sql(query)
        # found by name: a question does not depend on how it is planned, but its columns are those that it has there
        planner = importlib.import_module("pets.plan.people").PeoplePlanner(query, schema)
        self.domains = dict(planner.fields)
        super().__init__(query, schema, columns=list(planner.fields))
        self.source_of, self.owner = query.people, planner.attributes
        names = ("person", *(f"person_{number}" for number in range(2, 99)))
        tables = {name.casefold() for name in schema.tables}
        self.alias = next(name for name in names if name not in tables)
        self.of_person = "id"
        self.person = ""
        self.known: dict[bytes, str] = {}
        self.named: set[str] = set()

    def source(self) -> str:
        """The people, and around them their features."""
        of = self.source_of.of
        base = f"PEOPLE({'' if of is None else self._table(of)})"
        if of is not None and of == self.owner and tables_of(one for _, one in self.source_of.features):
            unit = self.schema.table(of).unit
            if unit.max_rows == 1:
                base, self.of_person = self._table(of), str(unit.column)
        self.person = f"{self.alias}.{self.name(self.of_person)}"
        text = f"{base} AS {self.alias}"
        made = [
            [f"{COLUMN}({self._computed(node, self.domains)}) AS {self.told(name, self.columns)}"]
            for name, node in self._query.derived
        ]
        for layer in (*self._layers(), *made):
            listed = ",\n  ".join(["*", *layer])
            text = f"(SELECT {listed}\nFROM {text}) AS {self.alias}"
        return text

    def _layers(self) -> list[list[str]]:
        """The features, each in a sub-select around those that it names."""
        layers: list[list[str]] = []
        here: set[str] = set()
        for name, feature in self.source_of.features:
            if name.casefold() == self.of_person.casefold():
                raise QueryError(f"in SQL, {name!r} would name the person; give the feature another name")
            self.named.clear()
            written = f"{self._written(feature, ())} AS {self.told(name, self.columns)}"
            if not layers or self.named & here:
                layers.append([])
                here.clear()
            layers[-1].append(written)
            here.add(self.known.setdefault(feature.key, name))
        return layers

    def people(self) -> str:
        """The measure that counts people: each is one row."""
        return "COUNT_UNITS()"

    # features ---------------------------------------------------------------------------------------------------

    def domain_of(self, node: Feature) -> Domain:
        """Which values a feature may have."""
        features = self.source_of.features
        known = next((name for name, one in features if one.key == node.key), None)
        free = next(name for name in map("part {}".format, range(len(features) + 1)) if name not in dict(features))
        return self.domains[known] if known else domain_of(node, free, features, self.source_of.of, self.schema)

    def feature(self, node: Feature, hidden: tuple[str, ...] = ()) -> str:
        """A feature as SQL (``hidden``: names of a sub-query around it, which go before those of features)."""
        name = self.known.get(node.key)
        if name is not None and name.casefold() not in hidden:
            self.named.add(name)
            return self.name(name)
        return self._written(node, hidden)

    def _written(self, node: Feature, hidden: tuple[str, ...]) -> str:
        if isinstance(node, Filled):
            return f"COALESCE({self.feature(node.of, hidden)}, {constant(node.value)})"
        if isinstance(node, Days):
            two = f"{self.feature(node.earlier, hidden)}, {self.feature(node.later, hidden)}"
            return f"DAYS_BETWEEN({two}, {node.low}, {node.high})"
        if isinstance(node, Case):
            self.named |= {name for condition, _ in node.arms for name in columns_named(condition)}
            arms = [f"WHEN {self.condition(condition)} THEN {constant(name)}" for condition, name in node.arms]
            rest = "" if node.default is None else f" ELSE {constant(node.default)}"
            return f"CASE {' '.join(arms)}{rest} END"
        if isinstance(node, AgeAt):
            return f"AGE_AT({self.column(node.column)}, {self.feature(node.at, hidden)})"
        if isinstance(node, Computed):
            return f"{FEATURE}({PartsWriter(self, node, hidden).text()})"
        assert isinstance(node, Reading), f"pets/query_model/sql/people/writing.py must say how {node.kind} is written"
        rows = RowWriter(self, node.rows)
        there = node.how == "exists"
        return f"EXISTS (SELECT 1 {rows.rest()})" if there else f"(SELECT {rows.read(node)} {rows.rest()})"


def _has_sql(query: Query) -> None:
    """Refuse what SQL has no form for yet."""
    assert query.people is not None
    features = [feature for _, feature in query.people.features]
    if query.people.of is None and features and isinstance(features[0], Case):
        raise QueryError(
            "a case before anything that is read of rows has no place in SQL; name a feature that reads rows before it"
        )


class PartsWriter(Writer):
    """What is computed of features."""

    def __init__(self, outer: PeopleWriter, feature: Computed, hidden: tuple[str, ...]) -> None:
        super().__init__(Query(outer.source_of.home), outer.schema)
        self._outer, self._feature, self._hidden = outer, feature, hidden

    def text(self) -> str:
        made = self._feature.made
        if not isinstance(made, Mapped):
            names = made.columns if isinstance(made, Linear) else ()
            return self._computed(made, {name: self._outer.domain_of(self._part(name)) for name in names})
        rest = "NULL" if made.otherwise is None else constant(made.otherwise)
        listed = [constant(text) for pair in made.pairs for text in pair]
        return f"{MAP}({', '.join([self.column(made.column), rest, *listed])})"

    def column(self, name: str) -> str:
        return self._outer.feature(self._part(name), self._hidden)

    def _part(self, name: str) -> Feature:
        return self._feature.of[int(name) - 1]


class RowWriter(Writer):
    """The rows of one person that a feature reads."""

    def __init__(self, outer: PeopleWriter, rows: Rows) -> None:
        base: Any = Query(rows.table)
        super().__init__(base, outer.schema)
        self._outer, self._rows = outer, rows
        self._hidden = tuple(name.casefold() for name in self.columns)

    def rest(self) -> str:
        """FROM the table, WHERE the rows are the person's and meet the condition."""
        rows = self._rows
        table = self._table(rows.table)
        source = table if rows.most is None else f"BOUND({table}, rows := {rows.most}) AS {table}"
        terms = [f"{table}.{self.told(str(self.unit), self._own.columns)} = {self._outer.person}"]
        if rows.condition is not None:
            text = self.condition(rows.condition)
            bracketed = isinstance(rows.condition, Or) and not text.startswith("ANY_OF(")
            terms.append(f"({text})" if bracketed else text)
        return f"FROM {source} WHERE {' AND '.join(terms)}"

    def read(self, node: Reading) -> str:
        """What is read of the rows."""
        column = None if node.column is None else self.column(node.column)
        if node.how == "episodes":
            return f"LEAST(EPISODES({column}, {node.gap}), {node.most})"
        if node.how in ("count", "count_distinct", "days_with"):
            what = {"count": "*", "count_distinct": f"DISTINCT {column}"}.get(
                node.how, f"DISTINCT DATE_TRUNC('day', {column})"
            )
            return f"LEAST(COUNT({what}), {node.most})"
        if node.how == "sum":
            assert node.clip is not None
            return f"CLIP(SUM({column}), {', '.join(map(number_text, node.clip))})"
        by = "" if node.by is None else f", {self.column(node.by)}"
        nth = "" if node.nth is None else f", {node.nth}"
        return f"{_READ[node.how]}({column}{by}{nth})"

    def of_feature(self, node: Filter) -> str:
        if isinstance(node, Versus):
            return f"{self.column(node.column)} {SIGNS[node.op]} {self._outer.feature(node.feature, self._hidden)}"
        assert isinstance(node, Within), f"pets/query_model/sql/people/writing.py must say how {node.kind} is written"
        days = f"DATE_DIFF('day', {self._outer.feature(node.feature, self._hidden)}, {self.column(node.column)})"
        if node.low is None or node.high is None:
            return f"{days} >= {node.low}" if node.high is None else f"{days} <= {node.high}"
        return f"{days} BETWEEN {node.low} AND {node.high}"
