"""Proof: what a search claims of one protected sum is checked here, by whole numbers and fractions alone.

No solver and no rounding takes part: whoever doubts a verdict can read this page and run it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Any

import numpy as np

from pets.errors import QueryError
from pets.sdc.system import GREATEST, System

Multipliers = tuple[tuple[int, Fraction], ...]


@dataclass(frozen=True)
class Protected:
    """People in some atoms, each once, whose number must stay open; ``name`` says who they are."""

    cells: tuple[int, ...]
    name: str

    def __post_init__(self) -> None:
        if len(set(self.cells)) != len(self.cells):
            raise QueryError(f"{self.name} must name each atom once; name its atoms again")


@dataclass(frozen=True)
class Attack:
    """A derivation: the protected number is at least ``lo`` and at most ``hi``.

    Attributes:
        lower, upper: a row and what it is multiplied by, for each end; what they add up to is the end, before it is
            rounded to a whole number inwards.
    """

    lo: int
    hi: int
    lower: Multipliers
    upper: Multipliers


def verify_pair(system: System, protected: Protected, pair: tuple[Any, Any], width: int) -> bool:
    """Whether two tables of whole numbers agree with every statement and lie ``width`` apart in the protected sum."""
    ends = []
    for table in pair:
        numbers = np.asarray(table)
        if numbers.dtype.kind not in "iu" or numbers.shape != (system.atoms,):
            return False
        if int(numbers.min()) < 0 or int(numbers.max()) > GREATEST:
            return False
        sums = system.sums(numbers)
        if not ((system.lo <= sums) & (sums <= system.hi)).all():
            return False
        ends.append(sum(int(numbers[cell]) for cell in protected.cells))
    return abs(ends[1] - ends[0]) >= width


def verify_attack(system: System, protected: Protected, attack: Attack, width: int) -> bool:
    """Whether both ends of a derivation follow from the statements, and lie less than ``width`` apart."""
    least, most = end(system, protected, attack.lower, -1), end(system, protected, attack.upper, 1)
    if least is None or most is None:
        return False
    return attack.lo <= max(ceil(least), 0) and attack.hi >= floor(most) and attack.hi - attack.lo < width


def end(system: System, protected: Protected, multipliers: Multipliers, sense: int) -> Fraction | None:
    """What multiplied rows add up to: the protected sum is at most (``sense`` 1) or at least (-1) that.

    ``None``: they show nothing of it. An atom may be left over or wanting only where, no count being below 0, that
    makes the sum greater (at most) or smaller (at least) than the protected one.
    """
    total, left = Fraction(0), dict.fromkeys(protected.cells, Fraction(-1))
    for row, factor in multipliers:
        if not 0 <= row < system.rows:
            return None
        total += factor * int(system.hi[row] if (factor > 0) == (sense > 0) else system.lo[row])
        for cell in system.cells(row).tolist():
            left[cell] = left.get(cell, Fraction(0)) + factor
    return total if all(sense * rest >= 0 for rest in left.values()) else None
