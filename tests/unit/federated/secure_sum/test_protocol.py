"""The protocol without data or transport: shares, masks, messages, and totals that are exact whoever is lost."""

from __future__ import annotations

import copy
import hashlib
import hmac
import itertools
import pickle
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pets.common import signing
from pets.errors import InternalError, PolicyError
from pets.federated.messages.errors import ProtocolError, Refused
from pets.federated.messages.message import Channel, Kind, bitmap, context_of, from_bitmap, parse
from pets.federated.messages.roster import Member, Roster
from pets.federated.secure_sum import shamir
from pets.federated.secure_sum.graph import COMPLETE, DEGREE, neighbours
from pets.federated.secure_sum.masked import COMMITMENT, COMMITMENTS, DEALT, KEY_COMMITMENT, commitment, own_mask
from pets.federated.secure_sum.primitives import Agreement, derive, encrypted, mask
from tests.parties import EMPTY, QUERY, Room, make_roster

# ── Shamir ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_known_answer_of_the_textbook() -> None:
    # secret 1234 under 1234 + 166x + 94x²: the worked example that is printed with Shamir's scheme
    shares = {1: 1494, 2: 1942, 3: 2578, 4: 3402, 5: 4414, 6: 5614}
    for number, share in shares.items():
        assert shamir.value([1234, 166, 94], number) == share
    chosen = {number: shares[number].to_bytes(33, "big") for number in (2, 4, 5)}
    assert int.from_bytes(shamir.join(chosen, 3), "big") == 1234


def test_the_field_is_prime() -> None:
    # Miller and Rabin's test to 24 bases; p − 1 = 2^3 · odd
    p = shamir.PRIME
    odd, twos = p - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89):
        x = pow(base, odd, p)
        seen = {x}
        for _ in range(twos - 1):
            seen.add(x := x * x % p)
        assert pow(base, odd, p) == 1 or p - 1 in seen, base


@settings(max_examples=50)
@given(secret=st.binary(min_size=32, max_size=32), count=st.integers(1, 8), data=st.data())
def test_any_t_shares_rebuild_and_fewer_do_not(secret: bytes, count: int, data: st.DataObject) -> None:
    threshold = data.draw(st.integers(1, count))
    shares = shamir.split(secret, threshold, range(1, count + 1))
    for chosen in itertools.combinations(shares, threshold):
        assert shamir.join({number: shares[number] for number in chosen}, threshold) == secret
    with pytest.raises(ProtocolError):
        shamir.join({number: shares[number] for number in list(shares)[: threshold - 1]}, threshold)


@settings(max_examples=20)
@given(count=st.integers(2, 8), data=st.data())
def test_one_share_too_few_interpolates_to_something_else(count: int, data: st.DataObject) -> None:
    """A polynomial of one degree too low would be told by t − 1 shares (a right one is told so once in 2^256)."""
    threshold = data.draw(st.integers(2, count))
    secret = bytes(range(32))
    shares = shamir.split(secret, threshold, range(1, count + 1))
    for chosen in itertools.combinations(shares, threshold - 1):
        weights = shamir._weights(chosen)
        found = sum(w * int.from_bytes(shares[h], "big") for w, h in zip(weights, chosen, strict=True)) % shamir.PRIME
        assert found != int.from_bytes(secret, "big")


def test_shares_below_the_threshold_say_nothing() -> None:
    # any t − 1 shares fit any secret: solve for the missing one
    shares = shamir.split(b"\1" * 32, 3, [1, 2, 3, 4])
    for other in (b"\0" * 32, b"\2" * 32):
        target = int.from_bytes(other, "big")
        weights = shamir._weights((1, 2, 3))
        known = sum(w * int.from_bytes(shares[h], "big") for w, h in zip(weights[:2], (1, 2), strict=True))
        third = (target - known) * pow(weights[2], -1, shamir.PRIME) % shamir.PRIME
        fake = {1: shares[1], 2: shares[2], 3: third.to_bytes(33, "big")}
        assert shamir.join(fake, 3) == other


