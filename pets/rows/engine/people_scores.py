"""Products of people's scores of a regression, over the rows that an engine has counted.

A person's score rests on that person's own rows and on public numbers alone: every operation is one of IEEE 754 on
single numbers, which are rounded in one way wherever they stand, and what is added up are whole numbers. The bound is
looked at in whole numbers after shortening, so nothing about floating point enters it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pets.plan.fitted.meat import PRODUCT, SQUARE, parts_of, places, times_of_people
from pets.plan.measure import Measure, RowWeight, Scores, Weight
from pets.plan.vector import Ints
from pets.query_model.nodes.newton import GRID
from pets.rows.engine.scores import product_of
from pets.rows.engine.slots import scattered
from pets.rows.training.gradients import shortened

FAR = 1 << 38
"""Under noise no row adds more to a number of a score, in its whole numbers: far beyond any bound."""
MANY = 1 << 18
"""People who are looked at together, where they have few rows."""


def products(measure: Measure, codes: Mapping[str, Ints], slots: Ints, counts: Ints, groups: int) -> Ints:
    """Every sum of products in each group, group by group.

    Args:
        codes: by column, those of each pattern of rows, and by no name whose it is; without: each row is a person.
        slots: each pattern's group; -1 where it is not reported.
        counts: how many rows it has.
    """
    assert measure.scores is not None
    out = np.zeros(groups * measure.width, dtype=np.int64)
    owned, kept = codes.get(""), np.flatnonzero(slots >= 0)
    if owned is not None:
        kept = kept[np.lexsort((owned[kept], slots[kept]))]
        group, person = slots[kept], owned[kept]
        new = np.ones(len(kept), dtype=bool)
        new[1:] = (group[1:] != group[:-1]) | (person[1:] != person[:-1])
        starts = np.flatnonzero(new)
    else:
        starts = np.arange(len(kept))
    ends = np.append(starts[1:], len(kept))
    for first in range(0, len(starts), MANY):
        people = slice(first, first + MANY)
        rows = kept[starts[first] : ends[people][-1]]
        found = of_rows(measure, {name: one[rows] for name, one in codes.items() if name})
        times = counts[rows]
        if owned is not None:
            found = np.add.reduceat(found * times[:, None], starts[people] - starts[first], axis=0)
            times = np.ones(len(found), dtype=np.int64)
        where = slots[kept[starts[people]]]
        for place, value in enumerate(_of_people(found, measure.scores)):
            out += scattered(where, value * times, groups, place, measure.width)
    return out


def of_rows(measure: Measure, codes: Mapping[str, Ints]) -> Ints:
    """What each row adds to its person's score: a row of the result, in the score's whole numbers."""
    scores = measure.scores
    assert scores is not None
    column, weight = scores.outcome
    count = len(codes[column])
    sides = [product_of(cell, codes, count) / cell.unit for cell in measure.cells]
    residual = (weight.scale * codes[column] - weight.offset) / weight.largest
    for at, side in zip(scores.at, sides, strict=True):
        residual = residual - at / (1 << GRID) * side
    if measure.row_weight is not None:
        residual = residual * (_share(measure.row_weight, codes, count) / (1 << measure.row_weight.bits))
    by, end = float(scores.bound / scores.norm), scores.bound if scores.split else FAR
    found = np.stack([np.rint(np.clip(residual * side * by, -end, end)) for side in sides], axis=1)
    return found.astype(np.int64)


def _share(of: RowWeight, codes: Mapping[str, Ints], count: int) -> Ints:
    """How much each row counts, of 2^bits, as :func:`pets.rows.engine.products.row_share` has it."""
    length = np.full(count, of.start, dtype=np.int64)
    for part in of.parts:
        product = np.full(count, part.times, dtype=np.int64)
        for column, weight in part.factors:
            product = product * _deviation(codes[column], weight) ** 2
        for column in part.beyond:
            product = product * (codes[column] != 0)
        length = length + product
    return np.minimum(1 << of.bits, of.top // length)


def _deviation(codes: Ints, weight: Weight) -> Ints:
    return weight.scale * codes - weight.offset


def _of_people(found: Ints, scores: Scores) -> list[Ints]:
    """What each person adds to each sum; ``found`` are their scores."""
    halves: list[Ints]
    if scores.split:
        whole = np.clip(found, -scores.bound, scores.bound)
        halves = [whole >> scores.split, whole & (1 << scores.split) - 1]
    else:
        near = np.clip(found, -2 * scores.bound, 2 * scores.bound)
        halves = [shortened(near.astype(np.float64), scores.bound)]
    out = []
    for part in range(len(parts_of(scores.split))):
        pairs = [(one, halves[part - at]) for at, one in enumerate(halves) if 0 <= part - at < len(halves)]
        for i, j in places(found.shape[1]):
            value = np.zeros(len(found), dtype=np.int64)
            for one, other in pairs:
                value += one[:, i] * other[:, j]
            out.append((SQUARE if i == j else PRODUCT) * value)
    return [*out, np.full(len(found), times_of_people(scores), dtype=np.int64)]
