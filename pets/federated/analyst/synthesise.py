"""Synthetic data from federated marginals: each is an ordinary federated release; modelling them is post-processing.

The workload is fixed by public knowledge (:mod:`pets.synthetic.dp_model.workload`), so nobody looks at rows to choose,
and :func:`pets.synthetic.dp_model.private.private_table` takes how marginals are measured as an argument.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from pets.common.arguments import whole_between
from pets.common.clock import now
from pets.common.entropy import random_id
from pets.dp.calibrate import target_units
from pets.errors import BudgetError, UserError, did_you_mean, shown
from pets.federated.messages.roster import Roster
from pets.federated.secure_sum.interface import check_way
from pets.federated.site import wording
from pets.protection.budget import UNIT, Cost
from pets.protection.protection import DP
from pets.query_model.query import Query
from pets.release.release import Release
from pets.schema.schema import Schema
from pets.session.synthesis import ROW
from pets.synthetic.synthetic_release import SyntheticRelease

Ask = Callable[[Sequence[tuple[Query, DP]]], list[Release]]
"""Asks all of the questions, or none where a site has no room for them."""

SETTINGS = ("epsilon", "table", "columns", "bins", "bound", "cells", "seed", "progress")
_LEVEL = "multivariately plausible: pairs of columns are kept as far as noise and the model allow"


def synthesised(
    schema: Schema, roster: Roster, analyst: str, secure: str, rows: int | None, ask: Ask, settings: dict[str, Any]
) -> SyntheticRelease:
    """See :meth:`pets.federated.analyst.federation.Federation.synthesise`."""
    for name in settings:
        if name not in SETTINGS:
            raise UserError(f"a federation's synthesise has no setting {shown(name)}{did_you_mean(name, SETTINGS)}")
    count = None if rows is None else whole_between("rows", rows, 1, 50_000_000)
    return _private(schema, roster, analyst, check_way(secure), count, ask, **settings)


def _private(
    schema: Schema,
    roster: Roster,
    analyst: str,
    secure: str,
    rows: int | None,
    ask: Ask,
    *,
    epsilon: float | None = None,
    table: str | None = None,
    columns: Sequence[str] | None = None,
    bins: Any = None,
    bound: int | None = None,
    cells: int | None = None,
    seed: int = 0,
    progress: bool = True,
) -> SyntheticRelease:
    from pets.synthetic.dp_model.columns import modelled
    from pets.synthetic.dp_model.marginals import ready
    from pets.synthetic.dp_model.private import CELLS, private_table
    from pets.synthetic.dp_model.workload import Workload

    if epsilon is None:
        raise BudgetError("a synthetic table has a price; say federation.synthesise(epsilon=1)")
    if roster.currency != "zcdp":
        raise BudgetError("many marginals at once need ledgers that count rho; open the sites' ledgers with a delta")
    name = _table(schema, table)
    workload = Workload(name, modelled(schema, name, columns, bins), bound)
    most = CELLS if cells is None else whole_between("cells", cells, 100, 10**8)
    seed = whole_between("seed", seed, 0, 2**63 - 1)
    if not isinstance(progress, bool):
        raise UserError(f"progress must be True or False, not {shown(progress)}")
    units = target_units(DP(epsilon=epsilon), roster.currency, roster.delta)
    if any(units * share < 10 for _, share in workload.shares()):
        raise BudgetError(
            f"epsilon={epsilon!r} is too small for {len(workload.cliques):,} marginals; ask with a larger epsilon or "
            "for fewer columns"
        )
    ready()

    def measure(questions: Sequence[tuple[Query, Fraction]]) -> list[Release]:
        # rounded down: the shares never cost more than the whole
        return ask([(query, DP(rho=math.floor(units * share) / UNIT)) for query, share in questions])

    made = private_table(schema, workload, measure, rows=rows, cells=most, seed=seed, progress=progress)
    cost = Cost(roster.currency, sum(int(release.cost["loss"]) for release in made.releases))
    data = made.releases[0].data
    at = None if data == "dummy" else (float(epsilon), roster.delta)
    promise = wording.guarantee(made.releases[0].plan, roster, secure, at, False)
    more = tuple(dict.fromkeys(note for release in made.releases for note in release.notes))
    held = [workload.names(pair) for pair in made.held]
    return SyntheticRelease(
        id=random_id(),
        frames={name: made.frame},
        method="dp",
        dataset=schema.dataset,
        schema_digest=schema.digest,
        data=data,
        releases=made.releases,
        guarantee=promise.replace("any released table", "any synthetic table")
        + f" The rows are drawn from a model of {len(made.releases)} noisy marginals, each released and charged at "
        "every site by itself; whatever is done with them keeps this.",
        epsilon=float(epsilon),
        delta=roster.delta,
        rho=cost.loss / UNIT,
        cost=cost.to_json(),
        misfits=made.misfits,
        settings={
            "engine": "mbi, drawn row by row (method sample)",
            "selection": "tree",
            "secure": secure,
            "sites": roster.size,
            "slots": {column.name: column.dimension.size for column in workload.columns},
            "pairs_in_the_model": held,
            "cells": made.model.cells,
            "rows_estimated": round(made.model.total),
            "rows_of_a_person": made.releases[0].plan.rows,
            "seed": seed,
        },
        level=_LEVEL,
        issued_at=now(),
        project="federation",
        analyst=analyst,
        notes=(
            ROW,
            f"The model holds every column by itself and {len(held)} of {len(workload.pairs)} pairs; the others, and "
            "whatever takes three columns or more, follow only as far as these imply it.",
            *more,
        ),
    )


def _table(schema: Schema, table: object) -> str:
    if table is None:
        if len(schema.tables) > 1:
            raise UserError(f"the schema has several tables; say which with table={next(iter(schema.tables))!r}")
        return next(iter(schema.tables))
    schema.table(table)  # type: ignore[arg-type]
    return str(table)