def test_wrong_shares_are_no_secret() -> None:
    with pytest.raises(ProtocolError, match="not of this field"):
        shamir.join({1: b"\xff" * 33}, 1)
    with pytest.raises(ProtocolError, match="no secret"):
        shamir.join({1: (2**256 + 1).to_bytes(33, "big")}, 1)
    with pytest.raises(InternalError):
        shamir.split(b"short", 1, [1])
    with pytest.raises(InternalError):
        shamir.split(b"\0" * 32, 1, [0])


# ── primitives ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_mask_is_chacha20() -> None:
    # RFC 8439, appendix A.1, test vector 1
    stream = "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
    assert mask(bytes(32), 4).astype("<u8").tobytes().hex() == stream


def test_a_key_is_derived_for_one_purpose_and_one_query() -> None:
    # RFC 5869 by Python's own HMAC: extract with the salt, then one block of expansion about the purpose
    secret, salt = bytes(range(32)), b"salt of a query"
    for purpose in (b"share", b"mask", b"commit", b"own mask"):
        key = hmac.digest(salt, secret, "sha256")
        assert derive(secret, salt, purpose) == hmac.digest(key, b"pets.federated.v1 " + purpose + b"\x01", "sha256")
    assert derive(secret, salt, b"share").hex() == "1b86a1f1f81012ae56ce046e9438630948012d5baf5283eb0d617a40de61f6bb"


def test_a_secret_key_is_not_shown_or_copied() -> None:
    key = Agreement()
    assert key.reveal().hex() not in repr(key)
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(InternalError):
            attempt(key)  # type: ignore[operator]
    room = Room(3)
    with pytest.raises(InternalError):
        pickle.dumps(room.parties[0])
    assert room.parties[0]._seed.hex() not in repr(room.parties[0])  # type: ignore[attr-defined]


def test_a_key_of_small_order_is_refused() -> None:
    with pytest.raises(ProtocolError):
        Agreement().with_(bytes(32))


def test_a_share_under_a_key_stream_is_the_share_again() -> None:
    text = bytes(range(33))
    hidden = encrypted(b"k" * 32, text)
    assert hidden != text and encrypted(b"k" * 32, hidden) == text
    assert encrypted(b"l" * 32, hidden) != text
    assert encrypted(bytes(32), bytes(8)).hex() == "76b8e0ada0f13d90"  # RFC 8439, appendix A.1, test vector 1


# ── messages ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_message_is_about_one_roster_one_order_one_turn() -> None:
    room = Room(3)
    data = room.channels[1].write(Kind.ROUND, 2, b"body")
    assert room.desk.read(data, 2, 1).body == b"body"
    other = Channel(room.roster, QUERY, context_of(room.roster, b"another order"), 0, room.keys[0])
    wrong = [
        lambda: other.read(data, 2),
        lambda: room.desk.read(data, 3),
        lambda: room.desk.read(data, 2, 0),
        lambda: room.desk.read(data, 2, kind=Kind.REFUSED),
        lambda: Channel(room.roster, b"r" * 16, room.desk.context, 0, room.keys[0]).read(data, 2),
        lambda: room.desk.read(data[:-70], 2),
        lambda: parse(b"\2" + data[1:]),
        lambda: parse(data[:50]),
    ]
    for attempt in wrong:
        with pytest.raises(ProtocolError):
            attempt()
    for place in range(len(data)):  # every single byte is signed
        bad = bytearray(data)
        bad[place] ^= 1
        with pytest.raises(ProtocolError):
            room.desk.read(bytes(bad), 2, 1)
    again = make_roster(room.keys, room.coordinator_key, sites_per_person=2)
    with pytest.raises(ProtocolError):
        Channel(again, QUERY, context_of(again, b"the order"), 0, room.keys[0]).read(data, 2)


def test_bitmaps() -> None:
    for size in (1, 8, 9, 40):
        for chosen in (set(), {0}, {size - 1}, set(range(size))):
            assert from_bitmap(bitmap(chosen, size), size) == chosen
    with pytest.raises(ProtocolError):
        from_bitmap(b"\x08", 3)
    with pytest.raises(ProtocolError):
        from_bitmap(b"\x01\x00", 3)


