"""Selection by noise: from what was asked to the scale of the noise on every count, its price and its error.

Only *which* places have the greatest counts leaves, in order, and no count. That costs the same for ten candidates as
for ten thousand, however many of them one person is counted in. Nothing here sees a row.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pets.dp.noise import top_rho
from pets.dp.one_scale import check_plain, least_scale, target_of, units
from pets.errors import BudgetError
from pets.protection.budget import UNIT, Budget, Cost, described
from pets.protection.protection import DP

CONFIDENCE = 0.95


@dataclass(frozen=True)
class TopNoise:
    """The noise of one selection, and what it costs.

    Attributes:
        k: how many are chosen, of so many ``candidates``.
        scale: of the Gumbel noise on every count.
        cost: ρ.
        epsilon, delta: the release is (epsilon, delta)-differentially private; δ is the budget's, of conversion.
        rho: and ρ-zCDP.
        counted: what is counted: ``"people"`` or ``"rows"``.
    """

    k: int
    candidates: int
    scale: float
    cost: Cost
    epsilon: float
    delta: float
    rho: float
    counted: str = "people"

    @property
    def behind(self) -> int:
        """With 95 % certainty no candidate that is left out has so many more than one that is chosen, or beyond.

        By the law of the exponential mechanism in each of the k rounds (McSherry and Talwar 2007).
        """
        return math.ceil(self.scale * math.log(self.candidates * self.k / (1 - CONFIDENCE)))

    def __str__(self) -> str:
        return (
            f"Cost: ε = {self.epsilon:.4g}, δ = {self.delta:g} (ρ = {self.rho:.4g}), for the {self.k:,} of "
            f"{self.candidates:,} listed groups with most {self.counted}, in order and without their counts. With 95 % "
            f"certainty none that is left out has over {self.behind:,} {self.counted} more than one that is chosen."
        )

    __repr__ = __str__


def top_noise(k: int, candidates: int, linf: int, counted: str, protection: DP, budget: Budget) -> TopNoise:
    """The least noise that a protection allows for choosing k of so many candidates.

    Args:
        linf: the most by which one person raises any count.
        counted: as in :class:`TopNoise`.

    Raises:
        BudgetError: where the ledger counts ε without a δ, or the request is too small or asks for what has no meaning.
    """
    if budget.currency == "pure":
        raise BudgetError(
            "this ledger counts epsilon without a delta, and a choice by noise is priced in rho; release the counts of "
            "all groups and take the greatest of the answer's table, or keep the data in a ledger with a delta"
        )
    check_plain(protection, "groups are chosen by noise on counts that stay unseen")
    target = target_of(protection, budget)
    first = linf * math.sqrt(k * UNIT / (8 * target))
    scale, loss = least_scale(first, lambda scale: units(top_rho(k, linf, scale), UNIT), target)
    cost = Cost("zcdp", loss)
    means = described(cost, protection.delta or budget.conversion_delta)
    return TopNoise(k, candidates, scale, cost, protection.epsilon or means[0], means[1], loss / UNIT, counted=counted)
