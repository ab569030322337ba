"""Quizzes: what is right is told as a score and hints, and nothing that is told holds an answer."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pets
from pets.cli import main
from pets.errors import UserError
from pets.synthetic.packs.faults import DIFFICULTY, KINDS, chosen
from pets.synthetic.packs.pack import load_pack
from pets.synthetic.quiz.folder import read_answer
from pets.synthetic.quiz.key import PlainKey, SlowKey
from pets.synthetic.quiz.quiz import Quiz
from pets.synthetic.quiz.secret import Secret
from pets.synthetic.quiz.task import Task

TASKS = (
    Task("rows", "rows", "Which?", ("look at a", "look at b"), "A lesson."),
    Task("share", "number", "How much?", decimals=2),
    Task("many", "number", "How many?"),
    Task("code", "text", "Which?"),
    Task("codes", "texts", "Which?"),
)
KEYS = {
    "rows": PlainKey(frozenset({"3", "7", "11", "15"})),
    "share": PlainKey(frozenset({"0.25"})),
    "many": PlainKey(frozenset({"12"})),
    "code": PlainKey(frozenset({"i219"})),
    "codes": PlainKey(frozenset({"i219", "i214"})),
}
SECRET = bytes(range(32))


def quiz(folder: Path | None = None) -> Quiz:
    return Quiz(TASKS, KEYS, "five tasks", folder)


def test_a_score_is_what_was_found_less_what_is_innocent() -> None:
    scores = [
        ([3], 25),
        ([3, 7], 50),
        ([3, 7, 11], 75),
        ([3, 7, 11, 15], 100),
        ([3, 7, 11, 15, 16], 75),
        ([3, 16, 17], 0),
        (range(1, 20), 0),
        (np.array([15, 11, 7, 3]), 100),
        (pd.Index([3, 7, 11, 15]), 100),
        (["3", "7", "11", "15"], 100),
    ]
    for answer, score in scores:
        assert quiz().answer("rows", answer).score == score, answer


def test_a_student_is_told_quarters_and_a_trainer_the_score() -> None:
    six = {"rows": PlainKey(frozenset("123456"))}
    for answer, student, trainer in (
        ([1], 0, 16),
        ([1, 2], 25, 33),
        ([1, 2, 3, 4, 5], 75, 83),
        (range(1, 7), 100, 100),
    ):
        assert Quiz(TASKS[:1], six).answer("rows", answer).score == student
        assert Quiz(TASKS[:1], six, coarse=1).answer("rows", answer).score == trainer


def test_numbers_and_texts_have_one_spelling_each() -> None:
    for task, answer, score in (
        ("share", 0.25, 100),
        ("share", 0.2549, 100),  # rounded
        ("share", 0.26, 100),  # one off in the last decimal, as two ways of rounding may be
        ("share", 0.27, 0),
        ("many", np.int64(12), 100),
        ("many", "12", 100),
        ("many", 13, 0),
        ("code", " I219 ", 100),
        ("codes", {"I219", "i214"}, 100),
        ("codes", ["I219"], 50),
    ):
        assert quiz().answer(task, answer).score == score, (task, answer)


def test_what_is_empty_is_no_attempt_and_hints_grow_with_attempts() -> None:
    mine = quiz()
    blanks: tuple[object, ...] = ([], None, "", (), pd.Index([], dtype="int64"))
    for blank in blanks:
        assert mine.answer("rows", blank).said == "not answered yet"
    assert mine.attempts("rows") == 0 and mine.score == 0
    said = [mine.answer("rows", [row]) for row in (1, 1, 2, 4)]
    assert [one.attempts for one in said] == [1, 1, 2, 3]
    assert ["look at a" in one.said for one in said] == [True, True, False, False] and "look at b" in said[-1].said
    assert mine.answer("rows", [3, 7, 11, 15]).said == "right, 100 % (attempt 4). A lesson."
    assert mine.score == 20 and "rows: 100 %, attempts 4" in repr(mine) and "<table>" in mine._repr_html_()


def test_nothing_that_a_quiz_says_holds_an_answer() -> None:
    mine = quiz()
    said = [str(mine.answer("rows", [3, 7, 40])), repr(mine), mine._repr_html_(), repr(KEYS["rows"]), str(mine["rows"])]
    assert not any(re.search(r"\b(11|15)\b", text) for text in said), said
    with pytest.raises(UserError) as wrong:
        mine.answer("rows", "7")
    assert "11" not in str(wrong.value)


@pytest.mark.parametrize(
    ("task", "answer", "words"),
    [
        ("row", [1], "there is no task 'row'; did you mean 'rows'?"),
        ("rows", 3, "row"),
        ("rows", {"a": 1}, "row"),
        ("rows", [0], "the first row of data is row 1"),
        ("rows", [1.5], "row"),
        ("rows", range(1, 200_000), "at most 100,000"),
        ("share", "a", "one number"),
        ("share", float("nan"), "one number"),
        ("share", [1, 2], "one number"),
        ("share", True, "one number"),
        ("codes", "I219", "texts"),
    ],
)
def test_what_is_no_answer_is_one_sentence(task: str, answer: object, words: str) -> None:
    with pytest.raises(UserError, match=re.escape(words)):
        quiz().answer(task, answer)


def test_answers_and_progress_are_kept_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "quiz.json").write_text(quiz().to_file(answers=True), "utf-8")
    mine = pets.load(tmp_path / "quiz.json")
    mine.answer("rows", [11, 3])
    mine.answer("code", 'a "b", c')
    assert (tmp_path / "answers" / "rows.csv").read_text("utf-8") == "answer\n3\n11\n"
    assert read_answer(tmp_path / "answers" / "code.csv") == ['a "b", c']
    again = Quiz.load(tmp_path / "quiz.json")
    assert again.attempts("rows") == 1 and again.answer("rows", [3, 11]).attempts == 1
    for torn in ("{", "[]", '{"rows": {"attempts": "x"}}'):
        (tmp_path / "progress.json").write_text(torn, "utf-8")
        assert Quiz.load(tmp_path / "quiz.json").attempts("rows") == 0
    for text in ("", "[]", '{"pets": "quiz", "version": 1}', '{"pets": "quiz", "version": 2, "tasks": []}'):
        (tmp_path / "quiz.json").write_text(text, "utf-8")
        with pytest.raises(UserError, match="is no quiz"):
            Quiz.load(tmp_path / "quiz.json")


def test_a_file_that_is_handed_out_marks_the_same_and_holds_no_answer(tmp_path: Path) -> None:
    bare, marking = quiz().to_file(), quiz().to_file(salt=b"salt of one student")
    assert "answer" not in json.loads(bare)["tasks"][0] and "hashes" not in bare
    assert "only deters" in json.loads(marking)["note"]
    assert '"3"' not in marking and "i219" not in marking
    offline = Quiz.read(marking, "quiz.json")
    for task, answer in (
        ("rows", [3, 7, 9]),
        ("rows", [3, 7, 11, 15]),
        ("share", 0.26),
        ("many", 12),
        ("code", "I219"),
    ):
        assert offline.answer(task, answer).score == quiz().answer(task, answer).score, task
    with pytest.raises(UserError, match="at most 300 parts here"):
        offline.answer("rows", range(1, 302))
    noted = Quiz.read(bare, "quiz.json").answer("rows", [3])
    assert noted.score is None and "your trainer marks it" in noted.said
    one, other = (SlowKey.of(PlainKey(frozenset({"3"})), salt) for salt in (b"a", b"b"))
    assert one.hashes != other.hashes


# planted faults ---------------------------------------------------------------------------------------------------


def test_a_pack_with_faults_asks_about_each_of_them() -> None:
    made = pets.dummy("nhs", people=300, seed=3, faults=True)
    mine, key = made.quiz(), made.answers.to_pandas()
    assert set(mine) == set(key.fault)
    for fault, lines in key.groupby("fault"):
        assert mine.answer(fault, set(lines.row)).score == 100
    assert mine.score == 100
    with pytest.raises(UserError, match="nothing was planted here"):
        pets.dummy("nhs", people=10).quiz()


def test_faults_are_chosen_by_name_share_and_difficulty() -> None:
    pack = load_pack("nhs")
    assert {kind for kinds in DIFFICULTY.values() for kind in kinds} == set(KINDS)
    sizes = [len(chosen(pack, level)) for level in DIFFICULTY]
    assert sum(sizes) == len(pack.faults) and min(sizes) >= 3
    assert chosen(pack, list(DIFFICULTY)) == chosen(pack, True) == pack.faults and chosen(pack, False) == ()
    few = pets.dummy("nhs", people=300, seed=3, faults={"diagnosis-with-a-dot": 0.5}).answers.to_pandas()
    assert set(few.fault) == {"diagnosis-with-a-dot"} and len(few) > 100
    named = pets.dummy("nhs", people=300, seed=3, faults=["short-date-of-death", "hard"])
    assert set(named.quiz()) == {"short-date-of-death", *(fault.name for fault in chosen(pack, "hard"))}
    for wrong, words in (
        ("diagnosis-with-dot", "did you mean 'diagnosis-with-a-dot'"),
        ([], "faults is True, names or difficulties"),
        (3, "faults is True, names or difficulties"),
        ({"diagnosis-with-a-dot": 1.5}, "above 0 and at most 1"),
        ({"diagnosis-with-a-dot": True}, "above 0 and at most 1"),
    ):
        with pytest.raises(UserError, match=words):
            chosen(pack, wrong)
    with pytest.raises(
        UserError, match="the pack dental has no fault 'easy'; there are: treated-twice, pain-of-nought"
    ):
        pets.dummy("dental", people=10, faults=["middle", "easy"])


def test_with_a_secret_the_seed_alone_makes_neither_the_rows_nor_the_faults() -> None:
    made = pets.dummy("nhs", people=300, seed=5, faults=True, secret=SECRET)
    again = pets.dummy("nhs", people=300, seed=5, faults=True, secret=SECRET)
    assert made.answers.equals(again.answers) and made["apc"].equals(again["apc"])
    key = made.answers.to_pandas()
    for other in (
        pets.dummy("nhs", people=300, seed=5),  # a student, who knows the seed, makes rows without faults
        pets.dummy("nhs", people=300, seed=5, faults=True),
        pets.dummy("nhs", people=300, seed=5, faults=True, secret=SECRET[::-1]),
        pets.dummy("nhs", people=300, seed=6, faults=True, secret=SECRET),
    ):
        assert not set(other["demographics"].date_of_birth) >= set(made["demographics"].date_of_birth)
        if other.answers is not None:
            mine = set(zip(key.table, key.row, strict=True))
            theirs = other.answers.to_pandas()
            shared = mine & set(zip(theirs.table, theirs.row, strict=True))
            assert len(shared) < len(mine) / 2
    assert made.manifest["seed"] == 5 and SECRET.hex() not in json.dumps(dict(made.manifest))


def test_a_secret_is_kept_by_its_owner_and_never_written_over(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "trainer.secret"
    assert main.run(["learn", "secret", str(file)]) == 0
    assert file.stat().st_mode & 0o077 == 0 and len(Secret.read(file).key) == 32
    with pytest.raises(UserError, match="is there already"):
        Secret.fresh().save(file)
    assert "secret" not in repr(Secret(SECRET)).replace("a trainer's secret", "") and SECRET.hex() not in repr(
        Secret(SECRET)
    )
    for text, words in (("xyz", "holds no secret"), ("00ff", "at least 16 bytes")):
        (tmp_path / "s").write_text(text, "ascii")
        with pytest.raises(UserError, match=words):
            Secret.read(tmp_path / "s")
    assert (
        Secret(SECRET).number("a", "b") != Secret(SECRET).number("ab") and Secret(SECRET).number("a").bit_length() > 200
    )
    # by another way: openssl dgst -sha256 -mac hmac of the canonical text
    assert Secret(b"k" * 16).bytes_for("x").hex() == HMAC


HMAC = "cfb1ea2806d22e58163b278a30ce0ec85d7df9a9b56889b1be3295167d574686"


def test_the_command_line_writes_the_key_elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, key, secret = (str(tmp_path / name) for name in ("out", "trainer/key.csv", "trainer.secret"))
    make = ["dummy", "nhs", "--people", "200", "--out", out]
    assert main.run(["learn", "secret", secret]) == 0
    chosen = ["--fault", "easy", "--fault", "duplicated-episodes=0.1"]
    assert main.run([*make, *chosen, "--key", key, "--secret", secret]) == 0
    assert f"{key}: the key to the faults" in capsys.readouterr().out
    names = {line.split(",")[0] for line in Path(key).read_text("utf-8").splitlines()[1:]}
    assert "duplicated-episodes" in names and "nobody-of-that-number" not in names
    assert main.run([*make, "--faults"]) == 0
    assert "--key FILE, outside the folder" in capsys.readouterr().out
    assert not (tmp_path / "out" / "answer_key.csv").exists()
    for wrong, words in (
        (["--faults", "--key", f"{out}/key.csv"], "would lie in the folder that is handed out"),
        (["--key", key], "no fault was planted"),
        (["--faults", "--fault", "easy"], "--faults plants all of them"),
        (["--fault", "easy=x"], "a name and perhaps a share, such as easy=0.01"),
    ):
        assert main.run([*make, *wrong]) == 2
        assert words in capsys.readouterr().err
