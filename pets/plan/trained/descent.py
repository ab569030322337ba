"""Descent: from the noisy sums of steps to weights, by public arithmetic that anybody can do again.

Momentum, a rate that falls after three fifths of the steps, and the average over the last three tenths. Each operation
is one of IEEE 754 doubles on single numbers, in a stated order, so that every machine finds the same weights.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from pets.common.integers import Floats
from pets.plan.networks.wiring import GRADIENT
from pets.plan.trained.fixed_point import SIZE, WEIGHT
from pets.plan.vector import Ints

MOMENTUM, FALL = 0.9, 0.3
SLOWER, AVERAGED = 3 / 5, 7 / 10
"""Of all steps: when the rate falls, and from when weights are averaged."""


class Descent:
    """The weights of a training as it goes.

    Attributes:
        weights: now, as whole numbers of 2^-16, layer by layer.

    Args:
        widths: of all layers.
        people: the noisy count of people; below 1 it is taken as 1.
        steps, rate, seed: as in :class:`pets.query_model.trained.network.Network`.
    """

    def __init__(self, widths: Sequence[int], people: int, steps: int, rate: float, seed: int) -> None:
        self._widths = tuple(widths)
        self._over = float(max(1, people)) * GRADIENT
        self._steps, self._rate, self._done = steps, rate, 0
        self._exact = np.array(first_weights(widths, seed))
        self._speed = np.zeros(len(self._exact))
        self._sum = np.zeros(len(self._exact))

    @property
    def weights(self) -> list[Floats]:
        """The weights at which the next step is measured: whole numbers of 2^-16, layer by layer."""
        return split(self._whole(), self._widths)

    @property
    def at(self) -> tuple[int, ...]:
        """The same in one row."""
        return tuple(int(value) for value in self._whole().tolist())

    def _whole(self) -> Floats:
        whole: Floats = np.clip(np.rint(self._exact * WEIGHT), -SIZE, SIZE)
        return whole

    def move(self, noisy: Ints) -> None:
        """One step: ``noisy`` is the sum over people, with noise, in units of 2^-12."""
        rate = self._rate * (FALL if self._done >= math.floor(self._steps * SLOWER) else 1.0)
        self._speed = self._speed * MOMENTUM + noisy.astype(np.float64) / self._over
        self._exact = np.clip(self._exact - self._speed * rate, -64.0, 64.0)
        if self._done >= math.floor(self._steps * AVERAGED):
            self._sum = self._sum + self._whole()
        self._done += 1

    @property
    def final(self) -> list[int]:
        """The average over the last steps, as whole numbers of 2^-16, in one row."""
        count = self._steps - math.floor(self._steps * AVERAGED)
        return [int(value) for value in np.rint(self._sum / count).tolist()]


def split(flat: Floats, widths: Sequence[int]) -> list[Floats]:
    """Of each layer a row a unit: a weight for each input, and last the one of what is always 1."""
    out, start = [], 0
    for before, after in pairwise(widths):
        out.append(flat[start : start + (before + 1) * after].reshape(after, before + 1))
        start += (before + 1) * after
    return out


def first_weights(widths: Sequence[int], seed: int) -> list[float]:
    """Weights before the first step: 0 in the last layer; else evenly over ±1/√inputs, by SHAKE-256 of a seed."""
    out = list[float]()
    for place, (before, after) in enumerate(pairwise(widths)):
        many = (before + 1) * after
        if place == len(widths) - 2:
            out += [0.0] * many
            continue
        drawn = hashlib.shake_256(f"pets network {seed} layer {place}".encode()).digest(4 * many)
        for at in range(many):
            part = int.from_bytes(drawn[4 * at : 4 * at + 4], "big")
            out.append((part - 2**31) / 2**31 / math.sqrt(before + 1))
    return out


def descended(descent: Descent, steps: int, ask: Callable[[Descent], Ints]) -> list[Ints]:
    """All steps of a training, one after the other: of each the noisy sum, which ``ask`` gives at the weights then.

    Nothing but these sums decides where the next is asked for, and nothing ends a training early.
    """
    sums = list[Ints]()
    for _ in range(steps):
        sums.append(ask(descent))
        descent.move(sums[-1])
    return sums


def trained(
    widths: Sequence[int], people: int, sums: Sequence[Sequence[int]], steps: int, rate: float, seed: int
) -> list[int]:
    """The weights that noisy sums lead to."""
    descent, found = Descent(widths, people, steps, rate, seed), iter(sums)
    descended(descent, len(sums), lambda _: np.array(next(found), dtype=np.int64))
    return descent.final
