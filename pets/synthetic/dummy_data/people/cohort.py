"""Cohort: invented people who meet a question's condition, as patterns of which each is made many times.

People are drafted, their rows drawn as all invented rows are, and judged; of those who meet the condition, what a
feature reads is kept and the rest drawn anew for each copy. Nothing here reads a row: schema and question are public.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pets.errors import UserError
from pets.plan.person_steps import Attribute, PersonPlan, Read
from pets.plan.plan import make_plan
from pets.plan.predicate import Predicate, Range, columns_in, met
from pets.query_model.query import Query
from pets.schema.domain import Category, Domain
from pets.schema.rules import Derived, OnlyWhen, Unique
from pets.schema.schema import Schema
from pets.synthetic.dummy_data.fill import Codes, fill, stream
from pets.synthetic.dummy_data.people.draft import Draft
from pets.synthetic.dummy_data.people.evaluate import Row, evaluated
from pets.synthetic.dummy_data.people.intents import WAYS, intents, limits
from pets.synthetic.dummy_data.query_targets import branches, conditions

BATCH, ROUNDS = 32, 8
"""People drafted at a time, and how often at most."""

PATTERNS = 16
"""Different people who are enough."""

Pattern = Mapping[str, Sequence[Row]]
"""Of one person, by table: the codes that some columns of each row have."""


@dataclass(frozen=True)
class Cohort:
    """People numbered from 0 on, each made to one of the patterns in turn.

    Attributes:
        patterns: of people who meet the condition.
        people: how many of them there are.
    """

    patterns: tuple[Pattern, ...]
    people: int

    def wishes(self, table: str) -> tuple[list[dict[str, Range]], Codes, Codes]:
        """What each row of the patterns shall hold; and of every row, the person and which of the wishes it is to."""
        found: list[dict[str, Range]] = []
        places: list[list[int]] = []
        for pattern in self.patterns:
            rows = pattern.get(table, ())
            places.append(list(range(len(found), len(found) + len(rows))))
            found += [{name: (code, code) for name, code in row.items()} for row in rows]
        each = [places[person % len(places)] for person in range(self.people)]
        person = np.repeat(np.arange(self.people, dtype=np.int64), [len(some) for some in each])
        return found, person, np.array(list(itertools.chain(*each)), dtype=np.int64)


def cohort(query: Query, schema: Schema, rows: int, seed: int) -> Cohort | None:
    """People who meet the question's condition, in at most half of each table's rows; ``None``: it has no condition.

    Raises:
        UserError: where nobody was found who meets it.
    """
    plan = make_plan(query, schema)
    asked = conditions(query, schema)
    if not asked:
        return None
    assert plan.people_of is not None
    found = _patterns(plan.people_of, schema, asked, seed)
    if not found:
        raise UserError(
            "nobody was invented who meets the conditions of this question; leave query out, or ask of wider conditions"
        )
    most = [table.people // 2 for table in schema.tables.values() if table.unit.column is not None]
    for name, table in schema.tables.items():
        held = sum(len(pattern.get(name, ())) for pattern in found)
        if held:
            most.append(min(rows, table.people * table.unit.max_rows) * len(found) // (2 * held))
    return Cohort(found, min(most))


def _patterns(plan: PersonPlan, schema: Schema, asked: Sequence[Predicate], seed: int) -> tuple[Pattern, ...]:
    random = stream(seed, "", "people")
    owners = (schema.tables[name].person_table or _owner(name, schema) for name in plan.tables)
    owner = next((name for name in owners if name is not None), None)
    ways = [(one, found) for one in asked if (found := _ways(plan, one))]
    kept: dict[int, list[Pattern]] = {place: [] for place in range(len(ways))}
    for turn in range(ROUNDS if ways else 0):
        drafts: list[tuple[int, Draft]] = []
        for number in range(BATCH):
            place = number % len(ways)
            several = ways[place][1]
            meant = intents(plan, several[int(random.integers(len(several)))], random)
            if meant is not None and (draft := Draft(plan, schema, owner, meant, random)).made():
                drafts.append((place, draft))
        for (place, _), rows in zip(drafts, _filled(schema, [one for _, one in drafts], seed + turn), strict=True):
            seen = evaluated(plan, rows)
            if seen is not None and met(ways[place][0], {name: seen[step] for name, step in plan.names}):
                kept[place].append(_frozen(plan, schema, rows))
        if all(len(some) * len(ways) >= PATTERNS for some in kept.values()):
            break
    # of each part of the answer in turn, as many as of any other
    mixed = itertools.zip_longest(*(some[:PATTERNS] for some in kept.values()))
    return tuple(one for some in mixed for one in some if one is not None)


def _ways(plan: PersonPlan, condition: Predicate) -> list[dict[int, tuple[Range, ...]]]:
    ways = (limits(plan, branch) for branch in itertools.islice(branches(condition), WAYS))
    return [way for way in ways if way is not None]


def _owner(name: str, schema: Schema) -> str | None:
    return name if any(table.person_table == name for table in schema.tables.values()) else None


def _filled(schema: Schema, drafts: Sequence[Draft], seed: int) -> list[dict[str, list[dict[str, int]]]]:
    """The rows of each draft, with codes in all columns that a query may name."""
    out: list[dict[str, list[dict[str, int]]]] = [{} for _ in drafts]
    owner = drafts[0].owner if drafts else None
    names = dict.fromkeys([*([] if owner is None else [owner]), *(name for one in drafts for name in one.whole)])
    for name in names:
        table = schema.tables[name]
        each = [(place, row) for place, one in enumerate(drafts) for row in one.whole.get(name, ())]
        wished = [{column: (code, code) for column, code in row.items()} for _, row in each]
        codes = fill(name, table, len(each), seed, wished, np.arange(len(each), dtype=np.int64))
        codes |= looked_up(table.columns, codes)
        for number, (place, _) in enumerate(each):
            row = {column: int(some[number]) for column, some in codes.items()}
            attached = out[place][owner][0] if owner is not None and owner != name else {}
            out[place].setdefault(name, []).append({**attached, **row})
    return out


def looked_up(columns: Mapping[str, Domain], codes: Mapping[str, Codes]) -> dict[str, Codes]:
    """The codes of the look-ups among some columns."""
    found = {}
    for column, domain in columns.items():
        if isinstance(domain, Category) and domain.lookup is not None:
            source = columns[domain.lookup.column]
            assert isinstance(source, Category)
            values = [domain.lookup.mapping.get(value) for value in source.values]
            table = [domain.cells if value is None else domain.encode(value) for value in values]
            found[column] = np.array([*table, domain.cells], dtype=np.int64)[codes[domain.lookup.column]]
    return found


def _frozen(plan: PersonPlan, schema: Schema, rows: Mapping[str, Sequence[Row]]) -> Pattern:
    """Of a person's rows, what the features read."""
    read: dict[str, set[str]] = {name: set() for name in rows}
    for step in plan.steps:
        if isinstance(step, Attribute):
            read.setdefault(step.table, set()).add(step.column)
        elif isinstance(step, Read):
            named = {step.column, step.by, *columns_in(step.where), *(one.column for one in step.differences)}
            for name in read:  # (an attached column is the person table's)
                read[name] |= {column for column in named if column is not None}
    return {name: tuple(_only(schema, name, row, read[name]) for row in some) for name, some in rows.items()}


def _only(schema: Schema, name: str, row: Row, read: set[str]) -> Row:
    table = schema.tables[name]
    wanted = {column for column in read if column in table.columns}
    for column in list(wanted):
        domain = table.columns[column]
        if isinstance(domain, Category) and domain.lookup is not None:
            wanted.add(domain.lookup.column)
    for rule in table.rules:
        if isinstance(rule, Derived) and rule.column in wanted:
            wanted |= set(rule.parts)
        if isinstance(rule, OnlyWhen) and rule.column in wanted:
            wanted.add(rule.given)
    unique = {rule.column for rule in table.rules if isinstance(rule, Unique)}
    drawn = {column for column, domain in table.columns.items() if getattr(domain, "lookup", None) is None}
    return {column: row[column] for column in wanted & drawn - unique if column in row}
