"""How many of the listed values lie above a stated noise threshold: post-processing of counts by value.

How many different values there are has no small sensitivity (one person may bring many) and does not add up over sites;
counts of people by value have one, and from their noise follows how many values surely occur.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pets.common.codec import fraction
from pets.errors import QueryError, did_you_mean, shown
from pets.release.estimate import Column, noise_of
from pets.schema.domain import MISSING

if TYPE_CHECKING:
    from pets.release.views import Answer

COUNTS = {"count": "rows", "count_units": "people"}


@dataclass(frozen=True)
class ValuesAbove:
    """Listed values whose noisy count reaches a threshold.

    Attributes:
        values: how many do.
        listed: of so many, those without a value left out.
        least: the threshold.
        sure: the threshold from which on, with ``confidence``, no value that nobody has is counted, of all that are
            listed: noise alone does not reach it.
        confidence: of that.
        counted: what is counted by value: ``"people"`` or ``"rows"``.
    """

    values: int
    listed: int
    least: int
    sure: int
    confidence: float
    counted: str

    def __str__(self) -> str:
        head = f"{self.values:,} of {self.listed:,} listed values have a noisy count of at least {self.least:,} "
        meaning = (
            f"with {self.confidence:.3g} confidence each of them occurs, so there are at least so many"
            if self.least >= self.sure
            else f"noise alone may reach that; from {self.sure:,} on it does not, with {self.confidence:.3g} confidence"
        )
        return f"{head}{self.counted}: {meaning}. Values of few {self.counted} are not among them."

    __repr__ = __str__


def values_above(answer: Answer, output: str | None, least: object, confidence: float) -> ValuesAbove:
    """The view; see :meth:`pets.release.tables.verbs.Tables.values_above`."""
    column = _counts(answer, output)
    named, dimensions = answer.plan.layout.columns(), answer.plan.layout.dimensions
    there = np.ones(answer.plan.groups, dtype=bool)
    for one in dimensions:
        if answer.plan.fields[one.column].nullable:
            there &= np.array([label != MISSING for label in named[one.name]], dtype=bool)
    listed = int(there.sum())
    sure = _sure(answer, column.output.parts[0], listed, confidence)
    wanted = sure if least is None else _least(least)
    found = int((column.estimate[there] >= wanted).sum())
    return ValuesAbove(found, listed, wanted, sure, confidence, COUNTS[column.output.kind])


def _counts(answer: Answer, output: str | None) -> Column:
    names = [one.output.name for one in answer.estimates if one.output.kind in COUNTS]
    if not answer.plan.layout.dimensions or not names:
        raise QueryError(
            "values are counted in a release of counts by value, such as "
            "pets.query('stays').group_by('diagnosis').agg(people=pets.count_units())"
        )
    if output is None and len(names) > 1:
        raise QueryError(f"this release has {len(names)} counts; name one of {', '.join(names)}")
    name = names[0] if output is None else output
    if name not in names:
        raise QueryError(f"{shown(name)} is no count of this release{did_you_mean(name, names)}")
    return answer.estimates[str(name)]


def _sure(answer: Answer, measure: int, listed: int, confidence: float) -> int:
    """One more than what the noise on all listed values together stays within, upwards, with the confidence."""
    if answer.mechanism == "none" or not listed:
        return 1
    one = 1 - 2 * (1 - confidence) / listed  # the law is symmetric: half of what lies outside is above
    return math.floor(noise_of(answer, max(one, 0.5)).half_width([(measure, 1.0)])) + 1


def _least(value: object) -> int:
    try:
        found = fraction(value)
    except ValueError:
        found = fraction(0)
    if isinstance(value, bool) or found <= 0:
        raise QueryError(f"least is the noisy count from which a value is counted, above 0, not {shown(value)}")
    return math.ceil(found)
