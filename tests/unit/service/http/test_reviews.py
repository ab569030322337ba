"""Reviews over HTTP: reviewers alone see what is held, nobody decides about their own, and what is held is shown to
no one else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import pets
from pets.ledger.grants import Grants
from pets.session.custodian import Custodian
from pets.session.history import read_form
from tests.http_services import ASKED, custodian, served

AMINA, BEN, JO = (
    {"who": f"{name}/{role}"}
    for name, role in (("amina", "asthma/analyst+reviewer"), ("ben", "sleep/analyst"), ("jo", "board/reviewer"))
)


def keeper(folder: Path, approval: str) -> Custodian:
    return custodian(folder, policy=pets.Policy(approval=approval))


def decided(client: Any, job: str, **body: Any) -> Any:
    return client.post(f"/reviews/{job}", json=body, headers=JO)


def seen(client: Any, who: dict[str, str]) -> list[tuple[Any, ...]]:
    """State, reason and ε of each line of somebody's history."""
    told = read_form(client.get("/datasets/stays/history", headers=who).json()["history"])
    return [(row.state, row.reason, row.epsilon) for row in told.itertuples()]


@pytest.mark.parametrize("end", ["approve", "refuse"])
def test_a_held_answer_is_shown_to_its_reviewer_alone(tmp_path: Path, end: str) -> None:
    kept = keeper(tmp_path, "after")
    with served(kept) as client:
        keyed = {"idempotency-key": "k"}

        def ask(who: dict[str, str]) -> Any:
            return client.post("/datasets/stays/queries?wait=1", json=ASKED, headers=who | keyed)

        first = ask(AMINA)
        job = first.json()["job"]
        assert (first.status_code, job["state"], list(first.json())) == (202, "held", ["job"])
        assert ask(AMINA).json()["job"]["id"] == job["id"], "a retry is the same job"
        equal = ask(BEN).json()
        assert (
            equal["job"]["state"] == "failed" and equal["job"]["problem"]["code"] == "held" and list(equal) == ["job"]
        )
        assert client.get(f"/queries/{job['id']}/certificate", headers=AMINA).status_code == 404
        # whoever asked may be a reviewer, and sees no answer of their own; others see no reviews
        assert client.get(f"/reviews/{job['id']}", headers=AMINA).json()["code"] == "forbidden"
        assert client.post(f"/reviews/{job['id']}", json={"decision": "approve"}, headers=AMINA).status_code == 403
        assert (
            client.get("/reviews", headers=BEN).status_code
            == client.get(f"/reviews/{job['id']}", headers=BEN).status_code
            == 403
        )
        (listed,) = client.get("/reviews", headers=JO).json()["reviews"]
        assert (listed["id"], listed["stage"], listed["analyst"], listed["project"]) == (
            job["id"],
            "after",
            "amina",
            "asthma",
        )
        shown = client.get(f"/reviews/{job['id']}", headers=JO).json()
        assert shown["review"]["asked"]["queries"] and len(shown["releases"]) == 1
        spent = kept.remaining().spent.loss
        assert spent > 0 and seen(client, AMINA) == [("held", "", 0.1)] and seen(client, BEN) == []
        why = {"reason": "may-disclose", "note": "one ward"} if end == "refuse" else {}
        assert decided(client, job["id"], decision=end, **why).status_code == 200
        assert client.get("/reviews", headers=JO).json() == {"reviews": []}
        told = client.get(f"/queries/{job['id']}", headers=AMINA).json()
        if end == "approve":
            assert told["job"]["state"] == "done" and told["releases"] == shown["releases"]
            free = client.post("/datasets/stays/queries", json=ASKED, headers=BEN).json()
            assert free["job"] is None and free["releases"][0]["analyst"] == "ben"
        else:
            assert told["job"]["problem"]["code"] == "not-approved" and list(told) == ["job"]
            assert seen(client, AMINA) == [("refused", "may-disclose", 0.1)]
            asked = client.post("/datasets/stays/queries?wait=1", json=ASKED, headers=BEN).json()
            assert asked["job"]["problem"]["code"] == "not-approved" and list(asked) == ["job"]
        assert kept.remaining().spent.loss == spent
        other = "refuse" if end == "approve" else "approve"
        assert decided(client, job["id"], decision=other).json()["code"] == "held"


