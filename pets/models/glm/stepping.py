"""Stepping: the questions of a regression of several steps, one after the other, each from the answers before it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from pets.common.integers import Floats
from pets.errors import UserError
from pets.models.glm.groups import Start, products
from pets.models.glm.newton import STEPS, Found, Sums, combined, exact, on_grid, settled
from pets.plan.blocks import MAX_SUM
from pets.plan.fitted.newton import Step, step_of
from pets.query_model.nodes.newton import GRID, Newton
from pets.query_model.query import Query
from pets.release.certificate import Certificate
from pets.release.estimate import noise_of
from pets.release.release import Release
from pets.schema.schema import Schema

MOST = 40
"""Steps of an exact fit."""
STILL = 4
"""An exact fit has arrived where no coefficient moves by more than so many units of 2^-30: one more move, which the
last sums say, is right to the square of that."""
NEAR = 2.0**-20
"""How far coefficients may be from those that are worked out anew, on another machine, ..."""
ROUNDING = 2.0**-45
"""... and what more that is for each unit of the information's condition."""
SEPARATED = "the steps do not settle: a number among the terms separates the outcomes"
CHANGED = (
    "rows or sites changed between the questions of this fit, so their answers cannot be joined; what was asked stays "
    "charged; ask again with again=True, and with a new key where one was given"
)
"""What is said where they have."""
ALIKE = "all outcomes are the same, as far as can be told"


class Stepped(Protocol):
    """A model that is asked for step by step."""

    @property
    def kind(self) -> str:
        """Its family."""

    @property
    def exposure(self) -> str | None:
        """The column of what a mean is proportional to."""

    @property
    def query(self) -> Query:
        """The question that is asked first."""

    def asked(self, at: tuple[int, ...] | None, schema: Schema, *, fine: bool) -> Query:
        """The question of a step at some coefficients, or of the start."""


def shares(model: Stepped, schema: Schema) -> tuple[float, ...]:
    """The part of the loss that each question of a fit under noise has: the start, and then 1 : 2 : 4 : 8."""
    step = step_of_query(model.query, schema)
    first = 0.15 if len(step.monomials) > 2 + (model.exposure is not None) else 0.05
    return (first, *((1 - first) * 2**place / (2**STEPS - 1) for place in range(STEPS)))


def step_of_query(query: Query, schema: Schema) -> Step:
    """The sums of a question of a fit."""
    from pets.plan.plan import make_plan

    plan = make_plan(query, schema)
    ((_, asked),) = query.aggregates
    assert isinstance(asked, Newton)
    rows = plan.people * plan.rows
    return step_of(asked, plan.fields, plan.table, rows, MAX_SUM)


