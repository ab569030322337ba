"""A quiz: answers are marked with a score, and with one more hint after each attempt; the answer is never told."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from pets.common import html_table
from pets.common.files import reading
from pets.errors import UserError, did_you_mean, shown
from pets.synthetic.quiz.folder import Tries, keep_answer, keep_progress, read_progress, text_of
from pets.synthetic.quiz.key import ONLY_DETERS, Key, PlainKey, SlowKey, read_key
from pets.synthetic.quiz.task import Task

COARSE = 25
"""Students are told quarters: the score of one row alone would tell whether it is of the answer."""

KIND, VERSION = "quiz", 1
"""What ``pets.load`` knows its file by."""


@dataclass(frozen=True)
class Mark:
    """What is said about an answer.

    Attributes:
        task: its name.
        score: from 0 to 100, in quarters: what was found, less what is innocent. ``None`` where the trainer marks.
        attempts: how many answers there were that differ.
        said: a sentence, with a hint or with what is learnt.
    """

    task: str
    score: int | None
    attempts: int
    said: str

    def __str__(self) -> str:
        return f"{self.task}: {self.said}"

    __repr__ = __str__


@dataclass(frozen=True)
class Place:
    """Where answers are marked: the address of a trainer's service, and the token of one student."""

    address: str
    token: str

    def __repr__(self) -> str:
        return f"<answers are marked at {self.address}>"

    def to_json(self) -> dict[str, str]:
        """For the student's file."""
        return {"address": self.address, "token": self.token}


class Marker(Protocol):
    """What marks elsewhere."""

    def mark(self, task: Task, parts: frozenset[str]) -> Mark:
        """The mark of an answer; its score is ``None`` where none is told."""


