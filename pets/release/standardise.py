"""Directly standardised rates: what a rate would be, were the ages those of a standard population.

Post-processing of a release. The interval is Dobson's with Byar's limits for the chance of events (as public health
agencies publish them), joined by the MOVER rule with the interval that the noise of the release gives the rate of each
age (Fieller's).

Sources: Dobson, Kuulasmaa, Eberle and Scherer, "Confidence intervals for weighted sums of Poisson parameters",
Statistics in Medicine 10, 1991; Breslow and Day, "Statistical methods in cancer research" II, IARC 1987 (for Byar);
Zou and Donner, "Construction of confidence limits about effect measures", Statistics in Medicine 27, 2008 (MOVER).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterator, Mapping
from fractions import Fraction
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pets.common.codec import fraction
from pets.common.integers import Floats, Ints
from pets.common.literals import is_null
from pets.errors import QueryError, did_you_mean, shown
from pets.plan.plan import Plan
from pets.query_model.group_keys import Bins
from pets.query_model.nodes.bin_edges import interval_labels
from pets.release.estimate import Column, Noise, noise_of
from pets.release.moments.ratio_ends import ratio_ends
from pets.schema.domain import MISSING

if TYPE_CHECKING:
    import pandas as pd

    from pets.release.views import Answer

ESP2013 = (5000, *[5500] * 3, 6000, 6000, 6500, *[7000] * 4, 6500, 6000, 5500, 5000, 4000, 2500, 1500, 1000)
"""The European Standard Population of 2013 in ages of five years, 0 to 4 … 85 to 89, 90 and over: 100,000 in all.

Source: Eurostat, "Revision of the European Standard Population", 2013 (doi 10.2785/11470), with 0 and 1 to 4 together.
"""


Weights = dict[Any, float]
"""By age group, how many people of it a standard population has."""


def standardise(
    answer: Answer,
    events: str,
    among: str | Mapping[Any, float],
    by: str,
    population: str | Mapping[Any, float],
    per: float,
    confidence: float,
) -> pd.DataFrame:
    """One row a combination of the other keys: ``rate``, ``rate_low``, ``rate_high``, each per ``per`` people."""
    import pandas as pd

    plan, named = answer.plan, answer.plan.layout.columns()
    cases = _counted(answer, events)
    if isinstance(among, str):
        _counted(answer, among)
    weights, standard = standard_of(plan, by, population, per, confidence)
    noise = noise_of(answer, confidence)
    people, limit, column = _people(answer, among, noise, [named[name] for name in named])
    x, near = cases.estimate.astype(np.float64), people <= 2 * limit
    x_noise, people_noise = _reach(cases, noise, near), _reach(column, noise, near)
    known = (people > limit) & (people > people_noise)
    rows = []
    for stratum, at, share in strata(plan, by, weights):
        if not known[at].all():
            rows.append((*stratum, math.nan, math.nan, math.nan))
            continue
        ends = ratio_ends(x[at], people[at], x_noise[at], people_noise[at])
        moved = [float(np.linalg.norm(share * (end - x[at] / people[at]))) for end in ends]
        rate = interval(x[at], people[at], share, (moved[0], moved[1]), confidence)
        rows.append((*stratum, *(per * part for part in rate)))
    found = pd.DataFrame(rows, columns=[*(name for name in named if name != by), "rate", "rate_low", "rate_high"])
    found.attrs["standard"] = standard
    return found


def standard_of(plan: Plan, by: object, population: object, per: float, confidence: float) -> tuple[Weights, str]:
    """The weight of each age, and the name of the standard population; raises as :func:`standardise`."""
    named = plan.layout.columns()
    if not isinstance(by, str) or by not in named:
        raise QueryError(f"{shown(by)} is not a key of this release{did_you_mean(by, named)}")
    if not 0 < _number(confidence) < 1 or not _number(per) > 0:
        raise QueryError("confidence is between 0 and 1, such as 0.95, and per is above 0, such as 100_000")
    return _weights(plan, by, population, named[by])


def strata(plan: Plan, by: str, weights: Weights) -> Iterator[tuple[tuple[Any, ...], Ints, Floats]]:
    """Each combination of the keys but ages: its labels, its groups of an age, and each one's share of the standard."""
    named = plan.layout.columns()
    others = [name for name in named if name != by]
    for stratum, every in combinations(plan, by):
        at = every[[named[by][i] in weights for i in every.tolist()]]
        _whole(weights, [named[by][i] for i in at.tolist()], by, dict(zip(others, stratum, strict=True)))
        share = np.array([weights[named[by][i]] for i in at.tolist()])
        yield stratum, at, share / share.sum()


