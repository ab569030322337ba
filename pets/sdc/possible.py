"""Possible: the codes that a column of people can have at all, from its definition alone; no row is read.

Everybody knows that nobody has another one: who is counted among those with a stay has at least one stay. Where it is
not known which codes can be had, nothing is proved of a table with the column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pets.plan.person.computed import Choice, Compute
from pets.plan.person_steps import Attribute, Fill, PersonPlan, Read
from pets.plan.plan import Plan
from pets.plan.predicate import AllOf, Codes, Predicate, Range, Texts, columns_in, overlap, union

MAX_CODES = 100_000
"""Codes of a column of which another one is computed, each of which is looked at."""


def possible(plan: Plan, name: str) -> tuple[Range, ...] | None:
    """The codes that a column can have; ``None``: they are not known."""
    whole = ((0, plan.fields[name].codes - 1),)
    if plan.people_of is None or name not in dict(plan.people_of.names):
        return whole
    return _of_step(plan.people_of, dict(plan.people_of.names)[name])


def _of_step(people: PersonPlan, place: int) -> tuple[Range, ...] | None:
    step = people.steps[place]
    if isinstance(step, Attribute):
        return ((0, step.domain.codes - 1),)
    if isinstance(step, Read):
        return _read(people, step)
    if isinstance(step, (Fill, Compute, Choice)) and len(set(step.inputs)) == 1:
        (of,) = set(step.inputs)
        before = _of_step(people, of)
        if before is not None and sum(high - low + 1 for low, high in before) <= MAX_CODES:
            found = {step.value({of: code}) for low, high in before for code in range(low, high + 1)}
            return union([[(code, code)] for code in found])
    return None  # values of one person may depend on each other, as two dates of the same rows do


def _read(people: PersonPlan, step: Read) -> tuple[Range, ...] | None:
    """Of what is read of a person's rows: from those who have none that is read, to those who have as many as count."""
    kept = dict(people.kept)[step.table]
    most = kept if step.rows is None else min(step.rows, kept)
    any_ = _met(step.where, {one.name for one in step.differences})
    if any_ is None:
        return None
    if not any_:
        return ((step.absent, step.absent),)
    if step.table == people.of:  # each of them has a row there
        if step.where is None and step.how == "exists":
            return ((1, 1),)
        return ((1, min(step.high, most)),) if step.where is None and step.how == "count" else None
    if step.how == "exists":
        return ((0, 1),)
    own = {} if step.where is None else _own(step.where)
    if step.how == "count":
        return ((0, min(step.high, most)),)
    if step.column is None or not {step.column, step.by} & columns_in(step.where) <= own.keys():
        return None
    values = overlap(own.get(step.column, ((0, step.cells - 1),)), ((0, step.cells - 1),))
    ordered = step.by is None or bool(overlap(own.get(step.by, ((0, 0),)), ((0, step.order - 1),)))
    if step.nth > most:
        return ((step.absent, step.absent),)
    if step.how in ("first", "last", "min", "max"):
        return union([values if ordered else (), [(step.absent, step.absent)]])
    if step.how == "count_distinct":
        return ((0, min(step.high, most, sum(high - low + 1 for low, high in values))),)
    if step.how == "days_with" and step.column not in own:
        return ((0, min(step.high, most, (step.cells - 1 + step.start) // step.width + 1)),)
    return None


def _met(where: Predicate | None, beside: set[str]) -> bool | None:
    """Whether a row can meet a condition; ``None``: that is not known. ``beside``: columns made of earlier steps."""
    if where is None:
        return True
    if isinstance(where, Codes):
        return None if where.column in beside else bool(where.ranges)
    if isinstance(where, Texts):
        return bool(where.values) or not where.among
    several = [_met(one, beside) for one in where.terms]
    if isinstance(where, AllOf):
        apart = sum(len(columns_in(one)) for one in where.terms) == len(columns_in(where))
        return False if False in several else True if apart and None not in several else None
    return True if True in several else None if None in several else False


def _own(where: Predicate) -> Mapping[str, Sequence[Range]]:
    """Of each column that a condition is on by itself, the codes that meet it."""
    terms = where.terms if isinstance(where, AllOf) else (where,)
    return {one.column: one.ranges for one in terms if isinstance(one, Codes)}
