"""Tables outside the grid over HTTP: whoever asks waits; a reviewer is told what was found, and no more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import pets
from pets.ledger.db import reviews
from pets.ledger.db.tables import jobs
from pets.ledger.grants import Grants
from pets.ledger.ledger import Ledger
from pets.ledger.queue import Queue
from pets.session.custodian import Custodian
from pets.session.disclosure import solving
from pets.session.disclosure.finding import Finding
from pets.session.disclosure.finding_store import FindingStore
from tests.checked_tables import searched_here, total
from tests.doors import HES, days, kept
from tests.http_services import served

AMINA, JO, BEN, KIM = (
    {"who": f"{name}/{role}"}
    for name, role in (
        ("amina", "asthma/analyst+reviewer"),
        ("jo", "board/reviewer"),
        ("ben", "sleep/analyst"),
        ("kim", "board/reviewer"),
    )
)
HERE = "/datasets/checked-tables"


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solving, "_replies", searched_here)


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Custodian]:
    with Ledger(tmp_path / "ledger.db") as ledger:
        yield kept(ledger=ledger)


@pytest.fixture
def narrow(tmp_path: Path) -> Iterator[Custodian]:
    """Two people came on the first two days, by an exact total."""
    with Ledger(tmp_path / "ledger.db") as ledger:
        custodian = kept([1, 1, 40], ledger=ledger)
        total(custodian, days(0, 1))
        yield custodian


def ask(client: Any, query: pets.Query, who: dict[str, str] = AMINA) -> Any:
    body = {"queries": [query.to_json()], "protection": HES.to_json()}
    return client.post(f"{HERE}/queries?wait=5", json=body, headers=who).json()


def held(client: Any) -> str:
    return str(client.get("/reviews", headers=JO).json()["reviews"][0]["id"])


def look(client: Any, request: str, who: dict[str, str] = JO) -> Any:
    return client.post(f"/reviews/{request}/look?wait=5", json={}, headers=who)


def approve(client: Any, request: str, who: dict[str, str] = JO, **more: Any) -> Any:
    return client.post(f"/reviews/{request}?wait=5", json={"decision": "approve"} | more, headers=who)


def found_of(client: Any, request: str) -> Any:
    return client.get(f"/reviews/{request}", headers=JO).json().get("finding")


def test_a_table_waits_is_looked_at_and_leaves_on_a_reviewers_word(keeper: Custodian) -> None:
    with served(keeper) as client:
        job = ask(client, days(0, 1))["job"]
        assert (job["state"], job["problem"]["code"]) == ("failed", "held") and "in review" in job["problem"]["message"]
        request = held(client)
        told = client.get(f"/reviews/{request}", headers=JO).json()
        assert told["review"]["kind"] == "table" and told["review"]["asked"]["query"] == days(0, 1).to_json()
        assert "finding" not in told, "nobody has looked"
        reply = look(client, request).json()
        assert reply["job"]["state"] == "done" and reply["table"] == {"request": request, "done": "look"}
        finding = found_of(client, request)
        assert finding["state"] == "proved" and finding["words"].endswith(finding["digest"])
        assert ask(client, days(0, 1))["job"]["problem"]["code"] == "held", "and whoever asks is told nothing"
        reply = approve(client, request, finding=finding["digest"][:12], note="fine").json()
        assert reply["job"]["state"] == "done" and reply["table"] == {"request": request, "done": "let_out"}
        (table,) = ask(client, days(0, 1))["releases"]
        assert table["pets"] == "reviewed" and table["shown"] == [[[10]]] and table["review"]["found"] == "proved"
        (other,) = ask(client, days(0, 1), BEN)["releases"]
        assert other["shown"] == table["shown"] and other["analyst"] == "ben"
        assert client.get("/reviews", headers=JO).json()["reviews"] == []
    assert [one.reviewer for one in votes(keeper, request)] == ["jo"]


def test_whoever_asked_the_same_is_told_to_ask_again_and_not_that_the_ledger_is_away(
    keeper: Custodian, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(keeper) as client:
        mine, other = (ask(client, days(0, 1), who)["job"]["problem"]["request"] for who in (AMINA, BEN))
        look(client, mine)
        with monkeypatch.context() as patch:
            patch.setattr("pets.session.door.door.shown_of", lambda *_: ())  # (as rows of later would show)
            reply = approve(client, mine, finding=found_of(client, mine)["digest"]).json()
        assert reply["job"]["state"] == "failed"
        for who, request in ((AMINA, mine), (BEN, other)):  # it was never sealed
            reply = client.get(f"/queries/{request}", headers=who)
            assert reply.status_code == 404 and "ask the question again" in reply.json()["detail"]
        again = [ask(client, days(0, 1), who)["job"]["problem"]["request"] for who in (AMINA, BEN)]
        look(client, again[0])
        approve(client, again[0], finding=found_of(client, again[0])["digest"])
        assert client.get(f"/queries/{again[0]}", headers=AMINA).json()["releases"][0]["shown"] == [[[10]]]
        reply = client.get(f"/queries/{again[1]}", headers=BEN)
        assert reply.status_code == 404 and "ask the question again" in reply.json()["detail"]
        assert ask(client, days(0, 1), BEN)["releases"][0]["shown"] == [[[10]]]
        assert client.get(f"/queries/{again[1]}", headers=BEN).json()["releases"][0]["analyst"] == "ben"


def votes(keeper: Custodian, request: str) -> list[Any]:
    with keeper.ledger.aside(writes=False) as (connection, _):
        return reviews.votes(connection, request)


def test_a_reviewer_is_told_what_was_found_and_not_what_it_shows(keeper: Custodian) -> None:
    with served(keeper) as client:
        ask(client, days(0, 1))
        request = held(client)
        replies = [
            look(client, request),
            client.get(f"/reviews/{request}", headers=JO),
            client.get("/queries", headers=JO),
        ]
    finding = Finding.from_json(FindingStore(keeper.ledger).get(request))
    assert finding.shown == ((10,),) and finding.pairs
    for reply in replies:
        form = json.dumps(reply.json())
        for secret in ("shown", "tables", "pairs", "nonce", "salt", finding.nonce, finding.salt):
            assert f'"{secret}"' not in form and (len(secret) < 30 or secret not in form)
    with keeper.ledger.aside(writes=False) as (connection, _):
        kept_ = [bytes(row.answer or b"") for row in connection.execute(sa.select(jobs))]
    assert any(kept_) and all(finding.digest.encode() not in one for one in kept_), "what was found is in no database"


def test_what_is_not_proved_leaves_on_their_words_alone(narrow: Custodian) -> None:
    with served(narrow) as client:
        ask(client, days(0, 0))
        request = held(client)
        look(client, request)
        finding = found_of(client, request)
        assert finding["state"] == "attack" and finding["attacks"]
        problem = approve(client, request, finding=finding["digest"]).json()["job"]["problem"]
        assert problem["code"] == "held" and "answers for it" in problem["message"]
        assert (
            approve(client, request, finding=finding["digest"], anyway="both consented").json()["job"]["state"]
            == "done"
        )
        (table,) = ask(client, days(0, 0))["releases"]
        assert table["review"]["found"] == "attack"


def test_nobody_looks_at_their_own_nor_decides_without_a_finding(keeper: Custodian) -> None:
    with served(keeper) as client:
        ask(client, days(0, 1))
        request = held(client)
        assert look(client, request, AMINA).json()["code"] == "forbidden"
        assert look(client, request, BEN).status_code == 403 and look(client, "0" * 32).status_code == 404
        assert approve(client, request).json()["code"] == "held"
        assert "nobody has looked" in approve(client, request, finding="0" * 64).json()["job"]["problem"]["message"]
        look(client, request)
        digest = found_of(client, request)["digest"]
        assert approve(client, request, AMINA, finding=digest).json()["code"] == "forbidden"
        for wrong in (
            {"finding": 7},
            {"finding": "x" * 3000},
            {"finding": digest, "anyway": "a\x00b"},
            {"anyway": "yes"},
        ):
            assert approve(client, request, **wrong).json()["code"] == "request"
        assert client.get("/reviews", headers=JO).json()["reviews"], "it waits still"


def test_a_look_is_for_tables_alone_and_for_whoever_may_review(keeper: Custodian) -> None:
    job = Queue(keeper.ledger).put("checked-tables", "p", "a", "release", {"queries": []}, None, held=True)
    with served(keeper) as client:
        assert "has no finding" in look(client, job.id).json()["detail"]
        ask(client, days(0, 1))
        request = next(
            one["id"] for one in client.get("/reviews", headers=JO).json()["reviews"] if one["kind"] == "table"
        )
        Grants(keeper.ledger).grant("checked-tables", "board", "kim", ["reviewer"], by="owner")
        assert (
            look(client, request).json()["code"] == "forbidden"
            and look(client, request, KIM).json()["job"]["state"] == "done"
        )


def test_a_grant_that_ended_meanwhile_lets_nothing_leave(keeper: Custodian) -> None:
    class Later:
        def ensure(self) -> None: ...

        def poke(self) -> None: ...

    grants = Grants(keeper.ledger)
    with served(keeper) as client:
        ask(client, days(0, 1))
        request = held(client)
        look(client, request)
        digest = found_of(client, request)["digest"]
    for name in ("jo", "kim"):
        grants.grant("checked-tables", "board", name, ["reviewer"], by="owner")
    with served(keeper, supervisor=Later()) as client:
        body = {"decision": "approve", "finding": digest}
        job = client.post(f"/reviews/{request}", json=body, headers=JO).json()["job"]["id"]
    grants.end("checked-tables", "board", "jo", by="owner")
    with served(keeper) as client:
        client.post(f"/reviews/{request}/look", json={}, headers=KIM)
        told = client.get(f"/queries/{job}?wait=5", headers=JO).json()
        assert told["job"]["problem"]["code"] == "forbidden"
    assert not votes(keeper, request)


def test_the_door_that_is_shut_is_shut_here_too(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        keeper = kept(ledger=ledger, more={"sdc_review": "never"})
        with served(keeper) as client:
            assert "is not in the dataset's grid" in ask(client, days(0, 1))["detail"]
