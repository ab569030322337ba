"""An answering process: it opens the custodian's tables, claims jobs and answers them, one at a time.

:mod:`pets.service.answering.supervisor` starts it as a Python of its own, with its terms as one line of JSON on
standard input, and reads what it says, a line of JSON each, from standard output. When standard input ends, so does
the process, once the job in hand is done. What libraries print goes nowhere.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from typing import Any, TextIO

from pets.common.codec import Json, canonical
from pets.errors import LedgerDownError, LedgerError, PetsError
from pets.ledger.events import ANY
from pets.ledger.queue import Queue, QueuedJob
from pets.ledger.queued.kinds import REFRESH
from pets.service.answering.grid import Grid
from pets.service.answering.work import Work
from pets.service.opening import Opening
from pets.session.custodian import Custodian

LOOK = 0.05
"""Seconds between two looks for a job, unless somebody says that there is one."""

LAST = 1.0
"""Seconds that the process then has to end by itself."""

AWAY = 1.0
"""Seconds after which a database that could not be reached is tried again."""


_GOES_ON = ("delivered", "job-done", "job-running")
"""Events after which there is more to say at once: whoever watches is woken for all of it together."""


class Lines:
    """What is said to whoever watches; from several threads, a line at a time."""

    def __init__(self, out: TextIO) -> None:
        self._out, self._lock = out, threading.Lock()

    def __call__(self, *, more: bool = False, **said: Any) -> None:
        """Say it; nobody there to hear it is no error of this process.

        ``more``: it is heard with what is said next, which follows at once.
        """
        line = canonical(said).decode() + "\n"
        with self._lock, contextlib.suppress(OSError):
            self._out.write(line)
            if not more:
                self._out.flush()


class Keeper:
    """Renews the lease of the job in hand, from a thread of its own."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._job: QueuedJob | None = None
        threading.Thread(target=self._run, daemon=True).start()

    def hold(self, job: QueuedJob | None) -> None:
        """This one from now on."""
        self._job = job

    def _run(self) -> None:
        while True:
            time.sleep(self._queue.lease / 3)
            job = self._job
            if job is not None:
                with contextlib.suppress(LedgerError):  # the database is away: the next time
                    self._queue.keep(job)


def answering(terms: Json, heard: TextIO, say: Lines) -> None:
    """Open what the terms name, then answer until nobody listens any more.

    Raises:
        PetsError: why it cannot begin, or not go on: the ledger is no longer the one that it opened. (One that is away
            is waited for.)
    """
    custodians = [Opening.from_json(one).custodian() for one in terms["openings"]]
    ledger = custodians[0].ledger
    queue = Queue(ledger, lease=terms["lease"])
    grid = Grid(**terms["grid"])
    work = Work(custodians, queue, grid)
    ledger.listeners.on(ANY, lambda event: say(event=event.to_json(), more=event.kind in _GOES_ON))
    poked, ended, idle = threading.Event(), threading.Event(), threading.Event()
    leaving = (heard, poked, ended, idle, terms["timeout"])
    threading.Thread(target=_until_alone, args=leaving, daemon=True).start()
    keeper = Keeper(queue)
    say(ready=True)
    say(left_out=_left_out(custodians))
    job: QueuedJob | None = None
    left: QueuedJob | None = None  # when the database went away
    while job is not None or not ended.is_set():
        idle.clear()
        try:
            if left is not None:
                queue.gone(left.id, left.token, "the database went away", grid.tick(ledger.time(), None), again=True)
                left = None
            job = job or queue.claim(terms["worker"], work.datasets, shown=grid.tick(ledger.time(), None))
        except LedgerDownError:
            ended.wait(AWAY)
            continue
        if job is None:
            idle.set()
            poked.wait(LOOK)
            poked.clear()
            continue
        following = None
        say(running=job.id, token=job.token)
        keeper.hold(job)
        try:
            following = work.answer(job, lambda: None if ended.is_set() else terms["worker"])
        except LedgerDownError:
            left = job  # what became of it, nobody knows
            ended.wait(AWAY)
        finally:
            keeper.hold(None)
        if job.kind == REFRESH:
            say(left_out=_left_out(custodians))
        say(ended=job.id, more=following is not None)
        job = following


def _left_out(custodians: list[Custodian]) -> list[str]:
    """For the service's log: of which tables too many rows are left out; no count of rows leaves this process."""
    return [lost.noted for one in custodians for lost in one.custody.left_out]


def _until_alone(
    heard: TextIO, poked: threading.Event, ended: threading.Event, idle: threading.Event, most: float
) -> None:
    """Each line says that a job came; their end, that nobody watches: the job in hand is the last, and not for ever."""
    for _ in heard:
        poked.set()
    ended.set()
    idle.wait(most)
    time.sleep(LAST)
    os._exit(0)


def main() -> None:
    """Run as a process of its own."""
    said = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    say = Lines(said)
    try:
        answering(json.loads(sys.stdin.readline()), sys.stdin, say)
    except PetsError as error:
        say(refused={"code": error.code, "message": str(error)})


if __name__ == "__main__":
    main()
