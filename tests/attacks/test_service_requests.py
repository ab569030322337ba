"""Requests of every kind to a whole service over rows that are marked: never a fault, and never a mark.

10,000 values of the rows, texts and numbers, are such as appear nowhere else: no reply, header, line of a log, event,
nor what is printed holds one. And what a request takes grows with its bytes, and no faster.
"""

from __future__ import annotations

import gc
import json
import logging
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import pets
from pets.ledger.queue import Queue
from pets.service.answering import work
from pets.service.answering.grid import Grid
from pets.service.answering.work import Work
from pets.service.http import endpoint, questions
from pets.service.http.app import create_app
from pets.service.wire import problems, strict_json
from pets.service.wire.problems import MEDIA_TYPE, STATUS
from pets.session.custodian import Custodian
from tests.asgi import Caller, Reply, in_this_thread
from tests.hostile_requests import GOOD, LIMITS, Maker, Request
from tests.http_services import DP, QUERY, SCHEMA, AtOnce, by_name

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


def test_ten_thousand_values_are_marked() -> None:
    marked = planted().astype(str).map(lambda value: TEXT.decode() in value or NUMBER.decode() in value)
    assert marked.to_numpy().sum() >= 10_000 and marked["cost"].all() and marked["patient"].all()


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
        app = create_app(keeper, auth=by_name, supervisor=self.supervisor, limits=LIMITS)
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
        body = reply.json() if reply.body else None
        if reply.status >= 400 and sent.method != "HEAD":
            assert reply.header("content-type") == MEDIA_TYPE and STATUS[body["code"]] == reply.status, (sent, reply)
            assert reply.status != 503 or body["code"] in CLOSED, (sent, reply)
            assert b"Traceback" not in reply.body and len(body["detail"]) < 2000, (sent, reply)
        assert reply.status < 500 or reply.status == 503, (sent, reply)
        return body


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Custodian:
    folder: Path = tmp_path_factory.mktemp("planted")
    table = SCHEMA["tables"]["stays"]
    columns = table["columns"] | {"cost": {"type": "integer", "min": 0, "max": 10**15}}
    schema = SCHEMA | {"tables": {"stays": table | {"columns": columns}}}
    budget = pets.Budget(epsilon=100_000, delta=5e-3, threshold_delta=4e-3)
    return pets.Custodian(schema, {"stays": planted()}, budget=budget, ledger=folder / "ledger.db", progress=False)


@pytest.fixture
def whole(keeper: Custodian, monkeypatch: pytest.MonkeyPatch) -> Iterator[Whole]:
    in_this_thread(monkeypatch)
    made = Whole(keeper)
    yield made
    made.caller.close()


