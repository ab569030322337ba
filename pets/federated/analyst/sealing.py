"""Sealing: a federation's total made a release, with what its readers must know of who took part."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pets.common.clock import now
from pets.common.codec import Json
from pets.common.signing import SigningKey
from pets.dp.shares import on_the_plans_grid
from pets.federated.analyst.planning import FederatedRequest
from pets.federated.analyst.sharing import sharing_of, signature
from pets.federated.analyst.statement import statement
from pets.federated.query_round import rounded_counts
from pets.federated.query_round.coordinator import Relay
from pets.federated.query_round.order import Order
from pets.protection.sdc import SDC
from pets.query_model.display import Display
from pets.release.certificate import Certificate
from pets.release.release import Release, sealed_release
from pets.release.rounded.rounded_sum import RoundedSum
from pets.schema.schema import Schema

Answer = Release | RoundedSum
"""What a federation answers."""


def sealed(
    request: FederatedRequest,
    order: Order,
    relay: Relay,
    schema: Schema,
    certificates: Mapping[str, Certificate],
    coordinator: SigningKey,
) -> Answer:
    """The release of a query that has its total, signed by the coordinator."""
    plan, roster, shares, values = request.plan, relay.roster, request.shares, relay.total
    stated = statement(plan, roster, order, request.loss, relay.survivors, relay.proved, relay.charged_absent)
    sharing = sharing_of(plan, roster, order, request.loss, relay.survivors, relay.signed, certificates)
    if isinstance(order.protection, SDC):
        form = _rounded(request, order, relay, schema, stated, sharing)
        return RoundedSum(form | {"sharing": sharing | {"coordinator": signature(form, coordinator)}})
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
        **stated,
    }
    form = sealed_release(**parts, sharing=sharing).form
    return sealed_release(**parts, sharing=sharing | {"coordinator": signature(form, coordinator)})


def _rounded(
    request: FederatedRequest, order: Order, relay: Relay, schema: Schema, stated: Mapping[str, Any], sharing: Json
) -> Json:
    """The canonical form of rounded counts over the sites, not signed yet."""
    plan, protection = request.plan, order.protection
    assert isinstance(protection, SDC)
    counts, known = rounded_counts.read(plan, protection.rule, relay.total), {"snapshot": stated["snapshot_id"]}
    return RoundedSum.unsigned(order.id, plan, schema, protection, order.analyst, counts, sharing, {**stated, **known})


def order_of(answer: Answer) -> str:
    """The id of what its sites were asked: of an answer from the key holder's grid, of that grid's round."""
    grid = answer.sharing.get("grid") if isinstance(answer, RoundedSum) else None
    return answer.id if grid is None else str(grid["round"]["id"])


def shown_as(answer: Answer, display: Display | None) -> Answer:
    """An answer, its table shown as the question says; rounded counts are shown as they are."""
    return answer.shown_as(display) if isinstance(answer, Release) else answer


def released(answer: Answer) -> Release:
    """The answer to a question that stays open: those are asked in envelopes, in which no rounded counts are."""
    assert isinstance(answer, Release)
    return answer


def load(path: Path) -> Answer:
    """An answer that was saved; raises :class:`UserError` where it is none."""
    try:
        form = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return Release.load(path)  # which says what is wrong with it
    rounded = isinstance(form, dict) and form.get("pets") == RoundedSum.FORM
    return RoundedSum.load(path) if rounded else Release.load(path)
