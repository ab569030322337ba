"""Mechanisms: which noise is the better one for a request, where the ledger allows both.

One count that is asked once is narrower under Laplace noise at the same ε; but a ledger of ρ charges pure ε at ε²/2,
which is far more than the Gaussian's share of it. So neither is better in itself, and a quote names both prices.
"""

from __future__ import annotations

import math
from dataclasses import replace

from pets.dp.calibrate import Noise, calibrate
from pets.errors import BudgetError
from pets.plan.plan import Plan
from pets.protection.budget import UNIT, Budget, Cost
from pets.protection.protection import DP
from pets.session.quoting.forecast import SIZES, Expected, forecast

_NAMED = 3  # outputs whose errors are compared by name


def advice(plan: Plan, asked: DP, noise: Noise, budget: Budget, left: Cost) -> str:
    """How the other mechanism compares, and how to ask for it (``""`` in a ledger that has one mechanism only).

    Args:
        plan, asked, noise: the request, and the noise that it means.
        budget: of the ledger.
        left: room in it now.
    """
    if budget.currency == "pure":
        return ""
    other = _other(asked, noise)
    try:
        found = calibrate(plan, other, budget)
    except BudgetError:  # too small or too large to be expressed by the other
        return ""
    if not noise.cost.fits(left) and not found.cost.fits(left):  # a smaller request is the only remedy
        return ""
    if asked.within is not None:
        return _by_price(noise, found)
    own, new = (forecast(plan, one.mechanism, one.scales, asked.confidence) for one in (noise, found))
    better, both = all(_width(b) < _width(a) for a, b in zip(own, new, strict=True)), _both(own, new)
    if noise.mechanism == "laplace":
        if not better or not found.cost.fits(left):
            return ""
        return (
            f"Gaussian noise takes no more from the budget and gives {both}: ask with pets.DP(rho={other.rho}), which "
            f"is {_at(found)} instead of {_at(noise)}."
        )
    if not better:
        wide = [b.output for a, b in zip(own, new, strict=True) if _width(b) >= _width(a)]
        which = "here" if len(wide) == len(own) else f"for {', '.join(wide[:_NAMED])}"
        over = "" if found.cost.fits(left) else " and is over budget"
        return (
            f"Gaussian noise is the better one {which}, and takes no more from the budget: Laplace noise "
            f"({_how(other)}) gives {both}{over}."
        )
    if found.cost.fits(left):
        return (
            f"Laplace noise ({_how(other)}) gives {both} at the same ε and no δ, for {_price(found)} from the budget "
            f"instead of {_price(noise)}: it is the better one for a question that is asked once, and Gaussian noise "
            "for many."
        )
    return (
        "For a question that is asked once, a budget without δ is the better one: in a ledger that the custodian "
        f"begins with pets.Budget(epsilon={budget.epsilon:g}), pets.DP(epsilon={other.epsilon:.6g}) means Laplace "
        f"noise, and gives {both}."
    )


def _other(asked: DP, noise: Noise) -> DP:
    """The same request by the other mechanism: at the same ε, where it is asked by ε; else at the same charge."""
    if asked.within is not None:
        return replace(asked, pure=not asked.pure)
    if noise.mechanism == "laplace":
        return DP(rho=noise.cost.loss / UNIT, confidence=asked.confidence)
    epsilon = asked.epsilon or math.sqrt(2 * noise.cost.loss / UNIT)
    return DP(epsilon=epsilon, pure=True, confidence=asked.confidence)


def _by_price(noise: Noise, found: Noise) -> str:
    gaussian, laplace = (noise, found) if noise.mechanism == "gaussian" else (found, noise)
    prices = f"{_price(gaussian)} ({_at(gaussian)}), Laplace noise {_price(laplace)} ({_at(laplace)})"
    if gaussian.cost.loss <= laplace.cost.loss:
        how = "leave pure=True out" if noise is laplace else "as it is asked for here"
        return f"Gaussian noise takes less from the budget for this accuracy, {how}: it takes {prices}."
    how = "as it is asked for here" if noise is laplace else "ask with pure=True"
    return f"Laplace noise takes less from the budget for this accuracy, {how}: Gaussian noise takes {prices}."


def _how(other: DP) -> str:
    return f"pets.DP(epsilon={other.epsilon:.6g}, pure=True)"


def _price(noise: Noise) -> str:
    return f"ρ = {noise.cost.loss / UNIT:.4g}"


def _at(noise: Noise) -> str:
    return f"ε = {noise.epsilon:.4g}" + (f" at δ = {noise.delta:g}" if noise.delta else " and no δ")


def _width(error: Expected, size: int = 0) -> float:
    return error.at[size] if error.half_width is None else error.half_width


def _both(own: tuple[Expected, ...], new: tuple[Expected, ...]) -> str:
    """``n ± 6 instead of ± 18``, for the first few outputs."""
    said = []
    for a, b in list(zip(own, new, strict=True))[:_NAMED]:
        size = int(max(a.least, b.least) > SIZES[0])  # at which both are estimable
        where = f" at n = {SIZES[size]:,}" if a.half_width is None else ""
        said.append(f"{a.output} ± {_width(b, size):,.3g} instead of ± {_width(a, size):,.3g}{where}")
    return ", ".join(said) + (", …" if len(own) > _NAMED else "")
