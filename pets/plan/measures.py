"""From aggregates to measures: midpoints, shared counts, trees of counts, and each block's sensitivity.

Where the bounds come from is said in :mod:`pets.plan.blocks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from pets.common.codec import number
from pets.errors import QueryError
from pets.plan.bounding.bounds import Bounds
from pets.plan.fitted.gradient import step_measure, step_output
from pets.plan.fitted.outputs import FittedBlocks
from pets.plan.layout import MAX_SLOTS, bin_breaks
from pets.plan.measure import Measure, Output, Weight
from pets.plan.predicate import both, field, known
from pets.query_model.aggregate import Count, CountUnits, Histogram, Mean, Quantile, Rate, Sum, Tails
from pets.query_model.nodes.aggregate_base import Aggregate, OfColumn
from pets.query_model.nodes.bin_edges import interval_labels
from pets.query_model.nodes.design import Moments
from pets.query_model.nodes.exits import Exits
from pets.query_model.nodes.gradient import Gradient
from pets.query_model.nodes.meat import Meat
from pets.query_model.nodes.moments import OfColumns, Spread
from pets.query_model.nodes.newton import Newton
from pets.schema.clock.time_of_day import Time
from pets.schema.dates import Calendar
from pets.schema.domain import Domain

FANOUT = 16
"""Children of a node in a tree of counts: near the best for ranges up to a few thousand leaves (Qardaji, Yang and Li,
"Understanding hierarchical methods for differentially private histograms", VLDB 2013, section 4)."""

QUANTILE_BINS = 256


class Planner(FittedBlocks):
    """Collects the measures that a query's aggregates need, each measured once however many outputs share it."""

    def __init__(self, fields: Mapping[str, Domain], table: str, bounds: Bounds) -> None:
        super().__init__(fields, table, bounds)
        self._asked: list[tuple[str, Aggregate]] = []
        self._outputs: list[Output] = []

    def add(self, name: str, aggregate: Aggregate) -> None:
        """One more output."""
        self._asked.append((name, aggregate))
        self._outputs = []

    def measures(self) -> tuple[Measure, ...]:
        """The measures, in the order in which they were first needed."""
        self._build()
        return tuple(self._measures)

    def outputs(self) -> tuple[Output, ...]:
        """The outputs, in the order in which they were asked for."""
        self._build()
        return tuple(self._outputs)

    def _build(self) -> None:
        if self._outputs:
            return
        self._measures = {}
        self._shared = self._shared_counts()
        for name, aggregate in self._asked:
            try:
                self._outputs.append(self._output(name, aggregate))
            except QueryError as error:
                raise QueryError(f"{name!r}: {error}") from None

    def _shared_counts(self) -> dict[Measure, int]:
        """How many outputs would use each count of rows: a midpoint is free only where its count is shared."""
        uses: dict[Measure, int] = {}
        for _, aggregate in self._asked:
            if isinstance(aggregate, Count):
                found = self._rows(self._where(aggregate.where))
            elif isinstance(aggregate, Rate):
                found = self._rows(None)
            elif isinstance(aggregate, OfColumn):
                found = self._value_rows(aggregate)
            elif isinstance(aggregate, OfColumns) and not isinstance(aggregate, (Moments, Newton, Meat, Gradient)):
                found = self._both_rows(aggregate)
            else:
                continue
            uses[found] = uses.get(found, 0) + 1
        return uses

    # outputs --------------------------------------------------------------------------------------------------

    def _output(self, name: str, aggregate: Aggregate) -> Output:
        if isinstance(aggregate, Count):
            part = self._index(self._rows(self._where(aggregate.where)))
            return Output(name, "count", (part,), ((part, 1.0),))
        if isinstance(aggregate, CountUnits):
            part = self._index(self._units(aggregate))
            return Output(name, "count_units", (part,), ((part, 1.0),))
        if isinstance(aggregate, Tails):
            part = self._index(self._tails(aggregate))
            return Output(name, "tails", (part,), ((part, 1.0),), bins=tuple(range(1, self._bounds.kept_rows + 1)))
        if isinstance(aggregate, Rate):
            return self._rate(name, aggregate)
        if isinstance(aggregate, Spread):
            return self._spread(name, aggregate)
        if isinstance(aggregate, Moments):
            return self._moments(name, aggregate)
        if isinstance(aggregate, Exits):
            return self._exits(name, aggregate)
        if isinstance(aggregate, Newton):
            return self._newton(name, aggregate)
        if isinstance(aggregate, Gradient):
            own = self._where(aggregate.where)
            measure = step_measure(aggregate, self._fields, self._table, self._bounds, own)
            return step_output(name, measure, self._index(measure))
        if isinstance(aggregate, Meat):
            return self._meat(name, aggregate)
        if isinstance(aggregate, OfColumns):
            return self._joint(name, aggregate)
        if isinstance(aggregate, (Sum, Mean)):
            return self._sum_or_mean(name, aggregate)
        if isinstance(aggregate, Histogram):
            return self._histogram(name, aggregate)
        if isinstance(aggregate, Quantile):
            return self._quantile(name, aggregate)
        raise QueryError(f"{aggregate!r} is not an aggregate that can be planned")

    def _sum_or_mean(self, name: str, aggregate: OfColumn) -> Output:
        domain = self._numeric(aggregate.column)
        low, high = self._clip(aggregate, domain)
        weight = self._weight(low, high)
        counter = self._value_rows(aggregate)
        mean = isinstance(aggregate, Mean)
        base = domain.origin / domain.spacing
        if not mean and self._shared.get(counter, 0) < 2 and base.denominator == 1:
            # without a shared count a midpoint gains nothing: the sum is measured as it is
            weight = Weight(low, high, 1, -int(base))
        factor = domain.spacing / weight.scale
        centre = domain.origin + factor * weight.offset
        raw = max(domain.cells, weight.scale * high + abs(weight.offset))
        total = self._index(self._of("total", aggregate.column, self._where(aggregate.where), weight, 0, raw))
        ends = (domain.origin + domain.spacing * low, domain.origin + domain.spacing * high)
        needs = [(total, float(factor))]
        parts: tuple[int, ...] = (total,)
        if mean or centre != 0:
            rows = self._index(counter)
            parts = (total, rows)
            needs.append((rows, float((ends[1] - ends[0]) / 4 if mean else abs(centre))))
        whole = not mean and domain.spacing.denominator == 1 and domain.origin.denominator == 1
        return Output(name, aggregate.kind, parts, tuple(needs), factor, centre, ends[0], ends[1], whole)

    def _rate(self, name: str, aggregate: Rate) -> Output:
        rows = self._rows(None)
        balance = Measure(
            name="rows that meet a condition less rows that do not",
            kind="balance",
            sensitivity=self._bounds.per_row(1, self._bounds.layout.groups),
            reason=f"{self._bounds.counted}, each adding 1 or -1",
            limit=self._bounds.people * self._bounds.in_group,
            where=self._where(aggregate.where),
        )
        parts = (self._index(balance), self._index(rows))
        half = Fraction(1, 2)
        needs = ((parts[0], 0.5), (parts[1], 0.25))
        return Output(name, "rate", parts, needs, half, half, Fraction(0), Fraction(1), whole=False)

    def _spread(self, name: str, aggregate: Spread) -> Output:
        domain = self._numeric(aggregate.column)
        low, high = self._clip(aggregate, domain)
        coarse = 1
        if aggregate.step is not None:
            steps = aggregate.step / domain.spacing
            if steps.denominator != 1:
                raise QueryError(
                    f"step {number(aggregate.step)} is not a whole number of the column's steps of "
                    f"{number(domain.spacing)}"
                )
            coarse = int(steps)
            if low // coarse == high // coarse:
                raise QueryError(f"step {number(aggregate.step)} is wider than the column's range; choose a finer one")
        weight = self._weight(low, high, coarse)
        largest = weight.largest
        where, column = self._where(aggregate.where), aggregate.column
        square = self._of("square", column, where, weight, largest**2 // 2, largest**2)
        raw = max(domain.cells, weight.scale * (high // coarse) + abs(weight.offset))
        total = self._of("total", column, where, weight, 0, raw)
        parts = (self._index(square), self._index(total), self._index(self._value_rows(aggregate)))
        factor = domain.spacing * coarse / weight.scale
        centre = domain.origin + factor * weight.offset + domain.spacing * (coarse - 1) / 2
        unit = float(factor) ** 2
        needs = ((parts[0], unit), (parts[1], unit * largest), (parts[2], unit * largest**2 / 4))
        reach, sample = domain.spacing * (high - low), bool(aggregate.sample)
        # by n − 1 it is at most twice as great: half of the squared range, of two rows
        top = reach**2 / (2 if sample else 4)
        if aggregate.traits.shape == "root":
            top = reach * Fraction(3, 4) if sample else reach / 2
            needs = tuple((part, coefficient / float(reach) * 2) for part, coefficient in needs)  # type: ignore[assignment]
        return Output(name, aggregate.kind, parts, needs, factor, centre, Fraction(0), top, whole=False, sample=sample)

    def _joint(self, name: str, aggregate: OfColumns) -> Output:
        """Sums of products, of values and maybe of squares, over the rows that have a value in both columns."""
        domains = [self._numeric(column) for column in aggregate.columns]
        for domain, column in zip(domains, aggregate.columns, strict=True):
            if domain.cells == 1:
                raise QueryError(f"column {column!r} can only have one value, and varies with nothing; leave it out")
        weights = [self._weight(0, domain.cells - 1) for domain in domains]
        has = [known(column, domain) for column, domain in zip(aggregate.columns, domains, strict=True)]
        where = self._where(aggregate.where)
        # each column's own measure leaves out its own missing values
        over = [both(where, has[1 - place]) for place in (0, 1)]
        first, second = weights
        largest = first.largest * second.largest
        product = self._product(aggregate.columns, where, weights)
        measures = [product]
        for kind in ("total", "square") if aggregate.traits.shape == "correlation" else ("total",):
            for place in (0, 1):
                weight, domain = weights[place], domains[place]
                middle = weight.largest**2 // 2 if kind == "square" else 0
                wide = max(domain.cells, weight.scale * (domain.cells - 1) + abs(weight.offset))
                raw = weight.largest**2 if kind == "square" else wide
                measures.append(self._of(kind, aggregate.columns[place], over[place], weight, middle, raw))
        measures.append(self._both_rows(aggregate))
        parts = tuple(self._index(measure) for measure in measures)
        steps = [domain.spacing / weight.scale for domain, weight in zip(domains, weights, strict=True)]
        reach = [domain.spacing * (domain.cells - 1) for domain in domains]
        factor, top = steps[0] * steps[1], reach[0] * reach[1] / 4
        sample = bool(getattr(aggregate, "sample", None))
        unit = float(factor)
        needs = [unit, unit * second.largest / 2, unit * first.largest / 2]
        if aggregate.traits.shape == "correlation":
            # as if each column had a standard deviation of a quarter of its range
            scale = float(reach[0] * reach[1]) / 16
            needs = [need / scale for need in needs]
            needs += [0.5 * float(step) ** 2 / (float(span) / 4) ** 2 for step, span in zip(steps, reach, strict=True)]
            factor, top = Fraction(1), Fraction(1)
        elif sample:
            top *= 2
        needs.append(needs[0] * largest / 4)
        return Output(
            name,
            aggregate.kind,
            parts,
            tuple(zip(parts, needs, strict=True)),
            factor,
            Fraction(0),
            -top,
            top,
            whole=False,
            sample=sample,
        )

    def _histogram(self, name: str, aggregate: Histogram) -> Output:
        domain = field(aggregate.column, self._fields, self._table)
        labels: tuple[Any, ...]
        if aggregate.edges is None:
            if isinstance(domain, (Calendar, Time)):
                raise QueryError(
                    f"column {aggregate.column!r} holds {domain.describe()}, and a histogram is of numbers or "
                    f"categories; leave it out, and group by col({aggregate.column!r})"
                )
            if domain.cells > QUANTILE_BINS:
                raise QueryError(
                    f"column {aggregate.column!r} holds {domain.describe()}; give bin edges, such as "
                    f"histogram({aggregate.column!r}, [0, 10, 20])"
                )
            labels = tuple(domain.decode(code) for code in range(domain.cells))
            breaks = tuple(range(domain.cells + 1))
        else:
            starts = bin_breaks(self._numeric(aggregate.column), aggregate.edges)
            labels = tuple(interval_labels(aggregate.edges))
            breaks = starts
        width = len(labels)
        measure = Measure(
            name=f"counts of {aggregate.column} in {width} bins",
            kind="leaves",
            sensitivity=self._bounds.per_row(1, self._bounds.layout.groups * width),
            reason=f"{self._bounds.counted}, each in one bin{self._bounds.all_in('')}",
            limit=self._bounds.people * self._bounds.in_group,
            column=aggregate.column,
            where=self._where(aggregate.where),
            breaks=breaks,
            width=width,
        )
        part = self._index(measure)
        return Output(name, "histogram", (part,), ((part, 1.0),), bins=labels)

    def _quantile(self, name: str, aggregate: Quantile) -> Output:
        domain = self._numeric(aggregate.column)
        sizes = [
            other.bins
            for _, other in self._asked
            if isinstance(other, Quantile) and other.column == aggregate.column and other.where == aggregate.where
        ]
        asked = [size for size in sizes if size is not None]
        leaves = min(domain.cells, max(asked) if asked else QUANTILE_BINS)
        if leaves * self._bounds.layout.groups > MAX_SLOTS:
            raise QueryError(f"{leaves:,} bins in each group are too many; ask for fewer bins or groups")
        # the same breaks for every quantile of the column: one tree, so quantiles cannot cross
        breaks = tuple(domain.cells * i // leaves for i in range(leaves + 1))
        levels = _levels(leaves)
        height = len(levels)
        flat = self._bounds.per_row(1, self._bounds.layout.groups * leaves, height)
        measure = Measure(
            name=f"tree of counts of {aggregate.column} over {leaves} bins",
            kind="tree",
            sensitivity=flat,
            reason=f"{self._bounds.counted}, each once on each of {height} levels",
            limit=self._bounds.people * self._bounds.in_group,
            column=aggregate.column,
            where=self._where(aggregate.where),
            breaks=breaks,
            levels=levels,
            width=sum(levels),
        )
        part = self._index(measure)
        edges = tuple(domain.origin + domain.spacing * start for start in breaks)
        output = Output(name, "quantile", (part,), ((part, 1.0),), q=aggregate.q, bins=edges, whole=False)
        return replace(output, factor=domain.spacing, low=edges[0], high=edges[-1] - domain.spacing)


def _levels(leaves: int) -> tuple[int, ...]:
    """Nodes on each level of a tree of counts, leaves first, down to at most ``FANOUT`` nodes."""
    levels = [leaves]
    while levels[-1] > FANOUT:
        levels.append(-(-levels[-1] // FANOUT))
    return tuple(levels)
