"""A student's folder: the answers that lie in it, and how many there were; read as what a stranger may have put there.

A trainer reads the folders of a whole class. So what is no plain file, is a link, or is too large is one sentence about
that file, and keeps nobody else from being marked.
"""

from __future__ import annotations

import csv
import json
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pets.common.codec import digest
from pets.common.files import make_folder, reading, replace_file, writing
from pets.errors import UserError, shown

ANSWERS, PROGRESS = "answers", "progress.json"
MOST_BYTES = 2_000_000
"""Of a file in a student's folder."""

_REMEMBERED = 200  # answers to a task that are known again
_MOST_COUNTED = 10_000


def text_of(path: Path, what: str) -> str:
    """What a plain file holds. Raises :class:`UserError` for a link, a pipe, a large file, or one that is no UTF-8."""
    with reading(what, path, f"lesson/{path.name}"):
        # (neither waits for the other end of a pipe, nor follows a link to what is not the student's)
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise ValueError("no plain file")
            held = file.read(MOST_BYTES + 1)
        if len(held) > MOST_BYTES:
            raise UserError(f"{what} in {shown(path.name)} has more than {MOST_BYTES:,} bytes; write a shorter one")
        return held.decode("utf-8-sig")


def read_answer(path: Path) -> list[str]:
    """The parts of an answer in a file: the first column, below its head. R and SQL write it as well.

    Raises :class:`UserError` for a file that cannot be read.
    """
    text = text_of(path, "the answer")
    try:
        lines = [line for line in csv.reader(text.splitlines()) if line and line[0].strip()]
    except csv.Error:
        raise UserError(f"the answer in {shown(path.name)} is no CSV; write one column with a head") from None
    return [line[0].strip() for line in lines[1:]]


def keep_answer(folder: Path, task: str, parts: Iterable[str]) -> None:
    """Write an answer into the folder; :func:`read_answer` reads it."""
    with writing("your answers", str(folder), "lesson"):
        make_folder(folder / ANSWERS)
        order = sorted(parts, key=lambda part: (len(part), part))
        lines = "".join(f"{_cell(part)}\n" for part in ["answer", *order])
        replace_file(folder / ANSWERS / f"{task}.csv", lines.encode("utf-8"))


def _cell(part: str) -> str:
    return '"' + part.replace('"', '""') + '"' if set(part) & set(',"\n\r') else part


@dataclass(frozen=True)
class Tries:
    """What is known of the answers to one task.

    Attributes:
        attempts: how many there were that differ.
        seen: digests of these, the last of them last.
        score: of the last one; ``None`` where it was not marked.
    """

    attempts: int = 0
    seen: tuple[str, ...] = ()
    score: int | None = None

    def and_one(self, parts: frozenset[str]) -> Tries:
        """With one more answer; one that was given before is none."""
        told = digest(sorted(parts))
        if told in self.seen:
            return self
        return Tries(min(self.attempts + 1, _MOST_COUNTED), (*self.seen, told)[-_REMEMBERED:], self.score)


def read_progress(folder: Path) -> dict[str, Tries]:
    """What is known of earlier attempts; a file that is torn or edited into what is none counts as none."""
    try:
        told = json.loads(text_of(folder / PROGRESS, "the progress"))
        return {str(name): _tries(one) for name, one in told.items()}
    except (UserError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return {}


def _tries(one: Any) -> Tries:
    attempts, seen, score = one["attempts"], one["seen"], one["score"]
    if not 0 <= int(attempts) <= _MOST_COUNTED or not all(isinstance(told, str) for told in seen):
        raise ValueError
    if score is not None and (not isinstance(score, int) or not 0 <= score <= 100):
        raise ValueError
    return Tries(int(attempts), tuple(seen), score)


def keep_progress(folder: Path, progress: dict[str, Tries]) -> None:
    """Write it into the folder."""
    form = {
        name: {"attempts": one.attempts, "seen": list(one.seen), "score": one.score} for name, one in progress.items()
    }
    with writing("your answers", str(folder), "lesson"):
        replace_file(folder / PROGRESS, (json.dumps(form, indent=1) + "\n").encode("utf-8"))
