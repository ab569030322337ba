"""Fits: whether a regression's step follows from the sums before it. It reads the site's ledger, and never a row.

With coefficients of their own choice, analysts could weigh a few people at a time and solve for exact counts. So a fit
begins at zero, each later step is what the sums of the step before it give, by this site's own reckoning from what all
sites signed (:mod:`pets.federated.query_round.evidence`), and steps and fits are limited in number. A site that
colludes with the analyst can still steer a fit by what it adds to the sums; the guarantee says so.
"""

from __future__ import annotations

import json
from dataclasses import replace

from pets.common.signing import SigningKey
from pets.errors import PolicyError, QueryError
from pets.federated.messages.errors import ProtocolError
from pets.federated.messages.message import Channel, context_of
from pets.federated.messages.roster import Roster
from pets.federated.query_round.evidence import attested
from pets.federated.query_round.next_step import first_step, next_step
from pets.federated.query_round.order import Order
from pets.federated.query_round.regression_step import FAMILIES, Model, Step
from pets.federated.site import wording
from pets.federated.site.gate import Admission, most_rows
from pets.federated.site.own_part import part_in
from pets.federated.site.policy import Totals
from pets.federated.site.wording import CONTRIBUTION
from pets.ledger.account import Account
from pets.schema.schema import Schema


def check_step(
    admission: Admission,
    evidence: bytes,
    roster: Roster,
    schema: Schema,
    rules: Totals,
    account: Account,
    me: int,
    key: SigningKey,
) -> None:
    """Let a step of a fit in only where it is nobody's choice.

    Raises:
        PolicyError: with the reason, which depends on what the sites signed and on the ledger alone.
    """
    order = admission.order
    if order.step is None:
        if evidence:
            raise ProtocolError("an order of no regression came with evidence; it was ignored")
        return
    if not order.step.before:
        if evidence or not first_step(order.step):
            raise PolicyError("a regression begins with every coefficient at zero; ask for the fit anew")
    else:
        before = _before(order.step, account)
        asked_alike = replace(before, id=order.id, step=order.step).form == order.form
        if not asked_alike or order.step != _following(before, evidence, admission, roster, schema, me, key):
            raise PolicyError(
                "the step does not follow from the sums of the step before it, as all sites signed them; ask for the "
                "fit anew"
            )
        _check_length(before, rules, account)


def _before(step: Step, account: Account) -> Order:
    """The step that this site answered, by its own ledger."""
    found = part_in(step.before, account)
    form = None if found is None else json.loads(found.release)
    if form is None or form.get("pets") != CONTRIBUTION or form["order"]["step"] is None:
        raise PolicyError("this site's ledger holds no step that the step follows; ask for the fit anew")
    return Order.from_json(form["order"])


def _following(
    before: Order, evidence: bytes, admission: Admission, roster: Roster, schema: Schema, me: int, key: SigningKey
) -> Step | None:
    """The one step that may follow; ``None`` where the sums of the step before are not shown, or determine none."""
    assert before.step is not None
    model = Model(before.step, schema.fields(before.query.table))
    channel = Channel(roster, bytes.fromhex(before.id), context_of(roster, before.form), me, key)
    try:
        total = attested(evidence, channel, admission.plan.size + model.size, everyone=admission.everyone)
        bits = model.bits(most_rows(admission.plan, roster))
        return next_step(before.step, total[-model.size :], before.id, bits)
    except (ProtocolError, QueryError):
        return None


def _check_length(before: Order, rules: Totals, account: Account) -> None:
    """Refuse a fit that is too long, or that an earlier version of pets let begin elsewhere."""
    steps, step = 1, before.step
    while step is not None and step.before:
        step, steps = _before(step, account).step, steps + 1
        if steps >= rules.max_steps:
            break
    if steps >= rules.max_steps:
        raise PolicyError(f"the site's policy allows {rules.max_steps} steps of a regression")
    if step is None or not first_step(step):
        raise PolicyError("a regression begins with every coefficient at zero; ask for the fit anew")


def check_number(table: str, step: Step, rules: Totals, account: Account, own: str = "") -> None:
    """Refuse more fits, and more steps in all, of these columns than the policy allows, whatever their condition.

    A step that was withheld after the data was opened counts like one that left: what is refused by this rule must not
    tell which it was. One that a gate refused, or that ended before the data was opened, counts nowhere.

    Args:
        own: the step's own request, once it is started; it does not count beside itself.

    Raises:
        PolicyError: by what the ledger holds alone.
    """
    about = (table, step.outcome, frozenset(step.covariates))
    fits = steps = 0
    for body in account.exact():
        form = json.loads(body)
        if form.get("pets") != CONTRIBUTION or form["order"]["step"] is None:
            continue
        one = form["order"]["step"]
        if (form["order"]["query"]["table"], one["outcome"], frozenset(one["covariates"])) == about:
            steps, fits = steps + 1, fits + (not one.get("before"))
    alike = [replace(step, family=family) for family in FAMILIES]  # of what was withheld, the ledger keeps the words
    firsts, later = ({wording.step(replace(one, before=before)) for one in alike} for before in ("", "0" * 32))
    for entry in account.entries():
        if entry.unbounded and entry.table == table and entry.state.unsealed and entry.id != own:
            steps, fits = steps + (entry.what in firsts | later), fits + (entry.what in firsts)
    if (not step.before and fits >= rules.max_fits) or steps >= rules.max_fits * rules.max_steps:
        raise PolicyError(
            f"the site's policy allows {rules.max_fits} regressions of {step.outcome!r} on these covariates, and so "
            "many were made; its custodian may raise max_fits"
        )
