"""Where no process answers, whoever waits, watches or keeps the service is told; and again when one does."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import pets
from pets.ledger.events import Event
from pets.service.answering import presence
from pets.service.answering.presence import Presence
from pets.service.app import create_app
from pets.service.client import jobs
from pets.session.custodian import Custodian
from tests.console import Pages
from tests.http_services import ASKED, AtOnce, Carried, TestClient, by_name, custodian, served

VERA = {"who": "vera/board/custodian"}
NOBODY = {"supervisor": None}


@pytest.fixture
def keeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Custodian:
    monkeypatch.setattr(presence, "LOOK", 0.0)
    monkeypatch.setattr(presence, "EVERY", 0.0)
    return custodian(tmp_path)


def metric(client: TestClient) -> str:
    text = client.get("/metrics", headers=VERA).text
    return next(line for line in text.splitlines() if line.startswith("pets_answering_up"))


def test_it_is_not_ready_until_somebody_answers_elsewhere(keeper: Custodian, caplog: pytest.LogCaptureFixture) -> None:
    now = [keeper.ledger.time()]
    with served(keeper, **NOBODY, metrics=True) as client, pytest.MonkeyPatch.context() as patch:
        patch.setattr(keeper.ledger, "_clock", lambda: now[0])
        reply = client.get("/readyz")
        assert reply.status_code == 429 and "no process answers now" in reply.json()["detail"]
        assert metric(client) == "pets_answering_up 0.0"
        Presence(keeper.ledger).say()
        assert client.get("/readyz").json() == {"ready": True} and metric(client) == "pets_answering_up 1.0"
        assert client.get("/datasets/stays/account", headers=VERA).json()["answering"] is True
        now[0] += presence.LASTS + 1
        assert client.get("/readyz").status_code == 429
        assert client.get("/readyz").status_code == 429
    told = [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]
    assert [one.partition(",")[0] for one in told] == [
        "no process answers",
        "questions are answered again",
        "no process answers",
    ], "each change once"
    assert "start pets answer with the service.yaml" in told[0]


def test_whoever_asks_is_told_in_the_log_that_nobody_answers(
    keeper: Custodian, caplog: pytest.LogCaptureFixture
) -> None:
    with served(keeper, **NOBODY) as client:
        for _ in range(2):
            job = client.post("/datasets/stays/queries", json=ASKED).json()["job"]
            assert job["state"] == "waiting" and job["answering"] is False
        assert caplog.text.count("no process answers, and questions wait") == 1
        Presence(keeper.ledger).say()
        assert "answering" not in client.get(f"/queries/{job['id']}").json()["job"]
    with served(keeper) as client:  # whoever answers what waits is there
        assert "answering" not in client.post("/datasets/stays/queries?wait=5", json=ASKED).json()["job"]


def test_processes_of_this_one_that_cannot_begin_answer_nothing(keeper: Custodian) -> None:
    @dataclass
    class Answers(AtOnce):
        able: bool = True

    answers = Answers(keeper)
    with served(keeper, supervisor=answers) as client:
        assert client.get("/readyz").status_code == 200
        answers.able = False
        assert client.get("/readyz").status_code == 429
        Presence(keeper.ledger).say()  # another machine's do
        assert client.get("/readyz").status_code == 200


class Line:
    """The line of a wait, and what happens meanwhile."""

    def __init__(self, meanwhile: Any) -> None:
        self.said: list[str] = []
        self._meanwhile = meanwhile

    @contextmanager
    def bar(self, *_: Any, **__: Any) -> Iterator[Line]:
        yield self

    def at(self, doing: str) -> None:
        self.said.append(doing)
        if len(self.said) == 2:
            self._meanwhile()


def test_the_line_of_whoever_waits_says_so(keeper: Custodian, monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(lambda: AtOnce(keeper).poke())
    monkeypatch.setattr(jobs, "bar", line.bar)
    monkeypatch.setattr(jobs, "_WAITS", (0.01, 0.01, 0.01))
    with served(keeper, **NOBODY) as client:
        asked = pets.connect("http://localhost", token="x", key=keeper.ledger.key, transport=Carried(client))
        query = pets.query("stays").group_by("sex").agg(n=pets.count())
        assert asked.release(query, pets.DP(epsilon=0.1)).query == query
    assert line.said[:2] == ["Waiting: no process answers there now; whoever runs the service can start one"] * 2


def test_the_console_says_so_to_custodians_and_to_whoever_waits(keeper: Custodian) -> None:
    with TestClient(create_app(keeper, auth=by_name, supervisor=None)) as client:
        number = client.post("/datasets/stays/queries", json=ASKED).json()["job"]["id"]
        amina, vera = Pages(client), Pages(client, "vera/board/custodian")
        pages = [(vera, "/oversight"), (vera, "/oversight/stays"), (amina, f"/jobs/{number}")]
        assert ["No process answers" in who.get(page) for who, page in pages] == [True] * 3
        Presence(keeper.ledger).say()
        assert ["No process answers" in who.get(page) for who, page in pages] == [False] * 3
        with pets.connect(
            "http://localhost", token="x", key=keeper.ledger.key, transport=_As(client, "vera/board/custodian")
        ) as vera_asks:
            assert vera_asks.account().answering and "No process answers" not in str(vera_asks.account())
            (Path(str(keeper.ledger.checkpoint_path)).with_suffix(".answering")).unlink()
            assert not vera_asks.account().answering and "No process answers now" in str(vera_asks.account())


class _As(Carried):
    """Carries requests as somebody."""

    def __init__(self, client: TestClient, who: str) -> None:
        super().__init__(client)
        self._who = who

    def handle_request(self, request: Any) -> Any:
        request.headers["who"] = self._who
        return super().handle_request(request)


def test_processes_that_begin_are_counted(keeper: Custodian) -> None:
    with served(keeper) as client:
        keeper.ledger.listeners.tell(Event("worker-ready", 0.0, worker="w"))
        counts = client.get("/datasets/stays/events", headers=VERA).json()["counts"]
        assert counts["worker-ready"] == 1
