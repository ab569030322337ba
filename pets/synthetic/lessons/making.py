"""Making a lesson's folder: a student's rows and quiz from the trainer's secret; the answers stay with the trainer."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from pets.common.files import make_folder, reading, replace_file, writing
from pets.common.progress import bar
from pets.errors import UserError, shown
from pets.synthetic.dummy_data.dataset import Dummy
from pets.synthetic.dummy_data.manifest import manifest
from pets.synthetic.lessons.changes import changed
from pets.synthetic.lessons.desk import token_of, write_tokens
from pets.synthetic.lessons.lesson import STAYS, Lesson
from pets.synthetic.lessons.source import LANGUAGES, written
from pets.synthetic.linked import linked
from pets.synthetic.packs.pack import load_pack
from pets.synthetic.quiz.key import PlainKey
from pets.synthetic.quiz.quiz import Place, Quiz
from pets.synthetic.quiz.secret import Secret
from pets.synthetic.quiz.task import MANY
from pets.synthetic.stays import invent_stays, stays_schema

DATA, QUIZ, INSTRUCTOR, RUBRIC = "data", "quiz.json", "instructor", "rubric.csv"
RUBRIC_HEAD = ("student", "criterion", "points", "of", "look_for")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


def own_secret(lesson: Lesson, secret: Secret, student: str) -> Secret:
    """What one student's rows, and all else that differs between students, are drawn from."""
    return Secret(secret.bytes_for("lesson", lesson.name, student))


def rows_of(lesson: Lesson, secret: Secret, student: str) -> Dummy:
    """The invented rows of one student; the same secret gives the same rows."""
    own = own_secret(lesson, secret, student)
    data = lesson.of(own).data
    if data.pack == STAYS:
        return _stays(data.people, own.number("rows") % 2**63)
    pack = load_pack(_place(lesson))
    made = linked(pack, data.people, 0, faults=dict(data.faults) or False, secret=own)
    if data.changes:
        tables = changed(pack, made.tables, data.changes, own.number("changes"))
        told = made.manifest | {"rows": {name: table.num_rows for name, table in tables.items()}}
        made = replace(made, tables=tables, manifest=told)
    if not data.tables:
        return made
    if unknown := [name for name in data.tables if name not in made.tables]:
        raise UserError(f"the lesson {lesson.name} hands out {unknown[0]!r}, a table that its pack has not")
    told = made.manifest | {"rows": {name: made.manifest["rows"][name] for name in data.tables}}
    return replace(made, tables={name: made.tables[name] for name in data.tables}, manifest=told)


def _place(lesson: Lesson) -> str:
    beside = lesson.folder / lesson.data.pack
    return str(beside) if (beside / "pack.yaml").is_file() else lesson.data.pack


def _stays(people: int, seed: int) -> Dummy:
    import pyarrow as pa

    schema = stays_schema()
    (name,) = schema.tables
    table = pa.Table.from_pandas(invent_stays(people, seed), preserve_index=False)
    told = manifest(
        dataset=schema.dataset,
        schema=schema.digest,
        seed=0,
        rows={name: table.num_rows},
        made_from="the table of the demonstration",
        people=people,
        secret="drawn from a trainer's secret, which is not here",
    )
    return Dummy(schema, {name: table}, told)


def quiz_of(lesson: Lesson, made: Dummy, student: str = "") -> Quiz:
    """The lesson's quiz with its answers, worked out from the rows and never from a solution.

    ``lesson`` is the student's own (``Lesson.of``). The sql of a task may read the answer to one above it, as
    ``getvariable('task')``.

    Raises :class:`UserError` for a task whose answer is not to be had.
    """
    lines = made.answers.to_pylist() if made.answers is not None else []
    keys: dict[str, PlainKey] = {}
    known: dict[str, str] = {}
    for task in lesson.tasks:
        way, said = lesson.known[task.name]
        found: Any = said
        if way == "fault":
            found = sorted({line["row"] for line in lines if line["fault"] == said})
        elif way == "sql":
            found = _asked(lesson, task.name, made, said, known)
            found = found if task.kind in MANY else found[0] if len(found) == 1 else None
        if task.kind not in MANY and found is not None:
            known[task.name] = str(found)
        parts = task.parts(found)
        if not parts:
            raise UserError(f"the lesson {lesson.name}: task {task.name!r} has no answer in these rows; mend its {way}")
        keys[task.name] = PlainKey(parts)
    return Quiz(lesson.tasks, keys, lesson.title, student=student)


def _asked(lesson: Lesson, task: str, made: Dummy, question: str, known: dict[str, str]) -> list[Any]:
    import duckdb

    with duckdb.connect() as con:
        con.execute("SET enable_external_access = false")
        for name, table in made.tables.items():
            con.register(name, table)
        for name, answer in known.items():
            con.execute(f'SET VARIABLE "{name}" = ?', [answer])  # (a task is named by letters, digits and hyphens)
        try:
            return [row[0] for row in con.execute(question).fetchall()]
        except duckdb.Error as error:
            raise UserError(f"the lesson {lesson.name}: the sql of task {task!r} does not run ({error})") from None


