"""Entry: what a site's ledger is asked to reserve for a federated query, and which of its rules a query must pass."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pets.common.codec import Json, digest
from pets.errors import PolicyError
from pets.federated.messages.roster import Roster
from pets.federated.query_round.order import Order
from pets.federated.site import wording
from pets.federated.site.cohort import exact_totals
from pets.federated.site.fit import check_number
from pets.federated.site.gate import Admission
from pets.federated.site.membership import check_membership
from pets.federated.site.own_part import key_of
from pets.federated.site.policy import Totals
from pets.ledger.account import Account
from pets.ledger.states import Request, State
from pets.protection.protection import Total


def check_entries(
    admission: Admission,
    roster: Roster,
    rules: Totals,
    account: Account,
    pinned: Mapping[str, Roster],
    key: str,
    own: str = "",
) -> None:
    """Hold an exact total against what left before; the ledger alone decides.

    It is asked when an order comes, again before the data is opened, and once more when that is entered: queries that
    were let in together would else each pass by what none of them had entered yet.

    Args:
        pinned: the site's rosters by digest.
        key: its public key.
        own: the order's own request, once it is started.

    Raises:
        PolicyError: with the reason, which may be told to anybody.
    """
    if not admission.everyone:
        return
    order = admission.order
    exact = isinstance(order.protection, Total)
    check_membership(roster, account, pinned, key, exact=exact or order.for_holder)
    check_one_grid(order, roster, account, own)
    if not exact:  # all that rounded counts tell of these people is in the ledger since their grid was named
        return
    if order.step is not None:
        check_number(order.query.table, order.step, rules, account, own)
    elif rules.about_rows:
        _check_totals(order, admission.plan.digest, rules, account, own)


def check_one_grid(order: Order, roster: Roster, account: Account, own: str = "") -> None:
    """Let the exact counts of one grid be sent to a key holder, and nothing else leave without noise beside it.

    What the key holder shows of the sums over all sites could be compared with what a site showed of its own part: of
    seven sites with one person each, the site's own grids say that each has one or more, and the sum's that all have
    seven or fewer. So a site sends them where nothing left its dataset without noise before, to one key holder, to be
    shown by one rule; from then on the federation is given nothing else without noise of it. The same grid may be asked
    for again, where nothing was opened the first time: its key holder shows it once.

    What was begun without noise, by whoever has this ledger open, and is not sealed has left or may yet leave; but of
    what was to be sent to a key holder, nothing left where it ended so.

    Args:
        own: the order's own request, once it is started.

    Raises:
        PolicyError: by what the ledger holds alone.
    """
    account.ledger.sweep()  # what a process left behind that is no more is not under way
    before = [json.loads(body) for body in account.exact()]
    sent = [one for one in before if one.get("pets") == wording.CONTRIBUTION and "key_holder" in one]
    open_ = [one for one in account.entries() if one.unbounded and one.state.unsealed and one.id != own]
    begun = [one for one in open_ if not one.what.startswith(wording.FOR_HOLDER)]
    if any(one.state is State.STARTED for one in open_ if one not in begun):
        raise PolicyError(
            "the exact counts of a grid of this dataset are being sent to a key holder just now; ask again in a minute"
        )
    if order.for_holder:
        mine = _grid_of(order.to_json(), roster.key_holder)
        if any(_grid_of(one["order"], one["key_holder"]) != mine for one in sent):
            raise PolicyError(
                "the exact counts of a grid of this dataset were sent to a key holder before, and this is another "
                "grid, another rule or another key holder: what is shown of both could be compared; ask for sums of "
                "that grid, or ask with pets.DP(epsilon=…)"
            )
        if begun or len(sent) < len(before):
            raise PolicyError(
                "something left this dataset without noise before, or was begun and may leave, and could be compared "
                "with what a key holder shows of its counts; use secure='masked', where each site rounds its own, or "
                "ask with pets.DP(epsilon=…)"
            )
    elif sent:
        raise PolicyError(
            "the exact counts of a grid of this dataset were sent to a key holder, and what else leaves without noise "
            "could be compared with what that shows; ask for sums of that grid, with pets.SDC(…) and "
            "secure='encrypted', or ask with pets.DP(epsilon=…)"
        )


def _grid_of(order: Json, holder: str) -> Json:
    """What makes two of them the same."""
    return {name: order[name] for name in ("query", "schema", "protection")} | {"key_holder": holder}


def _check_totals(order: Order, question: str, rules: Totals, account: Account, own: str) -> None:
    """Refuse more exact totals of a table than the policy allows: many together tell what no two of them do.

    The same question again tells nothing new. One that was withheld after the data was opened counts like one that
    left, so that none of it is told by this.
    """
    table = order.query.table
    orders = exact_totals(account.exact())
    made = {digest(one["query"]) for one in orders if one["step"] is None and one["query"]["table"] == table}
    withheld = {
        entry.question
        for entry in account.entries()  # of what was withheld, the ledger keeps no order
        if entry.unbounded and entry.table == table and entry.state.unsealed and entry.id != own
        if not wording.is_step(entry.what) and not entry.what.startswith((wording.ROUNDED, wording.FOR_HOLDER))
    }
    if digest(order.query.to_json()) in made or question in withheld:
        return
    if len(made) + len(withheld) >= rules.max_totals:
        raise PolicyError(
            f"the site's policy allows {rules.max_totals} exact totals of table {table!r}, and so many were made; ask "
            "with pets.DP(epsilon=…), or its custodian may raise max_totals"
        )


def request_of(admission: Admission, snapshot: str, data: str) -> Request:
    """What the ledger reserves; ``data`` is ``"real"`` or ``"dummy"``."""
    order, plan = admission.order, admission.plan
    return Request(
        table=plan.table,
        what=wording.what(order),
        question=plan.digest,
        # a query's id is part of the question: noise belongs to one id, so no answer is ever given again
        asked=digest(["federated", order.id, snapshot, plan.digest, order.protection.to_json()]),
        snapshot=snapshot,
        query=order.query.to_json(),
        protection=order.protection.to_json(),
        cost=admission.cost,
        unbounded=order.everyone and data == "real",
        key=key_of(order.id),
        once=True,
        schema_digest=plan.schema_digest,
    )
