"""Differences: what two exact answers tell by subtraction, group by group.

From the sizes of sets of rows follow those of their unions, and of what lies between two unions: histograms whose edges
differ by one value tell how many rows have that value. So the cells of an answer are held against those of each other
answer about the same table, and against its own others: where some of one and some of the other differ, by fewer rows
than a cell may have, nothing leaves. That is so just where the graph whose vertices are the cells of both, and one for
the rows outside, and whose weights are the rows that two of them share, has so small a cut. What three or more answers
tell together is looked for in the span of all of them (:mod:`pets.federated.site.cells.spanned`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from pets.federated.query_round.order import Order
from pets.federated.query_round.regression_step import Step
from pets.federated.site.cells.small_cut import Edge, has_small_cut
from pets.federated.site.cells.spanned import tells_few
from pets.federated.site.cells.told_cells import Cells, Held, told
from pets.federated.site.cohort import about, exact_totals
from pets.federated.site.policy import Totals
from pets.plan.plan import Plan
from pets.plan.vector import Ints
from pets.protection.threshold import Threshold
from pets.schema.domain import Domain
from pets.schema.schema import Schema

Fields = Mapping[str, Domain]


def too_near(
    order: Order, schema: Schema, rules: Totals, given: Iterable[bytes], held: Callable[[Sequence[str]], Held]
) -> str:
    """Why an exact total may not leave beside those before it, for what they tell by group ('' where it may).

    Args:
        given: what the site's ledger keeps of the exact totals before.
        held: gives the codes of all rows that the site keeps of the table, and their ranks.
    """
    plan = about(order, schema)
    least = least_cell(rules, plan.rows)
    if least < 2:
        return ""
    before = [(about(one, schema), one.step) for one in _earlier(given, plan.table)]
    earlier = dict.fromkeys(cell for one, step in before for cell in told(one, step))
    new = [cells for cells in told(plan, order.step) if cells not in earlier]
    codes = held(sorted({column for cells in (*new, *earlier) for column in cells.columns}))
    # a count of people reads more rows of a person than the rest of its query, and tells none of them
    beside = [(one, other) for one, other in combinations(new, 2) if one.rows == other.rows]
    if any(_differ(one, other, least, codes, plan.fields, known=False) for one, other in beside):
        return "two of its numbers differ by too few rows in a group"
    if any(_differ(one, other, least, codes, plan.fields, known=True) for one in new for other in earlier):
        return "it differs from an earlier exact total by too few rows in a group"
    if new and _together([*before, (plan, order.step)], least, codes, plan.fields):
        return "together with earlier exact totals it tells the number of too few rows"
    return ""


def least_cell(rules: Totals, rows: int) -> int:
    """The fewest rows that a group may have, where a person has at most ``rows`` of them."""
    alone = 0 if rules.dominance == 1 else math.ceil(rows / rules.dominance)
    return max(rules.min_cell, alone)


def _together(answers: Iterable[tuple[Plan, Step | None]], least: int, held: Held, fields: Fields) -> bool:
    """Whether all answers, taken together, tell the size of a set of rows that is smaller than a group may be.

    A group that left small, and rows of it that another answer tells, are known; so they are no more rows here.
    """
    # a count of people tells none of the rows of a person that the rest of its query does not read
    every = dict.fromkeys(replace(cells, rows=plan.rows) for plan, step in answers for cells in told(plan, step))
    sets = [cells.labels(held, fields) for cells in every]
    known = np.zeros(len(sets[0]), dtype=bool)
    for one in sets:
        cells, place, sizes = np.unique(one, return_inverse=True, return_counts=True)
        known |= ((cells >= 0) & Threshold(least).few(sizes))[place]
    return tells_few([one[~known] for one in sets], least)


def _earlier(given: Iterable[bytes], table: str) -> Iterator[Order]:
    return (Order.from_json(form) for form in exact_totals(given) if form["query"]["table"] == table)


def _differ(one: Cells, other: Cells, least: int, held: Held, fields: Fields, *, known: bool) -> bool:
    """Whether some cells of one and some of the other differ, but by fewer rows than ``least``.

    ``known``: the other's cells have left. One that is small tells nothing new, as long as the new answer leaves it
    whole, so it counts as part of the cell that most of its rows are in.
    """
    first, second = one.labels(held, fields), other.labels(held, fields)
    seen = (first >= 0) | (second >= 0)
    # rows without a value that either reads are of no sum here
    seen &= one.with_value(held, fields) & other.with_value(held, fields)
    pairs, weights = np.unique(np.stack([first[seen], second[seen]]), axis=1, return_counts=True)
    edges = [(_vertex(a, 0), _vertex(b, 1), int(rows)) for a, b, rows in zip(*pairs.tolist(), weights, strict=True)]
    return has_small_cut(_whole(edges, second, least) if known else edges, least)


def _vertex(label: int, side: int) -> int:
    """Cells of either answer; 0 for what lies outside."""
    return 0 if label < 0 else 1 + 2 * label + side


def _whole(edges: list[Edge], labels: Ints, least: int) -> list[Edge]:
    """The edges, where each small cell of the second answer is one with the vertex that shares most of its rows."""
    cells, sizes = np.unique(labels[labels >= 0], return_counts=True)
    small = {_vertex(int(cell), 1) for cell in cells[sizes < least]}
    heaviest: dict[int, tuple[int, int]] = {}
    for start, end, rows in edges:
        if end in small:
            heaviest[end] = max(heaviest.get(end, (0, 0)), (rows, start))
    return [(start, heaviest[end][1] if end in heaviest else end, rows) for start, end, rows in edges]
