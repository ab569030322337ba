"""Allowed: which tables outside the grid a person may let out at all, by plan, rule and policy; no row is read.

It holds when a table is asked for, when it is looked at, and when it leaves: the policy may be another by then.
"""

from __future__ import annotations

from pets.errors import PolicyError, QueryError
from pets.plan.plan import Plan
from pets.protection.sdc import SDC
from pets.sdc.book import whose
from pets.sdc.counted import beyond, related
from pets.sdc.grid import Grid, check_people, made_of_counts
from pets.session.custody import Custody
from pets.session.grid.naming import check_rule, present


def check_still(custody: Custody, plan: Plan, rule: SDC) -> None:
    """Refuse what waits where the policy of now, or the grid of now, lets nobody let it out.

    Raises:
        PolicyError, QueryError: it cannot leave; refuse it, or open the data with a policy that allows it.
    """
    if custody.policy.sdc_review == "never":
        raise PolicyError(
            "this custodian's policy lets no table outside the grid leave any more (sdc_review='never'); refuse it, or "
            "open the data with sdc_review='always'"
        )
    check_rule(custody, rule)
    source = present(custody)
    if source.protection != rule.to_json():
        raise PolicyError("the dataset's grid is rounded by another rule than this table; refuse it")
    check_plan(custody, plan, Grid(source.plan))


def check_plan(custody: Custody, plan: Plan, source: Grid) -> None:
    """Refuse what no person could let out, from its plan alone."""
    check_people(plan)
    whole = [output for output in plan.outputs if made_of_counts(output)]
    if len(whole) != len(plan.outputs) or any(plan.measures[part].column for one in whole for part in one.parts):
        raise QueryError(
            "outside the grid a table has counts of people and rates alone; ask for pets.count() or pets.rate(…), or "
            "ask for this with pets.DP(epsilon=…)"
        )
    why = beyond(plan)
    if why is None and whose(plan) == whose(source.plan) and (both := related([source.plan, plan])) is not None:
        why = f"the grid's and its {both}"  # beside the grid nothing of it would ever be proved
    if why is not None:
        raise QueryError(
            f"outside the grid a table is compared with what left before, and of this one it cannot be: {why}; ask "
            "with pets.DP(epsilon=…)"
        )
    if custody.policy.sdc_filters == "bins":
        source.check_bins(plan)
    if custody.policy.approval is not None:
        raise PolicyError(
            "this custodian's policy lets a second person approve every answer (approval=), and tables outside the "
            "grid are decided in another way; ask for sums of the grid's cells"
        )
