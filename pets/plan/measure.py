"""Measures and outputs: what a plan measures, and how an answer is made from measurements.

A *measure* is one block of the exact integer vector, with a proven sensitivity; noise is added to measures. An
*output* is what the reader asked for: post-processing of one or more noisy measures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from pets.common.codec import Json, number
from pets.plan.networks.wiring import Wiring
from pets.plan.predicate import Predicate, predicate_json
from pets.query_model.traits import TRAITS, Traits

MeasureKind = Literal[
    "rows",
    "balance",
    "units",
    "total",
    "square",
    "product",
    "leaves",
    "tree",
    "tails",
    "moments",
    "exits",
    "step",
    "descent",
    "meat",
]


@dataclass(frozen=True)
class Sensitivity:
    """How far one person can move a block of integers (all their rows added or removed).

    ``l2_squared`` is exact: the L2 sensitivity is its square root.
    """

    l0: int
    l1: int
    l2_squared: int
    linf: int

    def __post_init__(self) -> None:
        if min(self.l0, self.l1, self.l2_squared, self.linf) < 1:
            raise ValueError("a sensitivity is at least 1")

    def to_json(self) -> Json:
        """The canonical form."""
        return {"l0": self.l0, "l1": self.l1, "l2_squared": self.l2_squared, "linf": self.linf}


@dataclass(frozen=True)
class Weight:
    """The integer one row adds to a total: ``scale · (clamped code // coarse) − offset``.

    Attributes:
        low, high: codes are moved into this range first (the schema's bounds or a tighter clip).
        coarse: codes are grouped in runs of this many (1: not at all).
        scale: 1, or 2 where the midpoint lies half a step off the grid.
        offset: the weight of the midpoint is 0.
    """

    low: int
    high: int
    scale: int
    offset: int
    coarse: int = 1

    @property
    def span(self) -> tuple[int, int]:
        """The smallest and greatest weight of a row."""
        return (
            self.scale * (self.low // self.coarse) - self.offset,
            self.scale * (self.high // self.coarse) - self.offset,
        )

    @property
    def largest(self) -> int:
        """The greatest absolute weight of a row."""
        low, high = self.span
        return max(abs(low), abs(high))

    def to_json(self) -> Json:
        """The canonical form."""
        return {"low": self.low, "high": self.high, "scale": self.scale, "offset": self.offset, "coarse": self.coarse}


@dataclass(frozen=True)
class Cell:
    """One sum of a regression: of ``times`` a product of row weights, over the rows of some values of categories.

    Attributes:
        times: a public factor, which says how much of the noise it bears.
        factors: column, weight, and how often it is multiplied in.
        levels: column and code: rows with another value add nothing.
    """

    times: int
    factors: tuple[tuple[str, Weight, int], ...] = ()
    levels: tuple[tuple[str, int], ...] = ()

    @property
    def unit(self) -> int:
        """What a row of the greatest weights adds: the sum over this lies between minus and plus the rows."""
        return self.times * math.prod([int(weight.largest**power) for _, weight, power in self.factors])

    def to_json(self) -> Json:
        """The canonical form."""
        factors = [{"column": name, "weight": weight.to_json(), "power": n} for name, weight, n in self.factors]
        levels = [{"column": name, "code": code} for name, code in self.levels]
        return {"times": self.times, "factors": factors, "levels": levels}


@dataclass(frozen=True)
class Length:
    """A part of a row's squared length: ``times`` the squares of its weights, where no category has its first value.

    Attributes:
        times: a public factor.
        factors: column and weight.
        beyond: columns of categories: rows with the first value of one add nothing.
    """

    times: int
    factors: tuple[tuple[str, Weight], ...] = ()
    beyond: tuple[str, ...] = ()

    def to_json(self) -> Json:
        """The canonical form."""
        factors = [{"column": name, "weight": weight.to_json()} for name, weight in self.factors]
        return {"times": self.times, "factors": factors, "beyond": [{"column": name} for name in self.beyond]}


@dataclass(frozen=True)
class RowWeight:
    """How much a row counts in a regression: min(2^bits, ⌊top ÷ N⌋) of 2^bits, with N its squared length.

    Attributes:
        bits: how finely.
        top: 2^bits times the squared length up to which a row counts in full, on the scale of N.
        start: what each row has of N.
        parts: what it has beside.
    """

    bits: int
    top: int
    start: int
    parts: tuple[Length, ...] = ()

    @property
    def greatest(self) -> int:
        """The most that a row counts, of 2^bits: less where no row is so short that it counts in full."""
        return min(1 << self.bits, self.top // self.start)

    @property
    def constant(self) -> int | None:
        """The weight, where every row has the same."""
        return None if self.parts else self.greatest

    def to_json(self) -> Json:
        """The canonical form."""
        parts = [part.to_json() for part in self.parts]
        return {"bits": self.bits, "top": self.top, "start": self.start, "parts": parts}


@dataclass(frozen=True)
class Link:
    """What each sum of a regression's step is multiplied with, row by row: the residual, or the outcome's variance.

    Attributes:
        family: ``"logistic"`` or ``"poisson"``.
        at: the coefficients, in units of 2^-30, one for each of the first cells, whose products are the columns.
        outcome, ends: its column, its value at code 0, and what no mean passes.
        bits: of a residual's unit 2^-bits, and of a variance's.
        tops: the greatest residual and the greatest variance of a row, in these units; rows beyond are moved to them.
        top: the greatest mean, before it is multiplied by a row's share of the greatest exposure.
        radius: R² in units of 1/64 (``None``: every row weighs 1).
        exposure: column, and the exposure at code 0, from code to code, and at most, in a common unit.
    """

    family: str
    at: tuple[int, ...]
    outcome: str
    ends: tuple[int, int]
    bits: tuple[int, int]
    tops: tuple[int, int]
    top: int = 1
    radius: int | None = None
    exposure: tuple[str, int, int, int] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it looks at beside those of the cells."""
        return (self.outcome,) if self.exposure is None else (self.outcome, self.exposure[0])

    def to_json(self) -> Json:
        """The canonical form."""
        out: Json = {"family": self.family, "at": list(self.at), "outcome": {"column": self.outcome}}
        out |= {"ends": list(self.ends), "bits": list(self.bits), "tops": list(self.tops), "top": self.top}
        out |= {} if self.radius is None else {"radius": self.radius}
        if self.exposure is not None:
            column, first, each, most = self.exposure
            out["exposure"] = {"column": column, "first": first, "each": each, "most": most}
        return out


@dataclass(frozen=True)
class Scores:
    """How a person's score of a regression is made: of each of its columns, Σ w·x·(y − x'β) over the person's rows.

    Attributes:
        at: the coefficients, in units of 2^-30, one for each of the cells, whose products are the columns.
        outcome: its column, and its weight.
        norm, bound: the greatest length of a score, and what it is in whole numbers.
        split: of an exact answer, the bits of the lower half of a number; 0: numbers are in one piece.
    """

    at: tuple[int, ...]
    outcome: tuple[str, Weight]
    norm: Fraction
    bound: int
    split: int = 0

    def to_json(self) -> Json:
        """The canonical form."""
        outcome: Json = {"column": self.outcome[0], "weight": self.outcome[1].to_json()}
        out: Json = {"at": list(self.at), "outcome": outcome, "norm": number(self.norm), "bound": self.bound}
        return out | ({"split": self.split} if self.split else {})


@dataclass(frozen=True)
class Measure:
    """One block of the vector: ``width`` integers a group, group by group.

    Kinds:
        rows: number of rows (that meet ``where``).
        balance: rows that meet ``where`` minus rows that do not.
        units: distinct people with a row (that meets ``where``).
        total: the sum of row weights over rows with a value in ``column`` (that meet ``where``).
        square: the sum of squared row weights, each less ``centre``.
        product: the sum of the products of the row weights of two columns, over rows with a value in both.
        leaves: rows in each of ``width`` bins of ``column``; ``breaks`` are the bins' first codes and the code
            after the last.
        tails: kept rows that are their person's first, second, … (that meet ``where``), ``width`` of them.
        tree: the same bins, then sums of ever wider runs of them (``levels`` holds the nodes of each level, leaves
            first), in one block.
        moments: the sums of a regression, ``cells``, over rows with a value in each of its columns, each row times its
            ``row_weight``.
        exits: rows whose ``column`` lies in each bin and whose ``other`` is true, then those of which it is false, each
            list multiplied by the matrix of :mod:`pets.plan.fitted.exits` (``levels`` holds their lengths; what
            lies in bins past the first list counts in the second).
        step: the same of a step of a logistic or a Poisson regression: the first cells times each row's residual, the
            others times its variance, as ``link`` says.
        descent: the sum over people of what each would move a network's weights by, ``at`` these, as ``wiring`` says,
            in the one group that there is; without weights, how many people have a row that counts.
        meat: products of two numbers of a person's score, each ``cells`` times residuals, as ``scores`` says; summed
            over people, whose number is the last (``levels`` holds the lists' lengths).

    Attributes:
        sensitivity: of the whole block, proven in ``reason``.
        other, other_weight: the second column of a product; the event of exits.
        limit: the greatest absolute value a cell can reach for the schema's public number of people.
    """

    name: str
    kind: MeasureKind
    sensitivity: Sensitivity
    reason: str
    limit: int
    column: str | None = None
    where: Predicate | None = None
    weight: Weight | None = None
    centre: int = 0
    breaks: tuple[int, ...] = ()
    levels: tuple[int, ...] = ()
    width: int = 1
    other: str | None = None
    other_weight: Weight | None = None
    cells: tuple[Cell, ...] = ()
    row_weight: RowWeight | None = None
    link: Link | None = None
    wiring: Wiring | None = None
    at: tuple[int, ...] | None = None
    scores: Scores | None = None

    @property
    def units(self) -> tuple[int, ...]:
        """Of the sums of a regression: what each is divided by, so that a row that counts in full adds at most 1."""
        bits = 0 if self.row_weight is None else self.row_weight.bits
        return tuple(cell.unit << bits for cell in self.cells)

    @property
    def heaviest(self) -> Fraction:
        """The most that a row of a regression counts: 1 where there are no weights."""
        return Fraction(1) if self.row_weight is None else Fraction(self.row_weight.greatest, 1 << self.row_weight.bits)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns whose values it adds up, each once."""
        inside = [name for cell in self.cells for name in (*(one[0] for one in cell.factors), *dict(cell.levels))]
        inside += () if self.link is None else self.link.columns
        inside += () if self.wiring is None else (self.wiring.outcome, *self.wiring.columns)
        inside += () if self.scores is None else (self.scores.outcome[0],)
        return tuple(dict.fromkeys(one for one in (self.column, self.other, *inside) if one is not None))

    @property
    def reads_kept(self) -> bool:
        """Whether all kept rows of a person are looked at, whatever K is."""
        return self.kind in ("units", "tails")

    def to_json(self) -> Json:
        """The canonical form: what is measured and how far a person can move it."""
        out: Json = {"kind": self.kind, "sensitivity": self.sensitivity.to_json(), "limit": self.limit}
        if self.column is not None:
            out["column"] = self.column
        if self.where is not None:
            out["where"] = predicate_json(self.where)
        if self.weight is not None:
            out["weight"] = self.weight.to_json()
        if self.other is not None:
            out["other"] = self.other
        if self.other_weight is not None:
            out["other_weight"] = self.other_weight.to_json()
        if self.centre:
            out["centre"] = self.centre
        if self.breaks:
            out["breaks"] = list(self.breaks)
        if self.levels:
            out["levels"] = list(self.levels)
        if self.cells:
            out["cells"] = [cell.to_json() for cell in self.cells]
        if self.row_weight is not None:
            out["row_weight"] = self.row_weight.to_json()
        out |= {} if self.link is None else {"link": self.link.to_json()}
        if self.wiring is not None:
            out |= {"outcome": {"column": self.wiring.outcome}, "inputs": self.wiring.entering}
        if self.wiring is not None and self.at is not None:
            out["widths"], out["activations"] = list(self.wiring.widths), list(self.wiring.activations)
            out["at"] = list(self.at)
        out |= {} if self.scores is None else {"scores": self.scores.to_json()}
        return out


@dataclass(frozen=True)
class Output:
    """One column of the answer, computed from noisy measures.

    Attributes:
        name: the column's name.
        kind: what it is; its row of :data:`pets.query_model.traits.TRAITS` says how it is shown and priced.
        parts: indexes of the measures it is made from, in the order in which its shape's method in
            :mod:`pets.release.estimate` reads them: linear, one weighted sum and maybe its rows; ratio, a sum (or a
            balance) and its rows; moments and root ``(square, total, rows)``; joint ``(product, total, total, rows)``;
            correlation ``(product, total, total, square, square, rows)``; bins ``(leaves,)``; rank ``(tree,)``.
        needs: ``(measure index, coefficient)``: how strongly the noise of each part enters this output's error, in
            the output's units (for a mean, a rate and a variance: times the group's number of rows). The budget is
            split by it.
        factor: the output's unit per unit of a total: value = centre + factor · weight.
        centre: the value of weight 0 (for a sum: of each row).
        low, high: public bounds of one value (a mean lies between them).
        whole: the output is a whole number before noise.
        q: a quantile's share.
        sample: a variance is divided by n − 1.
        bins: labels of a histogram's bins, or the edges' values of a quantile's leaves.
        units: what each number of a list is divided by, where it is no count.
    """

    name: str
    kind: str
    parts: tuple[int, ...]
    needs: tuple[tuple[int, float], ...]
    factor: Fraction = Fraction(1)
    centre: Fraction = Fraction(0)
    low: Fraction = Fraction(0)
    high: Fraction = Fraction(0)
    whole: bool = True
    q: Fraction | None = None
    bins: tuple[Any, ...] = ()
    sample: bool = False
    units: tuple[int, ...] = ()

    @property
    def traits(self) -> Traits:
        """What is known of its kind."""
        return TRAITS[self.kind]

    def to_json(self) -> Json:
        """The canonical form."""
        out: Json = {"name": self.name, "kind": self.kind, "parts": list(self.parts)}
        for label, value in (("factor", self.factor), ("centre", self.centre), ("low", self.low), ("high", self.high)):
            out[label] = number(value)
        if self.q is not None:
            out["q"] = number(self.q)
        return out | {"sample": True} if self.sample else out
