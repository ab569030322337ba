"""A whole service over rows of which ten thousand values are marked, and all that it says on any way."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import pets
from pets.ledger.queue import Queue
from pets.service.answering.grid import Grid
from pets.service.answering.work import Work
from pets.service.http.app import create_app
from pets.service.wire.problems import MEDIA_TYPE, STATUS
from pets.session.custodian import Custodian
from tests.asgi import Caller, Reply
from tests.hostile_requests import LIMITS, Maker, Request
from tests.http_services import SCHEMA, AtOnce, by_name

TEXT, NUMBER = b"qx7zcanary", b"72941830561"
"""How each planted text, and each planted number, begins."""
PEOPLE = 2_800

CLOSED = {"ledger", "ledger-down", "commit-unknown", "service-down"}
"""The codes with which a service may say 503."""


def planted() -> pd.DataFrame:
    """Four values of each row are marked: an id, a text, a number within its bounds, and one beyond them."""
    rows = range(PEOPLE)
    return pd.DataFrame(
        {
            "patient": [f"{TEXT.decode()}-id-{n}" for n in rows],
            "sex": ["F" if n % 3 else "M" if n % 2 else f"{TEXT.decode()}-sex-{n}" for n in rows],
            "ward": [f"{TEXT.decode()}-w{n}" for n in rows],
            "days": [n % 31 if n % 2 else int(NUMBER + b"%04d" % n) for n in rows],
            "cost": [int(NUMBER + b"%04d" % n) for n in rows],
        }
    )


class AllButTables(AtOnce):
    """Answers at once what is asked; a synthetic table, which takes a second, it takes and gives up."""

    answered: Counter[str]

    def poke(self) -> None:
        queue = Queue(self.keeper.ledger)
        answering = Work([self.keeper], queue, Grid(0.001, 0.001))
        while (job := queue.claim("test")) is not None:
            self.answered[job.kind] += 1
            if job.kind == "synthesise":
                queue.failed(job, {"code": "internal", "message": "not today", "retry_after": None}, 0.0)
            else:
                answering.answer(job)


class Whole:
    """A service, all that it says on any way, and what was wrong in it."""

    def __init__(self, keeper: Custodian) -> None:
        self.keeper, self.supervisor = keeper, AllButTables(keeper)
        self.supervisor.answered = Counter()
        app = create_app(keeper, auth=by_name, supervisor=self.supervisor, limits=LIMITS, metrics=True)
        self.page, self.caller = app.openapi(), Caller(app)
        self.seen: Counter[int] = Counter()
        self.events: list[str] = []
        keeper.on("*", lambda event: self.events.append(repr(event)))

    def ask(self, count: int, maker: Maker) -> None:
        for _ in range(count):
            sent = maker.make()
            reply = self.caller.send(sent.method, sent.path, list(sent.headers), sent.body)
            self.seen[reply.status] += 1
            body = self.look(sent, reply)
            maker.heard(body)

    def look(self, sent: Request, reply: Reply) -> Any:
        assert TEXT not in reply.all and NUMBER not in reply.all, (sent, reply)
        assert reply.header("pets-protocol") == "1" and reply.header("cache-control") == "no-store", (sent, reply)
        body = reply.json() if reply.body and "json" in reply.header("content-type") else None
        if reply.status >= 400 and sent.method != "HEAD":
            assert reply.header("content-type") == MEDIA_TYPE and STATUS[body["code"]] == reply.status, (sent, reply)
            assert reply.status != 503 or body["code"] in CLOSED, (sent, reply)
            assert b"Traceback" not in reply.body and len(body["detail"]) < 2000, (sent, reply)
        assert reply.status < 500 or reply.status == 503, (sent, reply)
        return body


def kept(folder: Path) -> Custodian:
    """Who keeps the marked rows, with a ledger in a file there."""
    table = SCHEMA["tables"]["stays"]
    columns = table["columns"] | {"cost": {"type": "integer", "min": 0, "max": 10**15}}
    schema = SCHEMA | {"tables": {"stays": table | {"columns": columns}}}
    budget = pets.Budget(
        epsilon=100_000, delta=5e-3, threshold_delta=1e-15
    )  # at most 100 lists of keys, with which no marked one leaves
    return pets.Custodian(schema, {"stays": planted()}, budget=budget, ledger=folder / "ledger.db", progress=False)


def unmarked(whole: Whole, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    lines = [record.getMessage() + repr(record.args) + repr(record.exc_info) for record in caplog.records]
    printed = capfd.readouterr()
    with whole.keeper.ledger.reading() as tx:
        log = [body.decode() + private.decode() for body, private, _ in tx.entries()]
    metrics = whole.caller.send("GET", "/metrics", [(b"who", b"vera/audit/auditor")])
    assert metrics.status == 200 and b"pets_" in metrics.body
    for told in (*lines, *whole.events, *log, metrics.body.decode(), printed.out, printed.err):
        assert TEXT.decode() not in told and NUMBER.decode() not in told, told
