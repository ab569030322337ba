"""Shares of noise: several sites each draw a part, so that the total bears enough and nobody knows all of it.

A site adds discrete Gaussian noise of scale s to each number; h honest sites' noise adds up to nearly a discrete
Gaussian of scale s·√h. *Nearly* has a price: Kairouz, Liu and Steinke 2021, *The Distributed Discrete Gaussian
Mechanism for Federated Learning with Secure Aggregation*, Theorem 1 and Proposition 14. With
τ = 10·Σ_{k=1}^{h−1} exp(−2π²s²·k/(k+1)), sensitivity Δ (L2) and d numbers, the sum is ρ-zCDP for the smaller of

    ρ = Δ²/(2hs²) + τd        and        ρ = ½·(Δ/(√h·s) + τ√d)².

Noise of other sites on top is independent of all this, and cannot weaken it. Where s² would be below 4 grid steps, τ
grows quickly, so the grid is refined instead: values, sensitivity and noise are multiplied by a whole number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal, Protocol

import numpy as np

from pets.budget import UNIT, Cost, Currency, pure_as_zcdp
from pets.codec import Json, fraction, number
from pets.dp.calibrate import calibrate, charges, target_units
from pets.dp.noise import MOST_VALUE, Ints, add_gaussian, add_laplace, gaussian_rho
from pets.dp.split import six_digits
from pets.errors import BudgetError, InternalError
from pets.measure import Measure, Output, Sensitivity
from pets.protection import DP

LEAST_VARIANCE = 4
"""Of a share, in squared grid steps."""
_UP = 1 + 1e-12


class Blocks(Protocol):
    """What is read of a plan."""

    @property
    def measures(self) -> tuple[Measure, ...]:
        """The blocks that get noise."""

    @property
    def outputs(self) -> tuple[Output, ...]:
        """What they are for."""

    @property
    def groups(self) -> int:
        """Each measure has ``groups · width`` values."""


@dataclass(frozen=True)
class Spread:
    """A plan as its total over sites is: one person may be at ``sites`` of them, and moves each as far as one.

    Every sensitivity is multiplied by ``sites`` (the triangle inequality): L2 too, since the same cells may move.
    """

    plan: Blocks
    sites: int

    @property
    def measures(self) -> tuple[Measure, ...]:
        """The plan's, with what a person can do at all their sites together."""
        m = self.sites
        return tuple(
            replace(
                measure,
                sensitivity=Sensitivity(
                    measure.sensitivity.l0 * m,
                    measure.sensitivity.l1 * m,
                    measure.sensitivity.l2_squared * m * m,
                    measure.sensitivity.linf * m,
                ),
                limit=measure.limit * m,
            )
            for measure in self.plan.measures
        )

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The plan's."""
        return self.plan.outputs

    @property
    def groups(self) -> int:
        """The plan's."""
        return self.plan.groups


@dataclass(frozen=True)
class View:
    """A ledger as calibration reads it."""

    currency: Currency
    delta: float


@dataclass(frozen=True)
class Shares:
    """What each site adds, measure by measure.

    Attributes:
        mechanism: discrete ``"gaussian"``, or ``"laplace"`` where each site protects itself alone.
        scales: of one site's noise, in steps of the refined grid.
        refine: grid steps into which each of the plan's steps is cut.
        alone: each site's noise is enough by itself (``secure="local"``); otherwise h sites' together.
    """

    mechanism: Literal["gaussian", "laplace"]
    scales: tuple[float, ...]
    refine: tuple[int, ...]
    alone: bool = False

    def __post_init__(self) -> None:
        wrong = len(self.scales) != len(self.refine) or self.mechanism not in ("gaussian", "laplace")
        wrong = wrong or any(not (math.isfinite(scale) and scale > 0) for scale in self.scales)
        wrong = wrong or any(isinstance(g, bool) or not isinstance(g, int) or not 1 <= g <= 2**31 for g in self.refine)
        if wrong or (not self.alone and (self.mechanism == "laplace" or min(self.scales) ** 2 < LEAST_VARIANCE)):
            raise BudgetError("these are no shares of noise: each measure has a scale of at least 2 on a whole grid")

    def to_json(self) -> Json:
        """The canonical form."""
        return {
            "mechanism": self.mechanism,
            "scales": [number(fraction(scale)) for scale in self.scales],
            "refine": list(self.refine),
            "alone": self.alone,
        }

    @classmethod
    def from_json(cls, form: Any) -> Shares:
        """The inverse of :meth:`to_json`; raises :class:`BudgetError` for anything else."""
        try:
            scales = tuple(float(fraction(scale)) for scale in form["scales"])
            if not isinstance(form["alone"], bool):
                raise ValueError("another form")
            return cls(form["mechanism"], scales, tuple(form["refine"]), form["alone"])
        except (TypeError, LookupError, ValueError):
            raise BudgetError("these are no shares of noise as pets writes them") from None


def share_scale(scale: float, honest: int) -> tuple[float, int]:
    """One site's scale on its grid, and how far the grid is refined, for a total of ``scale`` plan steps.

    >>> share_scale(20.0, 4)
    (10.0, 1)
    >>> share_scale(2.0, 4)
    (3.0, 3)
    """
    share = scale / math.sqrt(honest)
    refine = 1 if share >= 2 else math.ceil(2 / share) | 1  # odd, so that rounding back has no bias
    return six_digits(max(2.0, share * refine * (1 - 1e-12))), refine


