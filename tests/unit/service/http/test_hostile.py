"""Whatever address or header is sent: a problem with a code; never a fault, and never a value of a row.

Bodies: ``tests/attacks/test_service_requests.py``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from pets.service.wire.problems import MEDIA_TYPE, STATUS
from tests.hostile_requests import LIMITS
from tests.http_services import ASKED, TestClient, custodian, rows, served

CANARY = "QX7-canary"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    data = rows().assign(ward=CANARY)
    with served(custodian(tmp_path_factory.mktemp("hostile"), data), supervisor=None, limits=LIMITS) as made:
        yield made


def check(reply: Any, sent: object) -> None:
    assert reply.status_code < 500, (sent, reply.text)
    assert reply.headers["pets-protocol"] == "1" and reply.headers["cache-control"] == "no-store"
    body = reply.json()
    if reply.status_code >= 400:
        assert reply.headers["content-type"] == MEDIA_TYPE and STATUS[body["code"]] == reply.status_code, sent
        assert "Traceback" not in reply.text and len(body["detail"]) < 2000
    if CANARY not in json.dumps(sent, default=repr):
        assert CANARY not in reply.text and CANARY not in str(reply.headers)


@pytest.mark.parametrize(
    "address",
    [
        *("/datasets/%00/schema", "/datasets/..%2f..%2fetc/schema", "/datasets/stays/log?from=-1", "/queries/' OR 1=1"),
        *(
            "/queries?limit=0",
            "/queries?limit=1e3",
            "/queries?after=%ff",
            "/queries?after=x",
            "/queries?limit=1&limit=2",
        ),
        *(
            "/queries/x?wait=nan",
            "/queries/x?wait=-1",
            "/queries/x?wait=31",
            "/log/proof",
            "/log/proof?seq=1&old=1&size=2",
        ),
        *(
            "/log/proof?seq=0&size=99999999999",
            "/log/proof?old=0&size=1",
            "/datasets/stays/history?last=0",
            "/%F0%9F%92",
        ),
        *("/datasets/stays/history?last=٣", "/datasets/stays/history?analyst=%0a", "/datasets/stays/budget?x=1", "//"),
    ],
)
def test_hostile_addresses_are_problems(client: TestClient, address: str) -> None:
    reply = client.get(address)
    check(reply, address)
    assert (
        reply.status_code in (400, 403, 404)
        or (address == "/queries?after=%ff" and reply.status_code == 200)
        or ("after=x" in address)
    )


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/json; charset=utf-16"}, 415),
        ({"content-type": ""}, 415),
        ({"content-encoding": "gzip"}, 415),
        ({"content-length": "99999999999999"}, 413),
        ({"pets-project": "other"}, 403),
        ({"who": ""}, 401),
    ],
)
def test_hostile_headers_are_problems(client: TestClient, headers: dict[str, str], status: int) -> None:
    sent = {"content-type": "application/json"} | headers
    reply = client.post("/datasets/stays/quote", content=json.dumps(ASKED).encode(), headers=sent)
    check(reply, headers)
    assert reply.status_code == status
