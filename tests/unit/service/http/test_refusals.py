"""Every code of the list through HTTP; what is refused is refused before anything is charged or waits."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import pets
from pets.errors import BudgetError, BusyError, PetsError
from pets.ledger.queue import Queue
from pets.service.http.app import create_app
from pets.service.http.limits import Limits, Waits
from pets.service.wire.problems import MEDIA_TYPE, STATUS, error_of, outward
from pets.session.custodian import Custodian
from tests.http_services import ASKED, DP, QUERY, AtOnce, TestClient, by_name, custodian, served
from tests.unit.service.wire.test_problems import made
from tests.unit.test_error_codes import every

LIMITS = Limits(max_queries=2, max_bytes=20_000, max_dummy_rows=100, max_waiting=2, per_minute=10_000)
POLICY = pets.Policy(max_numbers=5, max_conditions=3)


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Custodian:
    return custodian(tmp_path_factory.mktemp("refused"), epsilon=1.0, policy=POLICY)


@pytest.fixture(scope="module")
def client(keeper: Custodian) -> Iterator[TestClient]:
    with served(keeper, limits=LIMITS, supervisor=None) as made:
        yield made


def test_every_code_leaves_as_a_problem(keeper: Custodian) -> None:
    raised: list[PetsError] = []

    def refuses(_: Any) -> Any:
        raise raised[-1]

    with served(keeper, auth=refuses, limits=LIMITS) as client:
        for kind in every():
            raised.append(made(kind))
            told, reply = raised[-1], client.get("/datasets")
            assert reply.status_code == STATUS[kind.code] and reply.headers["content-type"] == MEDIA_TYPE
            assert reply.headers["pets-protocol"] == "1"
            said = outward(kind.code, str(told))
            assert reply.json()["code"] == kind.code and reply.json()["detail"] == said
            wait = None if told.retry_after is None else str(math.ceil(told.retry_after))  # of whole seconds
            assert reply.headers.get("retry-after") == wait
            assert (reply.headers.get("www-authenticate") is not None) == (kind.code == "unauthenticated")
            assert str(error_of(reply.json())) == said


def test_what_nobody_foresaw_says_a_number_and_nothing_else(
    keeper: Custodian, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: Any) -> Any:
        raise ZeroDivisionError("p17 is 93 years old")

    with served(keeper, auth=broken) as client:
        reply = client.get("/datasets")
    assert reply.status_code == 500 and reply.json()["code"] == "internal" and "p17" not in reply.text
    number = reply.json()["detail"].rpartition("incident ")[2].rstrip(")")
    remedy = f"pets ledger incident {number} --ledger {keeper.ledger.label}"
    assert len(number) == 12 and f"incident {number} ({remedy})" in caplog.text  # whoever runs the service finds it
    assert "p17" not in caplog.text and "p17 is 93" in keeper.ledger.incidents.read(number)


def test_no_place_of_the_service_is_told(tmp_path: Path) -> None:
    keeper = custodian(tmp_path)
    queue = Queue(keeper.ledger)
    with served(keeper, supervisor=None) as client:
        number = client.post("/datasets/stays/queries", json=ASKED).json()["job"]["id"]
        job = queue.claim("test")
        assert job is not None
        for_us = {"code": "data", "message": f"{tmp_path}/snapshots is gone", "retry_after": None}
        queue.failed(job, for_us, 0.0)
        told = client.get(f"/queries/{number}").json()["job"]["problem"]
        assert told == for_us | {"message": outward("data", "")} and str(tmp_path) not in str(told)
        keeper.ledger.close()
        (tmp_path / "ledger.db").unlink()
        (tmp_path / "ledger.db").mkdir()
        reply = client.get("/datasets/stays/budget")
    assert reply.status_code == 503 and str(tmp_path) not in reply.text, reply.text


def test_what_is_no_id_is_never_looked_up(client: TestClient) -> None:
    who = {"who": "rita/review/reviewer"}
    for number in ("%00", "x", "A" * 32, "0" * 31, "0" * 33, "é" * 32):
        replies = [client.request(method, f"/queries/{number}") for method in ("GET", "DELETE")]
        replies += [client.get(f"/queries/{number}/certificate"), client.get(f"/queries?after={number}")]
        replies += [client.get(f"/reviews/{number}", headers=who)]
        replies += [client.post(f"/reviews/{number}", headers=who, json={"decision": "approve"})]
        assert {(one.status_code, one.json()["code"]) for one in replies} == {(404, "not-found")}, number
        assert all("is no id of a job" in one.json()["detail"] for one in replies)
    note = {"decision": "approve", "note": "a\x00"}
    refused = client.post(f"/reviews/{'0' * 32}", headers=who, json=note)
    assert refused.status_code == 400 and "NUL" in refused.json()["detail"]


QUESTION = pets.query("stays").group_by("sex")
MANY = QUESTION.agg(**{f"n{i}": pets.count() for i in range(9)}, s=pets.count_units(), m=pets.mean("days"))
CONDITIONS = QUESTION.agg(n=pets.count()).where(
    (pets.col("days") > 1) & (pets.col("days") > 2) & (pets.col("days") > 3) & (pets.col("days") > 4)
)
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("queries", {}, "request"),
    ("queries", {"queries": [QUERY]}, "request"),
    ("queries", ASKED | {"quries": []}, "request"),
    ("queries", ASKED | {"kind": "releas"}, "request"),
    ("queries", ASKED | {"kind": "dummy"}, "request"),
    ("queries", ASKED | {"kind": ["release"]}, "request"),
    ("queries", ASKED | {"again": 1}, "request"),
    ("queries", ASKED | {"queries": []}, "request"),
    ("queries", ASKED | {"queries": [QUERY | {"table": "stay"}]}, "schema"),
    ("queries", ASKED | {"queries": [QUERY | {"by": ["sexx"]}]}, "query"),
    ("queries", ASKED | {"protection": {"kind": "dp"}}, "budget"),
    ("queries", ASKED | {"protection": {"kind": "dp", "epsilon": "1e99"}}, "budget"),
    ("queries", ASKED | {"protection": {"kind": "exact"}}, "policy"),
    ("queries", ASKED | {"protection": {"kind": "total"}}, "policy"),
    ("queries", ASKED | {"queries": [MANY.to_json()]}, "policy"),
    ("queries", ASKED | {"queries": [CONDITIONS.to_json()]}, "policy"),
    ("queries", ASKED | {"queries": [QUERY] * 3}, "policy"),
    ("quote", ASKED | {"queries": [QUERY] * 3}, "policy"),
    ("queries?wait=99", ASKED, "request"),
    ("queries?wait=soon", ASKED, "request"),
    ("queries?weight=1", ASKED, "request"),
    ("queries", {"kind": "group_keys", "table": "stays", "by": ["ward"], "protection": {"kind": "exact"}}, "budget"),
    ("queries", {"kind": "top_keys", "query": QUERY, "k": 99, "protection": DP}, "query"),
    ("queries", {"kind": "rows_lost", "table": "none", "protection": DP}, "schema"),
    ("queries", {"kind": "rows_lost", "table": "stays", "protection": DP, "again": "no"}, "request"),
    ("queries", {"kind": "synthesise", "rows": 9, "settings": {"method": "gan"}}, "request"),
    *(
        ("queries", {"kind": "synthesise", "rows": 9, "settings": {"epsilon": "1"} | wrong}, "request")
        for wrong in ({"rows": 10}, {"self": 1}, {"progress": True}, {"again": "no"}, {"colums": ["sex"]}, {"seed": -1})
    ),
    ("queries", {"kind": "synthesise", "rows": 9, "settings": {}}, "budget"),
    ("queries", {"kind": "synthesise", "rows": "many", "settings": {"epsilon": "1"}}, "request"),
    ("dummy", {"queries": [QUERY], "protection": {"kind": "exact"}, "rows": 101}, "request"),
    ("dummy", {"queries": [QUERY], "protection": {"kind": "exact"}, "seed": -1}, "request"),
    ("dummy", {"queries": [], "protection": {"kind": "exact"}}, "request"),
    ("explain", {"query": QUERY, "protection": {"kind": "exact"}}, "budget"),
    ("explain", {"protection": DP}, "request"),
    ("sql", {"sql": "SELECT * FROM stays"}, "sql"),
    ("sql", {"sql": 3}, "query"),
    ("sql", {"sql": "SELECT 1", "schema": {}}, "request"),
    *((f"queries?wait={wait}", ASKED, "request") for wait in ("1_0", "%201", "٣", "1e400")),
]


@pytest.mark.parametrize(("path", "body", "code"), REFUSED, ids=range(len(REFUSED)))
def test_it_is_refused_before_a_charge(
    client: TestClient, keeper: Custodian, path: str, body: dict[str, Any], code: str
) -> None:
    with keeper.ledger.reading() as tx:
        size = tx.head.size
    reply = client.post(f"/datasets/stays/{path}", json=body)
    assert (reply.status_code, reply.json().get("code")) == (STATUS[code], code), reply.text
    with keeper.ledger.reading() as tx:
        assert tx.head.size == size
    assert Queue(keeper.ledger).waiting() == 0


def test_a_sentence_is_the_librarys_own(client: TestClient, keeper: Custodian) -> None:
    session = keeper.session(analyst="amina", project="asthma")
    wrong = QUERY | {"by": ["sexx"]}
    with pytest.raises(pets.UserError) as caught:
        session.release(pets.Query.from_json(wrong), pets.DP(epsilon=0.1))
    reply = client.post("/datasets/stays/queries", json=ASKED | {"queries": [wrong]})
    assert reply.json()["detail"] == str(caught.value)


def test_sizes_and_numbers_of_waiting_jobs_are_limited(client: TestClient, keeper: Custodian) -> None:
    large = client.post("/datasets/stays/queries", json=ASKED | {"x": "x" * 20_000})
    assert large.status_code == 413 and large.json()["code"] == "too-large"
    jobs = []
    for rho in (1, 2):
        asked = ASKED | {"protection": {"kind": "dp", "rho": f"0.0{rho}"}}
        jobs.append(client.post("/datasets/stays/queries", json=asked).json()["job"]["id"])
    full = client.post("/datasets/stays/queries", json=ASKED | {"protection": {"kind": "dp", "rho": "0.03"}})
    assert full.status_code == 429 and full.json()["code"] == "busy" and float(full.headers["retry-after"]) > 0
    # another project has a queue of its own
    other = {"who": "li/sleep/analyst"}
    reply = client.post("/datasets/stays/queries", json=ASKED, headers=other)
    assert reply.status_code == 202
    client.delete(f"/queries/{reply.json()['job']['id']}", headers=other)
    for job in jobs:
        client.delete(f"/queries/{job}")


def test_questions_on_invented_rows_have_a_number_of_their_own(keeper: Custodian) -> None:
    dummy = {"queries": [QUERY], "protection": {"kind": "exact"}, "rows": 10}
    with served(keeper, limits=Limits(max_dummies=2), supervisor=None) as client:
        path, found = "/datasets/stays/dummy", []
        for seed in range(3):
            found.append(client.post(path, json=dummy | {"seed": seed}))
        assert [one.status_code for one in found] == [202, 202, 429]
        assert found[2].json()["code"] == "busy" and "on invented rows" in found[2].json()["detail"]
        mine = [one.json()["job"]["id"] for one in found[:2]]
        # others have theirs, and real questions are none of them
        li = {"who": "li/sleep/analyst"}
        theirs = client.post(path, json=dummy, headers=li)
        asked = client.post("/datasets/stays/queries", json=ASKED | {"protection": {"kind": "dp", "rho": "0.04"}})
        assert theirs.status_code == asked.status_code == 202
        client.delete(f"/queries/{mine[0]}")
        assert client.post(path, json=dummy | {"seed": 9}).status_code == 202
        for job in client.get("/queries").json()["jobs"]:
            client.delete(f"/queries/{job['id']}")
        client.delete(f"/queries/{theirs.json()['job']['id']}", headers=li)


def test_so_many_requests_of_one_analyst_wait_and_no_more(keeper: Custodian) -> None:
    """What is refused was not put; one that ended, however it did, waits no more."""
    waits = Waits(2, most=3)
    with waits.one("a"), waits.one("a"):
        with pytest.raises(BusyError, match="2 requests wait"), waits.one("a"):
            pass
        with waits.one("b"), pytest.raises(BusyError, match="many requests wait"), waits.one("c"):
            pass
    with pytest.raises(ZeroDivisionError), waits.one("a"):
        raise ZeroDivisionError
    assert not waits._of
    with served(keeper, limits=Limits(max_waits=1), supervisor=None) as client:
        used: list[Waits] = []
        asked = ASKED | {"protection": {"kind": "dp", "rho": "0.041"}}
        before = client.get("/queries").json()["jobs"]
        with pytest.MonkeyPatch.context() as patch:
            one = Waits.one
            patch.setattr(Waits, "one", lambda self, who: used.append(self) or one(self, who))
            first = client.post("/datasets/stays/queries?wait=0.01", json=asked)
        (waits,) = used
        assert first.status_code == 202 and not waits._of, "it waited, and does no more"
        with waits.one(("asthma", "amina")):
            for method, path in (("POST", "/datasets/stays/queries"), ("GET", f"/queries/{first.json()['job']['id']}")):
                full = client.request(method, f"{path}?wait=1", json=asked | {"again": True})
                assert full.status_code == 429 and full.json()["code"] == "busy" and "retry-after" in full.headers
                assert client.request(method, path, json=asked).status_code == 202, "without wait= it may"
            other = client.post("/datasets/stays/queries?wait=0.01", json=asked, headers={"who": "li/asthma/analyst"})
            assert other.status_code == 202, "another analyst's wait is their own"
        jobs = client.get("/queries").json()["jobs"]
        assert len(jobs) == len(before) + 2
        for job in jobs:
            client.delete(f"/queries/{job['id']}")
        client.delete(f"/queries/{other.json()['job']['id']}", headers={"who": "li/asthma/analyst"})


@pytest.mark.usefixtures("no_minute_passes")
def test_a_rate_is_one_callers_alone(keeper: Custodian) -> None:
    with served(keeper, limits=Limits(per_minute=3)) as client:
        codes = [client.get("/datasets").status_code for _ in range(4)]
        assert codes == [200, 200, 200, 429]
        assert client.get("/datasets", headers={"who": "li/sleep/analyst"}).status_code == 200
        # whoever floods what is open to all takes it from nobody with a login, and hides no process from its keeper
        nobody, mo = {"who": ""}, {"who": "mo/sleep/analyst"}
        flood = [client.get("/log/checkpoint", headers=nobody).status_code for _ in range(4)]
        assert flood == [200, 200, 200, 429]
        assert client.get("/version", headers=nobody).status_code == 200
        assert client.get("/log/checkpoint", headers=mo).status_code == 200
        assert {client.get("/key", headers=nobody).status_code for _ in range(8)} == {200}
        assert {client.get(path).status_code for path in ("/healthz", "/readyz") * 4} == {200}


def test_it_is_not_ready_where_nothing_could_be_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass
    class Answers(AtOnce):
        able: bool = True

    keeper = custodian(tmp_path)
    answers = Answers(keeper)
    with served(keeper, supervisor=answers) as client:
        assert client.get("/readyz").status_code == 200  # (none was started yet)
        answers.able = False
        reply = client.get("/readyz")
        assert reply.status_code == 429 and str(tmp_path) not in reply.text
        answers.able = True  # another one was started since
        assert client.get("/readyz").status_code == 200
        monkeypatch.setattr(keeper.ledger, "_clock", lambda: time.time() - 10_000)
        assert client.get("/readyz").json()["code"] == "ledger-down"


def test_whoever_hangs_up_is_no_incident(keeper: Custodian, caplog: pytest.LogCaptureFixture) -> None:
    app, sent = create_app(keeper, auth=by_name), []

    async def receive() -> dict[str, str]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/datasets/stays/quote", "headers": headers}
    scope |= {"query_string": b"", "http_version": "1.1", "raw_path": b"", "root_path": "", "scheme": "http"}
    asyncio.run(app(scope, receive, send))
    assert sent[0]["status"] == 400 and "incident" not in caplog.text


def test_over_the_budget_the_job_says_so_in_the_librarys_words(keeper: Custodian) -> None:
    asked = ASKED | {"protection": {"kind": "dp", "epsilon": 900}}
    with served(keeper) as client:
        reply = client.post("/datasets/stays/queries?wait=5", json=asked)
    assert reply.status_code == 200 and reply.json()["job"]["state"] == "failed"
    problem = reply.json()["job"]["problem"]
    session = keeper.session(analyst="amina", project="asthma")
    with pytest.raises(BudgetError) as caught:
        session.release(pets.Query.from_json(QUERY), pets.DP(epsilon=900))
    assert problem["code"] == "budget" and type(error_of(problem)) is BudgetError
    assert problem["message"] == str(caught.value) and keeper.remaining().spent.loss == 0


def test_only_an_analyst_asks_and_only_an_auditor_reads_all(keeper: Custodian) -> None:
    with served(keeper) as client:
        vera = {"who": "vera/audit/auditor"}
        assert client.post("/datasets/stays/queries", json=ASKED, headers=vera).json()["code"] == "forbidden"
        assert client.post("/datasets/stays/dummy", json=ASKED, headers=vera).json()["code"] == "forbidden"
        assert client.get("/datasets/stays/log").json()["code"] == "forbidden"
        assert client.get("/datasets/stays/history?all=true").json()["code"] == "forbidden"
        assert client.get("/datasets/stays/history?all=true", headers=vera).status_code == 200
        assert client.get("/datasets/stays/history?all=TRUE", headers=vera).json()["code"] == "request"
    with served(keeper, public_log=True) as client:
        assert client.get("/datasets/stays/log").status_code == 200


def test_without_a_login_nothing_is_shown(keeper: Custodian) -> None:
    opened = {"/healthz", "/readyz", "/version", "/login", "/key", "/log/checkpoint", "/log/proof"}
    from pets.service.http.app import ENDPOINTS

    with served(keeper, auth=by_name) as client:
        for one in ENDPOINTS:
            path = one.path.replace("{dataset}", "stays").replace("{job}", "x")
            reply = client.request(one.method, path, headers={"who": ""})
            assert (reply.status_code == 401) == (one.path not in opened), one.path
