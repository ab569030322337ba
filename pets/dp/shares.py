"""Noise in shares: every party adds discrete Gaussian noise of its own, and the honest parties' sum bears the promise.

A sum of discrete Gaussians is not exactly one. Kairouz, Liu and Steinke (*The Distributed Discrete Gaussian Mechanism
for Federated Learning with Secure Aggregation*, ICML 2021; KLS21 below), Proposition 14, bound what it loses: for h
shares of scale σ ≥ ½ on each of d coordinates, with τ = 10·Σ_{k=1}^{h−1} exp(−2π²σ²·k/(k+1)), the Rényi divergence of
order α ≥ 1 at a distance Δ is at most the smallest of

* αΔ₂²/(2hσ²) + τd,
* (α/2)·(Δ₂²/(hσ²) + 2Δ₁τ/(√h·σ) + τ²d),
* (α/2)·(Δ₂/(√h·σ) + τ√d)².

Each is at most α·ρ for every α ≥ 1, with the ρ that :func:`share_rho` gives; so it is ρ-zCDP, and adds up. Noise of
other parties on top is independent of all this, and cannot weaken it. Shares have a variance of at least 4 grid steps,
where τ is below 1e-15; where the noise wanted is smaller, the grid is made finer: values, sensitivity and noise are
counted in 1/refine of a step, refine being odd.

Encrypted totals (:func:`party_terms`) and federations (:func:`shared`, :class:`Spread`) use the same shares.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal, Protocol

import numpy as np

from pets.common.codec import Json, fraction, number
from pets.dp.accuracy import scales_within
from pets.dp.calibrate import LedgerView, calibrate, charges, target_units
from pets.dp.noise import MAX_SCALE, MAX_VALUE, Ints, add_gaussian, add_laplace, gaussian_rho
from pets.dp.privacy_loss import PrivacyLoss, privacy_loss
from pets.dp.split import six_digits
from pets.errors import BudgetError, InternalError
from pets.plan.measure import Measure, Output, Sensitivity
from pets.protection.budget import UNIT, Budget, Cost, Currency, epsilon_from_rho
from pets.protection.protection import DP

_LESS = 1 - 2e-5  # so that rounding a scale up does not pass the accuracy that was asked for
MIN_VARIANCE = 4
"""Of a share, in squared grid steps."""

PRINTED_DELTA = 1e-6
"""At which an ε is printed where only ρ was asked for; parties may keep accounts with different deltas."""


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
        wrong = not 0 < len(self.scales) == len(self.refine) or self.mechanism not in ("gaussian", "laplace")
        wrong = wrong or any(not 0 < scale <= MAX_SCALE for scale in self.scales)
        wrong = wrong or any(isinstance(g, bool) or not isinstance(g, int) or not 1 <= g <= 2**31 for g in self.refine)
        # the whole noise is charged, and added, on the plan's own grid: a finer one would make it less than was charged
        wrong = wrong or (self.alone and any(finer != 1 for finer in self.refine))
        if wrong or (not self.alone and (self.mechanism == "laplace" or min(self.scales) ** 2 < MIN_VARIANCE)):
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


@dataclass(frozen=True)
class Terms:
    """One party's noise in an encrypted total, and what it costs that party's people.

    Attributes:
        noise: what the party adds.
        honest: parties whose shares bear the guarantee.
        losses: ρ of each measure by KLS21, in units of 1e-12, rounded up.
        cost: their sum: what the ledger is charged.
        epsilon, delta, rho: the guarantee while at least ``honest`` parties' noise stays secret.
        alone: ρ from this party's own share, if all others tell theirs.
    """

    noise: Shares
    honest: int
    losses: tuple[int, ...]
    cost: Cost
    epsilon: float
    delta: float
    rho: float
    alone: float

    @property
    def mechanism(self) -> str:
        """Always the discrete Gaussian."""
        return self.noise.mechanism

    @property
    def scales(self) -> tuple[float, ...]:
        """σ of this party's share for each measure, in steps of the refined grid."""
        return self.noise.scales

    @property
    def refine(self) -> tuple[int, ...]:
        """Steps of the refined grid in one step of the plan's, for each measure (1: not refined)."""
        return self.noise.refine

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


