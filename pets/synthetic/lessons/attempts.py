"""The log of attempts that a marking service keeps beside the trainer's keys: who answered what, when, and how well.

A line of JSON for each answer that differs from all before it, on the disk before its score is told. Who wrote it marks
alone: a second service on the same folder is refused.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pets.common import clock
from pets.common.codec import canonical, digest
from pets.common.files import reading, writing
from pets.errors import UserError, shown

ATTEMPTS = "attempts.jsonl"


@dataclass(frozen=True)
class Attempt:
    """One answer of one student.

    Attributes:
        student, task: whose, to what.
        answer: its parts.
        score: from 0 to 100, exactly; a student is told quarters.
        at: the time, ISO 8601.
    """

    student: str
    task: str
    answer: tuple[str, ...]
    score: int
    at: str

    @property
    def digest(self) -> str:
        """By which the same answer is known again."""
        return digest(sorted(self.answer))

    def line(self) -> bytes:
        """As it stands in the log."""
        form = {"at": self.at, "student": self.student, "task": self.task, "answer": list(self.answer)}
        return canonical(form | {"score": self.score}) + b"\n"


Known = dict[tuple[str, str], list[Attempt]]
"""By student and task, in the order of time."""


def read_attempts(folder: Path) -> Known:
    """The attempts that were logged in a trainer's folder; none where no service marked.

    Raises :class:`UserError` for a line that is no attempt; one that a crash cut short, at the end, counts as none.
    """
    file = folder / ATTEMPTS
    if not file.exists():
        return {}
    with reading("the log of attempts", file, f"trainer/{ATTEMPTS}"):
        return _sorted(_read(file.read_bytes()))


def _sorted(every: Iterable[Attempt]) -> Known:
    out: Known = {}
    for one in every:
        out.setdefault((one.student, one.task), []).append(one)
    return out


def _read(held: bytes) -> Iterator[Attempt]:
    whole = held[: held.rfind(b"\n") + 1]  # what stands behind was never told to anybody
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            yield _attempt(json.loads(line))
        except (ValueError, LookupError, TypeError, RecursionError):
            raise UserError(f"line {number} of {ATTEMPTS} is no attempt; take it out, or ask who edited it") from None


def _attempt(form: Any) -> Attempt:
    score = form["score"]
    if isinstance(score, bool) or not isinstance(score, int) or not 0 <= score <= 100:
        raise ValueError
    parts = tuple(str(part) for part in form["answer"])
    return Attempt(str(form["student"]), str(form["task"]), parts, score, str(form["at"]))


class Attempts:
    """The log while a service marks; safe in one thread at a time.

    Raises :class:`UserError` for a folder that cannot be written, or at which another service marks.
    """

    def __init__(self, folder: Path) -> None:
        file = folder / ATTEMPTS
        with writing("the log of attempts", str(file), f"trainer/{ATTEMPTS}"):
            self._file = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise UserError(
                    f"another service marks with {shown(str(folder))} already; stop that one first, or let it go on"
                ) from None
            self._known = read_attempts(folder)
            self._size = file.read_bytes().rfind(b"\n") + 1
            os.ftruncate(self._file, self._size)  # what a crash cut short
        except BaseException:
            os.close(self._file)
            raise

    def of(self, student: str, task: str) -> list[Attempt]:
        """The answers of a student to a task so far."""
        return list(self._known.get((student, task), ()))

    def note(self, student: str, task: str, parts: Iterable[str], score: int) -> None:
        """One more; it is on the disk when this returns. Raises ``OSError``, and then it never was."""
        one = Attempt(student, task, tuple(sorted(parts)), score, clock.now())
        line = one.line()
        try:
            left = memoryview(line)
            while left:
                left = left[os.write(self._file, left) :]
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, self._size)
            raise
        self._size += len(line)
        self._known.setdefault((student, task), []).append(one)

    def close(self) -> None:
        """No more; another service may mark."""
        os.close(self._file)
