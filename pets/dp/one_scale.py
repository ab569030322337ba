"""One scale for all counts of a release, priced in ρ: what was asked, the least scale that it pays for, and its charge.

For releases of keys, whose every count has the same noise. Nothing here sees a row.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from pets.dp.calibrate import target_units
from pets.dp.split import six_digits
from pets.errors import BudgetError
from pets.protection.budget import Budget
from pets.protection.protection import DP


def check_plain(protection: DP, how: str) -> None:
    """Refuses Laplace noise and a wanted error, which mean nothing for what is released as ``how`` says."""
    if protection.pure or protection.within is not None:
        name = "pure=True" if protection.pure else "within="
        raise BudgetError(f"{how}, for which {name} means nothing; ask with epsilon=")


def target_of(protection: DP, budget: Budget) -> int:
    """The ρ that was asked for, in units; raises :class:`BudgetError` where it is less than one."""
    target = target_units(protection, budget.currency, budget.conversion_delta)
    if target < 1:
        raise BudgetError("the request is too small to be counted; ask with a larger epsilon or rho")
    return target


def least_scale(first: float, loss: Callable[[float], int], target: int) -> tuple[float, int]:
    """The least scale of six digits, from ``first`` on, whose loss is within the target; and that loss."""
    # (the hair less keeps 20.000000000000004 at 20; the charge decides, not this)
    scale = six_digits(first * (1 - 1e-12))
    while (found := loss(scale)) > target:
        scale = six_digits(scale * (1 + max(1e-7, (found / target - 1) / 2)))
    return scale, found


def units(value: float, unit: int) -> int:
    """A loss in whole units, rounded up from its exact value; never free."""
    return max(1, math.ceil(Fraction(value) * unit))
