"""Vector: a site's numbers for a query, with its share of noise, or why they may not leave. It reads rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pets.dp.shares import add_share
from pets.federated.site.cells.differences import too_near
from pets.federated.site.cells.told_cells import Held
from pets.federated.site.cohort import small, too_small
from pets.federated.site.gate import Admission
from pets.federated.site.policy import Totals
from pets.federated.site.rounded.grid_part import GridPart, Source
from pets.plan.plan import make_plan
from pets.plan.vector import Ints
from pets.query_model.aggregate import count as count_rows
from pets.query_model.query import Query
from pets.rows.snapshot import Snapshot
from pets.rows.tabulate import codes, tabulate
from pets.session.custody import Custody


def vector(admission: Admission, snapshot: Source, custody: Custody, rules: Totals) -> Ints | str:
    """The numbers; or, for exact totals alone, why they may not leave by the policy's rules about rows."""
    if isinstance(snapshot, GridPart):
        return snapshot.vector()
    engine, model = custody.engine, admission.model
    found: Held | None = None
    if model is not None:
        assert isinstance(snapshot, Snapshot)  # (a regression is never about people)
        found = codes(admission.plan, snapshot, model.step.columns, engine)
    if admission.everyone and not admission.order.for_holder:
        assert isinstance(snapshot, Snapshot)  # (nor are exact totals)
        if why := _withheld(admission, found, snapshot, custody, rules):
            return why
    values = tabulate(admission.plan, snapshot, engine).reveal()
    if model is not None and found is not None:
        return np.concatenate([values, model.moments(found, admission.bits)])
    return values if admission.shares is None else add_share(admission.plan, values, admission.shares)


def _withheld(admission: Admission, found: Held | None, snapshot: Snapshot, custody: Custody, rules: Totals) -> str:
    """Why an exact total may not leave ('' where it may): for itself, then beside those that left before."""
    schema, given, order, model = custody.schema, custody.account.exact(), admission.order, admission.model

    def count(asked: Query) -> Ints:
        return tabulate(make_plan(asked, schema), snapshot, custody.engine).reveal()

    def held(columns: Sequence[str]) -> Held:
        everything = Query(snapshot.table, aggregates=(("n", count_rows()),), rows=admission.plan.kept_rows)
        return codes(make_plan(everything, schema), snapshot, columns, custody.engine)

    if why := too_small(order, schema, rules, given, count):
        return why
    if model is not None and found is not None:
        why = model.thin(found, rules.cohort) or small(model.cells(found), rules, admission.plan.rows)
    return why or too_near(order, schema, rules, given, held)
