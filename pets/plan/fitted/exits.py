"""Exits: the bins of a survival curve, and the square root of prefix sums by which exits in them are measured.

Of everybody it is counted in which bin of time they leave: with the event, or without it (censored). A curve rests on
sums of many bins, so not the counts themselves get noise but sums of each with weights 1, 1/2, 3/8, … of the bins
before it: the lower-triangular Toeplitz matrix M whose square adds up all earlier bins. One row moves these sums by √(1
+ 1/4 + 9/64 + …) only, which grows with the root of the logarithm of the number of bins, and sums of counts have noise
of that size in place of one that grows with the root of their number.

Source: Fichtenberger, Henzinger and Upadhyay 2023, "Constant matters: fine-grained error bound on differentially
private continual observation", ICML; weights are rounded to whole multiples of 2^-16, and everything that follows uses
these whole numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import pairwise

import numpy as np

from pets.common.integers import Floats, Ints, Numbers
from pets.errors import QueryError
from pets.plan.measure import Sensitivity
from pets.plan.predicate import field
from pets.query_model.nodes.bin_edges import cut_json
from pets.query_model.nodes.exits import Exits
from pets.schema.domain import Boolean, Domain
from pets.schema.numeric import Numeric

UNIT = 1 << 16
"""What 1 is in the weights."""


@dataclass(frozen=True)
class ExitBins:
    """The bins of time.

    Attributes:
        edges: the ends of the bins, in the column's unit: a bin has the times from one edge up to, not with, the next.
        breaks: the bins' first codes and the code after the last; where times go on past the last edge, they are one
            more bin.
        domain: of the time.
    """

    edges: tuple[Fraction, ...]
    breaks: tuple[int, ...]
    domain: Numeric

    @property
    def within(self) -> int:
        """Bins up to the last edge."""
        return len(self.edges) - 1

    @property
    def levels(self) -> tuple[int, int]:
        """Numbers in the list of events, and in that of people who leave without one or stay past the last edge."""
        return self.within, len(self.breaks) - 1

    @property
    def largest(self) -> Fraction:
        """The largest time that the schema allows."""
        return self.domain.origin + self.domain.spacing * (self.domain.cells - 1)

    @property
    def values(self) -> tuple[Fraction | None, ...]:
        """The one value of each bin that has no more than one."""
        pairs = pairwise(self.breaks[: self.within + 1])
        return tuple(self.domain.origin + self.domain.spacing * a if b - a == 1 else None for a, b in pairs)

    @property
    def labels(self) -> tuple[str, ...]:
        """What each number of the two lists is."""
        ends = [str(cut_json(edge)) for edge in self.edges]
        bins = [f"[{a}, {b})" for a, b in pairwise(ends)]
        later = [f"left from {ends[-1]} on"] if len(self.breaks) > len(self.edges) else []
        return (*(f"event in {one}" for one in bins), *(f"left in {one}" for one in bins), *later)


def exit_bins(asked: Exits, fields: Mapping[str, Domain], table: str) -> ExitBins:
    """The bins of a survival curve on public domains; raises :class:`QueryError` for what is no time, or no event."""
    domain, event = field(asked.time, fields, table), field(asked.event, fields, table)
    if not isinstance(domain, Numeric):
        raise QueryError(
            f"column {asked.time!r} holds {domain.describe()}, and the time of a survival curve is a number; name a "
            "column of one, or compute the days between two dates: with_columns(days=pets.col('left') - "
            "pets.col('came'))"
        )
    if not isinstance(event, Boolean):
        raise QueryError(
            f"column {asked.event!r} holds {event.describe()}, and whether a time ended in the event is a boolean; "
            "name one, or declare it so in the schema"
        )
    if domain.origin < 0:
        raise QueryError(
            f"by the schema column {asked.time!r} can be {cut_json(domain.origin)}, and no survival time is before 0; "
            f"state min: 0 in the schema, or leave such rows out: data.where(pets.col({asked.time!r}) >= 0)"
            f".with_columns(t=pets.max_of(pets.col({asked.time!r}), 0))"
        )
    if asked.edges is None:
        last = domain.cells - 1  # a bin of its own: who only reaches the largest time is at risk all the time before it
        count = min(last, asked.bins or 1)
        breaks = (*(last * i // count for i in range(count)), last, domain.cells) if last else (0, 1)
        return ExitBins(tuple(domain.origin + domain.spacing * at for at in breaks), breaks, domain)
    edges = asked.edges
    if not 0 <= edges[0] <= domain.origin:
        raise QueryError(
            f"the first edge of a survival curve is at or before all times and not below 0, and here {asked.time!r} "
            f"can be {cut_json(domain.origin)} and the first edge is {cut_json(edges[0])}; begin with 0"
        )
    starts = [max(0, math.ceil((edge - domain.origin) / domain.spacing)) for edge in edges]
    breaks = tuple(min(start, domain.cells) for start in starts)
    empty = next((at for at, (a, b) in enumerate(pairwise(breaks)) if a >= b), None)
    if empty is not None:
        raise QueryError(
            f"no value of column {asked.time!r} lies from {cut_json(edges[empty])} up to {cut_json(edges[empty + 1])}: "
            f"it holds {domain.describe()}; leave one of these edges out"
        )
    return ExitBins(edges, breaks if breaks[-1] == domain.cells else (*breaks, domain.cells), domain)


@cache
def weights(size: int) -> tuple[int, ...]:
    """The first column of M: 1, 1/2, 3/8, … as whole multiples of 2^-16.

    >>> weights(4)
    (65536, 32768, 24576, 20480)
    """
    out, above, below = [], 1, 1
    for k in range(size):
        out.append((2 * UNIT * above + below) // (2 * below))
        above, below = above * (2 * k + 1), below * (2 * k + 2)
    return tuple(out)


@cache
def matrix(size: int) -> Ints:
    """M, in whole multiples of 2^-16."""
    column = np.array(weights(size), dtype=np.int64)
    away = np.subtract.outer(np.arange(size), np.arange(size))
    made: Ints = np.where(away >= 0, column[np.maximum(away, 0)], 0)
    made.setflags(write=False)
    return made


def of_row(size: int) -> Sensitivity:
    """How far one row moves the sums: by M's first column, the longest, if it leaves in the first bin."""
    column = weights(size)
    return Sensitivity(size, sum(column), sum(one**2 for one in column), UNIT)


