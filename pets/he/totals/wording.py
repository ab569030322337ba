"""The sentences of a release that came out of an encrypted total: what is promised, and who is trusted with what."""

from __future__ import annotations

from pets.common.codec import fraction
from pets.he.totals.total import Total
from pets.plan.clamping import clamps
from pets.plan.unreached import unreached


def guarantee(total: Total) -> str:
    """One sentence: the promise, the collusion that it bears, and what is left if all others collude."""
    if total.shared["data"] == "dummy":
        return "Dummy data: every row is invented, so no one's presence can show."
    asked, terms = total.round, total.shared["noise"]
    trust = (
        "Parties' own numbers stay hidden from everybody while key holder and aggregator do not collude: only this "
        f"total of {len(total.parts)} parties was opened, once"
    )
    if terms is None:
        return f"No guarantee: these are exact totals of real rows (unbounded). {trust}."
    plan = asked.plan
    delta = float(fraction(terms["delta"]))
    apart = asked.least - asked.honest
    colluding = "no party tells" if apart == 0 else f"at most {apart} of the parties tell"
    epsilon, alone = (float(fraction(terms[name])) for name in ("epsilon", "alone_epsilon"))
    return (
        f"Differentially private with ε = {epsilon:.6g} and δ = {delta:g}: adding or removing {plan.who} of one party "
        "changes the chance of any released table by at most that much, also towards the key holder, while "
        f"{colluding} the key holder or the aggregator their own noise (bound of Kairouz, Liu and Steinke 2021 for "
        f"{asked.honest} honest share{'' if asked.honest == 1 else 's'}). If all other parties collude, or key holder "
        f"and aggregator do, a party's own share alone still gives its people ε = {alone:.6g} at the same δ. {trust}. "
        "Each party keeps its own account."
    )


def notes(total: Total) -> tuple[str, ...]:
    """What a reader must know beside the guarantee."""
    plan, terms = total.round.plan, total.shared["noise"]
    out = []
    if plan.people_of is not None:
        what = "Numbers are" if terms is None else "Intervals are for"
        out.append(
            f"{what} what the kept rows show: at most {plan.people_of.said} of a person in each party's data. What "
            "happened to somebody at another party is not seen, and somebody in the data of several parties counts, "
            "and is protected, in each of them by itself."
        )
    elif plan.unit_column is not None:
        all_kept = all(measure.reads_kept for measure in plan.measures)
        rows = plan.kept_rows if all_kept else plan.rows
        what = "Numbers are" if terms is None else "Intervals are for"
        out.append(
            f"{what} the bounded answer: at most K = {rows} row{'' if rows == 1 else 's'} of a person in each party's "
            f"data count, {plan.chosen} before any filter. Somebody in the data of several parties counts, and is "
            "protected, in each of them by itself."
        )
    if terms is None:
        out += clamps(plan)
    out += unreached(plan)
    if total.missing:
        out.append(f"Parties that are not in this total: {', '.join(total.missing)}.")
    if terms is not None and any(finer > 1 for finer in terms["refine"]):
        out.append(
            "Noise was added on a finer grid; totals are rounded to whole steps, and intervals hold the rounding."
        )
    return tuple(out)
