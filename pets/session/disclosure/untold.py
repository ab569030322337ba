"""Untold: what was found of tables that have not left, as intervals: that they do not leave tells, too.

What somebody looked at and a person then refused, or lets wait, is taken for told as far as it was looked at. So is
what a person let leave and what was never sealed: more than its shown numbers cannot have left.
"""

from __future__ import annotations

from collections.abc import Sequence

from pets.common.codec import Json
from pets.errors import PetsError, UserError
from pets.ledger.ledger import Ledger
from pets.ledger.review.tables import Look
from pets.plan.plan import Plan
from pets.protection.protection import Protection
from pets.protection.rounding import Rounding
from pets.protection.sdc import SDC
from pets.query_model.query import Query
from pets.sdc.book import UNTOLD, Told, rounded_ends
from pets.session.custody import Custody
from pets.session.disclosure.finding import Finding
from pets.session.disclosure.finding_store import FindingStore

LOST = "What was found of a table that was refused is lost or cannot be read, so it is not compared."


def asked_of(custody: Custody, asked: Json) -> tuple[Plan, SDC]:
    """The plan and the rule of a request; raises :class:`UserError` where it is read otherwise than when it came."""
    try:
        plan = custody.plan(Query.from_json(asked["query"]))
        rule = Protection.from_json(asked["protection"])
    except (LookupError, TypeError, ValueError, PetsError) as error:
        raise UserError(
            f"this request cannot be read any more ({error}); refuse it, and let it be asked anew"
        ) from None
    if plan.digest != asked["question"] or not isinstance(rule, SDC):
        raise UserError("this request was made under another schema; refuse it, and let it be asked anew")
    return plan, rule


def told_of(number: int, name: str, plan: Plan, found: Finding, kind: str = UNTOLD) -> Told:
    """What was found as it would be told; raises :class:`UserError` or ``ValueError`` where it is of another plan."""
    rule = Rounding.from_json(found.rule)
    low, high = rounded_ends(plan, rule, map(list, found.shown))
    return Told(number, name, found.snapshot, "", kind, plan, rule, tuple(low), tuple(high))


def found_of(ledger: Ledger, jobs: Sequence[str], noted: Sequence[Look]) -> tuple[list[Finding], bool]:
    """What was found of a question, by the jobs that ask it; and whether nothing of what is noted of it is lost."""
    store, several = FindingStore(ledger), list[Finding]()
    for name in jobs:
        try:
            several.append(Finding.from_json(store.get(name)))
        except UserError:
            if store.has(name):
                return several, False
    return several, {one.snapshot for one in noted} <= {one.snapshot for one in several}
