"""Outputs that models are fitted to: each one block of sums, so that one noise serves them all."""

from __future__ import annotations

from pets.common.codec import number
from pets.plan.blocks import MAX_SUM, Blocks
from pets.plan.fitted.design import design_of
from pets.plan.fitted.exits import exit_bins, max_spread, of_row
from pets.plan.fitted.meat import products_of
from pets.plan.fitted.newton import step_of
from pets.plan.fitted.row_weights import sums_of
from pets.plan.measure import Measure, Output
from pets.plan.predicate import both, known
from pets.query_model.nodes.design import Moments
from pets.query_model.nodes.exits import Exits
from pets.query_model.nodes.meat import Meat
from pets.query_model.nodes.newton import Newton


class FittedBlocks(Blocks):
    """The measures that models need."""

    def _moments(self, name: str, aggregate: Moments) -> Output:
        """All sums of a regression in one block, so that one noise serves them all."""
        design = design_of(aggregate, self._fields, self._table)
        rows = self._bounds.people * self._bounds.in_group
        weighed = "" if design.weights is None else f" on weighted rows, R² = {number(design.weights)}"
        found = sums_of(design, rows, MAX_SUM)
        cells, of_row = found.cells, found.of_row
        where = self._where(aggregate.where)
        for column, domain in design.domains.items():
            where = both(where, known(column, domain))
        measure = Measure(
            name=f"{len(cells)} sums of a regression of {aggregate.outcome}{weighed}",
            kind="moments",
            sensitivity=self._bounds.per_vector(of_row, len(cells)),
            reason=f"{self._bounds.counted}, each adding at most {of_row.l2_squared**0.5:,.6g} in L2 to all sums",
            limit=rows * of_row.linf,
            where=where,
            cells=cells,
            width=len(cells),
            row_weight=found.row_weight,
        )
        part = self._index(measure)
        labels = tuple(map(design.name, design.monomials))
        units = measure.units
        needs = ((part, 1 / min(units)),)
        return Output(name, aggregate.kind, (part,), needs, bins=labels, whole=False, units=units)

    def _exits(self, name: str, aggregate: Exits) -> Output:
        """Who leaves when, with the event and without it, in one block: a row is in one of the two lists."""
        bins = exit_bins(aggregate, self._fields, self._table)
        row = of_row(bins.levels[1])
        width = sum(bins.levels)
        measure = Measure(
            name=f"who leaves when, by {aggregate.time} in {bins.within} bins, with and without {aggregate.event}",
            kind="exits",
            sensitivity=self._bounds.per_vector(row, width),
            reason=f"{self._bounds.counted}, each adding at most {row.l2_squared**0.5:,.6g} in L2 to all sums",
            limit=self._bounds.people * self._bounds.in_group * row.linf,
            column=aggregate.time,
            where=self._where(aggregate.where),
            breaks=bins.breaks,
            levels=bins.levels,
            width=width,
            other=aggregate.event,
        )
        part = self._index(measure)
        return Output(name, aggregate.kind, (part,), ((part, max_spread(bins.levels[1])),), bins=bins.labels)

    def _newton(self, name: str, aggregate: Newton) -> Output:
        """All sums of a regression's step in one block."""
        rows = self._bounds.people * self._bounds.in_group
        step = step_of(aggregate, self._fields, self._table, rows, MAX_SUM)
        where = self._where(aggregate.where)
        for column in aggregate.columns:
            where = both(where, known(column, step.design.domains[column]))
        measure = Measure(
            name=f"{len(step.cells)} sums of a step of a regression of {aggregate.outcome}",
            kind="moments" if step.link is None else "step",
            sensitivity=self._bounds.per_vector(step.of_row, len(step.cells)),
            reason=f"{self._bounds.counted}, each adding at most {step.of_row.l2_squared**0.5:,.6g} in L2 to all sums",
            limit=rows * max(step.units),
            where=where,
            cells=step.cells,
            width=len(step.cells),
            link=step.link,
        )
        part = self._index(measure)
        needs = ((part, 1 / min(step.units)),)
        return Output(name, aggregate.kind, (part,), needs, bins=step.labels, whole=False, units=step.units)

    def _meat(self, name: str, aggregate: Meat) -> Output:
        """Products of people's scores, and how many people there are, in one block."""
        people, rows = self._bounds.people, self._bounds.in_group
        found = products_of(aggregate, self._fields, self._table, rows, people, MAX_SUM)
        where = self._where(aggregate.where)
        for column, domain in found.design.domains.items():
            where = both(where, known(column, domain))
        most = found.of_person
        measure = Measure(
            name=f"{len(found.units)} sums of products of people's scores of a regression of {aggregate.outcome}",
            kind="meat",
            sensitivity=self._bounds.per_group(most),
            reason=f"a person counts once a group, and adds at most {most.l2_squared**0.5:,.6g} in L2 to all sums",
            limit=people * most.linf,
            where=where,
            levels=found.lists,
            width=sum(found.lists),
            cells=found.cells,
            row_weight=found.row_weight,
            scores=found.scores,
        )
        part = self._index(measure)
        needs = ((part, 1 / min(found.units)),)
        return Output(name, aggregate.kind, (part,), needs, bins=found.labels, whole=False, units=found.units)
