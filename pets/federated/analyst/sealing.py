"""Sealing: a federation's total made a release, with what its readers must know of who took part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pets.common.clock import now
from pets.common.signing import SigningKey
from pets.dp.shares import on_the_plans_grid
from pets.federated.analyst.planning import FederatedRequest
from pets.federated.analyst.sharing import sharing_of, signature
from pets.federated.analyst.statement import statement
from pets.federated.query_round.coordinator import Relay
from pets.federated.query_round.order import Order
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
    plan, roster, shares, values = request.plan, relay.roster, request.shares, relay.total
    if shares is not None:
        values, _ = on_the_plans_grid(plan, values, shares, len(relay.survivors))
    parts: dict[str, Any] = {
        "id": order.id,
        "dataset": schema.dataset,
        "table": plan.table,
        "query": plan.query,
        "schema": schema,
        "plan_digest": plan.digest,
        "values": values,
        "protection": order.protection.to_json(),
        "issued_at": now(),
        "analyst": order.analyst,
        **statement(plan, roster, order, request.loss, relay.survivors, relay.proved, relay.charged_absent),
    }
    sharing = sharing_of(plan, roster, order, request.loss, relay.survivors, relay.signed, certificates)
    form = sealed_release(**parts, sharing=sharing).form
    return sealed_release(**parts, sharing=sharing | {"coordinator": signature(form, coordinator)})
