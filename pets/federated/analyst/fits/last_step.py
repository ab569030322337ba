"""The record of one step of a regression over sites: its order's parts, its sums, and who signed that they are in it.

A step's total is no release: it answers no question of the query language. So that a model which was fitted step by
step can be worked out again, its last step is kept in the form of a federated release's statement on sites
(:mod:`pets.federated.analyst.sharing`): each site signed who is in the total of this very order, whose coefficients it
had held against the step before, and the coordinator signs all of it, the sums included.
"""

from __future__ import annotations

from pets.common.codec import Json, canonical
from pets.common.signing import SigningKey
from pets.federated.analyst.sharing import sharing_of
from pets.federated.query_round.coordinator import Relay
from pets.federated.query_round.order import Order
from pets.plan.plan import Plan
from pets.plan.vector import Ints
from pets.schema.schema import Schema

DOMAIN = b"pets.federated.step.v1\x00"
"""What the coordinator's signature on a step begins with."""


def record_of(plan: Plan, order: Order, relay: Relay, schema: Schema, sums: Ints, coordinator: SigningKey) -> Json:
    """The record of a step that has its total; ``sums`` are the model's own numbers in it."""
    assert order.step is not None
    # (no wording: nothing in it is a sentence)
    sharing = sharing_of(plan, relay.roster, order, None, relay.survivors, relay.signed, {}, version=None)
    form: Json = {
        "pets": "step",
        "version": 1,
        "id": order.id,
        "analyst": order.analyst,
        "query": order.query.to_json(),
        "protection": order.protection.to_json(),
        "schema": schema.to_json(),
        "data": relay.roster.members[0].data,
        "step": order.step.to_json(),
        "sums": [int(number) for number in sums],
        "sharing": sharing,
    }
    return form | {"sharing": sharing | {"coordinator": coordinator.sign(DOMAIN + canonical(form)).hex()}}
