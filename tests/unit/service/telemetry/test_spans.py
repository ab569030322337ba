"""Spans as an SDK gets them: one a request, with closed attributes, whatever was sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pets.service.telemetry import spans
from tests.http_services import ASKED, custodian, served


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """A host's SDK (without its global switch, which is turned once in a process)."""
    kept, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    yield kept
    provider.shutdown()


def test_each_request_is_a_span_with_closed_attributes(tmp_path: Path, exported: InMemorySpanExporter) -> None:
    with served(custodian(tmp_path)) as client:
        client.post("/datasets/stays/queries?wait=5", json=ASKED)
        client.get("/datasets/secret/budget", headers={"who": "canary/canary/analyst"})
        client.get("/canary")
    told = [(one.name, dict(one.attributes or {})) for one in exported.get_finished_spans()]
    asked, strange, nowhere = told
    assert asked == (
        "POST /datasets/{dataset}/queries",
        {
            "http.request.method": "POST",
            "http.route": "/datasets/{dataset}/queries",
            "http.response.status_code": 200,
            "pets.dataset": "stays",
        },
    )
    assert strange == (
        "GET /datasets/{dataset}/budget",
        {
            "http.request.method": "GET",
            "http.route": "/datasets/{dataset}/budget",
            "http.response.status_code": 404,
            "pets.code": "not-found",
        },
    )
    assert nowhere[1]["http.route"] == "other"
    assert "canary" not in str(told) and "secret" not in str(told)
    assert all(not one.events for one in exported.get_finished_spans())


def test_a_fault_is_a_code_and_no_exception(
    tmp_path: Path, exported: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = custodian(tmp_path)

    def fails(*_: object) -> None:
        raise ValueError("patient p7")

    with served(keeper) as client:
        monkeypatch.setattr("pets.service.http.service.Service.datasets", fails)
        assert client.get("/datasets").status_code == 500
    (one,) = exported.get_finished_spans()
    assert dict(one.attributes or {})["pets.code"] == "internal" and not one.events
    assert one.status.description is None and "p7" not in one.to_json()


def test_without_the_library_nothing_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "_api", lambda: None)
    with spans.span("x") as mark:
        mark("a", 1)
    with pytest.raises(ValueError, match="its own"), spans.span("x"):
        raise ValueError("its own")
