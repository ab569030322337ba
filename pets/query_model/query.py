"""Query: what is asked, apart from any data, schema or protection.

The fluent surface only builds one frozen node. Nothing here knows whether the rows are real, invented or encrypted.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from pets.common import html_table
from pets.common.arguments import plain_arguments, plain_fields
from pets.common.codec import Json, digest
from pets.common.literals import name as name_of
from pets.errors import QueryError, did_you_mean, shown
from pets.query_model import written
from pets.query_model.aggregate import aggregate_from_json
from pets.query_model.columns import Col
from pets.query_model.display import Display
from pets.query_model.expression import Filter, condition_of, filter_from_json
from pets.query_model.features import Feature, Keyed
from pets.query_model.group_keys import ColumnKey, Key, KeySet, key_from_json
from pets.query_model.nodes.aggregate_base import Aggregate
from pets.query_model.nodes.derived import Derived, derived_from_json
from pets.query_model.nodes.feature_bounds import counted
from pets.query_model.nodes.names import derived_columns, distinct, few
from pets.query_model.people import People
from pets.query_model.traits import TRAITS
from pets.query_model.verbs import no_such_verb

MAX_BOUND = 1_000_000
BOUNDS = ("rows", "groups", "rows_per_group")
"""What :meth:`Query.bound` takes."""


@plain_fields(QueryError)
@dataclass(frozen=True)
class Query:
    """A question about the rows of one table, or about people.

    Attributes:
        table: the table's name in the schema; of people, :attr:`pets.query_model.people.People.home`.
        condition: only rows that meet it (after the rows of each person were chosen).
        keys: the group key, one entry a column of the answer.
        keyset: the key combinations to report; ``None`` for every combination of the keys' domains.
        aggregates: named measures of each group.
        rows: rows of one person that count (``None``: the schema's default).
        groups: groups one person may fall in (``None``: no cap).
        rows_per_group: rows of one person that count in each group (``None``: no cap but ``rows``).
        people: features of each person, one row a person; ``None`` for the rows of the table.
        derived: named columns that are computed of a row's own values, each from columns before it.
        display: how the answer is shown. It is no part of the question, of its canonical form or of its digest.

    >>> from pets.query_model.aggregate import count
    >>> query("stays").group_by("age").agg(stays=count()).keys
    (ColumnKey(column='age', label=''),)
    """

    table: str
    condition: Filter | None = None
    keys: tuple[Key, ...] = ()
    keyset: KeySet | None = None
    aggregates: tuple[tuple[str, Aggregate], ...] = ()
    rows: int | None = None
    groups: int | None = None
    rows_per_group: int | None = None
    people: People | None = None
    derived: tuple[tuple[str, Derived], ...] = ()
    display: Display | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        name_of("the name of a query's table", self.table)
        if self.condition is not None:
            condition_of(self.condition)
        if not isinstance(self.keys, (tuple, list)) or not all(isinstance(key, Key) for key in self.keys):
            raise QueryError(f"the keys of a query are made by group_by, not {shown(self.keys)}")
        object.__setattr__(self, "keys", tuple(self.keys))
        if self.keyset is not None:
            self._listed(self.keyset)
            object.__setattr__(self, "keyset", self.keyset.plain())
        for label in BOUNDS:
            value = getattr(self, label)
            if value is not None:
                object.__setattr__(self, label, _bound(label, value))
        if not isinstance(self.aggregates, (tuple, list)):
            raise QueryError(f"the measures of a query are made by agg, not {shown(self.aggregates)}")
        object.__setattr__(self, "aggregates", tuple(_named(pair) for pair in self.aggregates))
        object.__setattr__(self, "derived", derived_columns(self.derived))
        distinct([key.name for key in self.keys], self.aggregates)
        if self.people is not None:
            self._one_row(self.people)
        if self.display is not None:
            self._displayed(self.display)

    def _one_row(self, people: People) -> None:
        if not isinstance(people, People) or self.table != people.home:
            raise QueryError("a question about people is built from pets.people(…)")
        if any(getattr(self, word) is not None for word in BOUNDS):
            raise QueryError(
                "a person is one row here, so there is nothing to bound; to read fewer rows of a person, bound the "
                "events, such as pets.events('stays').bound(rows=3)"
            )

    def _listed(self, keyset: object) -> None:
        if not isinstance(keyset, KeySet):
            raise QueryError(f"a query's key set is a pets.KeySet, not {shown(keyset)}")
        names = tuple(key.name for key in self.keys)
        if names != keyset.columns:
            raise QueryError(
                f"the key set lists {few(keyset.columns)} and the query groups by {few(names) or 'nothing'}; "
                "they must be the same names in the same order"
            )

    def _displayed(self, display: Display) -> None:
        known = [key.name for key in self.keys] + [name for name, _ in self.aggregates]
        for name in display.names():
            if name not in known:
                raise QueryError(
                    f"the answer is to be shown by {shown(name)}, which it does not have; write .shown_as(None) first"
                )

    @plain_arguments(QueryError, "where", "join conditions with &, each in brackets")
    def where(self, condition: Filter) -> Query:
        """Keep only rows that meet the condition (and any earlier one)."""
        condition = condition_of(condition, "the condition in where(...)")
        return replace(self, condition=condition if self.condition is None else self.condition & condition)

    def with_columns(self, /, *unnamed: Any, **columns: Derived | Col) -> Query:
        """Columns computed of a row's own values, by name; conditions, keys and measures then name them like others.

        Sums, differences and constant multiples of columns (of two dates: the days between them), ``//`` by a number,
        :func:`pets.min_of`, :func:`pets.max_of`, ``age_at``, ``map`` and ``prefix``. Their bounds follow from the
        schema's, so they cost nothing. A row that lacks one of the values lacks the computed one.

        >>> from pets.query_model.columns import col
        >>> query("stays").with_columns(days=col("left") - col("came")).derived[0][1].columns
        ('came', 'left')
        """
        if unnamed:
            raise QueryError("name each column, such as .with_columns(days=col('discharged') - col('admitted'))")
        made = tuple((name, one.linear() if isinstance(one, Col) else one) for name, one in columns.items())
        return replace(self, derived=(*self.derived, *made))

    @plain_arguments(QueryError)
    def group_by(self, *keys: str | Col | Key | KeySet | Keyed) -> Query:
        """One row of answer a group: columns by name, derived keys such as ``col("age").bins(...)``, or a KeySet.

        Keys replace earlier ones. A KeySet may come with derived keys only by naming their columns.
        """
        found: list[Key] = []
        keyset: KeySet | None = None
        people = self.people
        for key in keys:
            if isinstance(key, Keyed) and people is not None:
                people = people.having(key.name, key.feature)
                found.append(key.key)
            elif isinstance(key, KeySet):
                keyset = key.plain() if keyset is None else keyset * key
            elif isinstance(key, (Key, Col, str)):
                found.append(key if isinstance(key, Key) else ColumnKey(key.name if isinstance(key, Col) else key))
            elif isinstance(key, (Keyed, Feature)):
                raise QueryError(
                    "a feature groups people, by its name or its bins: pets.people(n=…).group_by('n'), and no rows of "
                    "a table"
                )
            elif isinstance(key, Derived):
                key.refused()
            else:
                raise QueryError(
                    f"group_by takes column names, derived keys or a KeySet, not {shown(key)}; "
                    "write group_by('age', 'sex')"
                )
        if keyset is not None:
            named = {key.name: key for key in found}
            extra = [name for name in named if name not in keyset.columns]
            if extra:
                raise QueryError(
                    f"the key set does not list {extra[0]!r}; group by "
                    f"keys * pets.KeySet.product({{{extra[0]!r}: [its values]}}), or on the command line by a second "
                    'file, --by keys.json --by values.json, that holds {"columns": […], "rows": [[…], …]}'
                )
            found = [named.get(name, ColumnKey(name)) for name in keyset.columns]
        return replace(self, keys=tuple(key.plain() for key in found), keyset=keyset, people=people)

    def agg(self, /, *unnamed: Any, **aggregates: Aggregate) -> Query:
        """Add named measures: ``agg(stays=count(), days=sum("time_in_hospital"))``."""
        if unnamed:
            raise QueryError("name each measure, such as .agg(n=pets.count())")
        for name, aggregate in aggregates.items():
            if not isinstance(aggregate, Aggregate) or aggregate.kind not in TRAITS:
                raise QueryError(f"{shown(name)} must be an aggregate such as pets.count(), not {shown(aggregate)}")
        return replace(self, aggregates=(*self.aggregates, *aggregates.items()))

    @plain_arguments(QueryError, example="write bound(rows=3) or bound(groups=2)")
    def bound(self, *, rows: int | None = None, groups: int | None = None, rows_per_group: int | None = None) -> Query:
        """Override how much one person may contribute; what is left out stays as it is.

        The caps hold in this order, and each looks at one person's own rows: ``rows`` of them over the whole table,
        chosen at random once and for all (or the first to arrive, where the schema says so); the query's condition;
        their first ``groups`` groups; in each of these the first ``rows_per_group`` rows. A group is one of the
        answer's: a bin, a week, a value of a column.

        So ``bound(rows=7, groups=7, rows_per_group=1)`` moves daily counts by 1 on each of 7 days, which is √7 in all
        where 7 rows on one day would be 7: that much less noise, for what is left out.
        """
        given: dict[str, Any] = {"rows": rows, "groups": groups, "rows_per_group": rows_per_group}
        return replace(self, **{name: value for name, value in given.items() if value is not None})

    def shown_as(self, display: Display | None) -> Query:
        """The same question (and digest), its answer shown in another way: what SQL's ORDER BY and LIMIT make."""
        return self if display == self.display else replace(self, display=display)

    @plain_arguments(QueryError, "sql", "write query.sql(schema)")
    def sql(self, schema: Any) -> str:
        """The question as a SELECT that :func:`pets.sql` reads back to the same query.

        Where SQL has no word, pets' own are written: BOUND, BINS, CLIP, HISTOGRAM and a few more.

        Raises :class:`QueryError` or :class:`SchemaError` where the schema does not have what the query names.
        """
        # found by name: a question does not depend on how it is written down
        return str(importlib.import_module("pets.query_model.sql.writing").written(self, schema))

    if not TYPE_CHECKING:  # a type checker knows what there is

        def __getattr__(self, name: str) -> NoReturn:
            no_such_verb(name)

    @plain_arguments(QueryError)
    def explain(self, schema: Any, protection: Any = None) -> Any:
        """Who is protected, what is clamped, each measure's sensitivity and why, and the error at a given budget.

        The same as :func:`pets.explain`. Reads no rows. ``schema`` is a :class:`pets.Schema`; ``protection`` a
        :class:`pets.DP` or ``None``.
        """
        # an alias of the face's verb, found by name: a question does not depend on how it is planned
        return importlib.import_module("pets").explain(self, schema, protection)

    def _repr_html_(self) -> str:
        facts = [("Table", self.table)]
        if self.people is not None:
            named = ", ".join(name for name, _ in self.people.features) or "none"
            facts = [("One row a person, from", ", ".join(self.people.tables)), ("Features", named)]
        facts += [(f"Column {name}", written.derived_text(node)) for name, node in self.derived]
        if self.condition is not None:
            facts.append(("Rows where", written.condition_text(self.condition, most=12)))
        facts += [("By", written.key_text(key)) for key in self.keys]
        if self.keyset is not None:
            facts.append(("Groups", f"{len(self.keyset.rows):,} listed keys"))
        facts += [(name, written.measure_text(aggregate)) for name, aggregate in self.aggregates]
        bounds = [
            f"at most {n:,} {what}" for what, n in (("rows", self.rows), ("groups", self.groups)) if n is not None
        ]
        bounds += [] if self.rows_per_group is None else [f"at most {self.rows_per_group:,} rows in each group"]
        facts += [("Of each person", ", in ".join(bounds))] if bounds else []
        return html_table.block(html_table.table("Query: asked of no data yet", (), facts))

    def to_json(self) -> Json:
        """The canonical form: only what was given."""
        out: Json = {"table": self.table, "agg": [[name, node.to_json()] for name, node in self.aggregates]}
        if self.condition is not None:
            out["where"] = self.condition.to_json()
        if self.keys:
            out["by"] = [key.to_json() for key in self.keys]
        if self.keyset is not None:
            out["keyset"] = self.keyset.to_json()
        out |= {name: getattr(self, name) for name in BOUNDS if getattr(self, name) is not None}
        if self.derived:
            out["with"] = [[name, node.to_json()] for name, node in self.derived]
        return out if self.people is None else out | {"people": self.people.to_json()}

    @classmethod
    def from_json(cls, form: Any) -> Query:
        """The query whose canonical form this is; raises :class:`QueryError` for anything else."""
        try:
            return cls._from_json(form)
        except RecursionError:  # a hundred conditions in each of a dozen features, each within the limits
            raise QueryError("the query is nested too deeply; ask two questions") from None

    @classmethod
    def _from_json(cls, form: Any) -> Query:
        if not isinstance(form, Mapping):
            raise QueryError(f"a query must be a mapping with 'table' and 'agg', not {shown(form)}")
        known = ("table", "where", "by", "agg", "keyset", *BOUNDS, "people", "with")
        for name in form:
            if name not in known:
                raise QueryError(f"{shown(name)} is not a part of a query{did_you_mean(name, known)}")
        entries = () if form.get("agg") is None else _pairs("agg", form["agg"])
        aggregates = tuple((name, aggregate_from_json(node)) for name, node in entries)
        by = () if form.get("by") is None else form["by"]
        if not isinstance(by, (list, tuple)):
            raise QueryError(f"'by' must be a list of column names or keys, not {shown(by)}")
        people = None if form.get("people") is None else People.from_json(form["people"])
        bounds: dict[str, Any] = {name: form.get(name) for name in BOUNDS}
        base = cls(form.get("table", ""), **bounds, people=people)
        made = () if form.get("with") is None else _pairs("with", form["with"])
        base = replace(base, derived=tuple((name, derived_from_json(node)) for name, node in made))
        keys = tuple(ColumnKey(key) if isinstance(key, str) else key_from_json(key) for key in by)
        keyset = None if form.get("keyset") is None else KeySet.from_json(form["keyset"])
        where = None if form.get("where") is None else filter_from_json(form["where"])
        return replace(base, condition=where, keys=keys, keyset=keyset, aggregates=aggregates)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical form."""
        return digest(self.to_json())


def _pairs(part: str, pairs: Any) -> tuple[tuple[Any, Any], ...]:
    """The named parts of a query's form."""
    entries = tuple(pairs.items()) if isinstance(pairs, Mapping) else pairs
    if not isinstance(entries, (list, tuple)) or not all(
        isinstance(entry, (list, tuple)) and len(entry) == 2 for entry in entries
    ):
        what = "measure's name to an aggregate" if part == "agg" else "derived column's name to what it is"
        raise QueryError(f"{part!r} must map each {what}, not be {shown(pairs)}")
    return tuple((name, node) for name, node in entries)


def _bound(label: str, value: object) -> int:
    return counted(f"bound({label}=…)", value, MAX_BOUND)


def _named(pair: object) -> tuple[str, Aggregate]:
    name, aggregate = pair if isinstance(pair, (tuple, list)) and len(pair) == 2 else (None, None)
    if not isinstance(aggregate, Aggregate) or aggregate.kind not in TRAITS:
        raise QueryError(f"a measure is a name and an aggregate such as pets.count(), not {shown(pair)}")
    return name_of("a measure's name", name), aggregate


@plain_arguments(QueryError, example="write pets.query('stays').where(...).group_by(...).agg(...)")
def query(table: str) -> Query:
    """Begin a question about a table."""
    return Query(table)


@plain_arguments(QueryError, example="write pets.people(first=pets.events('stays').first('admitted', by='admitted'))")
def people(*, of: str | None = None, **features: Feature) -> Query:
    """Begin a question about people: one row a person, whose columns are features of that person's own rows.

    A person counts once, so that a count has sensitivity 1 however many tables and rows are read. Beside the features
    there are the columns of the person table. Who is in: people with a row in the table ``of``; or those who meet the
    condition of :meth:`Query.where`, which somebody without any row must not meet; or else everybody in the person
    table.

    >>> from pets.query_model.people import events
    >>> people(stays=events("stays").count(max=9)).table
    'stays'
    """
    source = People(tuple(features.items()), of)
    return Query(source.home, people=source)


def queries(query: Query | Sequence[Query]) -> list[Query]:
    """One query or several, as a list; raises :class:`QueryError` for anything else."""
    several = [query] if isinstance(query, Query) else list(query) if isinstance(query, (list, tuple)) else []
    if not several or not all(isinstance(one, Query) for one in several):
        raise QueryError("pass one query, built from pets.query('table'), or a list of them")
    return several