def tau(scale: float, parties: int) -> float:
    """τ of KLS21, rounded up: how far the sum of this many shares may be from one discrete Gaussian.

    >>> tau(2.0, 1), tau(2.0, 10) < 1e-15
    (0.0, True)
    """
    at = 2 * math.pi**2 * scale**2
    terms = [math.exp(-at * k / (k + 1)) for k in range(1, min(parties, 65))]
    rest = max(0, parties - 65) * math.exp(-at * 65 / 66)  # k/(k+1) grows, so later terms are smaller
    return 10 * (math.fsum(terms) + rest) * (1 + 1e-9)


def share_rho(l1: int | None, l2_squared: int, size: int, scale: float, parties: int) -> Fraction:
    """ρ (zCDP) of the sum of ``parties`` shares of this scale on ``size`` coordinates; never below KLS21's bound.

    ``l1`` may be left unknown. Of one share alone it is what OpenDP's own map says.

    >>> float(share_rho(1, 1, 1, 10.0, 4))
    0.00125
    """
    if scale < 0.5 or parties < 1 or size < 1:
        raise InternalError("the bound on shares of noise holds from a scale of one half on, for at least one share")
    spread = parties * Fraction(scale) ** 2  # hσ², exact
    if parties == 1:
        return max(Fraction(l2_squared) / (2 * spread), Fraction(gaussian_rho(l2_squared, scale)))
    gap, root = tau(scale, parties), math.sqrt(parties) * scale
    extras = [gap * size, math.sqrt(l2_squared * size) * gap / root + gap**2 * size / 2]
    if l1 is not None:
        extras.append(l1 * gap / root + gap**2 * size / 2)
    return Fraction(l2_squared) / (2 * spread) + Fraction(min(extras) * (1 + 1e-9))


def share_losses(plan: Blocks, shares: Shares, honest: int) -> tuple[int, ...]:
    """What each measure loses, in units rounded up: of ρ, or of ε for Laplace. ``plan`` is spread over its sites."""
    if len(shares.scales) != len(plan.measures):
        raise BudgetError("the shares of noise belong to another query")
    if shares.alone:
        return charges(plan.measures, shares.mechanism, shares.scales)
    out = []
    for measure, scale, finer in zip(plan.measures, shares.scales, shares.refine, strict=True):
        at, size = measure.sensitivity, plan.groups * measure.width
        rho = share_rho(at.l1 * finer, at.l2_squared * finer**2, size, scale, honest)
        out.append(max(1, math.ceil(rho * UNIT)))
    return tuple(out)


def shares_loss(
    plan: Blocks, shares: Shares, honest: int, currency: Currency, delta: float, protection: DP
) -> PrivacyLoss:
    """What a federated answer costs each site, and means, reckoned by each for itself. ``plan`` is spread over sites.

    Raises:
        BudgetError: where the shares belong to another query, or the ledgers count ε and the noise has none.
    """
    losses = share_losses(plan, shares, honest)
    return privacy_loss(losses, shares.mechanism, currency, protection.delta or delta, protection.epsilon)


def alone(plan: Blocks, protection: DP, view: LedgerView, parties: int) -> Shares:
    """The whole noise at every one of ``parties`` sites: what ``secure="local"`` adds.

    With ``within=`` it is their sum that reaches the accuracy: each adds less, and costs the more.
    """
    noise = calibrate(plan, protection, view)
    scales = noise.scales
    if protection.within is not None and noise.mechanism == "laplace":
        # a sum of Laplace draws has tails of its own: of one variance, it strays less far at 95 %, and farther at 90 %
        asked = protection.within, protection.confidence, protection.simultaneous
        scales = scales_within(plan, noise.mechanism, *asked, draws=parties)
    elif protection.within is not None:
        scales = tuple(six_digits(scale * _LESS / math.sqrt(parties)) for scale in scales)
    return Shares(noise.mechanism, scales, (1,) * len(scales), True)


