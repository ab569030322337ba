"""Histories: people and their rows of several tables, as features of one question about people.

A person is one row of the model: what the person table says of them, and of each table of events how many rows they
have, the values of the first and of the second of these rows, and what lies between the two. Each marginal of that is
an ordinary count of people, whatever number of rows they have: one person moves one cell by one.

What follows from public knowledge alone is decided here: which features there are, which pairs are measured, and which
cells nobody can be in (a second value without a second row).
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from pets.query_model.columns import col
from pets.query_model.feature_base import Feature
from pets.query_model.people import Events, events
from pets.query_model.query import Query, people
from pets.schema.dates import Date
from pets.schema.domain import Domain
from pets.schema.numeric import Numeric
from pets.schema.rules import computed
from pets.schema.schema import Schema
from pets.synthetic.dp_model.asked_tables import by_table, listed_of, most_of, nameable, order_of, parted
from pets.synthetic.dp_model.cohort import features
from pets.synthetic.dp_model.columns import Modelled
from pets.synthetic.dp_model.workload import Clique, Workload

STEPS = 4
"""How much more than another pair the step from a row's value to the next row's weighs."""

_DAYS = (0, 1, 2, 4, 8, 15, 31, 61, 92, 184, 366, 732, 1463)
"""Where bins of days between two rows begin."""

_HALVES = 10
"""Bins of the distance between two numbers: the widest is half of the column, the next a quarter, …"""


@dataclass(frozen=True)
class EventTable:
    """One table of several rows a person, and where its features stand among the columns of the model.

    Attributes:
        name: of the table.
        order: the column that orders a person's rows.
        most: rows of a person that the model knows of.
        rows: the place of the number of rows.
        first, second: the places of a column's value in the first row, and in the second.
        gap: the place of what lies between the two in the column that orders them.
    """

    name: str
    order: str
    most: int
    rows: int
    first: Mapping[str, int]
    second: Mapping[str, int]
    gap: int

    @property
    def places(self) -> tuple[int, ...]:
        """All of them."""
        return (self.rows, *self.first.values(), *self.second.values(), self.gap)


@dataclass(frozen=True)
class Histories:
    """What is modelled of people in several tables.

    Attributes:
        person: the person table (``None``: people are those with a row in any of the tables).
        attributes: the places of its columns.
        events: the tables of events.
        computed: columns that rules compute from modelled ones, by table: these are not modelled.
        workload: what is measured.
    """

    schema: Schema
    person: str | None
    attributes: Mapping[str, int]
    events: tuple[EventTable, ...]
    computed: Mapping[str, tuple[str, ...]]
    workload: Workload

    @property
    def names(self) -> tuple[str, ...]:
        """The tables, that of people first."""
        return (*([] if self.person is None else [self.person]), *(one.name for one in self.events))

    @property
    def undated(self) -> tuple[str, ...]:
        """Tables whose rows may lack a value of the column that orders them: such rows are in no count."""
        return tuple(one.name for one in self.events if self.schema.table(one.name).columns[one.order].nullable)

    def possible(self, clique: Clique, filled: Collection[int] = ()) -> npt.NDArray[np.bool_] | None:
        """The cells of a pair that people may be in; ``None``: all.

        A value of a first row says that there is a row, one of a second row that there are two; no value says, of a
        column that is never empty (by the schema, or one of those ``filled``), that there are fewer.
        """
        bounds = [self._rows_told(place, filled) for place in clique]
        if len(clique) != 2 or self._table(clique[0]) is not self._table(clique[1]) or None in bounds:
            return None
        (low, high), (other_low, other_high) = (bound for bound in bounds if bound is not None)
        least = np.maximum(low[:, None], other_low[None, :])
        most = np.minimum(high[:, None], other_high[None, :])
        held: npt.NDArray[np.bool_] = least <= most
        return held

    def always(self, table: EventTable, place: int) -> bool:
        """Whether the schema says that no row lacks what stands at a place."""
        names = [name for some in (table.first, table.second) for name, at in some.items() if at == place]
        columns = self.schema.table(table.name).columns
        return place == table.gap or names[0] == table.order or not columns[names[0]].nullable

    def least_rows(self, place: int) -> int:
        """From how many rows on somebody has what stands at a place: 0 of what is known of everybody."""
        table = self._table(place)
        if table is None or place == table.rows:
            return 0
        return 2 if place == table.gap or place in table.second.values() else 1

    def _table(self, place: int) -> EventTable | None:
        return next((one for one in self.events if place in one.places), None)

    def _rows_told(
        self, place: int, filled: Collection[int]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None:
        """For each slot of a column, from how many to how many rows somebody in it may have."""
        table = self._table(place)
        if table is None:
            return None
        column = self.workload.columns[place]
        if place == table.rows:
            counts = np.array([int(label) for label in column.labels], dtype=np.int64)
            return counts, counts
        least = self.least_rows(place)
        low = np.full(column.size, least, dtype=np.int64)
        high = np.full(column.size, table.most, dtype=np.int64)
        if column.lacks:
            low[-1] = 0
            high[-1] = least - 1 if place in filled or self.always(table, place) else table.most
        return low, high


def histories(
    schema: Schema,
    tables: object,
    order: object = None,
    columns: object = None,
    bins: object = None,
    bound: object = None,
) -> Histories:
    """What is modelled of people in several tables, from public knowledge alone.

    Args:
        schema: of the tables.
        tables: their names: one table with one row a person at most, and tables of events of the same people.
        order: the column that orders a person's rows, by table of events; left out, its only column of dates.
        columns: which columns, by table; left out, those that a model can hold.
        bins: bins of columns, by table, as for one table.
        bound: rows of a person that the model knows of, for all tables or by table; the most that it draws.

    Raises:
        UserError: naming what is wrong and the remedy.
    """
    person, named = parted(schema, tables)
    known = [*named, *([] if person is None else [person])]
    chosen, cuts = by_table("columns", columns, known), by_table("bins", bins, known)
    orders = {name: order_of(schema, name, order, named) for name in named}
    most = {name: most_of(schema, name, bound, named) for name in named}
    listed = {name: listed_of(schema, name, chosen, cuts, orders.get(name)) for name in known}
    made_of = {name: computed(schema.table(name).rules, {*listed[name], orders.get(name, "")}) for name in known}
    made_of = {name: tuple(one for one in some if one != orders.get(name)) for name, some in made_of.items()}
    left = {name: [one for one in listed[name] if one not in made_of[name]] for name in known}
    told = {name: tuple(dict.fromkeys((orders[name], *left[name]))) for name in named}
    nameable(schema, person, [one for name in named for one in _named(name, told[name], orders[name])])
    made: dict[str, Feature] = {}
    stated: dict[str, Any] = {}
    for name in named:
        for feature, node, cutting in _features(schema, name, orders[name], most[name], told[name], cuts):
            made[feature] = node
            if cutting is not None:
                stated[feature] = cutting
    own: tuple[str, ...] = ()
    if person is not None:
        own = tuple(left[person])
        stated |= dict(cuts.get(person) or {})
    asked = people(**made) if person is None else people(of=person, **made)  # type: ignore[arg-type]
    if person is None:
        asked = asked.where(reduce(lambda one, other: one | other, (col(_rows(name)) >= 1 for name in named)))
    found = _modelled(asked, schema, [*own, *made], stated, {name: orders[name] for name in named})
    places = {column.name: place for place, column in enumerate(found)}
    events_ = tuple(
        EventTable(
            name,
            orders[name],
            most[name],
            places[_rows(name)],
            {one: places[_value(name, one, 1)] for one in told[name]},
            {one: places[_value(name, one, 2)] for one in told[name] if one != orders[name]},
            places[_gap(name)],
        )
        for name in named
    )
    attributes = {name: places[name] for name in own}
    workload = Workload(asked.table, found, people=asked.shown_as(None), links=_links(attributes, events_))
    return Histories(schema, person, attributes, events_, made_of, workload)


# names --------------------------------------------------------------------------------------------------------------


def _rows(table: str) -> str:
    return f"{table}: rows"


def _gap(table: str) -> str:
    return f"{table}: from row 1 to row 2"


def _value(table: str, column: str, row: int) -> str:
    return f"{table}: {column} of row {row}"


def _named(table: str, columns: Sequence[str], order: str) -> list[str]:
    """All features of a table."""
    values = [_value(table, name, row) for name in columns for row in (1, 2) if (name, row) != (order, 2)]
    return [_rows(table), *values, _gap(table)]


# features ----------------------------------------------------------------------------------------------------------


def _features(
    schema: Schema, table: str, order: str, most: int, listed: Sequence[str], cuts: Mapping[str, Any]
) -> list[tuple[str, Feature, Any]]:
    """The features of one table, with the bins that are stated for them."""
    home = schema.table(table).columns
    bins = dict(cuts.get(table) or {})
    rows = _dated(table, home, order)
    first, second = rows.first(order, by=order), rows.first(order, by=order, nth=2)
    out: list[tuple[str, Feature, Any]] = [(_rows(table), rows.count(max=most), None)]
    for name in listed:
        out.append((_value(table, name, 1), rows.first(name, by=order), bins.get(name)))
        if name != order:
            out.append((_value(table, name, 2), rows.first(name, by=order, nth=2), bins.get(name)))
    domain = home[order]
    if isinstance(domain, Date):
        span = (domain.hi - domain.lo).days + 1
        return [*out, (_gap(table), (second - first).days(0, span), [*(day for day in _DAYS if day < span), span])]
    assert isinstance(domain, Numeric)
    last = domain.cells - 1
    edges = sorted({last >> half for half in range(_HALVES)} | {0, 1})
    return [*out, (_gap(table), second - first, [domain.spacing * one for one in (-last, *edges) if one <= last])]


def _dated(table: str, home: Mapping[str, Domain], order: str) -> Events:
    """The rows that have a place in the order."""
    rows = events(table)
    return rows.where(~col(order).is_null()) if home[order].nullable else rows


def _modelled(
    asked: Query, schema: Schema, names: Sequence[str], stated: Mapping[str, Any], orders: Mapping[str, str]
) -> tuple[Modelled, ...]:
    found = list(features(asked, schema, names, stated))
    gaps = {_gap(table): schema.table(table).columns[order] for table, order in orders.items()}
    for place, column in enumerate(found):
        if column.name in gaps and isinstance(gaps[column.name], Numeric):
            # a second row never lies before the first
            last = column.domain.cells
            found[place] = replace(column, codes=((last // 2, last - 1), (last, last)))
    return tuple(found)


def _links(attributes: Mapping[str, int], tables: Sequence[EventTable]) -> tuple[tuple[Clique, int], ...]:
    """The pairs that are measured, each with its weight."""
    pairs: dict[Clique, int] = {}

    def link(one: int, other: int, weight: int = 1) -> None:
        pairs[(min(one, other), max(one, other))] = weight

    own = list(attributes.values())
    for one, other in itertools.combinations(own, 2):
        link(one, other)
    for table in tables:
        first, second = list(table.first.values()), list(table.second.values())
        for place in (*first, *second, table.gap):
            link(table.rows, place)
        for place in own:
            link(place, table.rows)
            for other in first:
                link(place, other)
        for values in (first, second):
            for one, other in itertools.combinations(values, 2):
                link(one, other)
        for place in (*first, *second):
            link(place, table.gap)
        for name, place in table.second.items():
            link(table.first[name], place, STEPS)
    for one, other in itertools.combinations([table.rows for table in tables], 2):
        link(one, other)
    return tuple(sorted(pairs.items()))
