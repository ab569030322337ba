"""What noise costs and means: from each measure's loss to a ledger's charge and to (ε, δ), ρ. The one reckoning of it.

Sessions, parties of encrypted totals, sites and analysts of a federation all ask here, so that no two of them can read
one number as two things: a Laplace loss is an ε also where the ledger counts ρ (and then costs ρ = ε²/2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pets.errors import BudgetError
from pets.protection.budget import UNIT, Cost, Currency, described, pure_as_zcdp

Mechanism = Literal["gaussian", "laplace"]


@dataclass(frozen=True)
class PrivacyLoss:
    """What one release costs, and what it means.

    Attributes:
        cost: what the ledger is charged.
        epsilon, delta: the release is (epsilon, delta)-differentially private.
        rho: and ρ-zCDP; ``None`` in a ledger that counts ε.
    """

    cost: Cost
    epsilon: float
    delta: float
    rho: float | None


def privacy_loss(
    losses: Sequence[int], mechanism: Mechanism, currency: Currency, delta: float, epsilon: float | None = None
) -> PrivacyLoss:
    """The reckoning of one release.

    Args:
        losses: of each measure, in units of 1e-12: ρ for the Gaussian, ε for Laplace.
        mechanism, currency: of the noise, and of the ledger.
        delta: at which a Gaussian's ρ is turned to ε. Laplace noise has none.
        epsilon: where the request named its ε, that number; the losses are within it.

    Raises:
        BudgetError: where the ledger counts ε and the noise has none.

    >>> privacy_loss([10**12], "laplace", "zcdp", 1e-6)
    PrivacyLoss(cost=Cost(currency='zcdp', loss=500000000000, delta=0), epsilon=1.0, delta=0.0, rho=0.5)
    """
    total = sum(losses)
    if mechanism == "laplace":
        cost = Cost("zcdp", pure_as_zcdp(total)) if currency == "zcdp" else Cost("pure", total)
        return PrivacyLoss(cost, epsilon or total / UNIT, 0.0, cost.loss / UNIT if currency == "zcdp" else None)
    if currency == "pure":
        raise BudgetError(
            "a ledger without a delta cannot pay for shared Gaussian noise; ask with secure='local', or open the "
            "sites' ledgers with a delta"
        )
    cost = Cost("zcdp", total)
    return PrivacyLoss(cost, epsilon or described(cost, delta)[0], delta, total / UNIT)
