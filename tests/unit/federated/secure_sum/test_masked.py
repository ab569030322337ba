"""Masks: each secret of a query is fresh, serves one purpose, and is known to those whom it is meant for."""

from __future__ import annotations

from pets.federated.secure_sum import shamir
from pets.federated.secure_sum.masked import KEYS, cast, mask_seed, share_keys
from pets.federated.secure_sum.primitives import Agreement
from tests.parties import Room


def test_shares_are_spread_over_the_whole_field() -> None:
    """A secret of 0 under small coefficients could be guessed from one share: they are told apart from two."""
    shares = shamir.split(bytes(32), 3, [1, 2, 3])
    first, second = (int.from_bytes(shares[holder], "big") for holder in (1, 2))
    square = (second - 2 * first) * pow(2, -1, shamir.PRIME) % shamir.PRIME
    linear = (first - square) % shamir.PRIME
    assert min(square, linear) > 2**190  # of a random one, once in 2^66 not so
    assert square != linear
    assert shamir.split(bytes(32), 3, [1, 2, 3]) != shares


def test_every_secret_of_a_query_is_fresh_and_shared_by_two() -> None:
    rooms = [Room(4), Room(4)]
    seeds, agreed, halves = set(), set(), set()
    for room in rooms:
        for party in room.parties:
            keys = party.answer(0, b"")
            assert len(keys) == KEYS
            halves |= {keys[:32], keys[32:]}
        room.run(rounds=2)
        for me, party in enumerate(room.parties):
            seeds.add(party._seed)  # type: ignore[attr-defined]
            known = party._agreed  # type: ignore[attr-defined]
            assert sorted(known) == sorted({0, 1, 2, 3} - {me})
            assert all(room.parties[other]._agreed[me] == key for other, key in known.items())  # type: ignore[attr-defined]
            agreed |= set(known.values())
    assert len(seeds) == 8
    assert len(agreed) == 2 * 6  # a key for each pair
    assert len(halves) == 2 * 8  # what seals shares makes no masks: a rebuilt mask key must open none
    assert bytes(32) not in seeds | agreed


def test_a_pairs_mask_takes_one_of_their_secrets() -> None:
    low, high, other = Agreement(), Agreement(), Agreement()
    keys = {key: bytes(32) + key.public for key in (low, high, other)}
    seed = mask_seed(low, 0, 1, keys[high], b"cast")
    assert seed == mask_seed(high, 1, 0, keys[low], b"cast")
    assert seed != mask_seed(other, 0, 1, keys[high], b"cast")
    assert seed != mask_seed(low, 0, 1, keys[other], b"cast")
    assert seed != mask_seed(low, 0, 1, keys[high], b"of another query")
    assert seed != mask_seed(low, 0, 2, keys[high], b"cast")


def test_each_share_has_a_key_of_its_own() -> None:
    """A key that is shown opens one share: with one for both, a dealer's two secrets would come out together."""
    agreed = bytes(range(32))
    keys = [
        key
        for cast_ in (b"query", b"another")
        for dealer, holder in ((0, 1), (1, 0), (0, 2))
        for key in share_keys(agreed, cast_, dealer, holder)
    ]
    assert len(set(keys)) == 12
    assert not set(keys) & set(share_keys(bytes(32), b"query", 0, 1))
    assert {len(key) for key in keys} == {32}


def test_the_cast_is_of_one_query_and_these_keys() -> None:
    keys = {0: b"a" * KEYS, 2: b"b" * KEYS}
    assert cast(b"query", keys) == cast(b"query", dict(reversed(keys.items())))
    assert cast(b"query", keys) != cast(b"another", keys)
    for other in ({0: b"a" * KEYS, 1: b"b" * KEYS}, {0: b"b" * KEYS, 2: b"a" * KEYS}, {0: b"a" * KEYS}):
        assert cast(b"query", keys) != cast(b"query", other)
