"""Train plan: the whole numbers of each step of a training, and how far one person moves them.

A step is one vector: the sum over people of the person's gradient at public weights, in whole numbers of 2^-12, whose
L2 norm for one person is at most the clip. Before the first there is one number, how many people there are. No row is
read here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from pets.common.codec import Json, digest
from pets.errors import QueryError
from pets.plan.networks.wiring import Input, Wiring, wiring_of
from pets.plan.plan import Plan, make_plan
from pets.query_model.trained.network import Network
from pets.schema.domain import Domain
from pets.schema.schema import Schema


@dataclass(frozen=True)
class TrainPlan:
    """What each step measures.

    Attributes:
        plan: of the rows: one count of those with all values.
        network: what is trained.
        wiring: how rows enter it.
    """

    plan: Plan
    network: Network
    wiring: Wiring

    @property
    def inputs(self) -> tuple[Input, ...]:
        """Of the first layer, without the one that is always 1."""
        return self.wiring.inputs

    @property
    def widths(self) -> tuple[int, ...]:
        """Of all layers: inputs, hidden ones, outputs."""
        return self.wiring.widths

    @property
    def size(self) -> int:
        """The numbers of one step: a weight for each input of each unit, and one for what is always 1."""
        return self.wiring.size

    @property
    def bound(self) -> int:
        """The most, in L2, by which one person moves a step's vector, in its own whole numbers."""
        return self.wiring.bound

    @property
    def l2_squared(self) -> int:
        """Its square: what the noise is priced by."""
        return self.wiring.l2_squared

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
        one: Json = {"kind": "people", "l0": 1, "l1": 1, "l2_squared": 1, "linf": 1}
        moved: Json = dict(zip(("l0", "l1"), self.wiring.most, strict=True))
        return [one, {"kind": "gradient"} | moved | {"l2_squared": self.l2_squared, "linf": self.bound}]

    def to_json(self) -> Json:
        """The canonical form: no row, no snapshot."""
        form = self.plan.to_json() | {"pets": "train plan", "network": self.network.to_json()}
        return form | {"inputs": self.wiring.entering, "widths": list(self.widths), "bound": self.bound}

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical form."""
        return digest(self.to_json())


def make_train_plan(network: Network, schema: Schema) -> TrainPlan:
    """The plan of a training; raises :class:`QueryError` where there is none."""
    plan = make_plan(network.query, schema)
    about = network.outcome, network.columns, network.hidden, network.clip
    made = TrainPlan(plan, network, wiring_of(*about, plan.fields, plan.table, plan.rows))
    if network.outputs not in (None, made.widths[-1]):
        raise QueryError(
            f"the last layer has {network.outputs} outputs, and the outcome {network.outcome!r} of {made.classes} "
            f"values needs {made.widths[-1]}; write ('linear', {made.widths[-1]}), or 'linear' alone"
        )
    return made
