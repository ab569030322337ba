"""Groups: what the sums with which a regression starts say of each value of a boolean or a category.

Where every row of a group has the same outcome, no coefficient of it is the best one, and noise would make one up that
looks certain. So a group with a cell in the table of its rows and outcomes that noise could have filled gives none, and
the value that others are held against hides the intercept too. Groups by several columns at once are told by the first
step.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

from pets.models.glm.newton import Sums
from pets.models.least_squares import scale
from pets.plan.fitted.design import ONE, Column, Design, Monomial, times
from pets.plan.fitted.newton import Step
from pets.query_model.nodes.newton import Newton

CLEAR = 3.0
"""Standard deviations of its noise that a cell is above nothing."""
FIRST = 0
"""The code of the value that the others of its column are held against."""
Part = tuple[float, Monomial]
Group = Mapping[str, int]
"""The code of each of some columns."""


@dataclass(frozen=True)
class Start:
    """What the first sums say.

    Attributes:
        rows, noise: how many rows, as released, and the standard deviation of that.
        outcomes: the sum of outcomes, in their own unit.
        exposed: the sum of exposures over the greatest one; without an exposure the rows.
        hidden: by place in the design, the columns of groups of which nothing can be said.
    """

    rows: float
    noise: float
    outcomes: float
    exposed: float
    hidden: tuple[int, ...]

    @classmethod
    def of(cls, step: Step, values: Sequence[int], deviation: float, asked: Newton) -> Start:
        """Of the sums of a start; ``deviation``: of the noise on each measured whole number, 0 where they are exact."""
        found = _Sums(step, values, deviation, asked)
        exposed = found.sums[ONE]
        if asked.exposure is not None:
            middle, half = found.ends(asked.exposure)
            exposed = (middle * exposed + half * found.sums[((asked.exposure, 1),), ()]) / (middle + half)
        middle, half = found.ends(asked.outcome)
        outcomes = middle * found.sums[ONE] + half * found.sums[found.y]
        return cls(found.sums[ONE], found.noise[ONE], outcomes, exposed, found.hidden())


class _Sums:
    """The first sums, each over what one row adds at most."""

    def __init__(self, step: Step, values: Sequence[int], deviation: float, asked: Newton) -> None:
        named = list(zip(step.monomials, step.cells, values, strict=True))
        self.sums: Mapping[Monomial, float] = {one: int(value) / cell.unit for one, cell, value in named}
        self.noise: Mapping[Monomial, float] = {one: deviation / cell.unit for one, cell, _ in named}
        self.design, self.family = step.design, asked.family
        self.y: Monomial = (((asked.outcome, 1),), ())

    def ends(self, column: str) -> tuple[float, float]:
        """The middle of a column's public range, and half of its width."""
        middle, unit = scale(self.design, column)
        return float(middle), float(unit) * self.design.weight(column).largest

    def unclear(self, parts: Sequence[Part]) -> bool:
        """Whether noise could have filled a cell of a group, which is a sum of parts."""
        rows = self.total(parts)
        outcomes = self.total([(sign, self.beside(one)) for sign, one in parts])
        if self.family == "logistic":  # rows with the outcome, and without; each outcome is -1 or 1
            about = math.hypot(rows[1], outcomes[1]) / 2
            cells = [((rows[0] + sign * outcomes[0]) / 2, about) for sign in (1, -1)]
        else:
            middle, half = self.ends(self.design.outcome)
            about = math.hypot(middle * rows[1], half * outcomes[1])
            cells = [rows, (middle * rows[0] + half * outcomes[0], about)]
        return any(value <= CLEAR * noise for value, noise in cells)

    def total(self, parts: Sequence[Part]) -> tuple[float, float]:
        """A sum of parts, and the standard deviation of its noise."""
        value = sum(sign * self.sums[one] for sign, one in parts)
        return value, math.sqrt(sum((sign * self.noise[one]) ** 2 for sign, one in parts))

    def beside(self, one: Monomial) -> Monomial:
        product = times(one, self.y, self.design.domains)
        assert product is not None, "a column and the outcome differ"
        return product

    def hidden(self) -> tuple[int, ...]:
        """What unclear values of single columns hide."""
        gone: list[Group] = []
        categories: dict[str, list[Column]] = {}
        for one in self.design.columns:
            if len(one.term) != 1 or one.monomial not in self.sums:
                continue
            (name,) = one.term
            if name in one.levels:
                categories.setdefault(name, []).append(one)
                if self.unclear([(1.0, one.monomial)]):
                    gone.append({name: one.levels[name]})
            else:
                halves: list[tuple[float, int]] = [(0.5, 1), (-0.5, FIRST)]
                gone += [{name: code} for sign, code in halves if self.unclear([(0.5, ONE), (sign, one.monomial)])]
        for name, columns in categories.items():
            if self.unclear([(1.0, ONE), *((-1.0, one.monomial) for one in columns)]):
                gone.append({name: FIRST})
        return hidden_by(self.design, gone)


