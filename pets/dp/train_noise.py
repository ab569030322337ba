"""Noise of a training: from what was asked to the scale of each step's noise, and the price of all steps together.

A hundredth of ρ is for the number of people, the rest in equal parts for the steps, whose losses add up (Bun and
Steinke 2016, Lemma 2.3: each step is chosen after the answers before it). Nothing here sees a row.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pets.dp.calibrate import target_units
from pets.dp.noise import gaussian_rho
from pets.dp.one_scale import check_plain, least_scale, units
from pets.errors import BudgetError
from pets.protection.budget import UNIT, Budget, Cost, Currency, described
from pets.protection.protection import DP

COUNTING = 100
"""One part in so many is for the number of people."""


@dataclass(frozen=True)
class TrainNoise:
    """The noise of one training, and what it costs.

    Attributes:
        steps: T.
        people_scale: σ of the noise on the number of people.
        scale: σ of the noise on each number of a step, in its whole-number units.
        losses: ρ of the number of people and of one step, in units of 1e-12.
        cost: of all together.
        epsilon, delta: all together are (epsilon, delta)-differentially private; δ is the budget's, of conversion.
        rho: and ρ-zCDP.
    """

    steps: int
    people_scale: float
    scale: float
    losses: tuple[int, int]
    cost: Cost
    epsilon: float
    delta: float
    rho: float


def train_noise(steps: int, l2_squared: int, protection: DP, budget: Budget) -> TrainNoise:
    """The least noise that a protection allows for a training.

    Args:
        steps: T.
        l2_squared: how far one person moves one step, squared.

    Raises:
        BudgetError: where the ledger counts ε without a δ, or the request is too small or asks for what has no meaning.
    """
    counting, each = parts(steps, protection, budget.currency, budget.conversion_delta)
    people, first = _scale(1, counting)
    scale, loss = _scale(l2_squared, each)
    cost = Cost("zcdp", first + steps * loss)
    means = described(cost, protection.delta or budget.conversion_delta)
    epsilon = protection.epsilon or means[0]
    return TrainNoise(steps, people, scale, (first, loss), cost, epsilon, means[1], cost.loss / UNIT)


def parts(steps: int, protection: DP, currency: Currency, delta: float) -> tuple[int, int]:
    """How much of what was asked for the number of people may lose, and each step: ρ in units of 1e-12, rounded down.

    Raises:
        BudgetError: as :func:`train_noise`.
    """
    if currency == "pure":
        raise BudgetError(
            "this ledger counts epsilon without a delta, and the steps of a training are priced in rho; keep the data "
            "in one with a delta, such as pets.Budget(epsilon=5, delta=1e-6)"
        )
    check_plain(protection, "a network is trained by noisy steps")
    target = target_units(protection, currency, delta)
    counting = target // COUNTING
    each = (target - counting) // steps
    if counting < 1 or each < 1:
        raise BudgetError("the request is too small for so many steps; ask with a larger epsilon, or fewer steps")
    return counting, each


def _scale(l2_squared: int, target: int) -> tuple[float, int]:
    """The least scale whose loss is within the target, and that loss."""
    first = math.sqrt(l2_squared * UNIT / (2 * target))
    return least_scale(first, lambda scale: units(gaussian_rho(l2_squared, scale), UNIT), target)


def loudness(scale: float, size: int, bound: int, people: int) -> float:
    """The L2 norm of the noise of one step of so many numbers, over the most that so many people add up to together.

    >>> loudness(100.0, 16, 4, 1000)
    0.1
    """
    return scale * math.sqrt(size) / (bound * people)


MOSTLY = 0.5
"""The loudness from which a step is mostly noise: people seldom all pull one way, so that their sum is a part of it."""


def drowned(loud: float) -> bool:
    """Whether a step of such a loudness is mostly noise.

    >>> drowned(0.1), drowned(0.5)
    (False, True)
    """
    return loud >= MOSTLY


def membership(epsilon: float, delta: float) -> tuple[float, float]:
    """How well anybody can tell from the release whether a person took part: the greatest share of right guesses where
    both are as likely, and the greatest of those who took part that are told with one false alarm in a hundred.

    An attack finds at most e^ε · (its false alarms) + δ of those who took part, and its advantage (found less false
    alarms) is at most (e^ε - 1 + 2δ) ÷ (e^ε + 1): Kairouz, Oh and Viswanath 2015 (Theorem 2.1); Humphries et al. 2023.

    >>> [round(one, 3) for one in membership(1.0, 1e-6)]
    [0.731, 0.027]
    """
    grown = math.exp(min(epsilon, 700.0))
    advantage = min(1.0, (grown - 1 + 2 * delta) / (grown + 1))
    return (1 + advantage) / 2, min(1.0, grown / 100 + delta)
