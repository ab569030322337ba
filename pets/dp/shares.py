"""Noise in shares: every party adds discrete Gaussian noise of its own, and the honest parties' sum bears the promise.

A sum of discrete Gaussians is not exactly one. Kairouz, Liu and Steinke (*The Distributed Discrete Gaussian Mechanism
for Federated Learning with Secure Aggregation*, ICML 2021; KLS21 below), Proposition 14, bound what it loses: for n
shares of scale σ ≥ ½ on each of d coordinates, with τ = 10·Σ_{k=1}^{n−1} exp(−2π²σ²·k/(k+1)), the Rényi divergence of
order α ≥ 1 at a distance Δ is at most the smallest of

* αΔ₂²/(2nσ²) + τd,
* (α/2)·(Δ₂²/(nσ²) + 2Δ₁τ/(√n·σ) + τ²d),
* (α/2)·(Δ₂/(√n·σ) + τ√d)².

Each is at most α·ρ for every α ≥ 1, with the ρ that :func:`share_rho` gives; so it is ρ-zCDP, and adds up.
Shares have a variance of at least 4 grid steps, where τ is below 1e-15; where the noise wanted is smaller, the grid is
made finer: values and noise are counted in 1/refine of a step, refine being odd.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import numpy as np

from pets.budget import UNIT, Cost, epsilon_from_rho
from pets.codec import Json, fraction, number
from pets.dp.calibrate import LedgerView, calibrate
from pets.dp.noise import MOST_VALUE, Ints, add_gaussian, gaussian_rho
from pets.dp.split import Measured, six_digits
from pets.errors import BudgetError, InternalError
from pets.measure import Measure
from pets.protection import DP

LEAST_SCALE = 2.0
"""A share's σ in steps of its grid: variance 4."""

PRINTED_DELTA = 1e-6
"""At which an ε is printed where only ρ was asked for; parties may keep accounts with different deltas."""


class Shaped(Measured, Protocol):
    """What is read of a plan."""

    @property
    def size(self) -> int:
        """Length of the vector."""


@dataclass(frozen=True)
class Shares:
    """One party's noise, and what it costs that party's people.

    Attributes:
        mechanism: always the discrete Gaussian.
        scales: σ of this party's share for each measure, in steps of the refined grid.
        refine: steps of the refined grid in one step of the plan's, for each measure (1: not refined).
        honest: parties whose shares bear the guarantee.
        losses: ρ of each measure by KLS21, in units of 1e-12, rounded up.
        cost: their sum: what the ledger is charged.
        epsilon, delta, rho: the guarantee while at least ``honest`` parties' noise stays secret.
        alone: ρ from this party's own share, if all others tell theirs.
    """

    scales: tuple[float, ...]
    refine: tuple[int, ...]
    honest: int
    losses: tuple[int, ...]
    cost: Cost
    epsilon: float
    delta: float
    rho: float
    alone: float
    mechanism: str = "gaussian"

    def to_json(self) -> Json:
        """What every party of a round must have in common; public."""
        return {
            "scales": [number(fraction(scale)) for scale in self.scales],
            "refine": list(self.refine),
            "honest": self.honest,
            "cost": self.cost.to_json(),
            "epsilon": number(fraction(self.epsilon)),
            "delta": number(fraction(self.delta)),
            "rho": number(fraction(self.rho)),
            "alone": number(fraction(self.alone)),
            "alone_epsilon": number(fraction(epsilon_from_rho(self.alone, self.delta))),
        }


