"""Train plan: the whole numbers of each step of a training, and how far one person moves them.

A step is one vector: the sum over people of the person's gradient at public weights, in whole numbers of 2^-12, whose
L2 norm for one person is at most the clip. Before the first there is one number, how many people there are. No row is
read here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from pets.common.codec import Json, digest, fraction
from pets.errors import QueryError
from pets.plan.plan import Plan, make_plan
from pets.plan.predicate import field
from pets.plan.trained.fixed_point import GRADIENT, MAX_HELD, MAX_INPUTS, MAX_SIZE
from pets.query_model.trained.network import Network
from pets.schema.domain import Boolean, Category, Domain
from pets.schema.numeric import Numeric
from pets.schema.schema import Schema

MAX_CLASSES = 100
MAX_LEVELS = 200
"""Values of a category among the columns."""

Input = tuple[str, int | None]
"""A column, and of a category of more than two values the code whose indicator it is."""


@dataclass(frozen=True)
class TrainPlan:
    """What each step measures.

    Attributes:
        plan: of the rows: one count of those with all values.
        network: what is trained.
        inputs: of the first layer, without the one that is always 1.
        widths: of all layers: inputs, hidden ones, outputs.
    """

    plan: Plan
    network: Network
    inputs: tuple[Input, ...]
    widths: tuple[int, ...]

    @property
    def size(self) -> int:
        """The numbers of one step: a weight for each input of each unit, and one for what is always 1."""
        return sum((before + 1) * after for before, after in pairwise(self.widths))

    @property
    def bound(self) -> int:
        """The most, in L2, by which one person moves a step's vector, in its own whole numbers.

        At most 2^18, and a schema states at most 2^40 people: sums stay within 2^58.
        """
        return int(fraction(self.network.clip) * GRADIENT)

    @property
    def l2_squared(self) -> int:
        """Its square: what the noise is priced by."""
        return self.bound**2

    @property
    def classes(self) -> int:
        """How many values the outcome has."""
        return self.domain(self.network.outcome).cells

    @property
    def numbers(self) -> int:
        """All that is released."""
        return self.network.steps * self.size + 1

    def domain(self, column: str) -> Domain:
        """Of the outcome or a column."""
        return self.plan.fields[column]

    def sensitivities(self) -> list[Json]:
        """How far one person moves the count of people, and each step."""
        square = self.l2_squared
        one: Json = {"kind": "people", "l0": 1, "l1": 1, "l2_squared": 1, "linf": 1}
        # (whole numbers whose squares add up to B²: no more of them than B² are not 0, and |v| ≤ v²; Cauchy-Schwarz)
        moved: Json = {"l0": min(self.size, square), "l1": min(square, math.isqrt(self.size * square))}
        return [one, {"kind": "gradient"} | moved | {"l2_squared": square, "linf": self.bound}]

    def to_json(self) -> Json:
        """The canonical form: no row, no snapshot."""
        form = self.plan.to_json() | {"pets": "train plan", "network": self.network.to_json()}
        inputs: list[Json] = [{"column": name} | ({} if code is None else {"code": code}) for name, code in self.inputs]
        return form | {"inputs": inputs, "widths": list(self.widths), "bound": self.bound}

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical form."""
        return digest(self.to_json())


def make_train_plan(network: Network, schema: Schema) -> TrainPlan:
    """The plan of a training; raises :class:`QueryError` where there is none."""
    plan = make_plan(network.query, schema)
    classes = _outcome(network.outcome, plan.fields, plan.table)
    outputs = 1 if classes == 2 else classes
    if network.outputs not in (None, outputs):
        raise QueryError(
            f"the last layer has {network.outputs} outputs, and the outcome {network.outcome!r} of {classes} values "
            f"needs {outputs}; write ('linear', {outputs}), or 'linear' alone"
        )
    inputs = [one for name in network.columns for one in _inputs(name, plan.fields, plan.table)]
    if len(inputs) > MAX_INPUTS:
        raise QueryError(
            f"the columns make {len(inputs):,} inputs, and a network takes at most {MAX_INPUTS:,}; take fewer columns, "
            "or categories of fewer values (group them with map)"
        )
    widths = (len(inputs), *(width for width, _ in network.hidden), outputs)
    made = TrainPlan(plan, network, tuple(inputs), widths)
    if made.size > MAX_SIZE:
        raise QueryError(
            f"the network has {made.size:,} weights, and a training takes at most {MAX_SIZE:,}; take narrower layers"
        )
    if made.size * plan.rows > MAX_HELD:
        raise QueryError(
            f"{made.size:,} weights times {plan.rows:,} rows of a person are too many to be held at a time; take "
            f"narrower layers, or data=pets.query({plan.table!r}).bound(rows=1)"
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
