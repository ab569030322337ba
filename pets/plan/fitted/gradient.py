"""A step of a training as a question's one block: the sum over people, each person's part bounded; or their number."""

from __future__ import annotations

from collections.abc import Mapping

from pets.errors import QueryError
from pets.plan.bounding.bounds import Bounds
from pets.plan.measure import Measure, Output, Sensitivity
from pets.plan.networks.wiring import GRADIENT, wiring_of
from pets.plan.predicate import Predicate, both, known
from pets.query_model.nodes.gradient import Gradient
from pets.query_model.query import Query
from pets.schema.domain import Domain


def check_source(query: Query) -> None:
    """Refuse a step over anything but the rows of one table; raises :class:`QueryError`."""
    if query.people is not None and any(isinstance(one, Gradient) for _, one in query.aggregates):
        raise QueryError("a step of a training is of the rows of one table; ask it of pets.query('table')")


def step_measure(
    asked: Gradient, fields: Mapping[str, Domain], table: str, bounds: Bounds, where: Predicate | None
) -> Measure:
    """What a step measures, of all people in one group.

    Raises:
        QueryError: for groups, columns that no network takes, and another number of weights than it has.
    """
    if bounds.layout.dimensions or bounds.group_rows is not None:
        raise QueryError(
            "a step of a training is of all rows in one group; leave out group_by and rows_per_group, and choose rows "
            "with where(…)"
        )
    wiring = wiring_of(asked.outcome, asked.inputs, asked.hidden, asked.norm, fields, table, bounds.rows)
    for column in (asked.outcome, *asked.inputs):
        where = both(where, known(column, fields[column]))
    if asked.at is None:
        return Measure(
            name="count of people with a row that a training counts",
            kind="descent",
            sensitivity=Sensitivity(1, 1, 1, 1),
            reason="a person counts once",
            limit=bounds.people,
            where=where,
            wiring=wiring,
        )
    if len(asked.at) != wiring.size:
        raise QueryError(f"the network has {wiring.size:,} weights, and {len(asked.at):,} are given; give one for each")
    most, total = wiring.most
    return Measure(
        name=f"{wiring.size} sums of a step of a training on {asked.outcome}",
        kind="descent",
        sensitivity=Sensitivity(most, total, wiring.l2_squared, wiring.bound),
        reason=f"what a person adds is at most {wiring.bound:,} in L2, looked at in whole numbers",
        limit=bounds.people * wiring.bound,
        where=where,
        width=wiring.size,
        wiring=wiring,
        at=asked.at,
    )


def step_output(name: str, measure: Measure, part: int) -> Output:
    """The list that a step answers."""
    if measure.at is None:
        return Output(name, "gradient", (part,), ((part, 1.0),), bins=("people",))
    labels, units = tuple(range(1, measure.width + 1)), (GRADIENT,) * measure.width
    return Output(name, "gradient", (part,), ((part, 1 / GRADIENT),), bins=labels, whole=False, units=units)
