"""A key holder apart from the coordinator: what it opens, once; what a coordinator, or a false key holder, gets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pets
from pets import he
from pets.common import signing
from pets.common.entropy import random_id
from pets.errors import PolicyError, ReleaseFailedError, UserError
from pets.federated import Federation, Roster, SitePolicy, Totals
from pets.federated.analyst.transport import InProcess
from pets.federated.keyholder.client import KeyHolderClient
from pets.federated.keyholder.gate import (
    HOLDER,
    KeyHolderGate,
    RoundRequest,
    numbers_from_bytes,
    numbers_to_bytes,
    packed,
    unpacked,
)
from pets.federated.messages.errors import ProtocolError
from pets.federated.messages.message import COORDINATOR, Channel, Kind, context_of
from pets.protection.protection import DP, Exact
from tests.conformance import _dead
from tests.unit.federated.site.test_site import BY_AGE, HALF, SCHEMA, UNBOUNDED, N, federation, spent, states


@pytest.fixture(scope="module")
def key() -> he.SecretKey:
    return he.keygen()[1]


class Line(InProcess):
    """Sites and a key holder in one process; what goes to the key holder, and back, is kept and may be changed."""

    def __init__(self, many: Federation, gate: Any) -> None:
        super().__init__([*many.sites.values(), gate])
        self.place = len(many.sites)
        self.asked: list[bytes] = []
        self.told: list[bytes] = []
        self.change: Callable[[int, bytes], bytes | None] = lambda number, data: data
        self.reply: Callable[[int, bytes], bytes | None] = lambda number, data: data

    def exchange(self, messages: Mapping[int, bytes], heard: Any) -> Mapping[int, bytes]:
        if self.place not in messages:
            return super().exchange(messages, heard)
        number = len(self.asked)
        self.asked.append(messages[self.place])
        sent = self.change(number, messages[self.place])
        found = {} if sent is None else dict(super().exchange({self.place: sent}, heard))
        if self.place in found:
            self.told.append(found[self.place])
            back = self.reply(number, found[self.place])
            found = {} if back is None else {self.place: back}
        return found


def apart(many: Federation, key: he.SecretKey, *, totals: bool = False, public: Any = None) -> tuple[Line, Any]:
    """A federation whose key holder is somebody else, reached by messages alone."""
    many._pin(key)
    gate = KeyHolderGate(key, totals=totals)
    gate.join(many._keyed)
    line = Line(many, gate)
    many._transport = line
    many._holder = KeyHolderClient(
        public or key.public, many._keyed, many._coordinator, many._analyst, many.analyst, line, line.place
    )
    return line, gate


def ask(many: Federation, query: Any = N, protection: Any = HALF) -> Any:
    return many.release(query, protection, secure="encrypted", again=True)


# answers --------------------------------------------------------------------------------------------------------------


def test_it_is_the_masked_answer_bit_for_bit(key: he.SecretKey) -> None:
    many = federation(people=40).dummy(rows=60)
    wanted = many.release(BY_AGE, Exact(), secure="masked").values
    line, _ = apart(many, key)
    release = ask(many, BY_AGE, Exact())
    assert (release.values == wanted).all()
    assert wanted.any()
    assert len(line.asked) == 2
    assert "do not collude" not in release.guarantee  # invented rows


def test_noise_charge_and_guarantee_are_those_of_a_key_in_the_process(key: he.SecretKey) -> None:
    many = federation(people=600)
    here = ask(many)
    line, _ = apart(many, key)
    release = ask(many)
    assert (release.cost, release.scales, release.guarantee) == (here.cost, here.scales, here.guarantee)
    assert spent(many)[0] == 2 * release.cost["loss"]
    assert key.public.id[:16] in release.notes[1]
    assert b"secret" not in repr(line.told).encode()
    made = many.synthesise(20, epsilon=1, columns=["age"], secure="encrypted", progress=False)
    assert len(made.table) == 20


def test_lost_sites_are_signed_for(key: he.SecretKey) -> None:
    many = federation(5, dropouts=1, people=40).dummy(rows=60)
    many.sites["s2"].handle = _dead  # type: ignore[method-assign]
    wanted = many.release(BY_AGE, Exact(), secure="masked").values
    line, _ = apart(many, key)
    line._sites[2].handle = _dead  # type: ignore[method-assign]
    release = ask(many, BY_AGE, Exact())
    assert (release.values == wanted).all()
    assert release.notes[0].startswith("4 of 5")
    assert len(unpacked(line.asked[1][21:-64])[1]) == 4


def test_exact_totals_only_where_the_key_holder_allows_them_too(key: he.SecretKey) -> None:
    rules = SitePolicy.open(SCHEMA, totals=Totals(allow=True, min_cohort=0))
    many = federation(rules=rules, policy=UNBOUNDED)
    wanted = many.release(BY_AGE, pets.Total()).values
    apart(many, key)
    before = states(many)
    with pytest.raises(UserError, match="this key holder opens no exact totals"):
        ask(many, BY_AGE, pets.Total())
    assert states(many) == before
    apart(many, key, totals=True)
    assert (ask(many, BY_AGE, pets.Total()).values == wanted).all()


def test_great_numbers_cross_whole() -> None:
    assert numbers_from_bytes(numbers_to_bytes(np.array([1, -5]))).tolist() == [1, -5]
    great = np.array([2**70, -(2**88), 0], dtype=object)
    assert numbers_from_bytes(numbers_to_bytes(great)).tolist() == great.tolist()
    for bad in (b"", b"\x07" + b"1234567", b"\x08123", b"\x10" + b"1" * 8):
        with pytest.raises(ProtocolError, match="not in the form"):
            numbers_from_bytes(bad)


# a coordinator that lies ----------------------------------------------------------------------------------------------


def test_a_total_opens_once_and_the_same_request_gets_the_same_reply(key: he.SecretKey) -> None:
    many = federation(people=30)
    line, gate = apart(many, key)
    ask(many)
    first = line.asked[-1]
    assert gate.handle(first) == line.told[-1]  # a reply that was lost on its way
    ask(many)
    assert refusal(many, gate.handle(first)) == "a total of this round was opened before"
    with pytest.raises(ProtocolError, match="seen before"):
        gate.handle(line.asked[0])


def refusal(many: Federation, reply: bytes) -> str:
    assert reply[1] == Kind.REFUSED
    return reply[21:-64].decode().split(",")[0]


def message(many: Federation, kind: Kind, number: str, body: bytes, coordinator: Any = None) -> bytes:
    roster = many._keyed
    channel = Channel(roster, bytes.fromhex(number), context_of(roster), COORDINATOR, coordinator or many._coordinator)
    return channel.write(kind, 0, body)


def test_one_sites_envelope_is_not_a_total(key: he.SecretKey, monkeypatch: pytest.MonkeyPatch) -> None:
    many = federation(4, dropouts=1, people=40)
    line, gate = apart(many, key)
    envelopes: list[he.Envelope] = []
    inner = he.Envelope.from_bytes
    import pets.federated.query_round.envelopes as module

    monkeypatch.setattr(
        module.Envelope, "from_bytes", staticmethod(lambda data: envelopes.append(inner(data)) or envelopes[-1])
    )
    line.change = lambda number, data: data if data[1] == Kind.KEY else None
    with pytest.raises(ReleaseFailedError, match="the key holder did not answer"):
        ask(many)
    round_ = envelopes[0].round
    for some in ([envelopes[0]], envelopes[:2]):
        body = packed(he.add(some).to_bytes(), [])
        said = refusal(many, gate.handle(message(many, Kind.OPEN, round_.id, body)))
        assert said == f"{len(some)} of 4 parties are in"
    body = packed(he.add(envelopes[:3]).to_bytes(), [])  # enough, and not consented to
    assert refusal(many, gate.handle(message(many, Kind.OPEN, round_.id, body))).startswith("parties are missing")
    body = packed(he.add(envelopes).to_bytes(), [])  # and the whole total still opens, once
    assert gate.handle(message(many, Kind.OPEN, round_.id, body))[1] == Kind.OPEN
    again = packed(he.add(envelopes[::-1]).to_bytes(), [b""])
    with pytest.raises(ProtocolError, match="no total as envelopes make it"):
        gate.handle(message(many, Kind.OPEN, round_.id, again))


def test_strangers_other_rosters_and_other_rounds_open_nothing(key: he.SecretKey) -> None:
    many, other = federation(people=30), federation(4, people=40)
    line, gate = apart(many, key)
    apart(other, key)
    gate.join(other._keyed)
    stranger = signing.ephemeral()
    wanted = RoundRequest(random_id(), many._keyed.digest, "local", N, SCHEMA, DP(rho=0.1), "count34")
    form = wanted.signed(many._analyst)
    for bad, why in (
        (message(many, Kind.KEY, wanted.id, form, stranger), "not from the coordinator"),
        (message(many, Kind.KEY, wanted.id, wanted.signed(stranger)), "not signed by an analyst"),
        (message(many, Kind.KEY, random_id(), form), "not its message's"),
        (message(other, Kind.KEY, wanted.id, form, other._coordinator), "about another roster"),
        (message(many, Kind.KEY, wanted.id, b"{}" + bytes(64)), "not in the form"),
        (message(many, Kind.KEY, wanted.id, form.replace(b"count34", b"COUNT34")), "not signed by an analyst"),
        (message(many, Kind.ORDER, wanted.id, form), "makes rounds and opens totals"),
        (message(many, Kind.OPEN, wanted.id, b"\xff\xff\xff\xff"), "no total as envelopes"),
    ):
        with pytest.raises(ProtocolError, match=why):
            gate.handle(bad)
    ask(many)
    body = line.asked[-1][21:-64]
    number = unpacked(body)[0].round.id
    with pytest.raises(ProtocolError, match="not of a round of this roster"):
        gate.handle(message(other, Kind.OPEN, number, body))
    with pytest.raises(ProtocolError, match="not of a round of this roster"):
        gate.handle(message(many, Kind.OPEN, random_id(), body))


def test_a_round_that_the_key_was_used_for_elsewhere_is_not_opened_here(key: he.SecretKey) -> None:
    """``pets he`` with the same key: its parties are no sites of this roster."""
    many = federation(people=30)
    _, gate = apart(many, key)
    keys = [he.partykey(name) for name in ("a", "b", "c")]
    sessions = [site.session for site in many.sites.values()]
    asked = key.round(N, SCHEMA, [one.public for one in keys], DP(epsilon=0.5, delta=1e-6))
    sealed = [he.encrypt(s, N, key.public, round=asked, party=p) for s, p in zip(sessions, keys, strict=True)]
    body = packed(he.add(sealed).to_bytes(), [])
    with pytest.raises(ProtocolError, match="not of a round of this roster"):
        gate.handle(message(many, Kind.OPEN, asked.id, body))
    assert key.open(he.add(sealed)).table is not None


def test_another_schema_or_noise_is_refused(key: he.SecretKey) -> None:
    many = federation(people=30)
    _, gate = apart(many, key)
    other = pets.Schema({"stays": SCHEMA.table("stays")}, dataset="another")

    def said(**changes: Any) -> str:
        wanted = RoundRequest(random_id(), many._keyed.digest, "local", N, SCHEMA, DP(rho=0.1), "count34")
        wanted = replace(wanted, **changes)
        return refusal(many, gate.handle(message(many, Kind.KEY, wanted.id, wanted.signed(many._analyst))))

    assert "another schema" in said(schema=other)
    assert "opens no exact totals" in said(noise=pets.Total())
    assert "opens totals with noise" in said(noise=Exact())
    assert "there is no parameter set" in said(preset="")


def test_a_roster_of_another_key_is_not_joined(key: he.SecretKey) -> None:
    many = federation(people=30)
    gate = KeyHolderGate(key)
    with pytest.raises(PolicyError, match="names no key holder"):
        gate.join(many.roster)
    many._pin(he.keygen()[1])
    with pytest.raises(PolicyError, match="names another key holder"):
        gate.join(many._keyed)
    with pytest.raises(PolicyError, match="names another key holder"):
        KeyHolderClient(key.public, many._keyed, many._coordinator, many._analyst, "local", many._transport, 3)
    lowered = Roster.from_json(many._keyed.to_json() | {"key_holder": key.public.id, "colluding": 0})
    gate.join(lowered)  # its own roster, of other assumptions: no site has pinned it
    apart(many, key)
    order = RoundRequest(random_id(), many._keyed.digest, "local", N, SCHEMA, DP(rho=0.1), "count34")
    with pytest.raises(ProtocolError, match="pinned here"):
        gate.handle(message(many, Kind.KEY, order.id, order.signed(many._analyst)))


# a key holder that is away, or false ----------------------------------------------------------------------------------


def test_a_key_holder_that_is_away_costs_nothing_and_one_that_leaves_costs_the_query(key: he.SecretKey) -> None:
    many = federation(people=30)
    line, _ = apart(many, key)
    line.change = lambda number, data: None
    with pytest.raises(UserError, match=r"did not answer; is pets keyholder serve running there\?; no site was asked"):
        ask(many)
    assert states(many) == [[], [], []]
    line.change = lambda number, data: data if data[1] == Kind.KEY else None
    with pytest.raises(ReleaseFailedError, match="opened nothing: the key holder did not answer"):
        ask(many)
    assert states(many) == [["committed"]] * 3
    assert len(line.asked) == 1 + 1 + 2  # a total is handed in twice
    line.change = lambda number, data: data
    lost: list[int] = []

    def once(number: int, data: bytes) -> bytes | None:
        if data[1] == Kind.OPEN and not lost:
            lost.append(number)
            return None
        return data

    line.reply = once
    assert ask(many).notes[0].startswith("3 of 3")  # the first reply was lost, the second is the same
    assert lost


def test_a_false_key_holder_is_not_believed(key: he.SecretKey) -> None:
    many = federation(people=30)
    line, _gate = apart(many, key)
    stranger = he.keygen()[1]

    def forged(number: int, data: bytes) -> bytes:
        body = line.asked[number][21:-64]
        context = context_of(many._keyed, body)
        return Channel(many._keyed, data[3:19], context, HOLDER, stranger).write(Kind(data[1]), 0, data[21:-64])

    line.reply = forged
    with pytest.raises(UserError, match="not signed by the key holder that the roster names"):
        ask(many)
    line.reply = lambda number, data: data if data[1] == Kind.KEY else forged(number, data)
    with pytest.raises(ReleaseFailedError, match="not signed by the key holder"):
        ask(many)
    line.reply = lambda number, data: data if data[1] == Kind.KEY else data[:30] + bytes([data[30] ^ 1]) + data[31:]
    with pytest.raises(ReleaseFailedError, match="not signed by the key holder"):
        ask(many)
    first = line.told[0]
    line.reply = lambda number, data: first  # an earlier round again
    with pytest.raises(UserError, match="for what was asked"):
        ask(many)
    line.reply = lambda number, data: b"no message"
    with pytest.raises(UserError, match="no message"):
        ask(many)


@pytest.mark.parametrize(("least", "colluding"), [(2, 0), (2, 1), (3, 0)])
def test_a_key_holder_that_signs_another_round_is_found_out(key: he.SecretKey, least: int, colluding: int) -> None:
    many = federation(people=30)
    line, _ = apart(many, key)

    def other(number: int, data: bytes) -> bytes:
        if data[1] != Kind.KEY:
            return data
        wrong = he.Round.from_bytes(data[21:-64])
        made = key.round(
            N, SCHEMA, wrong.parties, wrong.noise, least=least, colluding=colluding, preset=wrong.preset.name
        )
        context = context_of(many._keyed, line.asked[number][21:-64])
        return Channel(many._keyed, data[3:19], context, HOLDER, key).write(Kind.KEY, 0, made.to_bytes())

    line.reply = other
    with pytest.raises(UserError, match="signed another round"):
        ask(many)
    assert states(many) == [[], [], []]


def test_the_key_stays_with_its_holder(key: he.SecretKey, tmp_path: Path) -> None:
    """Nothing that the coordinator sends, gets or keeps holds the secret key or a seed."""
    many = federation(people=30)
    line, gate = apart(many, key)
    ask(many)
    seen = b"".join([*line.asked, *line.told])
    for chain, secret in key._secrets.items():
        assert np.ascontiguousarray(secret, dtype="<u8").tobytes()[:64] not in seen, chain
    number = unpacked(line.asked[-1][21:-64])[0].round.id
    assert key.checksum_seed(number) not in seen
    assert key.tag_seed(number, "site-0000") not in seen
    assert not isinstance(many._holder, he.SecretKey)
    assert not hasattr(many._holder, "reveal")
    assert repr(gate).startswith("<KeyHolderGate of <PublicKey")


def test_a_record_that_cannot_be_written_opens_nothing_and_names_no_file(tmp_path: Path) -> None:
    secret = he.keygen()[1]
    secret.save(tmp_path / "secret.key")
    many, told = federation(people=30), []
    _, gate = apart(many, secret)
    gate._say = told.append
    ask(many)
    assert "was opened, once for all" in told[-1]
    (tmp_path / "secret.key.opened").unlink()
    with pytest.raises(ReleaseFailedError, match="record of opened rounds cannot be written just now") as failed:
        ask(many)
    assert str(tmp_path) not in str(failed.value)
    assert str(tmp_path) in told[-1]


def test_numbers_of_another_length_are_not_taken(key: he.SecretKey) -> None:
    many = federation(people=30)
    line, _ = apart(many, key)

    def short(number: int, data: bytes) -> bytes:
        if data[1] == Kind.KEY:
            return data
        context = context_of(many._keyed, line.asked[number][21:-64])
        return Channel(many._keyed, data[3:19], context, HOLDER, key).write(Kind.OPEN, 0, numbers_to_bytes([1, 2, 3]))

    line.reply = short
    with pytest.raises(ReleaseFailedError, match="not as many as were asked for"):
        ask(many)
