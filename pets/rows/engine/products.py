"""Sums of products of row weights: what second moments and regressions are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pets.plan.measure import Cell, Weight
from pets.plan.predicate import AllOf, Codes, Predicate, both


def monomial(
    cell: Cell,
    where: Predicate | None,
    deviation: Callable[[str, Weight], Any],
    meets: Callable[[Predicate], Any],
    count: Callable[[tuple[Predicate | None, ...]], Any],
) -> Any:
    """The sum of a product of weights (of none: the number of rows) over the rows of its values of categories.

    Args:
        cell: the product, without its public factor.
        where: further conditions.
        deviation: the weight of each row in a column, in 64 bits.
        meets: whether each row meets a condition.
        count: the number of rows that meet some conditions.
    """
    inside = tuple(Codes(column, ((code, code),)) for column, code in cell.levels)
    if not cell.factors:
        return count((where, *inside))
    product = None
    for column, weight, power in cell.factors:
        one = deviation(column, weight)
        for _ in range(power):
            product = one if product is None else product * one
    assert product is not None, "a cell with factors has a product"
    met = both(where, AllOf(inside)) if inside else where
    return product.sum() if met is None else product.sum(where=meets(met))