def share_cost(l2_squared: int, dimension: int, scale: float, honest: int) -> float:
    """ρ of the sum of ``honest`` shares on ``dimension`` numbers that one person moves by √l2_squared; rounded up.

    >>> share_cost(4, 1, 10.0, 1) == gaussian_rho(4, 10.0)
    True
    """
    if honest < 1 or dimension < 1:
        raise InternalError("a sum has at least one share, of at least one number")
    if scale**2 < LEAST_VARIANCE and honest > 1:
        raise InternalError("the variance of a share is at least 4 grid steps")
    root = math.sqrt(honest)
    while Fraction(root) ** 2 > honest:
        root = math.nextafter(root, 0.0)
    base = gaussian_rho(l2_squared, math.nextafter(scale * root, 0.0) if honest > 1 else scale)
    if honest == 1:
        return base
    tau = _UP * 10 * sum(math.exp(-2 * (math.pi * scale) ** 2 * k / (k + 1)) for k in range(1, honest))
    added = base + tau * dimension
    within = 0.5 * (math.sqrt(2 * base) + tau * math.sqrt(dimension)) ** 2
    return max(base, min(added, within) * _UP)


def share_losses(plan: Blocks, shares: Shares, honest: int) -> tuple[int, ...]:
    """What each measure loses, in units rounded up: of ρ, or of ε for Laplace. ``plan`` is spread over its sites."""
    if len(shares.scales) != len(plan.measures):
        raise BudgetError("the shares of noise belong to another query")
    if shares.alone:
        return charges(plan.measures, shares.mechanism, shares.scales)
    out = []
    for measure, scale, refine in zip(plan.measures, shares.scales, shares.refine, strict=True):
        moved = measure.sensitivity.l2_squared * refine * refine
        loss = share_cost(moved, plan.groups * measure.width, scale, honest)
        out.append(max(1, math.ceil(Fraction(loss) * UNIT)))
    return tuple(out)


def total_cost(losses: Sequence[int], mechanism: str, currency: Currency) -> Cost:
    """What a site's ledger is charged.

    Raises:
        BudgetError: where the ledger counts ε and the noise has none.
    """
    total = sum(losses)
    if currency == "zcdp":
        return Cost("zcdp", pure_as_zcdp(total) if mechanism == "laplace" else total)
    if mechanism == "gaussian":
        raise BudgetError(
            "a ledger without a delta cannot pay for shared Gaussian noise; ask with secure='local', or open the "
            "sites' ledgers with a delta"
        )
    return Cost("pure", total)


def alone(plan: Blocks, protection: DP, view: View) -> Shares:
    """The whole noise at every site: what ``secure="local"`` adds."""
    noise = calibrate(plan, protection, view)
    return Shares(noise.mechanism, noise.scales, (1,) * len(noise.scales), True)


def shared(plan: Blocks, protection: DP, view: View, honest: int, parties: int) -> Shares:
    """Shares such that any ``honest`` of ``parties`` sites' noise gives what the protection means.

    With ``within=`` the noise of all parties together reaches the accuracy, and the cost is that of the honest ones.

    Raises:
        BudgetError: where the ledgers or the protection know no shared noise.
    """
    if view.currency == "pure" or protection.pure:
        total_cost((1,), "gaussian", "pure")
    noise = calibrate(plan, protection, view)
    over = parties if protection.within is not None else honest
    target = None if protection.within is not None else target_units(protection, view.currency, view.delta)
    less = 1.0 if protection.within is None else 1 - 2e-5  # so that rounding up does not pass the accuracy
    pairs = [share_scale(scale * less, over) for scale in noise.scales]
    refine = tuple(pair[1] for pair in pairs)
    scales = tuple(pair[0] for pair in pairs)
    for _ in range(1000):
        made = Shares("gaussian", scales, refine)
        spent = sum(share_losses(plan, made, honest))
        if target is None or spent <= target:
            return made
        grow = 1 + max(1e-6, (spent / target - 1) * 0.5)
        scales = tuple(six_digits(scale * grow) for scale in scales)
    raise BudgetError("the request is too small to be counted; ask with a larger epsilon or rho")


def add_share(plan: Blocks, values: Ints, shares: Shares) -> Ints:
    """The exact values on the refined grid, with this site's share of noise on every one. Called once a query.

    Raises:
        InternalError: where they belong to another plan, or leave 62 bits.
    """
    sizes = [plan.groups * measure.width for measure in plan.measures]
    if len(shares.scales) != len(sizes) or values.shape != (sum(sizes),):
        raise InternalError("the vector or the noise belongs to another plan")
    add = add_gaussian if shares.mechanism == "gaussian" else add_laplace
    parts, start = [], 0
    for size, scale, refine in zip(sizes, shares.scales, shares.refine, strict=True):
        block = values[start : start + size]
        if size and max(abs(int(block.max())), abs(int(block.min()))) > MOST_VALUE // refine:
            raise InternalError("a value lies beyond the range that the plan proved")
        parts.append(add(block * refine, scale))
        start += size
    return np.concatenate(parts) if parts else values.copy()


def on_the_plans_grid(plan: Blocks, total: Ints, shares: Shares, survivors: int) -> tuple[Ints, tuple[float, ...]]:
    """The noisy total back on the plan's own grid, rounded where it was refined, and the scale of its noise.

    Post-processing. Rounding adds at most half a step; its variance of 1/12 is counted in the scale.
    """
    parts, scales, start = [], [], 0
    for measure, scale, refine in zip(plan.measures, shares.scales, shares.refine, strict=True):
        size = plan.groups * measure.width
        block = total[start : start + size]
        parts.append(block if refine == 1 else (block + refine // 2) // refine)
        spread = math.sqrt(survivors) * scale / refine
        scales.append(spread if refine == 1 else math.sqrt(spread * spread + 1 / 12))
        start += size
    return np.concatenate(parts) if parts else total.copy(), tuple(scales)