def unmarked(whole: Whole, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    lines = [record.getMessage() + repr(record.args) + repr(record.exc_info) for record in caplog.records]
    printed = capfd.readouterr()
    with whole.keeper.ledger.reading() as tx:
        log = [body.decode() + private.decode() for body, private, _ in tx.entries()]
    for told in (*lines, *whole.events, *log, printed.out, printed.err):
        assert TEXT.decode() not in told and NUMBER.decode() not in told, told


def requests(whole: Whole, count: int, seed: int) -> None:
    """So many; they are near enough to good ones that some are, and far enough that most are not."""
    maker = Maker(whole.page, seed, good=0.35)
    assert len(maker.addresses) >= 23
    whole.ask(count, maker)
    seen, answered = whole.seen, whole.supervisor.answered
    assert min(seen[status] for status in (200, 400, 401, 403, 404, 405, 415, 422)) > count // 1000, seen
    assert {"release", "dummy", "rows_lost"} <= set(answered) and len(whole.events) > count // 20, answered


def test_300_requests_show_no_row(
    whole: Whole, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG, logger="pets"):
        requests(whole, 300, seed=1)
    unmarked(whole, caplog, capfd)


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.chance(0)  # nothing asks about the column of marked numbers: noise has fewer digits than they begin with
def test_100_000_requests_show_no_row(
    whole: Whole, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    for seed in range(2, 102):
        with caplog.at_level(logging.DEBUG, logger="pets"):
            requests(whole, 1000, seed)
        unmarked(whole, caplog, capfd)
        caplog.clear()
        whole.events.clear()


# planted --------------------------------------------------------------------------------------------------------------

Patch = pytest.MonkeyPatch
LEAK = TEXT.decode() + "-w7"


def a_sentence(patch: Patch) -> None:
    patch.setattr(problems, "outward", lambda _, sentence: f"{sentence} ({LEAK})")


def a_header(patch: Patch) -> None:
    patch.setitem(endpoint.HEADERS, "X-Nearest", NUMBER.decode() + "0007")


def a_log_line(patch: Patch) -> None:
    told = work._requests

    def logged(found: Any) -> Any:
        logging.getLogger("pets.service").debug("%s", [LEAK])
        return told(found)

    patch.setattr(work, "_requests", logged)


def an_event(patch: Patch) -> None:
    told = Queue._tell
    patch.setattr(Queue, "_tell", lambda self, kind, job, code=None: told(self, kind, job, LEAK))


def a_print(patch: Patch) -> None:
    told = work._cells
    patch.setattr(work, "_cells", lambda *given: (print(LEAK), told(*given))[1])


def a_fault(patch: Patch) -> None:
    """Of one kind of question in six."""
    patch.setitem(questions._CHECKS, "rows_lost", lambda *_, **__: {}["no such"])


@pytest.mark.parametrize("plant", [a_sentence, a_header, a_log_line, an_event, a_print, a_fault])
def test_a_planted_leak_or_fault_is_found(
    whole: Whole,
    plant: Callable[[Patch], None],
    monkeypatch: Patch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError), caplog.at_level(logging.DEBUG, logger="pets"):
        for name, asked in (("quote", "?x=1"), ("queries", ""), ("queries???", "")):
            headers = ((b"content-type", b"application/json"), (b"who", b"amina/asthma/analyst"))
            body = text(GOOD[name] | {"protection": {"kind": "dp", "epsilon": f"0.{len(plant.__name__)}1"}})
            sent = Request("POST", f"/datasets/stays/{name.rstrip('?')}{asked}", headers, body)
            whole.look(sent, whole.caller.send(sent.method, sent.path, list(sent.headers), sent.body))
        unmarked(whole, caplog, capfd)


# what a request takes -------------------------------------------------------------------------------------------------


def text(form: Any) -> bytes:
    return json.dumps(form).encode()


def quoted(**changed: Any) -> bytes:
    return text({"queries": [QUERY | changed], "protection": DP})


SHAPES: dict[str, tuple[str, Callable[[int], bytes]]] = {
    "brackets": ("quote", lambda n: b"[" * n),
    "braces": ("quote", lambda n: b'{"a":' * (n // 5)),
    "commas": ("quote", lambda n: b"[" + b"," * n),
    "zeros": ("quote", lambda n: b'{"queries": [' + b"0," * (n // 2) + b"0]}"),
    "names": ("quote", lambda n: b"{" + b",".join(b'"%d":0' % i for i in range(n // 8)) + b"}"),
    "one name": ("quote", lambda n: b"{" + b",".join([b'"a":0'] * (n // 6)) + b"}"),
    "a long text": ("quote", lambda n: quoted(table="x" * n)),
    "escapes": ("quote", lambda n: b'{"queries": "' + b"\\u0000" * (n // 6) + b'"}'),
    "half characters": ("quote", lambda n: b'{"queries": "' + b"\\ud800" * (n // 6) + b'"}'),
    "digits": ("quote", lambda n: b'{"queries": ' + b"9" * n + b"}"),
    "decimals": ("quote", lambda n: b'{"queries": 0.' + b"0" * n + b"1}"),
    "decimal text": (
        "quote",
        lambda n: json.dumps({"queries": [QUERY], "protection": DP | {"epsilon": "1" * n}}).encode(),
    ),
    "many queries": ("quote", lambda n: text({"queries": [QUERY] * (n // 90), "protection": DP})),
    "many groups": ("quote", lambda n: quoted(by=["sex"] * (n // 8))),
    "many numbers": ("quote", lambda n: quoted(agg=[[f"n{i}", {"agg": "count"}] for i in range(n // 25)])),
    "blanks": ("quote", lambda n: b" " * n + b"{}"),
    "not UTF-8": ("quote", lambda n: b"\xff" * n),
    "SQL: sums": (
        "sql",
        lambda n: json.dumps({"sql": "SELECT " + "+".join(["days"] * (n // 5)) + " FROM stays"}).encode(),
    ),
    "SQL: brackets": ("sql", lambda n: text({"sql": "SELECT " + "(" * n})),
    "SQL: conditions": (
        "sql",
        lambda n: text({"sql": f"SELECT COUNT(*) AS n FROM stays WHERE {' AND '.join(['days > 3'] * (n // 13))}"}),
    ),
    "SQL: words": ("sql", lambda n: text({"sql": "SELECT " * (n // 7)})),
    "SQL: a text": ("sql", lambda n: text({"sql": "SELECT '" + "''" * (n // 2)})),
}


def taken(whole: Whole, path: str, body: bytes) -> tuple[int, int, Reply]:
    """Calls that a request made, and the most bytes that it held."""
    calls = 0

    def count(_frame: Any, event: str, _arg: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    def send() -> Reply:
        headers = [(b"content-type", b"application/json"), (b"who", b"amina/asthma/analyst")]
        return whole.caller.send("POST", f"/datasets/stays/{path}", headers, body)

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        send()
    finally:
        sys.setprofile(before)
    gc.collect()
    tracemalloc.start()
    try:
        reply = send()
        return calls, tracemalloc.get_traced_memory()[1], reply
    finally:
        tracemalloc.stop()


def bounded(whole: Whole, shape: str, size: int) -> None:
    """Twice the bytes take no more than twice the calls and twice the memory, and a little."""
    path, make = SHAPES[shape]
    taken(whole, path, make(100))  # what is loaded and compiled once
    one, two = (taken(whole, path, make(many)) for many in (size, 2 * size))
    assert two[0] <= 2.2 * one[0] + 5_000, (shape, one[0], two[0])
    assert two[1] <= 2.2 * one[1] + 1_000_000, (shape, one[1], two[1])
    assert two[0] <= 200 * len(make(2 * size)) and two[1] <= 5_000_000 + 200 * len(make(2 * size)), (shape, two[:2])
    assert two[2].status in (200, 400, 403, 413, 415, 422), (shape, two[2])


SHORT = ("brackets", "zeros", "names", "one name", "escapes", "decimal text", "many groups")
SOAK = pytest.mark.soak


@pytest.mark.parametrize("shape", [pytest.param(one, marks=() if one in SHORT else SOAK) for one in SHAPES])
def test_what_a_request_takes_grows_with_its_bytes_and_no_faster(whole: Whole, shape: str) -> None:
    bounded(whole, shape, 2_000)


def test_work_that_grows_faster_is_found(whole: Whole, monkeypatch: Patch) -> None:
    def square(*texts: str) -> None:
        assert all(len(text) < 10**9 for _ in texts for text in map(str, texts))

    monkeypatch.setattr(strict_json, "_whole", square)
    with pytest.raises(AssertionError, match="names"):
        bounded(whole, "names", 2_000)


@pytest.mark.soak
@pytest.mark.parametrize("shape", SHAPES)
def test_and_so_does_one_of_a_megabyte(whole: Whole, shape: str) -> None:
    bounded(whole, shape, 450_000)
