"""One step of a training: a frozen node of what people would move a network's weights by, at public weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, ClassVar

from pets.common.arguments import plain_fields
from pets.common.codec import Json, fraction, number, whole
from pets.errors import QueryError, shown
from pets.query_model.expression import Filter
from pets.query_model.nodes.aggregate_base import check_column, check_where, named
from pets.query_model.nodes.layers import LARGEST, MAX_CLIP, MAX_COLUMNS, MAX_SIZE, Hidden, hidden_of, number_of
from pets.query_model.nodes.moments import OfColumns


@plain_fields(QueryError)
@dataclass(frozen=True)
class Gradient(OfColumns):
    """The sum over people of what each would move a network's weights by, at weights that everybody knows.

    What one person adds is at most ``norm`` in L2. Without weights, how many people have a row that counts: one with a
    value in the outcome and every input.

    Attributes:
        columns: of the outcome and the inputs; it follows from them.
        where: only rows that meet this condition.
        outcome: a boolean or a category.
        inputs: numbers, booleans and categories, in the order in which they enter the first layer.
        hidden: the width of each hidden layer and the activation after it.
        norm: C, the most (in L2) by which one person moves the sum: a training's clip.
        at: the weights, layer by layer, as whole numbers of 2^-16.
    """

    columns: tuple[str, ...] = field(default=(), init=False)  # type: ignore[assignment]
    where: Filter | None = None
    outcome: str = ""
    inputs: tuple[str, ...] = ()
    hidden: Hidden = ()
    norm: Fraction = Fraction(1)
    at: tuple[int, ...] | None = None
    kind: ClassVar[str] = "gradient"

    def __post_init__(self) -> None:
        check_where(self.where)
        outcome, given = named(self.outcome), self.inputs
        if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, Sequence):
            raise QueryError(f"inputs is a list of columns, such as ['age', 'sex'], not {shown(given)}")
        inputs = tuple(map(named, given))
        for name in (outcome, *inputs):
            check_column("a step of a training", name)
        if not 1 <= len(inputs) <= MAX_COLUMNS or len({outcome, *inputs}) != len(inputs) + 1:
            raise QueryError(
                f"a step of a training has from 1 to {MAX_COLUMNS} inputs, each once, and its outcome is none of them; "
                "give such as inputs=['age', 'sex']"
            )
        object.__setattr__(self, "outcome", outcome)
        object.__setattr__(self, "inputs", inputs)
        object.__setattr__(self, "hidden", hidden_of(_layers(self.hidden)))
        object.__setattr__(self, "norm", fraction(number_of("norm", self.norm, MAX_CLIP)))
        object.__setattr__(self, "at", _weights(self.at))
        object.__setattr__(self, "columns", tuple(sorted({outcome, *inputs})))

    def to_json(self) -> Json:
        out: Json = {"agg": self.kind, "outcome": {"column": self.outcome}}
        out["inputs"] = [{"column": name} for name in self.inputs]
        out["hidden"] = [{"layer": name, "out": width} for width, name in self.hidden]
        out["norm"] = number(self.norm)
        out |= {} if self.at is None else {"at": list(self.at)}
        return out if self.where is None else out | {"where": self.where.to_json()}


def _layers(given: Any) -> Any:
    """Hidden layers as pairs, from JSON too; what is none is left for :func:`hidden_of` to refuse."""
    if not isinstance(given, (tuple, list)):
        return given
    pairs = [(one.get("out"), one.get("layer")) if isinstance(one, Mapping) else one for one in given]
    if any(not isinstance(one, (tuple, list)) or len(one) != 2 for one in pairs):
        raise QueryError(f"a hidden layer is a width and an activation, such as (16, 'tanh'), not {shown(given)}")
    return tuple(map(tuple, pairs))


def _weights(given: Any) -> tuple[int, ...] | None:
    if given is None:
        return None
    try:
        found = tuple(whole(one) for one in given)
    except (TypeError, ValueError):
        found = ()
    if not 0 < len(found) <= MAX_SIZE or max(map(abs, found)) > LARGEST:
        raise QueryError(
            f"weights are up to {MAX_SIZE:,} whole numbers of 2^-16 from -64 to 64, such as (0, 65536), not "
            f"{shown(given)}"
        )
    return found
