"""Counted: which numbers of a plan are counts of people, of whom, and what of it no atom can stand for.

People are counted where each has one row. What a plan tells besides (sums of values, rows of which a person has
several, columns that determine each other) is named in a sentence: then nothing about its people is called proved.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pets.common.codec import Json
from pets.common.integers import Ints
from pets.plan.person_steps import Attribute, PersonPlan, Read
from pets.plan.plan import Plan
from pets.plan.predicate import AllOf, AnyOf, Predicate, Texts, columns_in

ROWS = ("rows", "units", "tails")
BINNED = ("leaves", "tree")
MAX_CODES = 100_000
"""Codes of a column of which another one is computed, each of which is looked at."""


@dataclass(frozen=True)
class Count:
    """One block of counts of people.

    Attributes:
        measure: the index of the plan's measure; of a rate's numerator that of its balance.
        where: who is counted, besides the plan's own condition.
        column, breaks: of a histogram, its column, the first codes of its bins and the code after the last; a cell is
            then a bin of a group.
        beside: the index of the count that a balance is the difference to; ``None``: it is a count itself.
    """

    measure: int
    where: Predicate | None
    column: str | None = None
    breaks: tuple[int, ...] = ()
    beside: int | None = None

    @property
    def width(self) -> int:
        """Cells in each group."""
        return max(1, len(self.breaks) - 1)

    def of(self, plan: Plan, values: Ints) -> Ints:
        """The exact counts, of a plan's exact vector."""
        block = values[plan.blocks[self.measure]]
        if self.beside is not None:  # those who meet a condition less those who do not
            return (block + values[plan.blocks[self.beside]]) // 2
        wide = block.reshape(plan.groups, -1)
        return wide[:, : self.width].reshape(-1)


def counts_of(plan: Plan) -> tuple[Count, ...]:
    """The blocks of a plan's vector that are counts of people, each whom it counts once."""
    if plan.kept_rows != 1:
        return ()
    everybody = next((i for i, one in enumerate(plan.measures) if one.kind == "rows" and one.where is None), None)
    out = []
    for index, one in enumerate(plan.measures):
        if one.kind in ROWS:
            out.append(Count(index, one.where))
        elif one.kind in BINNED:
            out.append(Count(index, one.where, one.column, one.breaks))
        elif one.kind == "balance" and everybody is not None:
            out.append(Count(index, one.where, beside=everybody))
    return tuple(out)


def population(plan: Plan) -> Json:
    """Whose people a plan counts: plans of one population are about the same atoms."""
    people = plan.query.people
    if people is None:
        return {"table": plan.table}
    return {"people": people.to_json()}


def columns_of(plan: Plan) -> frozenset[str]:
    """The columns that decide in which cell of a plan somebody is counted."""
    names = {one.column for one in plan.layout.dimensions} | columns_in(plan.where)
    names |= {one.column for one in counts_of(plan) if one.column is not None}
    return frozenset(names.union(*(columns_in(one.where) for one in counts_of(plan))))


def unfit(plan: Plan) -> str | None:
    """Why a plan's numbers are no counts of atoms, as the end of a sentence; ``None``: they are."""
    if plan.kept_rows != 1:
        return "a person may have several rows in it"
    if plan.query.people is not None and plan.query.people.of is None:
        return "it does not say who the people are"
    if not counts_of(plan):
        return "it has no count of people"
    conditions = [plan.where, *(one.where for one in counts_of(plan))]
    if any(one.text is not None for one in plan.layout.dimensions) or any(map(_texts, conditions)):
        return "it reads a column whose values nobody listed"
    for name in sorted(columns_of(plan)):
        while (made := plan.made.get(name)) is not None:
            read = set(made.recipe.columns)
            if len(read) != 1 or plan.fields[next(iter(read))].codes > MAX_CODES:
                return f"it computes {name!r} from several columns, or from one of very many values"
            (name,) = read
    return None


def beyond(plan: Plan) -> str | None:
    """What of a plan its counts of atoms do not hold, as the end of a sentence; ``None``: they hold all of it."""
    if (why := unfit(plan)) is not None:
        return why
    counted = {one.measure for one in counts_of(plan)}
    if other := sorted({one.kind for i, one in enumerate(plan.measures) if i not in counted}):
        return f"it tells more than counts of people ({', '.join(other)})"
    return None if plan.people_of is None else shared(plan.people_of, columns_of(plan))


def shared(people: PersonPlan, columns: frozenset[str]) -> str | None:
    """Two of the columns of people that are made of the same rows, so that one tells something of the other."""
    seen: dict[str, str] = {}
    for name, step in people.names:
        if name not in columns:
            continue
        for root in set(_roots(people, step)):
            if root in seen:
                return f"its columns {seen[root]!r} and {name!r} are made of the same rows, so one tells of the other"
            seen[root] = name
    return None


def _roots(people: PersonPlan, step: int) -> Iterator[str]:
    """What a step is made of in the end: columns of the person table, and tables of events."""
    one = people.steps[step]
    if isinstance(one, Read):
        yield f"events {one.table}"
    elif isinstance(one, Attribute):
        yield f"column {one.table}.{one.column}"
    for further in one.inputs:
        yield from _roots(people, further)


def _texts(predicate: Predicate | None) -> bool:
    if isinstance(predicate, (AllOf, AnyOf)):
        return any(map(_texts, predicate.terms))
    return isinstance(predicate, Texts)
