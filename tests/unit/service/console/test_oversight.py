"""Oversight in the console: what auditors and custodians see and do there, and nobody else."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pets
from pets.common.percent import budget_percent
from pets.ledger.grants import Grants
from pets.ledger.publish.read_log import published
from pets.service.app import create_app
from pets.service.console.pages.analyst.history import OUTCOMES
from pets.session.custodian import Custodian
from tests.http_services import DP, QUERY, AtOnce, TestClient, by_name, custodian

pytestmark = pytest.mark.chance(0)  # noise is drawn, and none of it is looked at

CAROL, JO, BEN = ({"who": f"{name}"} for name in ("carol/board/custodian", "jo/board/auditor", "ben/sleep/analyst"))
ORIGIN = {"Origin": "http://testserver"}


def browse(keeper: Custodian) -> TestClient:
    app = create_app(keeper, auth=by_name, supervisor=AtOnce(keeper))
    return TestClient(app, raise_server_exceptions=False, follow_redirects=False)


def words(page: str) -> str:
    """What a page says, without its marks."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page.partition("<main")[2])).split())


def send(client: TestClient, path: str, page: str, who: dict[str, str], **fields: Any) -> Any:
    """A form of a page, sent with what the page was given."""
    found = re.search(r'name="csrf" value="(\w+)"', page)
    assert found is not None, page
    return client.post(path, data={"csrf": found[1]} | fields, headers=who | ORIGIN)


