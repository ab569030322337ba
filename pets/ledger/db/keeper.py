"""Keeper: one thread that renews the leases of all that is under way in a process.

A thread for each request would cost it two changes of thread before it is answered.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator


class Keeper:
    """Calls what renews a lease, again and again, until it is let go; safe from threads.

    Its thread begins with the first lease, and ends when it finds none.

    Args:
        every: seconds between two calls.
    """

    def __init__(self, every: float) -> None:
        self._every, self._lock, self._numbers = every, threading.Lock(), itertools.count()
        self._calling = threading.RLock()
        self._kept: dict[int, tuple[float, Callable[[], object]]] = {}
        self._runs = False

    @contextlib.contextmanager
    def keeping(self, renew: Callable[[], object]) -> Iterator[None]:
        """While this lasts, ``renew`` is called; a call that has begun may end just after."""
        number = next(self._numbers)
        with self._lock:
            if not self._runs:  # first: where no thread can be had, nothing is kept, and nobody's lease for ever
                threading.Thread(target=self._run, daemon=True, name="pets-keeper").start()
                self._runs = True
            self._kept[number] = (time.monotonic() + self._every, renew)
        try:
            yield
        finally:
            with self._lock:
                self._kept.pop(number, None)

    def close(self) -> None:
        """Let go of all: no call begins any more, and one that has begun has ended."""
        with self._lock:
            self._kept.clear()
        with self._calling:
            pass

    def _run(self) -> None:
        rest = threading.Event()
        try:
            while (seconds := self._round()) is not None:
                rest.wait(seconds)
        except BaseException:
            with self._lock:
                self._runs = False  # whoever is kept next begins another thread, which renews these too
            raise

    def _round(self) -> float | None:
        """Renew what is due. Gives the seconds until the next one is; ``None``: nothing is kept, and this ends."""
        now = time.monotonic()
        with self._lock:
            if not self._kept:
                self._runs = False
                return None
            due = [number for number, (at, _) in self._kept.items() if at <= now]
            self._kept |= {number: (now + self._every, self._kept[number][1]) for number in due}
            first = min(at for at, _ in self._kept.values())
        for number in due:
            # whatever it was, an exit too, the others are renewed, and this one next time
            with self._calling, contextlib.suppress(BaseException):
                self._call(number)
        return max(0.0, first - time.monotonic())

    def _call(self, number: int) -> None:
        with self._lock:
            kept = self._kept.get(number)
        if kept is not None:  # it may have been let go since
            kept[1]()