# ── rosters ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_roster_round_trips_and_its_digest_is_of_every_part() -> None:
    room = Room(4, dropouts=1)
    form = room.roster.to_json()
    assert Roster.from_json(form) == room.roster
    digests = {room.roster.digest}
    for change in ({"dropouts": 0}, {"colluding": 0}, {"sites_per_person": 2}, {"coordinator": EMPTY}):
        digests.add(Roster.from_json(form | change).digest)
    assert len(digests) == 5
    with pytest.raises(PolicyError):
        Roster.from_json(form | {"version": 2})
    with pytest.raises(PolicyError):
        Roster.from_json([])


@pytest.mark.parametrize(
    ("n", "dropouts", "colluding", "fits"),
    [(3, 0, 1, True), (3, 1, 0, True), (3, 1, 1, False), (4, 1, 1, True), (10, 3, 1, True), (10, 3, 3, True),
     (10, 3, 4, False), (2, 0, 0, False), (5, 2, 0, True), (5, 2, 1, False), (3, 0, 2, True), (3, 0, 3, False)],
)  # fmt: skip
def test_quorums_share_an_honest_site(n: int, dropouts: int, colluding: int, fits: bool) -> None:
    keys = [signing.ephemeral() for _ in range(n)]
    if fits:
        assert make_roster(keys, keys[0], dropouts=dropouts, colluding=colluding).threshold == n - dropouts
    else:
        with pytest.raises(PolicyError):
            make_roster(keys, keys[0], dropouts=dropouts, colluding=colluding)


def test_a_roster_refuses_twins_and_strange_numbers() -> None:
    keys = [signing.ephemeral() for _ in range(3)]
    for settings_ in ({"sites_per_person": 0}, {"sites_per_person": True}, {"dropouts": -1}, {"analysts": ()}):
        with pytest.raises(PolicyError):
            make_roster(keys, keys[0], **settings_)
    with pytest.raises(PolicyError, match="one key"):
        make_roster([keys[0], keys[0], keys[1]], keys[2])
    with pytest.raises(PolicyError):
        Member("a", "zz", EMPTY, EMPTY, "zcdp", 1e-6)


# ── totals ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("secure", ["masked", "local"])
@pytest.mark.parametrize("n", [3, 5, 10])
def test_the_total_is_exact(n: int, secure: str) -> None:
    room = Room(n, size=50, secure=secure)
    assert (room.run() == room.wanted).all()
    assert room.collector.survivors == frozenset(range(n))
    assert sorted(room.opened) == list(range(n))  # each opened its data once


def test_every_triple_of_ten_may_be_lost_at_any_round() -> None:
    for number, triple in enumerate(itertools.combinations(range(10), 3)):
        rounds = [(number + place) % 4 + 1 for place in range(3)]
        room = Room(10, size=2, dropouts=3, lost=dict(zip(triple, rounds, strict=True)))
        assert (room.run() == room.wanted).all(), (triple, rounds)
        gone = {site for site, at in zip(triple, rounds, strict=True) if at <= 2}
        assert room.collector.survivors == frozenset(range(10)) - gone


@pytest.mark.parametrize("at", range(5))
def test_below_the_threshold_there_is_no_answer(at: int) -> None:
    room = Room(5, dropouts=1, lost={0: at, 3: at})
    with pytest.raises(ProtocolError):
        room.run()
    assert not room.collector.total.any()


def test_no_site_may_be_lost_where_everyone_is_needed() -> None:
    with pytest.raises(ProtocolError, match="5 sites are needed"):
        Room(5, dropouts=1, lost={0: 2}, everyone=True).run()


def test_what_leaves_a_site_looks_uniform() -> None:
    room = Room(3, size=20_000)
    room.vectors = [np.zeros(room.size, dtype=np.uint64) for _ in range(3)]
    room.run(rounds=3)
    bodies = [np.frombuffer(reply.body, dtype=np.uint8) for reply in room.replies.values()]
    for body in bodies:
        counts = np.bincount(body, minlength=256)
        # 160,000 bytes, 255 degrees of freedom: beyond 400 once in 10^8
        assert float(((counts - len(body) / 256) ** 2 / (len(body) / 256)).sum()) < 400
    assert len({body.tobytes() for body in bodies}) == 3


