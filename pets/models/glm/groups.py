"""Groups: what the sums with which a regression starts say of each value of a boolean or a category.

Where every row of a group has the same outcome, no coefficient of it is the best one, and noise would make one up that
looks certain. So a group with a cell in the table of its rows and outcomes that noise could have filled gives none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pets.models.least_squares import scale
from pets.plan.fitted.design import ONE, Column, Monomial, times
from pets.plan.fitted.newton import Step
from pets.query_model.nodes.newton import Newton

CLEAR = 3.0
"""Standard deviations of its noise that a cell is above nothing."""
Part = tuple[float, Monomial]


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
        """The columns of unclear groups, and of products with one of them."""
        gone: set[tuple[str, int | None]] = set()
        categories: dict[str, list[Column]] = {}
        for one in self.design.columns:
            if len(one.term) != 1 or one.monomial not in self.sums:
                continue
            (name,) = one.term
            if name in one.levels:
                categories.setdefault(name, []).append(one)
                if self.unclear([(1.0, one.monomial)]):
                    gone.add((name, one.levels[name]))
            elif any(self.unclear([(0.5, ONE), (sign, one.monomial)]) for sign in (0.5, -0.5)):
                gone.add((name, None))
        for name, columns in categories.items():  # the value that the others are held against
            if self.unclear([(1.0, ONE), *((-1.0, one.monomial) for one in columns)]):
                gone |= {(name, one.levels[name]) for one in columns}
        return tuple(
            place
            for place, one in enumerate(self.design.columns)
            if any((name, one.levels.get(name)) in gone for name in one.term)
        )