@dataclass(frozen=True)
class Progress:
    """A fit as far as its answers go.

    Attributes:
        model: what is fitted.
        schema: of the tables.
        fine: whether they are exact.
        releases: the answers, the start first.
    """

    model: Stepped
    schema: Schema
    fine: bool
    releases: tuple[Release, ...] = ()

    @property
    def next(self) -> Query | None:
        """The next question; ``None`` where there is none."""
        if not self.releases:
            return self.model.asked(None, self.schema, fine=self.fine)
        if self.why or len(self.releases) > (MOST if self.fine else STEPS):
            return None
        at = self._toward(len(self.releases))
        if self.fine and len(self.releases) > 1 and self._still(at):
            return None
        return self.model.asked(at, self.schema, fine=self.fine)

    @property
    def sound(self) -> bool:
        """Whether each answer is at the coefficients to which those before it lead, and none is missing.

        They are worked out anew, which on another machine is not right to the last bit.
        """
        if len(self.releases) > 1 and self.why:
            return False
        if not all(self._near(self.sums[place - 1].at, place) for place in range(1, len(self.releases))):
            return False
        # (an exact fit arrives where the next coefficients are the last ones)
        arrived = self.fine and len(self.releases) > 1 and self._near(self.sums[-1].at, len(self.releases))
        return arrived or self.next is None

    def _near(self, at: Floats, place: int) -> bool:
        """Whether coefficients are those to which so many answers lead."""
        wide = 1.0 if place == 1 else float(np.linalg.cond(self.sums[place - 2].lifted))
        away = np.abs(at - np.array(self._toward(place)) / 2.0**GRID).max()
        return bool(away <= max(NEAR, ROUNDING * wide))

    def _toward(self, place: int) -> tuple[int, ...]:
        """The coefficients to which the first answers lead, so many."""
        return self._first() if place == 1 else self.sums[place - 2].next()

    def _still(self, at: Sequence[int]) -> bool:
        return bool(np.abs(np.array(at) - np.array(on_grid(self.sums[-1].at))).max() <= STILL)

    @cached_property
    def start(self) -> Start:
        """What the first answer says."""
        release = self.releases[0]
        ((_, asked),) = release.query.aggregates
        assert isinstance(asked, Newton)
        step = step_of_query(release.query, self.schema)
        return Start.of(step, release.values.tolist(), _deviation(release), asked)

    @cached_property
    def hidden(self) -> tuple[int, ...]:
        """By place in the design, what is not given: of groups whose outcomes may all be the same."""
        if self.fine or len(self.releases) == 1:
            return self.start.hidden
        return tuple(sorted({*self.start.hidden, *products(self.step.design, self.sums[0], self.model.kind)}))

    @cached_property
    def why(self) -> str:
        """Why no step is worth its price (``""``: it is)."""
        start = self.start
        if start.rows <= len(self.step.design.columns) + 4 * start.noise:
            return (
                "there are too few rows for this noise" if start.noise else "there are no more rows than coefficients"
            )
        least, most = self._ends
        return "" if least < start.outcomes < most and start.exposed > 0 else ALIKE

    @property
    def _ends(self) -> tuple[float, float]:
        """What no sum of outcomes of different rows reaches, with noise clearly."""
        rows, noise = self.start.rows, 4 * self.start.noise
        return noise, rows - noise if self.model.kind == "logistic" else math.inf

    @cached_property
    def step(self) -> Step:
        """The sums of the first question, with the design."""
        return step_of_query(self.releases[0].query, self.schema)

    def _first(self) -> tuple[int, ...]:
        """The coefficients of a fit without terms."""
        start = self.start
        at = np.zeros(len(self.step.design.columns))
        mean = start.outcomes / start.exposed
        at[0] = math.log(mean / (1 - mean)) if self.model.kind == "logistic" else math.log(mean)
        return on_grid(at)

    @cached_property
    def sums(self) -> tuple[Sums, ...]:
        """What each step's answer says."""
        return tuple(
            Sums.of(step_of_query(one.query, self.schema), one.values.tolist(), _deviation(one))
            for one in self.releases[1:]
        )

    @cached_property
    def found(self) -> Found:
        """The fit."""
        p = len(self.step.design.columns)
        nothing = np.empty((0, 0))
        if self.why:
            return Found(np.empty(0), nothing, nothing, math.nan, np.eye(p)[0], self.why)
        if not self.fine:
            found = combined(self.sums)
            return found if found.why else settled(found, self.step.design, self.hidden)
        found = exact(self.sums[-1])
        arrived = found.why or self._still(self.sums[-1].next())
        if not arrived:
            return Found(np.empty(0), nothing, nothing, math.inf, found.direction, SEPARATED)
        return found


def of_same_rows(releases: Sequence[Release]) -> bool:
    """Whether answers are of the same rows, as far as they tell: of one snapshot, or of the same sites' ones.

    A federation's answer has each site's snapshot in the site's certificate, where the site tells one.
    """
    told, snapshots = set(), dict[str, str]()
    for release in releases:
        sharing = release.sharing
        exact = release.mechanism == "none"
        sites = None if sharing is None else (sharing["roster_sha256"], *sharing["answered"])
        told.add((release.dataset, release.data, exact, sites))
        if any(snapshots.setdefault(name, one) != one for name, one in snapshots_of(release).items()):
            return False
    return len(told) == 1


def snapshots_of(release: Release) -> dict[str, str]:
    """By site that tells it, the snapshot of its rows; of an answer of one place, its own, under no name."""
    if release.sharing is None:
        return {"": release.snapshot_id}
    found = {name: _snapshot(Certificate(one)) for name, one in release.sharing["certificates"].items()}
    return {name: one for name, one in found.items() if one}


def _snapshot(certificate: Certificate) -> str:
    try:
        return str(certificate.predicate["dataset"]["snapshot_id"])
    except (UserError, LookupError, TypeError):  # (whether it is one at all is for pets verify to say)
        return ""


def _deviation(release: Release) -> float:
    noise = noise_of(release)
    return 0.0 if noise.exact else noise.deviation(0)
