"""Waiting: requests that wait for jobs to end, and are woken when they have.

Whoever ends a job tells so, and the processes that answer tell it to the process that listens. Where they run
elsewhere, or what was told is lost, one look at the queue for all who wait finds it a moment later.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import OrderedDict

from pets.errors import LedgerError
from pets.ledger.events import Event
from pets.ledger.queue import Queue

LOOK = 0.1
"""Seconds between two looks at the queue while somebody waits."""

_KEPT = 1000  # ends that are remembered, for who only now begins to wait

Waiter = tuple[asyncio.AbstractEventLoop, "asyncio.Future[float]"]


class Waiting:
    """Who waits for which job; safe from threads, and from several event loops.

    Args:
        queue: that holds the jobs.
    """

    def __init__(self, queue: Queue) -> None:
        self._queue, self._lock = queue, threading.Lock()
        self._waiters: dict[str, list[Waiter]] = {}
        self._ended: OrderedDict[str, float] = OrderedDict()
        self._looks: threading.Thread | None = None
        for kind in ("job-waiting", "job-done", "job-failed", "job-cancelled"):
            queue.ledger.listeners.on(kind, self._heard)

    async def until_ended(self, job: str, seconds: float) -> None:
        """Returns when the job's end may be seen, or might (the ledger is away, say), and when the time is over."""
        loop = asyncio.get_running_loop()
        end, found = loop.time() + seconds, loop.create_future()
        one: Waiter = (loop, found)
        with self._lock:
            if (shown := self._ended.pop(job, None)) is not None:
                found.set_result(shown)
            else:
                self._waiters.setdefault(job, []).append(one)
                self._look()
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(end):
                    shown = await found
                    # (a millisecond more: two clocks tell it, and whoever looks asks the other one)
                    await asyncio.sleep(max(0.0, shown - self._queue.ledger.time() + 0.001))
        finally:
            with self._lock:
                self._leave(job, one)

    def _leave(self, job: str, one: Waiter) -> None:
        if one in (left := self._waiters.get(job, [])):
            left.remove(one)
            if not left:
                del self._waiters[job]

    # who wakes them ---------------------------------------------------------------------------------------------

    def _heard(self, event: Event) -> None:
        """Somebody told of a job."""
        if event.job is None:
            return
        if event.kind == "job-waiting":  # once more, perhaps
            with self._lock:
                self._ended.pop(event.job, None)
        else:
            self._wake({event.job: event.shown or 0.0}, keep=True)

    def _wake(self, ended: dict[str, float], *, keep: bool = False) -> None:
        with self._lock:
            for job, shown in ended.items():
                woken = self._waiters.pop(job, None)
                if woken is None and keep:
                    self._ended[job] = shown
                for loop, found in woken or ():
                    with contextlib.suppress(RuntimeError):  # its loop was closed: nobody waits there any more
                        loop.call_soon_threadsafe(_tell, found, shown)
            while len(self._ended) > _KEPT:
                self._ended.popitem(last=False)

    def _look(self) -> None:
        """See that somebody looks; with the lock held. (A fork has none of its parent's threads.)"""
        if self._looks is None or not self._looks.is_alive():
            self._looks = threading.Thread(target=self._looking, daemon=True, name="pets-waiting")
            self._looks.start()

    def _looking(self) -> None:
        rest = threading.Event()
        while True:
            rest.wait(LOOK)
            with self._lock:
                if not self._waiters:
                    self._looks = None
                    return
                jobs = list(self._waiters)
            try:
                self._wake(self._queue.ended(jobs))
            except LedgerError:  # they are told so when they look
                self._wake(dict.fromkeys(jobs, 0.0))


def _tell(found: asyncio.Future[float], shown: float) -> None:
    if not found.done():
        found.set_result(shown)
