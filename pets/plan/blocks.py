"""Blocks: each measure that aggregates are made of, with its proven sensitivity and what its sums can reach.

The bounds themselves are :class:`pets.plan.bounding.bounds.Bounds`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pets.errors import QueryError
from pets.plan.bounding.bounds import Bounds, rows_text
from pets.plan.measure import Measure, Weight
from pets.plan.predicate import Predicate, both, field, known, resolve
from pets.query_model.aggregate import CountUnits, Tails
from pets.query_model.expression import Filter
from pets.query_model.nodes.aggregate_base import OfColumn
from pets.query_model.nodes.moments import OfColumns
from pets.schema.domain import Boolean, Category, Domain
from pets.schema.numeric import Numeric

MAX_SUM = 2**62
"""No sum may be able to pass this."""


class Blocks:
    """The measures of one query, each once however many outputs share it."""

    def __init__(self, fields: Mapping[str, Domain], table: str, bounds: Bounds) -> None:
        self._fields, self._table, self._bounds = fields, table, bounds
        self._measures: dict[Measure, int] = {}

    def _index(self, measure: Measure) -> int:
        return self._measures.setdefault(measure, len(self._measures))

    def _where(self, condition: Filter | None) -> Predicate | None:
        return None if condition is None else resolve(condition, self._fields, self._table)

    def _rows(self, where: Predicate | None, of: str = "") -> Measure:
        name = "count of rows" + (f" with a value in {of}" if of else " that meet its condition" if where else "")
        return Measure(
            name=name,
            kind="rows",
            sensitivity=self._bounds.per_row(1, self._bounds.layout.groups),
            reason=self._bounds.counted + self._bounds.all_in(" group"),
            limit=self._bounds.people * self._bounds.in_group,
            where=where,
        )

    def _of(
        self, kind: Any, column: str, where: Predicate | None, weight: Weight, centre: int = 0, raw: int = 0
    ) -> Measure:
        square = kind == "square"
        largest = max(weight.largest**2 - centre, centre) if square else weight.largest
        unit = "squared deviation" if square else "deviation" if weight.offset else "value"
        return Measure(
            name=f"{'sum of squares' if square else 'sum'} of {column}",
            kind=kind,
            sensitivity=self._bounds.per_row(largest, self._bounds.layout.groups),
            reason=f"{self._bounds.counted}, each with a {unit} of at most {largest:,} grid steps",
            limit=self._limit(raw, weight, largest, whole=square),
            column=column,
            where=where,
            weight=weight,
            centre=centre,
        )

    def _limit(self, raw: int, weight: Weight, largest: int, *, whole: bool) -> int:
        """What a cell, and every sum on the way to it, can reach for the schema's public number of people.

        ``raw`` is a wide bound, which most plans meet; what is really summed under a clip is counted from its low end.
        Where ``raw`` is summed as a ``whole`` (squares, before their centre is taken off), it must fit 64 bits itself.
        """
        rows = self._bounds.people * self._bounds.in_group
        wide = rows * max(raw, largest)
        if wide <= MAX_SUM or weight.coarse > 1 or (whole and wide >= 2 * MAX_SUM):
            return wide
        return rows * max(weight.scale * (weight.high - weight.low + 1), largest)

    def _value_rows(self, aggregate: OfColumn) -> Measure:
        domain = self._numeric(aggregate.column)
        has = known(aggregate.column, domain)
        return self._rows(both(self._where(aggregate.where), has), aggregate.column if has is not None else "")

    def _both_rows(self, aggregate: OfColumns) -> Measure:
        """The rows that have a value in both columns."""
        has = [known(column, self._numeric(column)) for column in aggregate.columns]
        named = "" if has == [None, None] else " and in ".join(aggregate.columns)
        return self._rows(both(both(self._where(aggregate.where), has[0]), has[1]), named)

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

    def _product(self, columns: tuple[str, str], where: Predicate | None, weights: Sequence[Weight]) -> Measure:
        first, second = weights
        largest = first.largest * second.largest
        return Measure(
            name=f"sum of products of {' and '.join(columns)}",
            kind="product",
            sensitivity=self._bounds.per_row(largest, self._bounds.layout.groups),
            reason=f"{self._bounds.counted}, each with a product of deviations of at most {largest:,} grid steps",
            limit=self._bounds.people * self._bounds.in_group * largest,
            column=columns[0],
            where=where,
            weight=first,
            other=columns[1],
            other_weight=second,
        )

    def _units(self, aggregate: CountUnits) -> Measure:
        sensitivity = self._bounds.per_person()
        capped = "" if self._bounds.group_cap is None else f" and at most {self._bounds.group_cap} groups"
        return Measure(
            name="count of people" + (" that meet its condition" if aggregate.where is not None else ""),
            kind="units",
            sensitivity=sensitivity,
            reason=f"a person counts once a group, and has at most {rows_text(self._bounds.kept_rows)}{capped}",
            limit=self._bounds.people,
            where=self._where(aggregate.where),
        )

    def _tails(self, aggregate: Tails) -> Measure:
        kept = rows_text(self._bounds.kept_rows)
        met = " that meet its condition" if aggregate.where is not None else ""
        return Measure(
            name=f"people with at least 1, 2, … rows{met}",
            kind="tails",
            sensitivity=self._bounds.by_rank(),
            reason=f"a person has at most {kept}, each with a number of its own",
            limit=self._bounds.people,
            where=self._where(aggregate.where),
            width=self._bounds.kept_rows,
        )
