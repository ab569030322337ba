"""Accuracy first: the smallest cost at which every answer is within a given distance.

The half-width of an output grows with the scale of every measure it needs. Under the normal approximation the cheapest
scales solve a convex problem: minimise the loss subject to Σ a²·var ≤ limit for each output. Its Lagrange multipliers
weigh the outputs; they are found by raising the weight of the output that is furthest from its limit, and then the
exact law of the noise replaces the approximation: a common factor first, then each measure by itself. Where noise is so
small that its steps show, several choices of scales are near the best, and one of them is taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from functools import partial

from pets.dp.noise import MAX_SCALE
from pets.dp.split import Measured, Terms, scales_for, sensitivities, six_digits
from pets.errors import BudgetError
from pets.plan.measure import Output
from pets.release.noise_quantiles import Kind, half_width

_ROUNDS = 300  # of reweighting: settles to about 1e-3 of the loss
_SMALLEST = 1e-3  # a scale at which no draw differs from 0 before the end of time
_FINENESS = 1e-6  # relative, of a scale that is searched for

Test = Callable[[list[float]], bool]


def scales_within(
    plan: Measured, kind: Kind, within: float, confidence: float, simultaneous: bool, draws: int = 1
) -> tuple[float, ...]:
    """The scales of least loss at which each cell of each output has a half-width of at most ``within``.

    Args:
        plan: what is measured, for which outputs.
        kind: the law of the noise.
        within: in the units of the answers.
        confidence: of each cell.
        simultaneous: the confidence is of all m cells of all outputs together: each then gets confidence^(1/m). Cells
            with noise of their own are independent; a count and a sum of one group share noise, and that one is near
            makes it likelier that the other is.
        draws: of this noise on each value, by as many parties: their sum is what must be near.

    Raises:
        BudgetError: if an output's error depends on the data, so that no cost is known to reach the distance.
    """
    for output in plan.outputs:
        if not output.traits.error_known:
            raise BudgetError(
                f"within= cannot be promised for {output.name!r}, because the error of a {output.kind} depends on how "
                "many rows a group has; ask with epsilon= (a quote shows the error at n=100 and n=1,000)"
            )
    if simultaneous:
        confidence **= 1 / max(1, sum(plan.groups * _cells(plan, output) for output in plan.outputs))
    wanted = {tuple((j, abs(a)) for j, a in output.needs if a) for output in plan.outputs} - {()}
    used = {j for terms in wanted for j, _ in terms}
    needs = sorted(wanted) + [((j, 1.0),) for j in range(len(plan.measures)) if j not in used]

    def reached(scales: list[float], about: Sequence[Terms] = needs) -> bool:
        laws = [tuple((a, scales[j]) for j, a in terms) * draws for terms in about]
        return all(half_width(kind, law, confidence) <= within for law in laws)

    normal = half_width("gaussian", ((1.0, 1000.0),), confidence) / 1000 * (1 if kind == "gaussian" else math.sqrt(2))
    shape = [scale * within / normal for scale in _shape(plan, kind, needs)]
    scales = _grown(shape, range(len(shape)), reached)
    for j in range(len(scales)):  # the laws are discrete, so some outputs may be left with room
        about = [terms for terms in needs if j in dict(terms)]
        scales = _grown(scales, (j,), partial(reached, about=about))
    scales = [six_digits(scale, down=True) for scale in scales]
    while not reached(scales):
        scales = [six_digits(scale * (1 - 1e-5), down=True) for scale in scales]
    return tuple(scales)


def _cells(plan: Measured, output: Output) -> int:
    """Cells of an output in each group: a histogram has its bins, others one."""
    return plan.measures[output.parts[0]].width if output.traits.shape == "bins" else 1


def _shape(plan: Measured, kind: Kind, needs: Sequence[Terms]) -> list[float]:
    """The cheapest scales whose greatest Σ a²·scale² over the outputs is 1."""
    moves = sensitivities(plan.measures, kind)
    weights = [1 / sum((a * moves[j]) ** 2 for j, a in terms) for terms in needs]
    best: tuple[float, list[float]] = (math.inf, [])
    for _ in range(_ROUNDS):
        need = [0.0] * len(moves)
        for weight, terms in zip(weights, needs, strict=True):
            for j, a in terms:
                need[j] += weight * a * a
        scales = scales_for(moves, need, kind, 1.0)
        squares = [sum((a * scales[j]) ** 2 for j, a in terms) for terms in needs]
        greatest = max(squares)
        if greatest < best[0]:  # at one loss, the shape whose worst output is best
            best = greatest, [scale / math.sqrt(greatest) for scale in scales]
        weights = [max(w * (s / greatest) ** 0.5, 1e-12 * w) for w, s in zip(weights, squares, strict=True)]
    return best[1]


def _grown(scales: list[float], which: Collection[int], reached: Test) -> list[float]:
    """The scales with those in ``which`` times the greatest factor that still reaches the accuracy."""

    def times(factor: float) -> list[float]:
        return [
            min(max(scale * factor, _SMALLEST), MAX_SCALE) if j in which else scale for j, scale in enumerate(scales)
        ]

    low, high = 1.0, 1.0
    while not reached(times(low)) and times(low) != times(low / 2):
        low, high = low / 2, low
    if low == high:
        while reached(times(high := high * 2)) and times(high) != times(high * 2):
            low = high
    while high > low * (1 + _FINENESS):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if reached(times(middle)) else (low, middle)
    return times(low)
