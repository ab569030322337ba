"""Wiring: how a row's columns enter a network, how many weights it has, and how far one person moves a step of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from pets.common.codec import Json, fraction
from pets.errors import QueryError
from pets.plan.predicate import field
from pets.query_model.nodes.layers import MAX_SIZE, Hidden
from pets.schema.domain import Boolean, Category, Domain
from pets.schema.numeric import Numeric

GRADIENT = 2**12
"""Units in 1 of the sums that leave."""
MAX_INPUTS, MAX_HELD = 1023, 2**24
"""Of a network: its inputs, and weights times a person's rows (of which a schema has 10,000 at most)."""
MAX_CLASSES = 100
MAX_LEVELS = 200
"""Values of a category among the columns."""

Input = tuple[str, int | None]
"""A column, and of a category of more than two values the code whose indicator it is."""


@dataclass(frozen=True)
class Wiring:
    """A network as rows enter it.

    Attributes:
        outcome: its column.
        inputs: of the first layer, without the one that is always 1.
        widths: of all layers: inputs, hidden ones, outputs.
        activations: after each hidden layer.
        bound: the most, in L2, by which one person moves a step's vector, in its own whole numbers; at most 2^18, and a
            schema states at most 2^40 people: sums stay within 2^58.
    """

    outcome: str
    inputs: tuple[Input, ...]
    widths: tuple[int, ...]
    activations: tuple[str, ...]
    bound: int

    @property
    def columns(self) -> tuple[str, ...]:
        """Of the inputs, each once and in order."""
        return tuple(dict.fromkeys(name for name, _ in self.inputs))

    @property
    def size(self) -> int:
        """The numbers of one step: a weight for each input of each unit, and one for what is always 1."""
        return sum((before + 1) * after for before, after in pairwise(self.widths))

    @property
    def l2_squared(self) -> int:
        """The bound's square: what the noise is priced by."""
        return self.bound**2

    @property
    def most(self) -> tuple[int, int]:
        """How many numbers one person moves at most, and by how much in all."""
        # (whole numbers whose squares add up to B²: no more of them than B² are not 0, and |v| ≤ v²; Cauchy-Schwarz)
        square = self.l2_squared
        return min(self.size, square), min(square, math.isqrt(self.size * square))

    @property
    def entering(self) -> list[Json]:
        """The inputs in canonical form."""
        return [{"column": name} | ({} if code is None else {"code": code}) for name, code in self.inputs]


def wiring_of(
    outcome: str,
    columns: Sequence[str],
    hidden: Hidden,
    clip: float | Fraction,
    fields: Mapping[str, Domain],
    table: str,
    rows: int,
) -> Wiring:
    """The wiring of a network; ``rows``: of a person, that count.

    Raises:
        QueryError: for columns that no network takes, and networks that are too large.
    """
    classes = _outcome(outcome, fields, table)
    inputs = tuple(one for name in columns for one in _inputs(name, fields, table))
    if len(inputs) > MAX_INPUTS:
        raise QueryError(
            f"the columns make {len(inputs):,} inputs, and a network takes at most {MAX_INPUTS:,}; take fewer columns, "
            "or categories of fewer values (group them with map)"
        )
    widths = (len(inputs), *(width for width, _ in hidden), 1 if classes == 2 else classes)
    bound = int(fraction(clip) * GRADIENT)
    made = Wiring(outcome, inputs, widths, tuple(name for _, name in hidden), bound)
    if made.size > MAX_SIZE:
        raise QueryError(
            f"the network has {made.size:,} weights, and a training takes at most {MAX_SIZE:,}; take narrower layers"
        )
    if made.size * rows > MAX_HELD:
        raise QueryError(
            f"{made.size:,} weights times {rows:,} rows of a person are too many to be held at a time; take "
            f"narrower layers, or data=pets.query({table!r}).bound(rows=1)"
        )
    return made


def two_valued(domain: Domain) -> bool:
    """Whether a column is -1 or 1."""
    return domain.cells == 2 and not isinstance(domain, Numeric)


def _outcome(name: str, fields: Mapping[str, Domain], table: str) -> int:
    domain = field(name, fields, table)
    if not isinstance(domain, (Boolean, Category)) or not 2 <= domain.cells <= MAX_CLASSES:
        raise QueryError(
            f"column {name!r} holds {domain.describe()}, and the outcome of a network is a boolean or a category of 2 "
            f"to {MAX_CLASSES} values; name another column, or group its values with map"
        )
    return domain.cells


def _inputs(name: str, fields: Mapping[str, Domain], table: str) -> list[Input]:
    domain = field(name, fields, table)
    if not isinstance(domain, (Numeric, Boolean, Category)):
        raise QueryError(
            f"column {name!r} holds {domain.describe()}, and a network's column is a number, a boolean or a category; "
            "name another column"
        )
    if domain.cells < 2:
        raise QueryError(f"column {name!r} can only have one value, and tells nothing; leave it out")
    if isinstance(domain, Category) and domain.cells > MAX_LEVELS:
        raise QueryError(
            f"column {name!r} has {domain.cells:,} categories, and a network takes at most {MAX_LEVELS}; group them "
            "first, with map"
        )
    if isinstance(domain, Numeric) or two_valued(domain):
        return [(name, None)]
    return [(name, code) for code in range(1, domain.cells)]
