"""From aggregates to measures: midpoints, shared counts, trees of counts, and each block's sensitivity.

Source of the bounds: the row cap alone. A person has at most K counted rows, all of which may fall in one cell, so a
count has L1 = L2 = L∞ = K, and a sum of row weights |w| ≤ W has W times that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from pets.common.codec import number
from pets.errors import QueryError
from pets.plan.layout import MAX_SLOTS, Layout, bin_breaks
from pets.plan.measure import Measure, Output, Sensitivity, Weight
from pets.plan.predicate import Predicate, both, field, known, resolve
from pets.query_model.aggregate import (
    Aggregate,
    Count,
    CountUnits,
    Histogram,
    Mean,
    OfColumn,
    Quantile,
    Rate,
    Sum,
    Variance,
)
from pets.query_model.expression import Filter
from pets.query_model.group_keys import interval_labels
from pets.schema.domain import Boolean, Category, Domain
from pets.schema.numeric import Numeric

FANOUT = 16
"""Children of a node in a tree of counts: near the best for ranges up to a few thousand leaves (Qardaji, Yang and Li,
"Understanding hierarchical methods for differentially private histograms", VLDB 2013, section 4)."""

QUANTILE_BINS = 256

MAX_SUM = 2**62
"""No sum may be able to pass this."""


@dataclass(frozen=True)
class Bounds:
    """The contribution bounds of a query: what the sensitivities follow from."""

    layout: Layout
    rows: int
    kept_rows: int
    group_cap: int | None
    people: int

    def per_row(self, weight: int, cells: int, repeats: int = 1) -> Sensitivity:
        """A sum over at most K rows of a person, each adding at most ``weight`` to one cell in each repeat."""
        k = self.rows
        l0 = min(k, cells) if self.group_cap is None else min(k, cells, self.group_cap * (cells // self.layout.groups))
        return Sensitivity(l0 * repeats, k * weight * repeats, (k * weight) ** 2 * repeats, k * weight)

    def per_person(self) -> Sensitivity:
        """A person counted once in each group they are in."""
        l0 = min(self.kept_rows, self.layout.groups, self.group_cap or self.kept_rows)
        return Sensitivity(l0, l0, l0, 1)


def _rows_text(k: int) -> str:
    return "1 row" if k == 1 else f"{k} rows"


class Planner:
    """Collects the measures that a query's aggregates need, each measured once however many outputs share it."""

    def __init__(self, fields: Mapping[str, Domain], table: str, bounds: Bounds) -> None:
        self._fields, self._table, self._bounds = fields, table, bounds
        self._asked: list[tuple[str, Aggregate]] = []
        self._measures: dict[Measure, int] = {}
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

    # measures -------------------------------------------------------------------------------------------------

    def _index(self, measure: Measure) -> int:
        return self._measures.setdefault(measure, len(self._measures))

    def _where(self, condition: Filter | None) -> Predicate | None:
        return None if condition is None else resolve(condition, self._fields, self._table)

    def _rows(self, where: Predicate | None, of: str = "") -> Measure:
        k = self._bounds.rows
        name = "count of rows" + (f" with a value in {of}" if of else " that meet its condition" if where else "")
        return Measure(
            name=name,
            kind="rows",
            sensitivity=self._bounds.per_row(1, self._bounds.layout.groups),
            reason=f"at most {_rows_text(k)} of a person count, and all may fall in one group",
            limit=self._bounds.people * k,
            where=where,
        )

    def _of(self, kind: Any, aggregate: OfColumn, weight: Weight, centre: int, raw: int) -> Measure:
        where = self._where(aggregate.where)
        square = kind == "square"
        largest = max(weight.largest**2 - centre, centre) if square else weight.largest
        unit = "squared deviation" if square else "deviation" if weight.offset else "value"
        k = self._bounds.rows
        return Measure(
            name=f"{'sum of squares' if square else 'sum'} of {aggregate.column}",
            kind=kind,
            sensitivity=self._bounds.per_row(largest, self._bounds.layout.groups),
            reason=f"at most {_rows_text(k)} of a person count, each with a {unit} of at most {largest:,} grid steps",
            limit=self._limit(raw, weight, largest, whole=square),
            column=aggregate.column,
            where=where,
            weight=weight,
            centre=centre,
        )

    def _limit(self, raw: int, weight: Weight, largest: int, *, whole: bool) -> int:
        """What a cell, and every sum on the way to it, can reach for the schema's public number of people.

        ``raw`` is a wide bound, which most plans meet; what is really summed under a clip is counted from its low end.
        Where ``raw`` is summed as a ``whole`` (squares, before their centre is taken off), it must fit 64 bits itself.
        """
        rows = self._bounds.people * self._bounds.rows
        wide = rows * max(raw, largest)
        if wide <= MAX_SUM or weight.coarse > 1 or (whole and wide >= 2 * MAX_SUM):
            return wide
        return rows * max(weight.scale * (weight.high - weight.low + 1), largest)

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
            else:
                continue
            uses[found] = uses.get(found, 0) + 1
        return uses

    def _value_rows(self, aggregate: OfColumn) -> Measure:
        domain = self._numeric(aggregate.column)
        has = known(aggregate.column, domain)
        return self._rows(both(self._where(aggregate.where), has), aggregate.column if has is not None else "")

    def _numeric(self, column: str) -> Numeric:
        domain = field(column, self._fields, self._table)
        if not isinstance(domain, Numeric):
            raise QueryError(
                f"column {column!r} holds {domain.describe()}; this needs an integer or real column"
                + (f" (for a share, use rate(col({column!r}) == …))" if isinstance(domain, (Boolean, Category)) else "")
            )
        return domain

    def _clip(self, aggregate: OfColumn, domain: Numeric) -> tuple[int, int]:
        """The codes that values are moved between; a clip between grid values is widened to the grid."""
        low, high = 0, domain.cells - 1
        if aggregate.clip is not None:
            below, above = (domain.position(bound) for bound in aggregate.clip)
            low, high = max(low, below.__floor__()), min(high, above.__ceil__())
            if low > high:
                raise QueryError(f"clip lies outside the values of column {aggregate.column!r} ({domain.describe()})")
        if low == high:
            raise QueryError(f"column {aggregate.column!r} can only have one value here; count its rows instead")
        return low, high

    def _weight(self, low: int, high: int, coarse: int = 1) -> Weight:
        """Row weights centred on the midpoint, in half steps where the midpoint lies between two grid values."""
        ends = low // coarse + high // coarse
        scale, offset = (1, ends // 2) if ends % 2 == 0 else (2, ends)
        return Weight(low, high, scale, offset, coarse)

    # outputs --------------------------------------------------------------------------------------------------

    def _output(self, name: str, aggregate: Aggregate) -> Output:
        if isinstance(aggregate, Count):
            part = self._index(self._rows(self._where(aggregate.where)))
            return Output(name, "count", (part,), ((part, 1.0),))
        if isinstance(aggregate, CountUnits):
            part = self._index(self._units(aggregate))
            return Output(name, "count_units", (part,), ((part, 1.0),))
        if isinstance(aggregate, Rate):
            return self._rate(name, aggregate)
        if isinstance(aggregate, Variance):
            return self._variance(name, aggregate)
        if isinstance(aggregate, (Sum, Mean)):
            return self._sum_or_mean(name, aggregate)
        if isinstance(aggregate, Histogram):
            return self._histogram(name, aggregate)
        if isinstance(aggregate, Quantile):
            return self._quantile(name, aggregate)
        raise QueryError(f"{aggregate!r} is not an aggregate that can be planned")

    def _units(self, aggregate: CountUnits) -> Measure:
        sensitivity = self._bounds.per_person()
        capped = "" if self._bounds.group_cap is None else f" and at most {self._bounds.group_cap} groups"
        return Measure(
            name="count of people" + (" that meet its condition" if aggregate.where is not None else ""),
            kind="units",
            sensitivity=sensitivity,
            reason=f"a person counts once a group, and has at most {_rows_text(self._bounds.kept_rows)}{capped}",
            limit=self._bounds.people,
            where=self._where(aggregate.where),
        )

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
        total = self._index(self._of("total", aggregate, weight, 0, raw))
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
        k = self._bounds.rows
        balance = Measure(
            name="rows that meet a condition less rows that do not",
            kind="balance",
            sensitivity=self._bounds.per_row(1, self._bounds.layout.groups),
            reason=f"at most {_rows_text(k)} of a person count, each adding 1 or -1",
            limit=self._bounds.people * k,
            where=self._where(aggregate.where),
        )
        parts = (self._index(balance), self._index(rows))
        half = Fraction(1, 2)
        needs = ((parts[0], 0.5), (parts[1], 0.25))
        return Output(name, "rate", parts, needs, half, half, Fraction(0), Fraction(1), whole=False)

    def _variance(self, name: str, aggregate: Variance) -> Output:
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
        square = self._of("square", aggregate, weight, largest**2 // 2, largest**2)
        raw = max(domain.cells, weight.scale * (high // coarse) + abs(weight.offset))
        total = self._of("total", aggregate, weight, 0, raw)
        parts = (self._index(square), self._index(total), self._index(self._value_rows(aggregate)))
        factor = domain.spacing * coarse / weight.scale
        centre = domain.origin + factor * weight.offset + domain.spacing * (coarse - 1) / 2
        unit = float(factor) ** 2
        needs = ((parts[0], unit), (parts[1], unit * largest), (parts[2], unit * largest**2 / 4))
        top = (domain.spacing * (high - low)) ** 2 / 4
        return Output(name, "variance", parts, needs, factor, centre, Fraction(0), top, whole=False)

    def _histogram(self, name: str, aggregate: Histogram) -> Output:
        domain = field(aggregate.column, self._fields, self._table)
        labels: tuple[Any, ...]
        if aggregate.edges is None:
            if domain.cells > QUANTILE_BINS or not isinstance(domain, (Numeric, Category, Boolean)):
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
        k = self._bounds.rows
        measure = Measure(
            name=f"counts of {aggregate.column} in {width} bins",
            kind="leaves",
            sensitivity=self._bounds.per_row(1, self._bounds.layout.groups * width),
            reason=f"at most {_rows_text(k)} of a person count, each in one bin, and all may fall in one",
            limit=self._bounds.people * k,
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
        k, height = self._bounds.rows, len(levels)
        flat = self._bounds.per_row(1, self._bounds.layout.groups * leaves, height)
        measure = Measure(
            name=f"tree of counts of {aggregate.column} over {leaves} bins",
            kind="tree",
            sensitivity=flat,
            reason=f"at most {_rows_text(k)} of a person count, each once on each of {height} levels",
            limit=self._bounds.people * k,
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
