"""Thresholds for keys that nobody listed: from what was asked to a scale, a threshold and a charge of ρ and δ.

A key shows where its noisy count of people reaches the threshold. ρ pays for the noise on keys that others have too; δ
is the chance that a key which one person alone has shows all the same. Nothing here sees a row.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pets.common.codec import fraction
from pets.dp.noise import MAX_VALUE, threshold_loss
from pets.dp.one_scale import check_plain, least_scale, target_of, units
from pets.errors import BudgetError
from pets.protection.budget import DELTA_UNIT, UNIT, Budget, Cost, described, small_delta
from pets.protection.protection import DP

CALLS = 100
"""Releases of keys that a budget's ``threshold_delta`` pays for, where each takes the usual share."""


@dataclass(frozen=True)
class KeyNoise:
    """The noise and the threshold of one release of keys, and what it costs.

    Attributes:
        groups: keys that one person may be counted in.
        scale: of the discrete Gaussian noise on every count.
        threshold: the least noisy count that shows.
        cost: ρ, and δ for the threshold.
        epsilon, delta: the release is (epsilon, delta)-differentially private; the budget's δ of conversion is in it.
        rho: and (ρ, δ of ``cost``)-approximate zCDP.
        conversion: the δ at which ρ was told as ε.
    """

    groups: int
    scale: float
    threshold: int
    cost: Cost
    epsilon: float
    delta: float
    rho: float
    conversion: float

    def __str__(self) -> str:
        likely = math.ceil(self.threshold + 2 * self.scale)
        return (
            f"Cost: ε = {self.epsilon:.4g}, δ = {self.delta:g} (ρ = {self.rho:.4g} and, for the threshold, "
            f"δ = {self.cost.delta / DELTA_UNIT:.3g} from the budget). A key shows from a noisy count of "
            f"{self.threshold:,} people on: most keys of {likely:,} people or more do."
        )

    __repr__ = __str__


def key_noise(groups: int, protection: DP, budget: Budget, delta: float | None = None) -> KeyNoise:
    """The least threshold that a protection and a share of the budget's ``threshold_delta`` allow.

    Args:
        groups: keys that one person may be counted in.
        protection: ``DP(epsilon=…)`` or ``DP(rho=…)``.
        budget: the ledger's.
        delta: of the threshold; left out, a hundredth of the budget's ``threshold_delta``.

    Raises:
        BudgetError: where the ledger counts ε without a δ, keeps no δ for thresholds, or the request is too small.
    """
    share = delta_units(budget, delta)
    check_plain(protection, "keys are released by noise and a threshold")
    target = target_of(protection, budget)
    first = math.sqrt(groups * UNIT / (2 * target))
    scale, loss = least_scale(first, lambda scale: units(threshold_loss(groups, scale, 2)[0], UNIT), target)
    threshold = _least(groups, scale, share)
    spent = units(threshold_loss(groups, scale, threshold)[1], DELTA_UNIT)
    cost = Cost("zcdp", loss, spent)
    conversion = protection.delta or budget.conversion_delta
    epsilon, delta = described(cost, conversion)
    return KeyNoise(groups, scale, threshold, cost, protection.epsilon or epsilon, delta, loss / UNIT, conversion)


def delta_units(budget: Budget, delta: float | None) -> int:
    """The δ, in units of 1e-18, that one release of keys may take; raises :class:`BudgetError` where there is none."""
    if budget.currency == "pure":
        raise BudgetError(
            "this ledger counts epsilon without a delta, and keys that nobody listed always take a delta: with some "
            "chance a key of one person shows; list the keys in a KeySet, or keep the data in a ledger with a delta"
        )
    if not budget.threshold_delta:
        raise BudgetError(
            "this budget keeps no delta for keys; open the ledger with "
            f"Budget(…, threshold_delta={budget.delta / 10:g}), or let its custodian sign a change: "
            f"pets ledger change --ledger FILE --dataset NAME --threshold-delta {budget.delta / 10:g} --reason WHY "
            "--by NAME --by NAME"
        )
    if delta is None:
        share = math.floor(fraction(budget.threshold_delta) * DELTA_UNIT / CALLS)
    else:
        share = math.floor(fraction(small_delta("delta", delta)) * DELTA_UNIT)
    if share < 1:
        raise BudgetError("the delta for one release of keys is too small to be counted; use at least 1e-18")
    return share


def _least(groups: int, scale: float, share: int) -> int:
    """The least threshold whose δ is within the share; δ falls as it grows."""

    def fits(threshold: int) -> bool:
        return units(threshold_loss(groups, scale, threshold)[1], DELTA_UNIT) <= share

    low, high = 1, 2
    while not fits(high):
        low, high = high, high * 2
        if high > MAX_VALUE:
            raise BudgetError("no threshold is high enough for so small a delta; ask with a larger one")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    return high
