"""Writing: a query as the SELECT that reads back to it, in SQL's own words where it has any."""

from __future__ import annotations

import datetime as dt
import importlib
from collections.abc import Iterable, Mapping
from dataclasses import fields
from fractions import Fraction
from typing import Any

from pets.common.codec import number
from pets.common.literals import clock_text
from pets.errors import InternalError, QueryError, SchemaError, did_you_mean, shown
from pets.query_model import aggregate as agg
from pets.query_model.codelists.codelist import InCodelist
from pets.query_model.display import Display, Order
from pets.query_model.expression import And, Between, Compare, Filter, IsIn, IsNull, Not, Or, StartsWith
from pets.query_model.features import columns_named
from pets.query_model.group_keys import Bins, DatePart, Key, KeySet, Period
from pets.query_model.nodes.aggregate_base import Aggregate, OfColumn
from pets.query_model.nodes.derived import Age, Derived, Extreme, Floor, Least, Linear, Mapped, Prefix
from pets.query_model.nodes.moments import Covariance, OfColumns, Spread, Variance
from pets.query_model.query import BOUNDS, Query
from pets.query_model.sql.parsing import plain_name
from pets.schema.dates import DateTime
from pets.schema.domain import MISSING, Domain
from pets.schema.schema import Schema

_WORDS: dict[type[Aggregate], str] = {agg.Sum: "SUM", agg.Mean: "AVG"}
SIGNS = {"==": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


def written(query: Query, schema: Schema) -> str:
    """The SELECT that :func:`pets.query_model.sql.reading.sql` reads back to this query."""
    if not isinstance(schema, Schema):
        raise SchemaError(f"query.sql needs a schema, such as pets.Schema.load('stays.yaml'), not {shown(schema)}")
    if query.people is not None:
        # found late: it writes rows as this module does
        return str(importlib.import_module("pets.query_model.sql.people.writing").PeopleWriter(query, schema).text())
    return Writer(query, schema).text()


class Writer:
    """One query's text."""

    def __init__(self, query: Query, schema: Schema, columns: list[str] | None = None) -> None:
        self._query = query
        table = schema.table(query.table)
        self._own, self._person = table, table.person_table
        attached = [name for name in schema.fields(query.table) if name not in table.columns]
        self._attached = () if self._person is None else tuple(attached)
        self.unit, self.schema = table.unit.column, schema
        self.columns = list(schema.fields(query.table)) if columns is None else columns
        self.columns += [name for name, _ in query.derived if columns is None]

    def text(self) -> str:
        """The whole statement."""
        query = self._query
        keys = [self._selected(key) for key in query.keys]
        measures = [f"{self._measure(node)} AS {self.name(name)}" for name, node in query.aggregates]
        lines = [f"SELECT {', '.join([*keys, *measures])}", f"FROM {self.source()}"]
        if query.condition is not None:
            lines.append(f"WHERE {self.condition(query.condition)}")
        if query.keys:
            lines.append(f"GROUP BY {', '.join(self._key(key) for key in query.keys)}")
        return "\n".join([*lines, *self._shown()])

    # names ------------------------------------------------------------------------------------------------------

    def name(self, name: str) -> str:
        """A name as SQL, in quotes where it needs them."""
        alike = [other for other in self.columns if other != name and other.casefold() == name.casefold()]
        return name if plain_name(name) and not alike else '"' + name.replace('"', '""') + '"'

    def column(self, name: str) -> str:
        """A column that the question may name, as SQL."""
        if name not in self.columns:
            known = did_you_mean(name, self.columns)
            raise SchemaError(f"column {shown(name)} is not in table {self._query.table!r}{known}")
        return self.told(name, self.columns)

    def told(self, name: str, among: Iterable[str]) -> str:
        """A name as SQL, where SQL tells it apart from the others.

        Raises:
            QueryError: another name differs from it only by case.
        """
        alike = [other for other in among if other != name and other.casefold() == name.casefold()]
        if alike:
            raise QueryError(
                f"SQL does not tell {shown(name)} from {shown(alike[0])}; give one another name, or keep the question "
                "as JSON: query.to_json(), which pets.Query.from_json reads"
            )
        return self.name(name)

    def _table(self, name: str) -> str:
        return self.name(name)

    def source(self) -> str:
        """What FROM reads."""
        query, table = self._query, self._table(self._query.table)
        given = ((word, getattr(query, word)) for word in BOUNDS)
        bounds = [f"{word} := {n}" for word, n in given if n is not None]
        source = f"BOUND({', '.join([table, *bounds])})" if bounds else table
        source = self._with_people(source, table, bound=bool(bounds))
        if not query.derived:
            return source
        domains = self.schema.fields(query.table)
        made = [f"{self._computed(node, domains)} AS {self.told(name, self.columns)}" for name, node in query.derived]
        return f"(SELECT *, {', '.join(made)} FROM {source}) AS {table}"

    def _with_people(self, source: str, table: str, *, bound: bool) -> str:
        """The table, and that of people where the query names a column of it."""
        if not self._joined():
            return source
        other = str(self.schema.table(str(self._person)).unit.column)
        person = self._table(str(self._person))
        on = f"{table}.{self.told(str(self.unit), self._own.columns)} = {person}.{self.name(other)}"
        return f"{source}{f' AS {table}' if bound else ''} LEFT JOIN {person} ON {on}"

    def _computed(self, node: Derived, domains: Mapping[str, Domain]) -> str:
        """A derived column as SQL."""
        match node:
            case Linear(terms=terms, constant=rest):
                return _sum([(times, self._timed(name, domains)) for name, times in terms], rest)
            case Extreme(of=of, constant=rest):
                parts = [*map(self.column, of), *([] if rest is None else [number_text(rest)])]
                return f"{'MIN_OF' if isinstance(node, Least) else 'MAX_OF'}({', '.join(parts)})"
            case Age(birth=birth, at=at):
                return f"AGE_AT({self.column(birth)}, {self.column(at) if isinstance(at, str) else constant(at)})"
            case Floor(column=column, by=by):
                below = number_text(by) if by.denominator == 1 else f"({number_text(by)})"
                return f"FLOOR({self.column(column)} / {below})"
            case Prefix(column=column, length=length):
                return f"LEFT({self.column(column)}, {length})"
        assert isinstance(node, Mapped), f"pets/query_model/sql/writing.py must say how {node.kind} is written"
        column = self.column(node.column)
        cases = [f"WHEN {column} = {constant(a)} THEN {constant(b)}" for a, b in node.pairs]
        other = "" if node.otherwise is None else f" ELSE {constant(node.otherwise)}"
        missing = [f"WHEN {column} IS NULL THEN NULL"] if other else []
        return f"CASE {' '.join([*missing, *cases])}{other} END"

    def _timed(self, name: str, domains: Mapping[str, Domain]) -> str:
        """A column in a sum: SQL takes date-times apart in its own way."""
        return f"DAYS({self.column(name)})" if isinstance(domains.get(name), DateTime) else self.column(name)

    def _joined(self) -> bool:
        """Whether the query names a column of the person table."""
        return any(name in self._attached for name in _named(self._query.to_json()))

    def people(self) -> str:
        """The measure that counts people."""
        if self.unit is None:
            return "COUNT_UNITS()"
        unit = self.told(self.unit, self._own.columns)
        return (
            f"COUNT(DISTINCT {self._table(self._query.table)}.{unit})" if self._joined() else f"COUNT(DISTINCT {unit})"
        )

    # keys -------------------------------------------------------------------------------------------------------

    def _selected(self, key: Key) -> str:
        if key.plain() != key:
            raise QueryError(
                f"{key.name!r} is the key's name anyway, and the SQL would not say that this query names it once more; "
                "build the query anew with pets.query"
            )
        return f"{self._key(key)} AS {self.name(key.label)}" if key.label else self._key(key)

    def _key(self, key: Key) -> str:
        column = self.column(key.column)
        if isinstance(key, Bins):
            labels = {} if self._query.display is None else self._query.display.shown(key.name)
            return _case(column, key, labels) if labels else f"BINS({', '.join([column, *map(constant, key.cuts)])})"
        if isinstance(key, DatePart):
            return f"EXTRACT({'ISODOW' if key.part == 'weekday' else key.part.upper()} FROM {column})"
        if isinstance(key, Period) and key.unit == "mmwr_week":
            return f"MMWR_WEEK({column})"
        return f"DATE_TRUNC('{key.unit}', {column})" if isinstance(key, Period) else column

    # measures ---------------------------------------------------------------------------------------------------

    def _measure(self, node: Aggregate) -> str:
        if isinstance(node, agg.Rate):
            return f"AVG(CASE WHEN {self.condition(node.where)} THEN 1 ELSE 0 END)"
        if not node.traits.spellings:
            raise QueryError(
                f"SQL has no word for {node.traits.chart.rpartition(' of ')[0]}, which a model is fitted to; keep the "
                "question as JSON, as query.to_json() gives it"
            )
        where: Filter | None = getattr(node, "where", None)
        if node.traits.spellings[0].takes == "condition":
            assert where is not None
            return f"{_spelt(node)}({self.condition(where)})"
        filtered = "" if where is None else f" FILTER (WHERE {self.condition(where)})"
        return self._call(node) + filtered

    def _call(self, node: Aggregate) -> str:
        if isinstance(node, agg.Count):
            return "COUNT(*)"
        if isinstance(node, agg.CountUnits):
            return self.people()
        if isinstance(node, agg.Quantile):
            column, share = self.column(node.column), number_text(node.q)
            if node.bins is not None:
                return f"QUANTILE_IN_BINS({column}, {share}, {node.bins})"
            return f"MEDIAN({column})" if node.q == Fraction(1, 2) else f"QUANTILE_DISC({column}, {share})"
        if isinstance(node, OfColumns):
            pair = ", ".join(map(self.column, node.columns))
            word = "COVAR_SAMP" if getattr(node, "sample", None) else "COVAR_POP"
            return f"{word if isinstance(node, Covariance) else 'CORR'}({pair})"
        if not isinstance(node, OfColumn):
            return self._by_name(node)
        of = self.column(node.column)
        if node.clip is not None:
            of = f"CLIP({of}, {number_text(node.clip[0])}, {number_text(node.clip[1])})"
        if isinstance(node, Spread):
            word = f"{'VAR' if isinstance(node, Variance) else 'STDDEV'}_{'SAMP' if node.sample else 'POP'}"
            return f"{word}({of})" if node.step is None else f"{word}_IN_STEPS({of}, {number_text(node.step)})"
        return f"{_WORDS.get(type(node)) or _spelt(node)}({of})"

    def _by_name(self, node: Aggregate) -> str:
        """What SQL has no word for: its own name, its column, and the numbers that it takes."""
        numbers: list[Fraction] = []
        for name in (field.name for field in fields(node) if field.name not in ("column", "where")):
            value = getattr(node, name)
            numbers += value if isinstance(value, tuple) else () if value is None else (value,)
        column = [self.column(node.column)] if hasattr(node, "column") else []
        return f"{_spelt(node)}({', '.join([*column, *map(number_text, numbers)])})"

    # conditions -------------------------------------------------------------------------------------------------

    def condition(self, node: Filter) -> str:
        """A filter as SQL."""
        match node:
            case Compare(column=column, op=op, value=value):
                return f"{self.column(column)} {SIGNS[op]} {constant(value)}"
            case Between(column=column, low=low, high=high):
                return f"{self.column(column)} BETWEEN {constant(low)} AND {constant(high)}"
            case IsIn(column=column, values=values):
                return f"{self.column(column)} IN ({', '.join(map(constant, values))})"
            case InCodelist(column=column, codes=codes):
                # SQL has no word for codes that nobody can have: those that the column holds are listed
                domain = self.schema.fields(self._query.table).get(column)
                return self.condition(IsIn(column, codes) if domain is None else node.known(domain))
            case IsNull(column=column):
                return f"{self.column(column)} IS NULL"
            case StartsWith(column=column, prefix=prefix) if "%" in prefix or "_" in prefix:
                return f"STARTS_WITH({self.column(column)}, {constant(prefix)})"
            case StartsWith(column=column, prefix=prefix):
                return f"{self.column(column)} LIKE {constant(f'{prefix}%')}"
            case Not(term=IsNull(column=column)):
                return f"{self.column(column)} IS NOT NULL"
            case Not(term=term):
                return f"NOT ({self.condition(term)})"
        if not isinstance(node, (And, Or)):
            return self.of_feature(node)
        terms = [self.condition(term) for term in node.terms]
        if len(terms) == 1 or any(type(term) is type(node) for term in node.terms):
            # what the fluent form does not build, and SQL has no brackets for
            return f"{'ALL_OF' if isinstance(node, And) else 'ANY_OF'}({', '.join(terms)})"
        word = " AND " if isinstance(node, And) else " OR "
        texts = [
            f"({text})" if isinstance(term, (And, Or)) else text for term, text in zip(node.terms, terms, strict=True)
        ]
        return word.join(texts)

    def of_feature(self, node: Filter) -> str:
        """A condition that compares rows with a feature of the person."""
        raise InternalError(f"pets/query_model/sql/writing.py must say how {node.kind} is written")

    # the answer -------------------------------------------------------------------------------------------------

    def _shown(self) -> list[str]:
        display, keyset = self._query.display, self._query.keyset
        having = [] if keyset is None else [self._listed(keyset)]
        if display is None:
            return [f"HAVING {term}" for term in having]
        if display.having is not None:
            grouped = {key.column.casefold() for key in self._query.keys}
            for name in columns_named(display.having):
                if name.casefold() in grouped:
                    raise QueryError(
                        f"in HAVING, {shown(name)} is the column that makes groups; give the measure another name"
                    )
            text = Writer(self._query, self.schema, self._answer()).condition(display.having)
            having.append(f"({text})" if having and isinstance(display.having, Or) else text)
        lines = [f"HAVING {' AND '.join(having)}"] if having else []
        if display.order:
            lines.append(f"ORDER BY {', '.join(self._order(order) for order in display.order)}")
        if display.limit is not None:
            lines.append(f"LIMIT {display.limit}")
        return [*lines, f"OFFSET {display.offset}"] if display.offset else lines

    def _order(self, order: Order) -> str:
        last = " NULLS FIRST" if order.nulls_first else ""
        return f"{self.told(order.name, self._answer())}{' DESC' if order.descending else ''}{last}"

    def _answer(self) -> list[str]:
        """The names of the answer."""
        return [*(key.name for key in self._query.keys), *(name for name, _ in self._query.aggregates)]

    def _listed(self, keyset: KeySet) -> str:
        names = ", ".join(self.told(name, self._answer()) for name in keyset.columns)
        display = Display() if self._query.display is None else self._query.display
        called = [display.shown(name) for name in keyset.columns]
        rows = [
            f"({', '.join(_listed_value(value, shown) for value, shown in zip(row, called, strict=True))})"
            for row in keyset.rows
        ]
        return f"KEYS({names}) IN ({', '.join(rows)})"


def _sum(terms: Iterable[tuple[Fraction, str]], constant: Fraction) -> str:
    """Columns times numbers, and a number, with signs between them."""
    parts = [(times, f"{'' if abs(times) == 1 else f'{number_text(abs(times))} * '}{name}") for times, name in terms]
    # a column before the rest: SQL takes a day from a day, and no number before it
    parts.sort(key=lambda part: part[0] < 0)
    parts += [(constant, number_text(abs(constant)))] if constant else []
    said = " ".join(f"{'-' if times < 0 else '+'} {part}" for times, part in parts)
    if said.startswith("- "):
        return f"-{said[2:]}" if said[2].isdigit() else f"-1 * {said[2:]}"
    said = said.removeprefix("+ ")
    return f"1 * {said}" if len(parts) == 1 and parts[0][0] == 1 else said


def _spelt(node: Aggregate) -> str:
    """pets' own name of a measure."""
    return node.traits.spellings[0].name.upper()


def _named(form: Any) -> Iterable[str]:
    """Every column that a canonical form names."""
    parts: Iterable[Any] = ()
    if isinstance(form, dict):
        if isinstance(form.get("column"), str):
            yield form["column"]
        parts = form.values()
    elif isinstance(form, (list, tuple)):
        parts = form
    for part in parts:
        yield from _named(part)


def _case(column: str, key: Bins, labels: dict[str, str]) -> str:
    own, cuts = key.labels(), key.cuts
    missing = [f"WHEN {column} IS NULL THEN {constant(labels[MISSING])}"] if MISSING in labels else []
    ends = ["<"] * (len(own) - 1) + ["<="]
    branches = [
        f"WHEN {column} {sign} {constant(cut)} THEN {constant(labels.get(label, label))}"
        for label, sign, cut in zip(own, ends, cuts[1:], strict=True)
    ]
    return f"CASE {' '.join([*missing, *branches])} END"


def _listed_value(value: Any, shown: dict[str, str]) -> str:
    """A listed key under the name that CASE gives it: a name may be another bin's own label."""
    if value is None:
        return constant(shown[MISSING]) if MISSING in shown else "NULL"
    return constant(shown.get(value, value))


def number_text(value: Fraction | int) -> str:
    """A number as SQL."""
    return str(number(Fraction(value)))


def constant(value: Any) -> str:
    """A constant as SQL."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, (int, Fraction)):
        return number_text(value)
    if isinstance(value, dt.timedelta):
        return f"TIME '{clock_text(value)}'"
    if isinstance(value, dt.datetime):
        return f"TIMESTAMP '{value.isoformat(' ')}'"
    return f"DATE '{value.isoformat()}'" if isinstance(value, dt.date) else "'" + str(value).replace("'", "''") + "'"
