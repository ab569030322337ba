"""A step of a logistic or a Poisson regression: which sums are measured, and how far one row can move them.

The columns are those of a straight line's design. Beside each sum's product stands a public function of the row's
outcome and of its linear predictor at the step's coefficients: the residual in the score, the variance in the
information. Both are whole numbers, are moved between public ends, and are multiplied by the row's weight, which
depends on its covariates alone. docs/proofs/step.md has the reasons.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product

from pets.common.codec import number
from pets.errors import QueryError
from pets.plan.fitted.design import ONE, SPARE, Design, Monomial, design_of, squared, times, yes_or_no
from pets.plan.fitted.exponential import FAR, FINE, exponential, logistic, poisson_bits
from pets.plan.measure import Cell, Link, Sensitivity
from pets.plan.predicate import field
from pets.query_model.nodes.newton import GRID, Newton
from pets.schema.domain import Boolean, Domain
from pets.schema.numeric import Integer, Numeric

ENOUGH = 38
"""Bits of what a row adds to a sum that are enough under noise, so that the noise stays within what can be drawn."""
EVEN = 6
"""Bits beyond the needed ones with which the sums of a block are of almost one unit, where there is room for them."""
NEEDED = 16
"""Bits beyond those of the greatest product that a sum has at least, where there is room for them."""
LEAST = 8
"""Bits of a residual and of a variance, at least."""
Exposure = tuple[str, int, int, int]
"""Column, and the exposure at code 0, from code to code, and at most, in a common unit."""
BEYOND = 4
"""No mean of a Poisson regression passes its greatest outcome; an exact one's, so many times that."""
WIDE, HIGH = 1 << 22, 1 << 24
"""An exposure has fewer steps, and no mean before it passes the other."""


@dataclass(frozen=True)
class Step:
    """The sums of a step.

    Attributes:
        design: of the columns; its domains have the exposure too.
        monomials: the product of each sum.
        cells: the sums with their public factors; with ``link`` the first are the score's, one a column.
        of_row: how far one row moves them.
        units: what the greatest row adds to each sum.
    """

    design: Design
    monomials: tuple[Monomial, ...]
    cells: tuple[Cell, ...]
    of_row: Sensitivity
    units: tuple[int, ...]
    link: Link | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """The name of each sum."""
        names = [self.design.name(one) for one in self.monomials]
        if self.link is None:
            return tuple(names)
        p = len(self.link.at)
        return tuple(f"{'score' if place < p else 'information'} {name}" for place, name in enumerate(names))


