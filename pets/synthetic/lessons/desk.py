"""The desk at which a class is marked: it has the keys, and tells scores in quarters and hints, for a few attempts.

What is said follows from the score in quarters and from how many attempts there were, and from nothing else. Attempts
are counted and logged before anything is said, and the number of those that are marked is limited: eight tell at most
eight times one of five scores, which is less than where seven rows lie among ninety.
"""

from __future__ import annotations

import csv
import hashlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pets.common.codec import digest
from pets.common.files import reading, replace_file, writing
from pets.errors import UserError
from pets.synthetic.lessons.attempts import Attempts
from pets.synthetic.quiz.quiz import COARSE, NOT_YET, Mark, Quiz, sentence
from pets.synthetic.quiz.secret import Secret

TOKENS = "tokens.csv"
MOST = {"rows": 8, "texts": 8, "number": 5, "text": 3}
"""Attempts that are marked, by the kind of a task."""

MOST_PARTS = 5_000
"""Of an answer."""

USED_UP = (
    "all {most} attempts that are marked here are taken; the answer in your folder counts, and your trainer marks it"
)


@dataclass(frozen=True, repr=False)
class Seat:
    """One student of one lesson, with the answers; nothing of it is told but by :class:`Desk`."""

    student: str
    quiz: Quiz
    log: Attempts


@dataclass(frozen=True)
class Told:
    """What a student is told about a task."""

    mark: Mark
    left: int


def token_of(own: Secret) -> str:
    """The token of a student, from the secret of that student's own: who has it answers in the student's name."""
    return f"lesson_{own.bytes_for('token').hex()}"


def write_tokens(key: Path, tokens: Mapping[str, str]) -> None:
    """Keep the hashes of a class's tokens among what is the trainer's."""
    lines = [f"{name},{_hash(token)}" for name, token in tokens.items()]
    with writing("the tokens", str(key), "trainer"):
        replace_file(key / TOKENS, "\n".join(["student,sha256", *lines, ""]).encode("utf-8"), owner_only=True)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


class Desk:
    """Marks the answers of the classes that some trainer's folders have the keys of; safe from threads.

    Args:
        folders: which ``pets learn prepare --key`` wrote.
        most: attempts that are marked, by the kind of a task.

    Raises :class:`UserError` for a folder without keys or tokens, or at which somebody else marks already.
    """

    def __init__(self, folders: Sequence[Path], most: Mapping[str, int] = MOST) -> None:
        self._lock, self._most = threading.Lock(), dict(most)
        self._seats: dict[str, Seat] = {}
        self._logs: list[Attempts] = []
        try:
            for folder in folders:
                seats = _seats(folder)
                self._logs.append(log := Attempts(folder))
                self._seats |= {key: Seat(name, quiz, log) for key, (name, quiz) in seats.items()}
        except BaseException:
            self.close()
            raise

    def find(self, token: str) -> Seat | None:
        """Whose token that is; ``None``: nobody's."""
        return self._seats.get(_hash(token))

    @property
    def classes(self) -> dict[str, int]:
        """By the title of a lesson, how many students there are."""
        titles = [seat.quiz.title for seat in self._seats.values()]
        return {title: titles.count(title) for title in dict.fromkeys(titles)}

    def answer(self, seat: Seat, task: str, answer: object) -> Told:
        """Mark an answer. What is empty is no attempt, and one that was given before is told what it was told.

        Raises:
            UserError: for a task that is not there, and for what is no answer to it.
            OSError: where it could not be logged; it then was no attempt, and nothing is told.
        """
        asked = seat.quiz[task]
        parts = asked.parts(answer)
        if len(parts) > MOST_PARTS:
            raise UserError(f"an answer to {task!r} has at most {MOST_PARTS:,} parts here; name those that are meant")
        most = self._most[asked.kind]
        with self._lock:
            before = seat.log.of(seat.student, task)
            scores = {one.digest: one.score for one in before}
            if not parts:
                return Told(Mark(task, None, len(before), NOT_YET), most - len(before))
            score = scores.get(digest(sorted(parts)))
            if score is None:
                if len(before) >= most:
                    return Told(Mark(task, None, len(before), USED_UP.format(most=most)), 0)
                score = seat.quiz.exactly(task, parts)
                seat.log.note(seat.student, task, parts, score)
            attempts = len(seat.log.of(seat.student, task))
        quarters = score // COARSE * COARSE
        said = sentence(asked, quarters, attempts, most)
        return Told(Mark(task, quarters, attempts, said), most - attempts)

    def progress(self, seat: Seat) -> list[Told]:
        """What was last told of each task."""
        out = []
        with self._lock:
            for name, task in seat.quiz.items():
                every = seat.log.of(seat.student, name)
                score = every[-1].score // COARSE * COARSE if every else None
                said = sentence(task, score, len(every), self._most[task.kind]) if every else NOT_YET
                out.append(Told(Mark(name, score, len(every), said), self._most[task.kind] - len(every)))
        return out

    def close(self) -> None:
        """Mark no more."""
        for log in self._logs:
            log.close()


def _seats(folder: Path) -> dict[str, tuple[str, Quiz]]:
    """By the hash of a token, a student and the quiz with its answers."""
    if not (folder / TOKENS).is_file():
        raise UserError(
            f"there are no tokens in {str(folder)!r}; prepare the class with --service and the address of the service"
        )
    with reading("the tokens", folder / TOKENS, f"trainer/{TOKENS}"):
        text = (folder / TOKENS).read_text("utf-8-sig")
    out = {}
    for row in csv.DictReader(text.splitlines()):
        name, told = str(row.get("student") or ""), str(row.get("sha256") or "")
        file = folder / f"{name}.json"
        with reading("the answers", file, "trainer/s01.json"):
            out[told] = name, Quiz.read(file.read_text("utf-8"), str(file))
    return out
