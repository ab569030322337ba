"""A quiz: answers are marked with a score, and with one more hint after each attempt; the answer is never told."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pets.common import html_table
from pets.common.codec import digest
from pets.common.files import make_folder, reading, replace_file, writing
from pets.errors import UserError, did_you_mean, shown
from pets.synthetic.quiz.key import ONLY_DETERS, Key, PlainKey, SlowKey, read_key
from pets.synthetic.quiz.task import Task

COARSE = 25
"""Students are told quarters: the score of one row alone would tell whether it is of the answer."""

ANSWERS, PROGRESS = "answers", "progress.json"
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


class Quiz(Mapping[str, Task]):
    """Tasks by name; ``quiz.answer("counted-twice", [3, 17])`` marks an answer.

    Args:
        tasks: what is asked.
        keys: what knows the answers, by task; a task without one is noted, and marked by the trainer.
        title: what it is about.
        folder: where answers and progress are kept; left out, in memory.
        coarse: the steps of the score, in percent.
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
    ) -> None:
        self._tasks = {task.name: task for task in tasks}
        self._keys = {name: key for name, key in keys.items() if name in self._tasks}
        self._folder, self._coarse = folder, coarse
        self.title, self.student = title, student
        self._progress: dict[str, dict[str, Any]] = {} if folder is None else _progress(folder)

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

        Raises :class:`UserError` for a file that is none.
        """
        with reading("the quiz", path, "quiz.json"):
            file = Path(path)
            text = file.read_text("utf-8")
        return cls.read(text, str(path), file.parent)

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
            return cls(tasks, keys, str(told["title"]), folder, coarse=coarse, student=str(told["student"]))
        except (ValueError, LookupError, TypeError, AttributeError):
            raise UserError(f"the file {shown(name)} is no quiz; give the quiz.json of a lesson's folder") from None

    def to_file(self, salt: bytes | None = None, *, answers: bool = False) -> str:
        """The text of a file: with the ``answers`` for the trainer, with hashes of them under a ``salt``, or bare."""
        told = []
        for name, task in self._tasks.items():
            key, one = self._keys.get(name), task.to_json()
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
        }
        return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"

    def answer(self, task: str, answer: object) -> Mark:
        """Mark an answer. What is empty is no attempt, and neither is the same answer again.

        Raises :class:`UserError` for a task that is not there, and for what is no answer to it.
        """
        asked = self[task]
        parts = asked.parts(answer)
        if not parts:
            return Mark(task, self._score(task), self.attempts(task), "not answered yet")
        before = self._progress.get(task, {"attempts": 0, "last": ""})
        told = digest(sorted(parts))
        attempts = int(before["attempts"]) + (told != before["last"])
        key, score = self._keys.get(task), None
        if key is not None:
            score = _scored(*key.compare(asked, parts), self._coarse)
        self._keep(task, parts, {"attempts": attempts, "last": told, "score": score})
        return Mark(task, score, attempts, _sentence(asked, score, attempts))

    def attempts(self, task: str) -> int:
        """How many answers there were to a task."""
        return int(self._progress.get(task, {}).get("attempts", 0))

    @property
    def score(self) -> int:
        """The mean score of all tasks, from 0 to 100; what was not answered counts as 0."""
        scores = [self._score(name) or 0 for name in self._tasks]
        return sum(scores) // len(scores) if scores else 0

    def _score(self, task: str) -> int | None:
        found = self._progress.get(task, {}).get("score")
        return None if found is None else int(found)

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
        return "\n".join([f"<Quiz {self.title}: {self.score} % of {len(self)} tasks>", *lines])

    def _repr_html_(self) -> str:
        return html_table.block(
            html_table.table(
                f"{self.title}: {self.score} %", ("task", "score", "attempts"), self.rows(), numbers=(1, 2)
            )
        )

    def _keep(self, task: str, parts: frozenset[str], told: dict[str, Any]) -> None:
        self._progress[task] = told
        if self._folder is None:
            return
        with writing("your answers", str(self._folder), "lesson"):
            make_folder(self._folder / ANSWERS)
            order = sorted(parts, key=lambda part: (len(part), part))
            lines = "".join(f"{_cell(part)}\n" for part in ["answer", *order])
            replace_file(self._folder / ANSWERS / f"{task}.csv", lines.encode("utf-8"))
            replace_file(self._folder / PROGRESS, (json.dumps(self._progress, indent=1) + "\n").encode("utf-8"))


def _cell(part: str) -> str:
    return '"' + part.replace('"', '""') + '"' if set(part) & set(',"\n\r') else part


def read_answer(path: Path) -> list[str]:
    """The parts of an answer in a file: the first column, below its head. R and SQL write it as well.

    Raises :class:`UserError` for a file that cannot be read.
    """
    with reading("the answer", path, "answers/counted-twice.csv"):
        text = path.read_text("utf-8-sig")
    lines = [line for line in csv.reader(text.splitlines()) if line and line[0].strip()]
    return [line[0].strip() for line in lines[1:]]


def _progress(folder: Path) -> dict[str, dict[str, Any]]:
    """What is known of earlier attempts; a file that is torn or edited counts as none."""
    try:
        told = json.loads((folder / PROGRESS).read_text("utf-8"))
        return {
            str(name): {"attempts": int(one["attempts"]), "last": str(one["last"]), "score": one["score"]}
            for name, one in told.items()
            if one["score"] is None or isinstance(one["score"], int)
        }
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}


def _scored(right: int, wrong: int, wanted: int, coarse: int) -> int:
    """What was found less what is innocent, rounded down; 100 for all of them and no other."""
    if right == wanted and not wrong:
        return 100
    return min(99, max(0, 100 * (right - wrong) // max(1, wanted))) // coarse * coarse


def _sentence(task: Task, score: int | None, attempts: int) -> str:
    if score is None:
        return f"noted (attempt {attempts}); your trainer marks it"
    if score == 100:
        return f"right, 100 % (attempt {attempts})." + (f" {task.lesson}" if task.lesson else "")
    hint = f" Hint: {task.hints[min(attempts, len(task.hints)) - 1]}" if task.hints else ""
    return f"{score} % (attempt {attempts}).{hint}"
