"""What is forced to the disk before anything else happens: every write of the account, and what somebody was told."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pets.ledger.ledger import Ledger
from pets.ledger.queue import JobState, Queue, QueuedJob
from pets.ledger.tokens import Tokens
from tests.ledgers import MILLI, Place, account, ask, audit, opened, request, seal, verify

FORCED = {"sqlite": 2, "postgresql": "on"}
PROBLEM = {"code": "release-failed", "message": "no", "retry_after": None}


@contextlib.contextmanager
def levels(ledger: Ledger) -> Iterator[list[bool]]:
    """Of each transaction that writes, whether it is forced, as the database says at the moment of its commit."""
    found: list[bool] = []

    def commits(connection: sa.Connection) -> None:
        if "writes" not in connection.get_execution_options():
            return
        kind = connection.dialect.name
        asks = "PRAGMA synchronous" if kind == "sqlite" else "SHOW synchronous_commit"
        driver: Any = connection.connection.driver_connection
        found.append(driver.execute(asks).fetchone()[0] == FORCED[kind])

    sa.event.listen(ledger._store._engine, "commit", commits)
    yield found
    sa.event.remove(ledger._store._engine, "commit", commits)


def put(queue: Queue) -> QueuedJob:
    return queue.put("d", "p", "a", "release", {"queries": [{"table": "t"}]}, None)


def test_every_write_is_forced_but_a_workers_own(place: Place) -> None:
    """On one connection, in turn: none is as the one before it was."""
    with opened(place) as ledger:
        queue, asker = Queue(ledger), account(ledger)
        with levels(ledger) as found:

            def forced(does: Callable[[], Any]) -> tuple[Any, set[bool]]:
                del found[:]
                return does(), set(found)

            def claimed() -> QueuedJob:
                job, is_forced = forced(lambda: queue.claim("w"))
                assert job is not None and is_forced == {False}
                return job

            assert forced(lambda: put(queue))[1] == {True}, "its asker was told of it"
            job = claimed()
            grants, is_forced = forced(lambda: asker.reserve([request(key=job.ledger_key)]))
            assert is_forced == {True}
            assert forced(lambda: queue.keep(job)) == (True, {False})
            assert forced(lambda: seal(asker, grants[0]))[1] == {True}
            assert forced(lambda: queue.done(job, grants[0].id, 0.0)) == (True, {False})
            assert forced(lambda: Tokens(ledger).create("a", "p"))[1] == {True}
            for told in (
                lambda job: queue.failed(job, PROBLEM, 0.0),
                lambda job: queue.cancel(job.id, "p", "a"),
                lambda job: queue.gone(job.id, job.token, "why", 0.0, again=False),
            ):
                put(queue)
                job = claimed()
                assert forced(lambda told=told, job=job: told(job))[1] == {True}  # type: ignore[misc]


@pytest.mark.parametrize("lost", ["claim", "end"])
def test_what_a_power_cut_takes_of_a_job_is_done_again_and_charged_once(lost: str, tmp_path: Path) -> None:
    """The files as they are without the newest writes that were not forced, which is all that a power cut takes."""
    place, kept = Place(str(tmp_path / "ledger.db"), str(tmp_path)), tmp_path / "kept"
    kept.mkdir()

    def keep() -> None:
        for file in tmp_path.glob("ledger.db*"):
            if not file.name.endswith("-shm"):  # memory, no file
                shutil.copy(file, kept)

    now = [1_800_000_000.0]
    with opened(place, clock=lambda: now[0]) as ledger:
        queue, asker = Queue(ledger), account(ledger)
        job = put(queue)
        if lost == "claim":
            keep()
        claimed = queue.claim("w")
        assert claimed is not None
        first = None
        if lost == "end":
            (first,) = ask(asker, request("q", key=claimed.ledger_key))
            keep()
            assert queue.done(claimed, first.request, now[0])
    for file in tmp_path.glob("ledger.db*"):
        file.unlink()
    for file in kept.iterdir():
        shutil.copy(file, tmp_path)
    with opened(place, clock=lambda: now[0]) as ledger:
        queue, asker = Queue(ledger), account(ledger)
        found = queue.find(job.id, "p", "a")
        assert found is not None and found.state is (JobState.WAITING if lost == "claim" else JobState.RUNNING)
        now[0] += 31
        queue.sweep()
        again = queue.claim("v")
        assert again is not None and again.id == job.id
        assert not queue.done(claimed, "r", now[0]), "the worker from before, where only the database had fallen"
        (answer,) = ask(asker, request("q", key=again.ledger_key))
        assert first is None or answer == first
        assert queue.done(again, answer.request, now[0])
        found = queue.find(job.id, "p", "a")
        assert found is not None and queue.sealed(found) == [answer]
        assert asker.standing().spent.loss == 10 * MILLI
        audit(ledger)
        verify(ledger)
