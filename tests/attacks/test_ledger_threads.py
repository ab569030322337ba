"""Several processes, each with many threads, on one ledger: everybody gets on, and the account is right.

The time-outs here only end a test that hangs; nothing is asserted of how long anything takes.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from pets.ledger.states import State
from tests.attacks import ledger_workers as workers
from tests.ledgers import DATABASES, Place, account, ask, audit, opened, request, under_way, verify

pytestmark = pytest.mark.chance(0)  # processes; none of their numbers is looked at

PROCESSES, THREADS = 3, 10
HANGS = 1500.0


def lines(diary: Path) -> list[list[str]]:
    return [line.split("\t") for line in diary.read_text().splitlines()] if diary.exists() else []


def crowded(place: Place, diary: Path, questions: int) -> int:
    """Everybody asks so many questions; gives how many requests there were."""
    with opened(place) as ledger:
        account(ledger, milli=1_000_000)
    crew = [workers.begin(workers.crowd, place, n, THREADS, questions, str(diary)) for n in range(PROCESSES)]
    try:
        until = time.monotonic() + HANGS
        for process in crew:
            process.join(max(1.0, until - time.monotonic()))
        assert not any(process.is_alive() for process in crew), "the ledger stands still for everybody"
    finally:
        for process in crew:
            process.kill()
            process.join()
    told = lines(diary)
    assert not [line for line in told if line[0] == "error"]
    assert sum(line[0] == "done" for line in told) == PROCESSES * THREADS
    with opened(place) as ledger:
        assert not under_way(ledger)
        audit(ledger, {line[1]: line[2] for line in told if line[0] == "delivered"})
        verify(ledger)
        fates = Counter(entry.state for entry in account(ledger, milli=None).entries())
    assert set(fates) == {State.COMMITTED, State.FORFEITED}
    return fates.total()


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("database", DATABASES)
def test_three_processes_of_ten_threads(database: str, new_place: Callable[[str], Place], tmp_path: Path) -> None:
    assert crowded(new_place(database), tmp_path / "diary", 8) >= 240


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("database", DATABASES)
def test_a_thousand_questions(database: str, new_place: Callable[[str], Place], tmp_path: Path) -> None:
    assert crowded(new_place(database), tmp_path / "diary", 34) >= 1000


@pytest.mark.timeout(1200)
def test_a_process_that_stands_still_does_not_stop_the_others(
    new_place: Callable[[str], Place], tmp_path: Path
) -> None:
    place = new_place("postgresql")
    with opened(place) as ledger:
        asker = account(ledger)
        process = workers.begin(workers.stand_still, place, str(tmp_path / "diary"))
        try:
            while not lines(tmp_path / "diary"):
                assert process.is_alive()
                time.sleep(0.05)
            ask(asker, request())
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            process.join()
        audit(ledger)
        verify(ledger)