def combinations(plan: Plan, by: str) -> Iterator[tuple[tuple[Any, ...], Ints]]:
    """Each combination of the keys but one, and the groups that it has."""
    named = plan.layout.columns()
    others = [name for name in named if name != by]
    labels = list(zip(*(named[name] for name in others), strict=True)) if others else [()] * plan.groups
    places: dict[tuple[Any, ...], list[int]] = {}
    for place, label in enumerate(labels):
        places.setdefault(label, []).append(place)
    for label, at in places.items():
        yield label, np.array(at, dtype=np.int64)


def _whole(weights: Mapping[Any, float], held: Collection[Any], by: str, stratum: Mapping[str, Any]) -> None:
    """Refuse a stratum without all ages of the standard: its rate would be by another standard than the others'."""
    lacking = next((label for label in weights if label not in held), None)
    if lacking is not None:
        where = " and ".join(f"{name} {shown(value)}" for name, value in stratum.items())
        raise QueryError(
            f"the keys of this release have no {shown(lacking)} of {by!r}{where and ' for '}{where}, so its rate would "
            f"be by a part of the standard population alone; list every group of {by!r} in the KeySet, or leave out a "
            "group everywhere by population= with the weight 0 for it"
        )


def _number(value: object) -> float:
    """A finite number, or NaN for anything else."""
    try:
        return float(fraction(value))
    except (ValueError, OverflowError):
        return math.nan


def interval(
    events: Floats, people: Floats, share: Floats, noise: tuple[float, float], confidence: float
) -> tuple[float, float, float]:
    """A directly standardised rate and its interval, where noise that reaches so far down and up is added to chance.

    Without noise it is Dobson's interval with Byar's limits; noise that reaches h widens a side from d to √(d² + h²).
    """
    rate = float((share * events / people).sum())
    counted = np.maximum(events, 0.0)
    total = float(counted.sum())
    variance = float((share**2 * counted / people**2).sum())
    low, high = byar(total, confidence)
    scale = math.sqrt(variance / total) if total > 0 else float((share / people).max())
    below, above = scale * (total - low), scale * (high - total)
    return rate, max(0.0, rate - math.hypot(below, noise[0])), rate + math.hypot(above, noise[1])


def byar(events: float, confidence: float) -> tuple[float, float]:
    """Byar's limits of a Poisson mean.

    >>> [round(limit, 2) for limit in byar(10, 0.95)]
    [4.79, 18.39]
    """
    z, more = NormalDist().inv_cdf((1 + confidence) / 2), events + 1
    low = events * (1 - 1 / (9 * events) - z / (3 * math.sqrt(events))) ** 3 if events > 0 else 0.0
    return max(0.0, low), more * (1 - 1 / (9 * more) + z / (3 * math.sqrt(more))) ** 3


def _counted(answer: Answer, name: str) -> Column:
    column = answer.estimates[name]
    if not column.output.traits.counts or column.output.traits.shape != "linear":
        raise QueryError(f"{name!r} is no count; a rate is of a count of people (count_units) or of rows among another")
    return column


def _reach(column: Column | None, noise: Noise, near: npt.NDArray[np.bool_]) -> Floats:
    """How far a count's noise reaches, group by group; careful where few releases may have enough people."""
    if column is None:  # public people
        return np.zeros(len(near))
    part = column.output.parts[0]
    return np.where(near, *(0.0 if one.exact else one.reach(part, one.widest) for one in (noise.careful, noise)))