@pytest.mark.parametrize(("n", "size"), [(3, 100), (10, 1000), (3, 100_000), (30, 10)])
def test_bytes_up_are_few(n: int, size: int) -> None:
    room = Room(n, size=size)
    room.run()
    assert max(room.sent) <= 8 * size + 256 * n
    assert size < 100_000 or max(room.sent) <= 1.01 * 8 * size


def test_a_large_federation_masks_with_near_neighbours_only() -> None:
    n = 60
    lost = dict.fromkeys(range(0, 10), 2)
    room = Room(n, dropouts=12, colluding=3, lost=lost)
    assert (room.run() == room.wanted).all()
    assert max(room.sent) <= 8 * room.size + 256 * (DEGREE + 1)


def test_the_graph_is_regular_and_mutual() -> None:
    for count in (COMPLETE, COMPLETE + 1, 100):
        near = neighbours(range(count), b"seed")
        degree = min(count - 1, DEGREE)
        assert {len(found) for found in near.values()} == {degree}
        assert all(site in near[other] for site, found in near.items() for other in found)
    assert neighbours(range(100), b"a") != neighbours(range(100), b"b")


# ── wrong shares, keys and vectors ────────────────────────────────────────────────────────────────────────────────────


def _changed(room: Room, site: int, number: int, change: Callable[[bytes], bytes]) -> None:
    """``site`` answers a round otherwise than it should, and signs it."""
    answer = room.parties[site].answer
    room.parties[site].answer = (  # type: ignore[method-assign]
        lambda n, body: change(answer(n, body)) if n == number else answer(n, body)
    )


def _flipped(place: int) -> Callable[[bytes], bytes]:
    return lambda given: given[:place] + bytes([given[place] ^ 1]) + given[place + 1 :]


def _key(place: int) -> int:
    """Where the last byte of a key lies in a site's last message."""
    return shamir.SHARE + 32 * (place + 1) - 1


@pytest.mark.parametrize("site", range(4))
@pytest.mark.parametrize("place", range(3))
def test_a_wrong_key_changes_nothing_where_others_are_enough_and_names_its_site(site: int, place: int) -> None:
    room = Room(4, dropouts=1)
    _changed(room, site, 4, _flipped(_key(place)))
    assert (room.run() == room.wanted).all()
    assert room.collector.proved == {site: "signed a key that opens no share of those it was dealt"}


def test_a_wrong_key_of_a_lost_sites_share_changes_nothing_either() -> None:
    room = Room(6, dropouts=2, colluding=1, lost={5: 2})
    _changed(room, 0, 4, _flipped(_key(4)))
    assert (room.run() == room.wanted).all()
    assert set(room.collector.proved) == {0}


@pytest.mark.parametrize("holder", range(3))
@pytest.mark.parametrize("part", [0, 1])
def test_a_wrong_share_names_who_dealt_it_and_the_others_are_enough(holder: int, part: int) -> None:
    """The shares of site 3 are dealt so that one of them is wrong; it signed that itself."""
    room = Room(6, dropouts=2, lost={3: 2} if part else {})
    place = COMMITMENT + DEALT * holder + COMMITMENTS + shamir.SHARE * part
    _changed(room, 3, 1, _flipped(place + 20))
    assert (room.run() == room.wanted).all()
    assert room.collector.proved == {3: "dealt shares that are of no secret that it signed"}


def test_a_sites_share_of_its_own_is_dealt_by_itself() -> None:
    room = Room(4, dropouts=1)
    _changed(room, 0, 4, _flipped(20))
    assert (room.run() == room.wanted).all()
    assert room.collector.proved == {0: "dealt shares that are of no secret that it signed"}


