"""Sealing: a federation's total made a release, with what its readers must know of who took part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pets.common.clock import now
from pets.common.signing import SigningKey
from pets.dp.shares import on_the_plans_grid
from pets.federated.analyst.planning import FederatedRequest, noise_scales
from pets.federated.analyst.sharing import sharing_of, signature
from pets.federated.query_round.coordinator import Relay
from pets.federated.query_round.order import Order
from pets.federated.site import wording
from pets.protection.budget import Cost
from pets.protection.protection import Total
from pets.release.certificate import Certificate
from pets.release.release import Release, sealed_release
from pets.schema.schema import Schema


def sealed(
    request: FederatedRequest,
    order: Order,
    relay: Relay,
    schema: Schema,
    certificates: Mapping[str, Certificate],
    coordinator: SigningKey,
) -> Release:
    """The release of a query that has its total, signed by the coordinator."""
    plan, roster, shares, survivors = request.plan, relay.roster, request.shares, len(relay.survivors)
    values, scales = relay.total, (0.0,) * len(plan.measures)
    cost = request.cost if roster.members[0].data == "real" else Cost(roster.currency, 0)
    if shares is not None:
        values, _ = on_the_plans_grid(plan, values, shares, survivors)
        scales = noise_scales(plan, shares, survivors)
    at, exact = request.at, isinstance(order.protection, Total)
    rounded = shares is not None and max(shares.refine) > 1
    notes = wording.notes(plan, roster, order.secure, survivors, shares is not None, rounded)
    # (a site lost after its vector came is in the answer all the same: the others took its masks off)
    missing = sorted(set(relay.lost) - set(relay.survivors))
    notes += tuple(f"Site {name} is not in the answer." for name in missing)
    notes += tuple(
        f"Site {name} {what}, as its own signature proves; the answer does not rest on it."
        for name, what in relay.proved.items()
    )
    if shares is not None and shares.mechanism == "laplace":
        notes += ("The noise is a sum of discrete Laplace draws; intervals take its normal limit.",)
    dummy = roster.members[0].data == "dummy"
    parts: dict[str, Any] = {
        "id": order.id,
        "dataset": schema.dataset,
        "table": plan.table,
        "query": plan.query,
        "schema": schema,
        "plan_digest": plan.digest,
        "values": values,
        "mechanism": "none" if shares is None else "gaussian",
        "scales": scales,
        "protection": order.protection.to_json(),
        "snapshot_id": f"federated {order.id}",
        "data": "dummy" if dummy else "real",
        "cost": cost.to_json(),
        "epsilon": None if at is None else at[0],
        "delta": None if at is None else at[1],
        "rho": None if request.loss is None else request.loss.rho,
        "guarantee": wording.guarantee(plan, roster, order.secure, None if dummy else at, exact and not dummy, shares),
        "budget": None,
        "issued_at": now(),
        "project": "federation",
        "analyst": order.analyst,
        "notes": notes,
    }
    sharing = sharing_of(plan, roster, order, request.loss, relay.survivors, relay.signed, certificates)
    form = sealed_release(**parts, sharing=sharing).form
    return sealed_release(**parts, sharing=sharing | {"coordinator": signature(form, coordinator)})