def _people(
    answer: Answer, among: str | Mapping[Any, float], noise: Noise, keys: list[Any]
) -> tuple[Floats, float, Column | None]:
    """The people of each group, the number up to which they are too few, and the count that they are noisy in."""
    if isinstance(among, str):
        column = _counted(answer, among)
        limit = 0.0 if noise.exact else 2 * noise.careful.half_width([(column.output.parts[0], 1.0)])
        return column.estimate.astype(np.float64), limit, column
    return public_people(among, keys), 0.0, None


def public_people(among: object, keys: list[Any]) -> Floats:
    """The people of each group, as they are publicly known; NaN where none are given."""
    labels = list(zip(*keys, strict=True))
    if not isinstance(among, Mapping):
        raise QueryError(f"among is a count of the release, or public people by key, not {shown(among)}")
    found = [among.get(label[0] if len(label) == 1 else label) for label in labels]
    people = np.array([math.nan if is_null(one) else _number(one) for one in found], dtype=np.float64)
    wrong = next((one for one, n in zip(found, people.tolist(), strict=True) if not (is_null(one) or n >= 0)), None)
    if wrong is not None:
        raise QueryError(f"among gives public people by key, numbers from 0 on, not {shown(wrong)}")
    return people


def _weights(plan: Plan, by: str, population: object, labels: list[Any]) -> tuple[Weights, str]:
    """The standard population of each age group, and its name; the group without an age has none."""
    column = next(one.column for one in plan.layout.dimensions if one.name == by)
    empty = plan.fields[column].nullable  # (a column that is never empty may have a value of that name)
    every = [label for label in dict.fromkeys(labels) if not empty or label != MISSING]
    if isinstance(population, Mapping):
        lacking = next((label for label in every if label not in population), None)
        if lacking is not None:
            raise QueryError(f"the population has no {shown(lacking)}; give a weight for every group of {by!r}")
        return _given(population, every, by), "the weights given"
    some = f"population={{{shown(every[0])}: 1000, …}}" if every else "population={}"
    free = f"for other groups give the standard population of each, which costs nothing: {some}"
    if not isinstance(population, str) or population != "ESP2013":
        raise QueryError(
            f"population is 'ESP2013' or a mapping of each group of {by!r} to its weight, such as "
            f"{some}, not {shown(population)}"
        )
    key = next(one for one in plan.query.keys if one.name == by)
    cuts = [cut for cut in key.cuts if isinstance(cut, Fraction)] if isinstance(key, Bins) else []
    if not cuts:
        raise QueryError(
            f"ESP2013 is by age in years, as col({key.column!r}).bins([0, 5, 10, …, 90, 120]) has them; {free}"
        )
    out = {}
    pairs = list(itertools.pairwise(cuts))
    for place, (label, (low, high)) in enumerate(zip(interval_labels(cuts), pairs, strict=True)):
        last = place == len(pairs) - 1
        ends = [float(low) / 5, 19.0 if last and high > 90 else float(high) / 5]
        if any(end != int(end) or not 0 <= end <= 19 for end in ends) or (last and high <= 90):
            raise QueryError(
                "ESP2013 has ages in fives, up to 90 and over: it serves cuts as [0, 5, 10, …, 90, 120], or fewer of "
                f"these; {free}"
            )
        out[label] = float(sum(ESP2013[int(ends[0]) : int(ends[1])]))
    first, people = cuts[0], sum(out.values())
    return out, "ESP2013" if not first else f"ESP2013 of the ages from {first} on ({people:,.0f} of 100,000 people)"


def _given(population: Mapping[Any, Any], every: list[Any], by: str) -> dict[Any, float]:
    """The weights that an analyst gave, those of 0 left out."""
    unknown = next((label for label in population if label not in every), None)
    if unknown is not None:
        raise QueryError(
            f"the population has {shown(unknown)}, which is no group of {by!r} here{did_you_mean(unknown, every)}"
        )
    weights = {label: _number(population[label]) for label in every}
    wrong = next((label for label, weight in weights.items() if not weight >= 0), None)
    if wrong is not None or not any(weights.values()):
        what = "no weight above 0" if wrong is None else f"the weight {shown(population[wrong])} for {shown(wrong)}"
        raise QueryError(f"the population has {what}; weights are numbers from 0 on, such as people of that age")
    return {label: weight for label, weight in weights.items() if weight}