def ask(client: TestClient, who: str, epsilon: str = "0.1", **more: Any) -> Any:
    asked = {"queries": [QUERY | more], "protection": DP | {"epsilon": epsilon}}
    return client.post("/datasets/stays/queries?wait=5", json=asked, headers={"who": who})


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A dataset of which two projects asked, one of them more than there is."""
    keeper = custodian(tmp_path_factory.mktemp("busy"), epsilon=2.0)
    with browse(keeper) as client:
        assert ask(client, "ben/sleep/analyst").status_code == 200
        assert ask(client, "amina/asthma/analyst", "0.5", by=[]).status_code == 200
        assert ask(client, "amina/asthma/analyst", "100").json()["job"]["state"] == "failed"
        yield client


def test_budgets_and_who_asked_how_much(busy: TestClient) -> None:
    every = busy.get("/console/oversight", headers=JO).text
    assert 'href="/console/oversight/stays"' in every and "Answers paid for 2" in words(every)
    page = busy.get("/console/oversight/stays", headers=JO).text
    said = words(page)
    budget = busy.get("/datasets/stays/account", headers=JO).json()
    spent = next(one for one in budget["scopes"] if one["project"] == "")
    share = spent["spent"]["loss"] / spent["cap"]["loss"] * 100
    assert f'<rect class="used" width="{share:.2f}"' in page and 0 < share < 100
    assert f"{budget_percent(share / 100)} of the budget is used" in said
    assert "asthma amina 1 0 1 0 0" in said and "sleep ben 1 0 0 0 0" in said
    assert said.index("Refused for want of budget") < said.rindex("amina")
    assert "Refresh the tables" not in page, "an auditor refreshes nothing"
    assert "Refresh the tables" in busy.get("/console/oversight/stays", headers=CAROL).text


def test_each_request_of_every_project_is_listed_for_an_auditor(busy: TestClient) -> None:
    said = words(busy.get("/console/oversight/stays/history", headers=JO).text)
    assert "sleep ben" in said and "asthma amina" in said and "refused: over the budget" in said
    assert said.index("refused: over the budget") < said.rindex(OUTCOMES["committed"]), "the newest first"
    mine = words(busy.get("/console/oversight/stays/history?analyst=ben&last=1000", headers=JO).text)
    assert "sleep ben" in mine and "amina" not in mine
    assert busy.get("/console/oversight/stays/history?last=x", headers=JO).status_code == 400


def test_failures_are_numbers_and_for_custodians(busy: TestClient) -> None:
    assert "No request has failed" in busy.get("/console/oversight/stays/incidents", headers=CAROL).text
    assert busy.get("/console/oversight/stays/incidents", headers=JO).status_code == 403
    assert "/incidents" not in busy.get("/console/oversight/stays", headers=JO).text


@pytest.mark.parametrize("path", ["", "/stays", "/stays/history", "/stays/grants", "/stays/incidents"])
def test_whoever_only_asks_oversees_nothing(busy: TestClient, path: str) -> None:
    reply = busy.get(f"/console/oversight{path}", headers=BEN)
    assert reply.status_code == 403 and "amina" not in reply.text


def test_a_dataset_that_is_none_is_not_found(busy: TestClient) -> None:
    assert busy.get("/console/oversight/nothing", headers=JO).status_code == 404
    assert busy.get(f"/console/oversight/stays/refresh/{'0' * 32}", headers=CAROL).status_code == 404


def test_grants_are_given_and_ended_by_custodians_and_the_log_tells(tmp_path: Path) -> None:
    keeper = custodian(tmp_path)
    path, end = "/console/oversight/stays/grants", "/console/oversight/stays/grants/end"
    with browse(keeper) as client:
        opened = client.get(path, headers=CAROL).text
        assert "whoever can log in may ask" in words(opened)
        assert "<form" not in client.get(path, headers=JO).text.partition("<main")[2]
        ben = {"project": "sleep", "analyst": "ben", "role": ["analyst"]}
        refused = send(client, path, opened, CAROL, **ben)
        assert refused.status_code == 400 and "shut" not in refused.headers
        assert "yourself one first" in words(refused.text) and not Grants(keeper.ledger).any("stays")
        own = {"project": "board", "analyst": "carol", "role": ["custodian"]}
        assert send(client, path, opened, CAROL, **own).status_code == 303
        assert client.get("/datasets/stays/history", headers=BEN).status_code == 403
        assert send(client, path, opened, CAROL, **ben).status_code == 303
        granted = Grants(keeper.ledger).of("stays", "sleep", "ben")
        assert granted is not None and granted.roles == ("analyst",)
        page = client.get(path, headers=CAROL).text
        assert "End the grant of ben, project sleep" in page and "End the grant of carol" not in page
        assert send(client, path, page, CAROL, project="x", analyst="y").status_code == 400, "without a role"
        wrong = send(client, path, page, CAROL, project='"><b>', analyst="y", role=["king"])
        assert wrong.status_code == 400 and "&#34;&gt;&lt;b&gt;" in wrong.text and "<b>" not in wrong.text
        assert send(client, end, page, CAROL, project="sleep", analyst="ben").status_code == 303
        assert send(client, end, page, CAROL, project="sleep", analyst="ben").status_code == 404
        assert Grants(keeper.ledger).of("stays", "sleep", "ben") is None
        told = [entry.kind for entry in published(keeper.ledger).history.datasets["stays"].events]
        assert client.get(path, headers=JO).status_code == 403, f"an auditor without a grant ({told})"
        for who in (JO, BEN):
            assert send(client, path, page, who, **ben).status_code == 403


def test_a_refresh_is_asked_once_and_says_what_became_of_it(tmp_path: Path) -> None:
    keeper = custodian(tmp_path, policy=pets.Policy())
    with browse(keeper) as client:
        page = client.get("/console/oversight/stays", headers=CAROL).text
        found = re.search(r'name="key" value="(\w{32})"', page)
        assert found is not None
        sent = [
            send(client, "/console/oversight/stays/refresh", page, CAROL, key=found[1]).headers["location"]
            for _ in range(2)
        ]
        assert sent[0] == sent[1]
        said = words(client.get(sent[0], headers=CAROL).text)
        assert "Refresh of stays" in said
        assert client.get(sent[0], headers={"who": "dora/board/custodian"}).status_code == 404
        assert client.get(sent[0], headers=JO).status_code == 403
