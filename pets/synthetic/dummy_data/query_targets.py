"""What a query's conditions ask of invented rows, so that the dummy twin of a filtered query is not empty.

A condition is taken apart into *wishes*, each a range of codes for some columns, of which any one meets it. Half of
the invented people are made to one of them. Nothing here reads a row: conditions and domains are public.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pets.errors import SchemaError
from pets.plan.plan import make_plan
from pets.plan.predicate import AllOf, AnyOf, Codes, Predicate, Range, both, overlap, resolve
from pets.query_model.query import Query
from pets.schema.domain import Category
from pets.schema.rules import Derived, OnlyWhen, gaps
from pets.schema.schema import Schema, Table
from pets.synthetic.dummy_data.derived_targets import Ranges, rooted

MAX_BRANCHES = 256
MAX_WISHES = 32
MAX_RANGES = 16


@dataclass(frozen=True)
class Wish:
    """Codes that some invented rows shall have: of the table's own columns, and of its person table's."""

    own: Mapping[str, Range]
    person: Mapping[str, Range]


def conditions(query: Query, schema: Schema) -> list[Predicate]:
    """The conditions that rows must meet to count in each part of the answer; raises as planning the query does."""
    fields = make_plan(query, schema).fields
    main = None if query.condition is None else resolve(query.condition, fields, query.table)
    found = [] if main is None else [main]
    for _, aggregate in query.aggregates:
        where = getattr(aggregate, "where", None)
        if where is not None:
            wanted = both(main, resolve(where, fields, query.table))
            assert wanted is not None
            found.append(wanted)
    return found


def wishes(query: Query, schema: Schema) -> tuple[Wish, ...]:
    """Wishes that together let rows into every part of the query's answer; none where it has no condition.

    A condition that no row of the schema can meet, whatever the data, contributes none.
    """
    table = schema.table(query.table)
    person = None if table.person_table is None else schema.table(table.person_table)
    asked = conditions(query, schema)
    plan = make_plan(query, schema)
    found: list[Wish] = []
    for condition in asked:
        ways = rooted(plan, itertools.islice(branches(condition), MAX_BRANCHES))
        some = itertools.islice(_grounded(ways, table, person), max(1, MAX_WISHES // len(asked)))
        found += [wish for wish in some if wish not in found]
    return tuple(found)


def _grounded(ways: Iterable[Ranges], table: Table, person: Table | None) -> Iterator[Wish]:
    for branch in ways:
        own = settled({name: ranges for name, ranges in branch.items() if name in table.columns}, table)
        rest = {name: ranges for name, ranges in branch.items() if name not in table.columns}
        theirs = settled(rest, person) if person is not None else {}
        if own is None or theirs is None:
            continue
        every = [len(ranges) for ranges in (*own.values(), *theirs.values())]
        for turn in range(min(MAX_RANGES, max(every, default=1))):
            wish = Wish(_turn(own, turn), _turn(theirs, turn))
            if possible(table, wish.own) and (person is None or possible(person, wish.person)):
                yield wish


def _turn(ranges: Ranges, turn: int) -> dict[str, Range]:
    return {name: some[turn % len(some)] for name, some in ranges.items()}


def branches(condition: Predicate) -> Iterator[Ranges]:
    """The ways to meet a condition, each as ranges of codes a column."""
    if isinstance(condition, Codes):
        if condition.ranges:
            yield {condition.column: condition.ranges}
    elif isinstance(condition, AnyOf):
        # in turn from each term, so that a long first one does not hide the others
        ways = [branches(term) for term in condition.terms]
        for row in itertools.zip_longest(*ways):
            yield from (branch for branch in row if branch is not None)
    elif isinstance(condition, AllOf):
        yield from _all(condition.terms)


def _all(terms: Sequence[Predicate]) -> Iterator[Ranges]:
    if not terms:
        yield {}
        return
    for rest in _all(terms[1:]):
        for first in branches(terms[0]):
            joined = _intersected(first, rest)
            if joined is not None:
                yield joined


def _intersected(first: Ranges, second: Ranges) -> Ranges | None:
    out = dict(second)
    for name, ranges in first.items():
        shared = ranges if name not in out else overlap(ranges, out[name])
        if not shared:
            return None
        out[name] = shared
    return out


def settled(ranges: Ranges, table: Table) -> Ranges | None:
    """Ranges of computed columns, as ranges of the columns that they are computed from; ``None``: impossible."""
    out: Ranges | None = {}
    for name, some in ranges.items():
        domain = table.columns[name]
        if isinstance(domain, Category) and domain.lookup is not None:
            source = table.columns[domain.lookup.column]
            inside = [
                code
                for code in range(source.codes)
                if any(low <= _looked_up(domain, source, code) <= high for low, high in some)
            ]
            step: Ranges = {domain.lookup.column: tuple((code, code) for code in inside)}
        else:
            step = {name: some}
        for rule in table.rules:
            has_value = all(high < domain.cells for _, high in some)
            if isinstance(rule, OnlyWhen) and rule.column == name and has_value:
                step[rule.given] = tuple((code, code) for code in sorted(rule.codes(table.columns)))
        if out is None or not all(step.values()):
            return None
        out = _intersected(step, out)
    return out


def _looked_up(domain: Category, source: object, code: int) -> int:
    assert isinstance(source, Category) and domain.lookup is not None
    value = None if code == source.cells else domain.lookup.mapping.get(source.values[code])
    return domain.cells if value is None else domain.encode(value)


def possible(table: Table, wish: Mapping[str, Range]) -> bool:
    """Whether a row may have such codes, by the rules of its table."""
    try:
        gaps(table.columns, table.rules, narrowed(table, wish))
    except SchemaError:
        return False
    return True


def narrowed(table: Table, wish: Mapping[str, Range]) -> dict[str, Range]:
    """The part of a wish that bounds values: a wish for no value bounds none."""
    return {name: pair for name, pair in wish.items() if pair[1] < table.columns[name].cells}


def filled(table: Table, wish: Mapping[str, Range]) -> set[str]:
    """The columns that must hold a value for the wish to come true."""
    named = set(narrowed(table, wish))
    for rule in table.rules:
        if isinstance(rule, Derived) and rule.column in named:
            named |= set(rule.parts)
    return named
