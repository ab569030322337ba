"""Words: what a rounded table is and is not, and what its certificate states."""

from __future__ import annotations

from pets.common.codec import Json
from pets.plan.plan import Plan
from pets.protection.rounding import Rounding
from pets.protection.sdc import SDC
from pets.session.guarantee_text import FORM, dataset_of, made_by
from pets.session.guarantee_text import what as summary

DUMMY = "Dummy data: every row is invented, so no one's presence can show."
GRID, ROUNDED, REVIEWED = "grid", "rounded", "reviewed"


def what(form: str, plan: Plan) -> str:
    """What is asked, without any constant: it stands in the public log."""
    return f"{form} {summary(plan.query)}"


def guarantee(protection: SDC, data: str) -> str:
    """What it is and is not."""
    if data == "dummy":
        return DUMMY
    return (
        f"{_rounded(protection)} Every number is "
        "a sum of cells of one grid as they are shown, and all tables of that grid together tell no more than its "
        "cells: each small one leaves open the interval that is shown for it. Other releases about the same people "
        "may narrow it, and who knows all others of a cell may learn of the last one (unbounded; named on every later "
        "release)."
    )


def _rounded(protection: SDC) -> str:
    named = "of its own" if protection.preset is None else repr(protection.preset)
    return f"No differential privacy, and no ε: counts of people by the rule {named} ({protection.rule})."


def reviewed(protection: SDC, review: Json) -> str:
    """The same of a table outside the grid, by what was found of it before a person let it leave."""
    beside = "all " if review["found"] == "proved" else "what can be compared of "
    return (
        f"{_rounded(protection)} They are no sums of the grid's cells, and a person let them leave after they were "
        f"compared with {beside}{review['releases']:,} earlier release(s) without noise. "
        f"{SAID[review['found']].format(review['width'])} What others published, and what somebody knows besides, is "
        "not part of that (unbounded; named on every later release)."
    )


SAID = {
    "proved": (
        "Proved: of every small sum of people that was looked at, two tables of people agree with all of these numbers "
        "and lie at least {} apart in it, unless it was known as closely before."
    ),
    "attack": (
        "Not protected: a small number of people can be derived from all of them more closely than within {}, and the "
        "person let it leave all the same."
    ),
    "undecided": (
        "Not proved: that every small number of people stays open within {} was not shown, and the person let it leave "
        "all the same."
    ),
}


def notes(plan: Plan, rule: Rounding, said: str = "", *, summed: bool = True) -> list[str]:
    """What a reader must know beside the guarantee; ``said``: of the rows; ``summed``: numbers are sums of cells."""
    low, high = rule.hidden
    out = [said] if said else []
    if rule.threshold and summed:
        out.append(
            f"A hidden cell ({low} to {high} people) counts as {rule.middle} in a sum; a sum of which only hidden "
            "cells have people is shown as *."
        )
    if rule.totals == "exact" and summed:
        out.append("Totals are sums of what cells show, not totals rounded by themselves as the rule's owner has them.")
    if not rule.hide_zero:
        out.append("A cell that shows 0 has nobody in it, so 0 is exact.")
    if plan.people_of is not None:
        out.append(f"Each person is one row, made of at most {plan.people_of.said}, {plan.chosen}.")
    elif plan.unit_column is not None:
        out.append(f"One row of each person is kept, {plan.chosen} where the source has several.")
    return out


def told(form: Json, plan: Plan, engine: str) -> Json:
    """What the certificate states of it, but for the ledger's own part."""
    same = {name: form[name] for name in ("issued_at", "query", "protection", "guarantee", "cost", "notes")}
    return {
        "form": FORM,
        "release_id": form["id"],
        "dataset": dataset_of(plan, form["snapshot"], form["data"]),
        "project_id": form["project"],
        "agent_id": form["analyst"],
        "dp": None,
        "what": what(form["pets"], plan),
        "plan_sha256": plan.digest,
        **same,
    } | made_by(engine, form["issued_at"])


def base(form: str, plan: Plan, protection: SDC, schema: Json, snapshot: str, data: str, said: str = "") -> Json:
    """The parts of the canonical form that every rounded table has, but for those that the account knows."""
    return {
        "pets": form,
        "version": 1,
        "dataset": plan.dataset,
        "table": plan.table,
        "query": plan.query.to_json(),
        "schema": schema,
        "plan": plan.digest,
        "rule": protection.rule.to_json(),
        "protection": protection.to_json(),
        "snapshot": snapshot,
        "guarantee": guarantee(protection, data),
        "notes": notes(plan, protection.rule, said, summed=form != REVIEWED),
    }
