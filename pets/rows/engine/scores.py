"""Sums of a step of a logistic or a Poisson regression, over the different rows that an engine has counted.

All of it is arithmetic on 64-bit whole numbers and a public table, the same for every engine: an engine says how often
each pattern of codes stands, and nothing is rounded but here.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pets.plan.fitted.exponential import ETA, FAR, FINE, logistic_means, poisson_bits, poisson_means
from pets.plan.measure import Cell, Link, Measure
from pets.plan.vector import Ints
from pets.query_model.nodes.newton import GRID
from pets.rows.engine.slots import scattered

UNIT, NORM, WEIGHT = 36, 12, 16
"""Bits of a column in a linear predictor, where 64 are enough for it; of one in a row's norm; and of a row's weight."""
MANY = 1 << 18
"""Patterns that are looked at together."""


def added(measure: Measure, codes: Mapping[str, Ints], slots: Ints, counts: Ints, groups: int) -> Ints:
    """Every sum of a step in each group, group by group.

    Args:
        codes: by column, those of each pattern.
        slots: each pattern's group; -1 where it is not reported.
        counts: how many rows it has.
    """
    assert measure.link is not None
    width = len(measure.cells)
    out = np.zeros(groups * width, dtype=np.int64)
    for start in range(0, len(counts), MANY):
        part = slice(start, start + MANY)
        here = {column: found[part] for column, found in codes.items()}
        for place, value in enumerate(_of_rows(measure.cells, measure.link, here)):
            out += scattered(slots[part], value * counts[part], groups, place, width)
    return out


def _of_rows(cells: tuple[Cell, ...], link: Link, codes: Mapping[str, Ints]) -> list[Ints]:
    """What a row of each pattern adds to each sum."""
    p, products = len(link.at), [product_of(cell, codes, len(codes[link.outcome])) for cell in cells]
    residual, variance = _parts(link, _predictor(cells[:p], products, link), codes)
    if link.radius is not None:
        weight = _weight(cells[:p], products, link.radius)
        residual, variance = (np.sign(one) * ((np.abs(one) * weight) >> WEIGHT) for one in (residual, variance))
    return [
        cell.times * product * (residual if place < p else variance)
        for place, (cell, product) in enumerate(zip(cells, products, strict=True))
    ]


def product_of(cell: Cell, codes: Mapping[str, Ints], count: int) -> Ints:
    """The product of a cell, without its public factor."""
    out = np.ones(count, dtype=np.int64)
    for column, weight, power in cell.factors:
        one = weight.scale * codes[column] - weight.offset
        for _ in range(power):
            out = out * one
    for column, code in cell.levels:
        out = out * (codes[column] == code)
    return out


def _predictor(columns: tuple[Cell, ...], products: list[Ints], link: Link) -> Ints:
    """The linear predictor in units of 2^-32, each column from -1 to 1."""
    out = np.zeros(len(products[0]), dtype=np.int64)
    for cell, product, at in zip(columns, products, link.at, strict=False):
        largest = cell.unit // cell.times
        unit = min(UNIT, 61 - largest.bit_length())
        scaled = ((product << unit) + largest // 2) // largest
        high, low = divmod(at, 1 << GRID // 2)  # (in two parts, each of whose products has less than 63 bits)
        spare = GRID - GRID // 2 + unit - ETA
        out += (high * scaled + (low * scaled >> GRID // 2) + (1 << spare - 1)) >> spare
    return np.clip(out, -(FAR << ETA), FAR << ETA)


def _parts(link: Link, eta: Ints, codes: Mapping[str, Ints]) -> tuple[Ints, Ints]:
    """A row's residual and its variance in their own units, moved between their public ends."""
    outcome = codes[link.outcome] + link.ends[0]
    if link.family == "logistic":
        finest, mean = FINE, logistic_means(eta)
        variance = _times(mean, (1 << FINE) - mean)
    else:
        finest, mean = poisson_bits(link.top), poisson_means(eta, link.top)
        if link.exposure is not None:
            column, first, each, most = link.exposure
            mean = mean * (first + each * codes[column]) // most
        variance = mean = np.minimum(mean, link.ends[1] << finest)
    residual = (outcome << finest) - mean
    found = []
    for value, bits, top in zip((residual, variance), link.bits, link.tops, strict=True):
        spare = finest - bits
        kept = (value + (1 << spare - 1)) >> spare if spare else value
        found.append(np.clip(kept, -top, top))
    return found[0], found[1]


def _times(one: Ints, other: Ints) -> Ints:
    """The product of two numbers in units of 2^-40, cut by less than two units."""
    half, low = FINE // 2, (1 << FINE // 2) - 1
    middle = ((one >> half) * (other & low) + (one & low) * (other >> half)) >> half
    return np.asarray((one >> half) * (other >> half) + middle)


def _weight(columns: tuple[Cell, ...], products: list[Ints], radius: int) -> Ints:
    """min(1, R² / ‖x‖²) in units of 2^-16, never more than that: the norm is rounded up, the weight down."""
    norm = np.zeros(len(products[0]), dtype=np.int64)
    for cell, product in zip(columns, products, strict=False):
        largest = cell.unit // cell.times
        norm += (-((-np.abs(product) << NORM) // largest)) ** 2
    return np.asarray(np.minimum(1 << WEIGHT, (radius << 2 * NORM + WEIGHT - 6) // norm))
