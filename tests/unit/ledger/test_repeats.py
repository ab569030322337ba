"""Asked again: under the same key, of whoever asks, and as the same question of somebody else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import pets
from pets.common.codec import canonical
from pets.errors import (
    FailedKeyError,
    InProgressError,
    LedgerDownError,
    LedgerError,
    OtherQuestionError,
    UsedKeyError,
    VerificationError,
)
from pets.ledger.ledger import LEASE
from pets.ledger.log import verifier
from pets.ledger.publish import export
from pets.ledger.publish.page import page
from pets.ledger.publish.read_log import published
from tests.ledgers import MILLI, Place, account, ask, audit, opened, request, verify

SCHEMA = pets.Schema({"stays": pets.Table(pets.Unit("id"), {"id": pets.Identifier()})}, dataset="hospital")
N = pets.query("stays").agg(n=pets.count())
DP = pets.DP(epsilon=0.1)


# keys ---------------------------------------------------------------------------------------------------------------


def test_a_key_is_its_analysts_own(place: Place) -> None:
    """Nobody blocks another's key, nor learns that it was used."""
    with opened(place) as ledger:
        one = account(ledger, project="p", analyst="a")
        first = ask(one, request("q1", key="k"))[0]
        for project, analyst in (("p", "b"), ("q", "a")):
            other = account(ledger, milli=None, project=project, analyst=analyst)
            second = ask(other, request("q2", key="k"), again=True)[0]
            assert second.request != first.request
            assert ask(other, request("q2", key="k"))[0] == second
        assert ask(one, request("q1", key="k"))[0] == first
        with pytest.raises(OtherQuestionError):
            ask(one, request("q2", key="k"))
        audit(ledger)
        verify(ledger)


def test_every_reason_has_an_error_and_a_code_of_its_own(place: Place) -> None:
    with opened(place) as ledger:
        asker = account(ledger)
        (grant,) = asker.reserve([request("q", key="k")])
        with pytest.raises(InProgressError, match="still being answered; ask again in") as waits:
            asker.reserve([request("q", key="k")])
        assert waits.value.retry_after is not None and 1 <= waits.value.retry_after <= LEASE <= 30
        with pytest.raises(OtherQuestionError) as other:
            asker.reserve([request("another", key="k")])
        asker.close([grant])
        with pytest.raises(FailedKeyError, match="its charge stands") as failed:
            asker.reserve([request("q", key="k")])
        errors = (waits.value, other.value, failed.value)
        assert all(isinstance(error, UsedKeyError) for error in errors)
        assert [error.retry_after for error in errors[1:]] == [None, None]
        codes = {error.exit_code for error in errors} | {LedgerDownError.exit_code, LedgerError.exit_code}
        assert len(codes) == 5 and codes.isdisjoint({1, 2, 9, 12, 70, 130})


def test_a_retry_after_a_dead_worker_waits_for_one_lease(place: Place) -> None:
    now = [1_800_000_000.0]
    with opened(place, clock=lambda: now[0]) as ledger:
        asker = account(ledger)
        asker.reserve([request("q", key="k")])  # and its process dies
        with pytest.raises(InProgressError) as waits:
            asker.reserve([request("q", key="k")])
        now[0] += waits.value.retry_after or 0
        now[0] += 0.01
        with pytest.raises(FailedKeyError):
            asker.reserve([request("q", key="k")])


