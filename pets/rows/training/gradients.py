"""Gradients: the exact sum over people of what each would move the weights by, each person's part bounded.

The bound is on whole numbers and is looked at once more in whole numbers after clipping; nothing about floating point
enters it. And what a person adds depends on their own rows and the public weights alone
(:mod:`pets.plan.trained.fixed_point`), so one who leaves takes their own part away and changes no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pets.common.integers import Floats
from pets.plan.networks.wiring import Wiring, two_valued
from pets.plan.trained.fixed_point import ENTRY, INPUT, ROOT_TWO, WEIGHT, Layers, scaled
from pets.plan.vector import Ints
from pets.schema.domain import Domain

AT_ONCE = 2**22
"""Numbers of people's gradients that are held at a time."""
SHORT = 1 - 2.0**-50
"""What keeps a scaled vector from passing the bound by rounding; that it does not is looked at afterwards."""


class Gradients:
    """The rows of a training, read once; they and its sums must not be seen: only noise may read them.

    Args:
        wiring: of the network.
        fields: what its columns hold.
        kept: how many rows of a person count at most.
        codes: of the rows with all values: each column's, and by no name the person of each row.
    """

    def __init__(self, wiring: Wiring, fields: Mapping[str, Domain], kept: int, codes: dict[str, Ints]) -> None:
        self._wiring, self._kept = wiring, kept
        order = np.argsort(codes[""], kind="stable")
        person = codes[""][order]
        self._starts = np.flatnonzero(np.concatenate([[True], person[1:] != person[:-1]])) if len(person) else order
        self._ends = np.append(self._starts[1:], len(person))
        inputs = [_input(codes[name][order], fields[name], code) for name, code in wiring.inputs]
        self._inputs = np.stack(inputs, axis=1) if len(person) else np.zeros((0, len(inputs)), dtype=np.int16)
        self._classes = codes[wiring.outcome][order].astype(np.float64)

    @property
    def people(self) -> int:
        """How many people have a row that counts."""
        return len(self._starts)

    def step(self, weights: list[Floats]) -> Ints:
        """The sum over people of their bounded parts, at public weights."""
        layers = Layers(weights, self._wiring.activations)
        out = np.zeros(self._wiring.size, dtype=np.int64)
        many = max(1, AT_ONCE // (self._wiring.size * self._kept))
        for first in range(0, self.people, many):
            out += self._part(layers, first, min(first + many, self.people)).sum(axis=0)
        return out

    def _part(self, layers: Layers, first: int, last: int) -> Ints:
        """Of some people each one's bounded part: a row of the result."""
        rows = slice(int(self._starts[first]), int(self._ends[last - 1]))
        found = layers.gradients(self._inputs[rows].astype(np.float64), self._classes[rows])
        if rows.stop - rows.start > last - first:  # somebody has several rows
            found = np.add.reduceat(found, self._starts[first:last] - rows.start, axis=0)
        return bounded(found, self._wiring.bound)


def bounded(found: Floats, bound: int) -> Ints:
    """Of each row, a person's gradient in units of 2^-28, the nearest whole numbers of 2^-12, shortened to ``bound``.

    Guarantee: the squares of each row of the result add up to at most ``bound``², in whole numbers. What is no number
    becomes 0.
    """
    units = scaled(found, WEIGHT)
    if not np.isfinite(units.sum()):  # (or a sum of finite numbers passes what a double holds: nothing is lost then)
        units = np.nan_to_num(units, nan=0.0, posinf=0.0, neginf=0.0)
    return shortened(units, bound)


def shortened(units: Floats, bound: int) -> Ints:
    """Of each row of whole numbers, which is changed, the nearest ones of at most this length, towards 0.

    Guarantee: the squares of each row of the result add up to at most ``bound``², in whole numbers.
    """
    np.clip(units, -ENTRY, ENTRY, out=units)
    squares = _squares(units)
    (over,) = np.nonzero(squares > bound**2)
    if len(over):
        shrunk = np.trunc(units[over] * (bound / np.sqrt(squares[over]) * SHORT)[:, None])
        shrunk[_squares(shrunk) > bound**2] = 0
        units[over] = shrunk
    return units.astype(np.int64)


def _squares(whole: Floats) -> Floats:
    """Of each row the sum of squares of whole numbers: at most 200,000 · 2^34 < 2^53, so a double holds it exactly."""
    found: Any = np.einsum("ij,ij->i", whole, whole)
    return np.asarray(found, dtype=np.float64)


def _input(codes: Ints, domain: Domain, level: int | None) -> Any:
    """One input of each row, in its units: from -1 to 1 by the public bounds, or √2 where a category has a value."""
    if level is not None:
        return np.where(codes == level, ROOT_TWO, 0).astype(np.int16)
    if two_valued(domain):
        return np.where(codes > 0, INPUT, -INPUT).astype(np.int16)
    top = float(domain.cells - 1)
    return np.rint((codes.astype(np.float64) * 2 - top) * INPUT / top).astype(np.int16)
