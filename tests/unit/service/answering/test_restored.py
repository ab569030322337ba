"""An older copy is put in the ledger's place while a process answers: it fails no question, and is not ready."""

from __future__ import annotations

import io
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from pets.errors import LedgerError
from pets.ledger.queue import JobState, Queue
from pets.service.answering import process
from pets.service.answering.grid import Grid
from pets.service.answering.work import Work
from tests.ledgers import Place, verify
from tests.restores import dump, rebased
from tests.services import asked, ended, opening, prepared, question, until

GONE = r"has lost entries.*start this process anew|was put in another's place"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("service"))


class Listens:
    """Standard input that stays open until a test has seen enough."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def __iter__(self) -> Any:
        self.over.wait(600)
        return iter(())


@pytest.mark.parametrize("seen", ["as it answered", "as it was opened"])
def test_it_answers_nothing_and_whoever_is_opened_anew_does(
    seen: str, folder: Path, place: Place, tmp_path: Path
) -> None:
    with opening(folder, place).custodian().ledger as first:  # (the account is begun)
        queue = Queue(first)
        dump(place, tmp_path / "old")
        stale = opening(folder, place).custodian()
        asks = opening(folder, place).custodian()
        work = Work([stale], Queue(stale.ledger), Grid(0.001, 0.001))
        lost = queue.put("service-test", "p", "a", "release", asked(question(1)), None)
        taken = queue.claim("w")
        assert taken is not None and taken.id == lost.id
        if seen == "as it answered":
            work.answer(taken)
        else:
            Work([asks], Queue(asks.ledger), Grid(0.001, 0.001)).answer(taken)
            stale.ledger.check_same()
        stale.ledger.check()
        rebased(place, tmp_path / "old")
        with pytest.raises(LedgerError, match=GONE):
            stale.ledger.check()  # what /readyz asks
    anew = opening(folder, place).custodian()
    queue = Queue(anew.ledger)
    job = queue.put("service-test", "p", "a", "release", asked(question(2)), None)
    claimed = queue.claim("w")
    assert claimed is not None and claimed.id == job.id
    with pytest.raises(LedgerError, match=GONE):
        work.answer(claimed)
    found = queue.find(job.id, "p", "a")
    assert found is not None and found.state is JobState.RUNNING, "the question is not to blame"
    queue.gone(claimed.id, claimed.token, "its process ended", 0.0, again=True)
    again = queue.claim("w")
    assert again is not None
    Work([anew], queue, Grid(0.001, 0.001)).answer(again)
    (done,) = ended(queue, [job])
    assert done.problem is None and done.state is JobState.DONE
    verify(anew.ledger)
    for one in (stale, asks, anew):
        one.ledger.close()


def test_its_process_ends_and_says_why(
    folder: Path, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[int] = []
    monkeypatch.setattr("os._exit", left.append)
    monkeypatch.setattr(process, "LAST", 0.0)
    terms = {"openings": [opening(folder, place).to_json()], "worker": "w", "timeout": 5.0, "lease": 30.0}
    heard, out = Listens(), io.StringIO()
    given: Any = (terms | {"grid": {"small": 0.001, "large": 0.001}}, heard, process.Lines(out))
    opening(folder, place).custodian().ledger.close()
    dump(place, tmp_path / "old")
    raised: list[Exception] = []

    def run() -> None:
        try:
            process.answering(*given)
        except LedgerError as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    custodian = opening(folder, place).custodian()
    queue = Queue(custodian.ledger)
    first = queue.put("service-test", "p", "a", "release", asked(question(1)), None)
    until(lambda: queue.find(first.id, "p", "a").state is JobState.DONE)  # type: ignore[union-attr]
    custodian.ledger.close()
    rebased(place, tmp_path / "old")
    anew = opening(folder, place).custodian()
    job = Queue(anew.ledger).put("service-test", "p", "a", "release", asked(question(2)), None)
    thread.join(600)
    assert len(raised) == 1, "also where it looked while the copy was being put there"
    found = Queue(anew.ledger).find(job.id, "p", "a")
    assert found is not None and found.problem is None and not found.state.ended
    said = [json.loads(line) for line in out.getvalue().splitlines()]
    assert not any(one.get("ended") == job.id for one in said), "its watchdog settles what it had in hand"
    heard.over.set()
    until(lambda: left)  # else it would end the process of the tests, once its exit is no more replaced
    anew.ledger.close()
