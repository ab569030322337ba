"""Statement: what a federated release says beside its numbers. Sealing writes it, and checking reckons it again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import ModuleType
from typing import Any

from pets.dp.privacy_loss import PrivacyLoss
from pets.federated.analyst.planning import noise_scales
from pets.federated.messages.roster import Roster
from pets.federated.query_round.order import Order
from pets.federated.secure_sum.unmasking import FAULTS
from pets.federated.site import wording
from pets.federated.site.rounded import rounded_wording
from pets.plan.plan import Plan
from pets.protection.budget import Cost
from pets.protection.sdc import SDC

WORDINGS: Mapping[int, ModuleType] = {1: wording, 2: wording}
"""By version, what says the sentences of releases. Old ones stay: a release is checked by those of its own."""
LAPLACE: Mapping[int, str] = {
    1: "The noise is a sum of discrete Laplace draws; intervals take its normal limit.",
    2: "The noise is a sum of discrete Laplace draws, and intervals are of that sum; the scales stated are those of a "
    "Gaussian of the same variance.",
}


def statement(
    plan: Plan,
    roster: Roster,
    order: Order,
    loss: PrivacyLoss | None,
    survivors: Sequence[str],
    faults: Mapping[str, str],
    charged: Collection[str] = (),
    version: int = wording.VERSION,
) -> dict[str, Any]:
    """Every part of a release that follows from who was asked what, and who answered, by its name.

    Args:
        loss: what the shares of noise mean; ``None`` without noise.
        survivors: the names of the sites in the total.
        faults: by site, what the coordinator saw it sign wrongly.
        charged: of the sites that are not in the answer, those that may have opened their data for it.
        version: of the sentences.
    """
    said = WORDINGS[version]
    shares, dummy = order.shares, roster.members[0].data == "dummy"
    if isinstance(order.protection, SDC):
        return _of_everybody(roster, order) | {
            "guarantee": wording.promise(plan, roster, order, None, dummy=dummy),
            "notes": (
                *rounded_wording.notes(plan, roster, order.protection, order.secure),
                *(_fault(name, what) for name, what in faults.items()),
            ),
        }
    at = None if loss is None else (loss.epsilon, loss.delta)
    cost = Cost(roster.currency, 0) if dummy or loss is None else loss.cost
    rounded = shares is not None and max(shares.refine) > 1
    notes = said.notes(plan, roster, order.secure, len(survivors), shares is not None, rounded)
    # (a site lost after its vector came is in the answer all the same: the others took its masks off)
    missing = sorted({member.name for member in roster.members} - set(survivors))
    notes += tuple(_absent(name, charged=name in charged) for name in missing)
    notes += tuple(_fault(name, what) for name, what in faults.items())
    if shares is not None and shares.mechanism == "laplace":
        notes += (LAPLACE[version],)
    return {
        "mechanism": "none" if shares is None else "gaussian",
        "scales": (0.0,) * len(plan.measures) if shares is None else noise_scales(plan, shares, len(survivors)),
        **_of_everybody(roster, order),
        "cost": cost.to_json(),
        "epsilon": None if at is None else at[0],
        "delta": None if at is None else at[1],
        "rho": None if loss is None else loss.rho,
        "guarantee": wording.promise(plan, roster, order, at, dummy=dummy, said=said.guarantee),
        "notes": notes,
    }


def _of_everybody(roster: Roster, order: Order) -> dict[str, Any]:
    """What follows from the roster and the order alone; without noise, nothing is charged."""
    return {
        "snapshot_id": f"federated {order.id}",
        "data": roster.members[0].data,
        "cost": Cost(roster.currency, 0).to_json(),
        "budget": None,
        "project": "federation",
    }


def faults_in(notes: Sequence[str], roster: Roster) -> dict[str, str]:
    """By site, what a release's notes say that it signed wrongly: the coordinator's word, which nothing else shows."""
    known = {_fault(member.name, what): (member.name, what) for member in roster.members for what in FAULTS}
    return dict(known[note] for note in notes if note in known)


def charged_in(notes: Sequence[str], roster: Roster) -> frozenset[str]:
    """The sites of which a release's notes say that they are not in it, and may have been charged all the same."""
    return frozenset(member.name for member in roster.members if _absent(member.name, charged=True) in notes)


def _absent(name: str, *, charged: bool) -> str:
    if charged:
        return f"Site {name} is not in the answer; its data may have been opened: what that cost stays charged there."
    return f"Site {name} is not in the answer."


def _fault(name: str, what: str) -> str:
    return (
        f"Site {name} {what}, by the coordinator's word (this release carries no proof of it); the answer does not "
        "rest on it."
    )
