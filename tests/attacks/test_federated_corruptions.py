"""Single bits and single words changed in shares, keys, masks, vectors, envelopes and lists, at every round.

After it was signed, each is refused where it is read. Before it was signed (by a site that lies, or whose memory does),
the total is right all the same, or refused, or outside the public range; what is left is a lie of a site about its own
numbers within the range, which the guarantees name, and nothing else.
"""

from __future__ import annotations

import collections
import hashlib
from collections.abc import Callable

import numpy as np
import pytest

import pets
from pets import he
from pets.common import signing
from pets.errors import PolicyError, ReleaseFailedError, UserError
from pets.federated.analyst.public_range import check_total
from pets.federated.messages.errors import ProtocolError
from pets.federated.messages.message import Kind
from pets.federated.query_round.order import Order
from pets.he.totals.envelope import MAGIC, framed, header_of, message, unframed
from pets.he.totals.opening import decrypted
from pets.plan.plan import make_plan
from tests.he_parties import query, schema, table
from tests.parties import EMPTY, Room, make_roster

SITES, GROUPS = 4, 5
PLAN = make_plan(query(), schema(GROUPS, 1000))
ROWS = [[1, 2, 3, 4, 5], [0, 0, 7, 0, 0], [9, 9, 9, 9, 9]]
REFUSED, RIGHT, OUTSIDE, WITHIN = "refused", "right all the same", "outside the range", "a site's numbers, within it"
EXPECTED = {REFUSED, RIGHT, OUTSIDE, WITHIN}
Rng = np.random.Generator


def corrupted(data: bytes, rng: Rng) -> bytes:
    """One bit of it turned over, or one word of eight bytes drawn anew."""
    out, at = bytearray(data), int(rng.integers(len(data)))
    if rng.integers(2):
        out[at] ^= 1 << int(rng.integers(8))
    else:
        out[at : at + 8] = rng.bytes(len(out[at : at + 8]))
    return bytes(out)


def changed(data: bytes, rng: Rng) -> bytes:
    """The same, and surely another."""
    while (out := corrupted(data, rng)) == data:
        pass
    return out


def room_of(rng: Rng, secure: str) -> Room:
    room = Room(SITES, dropouts=1, size=PLAN.size, secure=secure)
    room.vectors = [rng.integers(0, 200, PLAN.size, dtype=np.uint64) for _ in range(SITES)]
    return room


def after_signing(room: Room, number: int, site: int, down: bool, rng: Rng) -> str:
    """A message that was changed on its way is read by nobody."""
    room.run(rounds=number)
    body = room.out[site]
    data = room.desk.write(Kind.ROUND, number, body)
    if not down:
        data = room.channels[site].write(Kind.ROUND, number, room.parties[site].answer(number, body))
    reader = room.channels[site] if down else room.desk
    with pytest.raises(ProtocolError):
        reader.read(changed(data, rng), number)
    return REFUSED


def before_signing(room: Room, number: int, site: int, down: bool, rng: Rng) -> str:
    """Who sends a message changes it, and signs what it then says."""
    if not down:
        answer = room.parties[site].answer
        room.parties[site].answer = (  # type: ignore[method-assign]
            lambda n, body: changed(answer(n, body), rng) if n == number else answer(n, body)
        )
    try:
        total = room.run(lambda n, to, body: changed(body, rng) if down and (n, to) == (number, site) else body)
    except (ProtocolError, PolicyError):
        return REFUSED
    if (total == room.wanted).all():
        return RIGHT
    assert not down and number == (2 if room.secure == "masked" else 0), "only a site's own vector makes a wrong total"
    assert (total != room.wanted).sum() <= 2  # a word may lie across two numbers
    try:
        check_total(PLAN, room.roster, None, SITES, total.view(np.int64))
    except ReleaseFailedError:
        return OUTSIDE
    return WITHIN


def an_order(rng: Rng) -> str:
    """The order is signed by its analyst: the coordinator that relays it can change nothing."""
    keys = [signing.ephemeral() for _ in range(3)]
    roster = make_roster(keys, keys[0], analysts=(("local", keys[1].public.raw.hex()),))
    order = Order("a" * 32, roster.digest, EMPTY, "local", query(), pets.Total(), "masked", None)
    with pytest.raises(ProtocolError):
        Order.read(changed(order.signed(keys[1]), rng), roster)
    return REFUSED


def an_envelope(rng: Rng) -> str:
    """An envelope, changed on its way, before its party signs it, or before its numbers are encrypted."""
    at, kind = table(3, groups=GROUPS), rng.integers(4)
    sent, wanted = at.envelopes(ROWS), np.sum(ROWS, axis=0)
    true, key = sent[0], at.keys[0]
    try:
        if kind == 0:
            bad = he.Envelope.from_bytes(changed(true.to_bytes(), rng))
        elif kind == 1:  # round, header or signature: most of an envelope is payload
            data = true.to_bytes()
            _, _, end = unframed(MAGIC, data, "")
            bad = he.Envelope.from_bytes(changed(data[:end], rng) + data[end:])
        elif kind == 2:
            asked, _, end = unframed(MAGIC, true.to_bytes(), "")
            payload = changed(true.payload, rng)
            header = header_of(true.shared, true.party, true.nonce)
            signed = key.sign(message(header, hashlib.sha256(payload).hexdigest()))
            bad = he.Envelope.from_bytes(framed(MAGIC, asked, header, payload) + signed)
        else:
            numbers = np.frombuffer(changed(np.asarray(ROWS[0], dtype="<i8").tobytes(), rng), dtype="<i8")
            bad = at.envelope(0, numbers.astype(np.int64))
        found = decrypted(at.secret, he.add([bad, *sent[1:]]))
    except UserError:
        return REFUSED
    if (found == wanted).all():
        return RIGHT
    assert kind == 3, "only a party's own numbers make a wrong total"
    return WITHIN


def fate(number: int) -> tuple[str, str]:
    """What becomes of one corruption; the number is its seed."""
    rng = np.random.default_rng(number)
    if number % 10 == 0:
        return "an envelope", an_envelope(rng)
    if number % 50 == 1:
        return "an order", an_order(rng)
    secure = "local" if number % 20 == 2 else "masked"
    down, signed = bool(rng.integers(2)), bool(rng.integers(2))
    turn = int(rng.integers(5)) if secure == "masked" else 0
    if turn == 0:
        down = False  # what comes first from the coordinator is the order
    act: Callable[[Room, int, int, bool, Rng], str] = after_signing if signed else before_signing
    who = "the coordinator's message" if down else "a site's message"
    what = f"{secure}, round {turn}: {who}, {'signed' if signed else 'not yet signed'}"
    return what, act(room_of(rng, secure), turn, int(rng.integers(SITES)), down, rng)


def try_all(numbers: range) -> collections.Counter[tuple[str, str]]:
    fates = collections.Counter(fate(number) for number in numbers)
    for (what, became), count in sorted(fates.items()):
        print(f"{count:6,}  {what}: {became}")
    assert {became for _, became in fates} <= EXPECTED
    # what is left lies where it can, and nowhere else
    left = {what for what, became in fates if became == WITHIN}
    assert left <= {
        "an envelope",
        "masked, round 2: a site's message, not yet signed",
        "local, round 0: a site's message, not yet signed",
    }
    return fates


def test_two_hundred_corruptions() -> None:
    assert try_all(range(200)).total() == 200


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_two_thousand_corruptions_soak() -> None:
    assert try_all(range(2000)).total() == 2000
