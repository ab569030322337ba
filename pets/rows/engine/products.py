"""Sums of products of row weights: what second moments and regressions are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pets.plan.measure import Cell, RowWeight, Weight
from pets.plan.predicate import AllOf, Codes, Predicate, both


def monomial(
    cell: Cell,
    where: Predicate | None,
    deviation: Callable[[str, Weight], Any],
    meets: Callable[[Predicate], Any],
    count: Callable[[tuple[Predicate | None, ...]], Any],
    share: Any = None,
) -> Any:
    """The sum of a product of weights (of none: the number of rows) over the rows of its values of categories.

    Args:
        cell: the product, without its public factor.
        where: further conditions.
        deviation: the weight of each row in a column, in 64 bits.
        meets: whether each row meets a condition.
        count: the number of rows that meet some conditions.
        share: what each row is multiplied by, where rows have weights.
    """
    inside = tuple(Codes(column, ((code, code),)) for column, code in cell.levels)
    if share is None and not cell.factors:
        return count((where, *inside))
    product = share
    for column, weight, power in cell.factors:
        one = deviation(column, weight)
        for _ in range(power):
            product = one if product is None else product * one
    assert product is not None, "a cell with factors has a product"
    met = both(where, AllOf(inside)) if inside else where
    return product.sum() if met is None else product.sum(where=meets(met))


def row_share(
    of: RowWeight,
    deviation: Callable[[str, Weight], Any],
    first: Callable[[str], Any],
) -> Any:
    """The weight of each row, min(2^bits, ⌊top ÷ N⌋), in 64 bits.

    Ibis divides in floating point and takes the floor: ``top`` and N are below 2^53, so it is that of whole numbers.

    Args:
        of: what the weights are; not the same for every row.
        deviation: the weight of each row in a column, in 64 bits.
        first: whether a row has the first value of a column.
    """
    import ibis

    length: Any = of.start
    for part in of.parts:
        product: Any = part.times
        for column, weight in part.factors:
            one = deviation(column, weight)
            product = product * one * one
        for column in part.beyond:
            product = ibis.ifelse(first(column), ibis.literal(0, "int64"), product)
        length = length + product
    found = ibis.literal(of.top, "int64") // length
    return ibis.ifelse(found > 1 << of.bits, ibis.literal(1 << of.bits, "int64"), found)
