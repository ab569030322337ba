"""Forged, replayed, re-ordered and altered messages at a real site; what its ledger says afterwards."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

import pets
import pets.federated.analyst.federation as federation_module
import pets.federated.analyst.sealing as sealing_module
from pets.common import signing
from pets.common.entropy import random_id
from pets.dp.shares import Shares
from pets.errors import BudgetError, ReleaseFailedError
from pets.federated import Federation, Roster
from pets.federated.analyst.transport import carry
from pets.federated.messages.errors import ProtocolError, Refused
from pets.federated.messages.message import COORDINATOR, Channel, Kind, context_of, parse
from pets.federated.query_round.coordinator import Relay
from pets.federated.query_round.order import Order
from pets.federated.site import gate
from tests.unit.federated.site.test_site import HALF, N, federation, spent, states


class Wire:
    """A transport that keeps what it carried, and may alter it."""

    def __init__(self, many: Federation) -> None:
        self.many = many
        self.inner = many._transport
        self.seen: list[dict[int, bytes]] = []
        self.replies: list[dict[int, bytes]] = []
        many._transport = self

    def exchange(self, messages: Any, heard: Any) -> Any:
        self.seen.append(dict(messages))
        self.replies.append(dict(self.inner.exchange(messages, heard)))
        return self.replies[-1]


def order_for(many: Federation, **changes: Any) -> Order:
    asked = many._request(N, HALF, "masked")
    made = Order(random_id(), many.roster.digest, many.schema.digest, "local", N, HALF, "masked", asked.shares)
    return replace(made, **changes)


def deliver(many: Federation, order: Order, *, analyst: Any = None, coordinator: Any = None) -> bytes:
    """The first reply of site s0 to an order."""
    body = order.signed(analyst or many._analyst)
    channel = Channel(
        many.roster, bytes.fromhex(order.id), context_of(many.roster), COORDINATOR, coordinator or many._coordinator
    )
    return many.sites["s0"].handle(channel.write(Kind.ORDER, 0, body))


def test_a_whole_query_replayed_is_refused_and_charged_once() -> None:
    many = federation(people=30)
    wire = Wire(many)
    many.release(N, HALF)
    before = spent(many)
    site = many.sites["s0"]
    site._active.clear()
    for number in range(5):
        with pytest.raises(ProtocolError):
            site.handle(wire.seen[number][0])
    # a site that was restarted has forgotten the ids; its ledger has not
    site._seen.clear()
    with pytest.raises(ProtocolError, match="ledger already"):
        site.handle(wire.seen[0][0])
    assert spent(many) == before
    assert states(many) == [["committed"]] * 3


def test_the_same_request_again_gets_the_same_reply_not_another_share() -> None:
    # a retry after a lost connection: noise and masks of one id are drawn once
    many = federation(people=30)
    wire = Wire(many)
    site = many.sites["s0"]
    inner = wire.inner

    class Twice:
        def exchange(self, messages: Any, heard: Any) -> Any:
            first = dict(inner.exchange(messages, heard))
            again = site.handle(messages[0])
            assert again == first[0]
            return first

    many._transport = Twice()
    many.release(N, HALF)
    assert states(many) == [["committed"]] * 3


def test_an_altered_retry_is_refused() -> None:
    many = federation(people=30)
    wire = Wire(many)
    with pytest.raises(ReleaseFailedError):
        real = wire.inner

        class Bend:
            def exchange(self, messages: Any, heard: Any) -> Any:
                if len(wire.seen) == 2:
                    bent = {s: bytes([*m[:40], m[40] ^ 1, *m[41:]]) for s, m in messages.items()}
                    return wire.exchange(bent, heard)
                return wire.exchange(messages, heard)

        wire.inner = real
        many._transport = Bend()
        many.release(N, HALF)
    assert states(many) == [["voided"]] * 3
    assert spent(many) == [0, 0, 0]


def test_orders_of_strangers_are_not_answered() -> None:
    many = federation(people=30)
    stranger = signing.ephemeral()
    with pytest.raises(ProtocolError, match="not signed by an analyst"):
        deliver(many, order_for(many), analyst=stranger)
    with pytest.raises(ProtocolError, match="roster that this site has pinned"):
        deliver(many, order_for(many), coordinator=stranger)
    with pytest.raises(ProtocolError, match="not signed by an analyst"):
        deliver(many, order_for(many, analyst="somebody"))
    assert spent(many) == [0, 0, 0]
    assert states(many) == [[], [], []]


def test_another_roster_is_not_this_one() -> None:
    many = federation(people=30)
    form = many.roster.to_json() | {"colluding": 0}
    lowered = Roster.from_json(form)
    order = order_for(many, roster=lowered.digest)
    with pytest.raises(ProtocolError, match="another roster"):
        deliver(many, order)
    channel = Channel(lowered, bytes.fromhex(order.id), context_of(lowered), COORDINATOR, many._coordinator)
    with pytest.raises(ProtocolError, match="pinned"):
        many.sites["s0"].handle(channel.write(Kind.ORDER, 0, order.signed(many._analyst)))


def said(reply: bytes) -> str:
    return reply[21:-64].decode()


def test_an_order_with_too_little_noise_is_refused_by_the_sites_own_reckoning() -> None:
    many = federation(people=30)
    order = order_for(many)
    assert order.shares is not None
    less = Shares("gaussian", tuple(scale * 0.9 for scale in order.shares.scales), order.shares.refine)
    assert "less than its protection promises" in said(deliver(many, replace(order, id=random_id(), shares=less)))
    none = replace(order, id=random_id(), shares=None)
    assert "does not go with" in said(deliver(many, none))
    alone = replace(order.shares, alone=True)
    assert "does not go with" in said(deliver(many, replace(order, id=random_id(), shares=alone)))
    longer = Shares("gaussian", (*order.shares.scales, 9.0), (*order.shares.refine, 1))
    assert "another query" in said(deliver(many, replace(order, id=random_id(), shares=longer)))
    assert spent(many) == [0, 0, 0]


def test_sums_that_might_wrap_are_refused_before_anything_is_reserved(monkeypatch: pytest.MonkeyPatch) -> None:
    many = federation(people=30)
    order = order_for(many)
    limit = many._request(N, HALF, "masked").plan.measures[0].limit
    fine = Shares("gaussian", (2.0**36,), (2**31,))  # as much noise as asked, on a grid as fine as may be
    monkeypatch.setattr(gate, "RANGE", limit * 2**31 - 1)
    assert "2^62" in said(deliver(many, replace(order, id=random_id(), shares=fine)))
    assert states(many)[0] == []
    monkeypatch.setattr(gate, "RANGE", limit * 2**31)
    deliver(many, replace(order, id=random_id(), shares=fine))
    assert states(many)[0] == ["reserved"]


def test_another_schema_is_refused() -> None:
    many = federation(people=30)
    assert "another schema" in said(deliver(many, order_for(many, schema="0" * 64)))


def test_a_signed_order_has_one_form() -> None:
    many = federation(people=30)
    order = order_for(many)
    channel = Channel(many.roster, bytes.fromhex(order.id), context_of(many.roster), COORDINATOR, many._coordinator)
    for form in (order.form + b" ", order.form.replace(b'"analyst"', b' "analyst"', 1)):
        body = form + many._analyst.sign(Order.DOMAIN + form)
        with pytest.raises(ProtocolError, match="in the form that pets writes"):
            many.sites["s0"].handle(channel.write(Kind.ORDER, 0, body))
    assert deliver(many, order)


def test_orders_that_are_no_orders() -> None:
    many = federation(people=30)
    order = order_for(many)
    body = order.signed(many._analyst)
    for bad in (b"", b"{}" + body[-64:], body[1:], body.replace(b"masked", b"MASKED"), body[:-65] + b" }" + body[-64:]):
        channel = Channel(many.roster, bytes.fromhex(order.id), context_of(many.roster), COORDINATOR, many._coordinator)
        with pytest.raises(ProtocolError):
            many.sites["s0"].handle(channel.write(Kind.ORDER, 0, bad))
        many.sites["s0"]._seen.clear()
    with pytest.raises(BudgetError):
        Shares.from_json({})


def test_shares_of_noise_differ_between_queries_and_sites() -> None:
    # one question asked twice: every site draws anew, so the difference of two answers is noise, not nothing
    many = federation(people=30)
    drawn = []
    real = sealing_module.on_the_plans_grid

    def keep(plan: Any, total: Any, shares: Any, survivors: int) -> Any:
        drawn.append(total.copy())
        return real(plan, total, shares, survivors)

    sealing_module.on_the_plans_grid = keep  # type: ignore[assignment]
    try:
        query = pets.query("stays").group_by("age", "days").agg(n=pets.count())
        many.release(query, HALF)
        many.release(query, HALF, again=True)
    finally:
        sealing_module.on_the_plans_grid = real
    totals = [one for one in drawn if one.any()]
    assert (totals[0] != totals[-1]).any()


def test_subtracting_answers_with_and_without_a_site_costs_twice() -> None:
    # dropout differencing: under DP both answers bear full noise of their own, and both are charged
    many = federation(4, dropouts=1, people=40)
    many.release(N, HALF)
    price = spent(many)[0]

    class Cut:
        def __init__(self, inner: Any) -> None:
            self.inner = inner

        def exchange(self, messages: Any, heard: Any) -> Any:
            return self.inner.exchange({s: m for s, m in messages.items() if s != 3}, heard)

    many._transport = Cut(many._transport)  # type: ignore[assignment]
    release = many.release(N, HALF, again=True)
    assert release.notes[0].startswith("3 of 4")
    assert spent(many) == [2 * price] * 3 + [price]


def test_exact_totals_are_never_given_without_every_site() -> None:
    from pets.federated import SitePolicy, Totals
    from tests.unit.federated.site.test_site import SCHEMA, UNBOUNDED

    rules = SitePolicy.open(SCHEMA, totals=Totals(allow=True, min_cohort=1))
    many = federation(4, dropouts=1, people=40, rules=rules, policy=UNBOUNDED)
    inner = many._transport

    class Cut:
        calls = 0

        def exchange(self, messages: Any, heard: Any) -> Any:
            self.calls += 1
            lost = {3} if self.calls >= 4 else set()
            return inner.exchange({s: m for s, m in messages.items() if s not in lost}, heard)

    many._transport = Cut()  # type: ignore[assignment]
    with pytest.raises(ReleaseFailedError):
        many.release(N, pets.Total())


def test_a_coordinator_that_does_without_a_site_gets_no_exact_total(monkeypatch: pytest.MonkeyPatch) -> None:
    """The roster would bear the loss of one, and the coordinator counts so: the sites themselves know better."""
    from pets.federated import SitePolicy, Totals
    from tests.conformance import _dead
    from tests.unit.federated.site.test_site import SCHEMA, UNBOUNDED

    rules = SitePolicy.open(SCHEMA, totals=Totals(allow=True, min_cohort=1))
    many = federation(4, dropouts=1, people=40, rules=rules, policy=UNBOUNDED)
    inner = federation_module.Relay
    monkeypatch.setattr(federation_module, "Relay", lambda *given: inner(*given[:5], False, *given[6:]))
    many.sites["s3"].handle = _dead  # type: ignore[method-assign]
    with pytest.raises(ReleaseFailedError):
        many.release(N, pets.Total())
    assert states(many) == [["voided"]] * 3 + [[]]  # and nobody's data was opened


def test_an_abort_is_only_the_coordinators() -> None:
    many = federation(people=30)
    order = order_for(many)
    deliver(many, order)
    forged = Channel(
        many.roster, bytes.fromhex(order.id), context_of(many.roster, order.form), COORDINATOR, signing.ephemeral()
    ).write(Kind.ABORT, 0, b"")
    site = many.sites["s0"]
    with pytest.raises(ProtocolError):
        site.handle(forged)
    assert site._active
    relay = Relay(many.roster, many._coordinator, order, order.signed(many._analyst), 1, False)
    relay._reached = {0}
    site.handle(relay.abort()[0])
    assert not site._active
    assert states(many)[0] == ["voided"]


def test_a_relay_counts_strangers_replies_as_lost() -> None:
    many = federation(people=30)
    order = order_for(many)
    relay = Relay(many.roster, many._coordinator, order, order.signed(many._analyst), 1, False)
    own = signing.ephemeral()
    for site in range(3):
        fake = Channel(many.roster, bytes.fromhex(order.id), context_of(many.roster, order.form), site, own)
        relay.take(site, fake.write(Kind.ROUND, 0, b"\1" * 64))
    with pytest.raises((ReleaseFailedError, Refused)):
        relay.close()
    assert len(relay.lost) == 3
    with pytest.raises(ReleaseFailedError):
        carry(Relay(many.roster, many._coordinator, order, b"", 1, False), many._transport, progress=False)


def test_an_order_that_was_refused_is_not_taken_up_later() -> None:
    # it was refused for want of room; nobody may send it again when there is some
    many = federation(people=30)
    asked = many._request(N, pets.DP(epsilon=3), "masked")
    order = order_for(many, protection=pets.DP(epsilon=3), shares=asked.shares)
    many.sites["s0"].session.release(N, pets.DP(epsilon=0.1))
    assert "has room for" in said(deliver(many, order))
    with pytest.raises(ProtocolError, match="seen before"):
        deliver(many, order)
    assert sorted(states(many)[0]) == ["committed", "denied"]


def test_an_order_is_not_carried_under_another_id() -> None:
    # a coordinator could else begin one signed order as often as it likes, and choose among the noise
    many = federation(people=30)
    order = order_for(many)
    other = Channel(many.roster, bytes.fromhex(random_id()), context_of(many.roster), COORDINATOR, many._coordinator)
    with pytest.raises(ProtocolError, match="id is not its message's"):
        many.sites["s0"].handle(other.write(Kind.ORDER, 0, order.signed(many._analyst)))
    assert states(many)[0] == []


def test_an_order_comes_from_the_coordinator_in_the_first_round() -> None:
    # a colluding site that got hold of an analyst's order is no coordinator, and a later round is no beginning
    many = federation(people=30)
    order = order_for(many)
    query, about = bytes.fromhex(order.id), context_of(many.roster)
    site = Channel(many.roster, query, about, 1, many.sites["s1"]._key)
    desk = Channel(many.roster, query, about, COORDINATOR, many._coordinator)
    for data in (
        site.write(Kind.ORDER, 0, order.signed(many._analyst)),
        desk.write(Kind.ORDER, 1, order.signed(many._analyst)),
    ):
        with pytest.raises(ProtocolError, match="not from the coordinator"):
            many.sites["s0"].handle(data)
    assert states(many)[0] == []


def test_a_question_that_stays_open_is_one_message_of_each_site() -> None:
    """The rounds of masks need all sites at once; a site that let it in would hold its reservation for days."""
    many = federation(people=30)
    soon = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).isoformat(timespec="seconds")
    reply = parse(deliver(many, order_for(many, until=soon)))
    assert reply.kind is Kind.REFUSED
    assert reply.body.startswith(b"only a question in encrypted envelopes stays open")
    assert states(many) == [[]] * 3
