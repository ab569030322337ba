"""Answering processes that die at random moments under load: what was shown is what the ledger committed.

No key is charged twice, a death costs at most the charge in hand, and all that was asked comes to an end.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pets.errors import BusyError
from pets.ledger.queue import JobState, Queue, QueuedJob
from pets.service.answering.answers import answer_of
from pets.service.answering.grid import Grid
from pets.service.answering.supervisor import Supervisor
from tests.ledgers import DATABASES, Place, audit, verify
from tests.services import CANARY, asked, ended, opening, prepared, question, rows_of_jobs

pytestmark = pytest.mark.chance(0)  # processes; no number of theirs decides


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("service"))


@pytest.mark.parametrize(
    ("database", "kills", "each"),
    [
        ("postgresql", 1, 5),
        *(pytest.param(database, 30, 120, marks=pytest.mark.soak) for database in DATABASES),
    ],
)
def test_processes_that_die_at_random_lose_at_most_what_they_had_in_hand(
    database: str, kills: int, each: int, folder: Path, new_place: Callable[[str], Place]
) -> None:
    rng, place = random.Random(kills), new_place(database)
    # (the budget runs out under the long form: then what is refused is charged nothing)
    opened = opening(folder, place, epsilon=100 if kills < 10 else 3)
    custodian = opened.custodian()
    queue = Queue(custodian.ledger)
    put: list[QueuedJob] = []

    def ask(analyst: str) -> None:
        for number in range(each):
            given = asked(question(number % 21, "ab"[number % 2]), question(number % 7), again=number % 3 > 0)
            while True:
                try:
                    put.append(queue.put("service-test", "p", analyst, "release", given, f"k{number}", max_waiting=30))
                    break
                except BusyError:
                    time.sleep(0.05)
            if number % 5 == 0:  # a retry of a lost connection
                again = queue.put("service-test", "p", analyst, "release", given, f"k{number}")
                assert again.id in {job.id for job in put}

    with Supervisor([opened], custodian.ledger, processes=1 + (kills > 1), grid=Grid(0.001, 0.001)) as over:
        askers = [threading.Thread(target=ask, args=(f"analyst {number}",)) for number in range(4)]
        for asker in askers:
            asker.start()
        deaths = 0
        while deaths < kills:
            time.sleep(rng.uniform(0.1, 1.5))
            child = rng.choice(over._children)
            if child.ready and child.alive:
                os.kill(child.pid, signal.SIGKILL)
                deaths += 1
            elif not any(asker.is_alive() for asker in askers) and not queue.waiting():
                break  # all is answered
        for asker in askers:
            asker.join()
        found = ended(queue, put, 600)
    done = [job for job in found if job.state is JobState.DONE]
    lost = [job for job in found if job.problem is not None and job.problem["code"] == "release-failed"]
    refused = [job for job in found if job.problem is not None and job.problem["code"] == "budget"]
    assert len(found) == 4 * each == len(done) + len(lost) + len(refused) and len(lost) <= deaths
    entries = custodian.custody.entries()
    states = {entry.id: entry.state.value for entry in entries}
    for job in done:
        assert answer_of(queue, job) is not None
        assert all(states[name] == "committed" for name in str(job.request).split(","))
    charged = [entry for entry in entries if entry.state.charged and not entry.delivered]
    assert sum(entry.state.value == "forfeited" for entry in entries) <= 2 * deaths
    assert len(charged) <= 2 * len(put)
    assert sum(entry.cost.loss for entry in charged) == custodian.remaining().spent.loss
    with custodian.ledger.reading() as tx:
        for job in put:
            for key in (f"{job.key}#0", f"{job.key}#1"):
                row = tx.by_key("service-test", (job.project, job.analyst), key)  # the database holds each key once
                assert row is None or row.state in ("committed", "forfeited")
    assert CANARY not in rows_of_jobs(queue)
    audit(custodian.ledger)
    verify(custodian.ledger)
    custodian.ledger.close()
