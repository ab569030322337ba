"""Margined: the verb of a regression that averages it over people, one level of a column after the other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

from pets.common.arguments import plain_arguments
from pets.common.codec import fraction, python_value
from pets.common.integers import Floats
from pets.errors import UserError, did_you_mean, shown
from pets.models.least_squares import Means
from pets.models.margins.effects import Line
from pets.models.margins.population import STEPS, Population, check_alike, needed, of_frame, of_release
from pets.models.margins.result import Margins
from pets.models.new_rows import numbers
from pets.plan.fitted.design import Design
from pets.release.release import Release
from pets.schema.numeric import Numeric

CONFIDENCE = 0.95


class Margined:
    """A regression that can be averaged over people."""

    model: Any

    @property
    def line(self) -> Line:
        """Its coefficients with their full covariances."""
        raise NotImplementedError

    @property
    def column_means(self) -> Means | None:
        """Of a straight line's own people; of other fits there are none."""
        return None

    @property
    def one_row(self) -> bool:
        """Whether a person has one row in it."""
        return True

    @property
    def answers(self) -> tuple[Release, ...]:
        """The releases that it follows from."""
        raise NotImplementedError

    @property
    def estimable(self) -> bool:
        """Whether there are coefficients."""
        raise NotImplementedError

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know."""
        raise NotImplementedError

    def to_json(self) -> Any:
        """The canonical form."""
        raise NotImplementedError

    def law(self, values: Floats, errors: Floats) -> tuple[float, Floats]:
        """Half the width of an interval in standard errors, and the chance of values as far from 0: the normal law."""
        normal = NormalDist()
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.abs(values / errors)
        chance = [math.nan if math.isnan(one) else 2 * normal.cdf(-one) for one in ratio.tolist()]
        return normal.inv_cdf((1 + CONFIDENCE) / 2), np.array(chance)

    @plain_arguments(UserError, "margins", "write fit.margins('treatment', over={'age': [40, 60]})")
    def margins(
        self,
        by: str,
        over: Any = None,
        *,
        weights: str | None = None,
        levels: Sequence[Any] | None = None,
        against: Any = None,
    ) -> Margins:
        """What the mean outcome of a population would be, were all of it alike in one column: g-computation.

        ``.table`` has each level's mean, risk or rate, ``.differences`` and ``.ratios`` hold the others against the
        first: risk differences and risk ratios of a logistic regression, rate ratios of a Poisson regression, adjusted
        means of a straight line. It follows from what was released, and costs nothing. Intervals contain the noise and
        the choice of people, with the full covariance of the coefficients; a causal reading is the reader's own claim.

        Args:
            by: a column of the model.
            over: the population: a data frame (or a mapping) with the model's other columns, which is public and taken
                as it is; or a release that counts the study's people by them, such as ``session.release(
                pets.query("stays").group_by("sex", "region").agg(n=pets.count()), …)``. Left out, of a straight line:
                its own people.
            weights: the frame's column of how many people a row stands for; left out, rows count alike.
            levels: values of ``by``; left out, all that the schema lists. A number needs them.
            against: the level that the others are held against; left out, the first.

        Raises:
            UserError: for a fit without coefficients, and for a population that does not tell the other columns.
        """
        design = self._for_margins(by)
        if weights is not None and (not isinstance(weights, str) or over is None or isinstance(over, Release)):
            raise UserError("weights names a column of the frame in over=, such as weights='people'")
        if isinstance(over, Release):
            people: Population | None = of_release(over, design, by)
        elif over is not None:
            people = of_frame(over, weights, design, by)
        elif not needed(design, by):
            people = of_frame({"": [0]}, None, design, by)
        else:
            people = None
        return self.margins_over(by, people, levels, against)

    def margins_over(
        self, by: str, people: Population | None, levels: Sequence[Any] | None, against: Any = None
    ) -> Margins:
        """:meth:`margins` over a population that is made already."""
        design = self._for_margins(by)
        if not self.one_row and people is None:
            raise UserError(
                "where a person has several rows a line does not tell whom to average over; give a population, over= a "
                "data frame of the model's other columns, or a release that counts people by them with bound(rows=1)"
            )
        if people is not None and people.release is not None:
            check_alike(people.release, self.model.data, design, by)
        if people is None and self.column_means is None:
            others = needed(design, by)
            counted = ", ".join(map(repr, others))
            numeric = [name for name in others if design.measured(name)]
            steps = f". {numeric[0]!r} is a number: {STEPS}" if numeric else ""
            raise UserError(
                f"a {self.model.kind} regression does not tell whom to average over: count the study's people by its "
                f"other columns, over=session.release(pets.query('stays').group_by({counted}).agg(n=pets.count()), "
                f"pets.DP(epsilon=1)), or give a public population, over= a data frame of them{steps}"
            )
        return Margins(self, by, _levels(design, by, levels, against), people)

    def _for_margins(self, by: object) -> Design:
        if not self.estimable:
            raise UserError(f"this fit has no coefficients, so there is nothing to average: {self.notes[0]}")
        design = self.line.design
        known = [name for term in design.products for name in term]
        if not isinstance(by, str) or by not in known:
            raise UserError(
                f"{shown(by)} is no column of the model's terms{did_you_mean(by, known)}; they are "
                f"{', '.join(map(repr, dict.fromkeys(known)))}"
            )
        return design


def _levels(design: Design, by: str, levels: Any, against: Any) -> tuple[Any, ...]:
    """The levels, the one that the others are held against first."""
    import pandas as pd

    domain = design.domains[by]
    first: list[Any]
    if design.measured(by):
        assert isinstance(domain, Numeric)
        low, high = float(domain.origin), float(domain.origin + domain.spacing * (domain.cells - 1))
        known = None
        wrong = UserError(
            f"{by!r} is a number: give two of its values or more, from {low:g} to {high:g}, such as "
            f"levels=[{low:g}, {high:g}]"
        )
        try:
            given = [_plain(one) for one in levels]
            first = given[:1] if against is None else [_plain(against)]
        except (TypeError, ValueError, OverflowError):
            raise wrong from None
        if any(not low <= one <= high for one in given):
            raise wrong
        values = numbers(by, domain, pd.Series(given, dtype=object)).tolist()
        if none := [one for one, value in zip(given, values, strict=True) if math.isnan(value)]:
            raise UserError(f"{shown(none[0])} means no value of {by!r} in the schema; give other levels")
    else:
        known = [domain.decode(code) for code in range(domain.cells)]
        wrong = UserError(f"levels is a list of two values of {by!r} or more, such as {known[:2]!r}")
        if levels is not None and (isinstance(levels, (str, bytes)) or not isinstance(levels, Sequence)):
            raise wrong
        given = known if levels is None else [_listed(by, one, known) for one in levels]
        first = given[:1] if against is None else [python_value(against)]
    if len(given) < 2 or len(set(given)) != len(given):
        raise wrong
    try:
        own = {one: one for one in given}[first[0]]
    except (LookupError, TypeError):
        raise UserError(f"against is one of the levels, such as {shown(given[0])}, not {shown(against)}") from None
    return (own, *(one for one in given if one != own))


def _listed(by: str, value: Any, known: list[Any]) -> Any:
    """A listed value as the schema has it: of a number that numpy wrote, too."""
    try:
        return {one: one for one in known}[python_value(value)]
    except (LookupError, TypeError):  # (a list or a table is no value at all)
        raise UserError(f"{shown(value)} is no value of {by!r}{did_you_mean(value, known)}") from None


def _plain(value: object) -> float | int:
    """A number, whole where it is."""
    found = float(fraction(value))
    return int(found) if found.is_integer() else found
