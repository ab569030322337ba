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
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pets.ledger.queue import Queue
from pets.service.answering import work
from pets.service.http import endpoint, questions
from pets.service.wire import problems, strict_json
from pets.session.custodian import Custodian
from tests.asgi import Reply, in_this_thread
from tests.attacks.planted import NUMBER, TEXT, Whole, kept, planted, unmarked
from tests.hostile_requests import GOOD, Maker, Request
from tests.http_services import DP, QUERY


def test_ten_thousand_values_are_marked() -> None:
    marked = planted().astype(str).map(lambda value: TEXT.decode() in value or NUMBER.decode() in value)
    assert marked.to_numpy().sum() >= 10_000 and marked["cost"].all() and marked["patient"].all()


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Custodian:
    return kept(tmp_path_factory.mktemp("planted"))


@pytest.fixture
def whole(keeper: Custodian, monkeypatch: pytest.MonkeyPatch) -> Iterator[Whole]:
    in_this_thread(monkeypatch)
    made = Whole(keeper)
    yield made
    made.caller.close()


def requests(whole: Whole, count: int, seed: int) -> None:
    """So many; they are near enough to good ones that some are, and far enough that most are not."""
    maker = Maker(whole.page, seed, good=0.35)
    assert len(maker.addresses) >= 23
    whole.ask(count, maker)
    seen, answered = whole.seen, whole.supervisor.answered
    assert min(seen[status] for status in (200, 400, 401, 403, 404, 405, 415, 422)) > count // 1000, seen
    assert {"release", "dummy", "rows_lost"} <= set(answered) and len(whole.events) > count // 20, answered


def test_1_600_requests_show_no_row(
    whole: Whole, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG, logger="pets"):
        requests(whole, 1600, seed=1)
    unmarked(whole, caplog, capfd)


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.chance(1e-11)  # 100 lists of keys (planted.py), of 2,800 marked wards each, at 1e-17 a ward
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
