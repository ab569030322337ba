"""Best rows: the bound K at which a count errs least, by the rows that it leaves out and the noise that it needs."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from pets.dp.calibrate import calibrate
from pets.errors import BudgetError, QueryError
from pets.plan.plan import Plan
from pets.protection.budget import Budget
from pets.protection.protection import DP
from pets.query_model.query import Query
from pets.release.bounding.rows_lost import RowsLost
from pets.release.estimate import Noise

_EACH = 64  # up to so many K each one is tried, and beyond it every twelfth part more


def best_rows(
    query: Query,
    lost: RowsLost,
    protection: DP,
    plan_of: Callable[[Query], Plan],
    noise_of: Callable[[Plan], Noise],
) -> int:
    """The K of least mean square error of the query's counts of rows.

    A group's error is what K leaves out of it, which is taken to be an equal part of the rows lost where these were not
    asked by the query's own keys, and the noise that K needs.

    Args:
        plan_of, noise_of: what plans a question, and the noise that the protection means for a plan.

    Raises:
        QueryError: for a query without a count of rows, or of another table; BudgetError for ``within=``, which names
            the error and not the price.
    """
    if not isinstance(protection, DP) or protection.within is not None:
        raise BudgetError("the best K is sought for a price; give pets.DP(epsilon=…) or pets.DP(rho=…)")
    if not isinstance(lost, RowsLost) or query.table != lost.table_name:
        raise QueryError("the best K follows from the rows lost of the query's own table; ask rows_lost(…) for them")
    if not any(aggregate.traits.plain_count for _, aggregate in query.aggregates):
        raise QueryError("the best K is that of a count of rows; add .agg(n=pets.count()) to the query")
    same = lost.release.query.keys == query.keys and lost.release.query.keyset == query.keyset
    errors = {k: _error(plan_of(query.bound(rows=k)), lost, noise_of, by_group=same) for k in _tried(lost.kept)}
    return min(errors, key=lambda k: (errors[k], k))


def noise_at(protection: DP, budget: Budget) -> Callable[[Plan], Noise]:
    """What gives the noise that a protection means for a plan, in one account."""

    def found(plan: Plan) -> Noise:
        noise = calibrate(plan, protection, budget)
        return Noise(noise.mechanism, noise.scales)

    return found


def _tried(kept: int) -> list[int]:
    out = [1]
    while out[-1] < kept:
        out.append(min(kept, out[-1] + 1 if out[-1] < _EACH else math.ceil(out[-1] * 13 / 12)))
    return out


def _error(plan: Plan, lost: RowsLost, noise_of: Callable[[Plan], Noise], *, by_group: bool) -> float:
    """The mean square error of the query's counts, with one K."""
    noise = noise_of(plan)
    left = lost.loss.lost(plan.rows).estimate
    bias = np.square(left).mean() if by_group else (left.sum() / plan.groups) ** 2
    counts = [output for output in plan.outputs if output.traits.plain_count]
    return float(np.mean([bias + noise.deviation(output.parts[0]) ** 2 for output in counts]))
