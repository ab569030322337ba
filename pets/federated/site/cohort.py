"""Cohort rules, for exact totals only: how many rows a question is about, and by how many it differs from another.

They look at rows, so a refusal by them is itself an answer about rows; under differential privacy none of them is used.
The counts come from the site and stay there. Whole questions are compared, two at a time: what sums of some groups of
one show beside another, or many answers together, no such rule sees.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations

import numpy as np

from pets.common.codec import Json
from pets.errors import PetsError
from pets.federated.query_round.order import Order
from pets.federated.query_round.regression_step import Model, Step, few_values
from pets.federated.site.policy import Totals
from pets.federated.site.wording import CONTRIBUTION
from pets.plan.plan import Plan, make_plan
from pets.plan.vector import Ints
from pets.protection.protection import Total
from pets.protection.threshold import Threshold
from pets.query_model.aggregate import Histogram, Quantile, count
from pets.query_model.columns import col
from pets.query_model.expression import Filter
from pets.query_model.nodes.aggregate_base import Aggregate, OfColumn
from pets.query_model.nodes.moments import OfColumns
from pets.query_model.query import Query
from pets.schema.schema import Schema

Counted = Callable[[Query], Ints]


@dataclass(frozen=True)
class Cohort:
    """A set of rows: those that meet a condition, among the first ``rows`` of each person."""

    table: str
    where: Filter | None
    rows: int

    def size(self, counted: Counted) -> int:
        """How many rows are in it."""
        return int(counted(Query(self.table, condition=self.where, aggregates=(("n", count()),), rows=self.rows))[0])

    def both(self, other: Cohort) -> Cohort:
        """The rows that are in two of them: of each person the first few, which are among the first many."""
        where = self.where if other.where is None else other.where
        if self.where is not None and other.where is not None:
            where = self.where & other.where
        return Cohort(self.table, where, min(self.rows, other.rows))


def cohorts(plan: Plan) -> tuple[Cohort, ...]:
    """Every set of rows that an answer is about. Counts of people read all rows that the snapshot keeps."""
    inner = [getattr(aggregate, "where", None) for _, aggregate in plan.query.aggregates]
    return _cohorts(plan, inner)


def rows_told(plan: Plan, step: Step | None) -> tuple[tuple[str, Cohort], ...]:
    """Every set of rows that an answer tells about, and of which column: '' where it is about the rows themselves.

    A sum is also about the rows with a value: two of them may differ by many rows and by one value.
    """
    told = [("", cohort) for cohort in cohorts(plan)]
    for (_, aggregate), where in zip(plan.query.aggregates, rows_read(plan), strict=True):
        for column in aggregate.of:
            if plan.fields[column].nullable:
                told += [(column, cohort) for cohort in _meeting(plan, where)]
    if step is not None:  # whose rows have all their values
        told += [(column, cohort) for column in step.columns for cohort in _meeting(plan, None)]
    return tuple(dict.fromkeys(told))


def rows_read(plan: Plan) -> tuple[Filter | None, ...]:
    """By aggregate, which rows its number rests on: those that meet its condition and have a value in its column."""
    out: list[Filter | None] = []
    for _, aggregate in plan.query.aggregates:
        where = getattr(aggregate, "where", None)
        for column in aggregate.of:
            if plan.fields[column].nullable:
                known = ~col(column).is_null()
                where = known if where is None else where & known
        out.append(where)
    return tuple(out)


def _cohorts(plan: Plan, inner: Iterable[Filter | None]) -> tuple[Cohort, ...]:
    """The rows of the whole question, and those among them that meet each further condition."""
    conditions = (None, *(where for where in inner if where is not None))
    return tuple(cohort for where in conditions for cohort in _meeting(plan, where))


def _meeting(plan: Plan, where: Filter | None) -> tuple[Cohort, ...]:
    """The rows of the question that meet a further condition."""
    outer = plan.query.condition
    both = outer if where is None else where if outer is None else outer & where
    units = any(measure.kind == "units" for measure in plan.measures)
    rows = dict.fromkeys((plan.rows, plan.kept_rows) if units else (plan.rows,))
    return tuple(Cohort(plan.table, both, most) for most in rows)


def fits(plan: Plan, rules: Totals, counted: Counted) -> str:
    """Why a question is about too few rows ('' where it is not)."""
    read = rows_read(plan)
    if rules.cohort.few(np.array([cohort.size(counted) for cohort in _cohorts(plan, read)])).any():
        return "too few rows are in the cohort"
    if not rules.min_cell and rules.dominance == 1:
        return ""
    cells = [counted(_counting(plan.query, [count(where=where) for where in read]))]
    binned = [one for _, one in plan.query.aggregates if isinstance(one, (Histogram, Quantile))]
    cells += _values(plan, read, counted)
    if binned:  # whose own numbers are counts of rows: of each bin, and of the bins that a quantile is found in
        cells.append(counted(_counting(plan.query, binned)))
    return small(np.concatenate(cells), rules, plan.rows)


def _values(plan: Plan, read: Sequence[Filter | None], counted: Counted) -> list[Ints]:
    """By group, the rows of each value of a number that has few, whose sums tell them beside a count."""
    parts: list[Aggregate] = []
    for (_, aggregate), where in zip(plan.query.aggregates, read, strict=True):
        for column in aggregate.of if isinstance(aggregate, (OfColumn, OfColumns)) else ():
            if few_values(domain := plan.fields[column]):
                for code in range(domain.cells):
                    value = col(column) == domain.decode(code)
                    parts.append(count(where=value if where is None else where & value))
    return [counted(_counting(plan.query, parts))] if parts else []


def _counting(query: Query, aggregates: Sequence[Aggregate]) -> Query:
    """The same groups of the same rows, measured otherwise; of all rows together, too."""
    return replace(query, aggregates=tuple((f"n{place}", one) for place, one in enumerate((count(), *aggregates))))


def small(cells: Ints, rules: Totals, rows: int) -> str:
    """Why groups of these sizes may not leave ('' where they may).

    A person has at most ``rows`` rows in a group, which is what the dominance rule takes as the greatest part.
    """
    if rules.cell.few(cells).any():
        return "too few rows are in a group"
    if rules.dominance < 1 and bool((cells[cells > 0] * rules.dominance < rows).any()):
        return "one person may have too great a part of a group"
    return ""


def overlaps(first: Cohort, second: Cohort, rules: Totals, counted: Counted) -> bool:
    """Whether two sets of rows differ, but by too few rows: subtracting the answers would show those."""
    if first == second:
        return False
    a, b, common = (one.size(counted) for one in (first, second, first.both(second)))
    return bool(Threshold(rules.min_cohort).few(np.array(a + b - 2 * common)))


def too_small(order: Order, schema: Schema, rules: Totals, given: Iterable[bytes], counted: Counted) -> str:
    """Why a site's part of an exact total may not leave ('' where it may).

    ``given`` is what the site's ledger keeps of the exact totals before. One of another schema is read by the present
    one; where that has not all that it asked for, nobody can tell the difference, and nothing of its table may leave.
    """
    counted, plan = cache(counted), about(order, schema)
    if why := fits(plan, rules, counted):
        return why
    told = rows_told(plan, order.step)
    # a count of people reads more rows of a person than the rest of its query, and tells none of them
    beside = [
        (one, other)
        for (alike, one), (column, other) in combinations(told, 2)
        if alike == column and one.rows == other.rows
    ]
    if any(overlaps(one, other, rules, counted) for one, other in beside):
        return "two of its numbers differ by too few rows"
    earlier: dict[tuple[str, Cohort], None] = {}
    for one in map(Order.from_json, exact_totals(given)):
        if one.query.table != plan.table:
            continue
        try:
            earlier |= dict.fromkeys(rows_told(about(one, schema), one.step))
        except PetsError:
            return "an earlier exact total is of a schema with which it cannot be compared"
    pairs = {
        (first, second): None
        for column, first in earlier
        for alike, second in told
        if column == alike and first.table == second.table
    }
    if any(overlaps(first, second, rules, counted) for first, second in pairs):
        return "it differs from an earlier exact total by too few rows"
    return ""


def exact_totals(given: Iterable[bytes]) -> Iterator[Json]:
    """The orders of the exact totals in what a site's ledger keeps of releases without noise.

    Rounded counts are none: they tell no number of rows, and what they tell, the grid's own entry says.
    """
    for body in given:
        form = json.loads(body)
        if form.get("pets") == CONTRIBUTION and form["order"]["protection"]["kind"] == Total.kind:
            yield form["order"]


def about(order: Order, schema: Schema) -> Plan:
    """The plan over the rows that an order is about: of a regression's step, those whose columns all have values."""
    query = order.query
    if order.step is not None:
        query = Model(order.step, schema.fields(query.table)).cohort(query)
    return make_plan(query, schema)
