"""Supervisor: it starts answering processes, starts dead ones again, and ends those that take too long or too much.

It reads no row and holds no table: an application that listens to the network can own one. What an ended process had
begun stays charged; whoever asked is told no more than that it failed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, replace

from pets.common.arguments import whole_between
from pets.common.codec import Json
from pets.common.entropy import random_id
from pets.errors import LedgerError, UserError, shown
from pets.ledger.events import Event
from pets.ledger.ledger import Ledger
from pets.ledger.queue import LEASE, Queue
from pets.service.answering.child import Child
from pets.service.answering.grid import Grid
from pets.service.answering.memory import size
from pets.service.answering.presence import Presence
from pets.service.answering.reach import Reach
from pets.service.opening import Opening

LOOK = 0.1
"""Seconds between two looks at the processes."""

SOON, LATER = 0.5, 30.0
"""Seconds until a dead process is started again, at first and at most; it doubles while they die at once."""

_LOG = logging.getLogger("pets.service")


class Supervisor:
    """Answering processes, and their watchdog.

    Args:
        openings: how they open each custodian, all on one ledger.
        ledger: the same ledger, where this process has it open.
        processes: how many answer.
        timeout: seconds that one job may take.
        memory: what one process may hold, such as ``"4GB"``; left out, what the machine gives. The engine in it gets
            half of that at most, and spills to disk before the process would be ended.
        grid: when answers are shown.
        lease: seconds after which others may look what became of a job.

    Raises:
        UserError: where the tables are not stored, or the ledger would die with its process.
    """

    def __init__(
        self,
        openings: Sequence[Opening],
        ledger: Ledger | None = None,
        *,
        processes: int = 1,
        timeout: float = 300.0,
        memory: str | None = None,
        grid: Grid | None = None,
        lease: float = LEASE,
    ) -> None:
        if not openings or any(one.snapshots is None or not one.ledger for one in openings):
            raise UserError(
                "a service answers in processes of its own, from stored snapshots and a ledger that outlives them; "
                "give snapshots= a folder, and ledger= a file or the URL of a database"
            )
        if len({(one.ledger, one.keys) for one in openings}) > 1:
            raise UserError("all datasets of a service are in one ledger; start one service for each ledger")
        if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not 0 < timeout < 10**6:
            raise UserError(f"a timeout is a number of seconds above 0, not {shown(timeout)}")
        self.processes = whole_between("processes", processes, 1, 256)
        self.timeout, self.memory = float(timeout), None if memory is None else size(memory)
        self._grid, self._given = grid or Grid(), ledger
        self._first = openings[0]
        bounded = [replace(one, memory=_engines(one.memory, memory)) for one in openings]
        self._terms: Json = {"openings": [one.to_json() for one in bounded], "grid": asdict(self._grid)}
        self._terms |= {"timeout": self.timeout, "lease": float(lease)}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._owner = 0
        self._closing = threading.Event()
        self._children: list[Child] = []
        self._refused: str | None = None
        self._failing, self._opened = False, False  # whether the newest could not begin, and whether any could
        self._reach: Reach | None = None
        self._stumbled = ""
        self._warning, self._warned = threading.Lock(), list[str]()

    @property
    def problem(self) -> str | None:
        """Why no process answers, where they cannot open their tables; for the custodian."""
        return self._refused

    @property
    def ready(self) -> bool:
        """Whether one answers."""
        return any(child.ready and child.alive for child in self._children)

    @property
    def lost(self) -> str | None:
        """Why none answers any more, until this is opened anew: the ledger is not the one that it was."""
        return None if self._reach is None else self._reach.lost

    @property
    def able(self) -> bool:
        """Whether a question would be answered: by one that is there, or that is started when it comes.

        One that ended over a question is started again; whether it did tells nothing here.
        """
        return self.lost is None and (self.ready or not self._failing)

    def ensure(self) -> None:
        """Start, unless that was done in this process; cheap when it runs."""
        if self._watched():
            return
        with self._lock:
            if self._watched():
                return
            if self._closing.is_set():
                raise UserError("this service was closed; open it again")
            if self._owner != os.getpid() or not self._children:  # (a fork's parent has its own)
                self._owner, self._children = os.getpid(), []
                ledger = self._given or Ledger(self._first.ledger, keys=self._first.keys)
                self._queue = Queue(ledger, lease=self._terms["lease"])
                self._reach, self._presence = Reach(ledger), Presence(ledger)
                self._children = [self._started() for _ in range(self.processes)]
            self._thread = threading.Thread(target=self._watch, daemon=True, name="pets-supervisor")
            self._thread.start()

    def _watched(self) -> bool:
        thread = self._thread
        return thread is not None and thread.is_alive() and self._owner == os.getpid()

    def poke(self) -> None:
        """Say that a job came: a process that has nothing in hand looks at once."""
        for child in self._children:
            if child.in_hand is None:
                child.poke()

    def close(self, patience: float = 10.0) -> None:
        """End the processes: each after the job in hand, or once patience is over."""
        self._closing.set()
        thread = self._thread
        if thread is None or self._owner != os.getpid():
            return
        thread.join()
        for child in self._children:
            child.leave()
        until = time.monotonic() + patience
        for child in self._children:
            if not child.wait(max(0.0, until - time.monotonic())):
                child.kill()
            self._ended(child, "the service was stopped", again=True)
        self._children, self._thread = [], None

    def __enter__(self) -> Supervisor:
        self.ensure()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # watching ---------------------------------------------------------------------------------------------------

    def _started(self) -> Child:
        name = f"{os.uname().nodename}/{random_id()[:8]}"
        return Child(name, self._terms, self._queue.ledger.listeners.tell, self._warn)

    def _warn(self, left_out: list[str]) -> None:
        """Log what a process found of the tables that it opened or refreshed, once for all that open the same."""
        with self._warning:
            new, self._warned = [text for text in left_out if text not in self._warned], left_out
        for text in new:
            _LOG.warning("%s", text)

    def _watch(self) -> None:
        waits, due = [SOON] * self.processes, [0.0] * self.processes
        assert self._reach is not None
        while not self._closing.wait(LOOK):
            now, failed = time.monotonic(), ""
            try:
                before, thorough = self.lost, self._reach.look(now)
                if self.lost != before:
                    self._presence.take_back()
                for place, child in enumerate(self._children):
                    if child.alive:
                        self._look(child, thorough)
                        waits[place] = SOON if child.ready else waits[place]
                    elif due[place] == 0.0:
                        self._died(child)
                        due[place] = now + waits[place]
                    elif now >= due[place] and self.lost is None:
                        waits[place], due[place] = min(LATER, 2 * waits[place]), 0.0
                        self._children[place] = self._started()
                if thorough:
                    self._queue.sweep()
                    self._say_so()
            except Exception as error:
                # whatever it was: without a watchdog nothing would end a job that takes too long. (The text of an error
                # could name a place on this machine.)
                failed = type(error).__name__
                if failed != self._stumbled:
                    _LOG.warning("the watchdog could not look (%s)", failed)
            if failed or thorough:
                self._stumbled = failed

    def _say_so(self) -> None:
        """Tell whoever listens elsewhere that somebody answers here."""
        self._opened = self._opened or self.ready
        if self._opened and not self._failing:
            self._presence.say()

    def _look(self, child: Child, thorough: bool) -> None:
        """End a process whose job takes too long, was cancelled, or that holds too much."""
        held, why = child.in_hand, None
        self._failing = self._failing and not child.ready
        if self.lost is not None:
            child.leave()  # after the job in hand, which it looks at for itself
        if held is not None and time.monotonic() - held.since > self.timeout:
            why = f"it took longer than {self.timeout:g} s"
        elif self.memory is not None and child.memory > self.memory:
            why = f"its process held more than {self.memory:,} bytes"
        elif thorough and held is not None and self._queue.stopped(held.job, held.token, child.worker):
            if child.in_hand != held:  # it had just ended
                return
            why = "it was cancelled"
        if why is not None:
            self._tell("worker-killed", child)
            child.kill()
            child.wait()
            # by now it may have another job in hand, which is not to blame
            self._ended(child, why, again=child.in_hand != held)

    def _died(self, child: Child) -> None:
        """It ended by itself."""
        child.wait()
        self._refused, self._failing = child.refused, not child.ready
        if child.refused is not None:
            _LOG.error("an answering process has ended, because it cannot answer: %s", child.refused)
        self._tell("worker-died", child)
        self._ended(child, f"its process ended {child.ending}", again=True)

    def _ended(self, child: Child, why: str, *, again: bool) -> None:
        """What became of the job that an ended process had in hand, and of one that it had just taken."""
        child.wait()
        held, child.in_hand = child.in_hand, None
        shown_at = self._grid.tick(self._queue.ledger.time(), None)
        with contextlib.suppress(LedgerError):  # else it is looked up when its lease is over
            if held is not None:
                self._queue.gone(held.job, held.token, why, shown_at, again=again)
            for job, token in self._queue.left_by(child.worker, "" if held is None else held.job):
                self._queue.gone(job, token, why, shown_at, again=True)

    def _tell(self, kind: str, child: Child) -> None:
        held = child.in_hand
        job = None if held is None else held.job
        self._queue.ledger.listeners.tell(Event(kind, time.time(), worker=child.worker, job=job))


def _engines(own: str | None, limit: str | None) -> str | None:
    """The memory of an engine in a process that may hold so much: what was asked for it, or half the limit if less."""
    if limit is None or (own is not None and size(own) <= size(limit) // 2):
        return own
    return f"{max(1, size(limit) // 2_000_000)}MB"
