"""The custodian over HTTP: each address is for a role that login and grant both have, and no row is in any reply."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pets
from pets.ledger.db.row_types import parsed
from pets.ledger.grants import Grants
from pets.service.http import custodians
from pets.service.http.app import create_app
from pets.service.http.custodians import ENDPOINTS
from pets.service.opening import Opening
from pets.session.custodian import Custodian
from pets.session.quoting.quote import Remaining
from tests.http_services import ASKED, SCHEMA, AtOnce, TestClient, by_name, custodian, rows, served

VERA, OTHER = {"who": "vera/board/custodian"}, {"who": "otto/board/custodian"}
ADA, AMINA = {"who": "ada/audit/auditor"}, {"who": "amina/asthma/analyst"}
ALL = "amina/asthma/analyst+reviewer+auditor+custodian"
HERE = "/datasets/stays"
ADDRESSES = [
    ("GET", "/grants", None, True),
    ("POST", "/grants", {"project": "asthma", "analyst": "amina", "roles": ["analyst"]}, False),
    ("DELETE", "/grants?project=asthma&analyst=amina", None, False),
    ("GET", "/account", None, True),
    ("GET", "/incidents", None, False),
    ("GET", "/events", None, True),
    ("POST", "/refresh", {}, False),
]
"""Method, address, body, and whether an auditor may."""


@pytest.fixture
def keeper(tmp_path: Path) -> Custodian:
    return custodian(tmp_path)


@pytest.fixture
def client(keeper: Custodian) -> Iterator[TestClient]:
    with served(keeper) as made:
        yield made


def granted(client: TestClient, who: dict[str, str], project: str, analyst: str, *roles: str) -> Any:
    body = {"project": project, "analyst": analyst, "roles": list(roles)}
    return client.post(f"{HERE}/grants", json=body, headers=who)


def log_of(keeper: Custodian, event: str) -> list[dict[str, Any]]:
    with keeper.ledger.reading() as tx:
        bodies = [parsed(body.decode()) for _, body in tx.since(0)]
    return [dict(body) for body in bodies if body["event"] == event]


@pytest.mark.parametrize(
    ("method", "path", "body", "auditors"), ADDRESSES, ids=[" ".join(one[:2]) for one in ADDRESSES]
)
def test_each_address_is_for_its_roles_in_login_and_grant(
    keeper: Custodian, method: str, path: str, body: Any, auditors: bool
) -> None:
    with served(keeper) as client:

        def code(who: str) -> str:
            reply = client.request(method, HERE + path, json=body, headers={"who": who})
            return str(reply.json().get("code", ""))

        for role in ("analyst", "reviewer"):
            assert code(f"amina/asthma/{role}") == "forbidden"
        assert (code("ada/audit/auditor") == "forbidden") is not auditors
        Grants(keeper.ledger).grant("stays", "board", "vera", ["analyst", "auditor"], by="head")
        # a login that may everything, without a grant; and a grant without the role
        assert code(ALL) == "forbidden"
        assert (code("vera/board/analyst+reviewer+auditor+custodian") == "forbidden") is not auditors
        Grants(keeper.ledger).grant("stays", "board", "vera", ["custodian"], by="head")
        assert code("vera/board/analyst+reviewer+auditor") == "forbidden"
        assert code("vera/board/custodian") != "forbidden"
        assert client.request(method, "/datasets/none" + path, json=body, headers=VERA).status_code == 404


def test_grants_are_given_and_ended_and_the_log_names_who_did(keeper: Custodian, client: TestClient) -> None:
    assert client.get(f"{HERE}/grants", headers=VERA).json() == {"grants": [], "open": True}
    first = granted(client, VERA, "asthma", "amina", "analyst")
    assert (first.status_code, first.json()["code"]) == (400, "request") and "yourself one first" in first.text
    assert granted(client, VERA, "board", "vera", "auditor").status_code == 400
    assert client.get(f"{HERE}/grants", headers=VERA).json()["open"], "nothing was granted"
    assert granted(client, VERA, "board", "vera", "custodian").json()["open"] is False
    asked = client.post(f"{HERE}/queries", json=ASKED, headers=AMINA)
    assert asked.status_code == 403, "the first grant closes the dataset to all others"
    made = granted(client, VERA, "asthma", "amina", "reviewer", "analyst").json()["grant"]
    assert (made["project"], made["analyst"], made["roles"]) == ("asthma", "amina", ["analyst", "reviewer"])
    assert client.post(f"{HERE}/queries?wait=5", json=ASKED, headers=AMINA).status_code == 200
    told = client.get(f"{HERE}/grants", headers=VERA).json()
    assert [one["analyst"] for one in told["grants"]] == ["amina", "vera"] and made in told["grants"]
    ended = client.delete(f"{HERE}/grants?project=asthma&analyst=amina", headers=VERA).json()
    assert [one["analyst"] for one in ended["grants"]] == ["vera"] and ended["open"] is False
    assert client.post(f"{HERE}/queries", json=ASKED, headers=AMINA).status_code == 403
    for event, number in (("grant", 2), ("grant-end", 1)):
        entries = log_of(keeper, event)
        assert [entry["by"] for entry in entries] == ["vera"] * number
    keeper.ledger.check()


def test_two_custodians_who_end_each_others_grant_at_once_leave_one(
    keeper: Custodian, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    granted(client, VERA, "board", "vera", "custodian")
    granted(client, VERA, "board", "zoe", "custodian")
    looked = custodians._check_keeps

    def meanwhile(call: Any, *rest: Any) -> None:  # (she was custodian when her request was looked at)
        looked(call, *rest)
        Grants(keeper.ledger).end("stays", "board", "vera", by="zoe", keeper=("board", "zoe"))

    monkeypatch.setattr(custodians, "_check_keeps", meanwhile)
    for ask in (
        lambda: client.delete(f"{HERE}/grants?project=board&analyst=zoe", headers=VERA),
        lambda: granted(client, VERA, "board", "zoe", "analyst"),
        lambda: granted(client, VERA, "board", "vera", "custodian"),
    ):
        reply = ask()
        assert (reply.status_code, reply.json()["code"]) == (403, "forbidden"), reply.text
        assert [one.analyst for one in Grants(keeper.ledger).all("stays")] == ["zoe"]
        assert Grants(keeper.ledger).allows("stays", "board", "zoe", "custodian")
        Grants(keeper.ledger).grant("stays", "board", "vera", ["custodian"], by="zoe")


def test_nobody_shuts_themselves_out(client: TestClient) -> None:
    granted(client, VERA, "board", "vera", "custodian")
    mine = f"{HERE}/grants?project=board&analyst=vera"
    for reply in (client.delete(mine, headers=VERA), granted(client, VERA, "board", "vera", "analyst")):
        assert reply.status_code == 400 and "another custodian" in reply.json()["detail"]
    # the same name in another project is somebody else
    assert granted(client, VERA, "asthma", "vera", "analyst").status_code == 200
    granted(client, VERA, "board", "otto", "custodian")
    assert client.delete(mine, headers=OTHER).status_code == 200
    assert client.get(f"{HERE}/grants", headers=VERA).status_code == 403


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "lacks 'project'"),
        ({"project": "p", "analyst": "a"}, "lacks 'roles'"),
        ({"project": "p", "analyst": "a", "roles": ["king"]}, "'king' does not exist"),
        ({"project": "p", "analyst": "a", "roles": "analyst"}, "roles are a list"),
        ({"project": "p", "analyst": "a", "roles": []}, "roles are a list"),
        ({"project": "", "analyst": "a", "roles": ["analyst"]}, "project"),
        ({"project": "p", "analyst": "a\n", "roles": ["analyst"]}, "analyst"),
        ({"project": ["p"], "analyst": "a", "roles": ["analyst"]}, "project"),
        ({"project": "p", "analyst": "a", "roles": ["analyst"], "by": "me"}, "no place for 'by'"),
    ],
)
def test_what_is_no_grant_is_one_sentence(keeper: Custodian, body: dict[str, Any], said: str) -> None:
    Grants(keeper.ledger).grant("stays", "board", "vera", ["custodian"], by="head")
    with served(keeper) as client:
        reply = client.post(f"{HERE}/grants", json=body, headers=VERA)
        assert reply.status_code == 400 and said in reply.json()["detail"]
        wrong = client.delete(f"{HERE}/grants?project=p", headers=VERA)
        assert wrong.status_code == 400 and "analyst=" in wrong.json()["detail"]
        assert client.delete(f"{HERE}/grants?project=p&analyst=a", headers=VERA).status_code == 404
    assert len(log_of(keeper, "grant")) == 1


def test_the_examples_of_the_page_can_be_asked(keeper: Custodian, client: TestClient) -> None:
    Grants(keeper.ledger).grant("stays", "board", "vera", ["custodian"], by="head")
    for one in ENDPOINTS:
        if one.takes is not None:
            reply = client.post(one.path.replace("{dataset}", "stays"), json=one.takes, headers=VERA)
            assert reply.status_code in (200, 202), (one.path, reply.text)


def test_the_account_says_who_spent_what_and_what_was_denied(keeper: Custodian, client: TestClient) -> None:
    for who in (AMINA, {"who": "ben/sleep/analyst"}):
        client.post(f"{HERE}/queries?wait=5", json=ASKED, headers=who)
    much = ASKED | {"protection": {"kind": "dp", "epsilon": 60}}
    client.post(f"{HERE}/queries?wait=5", json=much, headers=AMINA)
    told = client.get(f"{HERE}/account", headers=ADA).json()
    assert Remaining.from_json(told["remaining"]) == keeper.remaining()
    asked = {(one["project"], one["analyst"]): one for one in told["asked"]}
    mine, theirs = asked["asthma", "amina"], asked["sleep", "ben"]
    assert (mine["committed"], mine["denied"], mine["delivered"]) == (1, 1, 0)
    assert (theirs["committed"], theirs["delivered"]) == (0, 1)
    (denied,) = told["denials"]
    assert (denied["project"], denied["analyst"], len(denied["id"])) == ("asthma", "amina", 32)
    scopes = {(one["project"], one["analyst"]): one for one in told["scopes"]}
    spent = keeper.remaining().spent
    assert scopes["", ""]["spent"] == scopes["asthma", "amina"]["spent"] == {"loss": spent.loss, "delta": spent.delta}
    assert scopes["", ""]["cap"]["loss"] == keeper.budget.cap.loss and scopes["asthma", ""]["cap"] is None
    assert float(scopes["", ""]["epsilon_spent"]) == pytest.approx(keeper.budget.describe(spent)[0])
    assert float(scopes["", ""]["epsilon_cap"]) == pytest.approx(50.0, rel=1e-6)
    assert (told["waiting"], told["held"]) == (0, 0)


def test_what_waits_is_in_the_account(tmp_path: Path) -> None:
    kept = custodian(tmp_path, policy=pets.Policy(approval="before"))
    with served(kept, supervisor=None) as client:
        client.post(f"{HERE}/queries", json=ASKED, headers=AMINA)
        client.post(f"{HERE}/refresh", json={}, headers=VERA)
        told = client.get(f"{HERE}/account", headers=ADA).json()
    assert (told["waiting"], told["held"]) == (1, 1)


def test_incidents_are_numbers_and_never_what_went_wrong(
    keeper: Custodian, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ValueError("patient p7 of ward 3")

    monkeypatch.setattr("pets.session.job.tabulate", fails)
    failed = client.post(f"{HERE}/queries?wait=5", json=ASKED, headers=AMINA).json()["job"]
    assert failed["problem"]["code"] == "release-failed"
    keeper.ledger.incidents.note("0123456789ab", "a fault of the service")
    told = client.get(f"{HERE}/incidents", headers=VERA)
    (one,) = told.json()["incidents"]
    assert (one["project"], one["analyst"], one["incident"]) == ("asthma", "amina", one["request"][:12])
    assert "ward 3" in keeper.incident(one["incident"]) and "ward" not in told.text
    assert [fault["incident"] for fault in told.json()["faults"]] == ["0123456789ab"]
    # a fault belongs to no dataset: whoever keeps one of several is not told of it
    other = pets.Schema.from_json(keeper.schema.to_json() | {"dataset": "other"})
    pets.Custodian(other, rows(), budget=pets.Budget(epsilon=1, delta=1e-6), ledger=keeper.ledger, progress=False)
    Grants(keeper.ledger).grant("other", "board", "otto", ["custodian"], by="head")
    told = client.get(f"{HERE}/incidents?last=1", headers=VERA)
    assert told.json()["faults"] == [] and len(told.json()["incidents"]) == 1


def test_events_are_counted(client: TestClient) -> None:
    client.post(f"{HERE}/queries?wait=5", json=ASKED, headers=AMINA)
    told = client.get(f"{HERE}/events", headers=ADA).json()
    counts = told["counts"]
    assert {name: counts[name] for name in ("committed", "job-done", "job-waiting", "denied", "worker-died")} == {
        "committed": 1,
        "job-done": 1,
        "job-waiting": 1,
        "denied": 0,
        "worker-died": 0,
    }
    assert told["since"] > 1_700_000_000


def refreshed(client: TestClient, who: dict[str, str] = VERA, **headers: str) -> Any:
    return client.post(f"{HERE}/refresh?wait=5", json={}, headers=who | headers)


def test_a_refresh_is_a_job_that_makes_new_snapshots_and_charges_nothing(keeper: Custodian, client: TestClient) -> None:
    client.post(f"{HERE}/queries?wait=5", json=ASKED, headers=AMINA)
    before, spent = keeper.snapshots, keeper.remaining().spent
    reply = refreshed(client, **{"Idempotency-Key": "monday"})
    job = reply.json()["job"]
    assert (reply.status_code, job["kind"], job["state"]) == (200, "refresh", "done")
    assert reply.json()["snapshots"] == keeper.snapshots != before and keeper.remaining().spent == spent
    assert client.get(f"{HERE}/schema", headers=AMINA).json()["snapshots"] == keeper.snapshots
    assert refreshed(client, **{"Idempotency-Key": "monday"}).json() == reply.json(), "once under one key"
    assert client.get(f"/queries/{job['id']}", headers=AMINA).status_code == 404
    # the question is another one now
    again = client.post(f"{HERE}/queries?wait=5", json=ASKED, headers=AMINA).json()
    assert again["job"]["state"] == "done" and keeper.remaining().spent.loss == 2 * spent.loss
    # and it is no kind of question
    for kind in ("queries", "dummy"):
        wrong = client.post(f"{HERE}/{kind}", json={"kind": "refresh"}, headers={"who": ALL})
        assert wrong.status_code == 400


def test_a_refresh_without_data_says_what_to_run(tmp_path: Path) -> None:
    custodian(tmp_path, snapshots=tmp_path / "ready")
    schema = tmp_path / "stays.json"
    schema.write_text(json.dumps(SCHEMA), "utf-8")
    opened = Opening(str(schema), str(tmp_path / "ledger.db"), snapshots=str(tmp_path / "ready")).custodian()
    with TestClient(create_app(opened, auth=by_name, supervisor=AtOnce(opened))) as client:
        problem = refreshed(client).json()["job"]["problem"]
    assert problem["code"] == "request" and "pets snapshot --schema" in problem["message"]
    assert opened.ledger.incidents.numbers == []


def test_a_refresh_that_fails_leaves_the_tables_and_quotes_no_row(tmp_path: Path) -> None:
    path = tmp_path / "stays.csv"
    rows().to_csv(path, index=False)
    kept = pets.Custodian(
        SCHEMA,
        {"stays": str(path)},
        budget=pets.Budget(epsilon=5, delta=1e-6),
        ledger=tmp_path / "ledger.db",
        snapshots=tmp_path / "ready",
        progress=False,
    )
    before = kept.snapshots
    path.write_text("patient,sex,p7 of ward 3\np7,F,x\n", "utf-8")
    with served(kept) as client:
        job = refreshed(client).json()["job"]
        assert job["state"] == "failed" and job["problem"]["code"] == "request"
        assert (
            "served as they were" in job["problem"]["message"]
            and "p7" not in json.dumps(job)
            and "ward 3" not in json.dumps(job)
        )
        (number,) = kept.ledger.incidents.numbers
        assert number in job["problem"]["message"]
        assert client.post(f"{HERE}/queries?wait=5", json=ASKED, headers=AMINA).json()["job"]["state"] == "done"
    assert kept.snapshots == before


def test_a_grant_that_ended_meanwhile_refreshes_nothing(keeper: Custodian) -> None:
    Grants(keeper.ledger).grant("stays", "board", "vera", ["custodian"], by="head")
    before = keeper.snapshots
    with served(keeper, supervisor=None) as client:
        job = client.post(f"{HERE}/refresh", json={}, headers=VERA).json()["job"]["id"]
        Grants(keeper.ledger).grant("stays", "board", "vera", ["analyst"], by="head")
        AtOnce(keeper).poke()
        told = client.get(f"/queries/{job}?wait=5", headers=VERA).json()["job"]
    assert told["problem"]["code"] == "forbidden" and keeper.snapshots == before