def shares(plan: Shaped, protection: DP, view: LedgerView, honest: int) -> Shares:
    """The noise that each of ``honest`` parties adds, so that together they give what ``protection`` asks for.

    Args:
        plan: what each party computes.
        protection: Gaussian, with a cost of its own (``epsilon`` with ``delta``, or ``rho``).
        view: the party's ledger, which must count ρ.
        honest: parties that survive and keep their noise to themselves.

    Raises:
        BudgetError: as :func:`pets.dp.calibrate.calibrate`, and where the refined values would pass 2^62.
    """
    if view.currency != "zcdp" or protection.pure or protection.within is not None:
        raise BudgetError(
            "shares of noise are Gaussian: the ledger needs a delta, and the protection is DP(epsilon=…, delta=…) or "
            "DP(rho=…)"
        )
    if honest < 1:
        raise InternalError("at least one party is honest")
    whole = calibrate(plan, protection, view)
    wanted = [scale / math.sqrt(honest) for scale in whole.scales]
    # odd: a total on the refined grid then never lies halfway between two steps, so that rounding it has no bias
    refine = tuple(
        max(1, math.ceil(LEAST_SCALE / scale)) // 2 * 2 + 1 if scale < LEAST_SCALE else 1 for scale in wanted
    )
    for measure, finer in zip(plan.measures, refine, strict=True):
        if measure.limit * finer > MOST_VALUE:
            raise BudgetError(
                f"the noise on {measure.name} would be so small that its grid does not fit 64-bit integers; ask with a "
                "smaller epsilon"
            )
    scales = tuple(max(six_digits(s * g), LEAST_SCALE) for s, g in zip(wanted, refine, strict=True))
    for _ in range(1000):
        losses = tuple(
            _units(measure, plan.groups * measure.width, scale, finer, honest)
            for measure, scale, finer in zip(plan.measures, scales, refine, strict=True)
        )
        if sum(losses) <= whole.cost.loss:
            break
        scales = tuple(six_digits(scale * (1 + 1e-6)) for scale in scales)  # by a hair: τ, and rounding up
    else:
        raise BudgetError("the request is too small to be counted; ask with a larger epsilon or rho")
    alone = sum(
        gaussian_rho(measure.sensitivity.l2_squared * finer**2, scale)
        for measure, scale, finer in zip(plan.measures, scales, refine, strict=True)
    )
    delta = protection.delta or PRINTED_DELTA
    rho = sum(losses) / UNIT
    epsilon = protection.epsilon or epsilon_from_rho(rho, delta)
    return Shares(
        scales,
        refine,
        honest,
        losses,
        Cost("zcdp", sum(losses)),
        epsilon,
        delta,
        rho,
        math.nextafter(alone * (1 + 1e-12), math.inf),
    )


def add_share(plan: Shaped, values: Ints, share: Shares) -> Ints:
    """The exact values on the refined grid, with this party's fresh noise on every one (drawn by OpenDP).

    Raises:
        InternalError: if the vector or the noise is another plan's, or a value lies beyond what the plan proved.
    """
    sizes = [plan.groups * measure.width for measure in plan.measures]
    if len(share.scales) != len(sizes) or values.shape != (sum(sizes),):
        raise InternalError("the vector or the noise belongs to another plan")
    parts, start = [], 0
    for measure, size, scale, finer in zip(plan.measures, sizes, share.scales, share.refine, strict=True):
        block = values[start : start + size]
        if size and max(int(block.max()), -int(block.min())) > measure.limit:
            raise InternalError("a value lies beyond the range that the plan proved")
        parts.append(add_gaussian(block * finer, scale))  # within 2^62: ``shares`` checked limit · finer
        start += size
    return np.concatenate(parts)


def tau(scale: float, parties: int) -> float:
    """τ of KLS21, rounded up: how far the sum of this many shares may be from one discrete Gaussian.

    >>> tau(2.0, 1), tau(2.0, 10) < 1e-15
    (0.0, True)
    """
    at = 2 * math.pi**2 * scale**2
    terms = [math.exp(-at * k / (k + 1)) for k in range(1, min(parties, 65))]
    rest = max(0, parties - 65) * math.exp(-at * 65 / 66)  # k/(k+1) grows, so later terms are smaller
    return 10 * (math.fsum(terms) + rest) * (1 + 1e-9)


def share_rho(l1: int, l2_squared: int, size: int, scale: float, parties: int) -> Fraction:
    """ρ (zCDP) of the sum of ``parties`` shares of this scale on ``size`` coordinates; never below KLS21's bound.

    >>> float(share_rho(1, 1, 1, 10.0, 1))
    0.005
    """
    if scale < 0.5:
        raise InternalError("the bound on shares of noise holds from a scale of one half on")
    spread = parties * Fraction(scale) ** 2  # nσ², exact
    gap, root = tau(scale, parties), math.sqrt(parties) * scale
    extras = (
        gap * size,
        l1 * gap / root + gap**2 * size / 2,
        math.sqrt(l2_squared * size) * gap / root + gap**2 * size / 2,
    )
    return Fraction(l2_squared) / (2 * spread) + Fraction(min(extras) * (1 + 1e-9))


def _units(measure: Measure, size: int, scale: float, finer: int, honest: int) -> int:
    at = measure.sensitivity
    rho = share_rho(at.l1 * finer, at.l2_squared * finer**2, size, scale, honest)
    return max(1, math.ceil(rho * UNIT))