def test_a_request_waits_for_its_approval(tmp_path: Path) -> None:
    kept = keeper(tmp_path, "before")
    with served(kept) as client:
        jobs = []
        for who in (AMINA, BEN):
            made = client.post("/datasets/stays/queries?wait=1", json=ASKED, headers=who)
            assert (made.status_code, made.json()["job"]["state"]) == (202, "held")
            jobs.append(made.json()["job"]["id"])
        assert kept.remaining().spent.loss == 0
        for who in (AMINA, BEN):  # each project its own, at no cost
            assert seen(client, who) == [("held", "", 0.0)]
        assert "releases" not in client.get(f"/reviews/{jobs[0]}", headers=JO).json()
        assert decided(client, jobs[0], decision="approve").json()["job"]["state"] in ("waiting", "running", "done")
        assert client.get(f"/queries/{jobs[0]}?wait=5", headers=AMINA).json()["releases"]
        # what was approved for one is not approved for another
        assert client.get(f"/queries/{jobs[1]}", headers=BEN).json()["job"]["state"] == "held"
        asked = client.post("/datasets/stays/queries", json=ASKED, headers=BEN).json()
        assert asked["job"]["state"] == "held" and "releases" not in asked
        spent = kept.remaining().spent.loss
        assert decided(client, jobs[1], decision="refuse", reason="not-needed").status_code == 200
        told = client.get(f"/queries/{jobs[1]}", headers=BEN).json()["job"]
        assert "nothing was charged" in told["problem"]["message"] and kept.remaining().spent.loss == spent
        assert sorted(seen(client, BEN)) == [("held", "", 0.0), ("refused", "not-needed", 0.0)]
        assert seen(client, AMINA) == [("committed", "", 0.1)]
        dummy = {"queries": ASKED["queries"], "protection": {"kind": "exact"}, "rows": 10, "seed": 1}
        assert client.post("/datasets/stays/dummy?wait=5", json=dummy, headers=BEN).json()["releases"]


def test_nobody_is_asked_to_approve_what_does_not_fit(tmp_path: Path) -> None:
    kept = keeper(tmp_path, "before")  # of ε = 50

    def asking(epsilon: int, days: int, **more: Any) -> dict[str, Any]:
        query = pets.query("stays").where(pets.col("days") >= days).agg(n=pets.count())
        return {"queries": [query.to_json()], "protection": {"kind": "dp", "epsilon": epsilon}} | more

    with served(kept) as client:

        def ask(form: dict[str, Any], who: dict[str, str] = AMINA, **headers: str) -> Any:
            return client.post("/datasets/stays/queries?wait=1", json=form, headers=who | headers)

        for form in (asking(60, 1), {"kind": "rows_lost", "table": "stays", "protection": asking(60, 1)["protection"]}):
            refused = ask(form)
            assert (refused.status_code, refused.json()["code"]) == (422, "budget")
            assert "would cost ε = 60 and the budget has room for ε = 50" in refused.json()["detail"]
        assert client.get("/reviews", headers=JO).json()["reviews"] == []
        waits = ask(asking(45, 2), **{"idempotency-key": "k"}).json()["job"]
        first = ask(asking(45, 1)).json()["job"]
        assert waits["state"] == first["state"] == "held"
        decided(client, first["id"], decision="approve")
        assert client.get(f"/queries/{first['id']}?wait=5", headers=AMINA).json()["releases"]
        assert ask(asking(45, 3)).json()["code"] == "budget"
        # the one that was put before is that job still, and what was paid for costs another nothing
        assert ask(asking(45, 2), **{"idempotency-key": "k"}).json()["job"]["id"] == waits["id"]
        assert ask(asking(45, 1), BEN).json()["job"]["state"] == "held"
        assert ask(asking(45, 1, again=True), BEN).json()["code"] == "budget"


def test_a_reviewer_needs_a_grant_where_there_are_grants(tmp_path: Path) -> None:
    kept = keeper(tmp_path, "before")
    with served(kept) as client:
        job = client.post("/datasets/stays/queries", json=ASKED, headers=AMINA).json()["job"]["id"]
        Grants(kept.ledger).grant("stays", "asthma", "amina", ["analyst"], by="head")
        for reply in (client.get("/reviews", headers=JO), decided(client, job, decision="approve")):
            assert reply.status_code == 403 and "nobody has granted jo" in reply.json()["detail"]
        Grants(kept.ledger).grant("stays", "board", "jo", ["reviewer"], by="head")
        for wrong in (
            {},
            {"decision": "maybe"},
            {"decision": "approve", "why": "x"},
            {"decision": "refuse", "reason": 3},
        ):
            assert decided(client, job, **wrong).status_code == 400
        assert decided(client, "0" * 32, decision="approve").status_code == 404
        assert decided(client, job, decision="approve").status_code == 200