def test_a_ledger_that_is_held_is_down_and_not_wrong(
    new_place: Callable[[str], Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    import sqlite3

    from pets.ledger.db.pool import turns

    place = new_place("sqlite")
    with opened(place) as ledger:
        asker = account(ledger)
        monkeypatch.setattr(turns, "BUSY_SECONDS", 0.05)
        other = sqlite3.connect(place.address, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerDownError, match="another process holds it; ask again") as down:
            ask(asker, request())
        other.close()
        assert down.value.retry_after is not None and down.value.exit_code == 16
        assert ask(asker, request())


# another's question -------------------------------------------------------------------------------------------------


def events(ledger: Any) -> list[dict[str, Any]]:
    with ledger.reading() as tx:
        return [json.loads(body) for body, _, _ in tx.entries()]


def sessions(place: Place, tmp_path: Path, *scopes: tuple[str, str]) -> list[pets.Session]:
    rows = pd.DataFrame({"id": [f"p{i}" for i in range(30)]})
    ledger, out = place.open(), []
    for project, analyst in scopes:
        given = {"data": rows, "budget": pets.Budget(epsilon=1, delta=1e-6)} if not out else {}
        names = {"project": project, "analyst": analyst}
        out.append(pets.Session(SCHEMA, **given, **names, ledger=ledger, snapshots=tmp_path / "ready", progress=False))
    return out


def test_another_project_gets_the_answer_and_no_name(new_place: Callable[[str], Place], tmp_path: Path) -> None:
    place = new_place("sqlite")
    one, two = sessions(place, tmp_path, ("asthma", "alice"), ("flu", "bob"))
    first, second = one.release(N, DP), two.release(N, DP)
    assert (second.values == first.values).all() and second.id == first.id and second.snapshot_id == first.snapshot_id
    told = canonical(second.to_json()) + canonical(second.certificate.statement)
    assert b"alice" not in told and b"asthma" not in told
    assert (second.project, second.analyst) == ("flu", "bob")
    said = second.certificate.predicate
    assert (said["project_id"], said["agent_id"]) == ("flu", "bob")
    assert (said["budget"]["charged"], said["budget"]["before"]) == (0, said["budget"]["after"])
    assert said["other_releases"] == {"dp": 0, "forfeited": 0, "unbounded": []}
    # it is genuine, and says so to whoever holds the key and nothing else
    verified = verifier.verify(canonical(dict(second.certificate)), one.ledger.key.raw, canonical(second.to_json()))
    assert "cost: 0 of" in verified
    # the log tells of it once, however often it is asked
    for asked in (two, *sessions(place, tmp_path, ("x", "y"), ("flu", "bob"))[1:]):
        again = asked.release(N, DP)
        assert canonical(again.to_json()) == canonical(second.to_json())
    found = [event for event in events(one.ledger) if event["event"] == "delivered"]
    assert [(event["project"], event["analyst"], event["loss"]) for event in found] == [("flu", "bob", 0)]
    assert found[0]["request"] == one.history()["id"][0]
    assert canonical(one.release(N, DP).to_json()) == canonical(first.to_json())
    assert two.remaining().spent == one.remaining().spent
    assert two.history()["state"].tolist() == ["committed", "delivered"]
    export.write(one.ledger, tmp_path / "log.jsonl", progress=False)
    assert export.verify(tmp_path / "log.jsonl", progress=False).accounts[0].charged.loss == first.cost["loss"]
    assert "the same answer also went to" in page(published(one.ledger))
    audit(one.ledger)
    verify(one.ledger)


def test_a_colleague_gets_the_answer_and_no_name(new_place: Callable[[str], Place], tmp_path: Path) -> None:
    one, two = sessions(new_place("sqlite"), tmp_path, ("asthma", "alice"), ("asthma", "bob"))
    first = one.release(N, DP)
    second = two.release(N, DP)
    assert (second.values == first.values).all() and second.id == first.id
    assert b"alice" not in canonical(second.to_json()) + canonical(second.certificate.statement)
    said = second.certificate.predicate
    assert (second.analyst, said["project_id"], said["agent_id"]) == ("bob", "asthma", "bob")
    verifier.verify(canonical(dict(second.certificate)), one.ledger.key.raw, canonical(second.to_json()))
    assert canonical(two.release(N, DP).to_json()) == canonical(second.to_json())
    found = [event for event in events(one.ledger) if event["event"] == "delivered"]
    assert [(event["project"], event["analyst"]) for event in found] == [("asthma", "bob")]


def test_the_history_shows_deliveries(place: Place, tmp_path: Path) -> None:
    one, two = sessions(place, tmp_path, ("asthma", "alice"), ("flu", "bob"))
    first = one.release(N, DP)
    for _ in range(2):
        two.release(N, DP)
    one.release(N, DP, again=True)
    told = ["project", "analyst", "what", "state", "epsilon", "rho", "id"]
    found = one.history()[told].to_numpy().tolist()
    paid, rho = one.history()["id"][0], first.cost["loss"] / 1e12
    assert found[:2] == [
        ["asthma", "alice", "count", "committed", 0.1, rho, paid],
        ["flu", "bob", "count", "delivered", 0.0, 0.0, paid],
    ]
    assert [row[:4] for row in found[2:]] == [["asthma", "alice", "count", "committed"]]
    assert one.history(analyst="bob")["state"].tolist() == ["delivered"]
    assert one.history(project="asthma")["state"].tolist() == ["committed"] * 2
    assert one.history(last=2)["state"].tolist() == ["delivered", "committed"]
    assert one.history(project="flu", last=1)["id"].tolist() == [paid]


def test_a_delivery_is_entered_in_both_databases(place: Place, tmp_path: Path) -> None:
    with opened(place) as ledger:
        one, two = account(ledger), account(ledger, milli=None, project="q", analyst="b")
        first = ask(one, request("q", 10))[0]
        (grant,) = two.reserve([request("q", 10)])
        assert grant.sealed is not None and grant.sealed.scope == ("p", "a") and not grant.sealed.delivered
        made = two.deliver(grant, lambda _: (b"{}", "0" * 64, {"release_id": "r"}))
        assert (made.release, made.delivered) == (b"{}", True) and made.certificate != first.certificate
        assert two.deliver(grant, lambda _: (b"{1}", "0" * 64, {"release_id": "r"})) == made, "once"
        (later,) = two.reserve([request("q", 10)])
        assert later.sealed == made
        assert two.standing().spent.loss == 10 * MILLI
        audit(ledger)
        verify(ledger)
        export.write(ledger, tmp_path / "log.jsonl", progress=False)
        export.verify(tmp_path / "log.jsonl", progress=False)


@pytest.mark.parametrize(
    ("change", "words"), [({"loss": 1}, "charges again"), ({"request": "0" * 32}, "never committed")]
)
def test_a_log_with_a_false_delivery_is_refused(
    change: dict[str, Any], words: str, new_place: Callable[[str], Place], tmp_path: Path
) -> None:
    from pets.ledger.ledger import public

    with opened(new_place("sqlite")) as ledger:
        asker = account(ledger)
        sealed = ask(asker, request())[0]
        with ledger.writing() as (tx, now):
            row = public(tx.request(sealed.request)) | {"loss": 0, "delta": 0}
            tx.append("delivered", now, row | change, {})
        export.write(ledger, tmp_path / "log.jsonl", progress=False)
        with pytest.raises(VerificationError, match=words):
            export.verify(tmp_path / "log.jsonl", progress=False)


def test_the_same_question_under_two_policies_is_two_entries(new_place: Callable[[str], Place], tmp_path: Path) -> None:
    (one,) = sessions(new_place("sqlite"), tmp_path, ("p", "a"))
    two = pets.Session(
        SCHEMA,
        ledger=one.ledger,
        project="p",
        analyst="a",
        snapshots=tmp_path / "ready",
        policy=pets.Policy(allow_unbounded=True),
        progress=False,
    )
    first, second = one.release(N, DP), two.release(N, DP)
    assert first.id != second.id and len(one.history()) == 2


# looked up without a charge -----------------------------------------------------------------------------------------


def test_answers_that_were_all_paid_for_are_looked_up_and_nothing_is_written(place: Place) -> None:
    with opened(place) as ledger:
        asker, other = account(ledger), account(ledger, milli=None, analyst="b")
        first = ask(asker, request("q1", key="k"), request("q2"))
        with ledger.reading() as tx:
            size = tx.head.size
        assert asker.known([request("q1", key="k"), request("q3")]) is None
        assert asker.known([request("q3")]) is None and other.known([request("q1")]) is not None
        grants = asker.known([request("q1", key="k"), request("q2")])
        assert grants is not None and [grant.sealed for grant in grants] == first
        with pytest.raises(OtherQuestionError):
            asker.known([request("q2", key="k")])
        asker.reserve([request("q4", key="open")])
        assert asker.known([request("q4", key="open")]) is None, "its job tells how it goes"
        with ledger.reading() as tx:
            assert tx.head.size == size + 1, "only the request that was made"


def test_a_key_whose_reservation_was_left_behind_is_not_known(place: Place) -> None:
    now = [1_800_000_000.0]
    with opened(place, clock=lambda: now[0]) as ledger:
        asker = account(ledger)
        asker.reserve([request("q", key="k")], start=False)
        now[0] += LEASE + 1
        assert asker.known([request("q", key="k")]) is None
        assert [entry.state.value for entry in asker.entries()] == ["reserved"], "a look writes nothing"


def test_what_a_job_charges_is_under_its_key(place: Place) -> None:
    """Asked again by another process, each charge of a job is the same request."""
    with opened(place) as ledger:
        asker = account(ledger)
        job = asker.under("job:1")
        first = [*ask(job, request("q1"), request("q2"), again=True), *ask(job, request("q3", key="own"), again=True)]
        again = asker.under("job:1")
        second = [*ask(again, request("q1"), request("q2"), again=True), *ask(again, request("q3", key="own"))]
        assert second == first and asker.standing().spent.loss == 30 * MILLI
        with ledger.reading() as tx:
            for key in ("job:1#0", "job:1#1", "own"):
                assert tx.by_key("d", ("p", "a"), key) is not None
        assert ask(asker, request("q1"), again=True) != first[:1], "another's is not under it"
