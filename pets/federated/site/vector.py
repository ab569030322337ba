"""Vector: a site's numbers for a query, with its share of noise, or why they may not leave. It reads rows."""

from __future__ import annotations

import numpy as np

from pets.dp.shares import add_share
from pets.federated.site.cohort import small, too_small
from pets.federated.site.gate import Admission
from pets.federated.site.policy import Totals
from pets.plan.plan import make_plan
from pets.plan.vector import Ints
from pets.query_model.query import Query
from pets.rows.linked import Linked
from pets.rows.snapshot import Snapshot
from pets.rows.tabulate import codes, tabulate
from pets.session.custody import Custody


def vector(admission: Admission, snapshot: Snapshot | Linked, custody: Custody, rules: Totals) -> Ints | str:
    """The numbers; or, for exact totals alone, why they may not leave by the policy's rules about rows."""
    schema, engine = custody.schema, custody.engine

    def count(asked: Query) -> Ints:
        return tabulate(make_plan(asked, schema), snapshot, engine).reveal()

    if admission.everyone and (why := too_small(admission.order, schema, rules, custody.account.exact(), count)):
        return why
    values = tabulate(admission.plan, snapshot, engine).reveal()
    if (model := admission.model) is not None:
        assert isinstance(snapshot, Snapshot)  # (a regression is never about people)
        found = codes(admission.plan, snapshot, model.step.columns, engine)
        why = model.thin(found, rules.min_cohort) or small(model.cells(found), rules, admission.plan.rows)
        if admission.everyone and why:
            return why
        return np.concatenate([values, model.moments(found, admission.bits)])
    return values if admission.shares is None else add_share(admission.plan, values, admission.shares)
