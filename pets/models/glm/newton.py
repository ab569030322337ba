"""Noisy Newton steps: from the sums of each step to the next coefficients, and from all of them to one fit.

The last step's coefficients are moved by its own score; then every earlier score joins, each over the mean of its
information and the last one's (the trapezoid rule of the integral between them), weighted by its noise and by what that
rule can miss. Source: Avella-Medina, Bradshaw and Loh, "Differentially private inference via noisy optimization", 2023,
for the steps. Everything is post-processing of released sums.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pets.common.integers import Floats, Ints
from pets.models.least_squares import FEW, back, scale
from pets.plan.fitted.design import Design, times
from pets.plan.fitted.newton import Step
from pets.query_model.nodes.newton import GRID, MOST

STEPS = 4
"""Of a fit under noise."""
UNSETTLED = "the steps have not settled, since a term separates the outcomes or the schema's ranges are wide"
FAR = 3.0
"""The longest move of one step."""
SETTLED, DOUBTFUL = 1.0, 0.5
"""What the steps have not reached yet, in errors: above the first no coefficient is given, above the second a note."""


@dataclass(frozen=True)
class Sums:
    """What one step's answer says, on columns from -1 to 1.

    Attributes:
        at: its coefficients.
        score, information: as released.
        score_noise: standard deviation of the noise of each entry of the score.
        noise: of each sum of the information.
        places: which sum stands where in it; -1 for one that is 0 in every row.
    """

    at: Floats
    score: Floats
    information: Floats
    score_noise: Floats
    noise: Floats
    places: Ints

    @classmethod
    def of(cls, step: Step, values: Sequence[int], deviation: float) -> Sums:
        """The sums of a step; ``deviation``: of the noise on each measured whole number, 0 where they are exact."""
        assert step.link is not None
        p, link = len(step.link.at), step.link
        at = {one: place for place, one in enumerate(step.monomials[p:])}
        found = [one.monomial for one in step.design.columns]
        places = np.full((p, p), -1)
        for i, one in enumerate(found):
            for j, other in enumerate(found):
                product = times(one, other, step.design.domains)
                if product is not None:
                    places[i, j] = at[product]
        units = np.array([cell.unit for cell in step.cells], dtype=np.float64)
        units *= np.repeat([2.0**bits for bits in link.bits], [p, len(units) - p])
        sums = np.array([float(int(value)) for value in values]) / units
        noise = deviation / units
        information = np.append(sums[p:], 0.0)[places]
        return cls(np.array(link.at) / 2.0**GRID, sums[:p], information, noise[:p], np.append(noise[p:], 0.0), places)

    @property
    def level(self) -> float:
        """The greatest deviation of an entry of the information."""
        return float(self.noise.max())

    @property
    def lifted(self) -> Floats:
        """The information with eigenvalues that noise alone could make lifted to what it makes."""
        roots, directions = np.linalg.eigh(self.information)
        least = self.level * math.sqrt(len(self.at))
        return np.asarray((directions * np.maximum(roots, max(least, 1e-12))) @ directions.T)

    def moved(self, d: Floats) -> Floats:
        """How the noise of each sum of the information enters information · d."""
        p = len(d)
        out = np.zeros((p, len(self.noise)))
        for i in range(p):
            np.add.at(out[i], self.places[i], d)
        return out * self.noise  # (what is 0 in every row has none)

    def next(self) -> tuple[int, ...]:
        """The coefficients of the next step."""
        move = np.linalg.solve(self.lifted, self.score)
        length = float(np.linalg.norm(move))
        found = self.at + move * min(1.0, FAR / length if length else 1.0)
        return on_grid(found)


def on_grid(coefficients: Floats) -> tuple[int, ...]:
    """Coefficients as a question has them.

    >>> on_grid(np.array([0.5, -40.0]))
    (536870912, -34359738368)
    """
    most = MOST << GRID
    return tuple(int(one) for one in np.clip(np.rint(coefficients * 2.0**GRID), -most, most))


@dataclass(frozen=True)
class Found:
    """A fit on columns from -1 to 1.

    Attributes:
        coefficients: one a column; empty where they cannot be given.
        noise, sampling: the covariance that noise makes, and the one that the choice of people makes.
        health: κ, the least eigenvalue of the information over what noise alone makes of it; infinite without noise.
        direction: of that eigenvalue.
        why: why no coefficient is given (``""``: they are).
        rest: about how far the coefficients still are from where more steps would lead, told in two ways.
        unsettled: the greatest part of that in the columns' own units, in errors, of the coefficients that are given.
    """

    coefficients: Floats
    noise: Floats
    sampling: Floats
    health: float
    direction: Floats
    why: str = ""
    rest: Floats = field(default_factory=lambda: np.empty((0, 0)))
    unsettled: float = 0.0


def turned(design: Design) -> Floats:
    """From coefficients of columns from -1 to 1 to those of the columns' own units; the outcome stays as it is."""
    turn, _ = back(design)
    return np.asarray(turn / float(scale(design, design.outcome)[1] * design.weight(design.outcome).largest))


