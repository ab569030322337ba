"""One budget over many measures: the split that serves every output.

**Split by need.** Output *o* has the error variance Σ a²·var over its measures, a its coefficient. The split minimises
Σ over outputs of variance ÷ the variance that output would have with the whole budget to itself: Σ A·var over measures,
with A = Σ a² ÷ alone. Setting the derivative with a Lagrange multiplier to zero gives

* Gaussian, var = σ², Σ Δ²/(2σ²) = ρ (Δ in L2): ρ_j ∝ Δ_j·√A_j; alone = (Σ Δ|a|)²/(2ρ).
* Laplace, var ≈ 2b², Σ Δ/b = ε (Δ in L1): b_j ∝ (Δ_j/A_j)^⅓; alone = 2·(Σ (Δ|a|)^⅔)³/ε².

A plain count whose rows another output also needs (a sum around its midpoint) is no output of its own here: it is
accurate anyway, and would draw budget from the sum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Protocol

from pets.plan.measure import Measure, Output
from pets.release.noise_quantiles import Kind

Terms = tuple[tuple[int, float], ...]  # (measure, coefficient)

_UP = Context(prec=6, rounding=ROUND_CEILING)
_DOWN = Context(prec=6, rounding=ROUND_FLOOR)


class Measured(Protocol):
    """What is read of a plan."""

    @property
    def measures(self) -> tuple[Measure, ...]:
        """The blocks that get noise."""

    @property
    def outputs(self) -> tuple[Output, ...]:
        """What they are for."""

    @property
    def groups(self) -> int:
        """Cells of each output (times a histogram's bins)."""


def six_digits(scale: float, *, down: bool = False) -> float:
    """A scale rounded to six significant digits: up, unless told otherwise.

    >>> six_digits(1.23456001), six_digits(7.0), six_digits(1.23456999, down=True)
    (1.23457, 7.0, 1.23456)
    """
    return float((_DOWN if down else _UP).plus(Decimal(scale)))


def split(plan: Measured, kind: Kind, total: float) -> tuple[float, ...]:
    """The unrounded scales that share a total ρ (Gaussian) or ε (Laplace) by need; see the top of this file."""
    moves = sensitivities(plan.measures, kind)
    need = [0.0] * len(moves)
    for terms in objective(plan.outputs, len(moves)):
        if kind == "gaussian":
            alone = sum(moves[j] * abs(a) for j, a in terms) ** 2 / 2
        else:
            alone = 2 * sum((moves[j] * abs(a)) ** (2 / 3) for j, a in terms) ** 3
        for j, a in terms:
            need[j] += a * a / alone
    return scales_for(moves, need, kind, total)


def scales_for(moves: Sequence[float], need: Sequence[float], kind: Kind, total: float) -> tuple[float, ...]:
    """The scales that minimise Σ need·variance at a total loss."""
    if kind == "gaussian":
        shares = [move * math.sqrt(part) for move, part in zip(moves, need, strict=True)]
        every = sum(shares)
        return tuple(move * math.sqrt(every / (2 * total * share)) for move, share in zip(moves, shares, strict=True))
    widths = [(move / part) ** (1 / 3) for move, part in zip(moves, need, strict=True)]
    factor = sum(move / width for move, width in zip(moves, widths, strict=True)) / total
    return tuple(width * factor for width in widths)


def sensitivities(measures: Sequence[Measure], kind: Kind) -> list[float]:
    """Δ of each measure in the norm that the mechanism counts (L2 or L1), for splitting, not for charging."""
    if kind == "gaussian":
        return [math.sqrt(measure.sensitivity.l2_squared) for measure in measures]
    return [float(measure.sensitivity.l1) for measure in measures]


def objective(outputs: Sequence[Output], measures: int) -> list[Terms]:
    """The needs that share the budget: each output's once, and every measure's at least once."""
    found: list[Terms] = []
    for output in outputs:
        terms = tuple((j, a) for j, a in output.needs if a)
        if not output.traits.plain_count and terms:
            found.append(terms)
    covered = {j for terms in found for j, _ in terms}
    # counts that nothing else needs; and measures that enter an answer without entering its error
    found.extend(((j, 1.0),) for j in range(measures) if j not in covered)
    return found
