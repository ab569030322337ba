"""Counters, and what is told of a request that nobody ended."""

from __future__ import annotations

import threading

import pytest

from pets.ledger.events import KINDS, Event, Listeners
from pets.service.telemetry.counters import Counters
from pets.service.telemetry.metrics import Gauges
from pets.service.telemetry.telemetry import Telemetry


def test_counts_are_of_one_dataset_and_of_none() -> None:
    listeners = Listeners()
    counters = Counters(listeners)

    def tell() -> None:
        for _ in range(200):
            listeners.tell(Event("committed", 0.0, "stays"))

    several = [threading.Thread(target=tell) for _ in range(4)]
    for one in several:
        one.start()
    listeners.tell(Event("committed", 0.0, "other"))
    listeners.tell(Event("worker-died", 0.0))
    for one in several:
        one.join()
    found = counters.of("stays")
    assert list(found) == list(KINDS) and found["committed"] == 800
    assert counters.of("other")["committed"] == 1
    assert counters.of("other")["worker-died"] == found["worker-died"] == 1 and found["denied"] == 0


def test_a_request_that_ends_otherwise_counts_as_a_fault() -> None:
    telemetry = Telemetry(Listeners(), ["stays"])
    telemetry.measure(["/datasets"], lambda: Gauges(True))
    with pytest.raises(KeyError), telemetry.request("GET", "/datasets", "stays"):
        raise KeyError("p7")
    assert telemetry.metrics is not None
    text = telemetry.metrics.text()
    assert 'pets_http_requests_total{code="internal",endpoint="/datasets",method="GET",status="500"} 1.0' in text
