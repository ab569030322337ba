"""Metrics as Prometheus reads them: right counts, closed labels, and nothing that anybody sent or any row holds."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pets.errors import MissingExtraError
from pets.ledger.events import KINDS, OF_JOBS, OF_REQUESTS, OF_WORKERS, Event, Listeners
from pets.ledger.grants import Grants
from pets.ledger.queued.kinds import KINDS as QUESTIONS
from pets.service.http.app import ENDPOINTS
from pets.service.telemetry.metrics import METHODS, Gauges, Metrics
from pets.service.wire.problems import STATUS
from pets.session.custodian import Custodian
from tests.http_services import ASKED, DP, QUERY, TestClient, custodian, rows, served

ADA = {"who": "ada/audit/auditor"}
CANARY = "canary"
SECRET = {"who": f"{CANARY}-analyst/{CANARY}-project/analyst"}

Sample = tuple[str, dict[str, str], float]


@pytest.fixture
def keeper(tmp_path: Path) -> Custodian:
    data = rows()
    data["ward"] = [f"{CANARY}{n % 4}" for n in range(len(data))]
    return custodian(tmp_path, data)


@pytest.fixture
def client(keeper: Custodian) -> Iterator[TestClient]:
    with served(keeper, metrics=True) as made:
        yield made


def samples(client: TestClient) -> list[Sample]:
    reply = client.get("/metrics", headers=ADA)
    assert reply.status_code == 200 and reply.headers["content-type"].startswith("text/plain")
    return [
        (one.name, dict(one.labels), one.value)
        for family in text_string_to_metric_families(reply.text)
        for one in family.samples
    ]


def value(found: list[Sample], name: str, **labels: str) -> float:
    return sum(number for label, marks, number in found if label == name and labels.items() <= marks.items())


def test_requests_questions_and_the_account_are_counted(client: TestClient, keeper: Custodian) -> None:
    client.post("/datasets/stays/queries?wait=5", json=ASKED)
    client.post("/datasets/stays/queries?wait=5", json=ASKED)
    client.post("/datasets/stays/queries?wait=5", json=ASKED | {"protection": {"kind": "dp", "epsilon": 60}})
    client.get("/datasets/none/budget")
    client.get("/nowhere")
    found = samples(client)
    queries: dict[str, str] = {"endpoint": "/datasets/{dataset}/queries", "method": "POST"}
    assert value(found, "pets_http_requests_total", **queries, status="200", code="none") == 3
    assert value(found, "pets_http_requests_total", endpoint="/datasets/{dataset}/budget", code="not-found") == 1
    assert value(found, "pets_http_requests_total", endpoint="other", status="404") == 1
    assert value(found, "pets_http_request_seconds_count", **queries) == 3
    assert value(found, "pets_requests_total", dataset="stays", event="committed") == 1
    assert value(found, "pets_requests_total", dataset="stays", event="denied") == 1
    jobs = {"dataset": "stays", "question": "release"}
    assert value(found, "pets_jobs_total", **jobs, event="job-done", code="none") == 1
    assert value(found, "pets_jobs_total", **jobs, event="job-failed", code="budget") == 1
    assert (value(found, "pets_ledger_up"), value(found, "pets_jobs_waiting")) == (1, 0)
    share = 1 - keeper.remaining().share
    assert value(found, "pets_budget_spent_ratio", dataset="stays") == pytest.approx(share) and share > 0


def test_no_label_is_of_an_open_list_and_no_canary_is_anywhere(client: TestClient, keeper: Custodian) -> None:
    filtered = QUERY | {"where": {"op": "==", "left": {"col": "ward"}, "right": f"{CANARY}1"}}
    hostile = [
        ("POST", "/datasets/stays/queries?wait=5", ASKED),
        ("POST", "/datasets/stays/queries?wait=5", {"queries": [filtered], "protection": DP}),
        ("POST", f"/datasets/{CANARY}/queries", ASKED),
        ("POST", "/datasets/stays/queries", {CANARY: CANARY}),
        ("POST", "/datasets/stays/queries", {"kind": CANARY}),
        ("POST", "/datasets/stays/sql", {"sql": f"SELECT {CANARY} FROM stays"}),
        ("GET", f"/queries/{CANARY}", None),
        ("GET", f"/queries?after={CANARY}", None),
        ("GET", f"/{CANARY}", None),
        (CANARY.upper(), "/datasets", None),
        ("GET", f"/datasets/stays/budget?{CANARY}={CANARY}", None),
    ]
    for method, path, body in hostile:
        headers = SECRET | {"Idempotency-Key": f"{CANARY}-{path[-9:]}", "User-Agent": CANARY, "Pets-Project": CANARY}
        client.request(method, path, json=body, headers=headers)
        client.request(method, path, json=body, headers=headers | {"Pets-Project": f"{CANARY}-project"})
    keeper.ledger.listeners.tell(Event("committed", 0.0, CANARY, CANARY, CANARY))
    keeper.ledger.listeners.tell(Event("job-failed", 0.0, CANARY, question=CANARY, code=CANARY))
    closed: dict[str, set[str]] = {
        "endpoint": {one.path for one in ENDPOINTS} | {"/metrics", "other"},
        "method": {*METHODS, "other"},
        "status": {str(status) for status in STATUS.values()} | {"200", "202"},
        "code": {*STATUS, "none", "other"},
        "dataset": {"stays", "other"},
        "question": {*QUESTIONS, "other"},
        "event": {*KINDS, "other"},
    }
    reply = client.get("/metrics", headers=ADA)
    assert CANARY not in reply.text.lower()
    found = samples(client)
    assert value(found, "pets_http_requests_total", status="400") > 0, "the hostile ones were counted"
    for name, labels, _ in found:
        for label, content in labels.items():
            if label != "le":
                assert content in closed[label], (name, label)
    # (how long an answer took may depend on rows)
    assert {name for name, _, _ in found if "seconds" in name and not name.startswith("pets_http")} == set()


def test_only_auditors_and_custodians_of_every_dataset_may_read_them(keeper: Custodian, client: TestClient) -> None:
    for who, status in (("amina/asthma/analyst+reviewer", 403), ("vera/board/custodian", 200), ("", 401)):
        assert client.get("/metrics", headers={"who": who}).status_code == status
    Grants(keeper.ledger).grant("stays", "board", "vera", ["analyst"], by="head")
    assert client.get("/metrics", headers={"who": "vera/board/custodian"}).status_code == 403


def test_they_are_there_only_where_they_were_asked_for(keeper: Custodian) -> None:
    with served(keeper) as client:
        assert client.get("/metrics", headers=ADA).status_code == 404
        assert "/metrics" not in client.get("/openapi.json").json()["paths"]
    with served(keeper, metrics=True) as client:
        assert "/metrics" in client.get("/openapi.json").json()["paths"]


def test_a_ledger_that_is_down_is_a_gauge_and_no_fault(
    keeper: Custodian, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.get("/metrics", headers=ADA)
    metrics = Metrics(Listeners(), [], ["stays"], lambda: Gauges(False, False))
    text = metrics.text()
    assert "pets_ledger_up 0.0" in text and "pets_answering_up 0.0" in text and "pets_budget_spent_ratio{" not in text


def test_every_kind_of_event_is_counted_once() -> None:
    listeners = Listeners()
    metrics = Metrics(listeners, [], ["stays"], lambda: Gauges(True))
    for kind in KINDS:
        listeners.tell(Event(kind, 0.0, "stays", question="release"))
    found: dict[tuple[str, str], float] = {}
    for family in text_string_to_metric_families(metrics.text()):
        for one in family.samples:
            if one.name.endswith("_total"):
                found[one.name, one.labels["event"]] = one.value
    wanted: dict[tuple[str, str], Any] = {("pets_requests_total", kind): 1.0 for kind in OF_REQUESTS}
    wanted |= {("pets_jobs_total", kind): 1.0 for kind in OF_JOBS}
    wanted |= {("pets_workers_total", kind): 1.0 for kind in OF_WORKERS}
    assert found == wanted


def test_without_the_library_the_remedy_is_an_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(MissingExtraError, match=r"pets-privacy\[telemetry\]"):
        Metrics(Listeners(), [], [], lambda: Gauges(True))
