"""The record for everybody, where its owner opens it; and each project's entry for a data use register."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import pets
from pets.ledger.grants import Grants
from pets.ledger.publish.page import page
from pets.ledger.publish.read_log import published
from pets.service.app import create_app
from pets.service.console.register import FRESH, Register
from pets.session.custodian import Custodian
from tests.http_services import DP, QUERY, AtOnce, TestClient, by_name, custodian

pytestmark = pytest.mark.chance(0)  # noise is drawn, and none of it is looked at

AUDITOR = {"who": "jo/board/auditor"}


@pytest.fixture
def keeper(tmp_path: Path) -> Custodian:
    return custodian(tmp_path)


def browser(keeper: Custodian, **options: object) -> TestClient:
    app = create_app(keeper, auth=by_name, supervisor=AtOnce(keeper), **options)  # type: ignore[arg-type]
    return TestClient(app, raise_server_exceptions=False, follow_redirects=False)


def ask(client: TestClient, project: str) -> None:
    asked = {"queries": [QUERY], "protection": DP}
    path = "/datasets/stays/queries?wait=5"
    assert client.post(path, json=asked, headers={"who": f"ben/{project}/analyst"}).status_code == 200


def test_the_record_is_for_auditors_until_it_is_opened(keeper: Custodian) -> None:
    with browser(keeper) as client:
        for who, status in (("", 401), ("ben/asthma/analyst", 403), ("jo/board/reviewer", 403), (AUDITOR["who"], 200)):
            assert client.get("/console/register", headers={"who": who}).status_code == status, who
        Grants(keeper.ledger).grant("stays", "board", "cleo", ["custodian"], by="owner")
        assert client.get("/console/register", headers=AUDITOR).status_code == 403
        assert client.get("/console/register", headers={"who": "cleo/board/custodian"}).status_code == 200
    with browser(keeper, public_register=True) as client:
        reply = client.get("/console/register", headers={"who": ""})
        assert reply.status_code == 200 and reply.text == page(published(keeper.ledger))
        login = client.get("/console/nowhere", headers={"who": ""}).text
        assert 'href="/console/register"' in login


def test_the_record_is_made_anew_once_a_minute_at_most(keeper: Custodian) -> None:
    """Nobody learns from it when an answer came, to a moment, or has it made all the time."""
    now = [0.0]
    register = Register(keeper.ledger, clock=lambda: now[0])
    first = register.page()
    with browser(keeper) as client:
        ask(client, "asthma")
    now[0] = FRESH - 1
    assert register.page() == first and b"asthma" not in first
    now[0] = FRESH
    assert b"asthma" in register.page()


@pytest.mark.parametrize(("decision", "told"), [("", "Waits"), ("approve", "Released"), ("refuse", "Kept back")])
def test_what_a_second_person_has_not_let_go_is_not_told_as_left(tmp_path: Path, decision: str, told: str) -> None:
    keeper = custodian(tmp_path, policy=pets.Policy(approval="after"))
    with browser(keeper, public_register=True) as client:
        asked = {"queries": [QUERY], "protection": DP}
        held = client.post("/datasets/stays/queries?wait=1", json=asked, headers={"who": "ben/sleep/analyst"}).json()
        if decision:
            reviewer = {"who": "jo/board/reviewer"}
            client.post(f"/reviews/{held['job']['id']}", json={"decision": decision}, headers=reviewer)
        found = client.get("/console/register", headers={"who": ""}).text
        assert f"</b> {told}<" in found
        assert ("One answer was released" in found or "1 answer was released" in found) == (told == "Released")


def test_each_project_has_its_entry_for_a_register_of_data_uses(keeper: Custodian) -> None:
    with browser(keeper) as client:
        ask(client, "asthma")
        listed = client.get("/console/uses", headers=AUDITOR).text
        assert 'href="/console/uses/entry?project=asthma"' in listed and "sleep" not in listed
        shown = client.get("/console/uses/entry?project=asthma", headers=AUDITOR).text
        assert "The number of records" in shown and "lay summary" in shown
        told = client.get("/console/uses/entry/json?project=asthma", headers=AUDITOR)
        assert json.loads(told.content)["project_in_the_ledger"] == "asthma"
        assert told.headers["content-disposition"] == "attachment; filename*=UTF-8''data-use-asthma.json"
        table = client.get("/console/uses/entry/csv?project=asthma", headers=AUDITOR)
        assert table.text.startswith("organisation_name,") and table.headers["content-type"].startswith("text/csv")
        for path, who, status in (
            ("/console/uses/entry?project=sleep", AUDITOR, 404),
            ("/console/uses/entry/xml?project=asthma", AUDITOR, 404),
            ("/console/uses/entry?project=asthma", {"who": "ben/asthma/analyst"}, 403),
            ("/console/uses/entry/json?project=asthma", {"who": "ben/asthma/analyst"}, 403),
        ):
            assert client.get(path, headers=who).status_code == status, path
