"""Quoted: the price and the expected error of questions, from their plans, the budget and the account alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from pets.dp.calibrate import calibrate
from pets.plan.plan import Plan
from pets.protection.budget import Budget, Cost, added_up
from pets.protection.protection import Protection, noisy
from pets.release.bounding.rows_lost import RowsLost
from pets.session.quoting.forecast import forecast
from pets.session.quoting.mechanisms import advice
from pets.session.quoting.quote import Quote, large_delta, notes_of


def quoted(
    asked: Iterable[Plan],
    protection: Protection,
    budget: Budget,
    room: Callable[[], Cost],
    lost: Mapping[str, RowsLost],
) -> Quote:
    """Reads no row. ``room``: what is left now; ``lost``: by table, what was released of rows that bounds leave out."""
    protection = noisy(protection)
    plans, noises, errors = [], [], []
    for plan in asked:
        noise = calibrate(plan, protection, budget)
        plans.append(plan)
        noises.append(noise)
        errors.append(forecast(plan, noise.mechanism, noise.scales, protection.confidence))
    cost = added_up([noise.cost for noise in noises])
    left = room()
    epsilon, delta = noises[0].epsilon, noises[0].delta
    if len(noises) > 1:
        epsilon, delta = budget.describe(cost)
    return Quote(
        cost,
        epsilon,
        delta,
        noises[0].mechanism,
        tuple(errors),
        fits=cost.fits(left),
        more=left.loss // cost.loss,
        confidence=protection.confidence,
        advice=advice(plans[0], protection, noises[0], budget, left) if len(plans) == 1 else "",
        notes=notes_of(plans, lost) + large_delta(plans, delta),
    )
