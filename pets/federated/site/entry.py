"""Entry: what a site's ledger is asked to reserve for a federated query, and which of its rules a query must pass."""

from __future__ import annotations

from collections.abc import Mapping

from pets.common.codec import digest
from pets.federated.messages.roster import Roster
from pets.federated.site import wording
from pets.federated.site.fit import check_number
from pets.federated.site.gate import Admission
from pets.federated.site.membership import check_membership
from pets.federated.site.own_part import key_of
from pets.federated.site.policy import Totals
from pets.ledger.account import Account
from pets.ledger.states import Request
from pets.protection.protection import Total
from pets.session import guarantee_text


def check_entries(
    admission: Admission, roster: Roster, rules: Totals, account: Account, pinned: Mapping[str, Roster]
) -> None:
    """Hold an exact total against what left before; the ledger alone decides.

    It is asked when an order comes and again before the data is opened: queries that were let in together would else
    each pass by what none of them had entered yet.

    Raises:
        PolicyError: with the reason, which may be told to anybody.
    """
    if not admission.everyone:
        return
    check_membership(roster, account, pinned)
    order = admission.order
    if order.step is not None:
        check_number(order.query.table, order.step, rules, account)


def request_of(admission: Admission, snapshot: str, data: str) -> Request:
    """What the ledger reserves; ``data`` is ``"real"`` or ``"dummy"``."""
    order, plan = admission.order, admission.plan
    return Request(
        table=plan.table,
        what=guarantee_text.what(plan.query) if order.step is None else wording.step(order.step),
        question=plan.digest,
        # a query's id is part of the question: noise belongs to one id, so no answer is ever given again
        asked=digest(["federated", order.id, snapshot, plan.digest, order.protection.to_json()]),
        snapshot=snapshot,
        query=order.query.to_json(),
        protection=order.protection.to_json(),
        cost=admission.cost,
        unbounded=isinstance(order.protection, Total) and data == "real",
        key=key_of(order.id),
        once=True,
        schema_digest=plan.schema_digest,
    )