def hidden_by(design: Design, gone: Sequence[Group]) -> tuple[int, ...]:
    """The places of the coefficients in which unclear groups stand.

    A coefficient is a difference between groups, in which all columns that are not its own have their first value. So a
    group stands in those that have each value of it but first ones, of columns that share a term with it.
    """
    found = set()
    for group in gone:
        own = {(name, code) for name, code in group.items() if code != FIRST}
        for place, one in enumerate(design.columns):
            together = {*one.term, *group}
            if own <= {(name, one.levels.get(name, 1)) for name in one.term} and any(
                together <= set(term) for term in design.products
            ):
                found.add(place)
    return tuple(sorted(found))


def products(design: Design, first: Sums, family: str) -> tuple[int, ...]:
    """What unclear groups by several columns at once hide, as the first step tells them.

    At its coefficients every row (of the greatest exposure) has the same mean, so its score and its information are
    sums of weighted outcomes and rows of each column.
    """
    at = {frozenset((name, one.levels.get(name, 1)) for name in one.term): i for i, one in enumerate(design.columns)}
    beside = first.information[0], first.noise[first.places[0]]
    cells = [(1.0, 1.0)]  # how score and information add up to weighted events
    if family == "logistic":
        mean = 1 / (1 + math.exp(-float(first.at[0])))
        cells = [(1.0, 1 / (1 - mean)), (-1.0, 1 / mean)]  # with the outcome, and without
    gone: list[Group] = []
    grouped = [tuple(name for name in term if _codes(design, name)) for term in design.products]
    several = {some for names in grouped for count in range(2, len(names) + 1) for some in combinations(names, count)}
    for names in sorted(several):
        for codes in product(*(_codes(design, name) for name in names)):
            group = dict(zip(names, codes, strict=True))
            g = np.zeros(len(design.columns))
            for size, parts in _indicator(design, group):
                g[at[parts]] += size
            for score, information in cells:
                value = score * g @ first.score + information * g @ beside[0]
                noise = np.linalg.norm(g * np.hypot(first.score_noise, information * beside[1]))
                if value <= CLEAR * noise:
                    gone.append(group)
                    break
    return hidden_by(design, gone)


def _codes(design: Design, name: str) -> range:
    """The values of a column that says to which group a row belongs; none for a number."""
    cells = design.domains[name].cells
    return range(cells if cells == 2 or design.wide(name) else 0)


def _indicator(design: Design, group: Group) -> list[tuple[float, frozenset[tuple[str, int]]]]:
    """A group as a sum of columns of the design."""
    out: list[tuple[float, frozenset[tuple[str, int]]]] = [(1.0, frozenset())]
    for name, code in group.items():
        if not design.wide(name):  # half of 1 and half of what is -1 or 1
            factor = [(0.5, frozenset()), (0.5 if code != FIRST else -0.5, frozenset({(name, 1)}))]
        elif code != FIRST:
            factor = [(1.0, frozenset({(name, code)}))]
        else:
            factor = [(1.0, frozenset()), *((-1.0, frozenset({(name, one)})) for one in _codes(design, name)[1:])]
        out = [(size * more, parts | other) for size, parts in out for more, other in factor]
    return out
