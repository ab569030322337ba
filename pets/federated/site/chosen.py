"""Chosen: whether a question sums a column over rows that this column's own values choose. It reads no row."""

from __future__ import annotations

from pets.federated.query_round.regression_step import Step
from pets.plan.plan import Plan
from pets.query_model.nodes.aggregate_base import OfColumn
from pets.query_model.nodes.moments import OfColumns
from pets.query_model.nodes.names import columns_of


def chosen_by_value(plan: Plan, step: Step | None) -> list[tuple[str, str]]:
    """What sums a column over rows that this column's values choose or group, and the column.

    Beside the number of such rows, sums over few values tell how many have each.
    """
    form = plan.query.to_json()
    chosen = {*columns_of(form.get("where")), *(one.column for one in plan.layout.dimensions)}
    read = [] if step is None else [("the regression", chosen.intersection(step.columns))]
    for name, aggregate in plan.query.aggregates:
        if isinstance(aggregate, (OfColumn, OfColumns)):
            own = columns_of(aggregate.to_json().get("where"))
            read.append((repr(name), chosen.union(own).intersection(aggregate.of)))
    return [(what, min(columns)) for what, columns in read if columns]