def combined(steps: Sequence[Sums]) -> Found:
    """One fit of all noisy steps."""
    last, p = steps[-1], len(steps[-1].at)
    roots, directions = np.linalg.eigh(last.information)
    health = float(roots[0] / (last.level * math.sqrt(p)))
    if health < FEW:
        nothing = np.empty((0, 0))
        why = "noise could be all of what tells some terms apart"
        return Found(np.empty(0), nothing, nothing, health, directions[:, 0], why)
    information = last.lifted
    first = last.at + np.linalg.solve(information, last.score)
    normal, target = np.zeros((p, p)), np.zeros(p)
    for one in steps:
        here = one.lifted if one is not last else information
        mean = (here + information) / 2
        d = first - one.at
        variance = float(np.mean(one.score_noise**2))
        weight = variance
        if one is not last:
            missed = float(np.linalg.norm(here - information) * np.linalg.norm(d)) / 6
            if missed > math.sqrt(variance * p) / 2:
                continue
            weight += (one.level**2 + last.level**2) / 4 * float(d @ d) + 4 * missed**2 / p
        normal += mean @ mean / weight
        target += mean @ (one.score + mean @ one.at) / weight
    beta: Floats = np.asarray(np.linalg.solve(normal, target), dtype=np.float64)
    inverse: Floats = np.asarray(np.linalg.inv(information), dtype=np.float64)
    bent = inverse @ last.moved(beta - last.at)
    rest = _rest(steps, first - last.at, inverse @ information, inverse)
    return Found(beta, np.linalg.inv(normal) + bent @ bent.T, inverse, health, directions[:, 0], rest=rest)


def _rest(steps: Sequence[Sums], d: Floats, same: Floats, inverse: Floats) -> Floats:
    """About what the steps leave, in two ways, a row each: after the last move ``d``, and where d were as it should be.

    Newton's method leaves half of what the information changes along a move. The last two informations tell how it
    changes, which is taken to go on alike: over d, and over what the move before left. d has noise of its own, and is
    no proof of having arrived where that made it short.
    """
    if len(steps) < 2:
        return np.zeros((2, len(d)))
    before = steps[-2]
    move = steps[-1].at - before.at
    turn = same - inverse @ before.lifted
    moved = max(float(np.linalg.norm(move)), 2.0**-GRID)
    return np.array([turn @ one * (float(np.linalg.norm(one)) / moved / 2) for one in (d, turn @ move / 2)])


def settled(found: Found, design: Design, hidden: Sequence[int]) -> Found:
    """The fit with twice what its steps leave in its errors; none where that passes an error.

    Args:
        hidden: places of coefficients that are not given anyhow.
    """
    turn = turned(design)
    away = np.abs(found.rest @ turn.T).max(axis=0) / np.sqrt(np.diag(turn @ (found.noise + found.sampling) @ turn.T))
    away[list(hidden)] = 0.0
    most = float(away.max())
    if not most <= SETTLED:
        nothing = np.empty((0, 0))
        return Found(np.empty(0), nothing, nothing, found.health, away, UNSETTLED, unsettled=most)
    return replace(found, noise=found.noise + 2 * found.rest.T @ found.rest, unsettled=most)


def exact(last: Sums) -> Found:
    """The fit that a last step without noise reaches: from it Newton's method is done to the last bit but one."""
    p = len(last.at)
    roots, directions = np.linalg.eigh(last.information)
    nothing = np.empty((0, 0))
    if roots[0] <= 1e-12 * max(roots[-1], 1e-300):
        why = "the terms do not determine one best fit"
        return Found(np.empty(0), nothing, nothing, math.inf, directions[:, 0], why)
    inverse: Floats = np.asarray(np.linalg.inv(last.information), dtype=np.float64)
    return Found(last.at + inverse @ last.score, np.zeros((p, p)), inverse, math.inf, directions[:, 0])
