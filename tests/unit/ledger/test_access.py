"""Grants and tokens: the log tells who may ask and who said so; a token is kept only as a hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from pets.errors import LedgerError, UserError
from pets.ledger.grants import Granted, Grants
from pets.ledger.ledger import Ledger
from pets.ledger.publish import export
from pets.ledger.publish.read_log import published
from pets.ledger.tokens import Tokens
from tests.ledgers import Place, account, ask, opened, request, verify

NOW = [1_800_000_000.0]


@pytest.fixture
def ledger(place: Place) -> Iterator[Ledger]:
    NOW[0] = 1_800_000_000.0
    with opened(place, clock=lambda: NOW[0]) as ledger:
        account(ledger)
        yield ledger


def entries(ledger: Ledger, *events: str) -> list[dict[str, object]]:
    with ledger.reading() as tx:
        bodies = [json.loads(body) for body, _, _ in tx.entries()]
    return [body for body in bodies if body["event"] in events]


def test_a_grant_and_its_end_are_entries_of_the_log(ledger: Ledger, tmp_path: Path) -> None:
    grants = Grants(ledger)
    assert not grants.any("d") and grants.of("d", "p", "a") is None
    made = grants.grant("d", "p", "a", ["reviewer", "analyst"], by="head@hospital")
    assert made == grants.of("d", "p", "a") == Granted("d", "p", "a", ("analyst", "reviewer"), made.seq)
    again = grants.grant("d", "p", "a", ["analyst"], by="head@hospital")
    other = grants.grant("d", "q", "b", ["auditor"], by="head@hospital")
    assert grants.all("d") == [again, other] and grants.any("d")
    assert grants.of("d", "q", "a") is None and grants.of("d", "p", "b") is None
    ask(account(ledger), request())
    grants.end("d", "p", "a", by="deputy@hospital")
    assert grants.of("d", "p", "a") is None and grants.all("d") == [other]
    with pytest.raises(LedgerError, match="analyst 'a' of project 'p' has no grant for the dataset 'd'"):
        grants.end("d", "p", "a", by="deputy@hospital")
    grants.end("d", "q", "b", by="deputy@hospital")
    assert grants.all("d") == [] and grants.any("d"), "a dataset that had grants stays closed to others"
    told = entries(ledger, "grant", "grant-end")
    assert [(one["event"], one["project"], one["analyst"], one["by"]) for one in told] == [
        ("grant", "p", "a", "head@hospital"),
        ("grant", "p", "a", "head@hospital"),
        ("grant", "q", "b", "head@hospital"),
        ("grant-end", "p", "a", "deputy@hospital"),
        ("grant-end", "q", "b", "deputy@hospital"),
    ]
    assert [one["seq"] for one in told[:3]] == [made.seq, again.seq, other.seq]
    verify(ledger)
    export.write(ledger, tmp_path / "log.jsonl", progress=False)
    assert len(export.verify(tmp_path / "log.jsonl", progress=False).accounts) == 1
    assert published(ledger).history.others == ()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"roles": ["king"]}, "the role 'king' does not exist; there are: analyst, reviewer"),
        ({"roles": []}, "roles are a list of some of analyst"),
        ({"roles": "analyst"}, "roles are a list of some of analyst"),
        ({"analyst": ""}, "analyst must be a printable text"),
        ({"by": "a\nb"}, "by must be a printable text"),
        ({"dataset": "e"}, "the ledger has no dataset 'e'; there are: d"),
    ],
)
def test_what_is_no_grant_is_refused(wrong: dict[str, object], said: str) -> None:
    with Ledger(None) as ledger:
        account(ledger)
        given = {"dataset": "d", "project": "p", "analyst": "a", "roles": ["analyst"], "by": "c"} | wrong
        with pytest.raises(UserError, match=said):
            Grants(ledger).grant(**given)  # type: ignore[arg-type]
        assert entries(ledger, "grant") == []


def test_a_token_is_shown_once_and_kept_as_a_hash(ledger: Ledger) -> None:
    tokens = Tokens(ledger)
    secret, token = tokens.create("amina", "stroke", ["analyst"], ["d"])
    assert secret.startswith("pets_") and len(secret) == 48 and tokens.find(secret) == token
    assert (token.subject, token.project, token.roles, token.datasets) == ("amina", "stroke", ("analyst",), ("d",))
    assert secret.startswith(token.prefix) and len(token.prefix) < 12 and secret not in repr(token)
    with ledger.aside(writes=False) as (connection, _):
        (row,) = connection.execute(sa.text("SELECT * FROM pets_tokens")).all()
    assert secret not in str(row) and hashlib.sha256(secret.encode()).hexdigest() in row
    for other in ("", secret[:-1], secret + "x", token.prefix, token.id, "\ud800"):
        assert tokens.find(other) is None
    assert tokens.create("amina", "stroke")[0] != secret


def test_a_token_ends(ledger: Ledger) -> None:
    tokens = Tokens(ledger)
    short, _ = tokens.create("a", "p", expires=NOW[0] + 60)
    NOW[0] += 1
    lasting, named = tokens.create("a", "p")
    NOW[0] += 58
    assert tokens.find(short) is not None
    NOW[0] += 1
    assert tokens.find(short) is None and tokens.find(lasting) == named
    tokens.revoke(named.id)
    assert tokens.find(lasting) is None and [one.revoked for one in tokens.all()] == [None, NOW[0]]
    for unknown in (named.id, "no such"):
        with pytest.raises(LedgerError, match=r"there is no token .* in force"):
            tokens.revoke(unknown)
    with pytest.raises(UserError, match="must end in the future"):
        tokens.create("a", "p", expires=NOW[0])
    with pytest.raises(UserError, match="project must be a printable text"):
        tokens.create("a", " ")
