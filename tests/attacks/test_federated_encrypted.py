"""A coordinator or key holder that lies about encrypted envelopes: refused, and nothing but one total ever opens."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pets import he
from pets.errors import PolicyError, ReleaseFailedError, UserError
from pets.federated import Federation
from pets.federated.messages.errors import ProtocolError, Refused
from pets.federated.messages.message import OVERHEAD
from pets.federated.query_round.envelopes import CoordinatorEnvelopes, agreed, asked_for
from pets.federated.query_round.order import Order
from pets.federated.secure_sum.encrypted import EncryptedCollector, EncryptedParty
from pets.he.ciphertext_bytes import pack_all, unpack_all
from pets.he.totals.total import Total
from tests.conformance import _dead
from tests.unit.federated.site.test_site import HALF, N, federation, spent


def body(message: bytes) -> bytes:
    return message[OVERHEAD - 64 : -64]


class Spy(CoordinatorEnvelopes):
    """A coordinator's adder that remembers what it got, and may hand in something else."""

    lies: Any = None
    seen: list[Any]

    def open(self, total: bytes, consents: Any) -> Any:
        type(self).seen.append((self, total, dict(consents)))
        return super().open(total if self.lies is None else type(self).lies(self, total), consents)


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> type[Spy]:
    import pets.federated.analyst.federation as module

    made = type("Spied", (Spy,), {"seen": [], "lies": None})
    monkeypatch.setattr(module, "CoordinatorEnvelopes", made)
    return made


def ask(many: Federation) -> Any:
    return many.release(N, HALF, secure="encrypted", again=True)


def test_a_total_opens_once(spy: type[Spy]) -> None:
    many = federation(people=30)
    ask(many)
    adding, total, consents = spy.seen[0]
    with pytest.raises(ProtocolError, match="was opened before"):
        adding.open(total, consents)


def test_a_coordinator_that_wants_one_sites_numbers_gets_nothing(spy: type[Spy]) -> None:
    """It hands in one site's ciphertext as if it were everybody's total, or one site's envelope as a total."""
    many = federation(people=30)

    def alone(adding: Spy, total: bytes) -> bytes:
        return he.add([spy.envelopes[0]]).to_bytes()  # type: ignore[attr-defined]

    def dressed(adding: Spy, total: bytes) -> bytes:
        made = Total.from_bytes(total)
        object.__setattr__(made, "payload", spy.envelopes[0].payload)  # type: ignore[attr-defined]
        return made.to_bytes()

    inner = spy.add

    def keep(self: Spy, envelopes: Any) -> Any:
        spy.envelopes = [he.Envelope.from_bytes(data) for data in envelopes.values()]  # type: ignore[attr-defined]
        return inner(self, envelopes)

    spy.add = keep  # type: ignore[method-assign]
    for lie, why in ((alone, "opens from 3 on"), (dressed, "does not add up")):
        spy.lies = lie
        with pytest.raises(ReleaseFailedError, match=why):
            ask(many)


