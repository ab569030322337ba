"""Exact terms: what exact totals over sites take, and when a site withholds its part; said before anybody is asked.

From the question and the roster alone. A site's policy is known by its digest, so its rules are named by what they are
unless it says otherwise.
"""

from __future__ import annotations

from pets.federated.messages.roster import Roster
from pets.federated.site.chosen import chosen_by_value
from pets.federated.site.cohort import rows_read
from pets.federated.site.policy import Totals
from pets.plan.plan import Plan
from pets.query_model.nodes.aggregate_base import OfColumn
from pets.query_model.nodes.moments import OfColumns


def exact_terms(plan: Plan, roster: Roster) -> tuple[str, ...]:
    """Sentences for whoever means to ask for exact totals."""
    named = zip(plan.query.aggregates, rows_read(plan), strict=True)
    apart = [repr(name) for (name, _), where in named if where is not None]
    among = f", or among those that {' and '.join(apart)} count{'s' if len(apart) == 1 else ''}" if apart else ""
    usual = Totals()
    out = [
        f"Exact totals cost no ε and have no guarantee: all {roster.size} sites must allow them and answer, and each "
        "enters them as unbounded, for good.",
        f"A site withholds its part, without a reason, where fewer rows than its min_cohort ({usual.min_cohort} unless "
        f"its policy says otherwise) are among those that are asked about{among}; and where as few tell this question "
        "from an earlier exact total. There is then no answer, and what was asked stays entered.",
    ]
    sums = [name for name, one in plan.query.aggregates if isinstance(one, (OfColumn, OfColumns))]
    if sums:
        own = [name for name, one in plan.query.aggregates if getattr(one, "clip", None) or getattr(one, "step", None)]
        which = f": leave them out of {', '.join(map(repr, own))}" if own else ""
        out.append(
            "Sums, means and variances take the schema's bounds and step: a site with rules about rows refuses an own "
            f"clip or step before it opens its data, since two of them would tell a value{which}."
        )
    if summed := chosen_by_value(plan, None):
        what, column = summed[0]
        out.append(
            "A site with rules about rows sums no column over rows that are chosen or grouped by it; ask "
            f"{what} without {column!r} in its conditions and groups."
        )
    if plan.kept_rows > 1 and any(measure.kind == "units" for measure in plan.measures):
        out.append("A site with rules about rows counts no people; ask pets.count() with bound(rows=1).")
    if plan.group_cap is not None:
        out.append("A site with rules about rows refuses a cap on a person's groups; leave groups out of bound(...).")
    if plan.groups > 1:
        out.append(
            f"Groups of few rows leave unless a site's policy states min_cell ({usual.min_cell} if it does not): one "
            "group below it withholds the whole answer, and so do as few rows that groups of several answers tell by "
            "their sums and differences."
        )
    if apart:
        out.append(
            "A survival curve counts its events so: at a site with few of them it is withheld. Ask over more rows, a "
            "longer time, or with --epsilon."
        )
    return tuple(out)
