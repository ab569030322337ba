"""Counted: which numbers of a plan are counts of people, of whom, and what of it no atom can stand for.

People are counted where each has one row. What a plan tells besides (sums of values, rows of which a person has
several, columns that determine each other) is named in a sentence: then nothing about its people is called proved.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pets.common.codec import Json
from pets.common.integers import Ints
from pets.plan.person_steps import Attribute, PersonPlan, Read
from pets.plan.plan import Plan
from pets.plan.predicate import AllOf, AnyOf, Predicate, Texts, columns_in
from pets.sdc.possible import MAX_CODES, possible

ROWS = ("rows", "units", "tails")
BINNED = ("leaves", "tree")


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
    for name in sorted(columns_of(plan)):
        if possible(plan, name) is None:
            return f"it is not known which values its column {name!r} can have"
    if other := sorted({one.kind for i, one in enumerate(plan.measures) if i not in counted}):
        return f"it tells more than counts of people ({', '.join(other)})"
    return None if (why := related([plan])) is None else f"its {why}"


def related(plans: Iterable[Plan]) -> str | None:
    """Two columns of tables of the same people that are made of the same rows, as the end of a sentence.

    One of them then tells something of the other: who is counted by one cannot be in every group of the other, and
    atoms, in which each group of one may meet each of the other, know nothing of that. ``None``: there are none.
    """
    seen: dict[tuple[str, str], str] = {}
    for plan in plans:
        if plan.people_of is None:
            continue
        used = columns_of(plan)
        for name, step in plan.people_of.names:
            roots = sorted(set(_roots(plan.people_of, step))) if name in used else []
            for known, other in seen.items():
                if other != name and any(_meet(known, root) for root in roots):
                    first, second = sorted((other, name))
                    return f"columns {first!r} and {second!r} are made of the same rows, so one tells of the other"
            seen |= dict.fromkeys(roots, name)
    return None


def _meet(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Whether two roots are the same column, or one of them a whole table and the other of it."""
    return one[0] == other[0] and (one[1] == other[1] or "" in (one[1], other[1]))


def _roots(people: PersonPlan, step: int) -> Iterator[tuple[str, str]]:
    """What a step is made of in the end: columns of the person table, and whole tables (of no column)."""
    one = people.steps[step]
    if isinstance(one, Read):
        yield one.table, ""
    elif isinstance(one, Attribute):
        # who has no row there has no value in any of its columns
        yield one.table, one.column if one.table == people.of else ""
    for further in one.inputs:
        yield from _roots(people, further)


def _texts(predicate: Predicate | None) -> bool:
    if isinstance(predicate, (AllOf, AnyOf)):
        return any(map(_texts, predicate.terms))
    return isinstance(predicate, Texts)
