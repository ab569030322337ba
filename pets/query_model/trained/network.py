"""Network: a classifier as a closed list of layers, in the terms of a question: what explains what, in which rows.

Layers are named, and not handed over: code of an analyst's own would run on rows. Each named layer has a derivative for
each row alone, which is what a bound on one person rests on.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pets.common.arguments import plain_arguments, plain_fields
from pets.common.codec import Json, digest, fraction, number
from pets.errors import QueryError, shown
from pets.query_model.aggregate import Count
from pets.query_model.expression import IsNull, Not
from pets.query_model.nodes.aggregate_base import check_column
from pets.query_model.nodes.layers import (
    MAX_CLIP,
    MAX_COLUMNS,
    MAX_RATE,
    MAX_STEPS,
    MAX_WIDTH,
    Hidden,
    activation_of,
    hidden_of,
    layer_of,
    number_of,
    whole_of,
)
from pets.query_model.query import Query

VERSION = 1
NAME = "rows"
WHOLE = 100
"""What the learning rate of a step is divided out of: rate · steps."""

_WRITE = "write pets.network([('linear', 16), 'tanh', ('linear', 1)], outcome='ill', columns=['age', 'sex'], data='t')"


@plain_fields(QueryError)
@dataclass(frozen=True)
class Network:
    """A classifier: columns as numbers, hidden layers, and one output a class (one in all where there are two).

    Attributes:
        data: the question that chooses the rows and computes columns; it has no measure and no groups of its own.
        outcome: a boolean or a category: whose value is told.
        columns: numbers, booleans and categories that tell it.
        hidden: the width of each hidden layer and the activation after it (none: logistic regression).
        outputs: what the last layer was said to have; ``None``: as many as the outcome needs.
        steps: T, how often the weights move; each step is a release, and all are paid for before the first.
        rate: of the first steps; times 0.3 in the last two fifths.
        clip: C, the most (in L2) by which one person moves the sum of one step.
        seed: of the first weights, which are public.
    """

    data: Query
    outcome: str
    columns: tuple[str, ...]
    hidden: Hidden = ()
    outputs: int | None = None
    steps: int = WHOLE
    rate: float = 1.0
    clip: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.data, Query) or self.data.aggregates or self.data.keys or self.data.keyset is not None:
            raise QueryError(
                "a network's data is the name of a table, or a question about rows without measures and groups, such "
                "as pets.query('stays').where(pets.col('age') >= 18); the rows themselves go into pets.Session(schema, "
                "rows)"
            )
        if self.data.people is not None or self.data.groups is not None or self.data.rows_per_group is not None:
            raise QueryError(
                "a network is trained on the rows of one table, of which bound(rows=…) says how many of a person "
                "count; name the table, or pets.query('stays').bound(rows=1)"
            )
        object.__setattr__(self, "data", self.data.shown_as(None))
        check_column("a network's outcome", self.outcome)
        given: Any = self.columns
        if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, Sequence):
            raise QueryError(f"columns is a list of columns, such as ['age', 'sex'], not {shown(given)}")
        for name in given:
            check_column("a network's column", name)
        if not 1 <= len(given) <= MAX_COLUMNS or len(set(given)) != len(given) or self.outcome in given:
            raise QueryError(
                f"a network has from 1 to {MAX_COLUMNS} columns, each once, and its outcome is none of them; give such "
                "as columns=['age', 'sex']"
            )
        object.__setattr__(self, "columns", tuple(given))
        object.__setattr__(self, "hidden", hidden_of(self.hidden))
        for name, least, most in (("steps", 1, MAX_STEPS), ("seed", 0, 2**31), ("outputs", 1, MAX_WIDTH)):
            value = getattr(self, name)
            if name != "outputs" or value is not None:
                object.__setattr__(self, name, whole_of(name, value, least, most))
        for name, top in (("rate", MAX_RATE), ("clip", MAX_CLIP)):
            object.__setattr__(self, name, number_of(name, getattr(self, name), top))

    @functools.cached_property
    def query(self) -> Query:
        """The rows that it is trained on: those with a value in the outcome and every column, counted."""
        known = [Not(IsNull(name)) for name in (self.outcome, *self.columns)]
        return self.data.agg(**{NAME: Count(where=functools.reduce(operator.and_, known))})

    @property
    def layers(self) -> list[Json]:
        """The closed list in canonical form; the last layer has as many outputs as the outcome needs."""
        out: list[Json] = []
        for width, activation in self.hidden:
            out += [{"layer": "linear", "out": width}, {"layer": activation}]
        return [*out, {"layer": "linear"} | ({} if self.outputs is None else {"out": self.outputs})]

    def to_json(self) -> Json:
        """The canonical form."""
        return {
            "model": "network",
            "version": VERSION,
            "layers": self.layers,
            "outcome": {"column": self.outcome},
            "columns": [{"column": name} for name in self.columns],
            "steps": self.steps,
            "rate": number(fraction(self.rate)),
            "clip": number(fraction(self.clip)),
            "seed": self.seed,
            "data": {name: part for name, part in self.data.to_json().items() if name != "agg"},
        }

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical form."""
        return digest(self.to_json())

    @classmethod
    def from_json(cls, form: Any) -> Network:
        """The inverse of :meth:`to_json`; raises :class:`QueryError` for anything else."""
        try:
            if form["model"] != "network" or form["version"] != VERSION:
                raise ValueError("another model")
            hidden, outputs = _listed(form["layers"])
            made = cls(
                Query.from_json({**form["data"], "agg": []}),
                form["outcome"]["column"],
                tuple(one["column"] for one in form["columns"]),
                hidden,
                outputs,
                form["steps"],
                float(fraction(form["rate"])),
                float(fraction(form["clip"])),
                form["seed"],
            )
            if made.to_json() != form:
                raise ValueError("not canonical")
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError):
            raise QueryError("this is no network as pets writes it; build it with pets.network") from None
        return made