class Quiz(Mapping[str, Task]):
    """Tasks by name; ``quiz.answer("counted-twice", [3, 17])`` marks an answer.

    Args:
        tasks: what is asked.
        keys: what knows the answers, by task; a task without one is noted, and marked by the trainer.
        title: what it is about.
        folder: where answers and progress are kept; left out, in memory.
        coarse: the steps of the score, in percent.
        place: the service at which answers are marked, where there is one; :meth:`marked_by` then marks there.
    """

    def __init__(
        self,
        tasks: Iterable[Task],
        keys: Mapping[str, Key],
        title: str = "",
        folder: Path | None = None,
        *,
        coarse: int = COARSE,
        student: str = "",
        place: Place | None = None,
    ) -> None:
        self._tasks = {task.name: task for task in tasks}
        self._keys = {name: key for name, key in keys.items() if name in self._tasks}
        self._folder, self._coarse = folder, coarse
        self.title, self.student, self.place = title, student, place
        self._marker: Marker | None = None
        self._progress: dict[str, Tries] = {} if folder is None else read_progress(folder)

    def __getitem__(self, name: str) -> Task:
        if not isinstance(name, str) or name not in self._tasks:
            raise UserError(f"there is no task {shown(name)}{did_you_mean(name, self._tasks)}")
        return self._tasks[name]

    def __iter__(self) -> Any:
        return iter(self._tasks)

    def __len__(self) -> int:
        return len(self._tasks)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._tasks

    @classmethod
    def load(cls, path: str | Path = "quiz.json") -> Quiz:
        """The quiz of a lesson's folder: answers are kept beside it, and marked where the file can.

        What is marked by a service is noted alone here; ``pets.load`` asks the service.

        Raises :class:`UserError` for a file that is none.
        """
        with reading("the quiz", path, "quiz.json"):
            file = Path(path)
        return cls.read(text_of(file, "the quiz"), str(path), file.parent)

    @classmethod
    def read(cls, text: str, name: str, folder: Path | None = None, *, coarse: int = COARSE) -> Quiz:
        """A quiz from the text of its file. Raises :class:`UserError` for a text that is none."""
        try:
            told = json.loads(text)
            if (told["pets"], told["version"]) != (KIND, VERSION):
                raise ValueError
            tasks = [
                Task(one["name"], one["kind"], one["question"], one["hints"], one["lesson"], one["decimals"])
                for one in told["tasks"]
            ]
            keys = {one["name"]: key for one in told["tasks"] if (key := read_key(one)) is not None}
            at, title, student = told.get("service"), str(told["title"]), str(told["student"])
            place = None if at is None else Place(_plain(at["address"]), _plain(at["token"]))
            return cls(tasks, keys, title, folder, coarse=coarse, student=student, place=place)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            raise UserError(f"the file {shown(name)} is no quiz; give the quiz.json of a lesson's folder") from None

    def to_file(self, salt: bytes | None = None, *, answers: bool = False, place: Place | None = None) -> str:
        """The text of a file: with the ``answers`` for the trainer, with hashes of them under a ``salt``, or bare.

        Hints, and what is learnt from each task, are in no file that cannot mark: they come from the trainer, or from
        the service at a ``place``.
        """
        told, marks = [], answers or salt is not None
        for name, task in self._tasks.items():
            key, one = self._keys.get(name), (task if marks else replace(task, hints=(), lesson="")).to_json()
            if isinstance(key, PlainKey) and answers:
                one |= key.to_json()
            elif isinstance(key, PlainKey) and salt is not None:
                one |= SlowKey.of(key, salt + name.encode("utf-8")).to_json()
            told.append(one)
        note = "The trainer's: hand it to nobody." if answers else ONLY_DETERS if salt is not None else ""
        whole = {
            "pets": KIND,
            "version": VERSION,
            "note": note,
            "title": self.title,
            "student": self.student,
            "tasks": told,
        } | ({} if place is None else {"service": place.to_json()})
        return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"

    def answer(self, task: str, answer: object) -> Mark:
        """Mark an answer. What is empty is no attempt, and neither is the same answer again.

        Raises :class:`UserError` for a task that is not there, and for what is no answer to it.
        """
        asked = self[task]
        parts = asked.parts(answer)
        if not parts:
            return Mark(task, self._score(task), self.attempts(task), NOT_YET)
        tries = self._tries(task).and_one(parts)
        if self._marker is not None:
            self._keep(task, parts, replace(tries, score=None))  # before it is sent: nothing is lost on its way
            mark = self._marker.mark(asked, parts)
            self._keep(task, parts, replace(tries, attempts=mark.attempts or tries.attempts, score=mark.score))
            return mark
        score = None if task not in self._keys else self.exactly(task, parts) // self._coarse * self._coarse
        self._keep(task, parts, replace(tries, score=score))
        return Mark(task, score, tries.attempts, sentence(asked, score, tries.attempts))

    def exactly(self, task: str, parts: frozenset[str]) -> int:
        """The score of an answer's parts to a percent, which no student is told; it is no attempt.

        Raises :class:`UserError` for a task whose answer is not known here.
        """
        if (key := self._keys.get(task)) is None:
            raise UserError(f"the answer to {task!r} is not known here; take the trainer's own file")
        return scored(*key.compare(self[task], parts))

    def marked_by(self, marker: Marker) -> Quiz:
        """The same quiz, whose answers somebody else marks."""
        self._marker = marker
        return self

    def tried(self, task: str, parts: frozenset[str]) -> int:
        """How many answers there were to a task with this one, be it among them or not."""
        return self._tries(task).and_one(parts).attempts

    def attempts(self, task: str) -> int:
        """How many answers there were to a task."""
        return self._tries(task).attempts

    def _tries(self, task: str) -> Tries:
        return self._progress.get(task, Tries())

    @property
    def score(self) -> int:
        """The mean score of all tasks, from 0 to 100; what was not answered counts as 0."""
        scores = [self._score(name) or 0 for name in self._tasks]
        return sum(scores) // len(scores) if scores else 0

    def _score(self, task: str) -> int | None:
        return self._tries(task).score

    def rows(self) -> list[tuple[str, str, str]]:
        """Each task with its score and its attempts, as texts."""
        out = []
        for name in self._tasks:
            score = self._score(name)
            noted = "noted" if self.attempts(name) else "open"
            out.append((name, noted if score is None else f"{score} %", str(self.attempts(name))))
        return out

    def __repr__(self) -> str:
        lines = [f"  {name}: {score}, attempts {attempts}" for name, score, attempts in self.rows()]
        return "\n".join([f"<Quiz {self.title}: {self.stand}>", *lines])

    @property
    def stand(self) -> str:
        """How far one is: the score, or where nothing is marked here, how many tasks have an answer."""
        if self._keys or self._marker is not None or any(one.score is not None for one in self._progress.values()):
            return f"{self.score} % of {len(self)} tasks"
        return f"{sum(self.attempts(name) > 0 for name in self)} of {len(self)} tasks answered; your trainer marks them"

    def _repr_html_(self) -> str:
        return html_table.block(
            html_table.table(f"{self.title}: {self.stand}", ("task", "score", "attempts"), self.rows(), numbers=(1, 2))
        )

    def _keep(self, task: str, parts: frozenset[str], told: Tries) -> None:
        self._progress[task] = told
        if self._folder is not None:
            keep_answer(self._folder, task, parts)
            keep_progress(self._folder, self._progress)


NOT_YET = "not answered yet"


def _plain(text: object) -> str:
    if not isinstance(text, str) or not 0 < len(text) <= 500:
        raise ValueError
    return text


def scored(right: int, wrong: int, wanted: int) -> int:
    """What was found less what is innocent, rounded down; 100 for all of them and no other."""
    if right == wanted and not wrong:
        return 100
    return min(99, max(0, 100 * (right - wrong) // max(1, wanted)))


def sentence(task: Task, score: int | None, attempts: int, most: int | None = None) -> str:
    """What is said of an answer: it follows from the score and the number of attempts alone.

    Args:
        most: attempts that are marked; ``None``: all are.
    """
    tried = f"(attempt {attempts}{'' if most is None else f' of {most}'})"
    if score is None:
        return f"noted {tried}; your trainer marks it"
    if score == 100:
        return f"right, 100 % {tried}." + (f" {task.lesson}" if task.lesson else "")
    hint = hint_of(task, attempts)
    return f"{score} % {tried}." + (f" Hint: {hint}" if hint else "")


def hint_of(task: Task, attempts: int) -> str:
    """The hint after so many attempts: one more after each, whatever they were; empty where there is none."""
    return task.hints[min(max(attempts, 1), len(task.hints)) - 1] if task.hints else ""