def students_of(path: str | Path) -> list[str]:
    """The names of a class: a CSV file with a column ``student``.

    Raises :class:`UserError` for a file without names, and for a name that is no folder's.
    """
    with reading("the class", path, "class.csv"):
        text = Path(path).read_text("utf-8-sig")
    rows = csv.DictReader(text.splitlines())
    if "student" not in (rows.fieldnames or ()):
        raise UserError(f"the file {shown(str(path))} has no column 'student'; write one with a name in each row")
    return checked_names([(row["student"] or "").strip() for row in rows])


def checked_names(names: Iterable[str]) -> list[str]:
    """Names of students, each once and fit for a folder."""
    out = [name for name in names if name]
    for name in out:
        if not _NAME.fullmatch(name) or name.casefold() == INSTRUCTOR:
            raise UserError(f"a student is named by letters, digits, dots and hyphens, such as s01, not {shown(name)}")
    if len({name.casefold() for name in out}) < len(out):
        raise UserError("two students of the class have the same name; tell them apart, such as by numbers")
    if not out:
        raise UserError("the class has no students; write one name in each row")
    return out


def hand_out(
    lesson: Lesson,
    folder: Path,
    secret: Secret,
    student: str = "",
    *,
    language: str = "python",
    offline: bool = False,
    solutions: bool = False,
    service: str | None = None,
) -> Quiz:
    """Write one folder: rows, notebook or script, and the quiz without its answers. Gives the quiz with them.

    With ``offline`` the quiz holds slow hashes of the answers, which mark without a trainer and only deter. With the
    address of a ``service`` it says where answers are marked, and has the student's token. With ``solutions`` it is the
    instructor's: solutions in the notebook, answers in the quiz.

    Raises :class:`UserError` for a folder that is not empty, or cannot be written.
    """
    every = lesson.cells(language)
    with writing("the lesson", str(folder), "lesson"):
        if folder.exists() and any(folder.iterdir()):
            raise UserError(f"the folder {str(folder)!r} is not empty; name one that is not there yet")
        make_folder(folder)
    made = rows_of(lesson, secret, student)
    quiz = quiz_of(lesson.of(own_secret(lesson, secret, student)), made, student)
    made.save(folder / DATA, lesson.data.format)
    salt = secret.bytes_for("salt", lesson.name, student) if offline else None
    with writing("the lesson", str(folder), "lesson"):
        text = written(every, language, solutions=solutions)
        replace_file(folder / LANGUAGES[language][0], text.encode("utf-8"))
        place = None if service is None else Place(service, token_of(own_secret(lesson, secret, student)))
        told = quiz.to_file(salt, answers=solutions, place=place)
        replace_file(folder / QUIZ, told.encode("utf-8"), owner_only=solutions)
    return quiz


def prepare(
    lesson: Lesson,
    students: list[str],
    secret: Secret,
    out: Path,
    key: Path,
    *,
    language: str = "python",
    offline: bool = False,
    service: str | None = None,
    progress: bool = False,
) -> list[Path]:
    """A folder for each student in ``out``, and in ``key`` what is the trainer's: the answers, and a worked copy.

    With the address of a ``service`` (``pets learn serve``) each student has a token for it, and ``key`` their hashes.

    Raises :class:`UserError` where one of the two folders lies in the other, or something is there already.
    """
    names = checked_names(students)
    if offline and service is not None:
        raise UserError("a service marks, and a quiz that marks offline would tell its answers; leave one of them out")
    outside, inside = out.resolve(), key.resolve()
    if inside.is_relative_to(outside) or outside.is_relative_to(inside):
        raise UserError(
            f"the answers ({str(key)!r}) and what is handed out ({str(out)!r}) would lie in one folder; name two that "
            "lie apart, such as handout and trainer"
        )
    made = []
    with bar(len(names) + 1, "folders", unit="folder", show=progress) as moved:
        hand_out(lesson, key / INSTRUCTOR, secret, INSTRUCTOR, language=language, solutions=True)
        moved.update()
        for name in names:
            quiz = hand_out(lesson, out / name, secret, name, language=language, offline=offline, service=service)
            with writing("the answers", str(key), "trainer"):
                replace_file(key / f"{name}.json", quiz.to_file(answers=True).encode("utf-8"), owner_only=True)
            made.append(out / name)
            moved.update()
    if service is not None:
        write_tokens(key, {name: token_of(own_secret(lesson, secret, name)) for name in names})
    if lesson.rubric:
        _rubric(lesson, names, secret, key)
    return made


def _rubric(lesson: Lesson, names: list[str], secret: Secret, key: Path) -> None:
    """A file in which the trainer fills in points for what each student wrote."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(RUBRIC_HEAD)
    for name in names:
        theirs = lesson.of(own_secret(lesson, secret, name)).rubric
        rows.writerows([name, one.name, "", one.points, one.look_for] for one in theirs)
    with writing("the rubric", str(key), "trainer"):
        replace_file(key / RUBRIC, text.getvalue().encode("utf-8"), owner_only=True)