def step_of(asked: Newton, fields: Mapping[str, Domain], table: str, rows: int, greatest: int) -> Step:
    """The sums that a step measures.

    Args:
        rows: of all people together, at most.
        greatest: what no sum may pass.

    Raises:
        QueryError: for columns without numbers, too many coefficients or too few, and sums that could pass it.
    """
    design = design_of(asked.moments, fields, table)
    low, high = _outcome(asked, design.domains[asked.outcome])
    exposure = None
    if asked.exposure is not None:
        domain = field(asked.exposure, fields, table)
        exposure = _exposure(asked.exposure, domain)
        design = replace(design, domains={**design.domains, asked.exposure: domain})
    room = (greatest // rows).bit_length() - 1
    if not asked.fine:
        widest = max(map(design.largest, design.monomials)).bit_length()
        room = min(room - SPARE, max(ENOUGH, widest + NEEDED))
    if asked.at is None:
        return _start(asked, design, room)
    if len(asked.at) != len(design.columns):
        raise QueryError(
            f"the regression has {len(design.columns)} coefficients ({', '.join(design.terms[:4])}, …), and "
            f"{len(asked.at)} are given; give one for each"
        )
    return _step(asked, design, room, (low, high), exposure)


def _outcome(asked: Newton, domain: Domain) -> tuple[int, int]:
    """The least and the greatest outcome."""
    low, high = (domain.lo, domain.hi) if isinstance(domain, Integer) else (0, 1)
    if asked.family == "logistic":
        if isinstance(domain, Boolean) or (isinstance(domain, Integer) and (low, high) == (0, 1)):
            return low, high
        raise QueryError(
            f"the outcome of a logistic regression is a boolean, and column {asked.outcome!r} holds "
            f"{domain.describe()}; name another{yes_or_no(asked.outcome, domain)}"
        )
    if not isinstance(domain, (Integer, Boolean)) or low < 0 or high >= HIGH:
        raise QueryError(
            f"the outcome of a Poisson regression is a number of events: an integer from 0 or more to below {HIGH:,}, "
            f"or a boolean, and column {asked.outcome!r} holds {domain.describe()}; name another, or bound it in the "
            "schema"
        )
    return low, high


def _exposure(name: str, domain: Domain) -> Exposure:
    """What is known of the exposure."""
    if not isinstance(domain, Numeric) or domain.origin <= 0:
        least = number(domain.spacing) if isinstance(domain, Numeric) else 1
        raise QueryError(
            f"an exposure is a number above 0, and column {name!r} holds {domain.describe()}; let the schema's min of "
            f"it be its least value, above 0, such as {least}"
        )
    if domain.cells < 2:
        raise QueryError(f"the exposure {name!r} can only have one value, and tells nothing; leave it out")
    first = domain.origin / domain.spacing
    each = first.denominator
    most = first.numerator + each * (domain.cells - 1)
    if most >= WIDE:
        raise QueryError(f"the exposure {name!r} has too many steps; use a coarser step for it in the schema")
    return name, first.numerator, each, most


def _start(asked: Newton, design: Design, room: int) -> Step:
    """Rows and outcomes, in each value of what has two, in all values but the first of what has more."""
    y: Monomial = (((asked.outcome, 1),), ())
    groups = [ONE, *(one.monomial for one in design.columns if len(one.term) == 1 and _grouped(one.monomial, design))]
    found = [one for group in groups for one in (group, times(group, y, design.domains)) if one is not None]
    if asked.exposure is not None:
        found.append((((asked.exposure, 1),), ()))
    top = 1 << room
    if top < max(map(design.largest, found)):
        raise _large(design)
    cells = tuple(_cell(design, one, top // design.largest(one)) for one in found)
    units = tuple(cell.unit for cell in cells)
    return Step(design, tuple(found), cells, _norms(found, units), units)


def _grouped(one: Monomial, design: Design) -> bool:
    """Whether a column says to which of two groups a row belongs."""
    return all(design.domains[name].cells == 2 for name, _ in one[0])


def _step(
    asked: Newton,
    design: Design,
    room: int,
    ends: tuple[int, int],
    exposure: Exposure | None,
) -> Step:
    assert asked.at is not None
    columns = [one.monomial for one in design.columns]
    if max(map(design.largest, columns)) >= 1 << 31:
        raise _large(design)
    pairs: dict[Monomial, None] = {}
    for i, one in enumerate(columns):
        for other in columns[i:]:
            both = times(one, other, design.domains)
            if both is not None:
                pairs.setdefault(both)
    top, finest, cap = 1, FINE, ends[1]
    if asked.family == "poisson":
        top = cap = ends[1] * (BEYOND if asked.fine else 1)
        if exposure is not None:
            top = -(-top * exposure[3] // exposure[1])
        if top >= HIGH:
            raise QueryError("the exposure's greatest value is too many times its least; raise its min in the schema")
        finest = poisson_bits(top)
    residual, variance = _most(asked, columns, ends, cap, exposure)
    shares = _squares(columns, list(pairs), asked.weights, design)
    # three quarters of the loss are the score's
    wide = 1 << room
    ratio = shares[0] / (3 * shares[1])
    rooms = (wide, math.isqrt(math.floor(wide**2 * ratio)))
    if asked.fine:  # (no noise to be shared out)
        rooms = (wide, wide)
    elif ratio > 1:
        rooms = (math.isqrt(math.floor(wide**2 / ratio)), wide)
    cells, bits, tops = [], [], []
    for monomials, block, most in zip((columns, list(pairs)), rooms, (residual, variance), strict=True):
        largest = max(map(design.largest, monomials))
        tries = product(range(0 if asked.fine else EVEN, -1, -1), range(finest, LEAST - 1, -1))
        kept = next((bit for even, bit in tries if block // math.ceil(most * (1 << bit)) >= largest << even), None)
        if kept is None:
            raise _large(design)
        tops.append(math.ceil(most * (1 << kept)))
        bits.append(kept)
        cells += [_cell(design, one, block // tops[-1] // design.largest(one)) for one in monomials]
    p = len(columns)
    units = tuple(cell.unit * tops[place >= p] for place, cell in enumerate(cells))
    found = (*columns, *pairs)
    link = Link(
        asked.family,
        asked.at,
        asked.outcome,
        (ends[0], cap),
        (bits[0], bits[1]),
        (tops[0], tops[1]),
        top,
        None if asked.weights is None else int(asked.weights * 64),
        exposure,
    )
    return Step(
        design, found, tuple(cells), _norms(found, units, p, None if asked.weights is None else shares), units, link
    )


def _most(
    asked: Newton,
    columns: Sequence[Monomial],
    ends: tuple[int, int],
    cap: int,
    exposure: Exposure | None,
) -> tuple[Fraction, Fraction]:
    """The greatest residual and the greatest variance at the coefficients, of any row of the public domains."""
    assert asked.at is not None
    below = above = Fraction(0)
    for one, at in zip(columns, asked.at, strict=True):
        size = Fraction(at, 1 << GRID)
        alone = not one[0]  # 1, or indicators: from 0 to 1
        fixed = alone and not one[1]
        below += size if fixed else min(size, Fraction(0)) if alone else -abs(size)
        above += size if fixed else max(size, Fraction(0)) if alone else abs(size)
    below, above = (min(max(end, Fraction(-FAR)), Fraction(FAR)) for end in (below, above))
    if asked.family == "logistic":
        low, high = logistic(below), logistic(above)
        near = Fraction(1, 2) if below <= 0 <= above else low if below > 0 else high
        return max(high, 1 - low), near * (1 - near)
    least = Fraction(1)
    if exposure is not None:
        least = Fraction(exposure[1], exposure[3])
    low, high = (min(exponential(end), Fraction(cap)) for end in (below, above))
    return max(high - ends[0], ends[1] - low * least), high


def _squares(
    columns: Sequence[Monomial], pairs: Sequence[Monomial], radius: Fraction | None, design: Design
) -> tuple[Fraction, Fraction]:
    """The greatest sum of squares of a row's weighted columns, and of their products that are measured."""
    score, information = (Fraction(squared(of, [1] * len(of))) for of in (columns, pairs))
    if radius is None:
        return score, information
    signs = sum(not one[1] and _grouped(one, design) for one in columns) - 1  # always -1 or 1, beside the intercept
    least = Fraction(1 + signs)
    ends = [max(radius, least), max(radius, score)]
    middle = min(max(Fraction(4 * signs), ends[0]), ends[1])
    sizes = {*ends, middle, max(min(radius, score), least)}
    weighed = max(min(Fraction(1), radius / size) ** 2 * ((size**2 + size) / 2 - signs) for size in sizes)
    return min(score, radius**2 / ends[0]), min(information, weighed)


def _norms(
    monomials: Sequence[Monomial],
    units: Sequence[int],
    score: int = 0,
    shares: tuple[Fraction, Fraction] | None = None,
) -> Sensitivity:
    """How far one row moves the sums; with row weights the sums of squares are the shares of the greatest units'."""
    together = squared(monomials, [unit**2 for unit in units])
    if shares:
        blocks = (max(units[:score]), max(units[score:]))
        together = min(together, sum(math.floor(unit**2 * share) for unit, share in zip(blocks, shares, strict=True)))
    return Sensitivity(squared(monomials, [1] * len(units)), squared(monomials, units), together, max(units))


def _cell(design: Design, one: Monomial, factor: int) -> Cell:
    return Cell(factor, tuple((name, design.weight(name), power) for name, power in one[0]), one[1])


def _large(design: Design) -> QueryError:
    widest = max(design.domains, key=lambda name: design.weight(name).largest)
    return QueryError(
        f"the products of {widest!r} could pass 2^62; use a coarser step for it, or state a smaller 'people' (a public "
        "upper bound) in the schema's table"
    )
