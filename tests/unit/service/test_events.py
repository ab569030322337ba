"""Events as lines of JSON: each holds ids and numbers, and no word of a question, an answer or an error."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from pets.ledger.ledger import Ledger
from pets.ledger.queue import Queue
from pets.service.events import json_logs, log_events
from tests.ledgers import account, ask, request
from tests.services import CANARY, asked, question


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    log = logging.getLogger("pets")
    before = log.level, log.propagate
    handler = json_logs(stream)
    yield stream
    log.removeHandler(handler)
    log.level, log.propagate = before


def read(lines: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in lines.getvalue().splitlines()]


def test_what_happens_to_requests_and_jobs_is_a_line_each(lines: io.StringIO) -> None:
    with Ledger(None) as ledger:
        asker, queue = account(ledger), Queue(ledger)
        log_events(ledger.listeners.on)
        queue.put("d", "p", "a", "release", asked(question(3, "b")), None)
        claimed = queue.claim("w")
        assert claimed is not None
        ask(asker, request(CANARY, query={"table": CANARY}, key=claimed.ledger_key))
        queue.failed(claimed, {"code": "query", "message": CANARY, "retry_after": None}, 0.0)
    told = read(lines)
    assert [line["kind"] for line in told] == ["job-waiting", "job-running", "started", "committed", "job-failed"]
    assert {line["level"] for line in told} == {"info"} and told[-1]["code"] == "query"
    names = {name for line in told for name in line}
    allowed = "at analyst code dataset delta job kind level logger loss project question request seconds shown worker"
    assert names <= set(allowed.split())
    assert CANARY not in lines.getvalue() and "ward" not in lines.getvalue()


def test_what_an_exception_says_is_not_written(lines: io.StringIO) -> None:
    try:
        raise ValueError(CANARY)
    except ValueError:
        logging.getLogger("pets.service").exception("the watchdog could not look")
    (line,) = read(lines)
    assert line["exception"] == "ValueError" and line["message"] == "the watchdog could not look"
    assert CANARY not in lines.getvalue()
