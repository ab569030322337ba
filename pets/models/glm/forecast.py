"""Forecast of a logistic or a Poisson regression: the standard errors that it will have. It reads no row."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pets.dp.calibrate import calibrate
from pets.models.forecast import SIZES, ErrorForecast, even
from pets.models.glm.newton import Sums, on_grid, turned
from pets.models.glm.stepping import shares, step_of_query
from pets.plan.plan import make_plan
from pets.protection.budget import Budget
from pets.protection.protection import DP, Protection
from pets.schema.schema import Schema


def forecast(model: Any, schema: Schema, protection: Protection, budget: Budget) -> ErrorForecast:
    """Of columns that are spread evenly over their public values, and coefficients near 0.

    Every second outcome is true; a Poisson regression's mean is a quarter of the greatest outcome.
    """
    first = step_of_query(model.query, schema)
    p = len(first.design.columns)
    outcome = first.design.domains[first.design.outcome]
    mean = 0.5 if model.kind == "logistic" else max(1.0, (outcome.cells - 1) / 4)
    spread = 0.25 if model.kind == "logistic" else mean
    at = np.zeros(p)
    at[0] = 0.0 if model.kind == "logistic" else math.log(mean)
    fine = not isinstance(protection, DP)
    query = model.asked(on_grid(at), schema, fine=fine)
    step, plan = step_of_query(query, schema), make_plan(query, schema)
    deviations = [1e-300]
    if isinstance(protection, DP):
        whole = calibrate(plan, protection, budget).rho or 0.0
        deviations = [calibrate(plan, DP(rho=whole * share), budget).scales[0] for share in shares(model, schema)[1:]]
    means = np.append([float(even(step.design, one)) for one in step.monomials[p:]], 0.0)
    steps = [Sums.of(step, [0] * len(step.cells), deviation) for deviation in deviations]
    turn = turned(step.design)
    weight = 1.0
    if step.link is not None and step.link.radius is not None:
        size = sum(float(even(step.design, _squared(one.monomial))) for one in step.design.columns)
        weight = min(1.0, step.link.radius / 64 / size)
    noise, sampling, health = [], [], []
    for rows in SIZES:
        information = rows * spread * weight * means[steps[-1].places]
        inverse = np.linalg.inv(information)
        joint = 1 / sum(1 / float(np.mean(one.score_noise**2)) for one in steps)
        made = [turn @ one @ turn.T for one in (inverse @ inverse * joint, inverse)]
        noise.append(tuple(np.sqrt(np.diag(made[0])).tolist()))
        sampling.append(tuple(np.sqrt(np.diag(made[1])).tolist()))
        health.append(float(np.linalg.eigvalsh(information)[0] / (steps[-1].level * math.sqrt(p))))
    return ErrorForecast(step.design.terms, tuple(noise), tuple(sampling), tuple(health))


def _squared(one: Any) -> Any:
    return tuple((name, 2 * power) for name, power in one[0]), one[1]