@pytest.mark.parametrize("dropouts", [0, 1])
def test_no_total_comes_of_shares_that_fit_no_commitment(dropouts: int) -> None:
    """One flipped bit of one share gave −2.28e18 ± 14. Whoever's signature proves it is named, and nobody else."""
    room = Room(4, dropouts=dropouts)
    for holder in range(1 + dropouts):
        start = COMMITMENT + DEALT * holder + COMMITMENTS
        _changed(room, 3, 1, _flipped(start + 20 + holder))
    with pytest.raises(ProtocolError, match="do not fit what that site signed"):
        room.run()
    assert not room.collector.total.any()
    assert set(room.collector.proved) == {3}


def test_a_commitment_to_another_b_names_its_site() -> None:
    room = Room(4, dropouts=1)
    _changed(room, 2, 1, _flipped(3))
    with pytest.raises(ProtocolError, match="do not fit what that site signed"):
        room.run()
    assert set(room.collector.proved) == {2}


@pytest.mark.parametrize("part", [0, 1])
def test_a_key_that_was_committed_otherwise_is_noticed_on_receipt_and_names_nobody(part: int) -> None:
    """The holder cannot prove what key it agreed upon without its own secret: it opens none of that dealer's shares."""
    room = Room(5, dropouts=1)
    _changed(room, 3, 1, _flipped(COMMITMENT + DEALT * 1 + KEY_COMMITMENT * part))
    assert (room.run() == room.wanted).all()
    assert room.collector.proved == {}
    assert room.parties[1]._near == (0, 2, 3, 4)  # type: ignore[attr-defined]
    assert room.replies[1].body[shamir.SHARE + 64 : shamir.SHARE + 96] == bytes(32)
    few = Room(4)  # where every share is needed, it leaves before its data is opened
    _changed(few, 3, 1, _flipped(COMMITMENT + DEALT * 1))
    with pytest.raises(Refused, match="'s3' dealt to it, and without them there is no answer"):
        few.run()
    assert 1 not in few.opened


def test_a_coordinator_that_says_other_commitments_gets_less_and_nothing_else() -> None:
    """It garbles them for all: were keys opened to prove it, it would have both secrets of every site."""
    room = Room(5, dropouts=1)
    with pytest.raises(ProtocolError, match=r"4 shares of site 's0' are needed and \d can be opened"):
        room.run(lambda number, site, body: body[:1] + bytes(len(body) - 1) if number == 2 and site in (1, 2) else body)
    for site in (1, 2):
        assert room.replies[site].body[shamir.SHARE :] == bytes(4 * 32)
    assert room.collector.proved == {}
    with pytest.raises(Refused):
        Room(5).run(lambda number, site, body: body[:1] + bytes(len(body) - 1) if number == 2 else body)


def test_a_commitment_says_nothing_of_the_mask_and_is_of_one_query() -> None:
    seed, salt = bytes(range(32)), b"query"
    assert len({commitment(seed, salt), commitment(seed, b"other"), commitment(bytes(32), salt)}) == 3
    assert commitment(seed, salt) == hashlib.sha256(b"pets.federated.v1 commit" + salt + seed).digest()[:13]
    assert (own_mask(seed, salt, 4) == mask(derive(seed, salt, b"own mask"), 4)).all()
    assert (own_mask(seed, salt, 4) != mask(seed, 4)).any()


@pytest.mark.parametrize("half", [0, 1])
def test_a_site_with_a_key_of_small_order_is_left_out_and_ends_nobody_elses_query(half: int) -> None:
    room = Room(4, dropouts=1)
    _changed(room, 2, 0, lambda given: given[: 32 * half] + bytes(32) + given[32 * half + 32 :])
    room.lost = {2: 1}
    assert (room.run() == room.wanted).all()
    assert room.collector.survivors == {0, 1, 3}


@pytest.mark.parametrize(("secure", "number"), [("masked", 2), ("local", 0)])
def test_a_vector_of_another_length_is_left_out(secure: str, number: int) -> None:
    room = Room(4, dropouts=1, secure=secure)
    _changed(room, 1, number, lambda given: given[:-8])
    assert (room.run() == room.wanted).all()
    assert room.collector.survivors == {0, 2, 3}
    few = Room(3, secure=secure)
    _changed(few, 1, number, lambda given: given[:-8])
    with pytest.raises(ProtocolError, match="3 sites are needed"):
        few.run()
