"""Answers that were handed in, marked with the trainer's keys: a sheet of the class, as CSV or as a page."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

from pets.common import html_table
from pets.common.codec import digest
from pets.common.csv_cell import no_formula
from pets.common.files import reading, replace_file, writing
from pets.errors import UserError
from pets.synthetic.lessons.attempts import Attempt, read_attempts
from pets.synthetic.lessons.making import QUIZ, RUBRIC
from pets.synthetic.quiz.folder import ANSWERS, read_answer
from pets.synthetic.quiz.quiz import Mark, Quiz, hint_of

_HEAD = ("student", "task", "score", "first", "attempts", "counted by", "note")
BRIEF = "brief.md"
"""What a student writes, in a scenario."""

SERVICE, FOLDER = "service", "folder"
"""Who counted attempts: the trainer's service, or the student's own folder, which says what the student lets it say."""


@dataclass(frozen=True)
class Line:
    """One task of one student.

    Attributes:
        score: of the answer that counts, from 0 to 100.
        attempts: answers that differ.
        note: a hint that would help, or why there is no score.
        counted_by: ``service``, ``folder``, or empty where there was nothing to count.
        first: the score of the first attempt, which a service alone knows.
    """

    student: str
    task: str
    score: int
    attempts: int
    note: str
    counted_by: str = ""
    first: int | None = None

    def cells(self) -> tuple[str, ...]:
        """As texts."""
        first = "" if self.first is None else str(self.first)
        return self.student, self.task, str(self.score), first, str(self.attempts), self.counted_by, self.note


@dataclass(frozen=True)
class Sheet:
    """The marks of a class: every task of every student who was handed the lesson."""

    title: str
    lines: tuple[Line, ...]

    def totals(self) -> dict[str, int]:
        """The mean score of each student, in whole percent."""
        scores: dict[str, list[int]] = {}
        for line in self.lines:
            scores.setdefault(line.student, []).append(line.score)
        return {student: sum(some) // len(some) for student, some in scores.items()}

    def tasks(self) -> dict[str, tuple[int, int]]:
        """By task, how many handed something in for it or tried, and how many of them have all of it."""
        lines: dict[str, list[Line]] = {}
        for line in self.lines:
            lines.setdefault(line.task, []).append(line)
        return {
            task: (sum(line.attempts > 0 or line.score > 0 for line in some), sum(line.score == 100 for line in some))
            for task, some in lines.items()
        }

    def to_csv(self) -> str:
        """A row for each task of each student."""
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(_HEAD)
        rows.writerows([no_formula(cell) for cell in line.cells()] for line in self.lines)
        return text.getvalue()

    def to_html(self) -> str:
        """A page that loads nothing: the totals, which task was hard for whom, then every task of every student."""
        totals = [(student, f"{score} %") for student, score in self.totals().items()]
        tasks = [(task, str(tried), str(right)) for task, (tried, right) in self.tasks().items()]
        body = html_table.block(
            html_table.table(f"{self.title}: {len(totals)} students", ("student", "score"), totals, numbers=(1,)),
            html_table.table("By task", ("task", "students who tried", "all of it"), tasks, numbers=(1, 2)),
            html_table.table("Every task", _HEAD, (line.cells() for line in self.lines), numbers=(2, 3, 4)),
        )
        head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        head += f"<title>{escape(self.title)}</title>"
        return f'<!doctype html><html lang="en"><head>{head}</head><body><main>{body}</main></body></html>\n'

    def save(self, path: Path) -> Path:
        """Write it, for its owner alone: ``sheet.csv`` or ``sheet.html``."""
        ways = {".csv": self.to_csv, ".html": self.to_html}
        if path.suffix not in ways:
            raise UserError(f"a marking sheet is written as .csv or .html, not as {path.name!r}")
        with writing("the marking sheet", path, "sheet.csv"):
            replace_file(path, ways[path.suffix]().encode("utf-8"), owner_only=True)
        return path


def check(folder: Path, load: Callable[[Path], Quiz] = Quiz.load) -> tuple[Quiz, list[Mark]]:
    """Mark what lies in a lesson's folder with what its quiz knows; what R and SQL wrote, too.

    Args:
        load: how its quiz is loaded; one that is marked by a service is not loaded here.

    Raises :class:`UserError` for a folder that is no lesson's, and for a file that holds no answer to its task.
    """
    quiz = load(folder / QUIZ)
    return quiz, [quiz.answer(path.stem, _fitting(quiz, path)) for path in _handed(folder) if path.stem in quiz]


def _handed(folder: Path) -> list[Path]:
    return sorted((folder / ANSWERS).glob("*.csv"))


def _fitting(quiz: Quiz, path: Path) -> object:
    found = read_answer(path)
    return found if quiz[path.stem].kind in ("rows", "texts") else found[0] if len(found) == 1 else found or None


def mark(handed_in: Path, key: Path) -> Sheet:
    """Mark the folders of a class with the trainer's keys; who handed in nothing has 0.

    Points that the trainer filled into ``rubric.csv`` are lines of their own. What is blank there is left out, but for
    whoever handed in no ``brief.md`` it is 0 as soon as some points are filled in: nothing is no better than little.

    A student is who the folder is called after. What cannot be read is 0, with a note, and stops nobody else's marking.
    Where a service marked, its log counts the attempts, and stands in for an answer that was not handed in.

    Raises :class:`UserError` where there are no keys.
    """
    keys = sorted(key.glob("*.json")) if key.is_dir() else []
    if not keys:
        raise UserError(f"there are no answers in {str(key)!r}; give the folder that pets learn prepare --key wrote")
    lines, title, points, log = list[Line](), "", _points(key / RUBRIC, handed_in), read_attempts(key)
    for file in keys:
        truth = Quiz.read(file.read_text("utf-8"), str(file))
        title = truth.title
        served = {task: log.get((file.stem, task), []) for task in truth}
        lines += _lines(file.stem, handed_in / file.stem, truth, served)
        lines += points.get(file.stem, ())
    return Sheet(title, tuple(lines))


def _points(file: Path, handed_in: Path) -> dict[str, list[Line]]:
    """What the trainer gave for each student's text.

    Raises :class:`UserError` for points that are none.
    """
    out: dict[str, list[Line]] = {}
    if not file.is_file():
        return out
    with reading("the rubric", file, "trainer/rubric.csv"):
        text = file.read_text("utf-8-sig")
    columns = ("student", "criterion", "points", "of")
    rows = [[str(row.get(key) or "").strip() for key in columns] for row in csv.DictReader(text.splitlines())]
    begun = any(given for _, _, given, _ in rows)
    for student, name, given, of in rows:
        if not given:
            if begun and not (handed_in / student / BRIEF).is_file():
                out.setdefault(student, []).append(Line(student, f"rubric: {name}", 0, 0, f"no {BRIEF} was handed in"))
            continue
        if not given.isdecimal() or not of.isdecimal() or not 0 <= int(given) <= int(of):
            raise UserError(f"the rubric gives {student or 'nobody'} {given!r} points of {of!r} for {name!r}; mend it")
        score = 100 * int(given) // max(1, int(of))
        out.setdefault(student, []).append(Line(student, f"rubric: {name}", score, 0, f"{given} of {of} points"))
    return out


def _lines(student: str, folder: Path, truth: Quiz, served: dict[str, list[Attempt]]) -> Iterator[Line]:
    if folder.is_symlink() or (folder / ANSWERS).is_symlink():
        folder = folder / "a link, which is not followed"
    try:
        own = Quiz.load(folder / QUIZ)
    except UserError:
        own = None
    for name, task in truth.items():
        parts, note = _parts(truth, name, folder / ANSWERS / f"{name}.csv")
        log = served[name]
        if log:
            seen = {one.digest: one.score for one in log}
            last = frozenset(log[-1].answer) if parts is None else parts
            attempts = len(log) + (digest(sorted(last)) not in seen)
            parts, by, first = last, SERVICE, log[0].score
        else:
            attempts = 0 if own is None or name not in own else own.attempts(name)
            if parts is not None:
                attempts = max(1, own.tried(name, parts) if own is not None and name in own else 1)
            by, first = FOLDER if attempts else "", None
        if parts is None:
            yield Line(student, name, 0, attempts, note, by, first)
            continue
        score = truth.exactly(name, parts)
        yield Line(student, name, score, attempts, hint_of(task, attempts) if score < 100 else "", by, first)


def _parts(truth: Quiz, name: str, path: Path) -> tuple[frozenset[str] | None, str]:
    """What was handed in, or a note on why that is nothing."""
    if not path.is_symlink() and not path.exists():
        return None, "nothing handed in"
    try:
        return truth[name].parts(_fitting(truth, path)) or None, "nothing handed in"
    except UserError:
        return None, "what was handed in is no answer to this task"