def _listed(layers: Any) -> tuple[Hidden, int | None]:
    """Hidden layers, and the outputs of the last one, of a list in the order in which they are applied."""
    if isinstance(layers, (str, bytes, Mapping)) or not isinstance(layers, Sequence):
        raise QueryError(
            f"a network is a list of layers, such as [('linear', 16), 'tanh', ('linear', 1)], not {shown(layers)}: a "
            "module of your own is code that would run on people's rows"
        )
    found = [layer_of(one) for one in layers]
    turns = [kind == "linear" for kind, _ in found]
    if not found or turns != [at % 2 == 0 for at in range(len(found))] or not turns[-1]:
        raise QueryError(
            "layers are ('linear', width) and an activation in turns, the last of them ('linear', …); write such as "
            "[('linear', 16), 'tanh', ('linear', 1)]"
        )
    hidden = [(width, found[2 * at + 1][0]) for at, (_, width) in enumerate(found[:-1:2])]
    if any(width is None for width, _ in hidden):
        raise QueryError("a hidden layer needs a width; write ('linear', 16)")
    return hidden_of(hidden), found[-1][1]


@plain_arguments(QueryError, "network", _WRITE)
def network(
    layers: Sequence[Any],
    *,
    outcome: str,
    columns: Sequence[str],
    data: str | Query,
    steps: int | None = None,
    rate: float | None = None,
    clip: float = 1.0,
    seed: int = 0,
) -> Network:
    """A classifier of named layers, for :meth:`pets.Session.train`. Nothing is read, and no code is run.

    >>> network([("linear", 8), "relu", "linear"], outcome="y", columns=["x"], data="t").hidden
    ((8, 'relu'),)

    Args:
        layers: ``("linear", width)``, ``"tanh"`` and ``"relu"`` in turns, a linear one last: one output where the
            outcome has two values, else one for each. Layers of ``torch.nn`` are taken by their kind and width alone.
        outcome, columns: as for :class:`Network`.
        data: the table, or a question that chooses rows and computes columns; ``bound(rows=…)`` says how many rows of a
            person count.
        steps: left out, 100 without hidden layers and 200 with them.
        rate: left out, 100 over the steps.
        clip, seed: as for :class:`Network`.

    Raises:
        QueryError: for any other layer, with what to write in its place.
    """
    hidden, outputs = _listed(layers)
    asked = Query(data) if isinstance(data, str) else data
    count = whole_of("steps", (2 if hidden else 1) * WHOLE if steps is None else steps, 1, MAX_STEPS)
    moves = min(MAX_RATE, WHOLE / count) if rate is None else rate
    return Network(asked, outcome, columns, hidden, outputs, count, moves, clip, seed)  # type: ignore[arg-type]


@plain_arguments(QueryError, "classifier", "write pets.classifier('ill', ['age', 'sex'], data='stays')")
def classifier(
    outcome: str,
    columns: Sequence[str],
    *,
    data: str | Query,
    hidden: Sequence[int] = (),
    activation: str = "tanh",
    **settings: Any,
) -> Network:
    """Logistic regression, or with ``hidden=(16,)`` a network of that many units; for :meth:`pets.Session.train`.

    >>> classifier("ill", ["age"], data="t", hidden=(16,)).layers
    [{'layer': 'linear', 'out': 16}, {'layer': 'tanh'}, {'layer': 'linear'}]

    Args:
        outcome, columns, data: as for :func:`network`.
        hidden: the widths of hidden layers, each with the activation after it.
        settings: ``steps``, ``rate``, ``clip``, ``seed`` of :func:`network`.

    Raises:
        QueryError: as :func:`network`.
    """
    if isinstance(hidden, (str, bytes, Mapping)) or not isinstance(hidden, Sequence):
        raise QueryError(f"hidden is a list of widths, such as (16,), not {shown(hidden)}")
    activation_of(layer_of(activation)[0])  # (where nothing is hidden, nobody else would look at it)
    layers = [one for width in hidden for one in (("linear", width), activation)]
    return network([*layers, "linear"], outcome=outcome, columns=columns, data=data, **settings)