def shared(plan: Blocks, protection: DP, view: LedgerView, honest: int, parties: int) -> Shares:
    """Shares such that any ``honest`` of ``parties`` sites' noise gives what the protection means.

    With ``within=`` the noise of all parties together reaches the accuracy, and the cost is that of the honest ones.

    Raises:
        BudgetError: where the ledgers or the protection know no shared noise.
    """
    if view.currency == "pure":
        privacy_loss((1,), "gaussian", "pure", 0.0)
    if protection.pure:
        raise BudgetError("shares of noise are Gaussian and have a delta; leave pure=True out, or use secure='local'")
    noise = calibrate(plan, protection, view)
    over = parties if protection.within is not None else honest
    target = None if protection.within is not None else target_units(protection, view.currency, _conversion(view))
    less = 1.0 if protection.within is None else _LESS
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


def party_terms(plan: Blocks, protection: DP, view: LedgerView, honest: int) -> Terms:
    """The noise that each of ``honest`` parties adds, so that together they give what ``protection`` asks for.

    Raises:
        BudgetError: as :func:`shared`, and where the refined values would pass 2^62.
    """
    if view.currency != "zcdp" or protection.pure or protection.within is not None:
        raise BudgetError(
            "shares of noise are Gaussian: the ledger needs a delta, and the protection is DP(epsilon=…, delta=…) or "
            "DP(rho=…)"
        )
    noise = shared(plan, protection, view, honest, honest)
    for measure, finer in zip(plan.measures, noise.refine, strict=True):
        if measure.limit * finer > MAX_VALUE:
            raise BudgetError(
                f"the noise on {measure.name} would be so small that its grid does not fit 64-bit integers; ask with a "
                "smaller epsilon"
            )
    return terms_of(plan, noise, honest, protection.delta or PRINTED_DELTA, protection.epsilon)


def terms_of(plan: Blocks, noise: Shares, honest: int, delta: float, epsilon: float | None = None) -> Terms:
    """What shares of noise mean for the people of one party; ``epsilon`` where it was asked for by that number."""
    losses = share_losses(plan, noise, honest)
    alone = sum(
        gaussian_rho(measure.sensitivity.l2_squared * finer**2, scale)
        for measure, scale, finer in zip(plan.measures, noise.scales, noise.refine, strict=True)
    )
    loss = privacy_loss(losses, noise.mechanism, "zcdp", delta, epsilon)
    over = math.nextafter(alone * (1 + 1e-12), math.inf)
    return Terms(noise, honest, losses, loss.cost, loss.epsilon, delta, sum(losses) / UNIT, over)


def _conversion(view: LedgerView) -> float:
    return view.conversion_delta if isinstance(view, Budget) else view.delta


def add_share(plan: Blocks, values: Ints, shares: Shares | Terms) -> Ints:
    """The exact values on the refined grid, with a party's fresh share of noise on every one (drawn by OpenDP).

    Called once a query.

    Raises:
        InternalError: where they belong to another plan, or leave 62 bits.
    """
    sizes = [plan.groups * measure.width for measure in plan.measures]
    if len(shares.scales) != len(sizes) or values.shape != (sum(sizes),):
        raise InternalError("the vector or the noise belongs to another plan")
    add = add_gaussian if shares.mechanism == "gaussian" else add_laplace
    parts, start = [], 0
    for measure, size, scale, refine in zip(plan.measures, sizes, shares.scales, shares.refine, strict=True):
        block = values[start : start + size]
        if size and max(int(block.max()), -int(block.min())) > min(measure.limit, MAX_VALUE // refine):
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
