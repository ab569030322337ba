"""Forecast: the error an answer will have, from the plan and the noise alone (no row is read)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pets.common.codec import Json, fraction, whole
from pets.plan.measure import Output
from pets.plan.plan import Plan
from pets.query_model.traits import TRAITS
from pets.release.estimate import Noise, rows_limit
from pets.release.noise_quantiles import Kind
from pets.release.release_form import plain
from pets.release.text import whose_rows

SIZES = (100, 1000)
"""Group sizes at which the error of means, rates and variances is shown: it depends on how many rows a group has."""


@dataclass(frozen=True)
class Expected:
    """The expected error of one output.

    Attributes:
        output, kind: the answer's column and what it is.
        half_width: half the interval of every cell (counts, sums, histograms; a quantile's is in rows of rank);
            ``None`` where it depends on the group's size.
        at: half-widths at groups of :data:`SIZES` rows, for means, rates and variances.
        least: rows below which a group is hardly ever estimable (0: there is no such number).
        whose: whose rows a count or a sum is made of (``""``: a person has one row, or is counted once).
    """

    output: str
    kind: str
    half_width: float | None
    at: tuple[float, ...] = ()
    whose: str = ""
    least: int = 0

    def __str__(self) -> str:
        below = f"; not estimable below about {self.least:,} rows" if self.least else ""
        if self.half_width is not None:
            of = " rows of rank" if TRAITS[self.kind].shape == "rank" else ""
            whose = f" ({self.whose})" if self.whose else ""
            return f"± {self.half_width:,.4g}{of}{whose}{below}"
        enough = [(n, width) for n, width in zip(SIZES, self.at, strict=True) if n >= self.least]
        return ", ".join(f"± {width:,.3g} at n = {n:,}" for n, width in enough or [(SIZES[-1], self.at[-1])]) + below

    def to_json(self) -> Json:
        """The canonical form."""
        form: Json = plain(vars(self))
        return form

    @classmethod
    def from_json(cls, form: Any) -> Expected:
        """The inverse of :meth:`to_json`; raises the errors of ordinary look-ups and conversions."""
        width = form["half_width"]
        return cls(
            str(form["output"]),
            str(form["kind"]),
            None if width is None else float(fraction(width)),
            tuple(float(fraction(one)) for one in form["at"]),
            str(form["whose"]),
            whole(form["least"]),
        )


def forecast(plan: Plan, mechanism: Kind, scales: Sequence[float], confidence: float = 0.95) -> tuple[Expected, ...]:
    """The expected error of each output, at the given confidence.

    Means, rates and variances: by the delta method at a value halfway between the middle and an end of the range.
    """
    return forecast_of(plan, Noise(mechanism, tuple(scales), confidence))


def forecast_of(plan: Plan, noise: Noise) -> tuple[Expected, ...]:
    """:func:`forecast` of an answer that has this noise."""
    return tuple(_expected(plan, output, noise) for output in plan.outputs)


def _expected(plan: Plan, output: Output, noise: Noise) -> Expected:
    least = math.floor(rows_limit(plan.measures, output, noise)) + 1
    if output.traits.shape == "rank":
        # a prefix of the tree takes at most (fanout − 1) nodes on each level; half of them on average
        tree = plan.measures[output.parts[0]]
        nodes = sum(max(1, min(16, size) // 2) for size in tree.levels)
        width = noise.half_width([(output.parts[0], math.sqrt(nodes))])
        return Expected(output.name, output.kind, width, least=least)
    width = noise.half_width(output.needs)
    if output.traits.error_by_size:
        return Expected(output.name, output.kind, None, tuple(width / size for size in SIZES), least=least)
    return Expected(output.name, output.kind, width, whose=whose_rows(plan, output))
