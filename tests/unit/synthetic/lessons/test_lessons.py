"""Every lesson is run as a student gets it and as its instructor does: blanks give little, solutions all of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from pets.cli import main
from pets.errors import UserError
from pets.synthetic.lessons import lesson as module
from pets.synthetic.lessons.lesson import ORDER, lessons, load_lesson
from pets.synthetic.lessons.making import hand_out, prepare, quiz_of, rows_of
from pets.synthetic.lessons.marking import check, mark
from pets.synthetic.lessons.source import cells, of_whom, written
from pets.synthetic.quiz.quiz import Quiz
from pets.synthetic.quiz.secret import Secret
from tests.browser import Browser
from tests.extras import needs
from tests.hosts import named
from tests.lessons import SMALL, run, small_lesson
from tests.services import until

needs("nbformat", "altair", "vl_convert", "IPython")

SECRET = Secret(bytes(range(32)))
NAMES = [path.parent.name for path in sorted(module.HOME.glob("*/lesson.yaml"))]
SCRIPTS = [(name, language) for name in NAMES for language in load_lesson(name).languages if language != "python"]


@pytest.fixture(scope="module", params=NAMES)
def handed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """A student's folder and the instructor's, with the same rows."""
    folder = tmp_path_factory.mktemp(request.param)
    student, instructor = folder / "s01", folder / "instructor"
    taught = load_lesson(request.param)
    quiz = hand_out(taught, instructor, SECRET, "s01", solutions=True)
    shutil.copytree(instructor / "data", student / "data")
    (student / "lesson.ipynb").write_text(written(taught.cells("python"), "python", solutions=False), "utf-8")
    (student / "quiz.json").write_text(quiz.to_file(answers=True), "utf-8")
    yield student, instructor


def test_the_instructors_notebook_is_marked_in_full(handed: tuple[Path, Path]) -> None:
    names = run(handed[1])
    quiz = names["quiz"]
    assert quiz.score == 100, repr(quiz)
    assert all(quiz.attempts(task) == 1 for task in quiz)
    if (slider := handed[1] / "slider.html").exists():
        slides_alone(slider)


def slides_alone(page: Path) -> None:
    """The slider moves the picture, and nothing is asked of another host."""
    drawn = "[...document.querySelectorAll(\"line[stroke-width='3']\")].map(line => line.getBoundingClientRect().width)"
    move = "const range = document.querySelector('input[type=range]'); range.value = 1;"
    with Browser() as browser:
        browser.open(page)
        before = browser.run(drawn)
        browser.run(f"(() => {{ {move} range.dispatchEvent(new Event('input', {{bubbles: true}})); }})()")
        until(lambda: browser.run(drawn) != before)
        after = browser.run(drawn)
        assert len(before) == len(after) == 10 and max(before) < min(after)  # less ε, wider intervals
        assert [url for url in browser.requests() if not url.startswith(("file:", "data:"))] == []


def test_the_students_notebook_runs_with_its_blanks_and_is_marked_low(handed: tuple[Path, Path]) -> None:
    names = run(handed[0])
    assert names["quiz"].score <= 10, repr(names["quiz"])


@pytest.mark.parametrize("name", NAMES)
def test_a_lesson_is_whole_and_its_blanks_are_those_of_its_solutions(name: str) -> None:
    taught = load_lesson(name)
    assert taught.name == name and taught.minutes < 60 and len(taught.tasks) >= 5
    assert all(task.hints and task.lesson for task in taught.tasks)
    for language in taught.languages:
        every = taught.cells(language)
        assert sum(cell.tag == "blank" for cell in every) == sum(cell.tag == "solution" for cell in every) > 0
        student = written(every, language, solutions=False)
        for cell in every:
            if cell.tag == "solution":
                assert cell.text not in student and json.dumps(cell.text)[1:-1] not in student
        asked = "\n".join(cell.text for cell in of_whom(every, solutions=False))
        assert all(task.name in asked for task in taught.tasks), language
        assert named(student) == []
    notebook = nbformat.reads(written(taught.cells("python"), "python", solutions=True), as_version=4)
    nbformat.validate(notebook)


def test_the_lessons_are_listed_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert [lesson.name for lesson in lessons()] == [name for name in ORDER if name in NAMES] and set(NAMES) <= set(
        ORDER
    )
    assert main.run(["learn", "list"]) == 0
    shown = capsys.readouterr().out
    assert all(f"{lesson.name}: {lesson.title}" in shown for lesson in lessons())


@pytest.mark.chance(0)  # processes of R and DuckDB, which draw nothing
@pytest.mark.parametrize(("name", "language"), SCRIPTS)
def test_a_script_of_another_language_is_marked_as_the_notebook_is(name: str, language: str, tmp_path: Path) -> None:
    if language == "r" and shutil.which("Rscript") is None:
        pytest.skip("R is not installed")
    command = {
        "r": ["Rscript", "lesson.R"],
        "sql": [sys.executable, "-c", "import duckdb; duckdb.sql(open('lesson.sql').read())"],
    }
    taught = load_lesson(name)
    for solutions, least, most in ((True, 100, 100), (False, 0, 10)):
        folder = tmp_path / str(solutions)
        quiz = hand_out(taught, folder, SECRET, "s01", language=language, solutions=solutions)
        (folder / "answers").mkdir()
        (folder / "quiz.json").write_text(quiz.to_file(answers=True), "utf-8")
        subprocess.run(command[language], cwd=folder, check=True, capture_output=True, timeout=600)
        marked, marks = check(folder)
        assert least <= marked.score <= most, marks


# a class --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return small_lesson(tmp_path / "small")


def test_a_class_is_prepared_and_marked(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret, out, key = tmp_path / "t.secret", tmp_path / "handout", tmp_path / "trainer"
    (tmp_path / "class.csv").write_text("student,room\ns01,1\ns02,1\n=s03,2\n", "utf-8")
    assert main.run(["learn", "secret", str(secret)]) == 0
    make = ["learn", "prepare", str(small), "--class", str(tmp_path / "class.csv"), "--secret", str(secret)]
    assert main.run([*make, "--out", str(out), "--key", str(key)]) == 2
    assert "a student is named by letters" in capsys.readouterr().err
    (tmp_path / "class.csv").write_text("student,room\ns01,1\ns02,1\ns03,2\n", "utf-8")
    assert main.run([*make, "--out", str(out), "--key", str(key), "--offline"]) == 0
    told = capsys.readouterr().out
    assert "only deters" in told and "3 folders to hand out" in told
    keys = {name: Quiz.read((key / f"{name}.json").read_text("utf-8"), name) for name in ("s01", "s02", "s03")}
    answers = {name: json.loads((key / f"{name}.json").read_text("utf-8"))["tasks"][0]["answer"] for name in keys}
    assert answers["s01"] != answers["s02"] and all((key / f"{name}.json").stat().st_mode & 0o077 == 0 for name in keys)
    # what is handed out holds no answer: neither the secret, nor the key, nor a seed that makes it
    for path in out.rglob("*"):
        if path.is_file() and path.suffix != ".csv":
            text = path.read_text("utf-8")
            assert '"answer":' not in text and secret.read_text().strip() not in text, path
    assert json.loads((out / "s01" / "data" / "manifest.json").read_text())["seed"] == 0
    assert not any("key" in path.name for path in out.rglob("*"))
    # one student finds all, one half of it in two attempts, one hands in nothing and one file that is none
    mine = Quiz.load(out / "s01" / "quiz.json")
    mine.answer("twice", answers["s01"])
    mine.answer("visits", keys_number(key / "s01.json"))
    mine.answer("word", "Yes")
    other = Quiz.load(out / "s02" / "quiz.json")
    other.answer("twice", [1])
    other.answer("twice", answers["s02"])
    (out / "s03" / "answers").mkdir()
    (out / "s03" / "answers" / "visits.csv").write_text("answer\nmany\n", "utf-8")
    sheet = mark(out, key)
    assert sheet.totals() == {"s01": 100, "s02": 33, "s03": 0}
    lines = {(line.student, line.task): line for line in sheet.lines}
    assert lines["s02", "twice"].attempts == 2 and lines["s02", "twice"].score == 100
    assert lines["s03", "visits"].note == "what was handed in is no answer to this task"
    assert lines["s03", "word"].note == "nothing handed in"
    for name in ("sheet.csv", "sheet.html"):
        assert main.run(["learn", "mark", str(out), "--key", str(key), "--out", str(tmp_path / name)]) == 0
        assert (tmp_path / name).stat().st_mode & 0o077 == 0
    assert (tmp_path / "sheet.csv").read_text("utf-8").splitlines()[1] == "s01,twice,100,,1,folder,"
    assert "<td" in (tmp_path / "sheet.html").read_text("utf-8") and "http" not in (tmp_path / "sheet.html").read_text()


def keys_number(path: Path) -> str:
    (found,) = json.loads(path.read_text("utf-8"))["tasks"][1]["answer"]
    return str(found)


def test_two_making_of_one_student_are_the_same_and_two_students_differ(small: Path) -> None:
    taught = load_lesson(str(small))
    one, again, other = (rows_of(taught, SECRET, name) for name in ("s01", "s01", "s02"))
    assert one.answers.equals(again.answers) and one["visits"].equals(again["visits"])
    assert not one["visits"].equals(other["visits"])
    assert quiz_of(taught, one).to_file(answers=True) != quiz_of(taught, other).to_file(answers=True)


def test_the_trainers_folder_never_lies_in_what_is_handed_out(small: Path, tmp_path: Path) -> None:
    taught = load_lesson(str(small))
    for out, key in (("a", "a"), ("a", "a/key"), ("a/b", "a")):
        with pytest.raises(UserError, match="would lie in one folder"):
            prepare(taught, ["s01"], SECRET, tmp_path / out, tmp_path / key)
    with pytest.raises(UserError, match="have the same name"):
        prepare(taught, ["s01", "S01"], SECRET, tmp_path / "a", tmp_path / "b")
    for name in ("../s01", ".s", "a/b", "instructor"):
        with pytest.raises(UserError, match="a student is named by letters"):
            prepare(taught, [name], SECRET, tmp_path / "a", tmp_path / "b")
    with pytest.raises(UserError, match="give the folder that pets learn prepare --key wrote"):
        mark(tmp_path, tmp_path)


def test_a_lesson_is_opened_and_checked(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "mine"
    assert main.run(["learn", "open", str(small), "--out", str(out)]) == 0
    assert "only deters" in capsys.readouterr().out
    (out / "answers").mkdir()
    (out / "answers" / "word.csv").write_text("x\nyes\n", "utf-8")
    (out / "answers" / "other.csv").write_text("x\nyes\n", "utf-8")
    assert main.run(["learn", "check", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "word: right, 100 % (attempt 1)" in shown and "33 % of 3 tasks" in shown and "twice: open" in shown
    assert main.run(["learn", "open", str(small), "--out", str(out)]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert main.run(["learn", "open", "find_the_fault", "--out", str(out)]) == 2
    assert "did you mean 'find_the_faults'" in capsys.readouterr().err
    assert main.run(["learn", "open", str(small), "--language", "r", "--out", str(tmp_path / "r")]) == 2
    assert "is written in python, not in r" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("minutes: 5", "minutes: 60", "lesson.yaml:5: minutes is a whole number from 1 to 59"),
        ("minutes: 5", "minuts: 5", "lesson.yaml:5: 'minuts' is no setting of it; did you mean 'minutes'"),
        ("kind: text", "kind: word", "there is no kind 'word'"),
        ("answer: yes", "answer: yes\n    sql: SELECT 1", "task 'word' has one of fault, sql, answer"),
        ("treated-twice: 0.05", "treated-twice: often", "lesson.yaml:10: a fault's share is a number"),
        ("  people: 60", "  people: no", "lesson.yaml:8: people is a whole number"),
        ("    answer: yes", "    fault: treated-twice", "the answer to a fault is rows"),
        ("title: A small lesson", "", "title is a text, and must be there"),
    ],
)
def test_what_is_wrong_in_a_lesson_is_said_with_its_line(small: Path, old: str, new: str, words: str) -> None:
    assert old in SMALL
    (small / "lesson.yaml").write_text(SMALL.replace(old, new, 1), "utf-8")
    with pytest.raises(UserError) as wrong:
        load_lesson(str(small))
    assert words in str(wrong.value)


def test_an_answer_that_is_not_to_be_had_is_refused(small: Path) -> None:
    for old, new, words in (
        ("SELECT count(*) FROM visits", "SELECT count(*) FROM visit", "the sql of task 'visits' does not run"),
        ("SELECT count(*) FROM visits", "SELECT * FROM '/etc/passwd'", "does not run"),
        ("fault: treated-twice", "fault: treated-thrice", "task 'twice' has no answer in these rows; mend its fault"),
    ):
        (small / "lesson.yaml").write_text(SMALL.replace(old, new, 1), "utf-8")
        taught = load_lesson(str(small))
        with pytest.raises(UserError, match=words):
            quiz_of(taught, rows_of(taught, SECRET, "s01"))


def test_a_fence_that_is_none_is_said_with_its_line() -> None:
    for text, words in (
        ("```r\n```", "lesson.md:1: a fence says ```python"),
        ("a\n```python answer\n```", "lesson.md:2: a fence says"),
        ("```python\nx", "the last fence is not closed"),
    ):
        with pytest.raises(UserError, match=words):
            cells(text, "lesson.md")
