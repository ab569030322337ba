from __future__ import annotations

from collections.abc import Iterator

import pytest

from pets.errors import UserError
from pets.ledger.ledger import Ledger
from pets.ledger.log import merkle
from pets.ledger.log.checkpoint import parse
from pets.ledger.publish.public_log import MOST, PublicLog


@pytest.fixture(scope="module")
def ledger() -> Iterator[Ledger]:
    with Ledger(None) as made:
        with made.writing() as (tx, now):
            for number in range(12):
                tx.append("note", now, {"number": number}, {"secret": f"private {number}"})
        yield made


def test_pieces_are_the_log_without_its_private_parts(ledger: Ledger) -> None:
    log = PublicLog(ledger)
    whole, some = log.piece(0, MOST), log.piece(3, 6)
    assert [seq for seq, _, _ in some.entries] == [3, 4, 5] and some.size == 13
    assert some.entries == whole.entries[3:6] and len(whole.entries) == 13
    with ledger.reading() as tx:
        assert [(body.decode(), chain.hex()) for body, _, chain in tx.entries()] == [e[1:] for e in whole.entries]
    assert "private" not in str(whole)
    assert log.piece(13, 20).entries == () and len(log.piece(0, 10**9).entries) == 13


def test_proofs_lead_to_the_signed_root(ledger: Ledger) -> None:
    log = PublicLog(ledger)
    seen = parse(log.checkpoint(), ledger.key)
    bodies = [body.encode() for _, body, _ in log.piece(0, seen.size).entries]
    for seq in (0, 5, 12):
        path = [bytes.fromhex(one) for one in log.inclusion(seq, seen.size)["path"]]
        assert merkle.root_from_path(bodies[seq], seq, seen.size, path) == seen.root
    grown = [bytes.fromhex(one) for one in log.consistency(5, seen.size)["path"]]
    assert merkle.consistent(5, seen.size, merkle.root(bodies[:5]), seen.root, grown)


def test_what_is_not_in_the_log_has_no_proof(ledger: Ledger) -> None:
    log = PublicLog(ledger)
    for wrong in (
        lambda: log.inclusion(13, 13),
        lambda: log.inclusion(0, 14),
        lambda: log.inclusion(0, 0),
        lambda: log.consistency(0, 13),
        lambda: log.consistency(13, 12),
        lambda: log.consistency(1, 10**15),
    ):
        with pytest.raises(UserError, match=r"[;,]"):
            wrong()
    assert log.inclusion(12, 13)["seq"] == 12
