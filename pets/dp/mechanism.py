"""The mechanism: an exact vector in, a noisy one out."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from pets.dp.calibrate import Noise
from pets.dp.noise import Ints, add_gaussian, add_laplace
from pets.errors import InternalError
from pets.plan.measure import Measure


class Blocks(Protocol):
    """What is read of a plan: how the vector is cut into measures."""

    @property
    def measures(self) -> tuple[Measure, ...]:
        """In the order of the vector."""

    @property
    def groups(self) -> int:
        """Each measure has ``groups · width`` values."""


def measure(plan: Blocks, values: Ints, noise: Noise) -> Ints:
    """The exact values of a plan with noise on every one, block by block.

    Guarantee: the release of this vector costs ``noise.cost``, because measure *j* as a whole costs
    ``noise.losses[j]`` (by OpenDP's map of its proven sensitivity) and costs add up.

    Raises:
        InternalError: if the vector or the noise is another plan's.
    """
    sizes = [plan.groups * block.width for block in plan.measures]
    if len(noise.scales) != len(sizes) or values.shape != (sum(sizes),):
        raise InternalError("the vector or the noise belongs to another plan")
    add = add_gaussian if noise.mechanism == "gaussian" else add_laplace
    parts = []
    start = 0
    for size, scale in zip(sizes, noise.scales, strict=True):
        parts.append(add(values[start : start + size], scale))
        start += size
    return np.concatenate(parts) if parts else values.copy()
