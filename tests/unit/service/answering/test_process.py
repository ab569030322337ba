"""The loop of an answering process, in this one: it goes on whatever becomes of a job, and says what it does."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import pets
from pets.errors import LedgerDownError, LeftOutWarning
from pets.ledger.queue import JobState, Queue, QueuedJob
from pets.service.answering import process
from pets.service.answering.work import Work
from pets.service.opening import Opening
from tests.ledgers import Place
from tests.services import CANARY, asked, ended, opening, prepared, question, until


class Heard:
    """Standard input that gives a line when it is told to, and ends."""

    def __init__(self) -> None:
        self.poked, self.over = threading.Event(), threading.Event()

    def __iter__(self) -> Iterator[str]:
        while not self.over.wait(0.01):
            if self.poked.is_set():
                self.poked.clear()
                yield "\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("service"))


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    codes: list[int] = []
    monkeypatch.setattr("os._exit", codes.append)
    monkeypatch.setattr(process, "LAST", 0.0)
    return codes


def test_what_follows_at_once_is_heard_together() -> None:
    class Out(io.StringIO):
        heard = ""

        def flush(self) -> None:
            self.heard = self.getvalue()

    out = Out()
    say = process.Lines(out)
    say(ended="a", more=True)
    say(event={"kind": "job-running"}, more=True)
    assert out.heard == ""
    say(running="b", token="t")
    assert [json.loads(line) for line in out.heard.splitlines()] == [
        {"ended": "a"},
        {"event": {"kind": "job-running"}},
        {"running": "b", "token": "t"},
    ]


def test_it_goes_on_after_a_database_that_was_away(
    new_place: Callable[[str], Place], folder: Path, monkeypatch: pytest.MonkeyPatch, left: list[int]
) -> None:
    terms = {"openings": [opening(folder, new_place("sqlite")).to_json()], "worker": "w", "timeout": 5.0, "lease": 600}
    custodian = Opening.from_json(terms["openings"][0]).custodian()  # type: ignore[index]
    queue, out, heard = Queue(custodian.ledger), io.StringIO(), Heard()
    answer, fails = Work.answer, [1]
    monkeypatch.setattr(process, "AWAY", 0.01)

    def away(self: Work, job: QueuedJob, then: Callable[[], str | None]) -> QueuedJob | None:
        if fails and fails.pop():
            raise LedgerDownError(f"away {CANARY}")
        return answer(self, job, then)

    monkeypatch.setattr(Work, "answer", away)
    given: Any = (terms | {"grid": {"small": 0.001, "large": 0.001}}, heard, process.Lines(out))
    thread = threading.Thread(target=process.answering, args=given)
    thread.start()
    first = queue.put("service-test", "p", "a", "release", asked(question(1)), None)
    heard.poked.set()
    until(lambda: not fails)
    (second,) = ended(queue, [queue.put("service-test", "p", "a", "release", asked(question(2)), None)])
    assert second.state is JobState.DONE
    found = queue.find(first.id, "p", "a")
    assert found is not None and found.state is JobState.DONE, "it was tried again before its lease was over"
    heard.over.set()
    thread.join(600)
    assert not thread.is_alive()
    until(lambda: left)  # else it would end the process of the tests, once its exit is no more replaced
    said = [json.loads(line) for line in out.getvalue().splitlines()]
    steps = [next(iter(one)) if "event" not in one else one["event"]["kind"] for one in said]
    held = [
        (name, one.get("running") or one.get("ended")) for one in said for name in one if name in ("running", "ended")
    ]
    assert steps[0] == "ready"
    assert held == [
        *(("running", first.id), ("ended", first.id)) * 2,
        *(("running", second.id), ("ended", second.id)),
    ], "what it had in hand is let go, whatever became of it"
    assert steps.count("committed") == 2 and CANARY not in out.getvalue()
    custodian.ledger.close()


def test_of_which_tables_rows_are_left_out_is_said_for_the_log_without_a_count(
    new_place: Callable[[str], Place], tmp_path: Path, left: list[int]
) -> None:
    """At opening, and after a refresh; who counts is told by pets profile, on the machine of the rows."""
    place, column = prepared(tmp_path / "own"), "days: {type: integer, min: 0, max: 20"
    schema = (place / "schema.yaml").read_text("utf-8")
    assert column in schema
    (place / "schema.yaml").write_text(schema.replace(column, f"{column}, nullable: false"), "utf-8")
    whole = pd.read_csv(place / "rows.csv")
    whole.assign(days=[None if n < 217 else n % 21 for n in range(300)]).to_csv(place / "rows.csv", index=False)
    with pytest.warns(LeftOutWarning, match="217 of 300 rows"):
        pets.Session(
            place / "schema.yaml", place / "rows.csv", budget=pets.Budget(epsilon=1), snapshots=place / "again"
        )
    data = {"stays": str(place / "rows.csv")}
    given = opening(place, new_place("sqlite"), snapshots=str(place / "again"), data=data)
    terms: Any = {"openings": [given.to_json()], "worker": "w", "timeout": 5.0, "lease": 600}
    custodian = given.custodian()
    queue, out, heard = Queue(custodian.ledger), io.StringIO(), Heard()
    asking: Any = (terms | {"grid": {"small": 0.001, "large": 0.001}}, heard, process.Lines(out))
    thread = threading.Thread(target=process.answering, args=asking)
    thread.start()
    until(lambda: "left_out" in out.getvalue())
    whole.to_csv(place / "rows.csv", index=False)
    (job,) = ended(queue, [queue.put("service-test", "p", "a", "refresh", {}, None)])
    heard.over.set()
    thread.join(600)
    until(lambda: left)
    said = [one["left_out"] for one in map(json.loads, out.getvalue().splitlines()) if "left_out" in one]
    assert job.state is JobState.DONE and len(said) == 2 and said[1] == []
    (noted,) = said[0]
    assert "table 'stays': too many rows are left out of every answer" in noted and "('days'; pets profile" in noted
    assert "217" not in out.getvalue()
    custodian.ledger.close()
