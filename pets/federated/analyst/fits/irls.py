"""IRLS over sites: a regression on covariates of many values, one exact total for each iteration.

The coordinator's half of :mod:`pets.federated.query_round.regression_step`: from whole numbers to the next
coefficients, until they move by less than rounding could move them, and back into the columns' own units.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from pets.common.codec import Json
from pets.errors import QueryError
from pets.federated.messages.roster import Roster
from pets.federated.query_round.next_step import next_step
from pets.federated.query_round.regression_step import Floats, Model, Step, slack, terms_of
from pets.federated.site.gate import most_rows
from pets.plan.plan import make_plan
from pets.plan.vector import Ints
from pets.protection.protection import Protection
from pets.query_model.aggregate import count
from pets.query_model.expression import Filter
from pets.query_model.query import Query
from pets.schema.schema import Schema

MAX_STEPS = 30
WANTED = 1e-9
"""How exactly coefficients (in scaled units) and their errors are known, or the fit is refused."""


class Sites(Protocol):
    """A federation."""

    schema: Schema
    roster: Roster
    last_step: Json

    def iterate(
        self, query: Query, model: Model, protection: Protection, *, secure: str = "masked"
    ) -> tuple[str, Ints]:
        """One step over all sites."""


@dataclass(frozen=True)
class Found:
    """A fit: see :class:`pets.federated.analyst.models.Fit`."""

    terms: tuple[str, ...]
    beta: Floats
    errors: Floats
    rows: int
    dispersion: float
    ids: tuple[str, ...]
    last_step: Json


def iterated(
    sites: Sites, table: str, outcome: str, covariates: Sequence[str], family: str, protection: Protection,
    where: Filter | None, **settings: Any,
) -> Found:  # fmt: skip
    """The fit; raises :class:`QueryError` where there is no finite or single one, or 63 bits do not hold it."""
    fields = sites.schema.fields(table)
    query = Query(table, condition=where, aggregates=(("n", count()),))
    most = most_rows(make_plan(query, sites.schema), sites.roster)
    names = tuple(covariates)
    step = Step(family, outcome, names, (0.0,) * (1 + len(terms_of(names, fields))))
    ids: list[str] = []
    before = math.inf
    for number in range(MAX_STEPS):
        model, beta = Model(step, fields), np.array(step.beta)
        bits = model.bits(most)
        asked, sums = sites.iterate(query, model, protection, **settings)
        ids.append(asked)
        rows, information, score, squares = _unpacked(sums, len(beta), bits)
        if rows <= len(beta):
            raise QueryError("there are no more rows than coefficients; use fewer covariates")
        if number == 0 and family == "poisson":
            step = next_step(step, sums, asked, bits)  # at β = 0 every μ is 1: it starts at the mean
            continue
        values = np.linalg.eigvalsh(information / rows)
        if values[0] <= 1e-9 * values[-1] or values[0] <= 2.0**-bits:
            raise QueryError(
                "the covariates do not determine one best fit: one is empty, or follows from the others, or separates "
                "the outcomes"
            )
        rough = slack(information, rows, bits)
        size = 1 + float(np.abs(beta).max())
        if rough > WANTED * size:
            raise QueryError(
                f"63 bits are not enough: rounding could move the coefficients by {rough:.1g} of their columns' "
                "ranges; state fewer 'people' (over all sites) in the schema's table"
            )
        move = np.linalg.solve(information, score)
        moved = float(np.abs(move).max())
        if moved <= max(1e-12 * size, 2 * rough) or (moved <= WANTED * size and moved >= before / 2):
            return _unscaled(model, beta, information, rows, squares, tuple(ids), sites.last_step)
        step, before = next_step(step, sums, asked, bits), moved
    raise QueryError("the fit does not settle: a covariate separates the outcomes, so no finite fit exists")


def _unpacked(sums: Ints, size: int, bits: int) -> tuple[int, Floats, Floats, float]:
    """Rows, X'WX, X'(y − μ) and Σ(y − μ)²."""
    numbers = sums[1:].astype(np.float64) / 2.0**bits
    above = np.triu_indices(size)
    information = np.zeros((size, size))
    information[above] = numbers[: len(above[0])]
    information = np.triu(information) + np.triu(information, 1).T
    return int(sums[0]), information, numbers[len(above[0]) : -1], float(numbers[-1])


def _unscaled(
    model: Model, beta: Floats, information: Floats, rows: int, squares: float, ids: tuple[str, ...], last: Json
) -> Found:
    """Coefficients and standard errors in the columns' own units."""
    back = np.eye(len(beta))
    for place, term in enumerate(model.terms, start=1):
        back[place, place] = 1 / term.half
        back[0, place] = -term.middle / term.half
    covariance = back @ np.linalg.inv(information) @ back.T
    raw, dispersion = back @ beta, 1.0
    if model.step.family == "gaussian":
        outcome = model.outcome
        raw = raw * outcome.half
        raw[0] += outcome.middle
        dispersion = squares * outcome.half**2 / (rows - len(beta))
    errors = np.sqrt(np.diag(covariance) * dispersion)
    terms = ("intercept", *(term.name for term in model.terms))
    return Found(terms, raw, errors, rows, dispersion, ids, last)
