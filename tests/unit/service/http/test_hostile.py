"""Whatever is sent: an answer, a job or a problem with a code; never a fault, and never a value of a row."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from pets.service.http.limits import Limits
from pets.service.wire.problems import MEDIA_TYPE, STATUS
from tests.http_services import ASKED, DP, QUERY, TestClient, custodian, rows, served

CANARY = "QX7-canary"
LIMITS = Limits(per_minute=10_000_000, max_waiting=10_000_000)
GOOD: dict[str, dict[str, Any]] = {
    "quote": ASKED,
    "explain": {"query": QUERY, "protection": DP},
    "sql": {"sql": "SELECT sex, COUNT(*) AS n FROM stays GROUP BY sex"},
    "dummy": {"queries": [QUERY], "protection": {"kind": "exact"}, "rows": 10, "seed": 1},
    "queries": ASKED | {"kind": "release", "again": False},
    "queries?": {
        "kind": "group_keys",
        "table": "stays",
        "by": ["ward"],
        "protection": DP,
        "groups": 2,
        "delta": "1e-8",
    },
    "queries??": {"kind": "top_keys", "query": QUERY, "k": 1, "protection": DP},
    "queries???": {"kind": "rows_lost", "table": "stays", "protection": DP, "by": ["sex"]},
    "queries????": {"kind": "synthesise", "rows": 10, "settings": {"columns": ["sex", "days"], "epsilon": "1"}},
}
JUNK: list[Any] = [
    *(
        None,
        True,
        False,
        0,
        -1,
        1.5,
        10**30,
        -(10**150),
        1e300,
        "",
        "x",
        "0.1",
        "1e9999",
        "NaN",
        "a\x00b",
        "\u202e",
        "é" * 99,
    ),
    *(
        [],
        [[]],
        {},
        {"kind": "dp"},
        {"": None},
        {"agg": "count"},
        [None] * 50,
        "'; DROP TABLE pets_log; --",
        "../../etc",
    ),
    *("<script>alert(1)</script>", CANARY, "stays", "sex", ["sex"], {"table": "stays"}, "SELECT", {"epsilon": {}}),
]
TOKENS = [b"{", b"}", b"[", b"]", b",", b":", b'"', b"NaN", b"1e999", b'"\\ud800"', b"\xff", b"\x00", b"null", b" "]


def places(form: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    parts = form.items() if isinstance(form, dict) else enumerate(form) if isinstance(form, list) else ()
    for name, part in parts:
        yield from places(part, (*at, name))


def mutated(form: Any, draw: random.Random) -> Any:
    """One or two parts replaced, left out, repeated, or wrapped."""
    form = copy.deepcopy(form)
    for _ in range(draw.choice((1, 1, 2))):
        at = draw.choice(list(places(form)))
        if not at:
            return copy.deepcopy(draw.choice(JUNK)) if draw.random() < 0.2 else form
        owner = form
        for step in at[:-1]:
            owner = owner[step]
        match draw.randrange(5):
            case 0 if isinstance(owner, dict):
                del owner[at[-1]]
            case 1 if isinstance(owner, dict):
                owner[str(draw.choice(JUNK))] = copy.deepcopy(owner[at[-1]])
            case 2:
                owner[at[-1]] = [copy.deepcopy(owner[at[-1]]) for _ in range(draw.choice((1, 2, 30)))]
            case 3:
                owner[at[-1]] = {"agg": owner[at[-1]], "kind": copy.deepcopy(draw.choice(JUNK))}
            case _:
                owner[at[-1]] = copy.deepcopy(draw.choice(JUNK))
    return form


def corrupted(body: bytes, draw: random.Random) -> bytes:
    """The text of a body, cut or with something in it."""
    at = draw.randrange(len(body) + 1)
    return draw.choice((body[:at], body[:at] + draw.choice(TOKENS) + body[at:], body[at:], draw.choice(TOKENS) * 200))


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


def bodies(client: TestClient, count: int, seed: int) -> None:
    draw = random.Random(seed)
    seen: dict[int, int] = {}
    for number in range(count):
        name, form = list(GOOD.items())[number % len(GOOD)]
        sent = json.dumps(mutated(form, draw)).encode()
        sent = corrupted(sent, draw) if draw.random() < 0.2 else sent
        path = f"/datasets/stays/{name.rstrip('?')}"
        headers = {"content-type": "application/json"}
        if draw.random() < 0.1:
            headers["idempotency-key"] = draw.choice(["k", " ", "k" * 200, "a\tb"])
        reply = client.post(path, content=sent, headers=headers)
        check(reply, sent)
        seen[reply.status_code] = seen.get(reply.status_code, 0) + 1
    # the bodies are near enough to good ones that some are, and far enough that most are not
    assert seen.get(200, 0) and seen.get(202, 0) and seen.get(422, 0) > count / 10 and seen.get(400, 0) > count / 10


def test_hostile_bodies_are_answered_or_refused(client: TestClient) -> None:
    bodies(client, 270, seed=1)


@pytest.mark.soak
def test_3000_hostile_bodies_on_every_endpoint(client: TestClient) -> None:
    bodies(client, 3000 * len(GOOD), seed=2)


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
