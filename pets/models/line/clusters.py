"""Several rows of a person: what the choice of people makes of a line whose rows belong together by person.

Rows of one person are alike, so s²(X'X)⁻¹ says too little of what other people would have given. The sandwich does not:
(X'X)⁻¹M(X'X)⁻¹, M the sum over people of ss', s a person's score at the line (Liang and Zeger 1986). M is a question of
its own, asked at the line that the first one gave, for 15 % of the loss; what a person adds to it is shortened to a
public length.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from pets.common.integers import Floats
from pets.models.least_squares import Solved, exact, noisy
from pets.plan.fitted.design import Design, design_of
from pets.plan.fitted.meat import places, reach
from pets.plan.measure import Measure, Output
from pets.query_model.nodes.design import Moments
from pets.query_model.nodes.meat import MOST, STEP, Meat
from pets.query_model.nodes.newton import GRID
from pets.release.estimate import noise_of
from pets.release.release import Release

SHARE = 0.15
"""The part of the loss that is for M."""
FAR = 2.5
"""Residual standard deviations: a score as if each row of a person were that far off is the longest that counts."""
NEAR, ROUNDING = 2.0**-20, 2.0**-45
"""How far coefficients may be from those that are worked out anew, on another machine; and what more that is for each
unit of the condition of X'X."""
TOO_FAR = "a coefficient is too great for people's scores to be measured at it"


@dataclass(frozen=True)
class Spread:
    """What the choice of people makes of a line.

    Attributes:
        sampling: the covariance of its coefficients, on scaled columns.
        people: how many people it is of, as released.
    """

    sampling: Floats
    people: float


def design_from(release: Release) -> Design:
    """The design of a line, from the release of its sums."""
    ((_, asked),) = release.query.aggregates
    assert isinstance(asked, Moments)
    return design_of(asked, release.plan.fields, release.plan.table)


def solved_from(release: Release) -> Solved:
    """The line, from the release of its sums."""
    (measure,), design = release.plan.measures, design_from(release)
    noise = noise_of(release)
    if noise.exact:
        return exact(design, measure, release.values.tolist())
    return noisy(design, measure, release.values.tolist(), noise.deviation(0))


def several(release: Release) -> bool:
    """Whether a person has several rows in it."""
    return release.plan.rows > 1


def why(solved: Solved) -> str:
    """Why no coefficient is given, or none of which an interval could be (``""``: they are)."""
    beyond = not solved.why and float(np.abs(solved.coefficients).max()) > MOST
    return TOO_FAR if beyond else solved.why


def asked_at(release: Release, solved: Solved) -> Meat:
    """The sums of people's scores at the line: under noise shortened to a length that follows from the release."""
    ((_, sums),) = release.query.aggregates
    assert isinstance(sums, Moments)
    at = tuple(round(float(one) * (1 << GRID)) for one in solved.coefficients)
    norm = None
    if release.mechanism != "none":
        plan = release.plan
        rows = plan.rows if plan.group_rows is None else plan.group_rows
        norm = norm_of(design_from(release), rows, solved)
    return meat_of(sums, at, norm)


def norm_of(design: Design, rows: int, solved: Solved) -> Fraction:
    """The length to which people's scores are shortened: that of so many of the longest rows, all far off the line."""
    spread = min(1.0, FAR * math.sqrt(max(solved.squares, 0.0)))
    return Fraction(max(1, math.ceil(STEP * rows * reach(design) * spread)), STEP)


def meat_of(sums: Moments, at: tuple[int, ...], norm: Fraction | None) -> Meat:
    """The sums of people's scores of the same line."""
    return Meat(
        where=sums.where,
        terms=sums.terms,
        outcome=sums.outcome,
        at=at,
        norm=norm,
        weights=sums.weights,
        levels=sums.levels,
    )


def belongs(meat: Release, release: Release, solved: Solved) -> bool:
    """Whether scores were asked at the line of a release, which on another machine is not right to the last bit."""
    if why(solved) or len(meat.query.aggregates) != 1:
        return False
    ((_, asked),) = meat.query.aggregates
    own = asked_at(release, solved)
    if not isinstance(asked, Meat) or (asked.norm is None) != (own.norm is None):
        return False
    ((name, sums),) = release.query.aggregates
    assert isinstance(sums, Moments)
    again = replace(release.query, aggregates=((name, meat_of(sums, asked.at, asked.norm)),))
    slack = max(NEAR, ROUNDING * float(np.linalg.cond(solved.inverse)))
    away = max(abs(one - other) for one, other in zip(asked.at, own.at, strict=True)) / (1 << GRID)
    norms = 0.0 if own.norm is None or asked.norm is None else abs(float(asked.norm - own.norm)) * STEP
    return meat.query.digest == again.digest and away <= slack and norms <= 1


def spread_of(meat: Release, solved: Solved) -> Spread:
    """What the choice of people makes of a line, of the release of people's scores at it."""
    (measure,), (output,) = meat.plan.measures, meat.plan.outputs
    middle, people = middle_of(measure, output, meat.values.tolist(), noisy=meat.mechanism != "none")
    return Spread(sandwich(middle, people, solved), people)


def middle_of(measure: Measure, output: Output, values: Sequence[float], *, noisy: bool) -> tuple[Floats, float]:
    """M on scaled columns, and how many people it is of; of noisy sums the nearest one that a square can be."""
    assert measure.scores is not None
    scaled = np.array([float(one) for one in values]) / np.array(output.units, dtype=np.float64)
    p = len(measure.scores.at)
    pairs = places(p)
    middle = np.zeros((p, p))
    for place, (i, j) in enumerate(pairs):
        middle[i, j] = middle[j, i] = scaled[place : -1 : len(pairs)].sum()
    middle = middle * float(measure.scores.norm) ** 2
    if noisy:
        roots, directions = np.linalg.eigh(middle)
        middle = (directions * np.maximum(roots, 0.0)) @ directions.T
    return middle, float(scaled[-1])


def sandwich(middle: Floats, people: float, solved: Solved) -> Floats:
    """(X'X)⁻¹M(X'X)⁻¹, times G ÷ (G − 1) · (n − 1) ÷ (n − p) for n rows of G people."""
    groups, p = max(people, 2.0), len(solved.coefficients)
    small = groups / (groups - 1) * (solved.rows - 1) / (solved.rows - p)
    return small * solved.inverse @ middle @ solved.inverse
