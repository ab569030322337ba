"""Whose each invented row is, and which row of another table it refers to.

A table that refers to another (``refers: visits.visit``) has its rows for that table's rows, and so for their people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pets.schema.rules import Unique
from pets.schema.schema import Schema
from pets.synthetic.dummy_data.fill import Codes, stream
from pets.synthetic.dummy_data.people.cohort import Cohort

NOBODY = -1


@dataclass(frozen=True)
class Placed:
    """The rows of one table.

    Attributes:
        person: whose each row is.
        links: by column that refers to another table, the row that each row refers to; -1: none.
        wishes: what some rows shall hold, and which of these each row is to (-1: none).
    """

    person: Codes
    links: Mapping[str, Codes]
    wishes: tuple[list[dict[str, Any]], Codes]


def placed(schema: Schema, name: str, rows: int, seed: int, wanted: Cohort | None = None) -> Placed:
    """The people of a table's rows; a cohort's come first, and those who follow are anybody."""
    table, parents = schema.tables[name], schema.twin.parents(name)
    above = {column: placed(schema, other, rows, seed, wanted) for column, (other, _) in parents.items()}
    meant, made, places = ([], _none(), _none()) if wanted is None else wanted.wishes(name)
    first = 0 if wanted is None else wanted.people
    rows = min(rows, table.people * table.unit.max_rows)
    others = table.people - first
    left = min(rows - len(made), others * table.unit.max_rows)  # else one person more would get what is over
    lead = next((column for column, (other, _) in parents.items() if _of_people(schema, name, other)), None)
    random = stream(seed, name)
    if lead is None:
        rest, mine = people(table.unit.max_rows, left, others, random) + first, _none()
    else:
        every = above[lead].person
        able = np.flatnonzero(every >= first)
        most = 1 if Unique(lead) in table.rules else table.unit.max_rows
        mine = _children(able, most, left, stream(seed, name, lead, "refers"))
        rest = every[mine]
        kept = _rank(rest) < table.unit.max_rows
        rest, mine = rest[kept], mine[kept]
    person = np.concatenate([made, rest])
    links: dict[str, Codes] = {}
    for column, (other, _) in parents.items():
        theirs, chance = above[column].person, stream(seed, name, column, "link")
        if column == lead:
            links[column] = np.concatenate([_of_same(made, theirs, chance), mine])
        elif _of_people(schema, name, other):
            links[column] = _of_same(person, theirs, chance)
        else:
            links[column] = chance.integers(0, len(theirs), size=len(person)) if len(theirs) else _none(len(person))
    return Placed(person, links, (meant, np.append(places, _none(len(rest)))))


def numbers(schema: Schema, name: str, column: str, rows: int, seed: int, wanted: Cohort | None, here: Placed) -> Codes:
    """The number that stands in an identifier of each row: of the person, of the row, or of what it refers to."""
    refers = schema.twin.parents(name).get(column)
    if column == schema.tables[name].unit.column:
        return here.person
    if refers is None:
        return np.arange(len(here.person), dtype=np.int64)
    other, key = refers
    above = placed(schema, other, rows, seed, wanted)
    theirs, link = numbers(schema, other, key, rows, seed, wanted, above), here.links[column]
    return np.where(link < 0, NOBODY, theirs[np.maximum(link, 0)] if len(theirs) else NOBODY)


def people(max_rows: int, rows: int, most: int, random: np.random.Generator) -> Codes:
    """Which invented person each row belongs to: numbers of rows fall off geometrically, up to ``max_rows``.

    Where the rows need more than ``most`` people that way, the first of these get as many rows as they may have.
    """
    sizes = np.minimum(random.geometric(0.5, size=rows), max_rows)[:most]
    room = max_rows - sizes
    lacking = rows - int(sizes.sum())
    if lacking > 0:
        sizes = sizes + np.clip(lacking - (np.cumsum(room) - room), 0, room)
    ends = np.cumsum(sizes)
    return np.searchsorted(ends, np.arange(rows), side="right").astype(np.int64)


def _none(rows: int = 0) -> Codes:
    return np.full(rows, NOBODY, dtype=np.int64)


def _of_people(schema: Schema, name: str, other: str) -> bool:
    """Whether the rows of both tables are of people."""
    return all(schema.tables[one].unit.column is not None for one in (name, other))


def _children(parents: Codes, most: int, rows: int, random: np.random.Generator) -> Codes:
    """For each row the row of the parent that it is of: some of these, in their order."""
    rows = min(rows, len(parents) * most)
    which = people(most, rows, len(parents), random)
    some = np.sort(random.permutation(len(parents))[: int(which[-1]) + 1 if rows else 0])
    return parents[some][which]


def _rank(person: Codes) -> Codes:
    """The number of each row among those of its person, from 0; rows of a person stand together."""
    place = np.arange(len(person))
    start = np.append(True, person[1:] != person[:-1])[: len(person)]
    return place - np.maximum.accumulate(np.where(start, place, 0)) if len(person) else place


def _of_same(person: Codes, theirs: Codes, random: np.random.Generator) -> Codes:
    """A row of the same person in another table, whose rows stand in the order of the people; -1: there is none."""
    low, high = (np.searchsorted(theirs, person, side=side) for side in ("left", "right"))
    found = low + (random.random(len(person)) * (high - low)).astype(np.int64)
    return np.where(high > low, found, NOBODY)
