"""Told cells: which sets of rows an exact answer counts, and in which of them each row of a snapshot lies.

It reads rows, for exact totals alone; what it finds stays at the site.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pets.errors import InternalError
from pets.federated.query_round.regression_step import Model, Step, few_values
from pets.plan.layout import Dimension, Layout
from pets.plan.plan import Plan
from pets.plan.predicate import AllOf, Codes, Predicate, Texts, both, resolve
from pets.plan.vector import Ints
from pets.query_model.aggregate import Count, CountUnits, Histogram, Quantile, Rate
from pets.query_model.nodes.aggregate_base import OfColumn
from pets.schema.domain import Domain

RANK = ""
"""Where the ranks of rows stand among their codes: no column has this name."""
Held = Mapping[str, Ints]
"""The codes of a snapshot's rows by column, and their ranks."""


@dataclass(frozen=True)
class Cells:
    """Sets of rows that lie apart, of which an answer tells the sizes, or sums.

    Attributes:
        where: which rows are in any.
        rows: rows of one person that count.
        layout: the groups.
        column, breaks: that the groups are cut by, too: the first code of each bin, and the code after the last.
        read: the column whose values are read, so that rows without one are in none ('' for the rows themselves).
    """

    where: Predicate | None
    rows: int
    layout: Layout
    column: str = ""
    breaks: tuple[int, ...] = ()
    read: str = ""

    @property
    def columns(self) -> set[str]:
        """All that decides in which set a row lies."""
        cut = {self.column, self.read} - {""}
        return _columns(self.where) | {one.column for one in self.layout.dimensions} | cut

    def labels(self, held: Held, fields: Mapping[str, Domain]) -> Ints:
        """The number of each row's set; -1 for a row that is in none."""
        places = np.zeros(len(held[RANK]), dtype=np.int64)
        inside = held[RANK] <= self.rows
        if self.where is not None:
            inside &= _meets(self.where, held)
        for one in self.layout.dimensions:
            slots = _slots(one, held[one.column], fields[one.column])
            inside &= slots >= 0
            places = places * one.size + slots
        if self.layout.keys is not None:
            places = self.layout.slots_of(places)
            inside &= places >= 0
        if self.column:
            leaf = np.searchsorted(np.array(self.breaks), held[self.column], side="right") - 1
            inside &= (leaf >= 0) & (leaf < len(self.breaks) - 1)
            places = places * len(self.breaks) + leaf
        return np.where(inside & self.with_value(held, fields), places, -1)

    def with_value(self, held: Held, fields: Mapping[str, Domain]) -> npt.NDArray[np.bool_]:
        """Which rows have a value in the column that is read."""
        if not self.read:
            return np.ones(len(held[RANK]), dtype=bool)
        return held[self.read] < fields[self.read].cells


def told(plan: Plan, step: Step | None) -> tuple[Cells, ...]:
    """The cells of an answer, by its measures; of a regression's step, those that its sums tell too."""
    out: list[Cells] = []
    for _, aggregate in plan.query.aggregates:
        inner = getattr(aggregate, "where", None)
        where = plan.where if inner is None else both(plan.where, resolve(inner, plan.fields, plan.table))
        if isinstance(aggregate, (Count, CountUnits, Rate)):
            rows = plan.kept_rows if isinstance(aggregate, CountUnits) else plan.rows
            out.append(Cells(where, rows, plan.layout))
            if isinstance(aggregate, Rate):
                out.append(Cells(plan.where, rows, plan.layout))
        elif isinstance(aggregate, OfColumn):
            out.append(Cells(where, plan.rows, plan.layout, read=aggregate.column))
            if few_values(domain := plan.fields[aggregate.column]):  # whose sums tell the rows of each value
                each = tuple(range(domain.cells + 1))
                out.append(Cells(where, plan.rows, plan.layout, aggregate.column, each, aggregate.column))
    for output in plan.outputs:
        if output.kind in (Histogram.kind, Quantile.kind):
            measure = plan.measures[output.parts[0]]
            assert measure.column is not None
            binned = (measure.column, measure.breaks, measure.column)
            out.append(Cells(both(plan.where, measure.where), plan.rows, plan.layout, *binned))
    if step is not None:
        out += [Cells(plan.where, plan.rows, layout) for layout in _step_layouts(step, plan)]
    return tuple(dict.fromkeys(out))


def _step_layouts(step: Step, plan: Plan) -> Iterable[Layout]:
    for columns in Model(step, plan.fields).counted:
        yield Layout(tuple(Dimension(name, name, tuple(range(plan.fields[name].codes))) for name in columns))


def _columns(predicate: Predicate | None) -> set[str]:
    if predicate is None:
        return set()
    if isinstance(predicate, (Codes, Texts)):
        return {predicate.column}
    return {column for term in predicate.terms for column in _columns(term)}


def _meets(predicate: Predicate, held: Held) -> npt.NDArray[np.bool_]:
    if isinstance(predicate, Codes):
        code = held[predicate.column]
        found = np.zeros(len(code), dtype=bool)
        for low, high in predicate.ranges:
            found |= (code >= low) & (code <= high)
        return found
    if isinstance(predicate, Texts):  # (what cannot be compared does not leave)
        raise InternalError("texts are compared in questions about people alone, of which no exact totals leave")
    every = isinstance(predicate, AllOf)
    found = np.full(len(held[RANK]), every)
    for term in predicate.terms:
        found = found & _meets(term, held) if every else found | _meets(term, held)
    return found


def _slots(dimension: Dimension, code: Ints, domain: Domain) -> Ints:
    if dimension.cycle is not None:
        cycle = dimension.cycle
        slot = (code + cycle.offset) // cycle.width % cycle.size
        return np.where(code == domain.cells, cycle.size, slot) if domain.nullable else slot
    if not dimension.breaks:
        return code
    run = np.searchsorted(np.array(dimension.breaks), code, side="right") - 1
    return np.array(dimension.slots, dtype=np.int64)[np.maximum(run, 0)]
