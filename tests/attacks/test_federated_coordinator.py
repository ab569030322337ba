"""A coordinator that lies to get more than the total: each attempt is refused, and gives nothing of it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pets.common import signing
from pets.federated.messages.errors import ProtocolError, Refused
from pets.federated.messages.message import OVERHEAD, Channel, Kind, bitmap
from pets.federated.secure_sum.masked import COMMITMENT, COMMITMENTS, DEALT, KEYS
from pets.federated.secure_sum.primitives import encrypted
from tests.parties import QUERY, Room


def at_round(number: int, change: object) -> object:
    return lambda n, site, body: change(site, body) if n == number else body  # type: ignore[operator]


def refused(room: Room, number: int, change: object, match: str) -> None:
    with pytest.raises(ProtocolError, match=match):
        room.run(at_round(number, change))  # type: ignore[arg-type]


def test_swapped_keys_are_not_signed() -> None:
    room = Room(3)
    own = signing.ephemeral()

    def swap(site: int, body: bytes) -> bytes:
        fake = Channel(room.roster, QUERY, room.desk.context, 2, own).write(Kind.ROUND, 0, b"\1" * KEYS)
        return body[: 2 * (OVERHEAD + KEYS)] + fake

    refused(room, 1, swap, "not signed by who it names")
    assert room.opened == []


def test_a_site_that_is_not_on_the_roster_is_no_neighbour() -> None:
    room = Room(3)
    own = signing.ephemeral()

    def add(site: int, body: bytes) -> bytes:
        return body + Channel(room.roster, QUERY, room.desk.context, 3, own).write(Kind.ROUND, 0, b"\1" * KEYS)

    refused(room, 1, add, "not signed by who it names")


def test_keys_of_an_earlier_query_are_not_replayed() -> None:
    room = Room(3)
    earlier = Channel(room.roster, b"e" * 16, room.desk.context, 2, room.keys[2])
    old = earlier.write(Kind.ROUND, 0, b"\1" * KEYS)
    refused(room, 1, lambda site, body: body[: 2 * (OVERHEAD + KEYS)] + old, "another query")


@pytest.mark.parametrize("keep", [1, 2])
def test_a_lowered_threshold_is_noticed(keep: int) -> None:
    room = Room(3)
    refused(room, 1, lambda site, body: body[: keep * (OVERHEAD + KEYS)], "3 sites are needed|not on the coordinator")
    assert room.opened == []


def test_one_survivor_is_too_few() -> None:
    room = Room(5, dropouts=1)
    refused(room, 3, lambda site, body: bitmap({site}, 5), "4 sites are needed")


def test_exact_totals_are_not_unmasked_without_everybody() -> None:
    # the roster would bear the loss of one; the sites know that this query does not
    room = Room(4, dropouts=1, everyone=True)
    refused(room, 3, lambda site, body: bitmap({0, 1, 2}, 4), "4 sites are needed")


def test_different_survivor_lists_end_the_query() -> None:
    # 5 sites, t = 4: half are told that site 0 survived, half that site 4 did; no list gets 4 signatures
    room = Room(5, dropouts=1)
    lists = {site: bitmap({0, 1, 2, 3} if site < 3 else {1, 2, 3, 4}, 5) for site in range(5)}
    room.run(rounds=3)
    signed = {site: room.reply(site, 3, lists[site]) for site in range(1, 5)}
    raw = {site: message.signed + message.signature for site, message in signed.items()}
    with pytest.raises(ProtocolError, match="different lists"):
        room.parties[1].answer(4, b"".join(raw[site] for site in sorted(raw)))
    with pytest.raises(ProtocolError, match="too few sites signed"):
        room.parties[1].answer(4, raw[1] + raw[2])


def test_signatures_are_not_counted_twice() -> None:
    room = Room(5, dropouts=1)
    room.run(rounds=4)
    one = room.out[0][: OVERHEAD + 1]
    with pytest.raises(ProtocolError, match="twice"):
        room.parties[0].answer(4, one * 4)


def test_both_secrets_of_one_site_are_never_given() -> None:
    # the coordinator has site 4's vector and says that it was lost (so its key's shares come out); the shares of its
    # own mask do not come out as well, and a second unmasking is refused
    room = Room(5, dropouts=1)
    room.run(rounds=3)
    without = bitmap({0, 1, 2, 3}, 5)
    signed = [room.reply(site, 3, without) for site in range(4)]
    listed = b"".join(message.signed + message.signature for message in signed)
    of_b, of_s = room.parties[0]._held[4]  # type: ignore[attr-defined]
    said = room.parties[0].answer(4, listed)
    given = [said[start : start + 32] for start in range(33, len(said), 32)]
    assert of_s in given  # of the key: its masks come off the total
    assert of_b not in given  # of its own mask: its vector stays covered
    for attempt in (listed, b""):
        with pytest.raises((ProtocolError, AttributeError)):
            room.parties[0].answer(4, attempt)


def test_a_site_that_survived_is_not_unmasked_pairwise() -> None:
    room = Room(3)
    room.run(rounds=4)
    held = dict(room.parties[0]._held)  # type: ignore[attr-defined]
    shares = room.parties[0].answer(4, room.out[0])
    for of_b, of_s in held.values():
        assert of_b in shares
        assert of_s not in shares


def test_survivors_must_have_shared() -> None:
    room = Room(4, dropouts=1, lost={3: 1})
    refused(room, 3, lambda site, body: bitmap({0, 1, 2, 3}, 4), "shared nothing")


def test_shares_for_another_site_do_not_open() -> None:
    room = Room(3)

    def swap(site: int, body: bytes) -> bytes:
        first, second = body[1 : 1 + COMMITMENTS], body[1 + COMMITMENTS :]
        return body[:1] + second + first

    with pytest.raises(Refused, match="cannot open the shares"):
        room.run(at_round(2, swap))  # type: ignore[arg-type]
    assert room.opened == []  # the data of the site that noticed stayed closed


@pytest.mark.parametrize("body", [b"", b"\x07", b"\x00" * 200])
def test_nonsense_instead_of_shares(body: bytes) -> None:
    room = Room(3)
    refused(room, 2, lambda site, _: body, "the query was left|not on the roster")
    assert room.opened == []


def test_a_lost_site_with_a_wrong_key_gives_no_answer() -> None:
    # site 3 shares a key that is not the one it showed, and goes: the total must not come out wrong
    room = Room(4, dropouts=1, lost={3: 2})
    honest = room.parties[3]._masking  # type: ignore[attr-defined]
    liar = SimpleNamespace(public=honest.public, with_=honest.with_, reveal=lambda: b"\5" * 32)
    room.parties[3]._masking = liar  # type: ignore[attr-defined]
    with pytest.raises(ProtocolError, match="do not fit what that site signed"):
        room.run()


def test_colluding_sites_below_the_threshold_cannot_open_a_vector() -> None:
    # coordinator and one site of three pool all they have after round 2: two shares are missing of everything
    room = Room(3)
    room.run(rounds=3)
    masked = {site: reply.body for site, reply in room.replies.items()}
    corrupt = room.parties[2]
    keys = corrupt._held[0]  # type: ignore[attr-defined]
    dealt = room.collector._dealt[0][COMMITMENT + DEALT :]  # type: ignore[attr-defined]
    known = [encrypted(key, dealt[COMMITMENTS + 33 * part :][:33]) for part, key in enumerate(keys)]
    from pets.federated.secure_sum import shamir

    for part in known:  # one share of each secret of site 0; three are needed of either
        with pytest.raises(ProtocolError):
            shamir.join({3: part}, room.roster.threshold)
    assert masked[0] != room.vectors[0].astype("<u8").tobytes()


# ── each of a site's own checks alone: the coordinator's side, which checks the same, is not in the room ─────────────


def test_a_site_itself_counts_who_shared() -> None:
    room = Room(5, dropouts=1)
    room.run(rounds=2)
    full = room.out[0]
    for listed, why in ((frozenset({0, 1, 2}), "4 sites are needed"), (frozenset({1, 2, 3, 4}), "not on the coord")):
        senders = [site for site in range(1, 5) if site in listed]
        parts = [full[1 + COMMITMENTS * (site - 1) : 1 + COMMITMENTS * site] for site in senders]
        with pytest.raises(ProtocolError, match=why):
            room.parties[0].answer(2, bitmap(listed, 5) + b"".join(parts))
    assert room.opened == []


def test_sites_that_sent_no_keys_do_not_make_up_the_number() -> None:
    # four sites' keys came; the coordinator says that five shared, of which the site hears from three
    room = Room(5, dropouts=1, lost={4: 0})
    room.run(rounds=2)
    body = room.out[0]
    with pytest.raises(ProtocolError, match="sent no keys"):
        room.parties[0].answer(2, bitmap({0, 1, 2, 3, 4}, 5) + body[1:])
    with pytest.raises(ProtocolError, match="sent no keys"):
        room.parties[0].answer(2, bitmap({0, 1, 2, 4}, 5) + body[1 : 1 + 2 * COMMITMENTS])
    assert room.opened == []


def test_a_site_itself_counts_the_survivors_and_their_signatures() -> None:
    room = Room(5, dropouts=1)
    room.run(rounds=3)
    with pytest.raises(ProtocolError, match="4 sites are needed"):
        room.parties[0].answer(3, bitmap({0, 1, 2}, 5))
    with pytest.raises(ProtocolError, match="not on the coordinator"):
        room.parties[0].answer(3, bitmap({1, 2, 3, 4}, 5))
    told = bitmap({0, 1, 2, 3}, 5)
    signed = {site: room.reply(site, 3, told) for site in range(4)}
    stranger = room.channels[4].write(Kind.ROUND, 3, told)  # on the roster, and said to be lost
    listed = b"".join(signed[site].signed + signed[site].signature for site in range(3)) + stranger
    with pytest.raises(ProtocolError, match="too few sites signed"):
        room.parties[0].answer(4, listed)


def test_the_coordinator_is_no_site_that_signs() -> None:
    room = Room(3)
    room.run(rounds=4)
    own = room.desk.write(Kind.ROUND, 3, bitmap({0, 1, 2}, 3))
    with pytest.raises(ProtocolError, match="names a site twice"):
        room.parties[0].answer(4, room.out[0] + own)


def test_too_few_neighbours_are_noticed_by_the_site() -> None:
    # above 30 sites the number of all who shared says nothing about one's own neighbourhood
    room = Room(62, size=1, dropouts=20, colluding=1)
    room.run(rounds=2)
    party = room.parties[0]
    near = party._near  # type: ignore[attr-defined]
    lost = set(near[:20])
    body, width = room.out[0], -(-62 // 8)
    parts = {
        site: body[width + COMMITMENTS * place : width + COMMITMENTS * (place + 1)] for place, site in enumerate(near)
    }
    party._near = near[:30]  # type: ignore[attr-defined]
    left = [site for site in near[:30] if site not in lost]
    with pytest.raises(ProtocolError, match="too few neighbours"):
        party.answer(2, bitmap(set(range(62)) - lost, 62) + b"".join(parts[site] for site in left))
    assert room.opened == []


def test_a_sites_own_key_is_the_one_it_sent() -> None:
    # signed by itself in another run of the same query: it must not mask with keys whose secrets it does not have
    room = Room(3)
    room.run(rounds=1)
    other = room.channels[0].write(Kind.ROUND, 0, b"\1" * KEYS)
    with pytest.raises(ProtocolError, match="another key for this site"):
        room.parties[0].answer(1, other + room.out[0][OVERHEAD + KEYS :])
