"""The marking sheet of a class: right for two seeds, whoever counted the attempts, and whatever was handed in."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

import pets
from pets.errors import UserError
from pets.synthetic.lessons.attempts import ATTEMPTS, Attempts, read_attempts
from pets.synthetic.lessons.desk import Desk
from pets.synthetic.lessons.lesson import load_lesson
from pets.synthetic.lessons.making import prepare
from pets.synthetic.lessons.marking import Sheet, mark
from pets.synthetic.quiz.quiz import Quiz
from tests.extras import needs
from tests.lessons import AT, SECRETS, Class, desked, small_class

needs("starlette", "httpx")

STUDENTS = ["s01", "s02", "s03", "s04"]
SHEET = """\
s01,twice,100,100,1,service,
s01,visits,100,100,1,service,
s01,word,100,100,1,service,
s02,twice,100,{half},2,service,
s02,visits,0,0,1,service,count the rows
s02,word,0,0,3,service,
s03,twice,0,,0,,nothing handed in
s03,visits,0,,0,,nothing handed in
s03,word,0,,0,,nothing handed in
s04,twice,{some},,1,folder,look at the keys
s04,visits,0,,0,,nothing handed in
s04,word,100,,2,folder,
"""
"""s01 finds all at once. s02 finds half of the rows and names one that is innocent, then all; miscounts the visits by
one; says "maybe", then "yes", and hands in "no". s03 hands in nothing. s04 asks no service, and misses one row."""

HALF_AND_SOME = {
    0: (38, 92),  # of 13 rows s02 finds 6 and 1 innocent: 5 of 13; s04 finds 12 of 13
    1: (41, 92),  # of 12 rows 6 and 1 innocent: 5 of 12; 12 of 13
}


def worked_through(made: Class) -> Sheet:
    """A class that works through the lesson, from the rows alone."""
    with desked(made) as served:
        rows, visits = made.found("s01")
        for task, answer in (("twice", rows), ("visits", visits), ("word", "Yes")):
            served.answer(made.token("s01"), task, answer)
        rows, visits = made.found("s02")
        innocent = next(row for row in range(1, 999) if row not in rows)
        said = [
            served.answer(made.token("s02"), "twice", [*rows[: len(rows) // 2], innocent]),
            served.answer(made.token("s02"), "twice", rows),
            served.answer(made.token("s02"), "visits", visits + 1),
            *(served.answer(made.token("s02"), "word", word) for word in ("maybe", "yes")),
        ]
        assert [one["score"] for one in said] == [(100 * (len(rows) // 2 - 1) // len(rows)) // 25 * 25, 100, 0, 0, 100]
    (made.out / "s02" / "answers").mkdir()
    (made.out / "s02" / "answers" / "word.csv").write_text("answer\nno\n", "utf-8")
    rows, _ = made.found("s04")
    alone = Quiz.load(made.out / "s04" / "quiz.json")
    alone.answer("twice", rows[:-1])
    alone.answer("word", "perhaps")
    alone.answer("word", "yes")
    return mark(made.out, made.key)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_sheet_of_a_class_is_right(seed: int, tmp_path: Path) -> None:
    made = small_class(tmp_path, STUDENTS, SECRETS[seed])
    sheet = worked_through(made)
    assert [len(made.found(name)[0]) for name in ("s02", "s04")] == [13 - seed, 13]
    half, some = HALF_AND_SOME[seed]
    assert sheet.to_csv().split("\n", 1)[1] == SHEET.format(half=half, some=some)
    assert sheet.totals() == {"s01": 100, "s02": 33, "s03": 0, "s04": 64}
    assert list(csv.DictReader(sheet.to_csv().splitlines()))[3]["counted by"] == "service"
    assert sheet.tasks() == {"twice": (3, 2), "visits": (2, 1), "word": (3, 2)}
    page = sheet.to_html()
    assert "<td>service</td>" in page and f">{half}</td>" in page and "http" not in page


def test_two_seeds_give_other_rows_and_other_answers(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    one, other = (small_class(tmp_path / name, ["s01"], secret) for name, secret in zip("ab", SECRETS, strict=True))
    assert one.answers("s01")["twice"] != other.answers("s01")["twice"] and one.token("s01") != other.token("s01")
    assert one.answers("s01")["word"] == other.answers("s01")["word"] == ["yes"]
    for made in (one, other):  # the trainer's answers are those that a student finds
        rows, visits = made.found("s01")
        assert {int(row) for row in made.answers("s01")["twice"]} == set(rows)
        assert made.answers("s01")["visits"] == [str(visits)]


# what is handed in ----------------------------------------------------------------------------------------------------


def a_link(folder: Path, made: Class) -> None:
    (folder / "answers" / "word.csv").symlink_to(made.out / "s01" / "answers" / "word.csv")


def a_linked_folder(folder: Path, made: Class) -> None:
    (folder / "answers").rmdir()
    (folder / "answers").symlink_to(made.out / "s01" / "answers")


def a_pipe(folder: Path, made: Class) -> None:
    os.mkfifo(folder / "answers" / "word.csv")


def a_folder(folder: Path, made: Class) -> None:
    (folder / "answers" / "word.csv").mkdir()


def a_long_field(folder: Path, made: Class) -> None:
    (folder / "answers" / "word.csv").write_text("answer\n" + "y" * 200_000, "utf-8")


def a_large_file(folder: Path, made: Class) -> None:
    (folder / "answers" / "word.csv").write_bytes(b"answer\nyes\n" + b"\n" * 3_000_000)


def no_text(folder: Path, made: Class) -> None:
    (folder / "answers" / "word.csv").write_bytes(b"answer\n\xff\xfe\x00\n")


def deep_progress(folder: Path, made: Class) -> None:
    (folder / "progress.json").write_text("[" * 100_000, "utf-8")


def a_deep_quiz(folder: Path, made: Class) -> None:
    (folder / "quiz.json").write_text('{"pets": ' + "[" * 100_000, "utf-8")


def a_piped_quiz(folder: Path, made: Class) -> None:
    (folder / "quiz.json").unlink()
    os.mkfifo(folder / "quiz.json")


def odd_counts(folder: Path, made: Class) -> None:
    told = {"word": {"attempts": -5, "seen": [], "score": None}, "twice": {"attempts": 10**30, "seen": [], "score": 7}}
    (folder / "progress.json").write_text(json.dumps(told), "utf-8")


def no_counts(folder: Path, made: Class) -> None:
    (folder / "progress.json").write_text('{"word": {"attempts": "two", "seen": [[1]], "score": "100"}}', "utf-8")


HOSTILE = (a_link, a_linked_folder, a_pipe, a_folder, a_long_field, a_large_file, no_text)
TORN = (deep_progress, a_deep_quiz, a_piped_quiz, odd_counts, no_counts)


@pytest.mark.parametrize("put", [*HOSTILE, *TORN])
def test_what_is_handed_in_stops_nobody_elses_marking(put: Callable[[Path, Class], None], tmp_path: Path) -> None:
    made = small_class(tmp_path, ["s01", "s02"], service=None)
    Quiz.load(made.out / "s01" / "quiz.json").answer("word", "yes")
    (made.out / "s02" / "answers").mkdir()
    put(made.out / "s02", made)
    lines = {(line.student, line.task): line for line in mark(made.out, made.key).lines}
    assert lines["s01", "word"].score == 100 and lines["s01", "word"].attempts == 1
    assert [(line.score, line.attempts) for (student, _), line in lines.items() if student == "s02"] == [(0, 0)] * 3


# the log of a service -------------------------------------------------------------------------------------------------


def test_the_log_keeps_each_attempt_and_survives_what_is_cut_short(tmp_path: Path) -> None:
    log = Attempts(tmp_path)
    log.note("s01", "word", ["a\nb", "ü"], 0)
    log.note("s01", "word", ["yes"], 100)
    with pytest.raises(UserError, match="another service marks with"):
        Attempts(tmp_path)
    log.close()
    file = tmp_path / ATTEMPTS
    assert len(file.read_bytes().splitlines()) == 2 and file.stat().st_mode & 0o077 == 0
    with file.open("ab") as torn:
        torn.write(b'{"student":"s01"')
    again = Attempts(tmp_path)
    assert [(one.answer, one.score) for one in again.of("s01", "word")] == [(("a\nb", "ü"), 0), (("yes",), 100)]
    again.note("s02", "word", ["no"], 0)
    again.close()
    assert {key: len(many) for key, many in read_attempts(tmp_path).items()} == {("s01", "word"): 2, ("s02", "word"): 1}
    for line in (b"[]\n", b"[" * 100_000 + b"\n", b'{"student":"s","task":"t","answer":["1"],"score":101,"at":""}\n'):
        file.write_bytes(line)
        with pytest.raises(UserError, match=r"line 1 of attempts\.jsonl is no attempt"):
            read_attempts(tmp_path)


def test_a_desk_without_a_class_is_refused(tmp_path: Path) -> None:
    made = small_class(tmp_path, ["s01"], service=None)
    with pytest.raises(UserError, match="prepare the class with --service"):
        Desk([made.key])
    with pytest.raises(UserError, match="leave one of them out"):
        prepare(
            load_lesson(str(tmp_path / "small")),
            ["s01"],
            SECRETS[0],
            tmp_path / "a",
            tmp_path / "b",
            offline=True,
            service=AT,
        )


def test_two_classes_are_marked_at_one_desk(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    one, other = (small_class(tmp_path / name, ["s01"], secret) for name, secret in zip("ab", SECRETS, strict=True))
    with desked(one, other) as served:
        for made in (one, other):
            assert served.answer(made.token("s01"), "twice", made.found("s01")[0])["score"] == 100
        assert served.desk.classes == {"A small lesson": 2}
    assert [len(read_attempts(made.key)["s01", "twice"]) for made in (one, other)] == [1, 1]


def test_attempts_are_answers_that_differ(tmp_path: Path) -> None:
    made = small_class(tmp_path, ["s01"], service=None)
    quiz = pets.load(made.out / "s01" / "quiz.json")
    assert [quiz.answer("word", word).attempts for word in ("a", "b", "a", "B ", "c")] == [1, 2, 2, 2, 3]
    assert "1 of 3 tasks answered; your trainer marks them" in repr(quiz)
    (made.out / "s01" / "answers" / "word.csv").write_text("x\nd\n", "utf-8")  # as a script does, without a count
    (line,) = (line for line in mark(made.out, made.key).lines if line.task == "word")
    assert (line.attempts, line.counted_by, line.first) == (4, "folder", None)
