"""The supervisor: dead processes are followed by others, and one that takes too long or too much ends.

Processes that answer are Pythons of their own; where the watchdog alone is looked at, they are only said to work.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from pets.errors import UserError
from pets.ledger.events import Event
from pets.ledger.ledger import Ledger
from pets.ledger.queue import JobState, Queue, QueuedJob
from pets.service.answering import child, reach, supervisor
from pets.service.answering.grid import Grid
from pets.service.answering.presence import Presence
from pets.service.answering.supervisor import Supervisor
from pets.service.opening import Opening
from tests.ledgers import MILLI, Place, account, ask, audit, opened, request, verify
from tests.restores import dump, rebased
from tests.services import CANARY, answer_of, asked, ended, opening, prepared, question, rows_of_jobs, until

FAKE = Path(__file__).parents[3] / "fake_answering.py"
QUICK = Grid(0.001, 0.001)

pytestmark = pytest.mark.chance(0)  # processes; no number of theirs decides


# the watchdog, over processes that say that they work ---------------------------------------------------------------


class Watched:
    """A supervisor of processes that answer nothing, and a job that they are said to have in hand."""

    def __init__(self, folder: Path, ledger: Ledger, address: str, keys: str) -> None:
        self.folder, self.ledger = folder, ledger
        self.queue, self.asker = Queue(ledger), account(ledger)
        self.told: list[Event] = []
        ledger.listeners.on("*", self.told.append)
        self.opening = Opening("none.yaml", address, snapshots="none", keys=keys)

    def in_hand(self) -> QueuedJob:
        """A job that is claimed, and begun under its key."""
        self.queue.put("d", "p", "a", "release", {"queries": [{}]}, None)
        claimed = self.queue.claim("w")
        assert claimed is not None
        self.asker.reserve([request("q", key=claimed.ledger_key)])
        return claimed

    def says(self, *lines: str | dict[str, Any]) -> None:
        text = "\n".join(one if isinstance(one, str) else json.dumps(one) for one in lines)
        (self.folder / "says").write_text(text)

    def started(self) -> list[dict[str, Any]]:
        """The terms of every process that began."""
        file = self.folder / "started"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def kinds(self) -> list[str]:
        return [one.kind for one in self.told if not one.kind.startswith("job-")]

    def state(self, job: QueuedJob) -> QueuedJob:
        found = self.queue.find(job.id, "p", "a")
        assert found is not None
        return found


@pytest.fixture
def watched(tmp_path: Path, new_place: Callable[[str], Place], monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    place = new_place("sqlite")
    monkeypatch.setattr(child, "_COMMAND", (sys.executable, "-S", str(FAKE), str(tmp_path)))
    monkeypatch.setattr(supervisor, "LOOK", 0.02)
    monkeypatch.setattr(reach, "EVERY", 0.1)
    monkeypatch.setattr(supervisor, "SOON", 0.05)
    with opened(place) as ledger:
        yield Watched(tmp_path, ledger, place.address, place.keys)


def failed_opaquely(watched: Watched, job: QueuedJob, why: str) -> None:
    """It failed as any answer fails that was begun; why is told to the custodian alone."""
    until(lambda: watched.state(job).state is JobState.FAILED)
    (entry,) = watched.asker.entries()
    assert entry.state.value == "forfeited" and watched.asker.standing().spent.loss == 10 * MILLI
    number = entry.id[:12]
    assert watched.state(job).problem == {
        "code": "release-failed",
        "message": f"the release failed after the data was opened (incident {number}); its charge stands; give the "
        "incident number to the custodian",
        "retry_after": None,
    }
    assert why in watched.ledger.incidents.read(number)
    audit(watched.ledger)
    verify(watched.ledger)


def test_a_job_that_takes_too_long_is_ended_and_stays_charged(watched: Watched) -> None:
    job = watched.in_hand()
    watched.says({"ready": True}, {"running": job.id, "token": job.token})
    with Supervisor([watched.opening], watched.ledger, timeout=0.2, grid=QUICK) as over:
        failed_opaquely(watched, job, "it took longer than 0.2 s")
        until(lambda: len(watched.started()) == 2)
        assert watched.kinds()[-2:] == ["worker-killed", "forfeited"] or "worker-died" in watched.kinds()
        until(lambda: over._children[0].alive)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("ends", [False, True])
def test_the_watchdog_outlives_whatever_goes_wrong(
    watched: Watched, ends: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, looks = watched.in_hand(), []
    watched.says({"running": job.id, "token": job.token})

    def sweep(_: Queue) -> None:
        looks.append(1)
        if len(looks) == 1:
            raise SystemExit if ends else RuntimeError(CANARY)

    monkeypatch.setattr(Queue, "sweep", sweep)
    with Supervisor([watched.opening], watched.ledger, grid=QUICK) as over:
        until(lambda: looks)
        if ends:
            until(lambda: not over._thread.is_alive())  # type: ignore[union-attr]
            over.ensure()
        until(watched.started)
        until(lambda: len(looks) > 1 or not over._thread.is_alive())  # type: ignore[union-attr]
        assert len(looks) > 1
        assert len(watched.started()) == 1, "the processes are those that there were"
        watched.queue.cancel(job.id, "p", "a")
        until(lambda: len(watched.started()) == 2)


@pytest.mark.parametrize(
    ("own", "limit", "given"),
    [
        (None, None, None),
        ("4GB", None, "4GB"),
        (None, "1GB", "500MB"),
        ("8GB", "1GB", "500MB"),
        ("400MB", "1GB", "400MB"),
    ],
)
def test_the_engine_spills_before_its_process_is_ended(own: str | None, limit: str | None, given: str | None) -> None:
    over = Supervisor([Opening("s.yaml", "l.db", snapshots="snap", memory=own)], memory=limit)
    assert [one["memory"] for one in over._terms["openings"]] == [given]


def test_a_process_that_takes_too_much_memory_is_ended(watched: Watched) -> None:
    job = watched.in_hand()
    watched.says({"running": job.id, "token": job.token}, "!hog")
    with Supervisor([watched.opening], watched.ledger, memory="200MB", grid=QUICK):
        failed_opaquely(watched, job, "its process held more than 200,000,000 bytes")
        until(lambda: len(watched.started()) == 2)


def test_a_cancelled_job_ends_its_process(watched: Watched) -> None:
    job = watched.in_hand()
    watched.says({"running": job.id, "token": job.token})
    with Supervisor([watched.opening], watched.ledger, grid=QUICK):
        until(watched.started)
        time.sleep(0.3)
        assert watched.kinds() == ["started"], "nothing else ends it"
        watched.queue.cancel(job.id, "p", "a")
        until(lambda: len(watched.started()) == 2)
    assert watched.state(job).state is JobState.CANCELLED
    assert [entry.state.value for entry in watched.asker.entries()] == ["forfeited"]


@pytest.mark.parametrize("begun", [True, False])
def test_what_a_dead_process_had_in_hand_is_settled_at_once(begun: bool, watched: Watched) -> None:
    if begun:
        job = watched.in_hand()
    else:
        watched.queue.put("d", "p", "a", "release", {"queries": [{}]}, None)
        claimed = watched.queue.claim("w")
        assert claimed is not None
        job = claimed
    watched.says({"running": job.id, "token": job.token}, "!die")
    with Supervisor([watched.opening], watched.ledger, grid=QUICK):
        if begun:
            failed_opaquely(watched, job, "its process ended with code 3")
        else:
            until(lambda: watched.state(job).state is JobState.WAITING)
        until(lambda: len(watched.started()) == 2)
    assert "worker-died" in watched.kinds()


def test_the_job_that_came_after_the_slow_one_is_not_to_blame(watched: Watched) -> None:
    """Between the look and the end the process went on to another job."""
    slow, other = watched.in_hand(), watched.queue.put("d", "p", "a", "release", {"queries": [{}]}, None)
    claimed = watched.queue.claim("w")
    assert claimed is not None
    over = Supervisor([watched.opening], watched.ledger, timeout=0.01, grid=QUICK)
    over._queue = watched.queue
    worker = child.Child("w", {}, watched.told.append)
    try:
        worker.in_hand = child.InHand(slow.id, slow.token, time.monotonic() - 1)

        def kill() -> None:
            worker._process.kill()
            worker.in_hand = child.InHand(claimed.id, claimed.token, time.monotonic())

        worker.kill = kill  # type: ignore[method-assign]
        over._look(worker, False)
    finally:
        worker._process.kill()
        worker.wait()
    assert watched.state(other).state is JobState.WAITING
    assert watched.state(slow).state is JobState.FAILED, "nobody answers it either"


def test_what_a_dead_process_had_just_taken_is_settled_too(watched: Watched) -> None:
    """It ended one job and took the next in one transaction, and died before it said so."""
    for _ in range(2):
        watched.queue.put("d", "p", "a", "release", {"queries": [{}]}, None)
    worker = child.Child("w", {}, watched.told.append)
    first = watched.queue.claim("w")
    assert first is not None
    worker.in_hand = child.InHand(first.id, first.token, time.monotonic())
    taken = watched.queue.done_and_next(watched.queue.ending(first, float, lambda: "w"), "r")
    assert taken is not None
    over = Supervisor([watched.opening], watched.ledger, grid=QUICK)
    over._queue = watched.queue
    worker.kill()
    over._died(worker)
    assert [watched.state(one).state for one in (first, taken)] == [JobState.DONE, JobState.WAITING]


def test_one_that_dies_at_once_is_started_ever_more_seldom(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_COMMAND", (sys.executable, "-S", "-c", "import sys; sys.exit(1)"))
    began: list[float] = []
    watched.ledger.listeners.on("worker-died", lambda _: began.append(time.monotonic()))
    with Supervisor([watched.opening], watched.ledger, grid=QUICK) as over:
        until(lambda: len(began) == 5)
        assert not over.ready
    waits = [after - before for before, after in pairwise(began)]
    assert waits[-1] > 2 * waits[0] or waits[-1] > 0.4


def test_why_no_process_can_open_its_tables_is_told_to_the_custodian(watched: Watched) -> None:
    watched.says({"refused": {"code": "data", "message": "there is no snapshot here"}}, "!die")
    with Supervisor([watched.opening], watched.ledger, grid=QUICK) as over:
        until(lambda: over.problem)
        assert over.problem == "there is no snapshot here"


def test_what_processes_find_left_out_is_logged_once_until_it_is_otherwise(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    lines = [{"ready": True}, *({"left_out": texts} for texts in (["one", "two"], ["two", "one"], ["two"]))]
    watched.says(*lines, {"left_out": ["one", "two"]}, {"left_out": 7}, {"event": {}}, {"refused": {"message": "last"}})
    with Supervisor([watched.opening], watched.ledger, grid=QUICK) as over:
        until(lambda: over._children[0].refused == "last")
    told = [(one.name, one.levelname, one.getMessage()) for one in caplog.records if one.getMessage() in ("one", "two")]
    assert told == [("pets.service", "WARNING", text) for text in ("one", "two", "one")]


def test_who_can_answer_is_told_to_all_that_share_the_ledger(watched: Watched) -> None:
    """Once its tables are open, and not over a question that ended a process."""
    here = Presence(watched.ledger)
    over = Supervisor([watched.opening], watched.ledger, grid=QUICK)
    assert over.able and not here.here(), "it is started with the first question"
    watched.says({"ready": True})
    with over:
        until(lambda: "worker-ready" in watched.kinds())
        until(here._fresh)
        assert over.able and over.ready
        over._children[0].kill()
        until(lambda: len(watched.started()) == 2)
        assert over.able and over.problem is None


def test_nobody_is_told_to_answer_where_none_can_begin(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_COMMAND", (sys.executable, "-S", "-c", "import sys; sys.exit(1)"))
    died: list[Event] = []
    watched.ledger.listeners.on("worker-died", died.append)
    with Supervisor([watched.opening], watched.ledger, grid=QUICK) as over:
        until(lambda: len(died) == 2)
        assert not over.able and over.problem is None and not Presence(watched.ledger).here()


def test_a_ledger_that_is_another_by_now_is_answered_no_more(
    watched: Watched, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = Place(watched.opening.ledger, str(watched.opening.keys))
    dump(place, tmp_path / "old")
    watched.says({"ready": True})
    with Supervisor([watched.opening], watched.ledger, grid=QUICK) as over:
        until(Presence(watched.ledger)._fresh)
        ask(watched.asker, request())
        rebased(place, tmp_path / "old")
        until(lambda: over.lost)
        until(lambda: not over._children[0].alive)
        time.sleep(0.3)
        assert len(watched.started()) == 1 and not over.able, "none is started on what is not the account"
        assert not Presence(watched.ledger).here(), "and whoever listens is told at once"
    assert "was put in another's place" in str(over.lost)
    assert caplog.text.count("nothing is answered here any more") == 1
    with opened(place):  # for whoever opens it anew it is an account as any other
        pass


def test_it_starts_once_and_a_poke_wakes(watched: Watched) -> None:
    over = Supervisor([watched.opening], watched.ledger, processes=2, grid=QUICK)
    assert watched.started() == [] and not over.ready, "nothing runs before the first job"
    threads = [threading.Thread(target=over.ensure) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(lambda: len(watched.started()) == 2)
    over.ensure()
    assert len({one["worker"] for one in watched.started()}) == 2
    over.poke()
    until(lambda: (watched.folder / "pokes").exists() and (watched.folder / "pokes").read_text() == "..")
    pids = [one.pid for one in over._children]
    over.close()
    over.close()
    assert not any(psutil.pid_exists(pid) for pid in pids) and len(watched.started()) == 2
    with pytest.raises(UserError, match="this service was closed"):
        over.ensure()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"snapshots": None}, "from stored snapshots and a ledger that outlives them; give snapshots= a folder"),
        ({"ledger": ""}, "from stored snapshots and a ledger that outlives them"),
        ({"processes": 0}, "processes"),
        ({"timeout": 0}, "a timeout is a number of seconds above 0"),
        ({"memory": "much"}, "write it like '4GB'"),
        ({"lone": True}, "all datasets of a service are in one ledger"),
    ],
)
def test_what_cannot_be_supervised(wrong: dict[str, Any], said: str) -> None:
    given: dict[str, Any] = {"schema": "s.yaml", "ledger": "l.db", "snapshots": "snap"}
    own = {name: value for name, value in wrong.items() if name in given}
    also = [Opening("t.yaml", "other.db", snapshots="snap")] if "lone" in wrong else []
    rest = {name: value for name, value in wrong.items() if name not in given and name != "lone"}
    with pytest.raises(UserError, match=said):
        Supervisor([Opening(**(given | own)), *also], **rest)


# with processes that answer -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("service"))


def test_threads_ask_processes_answer_one_is_killed_and_all_is_accounted(
    new_place: Callable[[str], Place], folder: Path
) -> None:
    """What was shown is what the ledger committed, no question was charged twice, and one charge was lost at most."""
    place = new_place("sqlite")  # (in PostgreSQL: tests/attacks/test_service_kills.py)
    custodian = opening(folder, place).custodian()
    queue, ledger = Queue(custodian.ledger), custodian.ledger
    events: list[Event] = []
    custodian.on("*", events.append)
    put: list[QueuedJob] = []

    def ask(analyst: str) -> None:
        for days in range(6):
            given = asked(question(days), question(days, "a"), again=True)
            put.append(queue.put("service-test", "stroke", analyst, "release", given, f"k{days}"))
            over.poke()

    with Supervisor([opening(folder, place)], ledger, processes=2, grid=QUICK) as over:
        askers = [threading.Thread(target=ask, args=(f"analyst {number}",)) for number in range(3)]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()

        def answered() -> int:
            return sum(one.kind == "job-done" for one in events)

        until(lambda: answered() >= 4)
        # (on a busy machine this thread may see none in hand before all are answered)
        until(lambda: over._children[0].in_hand is not None or answered() == len(put))
        os.kill(over._children[0].pid, signal.SIGKILL)
        found = ended(queue, put)
    done = [job for job in found if job.state is JobState.DONE]
    lost = [job for job in found if job.state is JobState.FAILED]
    assert len(found) == 18 and len(lost) <= 1 and all("its charge stands" in str(job.problem) for job in lost)
    shown = [request for job in done for request in str(job.request).split(",")]
    assert len(shown) == len(set(shown)) == 2 * len(done), "each question its own answer"
    entries = custodian.custody.entries()
    states = {entry.id: entry.state.value for entry in entries}
    assert all(states[name] == "committed" for name in shown)
    assert set(states.values()) <= {"committed", "forfeited"} and len(entries) <= 36
    assert sum(entry.cost.loss for entry in entries) == custodian.remaining().spent.loss
    for job in done[:3]:
        answer = answer_of(queue, job)
        assert answer is not None and len(answer["releases"]) == 2
    assert CANARY not in rows_of_jobs(queue) + str(events)
    audit(ledger)
    verify(ledger)
    ledger.close()


def test_a_refresh_under_load_loses_no_answer(tmp_path: Path, new_place: Callable[[str], Place]) -> None:
    """The processes see the new snapshot at their next question; a question that runs ends on the old one."""
    folder = prepared(tmp_path / "own")
    place = new_place("sqlite")
    custodian = opening(folder, place, data={"stays": str(folder / "rows.csv")}).custodian()
    queue, before = Queue(custodian.ledger), custodian.snapshots["stays"]
    with Supervisor([opening(folder, place)], custodian.ledger, grid=QUICK) as over:
        jobs = [queue.put("service-test", "p", "a", "release", asked(question(days)), None) for days in range(12)]
        over.poke()
        ended(queue, jobs[:2])
        custodian.refresh()
        jobs += [queue.put("service-test", "p", "a", "release", asked(question(days)), None) for days in range(4)]
        found = ended(queue, jobs)
    after = custodian.snapshots["stays"]
    answers = [answer_of(queue, job) for job in found]
    read = [answer["releases"][0]["snapshot"] for answer in answers if answer is not None]
    assert [job.problem for job in found] == [None] * 16 and len(read) == 16
    assert after != before and set(read) == {before, after} and read[-4:] == [after] * 4
    audit(custodian.ledger)
    custodian.ledger.close()


def test_processes_end_with_whoever_started_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when that is killed: their standard input ends."""
    monkeypatch.setattr(child, "_COMMAND", (sys.executable, "-S", str(FAKE), str(tmp_path)))
    worker = child.Child("w", {}, lambda _: None)
    worker.leave()
    assert worker.wait(600) and worker.ending == "with code 0"
