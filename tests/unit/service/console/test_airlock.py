"""The airlock in the console: checkers see files, pre-flight and form, vote about what they saw, and nothing else."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pets
from pets.ledger.review.votes import REASONS, Decision
from pets.service.app import create_app
from pets.service.console.pages.airlock import WHY
from tests.http_services import AtOnce, TestClient, by_name, custodian

AMINA, MATE, JO, KIM, SAM = (
    {"who": one}
    for one in (
        *("amina/asthma/analyst+reviewer", "mate/asthma/reviewer", "jo/board/reviewer", "kim/board/reviewer"),
        "sam/board/analyst+auditor+custodian",
    )
)
PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==")
TABLE = b"region,n,<b>\nNorth,120,1\nSouth,4,2\n"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    keeper = custodian(tmp_path, policy=pets.Policy(output_logins=True))
    app = create_app(keeper, auth=by_name, supervisor=AtOnce(keeper))
    with TestClient(app, raise_server_exceptions=False, follow_redirects=False) as client:
        yield client


def submitted(client: TestClient) -> dict[str, Any]:
    files = {"t.csv": TABLE, "p.png": PIXEL}
    body = {"files": {name: base64.b64encode(data).decode() for name, data in files.items()}}
    said = {"context": "Stays <i>by</i> region, for the paper.", "controls": "Counts below 10 hidden, rest to 5."}
    return dict(client.post("/datasets/stays/airlock", json=body | said, headers=AMINA).json()["output"])


def send(client: TestClient, path: str, who: dict[str, str], **fields: str) -> Any:
    """With the sender's own mark, where the page is shown to them."""
    pages = [client.get(path, headers=one).text for one in (who, JO)]
    csrf = re.search(r'name="csrf" value="(\w+)"', "".join(pages))
    assert csrf is not None
    return client.post(path, data={"csrf": csrf[1]} | fields, headers=who | {"Origin": "http://testserver"})


def test_checkers_vote_on_a_page(client: TestClient) -> None:
    made = submitted(client)
    path = f"/console/airlock/{made['id']}"
    assert f'href="{path}"' in client.get("/console/airlock", headers=JO).text
    page = client.get(path, headers=JO)
    assert page.status_code == 200 and "South,4,2" in page.text and "holds 1 value(s) from 1 to 9" in page.text
    assert "&lt;b&gt;" in page.text and "<b>" not in page.text and "<i>by" not in page.text
    taken = client.get(f"{path}/files/1", headers=JO)
    assert taken.content == TABLE and taken.headers["content-disposition"] == "attachment"
    assert (
        taken.headers["content-type"] == "application/octet-stream"
        and "sandbox" in taken.headers["content-security-policy"]
    )
    for number in ("2", "-1", "x"):
        assert client.get(f"{path}/files/{number}", headers=JO).status_code == 404
    for who in (SAM, AMINA):
        assert client.get(path, headers=who).status_code in (403, 404)
        assert client.get(f"{path}/files/0", headers=who).status_code in (403, 404)
    digest = made["digest"]
    assert send(client, path, MATE, act="approve", digest=digest).status_code == 403
    stale = send(client, path, JO, act="approve", digest="0" * 64, note="<u>so</u>")
    assert stale.status_code == 409 and "not the output that waits" in stale.text and "&lt;u&gt;so" in stale.text
    assert send(client, path, JO, act="comment", words="look at South").headers["location"] == path
    sent = send(client, path, JO, act="return", digest=digest, note="South", **{"reason-return": "small-counts"})
    assert (sent.status_code, sent.headers["location"]) == (303, "/console/airlock")
    own, other = (client.get(path, headers=who).text for who in (JO, KIM))
    assert "return (small-counts); South" in own and "Your vote" not in own and "look at South" in own
    assert "small-counts); South" not in other and "look at South" not in other and "Your vote" in other
    assert send(client, path, KIM, act="reject", digest=digest, **{"reason-reject": "may-disclose"}).status_code == 303
    assert "Nothing waits" in client.get("/console/airlock", headers=JO).text
    assert client.get("/airlock", headers=AMINA).json()["outputs"][0]["state"] == "returned"


def test_a_rejected_output_has_a_page_without_its_files(client: TestClient) -> None:
    made = submitted(client)
    path = f"/console/airlock/{made['id']}"
    for who in (JO, KIM):
        given = {"digest": made["digest"], "reason-reject": "may-disclose"}
        assert send(client, path, who, act="reject", **given).status_code == 303
    page = client.get(path, headers=JO)
    assert page.status_code == 200 and "Take the whole file" not in page.text
    assert client.get(f"{path}/files/0", headers=JO).status_code == 404


def test_a_checker_sends_it_back_at_once(client: TestClient) -> None:
    made = submitted(client)
    path = f"/console/airlock/{made['id']}"
    seen = made["digest"]
    for digest, why, code in (("0" * 64, "unclear", 409), (seen, "perhaps", 400), (seen, "unclear", 303)):
        assert send(client, path, JO, act="send-back", digest=digest, **{"reason-return": why}).status_code == code
    assert client.get("/airlock", headers=AMINA).json()["outputs"][0]["state"] == "returned"


def test_every_reason_has_words() -> None:
    assert set(WHY) == {*REASONS[Decision.RETURN], *REASONS[Decision.REJECT]}
