"""Cohort rules, for exact totals only: how many rows a question is about, and by how many it differs from another.

They look at rows, so a refusal by them is itself an answer about rows; under differential privacy none of them is used.
The counts come from the site and stay there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pets.aggregate import count
from pets.expression import Filter
from pets.federated.sitepolicy import Totals
from pets.query import Query
from pets.vector import Ints

Counted = Callable[[Query], Ints]


def counting(query: Query, where: Filter | None) -> Query:
    """The question: how many rows meet a condition, among those that the query would count."""
    return Query(query.table, filter=where, aggregates=(("n", count()),), rows=query.rows)


def cohorts(query: Query) -> tuple[Query, ...]:
    """Every set of rows that a query's answer is about, as a question for its size."""
    conditions: list[Filter | None] = [query.filter]
    for _, aggregate in query.aggregates:
        inner = getattr(aggregate, "where", None)
        if inner is not None:
            conditions.append(inner if query.filter is None else query.filter & inner)
    return tuple(counting(query, condition) for condition in conditions)


def fits(query: Query, rules: Totals, rows: int, counted: Counted) -> str:
    """Why a question is about too few rows ('' where it is not).

    A person has at most ``rows`` rows in a group, which is what the dominance rule takes as the greatest part.
    """
    if any(int(counted(asked)[0]) < rules.min_cohort for asked in cohorts(query)):
        return "too few rows are in the cohort"
    if rules.min_cell or rules.dominance < 1:
        cells = counted(replace(query, aggregates=(("n", count()),)))
        some = cells[cells > 0]
        if bool((some < rules.min_cell).any()):
            return "too few rows are in a group"
        if rules.dominance < 1 and bool((some * rules.dominance < rows).any()):
            return "one person may have too great a part of a group"
    return ""


def overlaps(first: Query, second: Query, least: int, counted: Counted) -> bool:
    """Whether two sets of rows differ, but by fewer rows than ``least``: subtracting the answers would show those."""
    if first.filter == second.filter and first.rows == second.rows:
        return False
    both = (
        first.filter
        if second.filter is None
        else second.filter
        if first.filter is None
        else first.filter & second.filter
    )
    a, b, common = (int(counted(one)[0]) for one in (first, second, counting(second, both)))
    return 0 < a + b - 2 * common < least
