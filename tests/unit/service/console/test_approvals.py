"""Approvals in the console: reviewers decide there, about nothing of their own, and see the protected answer alone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import pets
from pets.service.app import create_app
from pets.service.console.page import Visit
from tests.http_services import ASKED, DP, NETWORK, QUERY, AtOnce, TestClient, by_name, custodian

pytestmark = pytest.mark.chance(0)  # noise is drawn, and none of it is looked at

AMINA, JO, SAM = (
    {"who": one}
    for one in ("amina/asthma/analyst+reviewer", "jo/board/reviewer", "sam/board/analyst+auditor+custodian")
)
ORIGIN = {"Origin": "http://testserver"}


def send(client: TestClient, path: str, who: dict[str, str], **fields: str) -> Any:
    found = re.search(r'name="csrf" value="(\w+)"', client.get(path, headers=JO).text)
    assert found is not None
    return client.post(path, data={"csrf": found[1]} | fields, headers=who | ORIGIN)


@pytest.mark.parametrize("stage", ["before", "after"])
@pytest.mark.parametrize("decision", ["approve", "refuse"])
def test_a_reviewer_decides_on_a_page(tmp_path: Path, stage: str, decision: str) -> None:
    keeper = custodian(tmp_path, policy=pets.Policy(approval=stage))
    app = create_app(keeper, auth=by_name, supervisor=AtOnce(keeper))
    with TestClient(app, raise_server_exceptions=False, follow_redirects=False) as client:
        asked = client.post("/datasets/stays/queries?wait=1", json=ASKED, headers=AMINA).json()["job"]
        path = f"/console/reviews/{asked['id']}"
        assert f'href="{path}"' in client.get("/console/reviews", headers=JO).text
        page = client.get(path, headers=JO)
        assert page.status_code == 200 and "GROUP BY sex" in page.text
        assert ("Certificate checked" in page.text) == (stage == "after")
        assert client.get(path, headers=AMINA).status_code == 403, "one's own"
        assert (
            client.get(path, headers=SAM).status_code == client.get("/console/reviews", headers=SAM).status_code == 403
        )
        for who in (AMINA, SAM):
            assert send(client, path, who, decision=decision).status_code == 403
        wrong = send(client, path, JO, decision="perhaps", note="<b>so</b>")
        assert wrong.status_code == 400 and "&lt;b&gt;so" in wrong.text and "<b>so" not in wrong.text
        sent = send(client, path, JO, decision=decision, reason="may-disclose", note="one ward")
        assert (sent.status_code, sent.headers["location"]) == (303, "/console/reviews")
        assert "Nothing waits" in client.get("/console/reviews", headers=JO).text
        told = client.get(f"/queries/{asked['id']}?wait=1", headers=AMINA).json()["job"]
        assert told["state"] == ("done" if decision == "approve" else "failed")
        assert client.get(path, headers=JO).status_code == 404


@pytest.mark.parametrize("kind", ["group_keys", "top_keys", "rows_lost", "train"])
def test_no_part_of_an_answer_is_shown_that_the_ledger_did_not_sign(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    asked: dict[str, Any] = {
        "group_keys": {"table": "stays", "by": ["ward"], "protection": DP | {"epsilon": "5"}, "groups": 1},
        "top_keys": {"query": QUERY | {"agg": [["n", {"agg": "count_units"}]]}, "k": 1, "protection": DP},
        "rows_lost": {"table": "stays", "protection": DP},
        "train": {"network": NETWORK, "protection": DP},
    }
    part = {"group_keys": "keys", "top_keys": "top", "rows_lost": "rows_lost", "train": "trained"}[kind]
    keeper = custodian(tmp_path, policy=pets.Policy(approval="after"))
    app = create_app(keeper, auth=by_name, supervisor=AtOnce(keeper))
    with TestClient(app, raise_server_exceptions=False, follow_redirects=False) as client:
        sent = client.post("/datasets/stays/queries?wait=1", json={"kind": kind} | asked[kind], headers=AMINA).json()
        path = f"/console/reviews/{sent['job']['id']}"
        page = client.get(path, headers=JO)
        assert page.status_code == 200 and ("protected answer</h2>" in page.text or 'class="answer' in page.text)
        usual = Visit.ask

        def altered(self: Visit, method: str, address: str, **more: Any) -> Any:
            told = usual(self, method, address, **more)
            return told | {part: told[part] | {"analyst": "a stranger"}} if part in told else told

        monkeypatch.setattr(Visit, "ask", altered)
        page = client.get(path, headers=JO)
        assert page.status_code == 422 and "not shown" in page.text and "a stranger" not in page.text