def test_a_changed_total_is_not_shown(spy: type[Spy]) -> None:
    many = federation(people=30)

    def shifted(adding: Spy, total: bytes) -> bytes:
        made = Total.from_bytes(total)
        preset, chunks = made.round.preset, made.round.chunks
        arrays = [array.copy() for array in unpack_all(made.payload, preset, chunks)]
        whole = math.prod(preset.chain.kept)
        for array, t in zip(arrays, preset.plain, strict=True):
            for place, q in enumerate(preset.chain.kept):  # encrypted numbers can be added to: one more in the first
                array[0, 0, place, 0] = (int(array[0, 0, place, 0]) + whole // t) % q
        object.__setattr__(made, "payload", pack_all(arrays, preset))
        return made.to_bytes()

    spy.lies = shifted
    with pytest.raises(ReleaseFailedError, match="does not add up"):
        ask(many)


def test_an_envelope_of_an_earlier_query_is_not_added(monkeypatch: pytest.MonkeyPatch) -> None:
    many = federation(people=30)
    kept: list[bytes] = []
    inner = CoordinatorEnvelopes.add

    def replay(self: CoordinatorEnvelopes, envelopes: Any) -> Any:
        if kept:
            envelopes = {**envelopes, 1: kept[0]}
        kept.append(envelopes[1])
        return inner(self, envelopes)

    monkeypatch.setattr(CoordinatorEnvelopes, "add", replay)
    ask(many)
    with pytest.raises(ReleaseFailedError, match="3 sites are needed for an answer and 2 sent"):
        ask(many)


def test_one_site_does_not_speak_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    many = federation(people=30)
    inner = CoordinatorEnvelopes.add
    monkeypatch.setattr(
        CoordinatorEnvelopes, "add", lambda self, sent: inner(self, {0: sent[0], 1: sent[0], 2: sent[2]})
    )
    with pytest.raises(ReleaseFailedError, match="and 2 sent a sound envelope"):
        ask(many)


class Liar:
    """A transport whose coordinator's second message is something else (its signature is made anew)."""

    def __init__(self, many: Federation, change: Any) -> None:
        self.many, self.change, self.inner, self.number = many, change, many._transport, 0
        many._transport = self

    def exchange(self, messages: Any, heard: Any) -> Any:
        self.number += 1
        if self.number == 2:
            messages = self.change(messages)
        return self.inner.exchange(messages, heard)


def lost_one(n: int = 5) -> Federation:
    many = federation(n, dropouts=1, people=40)
    many.sites["s4"].handle = _dead  # type: ignore[method-assign]
    return many


def test_a_site_signs_one_set_and_only_with_its_own_envelope_in_it() -> None:
    many = lost_one()
    encryptors: dict[str, Any] = {}
    for name, site in many.sites.items():
        site._agreed = _keeping(site._agreed, encryptors, name)  # type: ignore[method-assign]
    ask(many)
    first = dict(encryptors)
    # its part is signed already: the same question again is out of turn
    assert all(not site._active or next(iter(site._active.values())).next == 2 for site in many.sites.values())
    ask(many)
    old, new = first["s0"], encryptors["s0"]
    assert old.asked.id != new.asked.id
    total = he.add(
        [he.Envelope.from_bytes(new.again) for new in (encryptors["s1"], encryptors["s2"], encryptors["s3"])]
    )
    with pytest.raises(ProtocolError, match="without this site's envelope"):
        new.inner.consent(total.to_bytes())
    with pytest.raises(ProtocolError, match="of another query"):
        old.inner.consent(total.to_bytes())
    few = he.add([he.Envelope.from_bytes(encryptors["s0"].again), he.Envelope.from_bytes(encryptors["s1"].again)])
    with pytest.raises(ProtocolError, match="4 sites are needed in a total"):
        new.inner.consent(few.to_bytes())
    with pytest.raises(ProtocolError, match="not one that the sites' envelopes make"):
        new.inner.consent(b"pets tot")


class _Kept:
    def __init__(self, inner: Any) -> None:
        self.inner, self.asked, self.again = inner, inner.asked, b""

    def encrypt(self, vector: Any) -> bytes:
        self.again = self.inner.encrypt(vector)
        return self.again

    def consent(self, total: bytes) -> bytes:
        return self.inner.consent(total)  # type: ignore[no-any-return]


def _keeping(agree: Any, into: dict[str, Any], name: str) -> Any:
    def agreed(*args: Any) -> Any:
        into[name] = _Kept(agree(*args))
        return into[name]

    return agreed


def test_without_every_signature_nothing_opens(spy: type[Spy]) -> None:
    many = lost_one()
    inner = spy.open

    def fewer(self: Spy, total: bytes, consents: Any) -> Any:
        return inner(self, total, {site: said for site, said in consents.items() if site != 2})

    spy.open = fewer  # type: ignore[method-assign]
    with pytest.raises(ReleaseFailedError, match="every survivor must sign"):
        ask(many)


def test_a_second_set_is_refused_after_the_first(spy: type[Spy]) -> None:
    many = lost_one()
    ask(many)
    adding, total, consents = spy.seen[0]
    with pytest.raises(ProtocolError, match="was opened before"):
        adding.open(total, consents)


@pytest.mark.parametrize("what", ["key", "id", "threshold", "noise", "none", "edited"])
def test_a_round_that_is_not_the_orders_is_refused_before_any_charge(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pets.federated.analyst.federation as module

    many = federation(4, dropouts=1, people=40)
    strange = he.keygen()[1]

    def lying(holder: Any, roster: Any, plan: Any, protection: Any, shares: Any, schema: Any) -> Any:
        good = asked_for(holder, roster, plan, protection, shares, schema)
        settings = {"least": good.least, "colluding": good.least - good.honest, "preset": good.preset.name}
        parties, noise = list(good.parties), good.noise
        if what == "threshold":
            settings["least"] = 2
        if what == "noise":
            noise = type(noise)(rho=1e-9)
        return (strange if what == "key" else holder).round(plan.query, schema, parties, noise, **settings)

    inner = Order.signed

    def edited(self: Order, key: Any) -> bytes:
        changes: dict[str, Any] = {
            "id": {"id": "0" * 32},
            "none": {"round": None},
            "edited": {"round": {**(self.round or {}), "least": 2}},
        }.get(what, {})
        for name, value in changes.items():
            object.__setattr__(self, name, value)
        self.__dict__.pop("form", None)
        return inner(self, key)

    if what in ("key", "threshold", "noise"):
        monkeypatch.setattr(module, "asked_for", lying)
    else:
        monkeypatch.setattr(Order, "signed", edited)
    with pytest.raises(Refused, match="key holder"):
        ask(many)
    assert spent(many) == [0, 0, 0, 0]


def test_a_sybil_in_the_round_is_refused() -> None:
    many = federation(people=30)
    holder, roster = many._key_holder()
    asked = many._request(N, HALF, "encrypted")
    own = he.partykey("site-0003").public
    wide = asked_for(holder, roster, asked.plan, HALF, asked.shares, many.schema)
    sybil = holder.round(N, many.schema, [*wide.parties, own], wide.noise, least=3, colluding=1)
    order = Order(sybil.id, roster.digest, many.schema.digest, "local", N, HALF, "encrypted", asked.shares)
    order = replace(order, round=json.loads(sybil.to_bytes()))
    site = many.sites["s0"]
    with pytest.raises(Exception, match="another query, roster"):
        agreed(order, roster, asked.plan, many.schema, site._key, holder.public)


@pytest.mark.parametrize(("least", "colluding"), [(4, 0), (4, 2), (3, 1)])
def test_a_round_of_other_assumptions_is_refused(least: int, colluding: int) -> None:
    """With more honest parties assumed than there surely are, people would have less noise than they were promised."""
    many = federation(4, people=40)
    holder, roster = many._key_holder()
    asked = many._request(N, HALF, "encrypted")
    right = asked_for(holder, roster, asked.plan, HALF, asked.shares, many.schema)
    assert (right.least, right.honest) == (4, 3)
    site = many.sites["s0"]
    for settings, fits in (((4, 1), True), ((least, colluding), False)):
        made = holder.round(N, many.schema, right.parties, right.noise, least=settings[0], colluding=settings[1])
        order = Order(made.id, roster.digest, many.schema.digest, "local", N, HALF, "encrypted", asked.shares)
        order = replace(order, round=json.loads(made.to_bytes()))
        if fits:
            assert agreed(order, roster, asked.plan, many.schema, site._key, holder.public)
            continue
        with pytest.raises(PolicyError, match="another query, roster, threshold or noise"):
            agreed(order, roster, asked.plan, many.schema, site._key, holder.public)


def test_a_party_answers_each_round_once() -> None:
    class Halves:
        def encrypt(self, vector: Any) -> bytes:
            return b"sealed"

        def consent(self, total: bytes) -> bytes:
            return b"signed"

    task: Any = SimpleNamespace(encryptor=Halves())
    party = EncryptedParty(task, lambda: np.zeros(1, dtype=np.uint64))
    with pytest.raises(ProtocolError, match="out of turn"):
        party.answer(1, b"")
    assert party.answer(0, b"") == b"sealed"
    with pytest.raises(ProtocolError, match="out of turn"):
        party.answer(0, b"")
    assert party.answer(1, b"") == b"signed"
    for number in (0, 1, 2):
        with pytest.raises(ProtocolError, match="out of turn"):
            party.answer(number, b"")
    with pytest.raises(UserError, match="agreed upon with nobody"):
        EncryptedParty(SimpleNamespace(encryptor=None), lambda: np.zeros(1))  # type: ignore[arg-type]
    with pytest.raises(UserError, match="key holder"):
        EncryptedCollector(SimpleNamespace(adder=None))  # type: ignore[arg-type]
