"""Effects: what the mean outcome of a population would be, were all of it alike in one column (standardisation).

At each level every row of the population is given that level, its mean follows from the coefficients, and the weighted
mean of these is the level's. Errors are those of the delta method: of the coefficients (noise and the choice of people,
in their full covariance), of the noise on the population's weights, and, where the population is the study's own
people, of their choice: given the model, who was chosen tells nothing of what the coefficients miss by.

Source: Lane and Nelder, "Analysis of covariance and standardization as instances of prediction", Biometrics 38, 1982.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pets.common.integers import Floats
from pets.models.least_squares import Means
from pets.models.margins.population import Population
from pets.models.new_rows import numbers
from pets.models.predicting import columns_of
from pets.plan.fitted.design import Design


@dataclass(frozen=True)
class Line:
    """What is read of a fit.

    Attributes:
        design: its columns.
        kind: ``"linear"``, ``"logistic"`` or ``"poisson"``.
        coefficients: in the columns' own units; NaN for those that are not given.
        noise, sampling: their covariances.
    """

    design: Design
    kind: str
    coefficients: Floats
    noise: Floats
    sampling: Floats


@dataclass(frozen=True)
class Effects:
    """By level, the mean outcome, and the covariances that noise and the choice of people make of them."""

    means: Floats
    noise: Floats
    sampling: Floats


def over_population(line: Line, by: str, levels: Sequence[Any], population: Population) -> Effects:
    """The means over a population."""
    import pandas as pd

    count, share = len(population.weights), population.shares
    nobody = (share == 0) & (population.deviation == 0)
    found, gradients = np.empty((len(levels), count)), np.empty((len(levels), len(line.coefficients)))
    for place, level in enumerate(levels):
        frame = pd.DataFrame({**population.values, by: [level] * count})
        columns = columns_of(line.design, frame)
        eta = np.where(columns == 0, 0.0, columns * line.coefficients).sum(axis=1)
        eta = np.where(nobody, 0.0, eta)  # (of whom a coefficient that is not given says nothing, and need not)
        found[place], slope = _mean(line.kind, eta)
        gradients[place] = (share * slope) @ columns
    means = found @ share
    away = found - means[:, None]
    noise = gradients @ line.noise @ gradients.T + away @ away.T * (population.deviation / population.total) ** 2
    sampling = gradients @ line.sampling @ gradients.T
    if population.sampled:
        people = np.maximum(population.weights, 0.0)
        sampling = sampling + (away * people) @ away.T / (people.sum() * population.total)
    return Effects(means, noise, sampling)


def _mean(kind: str, eta: Floats) -> tuple[Floats, Floats]:
    """The mean at each sum of terms, and its derivative."""
    if kind == "linear":
        return eta, np.ones_like(eta)
    with np.errstate(over="ignore"):
        if kind == "poisson":
            mean = np.exp(eta)
            return mean, mean
        mean = 1 / (1 + np.exp(-eta))
    return mean, mean * (1 - mean)


def over_means(line: Line, by: str, levels: Sequence[Any], people: Means) -> Effects:
    """The means of a straight line over the study's own people, whose mean columns stand in the line's own sums."""
    import pandas as pd

    design = line.design
    at = {(one.term, tuple(sorted(one.levels.items()))): place for place, one in enumerate(design.columns)}
    codes = numbers(by, design.domains[by], pd.Series(list(levels)), by in design.listed)
    means, moves, sampled = [], [], []
    for code in codes:
        turn = np.zeros((len(design.columns),) * 2)
        for place, one in enumerate(design.columns):
            rest = tuple(name for name in one.term if name != by)
            of_rest = at[rest, tuple(sorted((name, value) for name, value in one.levels.items() if name != by))]
            own = 1.0
            if by in one.term:
                own = float(code == one.levels[by]) if by in one.levels else float(code)
            turn[place, of_rest] = own
        row = turn @ people.means
        means.append(row @ line.coefficients)
        moves.append(row @ people.of_coefficients + line.coefficients @ turn @ people.of_means)
        sampled.append((row, line.coefficients @ turn))
    rows, turned = (np.array(one) for one in zip(*sampled, strict=True))
    noise = np.array(moves)
    return Effects(
        np.array(means),
        noise @ noise.T,
        rows @ line.sampling @ rows.T + turned @ people.covariance @ turned.T,
    )
