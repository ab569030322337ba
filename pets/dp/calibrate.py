"""How much noise: from what was asked of a plan to a scale and a charge for each of its measures.

A target (ρ, ε, or a half-width) becomes one scale for each measure; scales are rounded up to six significant digits, so
that a certificate prints the true scale; the charge is OpenDP's own map of the rounded scale, rounded up, and never
above the target. Nothing here sees a row.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, Protocol

from pets.common.codec import Json, fraction, number
from pets.dp.accuracy import scales_within
from pets.dp.noise import gaussian_rho, laplace_epsilon
from pets.dp.privacy_loss import privacy_loss
from pets.dp.split import Measured, six_digits, split
from pets.errors import BudgetError
from pets.plan.measure import Measure
from pets.protection.budget import UNIT, Budget, Cost, Currency, rho_from_epsilon
from pets.protection.protection import DP
from pets.release.noise_quantiles import Kind


class LedgerView(Protocol):
    """What is read of a ledger; a :class:`Budget` will do."""

    @property
    def currency(self) -> Currency:
        """What the ledger counts in."""

    @property
    def delta(self) -> float:
        """The δ at which it converts ρ to ε (0 in a pure ledger)."""


@dataclass(frozen=True)
class Noise:
    """The noise of one release, and what it costs.

    Attributes:
        mechanism: discrete ``"gaussian"`` or discrete ``"laplace"``.
        scales: of each measure, in the measure's own whole-number units.
        losses: of each measure, in units of 1e-12: ρ for the Gaussian, ε for Laplace.
        cost: of the whole release, in the ledger's currency.
        epsilon, delta: the release is (epsilon, delta)-differentially private.
        rho: and ρ-zCDP, in a ledger that counts it.
    """

    mechanism: Literal["gaussian", "laplace"]
    scales: tuple[float, ...]
    losses: tuple[int, ...]
    cost: Cost
    epsilon: float
    delta: float
    rho: float | None = None

    def to_json(self) -> Json:
        """The canonical form."""
        out: Json = {
            "mechanism": self.mechanism,
            "scales": [number(fraction(scale)) for scale in self.scales],
            "losses": list(self.losses),
            "cost": self.cost.to_json(),
            "epsilon": number(fraction(self.epsilon)),
            "delta": number(fraction(self.delta)),
        }
        return out if self.rho is None else out | {"rho": number(fraction(self.rho))}

    @classmethod
    def from_json(cls, value: Any) -> Noise:
        """The inverse of :meth:`to_json`; raises :class:`BudgetError` for anything else."""
        try:
            if value["mechanism"] not in ("gaussian", "laplace"):
                raise ValueError("unknown mechanism")
            return cls(
                value["mechanism"],
                tuple(float(fraction(scale)) for scale in value["scales"]),
                tuple(int(loss) for loss in value["losses"]),
                Cost.from_json(value["cost"]),
                float(fraction(value["epsilon"])),
                float(fraction(value["delta"])),
                float(fraction(value["rho"])) if "rho" in value else None,
            )
        except (TypeError, KeyError, ValueError, OverflowError):
            raise BudgetError("this is not a noise record; it needs mechanism, scales, losses, cost, epsilon") from None


def calibrate(plan: Measured, protection: DP, view: LedgerView) -> Noise:
    """The noise that a protection means for a plan in a ledger.

    In a ledger of ρ with its δ: ``DP(epsilon=e)`` is (e, δ)-DP by the discrete Gaussian at CKS20's greatest ρ;
    ``DP(epsilon=e, delta=d)`` takes d instead; ``DP(rho=r)`` says it directly; ``DP(epsilon=e, pure=True)`` is discrete
    Laplace, e-DP, at ρ = e²/2. In a pure ledger ``DP(epsilon=e)`` is discrete Laplace. ``DP(within=w)`` is the smallest
    cost that reaches the accuracy (:mod:`pets.dp.accuracy`).

    Raises:
        BudgetError: if the ledger cannot express the request, or its noise does not fit 64-bit integers.
    """
    delta = view.conversion_delta if isinstance(view, Budget) else view.delta
    if view.currency == "pure":
        _check_pure(protection)
    kind: Kind = "laplace" if view.currency == "pure" or protection.pure else "gaussian"
    if protection.within is not None:
        scales = scales_within(plan, kind, protection.within, protection.confidence, protection.simultaneous)
        losses = charges(plan.measures, kind, scales)
    else:
        scales, losses = _fitted(plan, kind, target_units(protection, view.currency, delta))
    return _noise(kind, scales, losses, view.currency, delta, protection)


def target_units(protection: DP, currency: Currency, delta: float) -> int:
    """The loss that a request allows, in units rounded down: ε for Laplace noise, otherwise ρ."""
    if protection.rho is not None:
        wanted = fraction(protection.rho)
    elif protection.epsilon is None:
        raise BudgetError("a request for an accuracy has no cost of its own; ask for a quote")
    elif currency == "pure" or protection.pure:
        wanted = fraction(protection.epsilon)
    else:
        wanted = Fraction(rho_from_epsilon(protection.epsilon, protection.delta or delta))
    return math.floor(wanted * UNIT)


def _check_pure(protection: DP) -> None:
    if protection.rho is not None:
        raise BudgetError("this ledger counts epsilon without a delta, so rho means nothing in it; ask with epsilon=")
    if protection.delta is not None:
        raise BudgetError("this ledger counts epsilon without a delta; leave delta out")


def _noise(
    kind: Kind, scales: tuple[float, ...], losses: tuple[int, ...], currency: Currency, delta: float, asked: DP
) -> Noise:
    loss = privacy_loss(losses, kind, currency, asked.delta or delta, asked.epsilon)
    return Noise(kind, scales, losses, loss.cost, loss.epsilon, loss.delta, loss.rho)


def charges(measures: Sequence[Measure], kind: Kind, scales: Sequence[float]) -> tuple[int, ...]:
    """What OpenDP says each measure loses at its scale, in units rounded up."""
    out = []
    for measure, scale in zip(measures, scales, strict=True):
        at = measure.sensitivity
        loss = gaussian_rho(at.l2_squared, scale) if kind == "gaussian" else laplace_epsilon(at.l1, scale)
        out.append(max(1, math.ceil(Fraction(loss) * UNIT)))
    return tuple(out)


def _fitted(plan: Measured, kind: Kind, target: int) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Scales split by need whose charges add up to at most the target."""
    if target < len(plan.measures):
        raise BudgetError("the request is too small to be counted; ask with a larger epsilon or rho")
    # (the hair less keeps 20.000000000000004 at 20; the charge decides, not this)
    scales = tuple(six_digits(scale * (1 - 1e-12)) for scale in split(plan, kind, target / UNIT))
    for _ in range(1000):
        losses = charges(plan.measures, kind, scales)
        if sum(losses) <= target:
            return scales, losses
        over = sum(losses) / target  # always by a hair, except where a loss is a few units
        grow = 1 + max(1e-7, (over - 1) * (0.5 if kind == "gaussian" else 1.0))
        scales = tuple(six_digits(scale * grow) for scale in scales)
    raise BudgetError("the request is too small to be counted; ask with a larger epsilon or rho")