@cache
def inverse(size: int) -> Floats:
    """M⁻¹, of sums in whole multiples of 2^-16."""
    made: Floats = np.linalg.inv(matrix(size) / UNIT) / UNIT
    made.setflags(write=False)
    return made


def max_spread(size: int) -> float:
    """The greatest standard deviation of a count that is solved from sums with noise of deviation 1: of the last.

    >>> round(max_spread(1) * UNIT, 4), round(max_spread(24) * UNIT, 4)
    (1.0, 1.1283)
    """
    return float(np.sqrt((inverse(size)[-1] ** 2).sum()))


def counts(sums: Ints) -> Ints:
    """The counts of which these are the exact sums; along the last axis."""
    size = sums.shape[-1]
    column = np.array(weights(size), dtype=np.int64)
    out = np.zeros_like(sums)
    for at in range(size):
        out[..., at] = (sums[..., at] - out[..., :at] @ column[1 : at + 1][::-1]) // UNIT
    return out


def solved(sums: Ints, levels: tuple[int, ...], exact: bool) -> tuple[Numbers, Floats]:
    """The counts in two lists of sums, group by group; and their standard deviations for noise of 1 on each sum."""
    parts = [sums[:, : levels[0]], sums[:, levels[0] :]]
    turns = [inverse(size) for size in levels]
    spread = np.concatenate([np.sqrt((turn**2).sum(axis=1)) for turn in turns])
    found = [counts(part) if exact else part @ turn.T for part, turn in zip(parts, turns, strict=True)]
    return np.concatenate(found, axis=1), spread
