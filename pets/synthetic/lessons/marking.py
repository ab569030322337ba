"""Answers that were handed in, marked with the trainer's keys: a sheet of the class, as CSV or as a page."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

from pets.common import html_table
from pets.common.csv_cell import no_formula
from pets.common.files import reading, replace_file, writing
from pets.errors import UserError
from pets.synthetic.lessons.making import QUIZ, RUBRIC
from pets.synthetic.quiz.quiz import ANSWERS, Mark, Quiz, read_answer

_HEAD = ("student", "task", "score", "attempts", "note")


@dataclass(frozen=True)
class Line:
    """One task of one student; ``attempts`` as the student's own folder says."""

    student: str
    task: str
    score: int
    attempts: int
    note: str

    def cells(self) -> tuple[str, str, str, str, str]:
        """As texts."""
        return self.student, self.task, str(self.score), str(self.attempts), self.note


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

    def to_csv(self) -> str:
        """A row for each task of each student."""
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(_HEAD)
        rows.writerows([no_formula(cell) for cell in line.cells()] for line in self.lines)
        return text.getvalue()

    def to_html(self) -> str:
        """A page that loads nothing: the totals, then every task."""
        totals = [(student, f"{score} %") for student, score in self.totals().items()]
        body = html_table.block(
            html_table.table(f"{self.title}: {len(totals)} students", ("student", "score"), totals, numbers=(1,)),
            html_table.table("Every task", _HEAD, (line.cells() for line in self.lines), numbers=(2, 3)),
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


def check(folder: Path) -> tuple[Quiz, list[Mark]]:
    """Mark what lies in a lesson's folder with what its quiz knows; what R and SQL wrote, too.

    Raises :class:`UserError` for a folder that is no lesson's, and for a file that holds no answer to its task.
    """
    quiz = Quiz.load(folder / QUIZ)
    return quiz, [quiz.answer(path.stem, _fitting(quiz, path)) for path in _handed(folder) if path.stem in quiz]


def _handed(folder: Path) -> list[Path]:
    return sorted((folder / ANSWERS).glob("*.csv"))


def _fitting(quiz: Quiz, path: Path) -> object:
    found = read_answer(path)
    return found if quiz[path.stem].kind in ("rows", "texts") else found[0] if len(found) == 1 else found or None


def mark(handed_in: Path, key: Path) -> Sheet:
    """Mark the folders of a class with the trainer's keys; who handed in nothing has 0.

    Points that the trainer filled into ``rubric.csv`` are lines of their own; what is blank there is left out.

    A student is who the folder is called after. What cannot be read is 0, with a note, and stops nobody else's marking.

    Raises :class:`UserError` where there are no keys.
    """
    keys = sorted(key.glob("*.json")) if key.is_dir() else []
    if not keys:
        raise UserError(f"there are no answers in {str(key)!r}; give the folder that pets learn prepare --key wrote")
    lines, title, points = list[Line](), "", _points(key / RUBRIC)
    for file in keys:
        truth = Quiz.read(file.read_text("utf-8"), str(file), coarse=1)
        title = truth.title
        lines += _lines(file.stem, handed_in / file.stem, truth)
        lines += points.get(file.stem, ())
    return Sheet(title, tuple(lines))


def _points(file: Path) -> dict[str, list[Line]]:
    """What the trainer gave for each student's text.

    Raises :class:`UserError` for points that are none.
    """
    out: dict[str, list[Line]] = {}
    if not file.is_file():
        return out
    with reading("the rubric", file, "trainer/rubric.csv"):
        text = file.read_text("utf-8-sig")
    for row in csv.DictReader(text.splitlines()):
        student, name, given, of = (str(row.get(key) or "").strip() for key in ("student", "criterion", "points", "of"))
        if not given:
            continue
        if not given.isdecimal() or not of.isdecimal() or not 0 <= int(given) <= int(of):
            raise UserError(f"the rubric gives {student or 'nobody'} {given!r} points of {of!r} for {name!r}; mend it")
        score = 100 * int(given) // max(1, int(of))
        out.setdefault(student, []).append(Line(student, f"rubric: {name}", score, 0, f"{given} of {of} points"))
    return out


def _lines(student: str, folder: Path, truth: Quiz) -> Iterator[Line]:
    try:
        own = Quiz.load(folder / QUIZ)
    except UserError:
        own = None
    for name in truth:
        attempts, path = own.attempts(name) if own is not None and name in own else 0, folder / ANSWERS / f"{name}.csv"
        if not path.is_file():
            yield Line(student, name, 0, attempts, "nothing handed in")
            continue
        try:
            marked = truth.answer(name, _fitting(truth, path))
        except UserError:
            yield Line(student, name, 0, attempts, "what was handed in is no answer to this task")
            continue
        if marked.score is None:
            yield Line(student, name, 0, attempts, "nothing handed in")
            continue
        hints = truth[name].hints
        hint = hints[min(max(attempts, 1), len(hints)) - 1] if hints and marked.score < 100 else ""
        yield Line(student, name, marked.score, max(attempts, 1), hint)
