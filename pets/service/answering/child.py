"""Child: one answering process, as whoever watches it sees it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pets.common.codec import Json, canonical
from pets.ledger.events import Event
from pets.service.answering.memory import resident

_COMMAND = (sys.executable, "-m", "pets.service.answering.process")


@dataclass(frozen=True)
class InHand:
    """The job that a process answers now."""

    job: str
    token: str
    since: float


class Child:
    """A Python of its own, never a fork: it shares no memory and no lock with whoever starts it.

    Attributes:
        worker: its name in the queue.
        in_hand: the job that it answers.
        ready: whether it has opened its tables.
        refused: why it could not, where it said so.
        began: when, by the monotonic clock.
    """

    def __init__(
        self,
        worker: str,
        terms: Json,
        told: Callable[[Event], None],
        warned: Callable[[list[str]], None] = lambda _: None,
    ) -> None:
        self.worker, self.began = worker, time.monotonic()
        self.in_hand: InHand | None = None
        self.ready = False
        self.refused: str | None = None
        self._told, self._warned = told, warned
        home = str(Path(__file__).parents[3])
        path = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH")]))
        self._process = subprocess.Popen(
            _COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # a library could print a value of a row
            env=os.environ | {"PYTHONPATH": path},
            start_new_session=True,  # ctrl-C at a terminal is for whoever started this
        )
        self._write(canonical(terms | {"worker": worker}) + b"\n")
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    @property
    def ending(self) -> str:
        """How it ended, for the custodian."""
        code = self._process.poll()
        return f"by signal {-code}" if code is not None and code < 0 else f"with code {code}"

    @property
    def memory(self) -> int:
        """Bytes that it holds."""
        return resident(self.pid)

    def poke(self) -> None:
        """Say that a job came."""
        self._write(b"\n")

    def leave(self) -> None:
        """Ask it to end after the job in hand."""
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()

    def kill(self) -> None:
        """End it at once."""
        with contextlib.suppress(OSError):
            self._process.kill()

    def wait(self, seconds: float | None = None) -> bool:
        """Whether it ended in time; all that it said has been heard then."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        self._reader.join(5.0)
        self.leave()
        return True

    def _write(self, line: bytes) -> None:
        with contextlib.suppress(OSError, ValueError):  # it has ended, or was asked to
            assert self._process.stdin is not None
            self._process.stdin.write(line)
            self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                try:
                    self._hear(json.loads(line))
                except (ValueError, LookupError, TypeError):
                    continue  # cut off by its end

    def _hear(self, said: Json) -> None:
        if "event" in said:
            self._told(Event.from_json(said["event"] | {"worker": self.worker}))
        elif "running" in said:
            self.in_hand = InHand(said["running"], said["token"], time.monotonic())
        elif "ended" in said:
            self.in_hand = None
        elif "ready" in said:
            self.ready = True
            self._told(Event("worker-ready", time.time(), worker=self.worker))
        elif "left_out" in said:
            self._warned(list(map(str, said["left_out"])))
        elif "refused" in said:
            self.refused = str(said["refused"]["message"])
