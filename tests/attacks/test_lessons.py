"""A student who wants the answers and not the lesson: from the folder, the service, its hints, and by running a seed.

The attacker has all that a student is handed out, the source of pets, and the service under a token of their own.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pets
from pets.service.wire.problems import MEDIA_TYPE, STATUS
from pets.synthetic.lessons.attempts import ATTEMPTS, read_attempts
from pets.synthetic.lessons.desk import MOST, TOKENS, Desk
from pets.synthetic.lessons.draws import values_of
from pets.synthetic.lessons.lesson import lessons, load_lesson
from pets.synthetic.lessons.making import own_secret, prepare, quiz_of, rows_of
from pets.synthetic.lessons.marking import mark
from pets.synthetic.quiz.key import PlainKey
from pets.synthetic.quiz.secret import Secret
from tests.extras import needs
from tests.hostile_requests import corrupted, mutated
from tests.lessons import AT, SECRETS, Class, Desked, desked, small_class

needs("starlette", "httpx")

SECRET = SECRETS[0]
FREE = dict.fromkeys(MOST, 10**9)
"""No limit on attempts: what the attacks do then shows that they are attacks."""


@pytest.fixture
def made(tmp_path: Path) -> Class:
    return small_class(tmp_path, ["s01", "s02"])


def answers_of(made: Class, student: str, task: str) -> set[int]:
    return {int(row) for row in made.answers(student)[task]}


# the folder -----------------------------------------------------------------------------------------------------------


def held(folder: Path) -> dict[str, str]:
    """All that is handed out but the rows, as text."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".csv")
    return {path.name: path.read_text("utf-8") for path in files}


def test_a_folder_holds_no_answer_no_hint_and_no_secret(made: Class) -> None:
    known = load_lesson(str(made.out.parent / "small"))
    own, other = own_secret(known, SECRET, "s01"), made.token("s02")
    words = [hint for task in known.tasks for hint in (*task.hints, task.lesson) if hint]
    assert len(words) == 4
    for name, text in held(made.out / "s01").items():
        for secret in (SECRET.key.hex(), own.key.hex(), str(own.number("rows")), other):
            assert secret not in text, name
        assert "hashes" not in text and '"answer"' not in text and not any(word in text for word in words), name
    assert sorted(path.name for path in (made.out / "s01").iterdir()) == ["data", "lesson.ipynb", "quiz.json"]
    kept = {path.name for path in made.key.iterdir()}
    assert kept >= {TOKENS, "s01.json"} and made.token("s01") not in (made.key / TOKENS).read_text("utf-8")
    assert all(path.stat().st_mode & 0o077 == 0 for path in made.key.glob("*.*"))


@pytest.mark.parametrize("name", [lesson.name for lesson in lessons() if lesson.draws])
def test_what_two_students_are_told_of_a_scenario_is_the_same_but_for_rows_and_names(name: str, tmp_path: Path) -> None:
    known = load_lesson(name)
    students = [f"s{number:02d}" for number in range(40)]
    drawn = {one: values_of(known.draws, own_secret(known, SECRET, one)) for one in students}
    one, other = next((a, b) for a in students for b in students if not set(drawn[a].values()) & set(drawn[b].values()))
    prepare(known, [one, other], SECRET, tmp_path / "out", tmp_path / "key", service=AT)
    texts = [held(tmp_path / "out" / student) for student in (one, other)]
    for file in ("lesson.ipynb", "schema.json"):
        assert texts[0][file] == texts[1][file]
    quizzes, manifests = ([json.loads(text[file]) for text in texts] for file in ("quiz.json", "manifest.json"))
    for form in quizzes:
        del form["student"], form["service"]["token"]
    for form in manifests:
        del form["rows"], form["sha256"], form["rows_sha256"]  # how many there are, and their digests
    assert quizzes[0] == quizzes[1] and manifests[0] == manifests[1]
    rubric = (tmp_path / "key" / "rubric.csv").read_text("utf-8")
    assert any(value in rubric for value in drawn[one].values()) and "{" not in rubric


# a seed ---------------------------------------------------------------------------------------------------------------


def guesses(student: str) -> Iterator[Secret]:
    """Secrets that somebody might try: of seeds, of names, of nothing."""
    yield from (Secret(bytes([number]) * 32) for number in (0, 1, 255))
    yield from (Secret(number.to_bytes(16, "big")) for number in (0, 1, 42, 2**31))
    yield from (Secret(hashlib.sha256(text.encode()).digest()) for text in (student, "small", "trainer", ""))


def test_running_a_seed_again_finds_neither_rows_nor_faults(made: Class) -> None:
    known = load_lesson(str(made.out.parent / "small"))
    mine = rows_of(known, SECRET, "s01")
    right, seed = answers_of(made, "s01", "twice"), json.loads(held(made.out / "s01")["manifest.json"])["seed"]
    tried = [rows_of(known, guess, student) for guess in guesses("s01") for student in ("s01", "s02")]
    tried += [pets.dummy("dental", people=60, seed=at, faults={"treated-twice": 0.05}) for at in (seed, 1, 2)]
    for other in tried:
        assert not other["visits"].equals(mine["visits"])
        found = {line["row"] for line in other.answers.to_pylist()}
        assert len(found & right) < len(right) / 2
    again = rows_of(known, SECRET, "s01")  # the trainer can
    assert again["treatments"].equals(mine["treatments"])
    assert quiz_of(known, again).exactly("twice", frozenset(map(str, right))) == 100


ALIKE = {
    "a_useful_private_answer": {"error", "smallest", "people-needed", "by-specialty", "too-small"},
    "attack_and_defence": {"spread", "repeats", "charge"},
    "small_numbers": {"left-open", "zero"},
    "coding_change": {"compare"},
}
"""Tasks of arithmetic and of judgement, and one about the whole population: one answer for everybody."""


@pytest.mark.parametrize("name", [lesson.name for lesson in lessons()])
def test_a_neighbours_answers_are_of_no_use(name: str) -> None:
    """Neither the answers of another student nor where they lie, such as in the last rows of a table."""
    known = load_lesson(name)
    mine, *others = (
        quiz_of(known.of(own_secret(known, SECRET, who)), rows_of(known, SECRET, who), who)
        for who in ("s01", "s02", "s03", "s04")
    )
    theirs = [json.loads(quiz.to_file(answers=True))["tasks"] for quiz in others]
    # (a few students may have one small number by chance, four hardly)
    scores = {
        one[0]["name"]: min(mine.exactly(one[0]["name"], frozenset(other["answer"])) for other in one)
        for one in zip(*theirs, strict=True)
    }
    assert {task for task, score in scores.items() if score > 25} == ALIKE.get(name, set())


# the service ----------------------------------------------------------------------------------------------------------


def test_trying_rows_is_cut_off_long_before_it_finds_them(made: Class, tmp_path: Path) -> None:
    known = load_lesson(str(made.out.parent / "small"))
    rows, right = len(rows_of(known, SECRET, "s01")["treatments"]), answers_of(made, "s01", "twice")
    start = sorted(right)[: math.ceil(len(right) / 4) - 1]  # one short of the first quarter, found honestly

    def attack(served: Desked) -> tuple[set[int], int]:
        told = list[Any]()

        def ask(some: list[int]) -> int:
            told.append(served.desk.answer(served.desk.find(made.token("s01")), "twice", some))  # type: ignore[arg-type]
            return told[-1].mark.score or 0

        hits = set[int]()
        for row in range(1, rows + 1):
            if row not in start and ask([*start, row]) == 25:
                hits.add(row)
        return hits, sum(one.mark.score is not None for one in told)

    with desked(made, most=FREE) as served:
        hits, marked = attack(served)
        assert hits == right - set(start) and marked == rows - len(start)  # without a limit all of them are found
    (made.key / ATTEMPTS).unlink()
    with desked(made) as served:
        hits, marked = attack(served)
        assert marked == MOST["rows"] and len(hits) <= 1
    with desked(made) as served:  # neither does it help that the service was started anew
        hits, marked = attack(served)
        assert marked == MOST["rows"] and len(hits) <= 1


def test_the_attempts_that_are_marked_tell_less_than_where_the_rows_are() -> None:
    """Each tells one of five scores: fewer bits, together, than there are places for the rows."""
    known = load_lesson("find_the_faults")
    made = rows_of(known, SECRET, "s01")
    many = [line["fault"] for line in made.answers.to_pylist()]
    table = {line["fault"]: line["table"] for line in made.answers.to_pylist()}
    told = MOST["rows"] * math.log2(5)
    for task in known.tasks:
        fault = known.known[task.name][1]
        places = math.log2(math.comb(len(made[table[fault]]), many.count(fault)))
        assert told < places - 3, (task.name, told, places)  # (the least: a chance of 1 in 8)


def test_no_texts_or_numbers_can_be_tried_out(made: Class) -> None:
    visits = made.found("s01")[1]
    with desked(made, per_minute=1000) as served:
        tried = [served.answer(made.token("s01"), "visits", guess) for guess in range(visits - 40, visits + 1)]
        assert [one["score"] for one in tried] == [0] * 5 + [None] * 36  # the right one, the last, is not told as such
        assert len({(one["said"], one["attempts"], one["left"]) for one in tried[5:]}) == 1
        words = [served.answer(made.token("s01"), "word", word)["score"] for word in ("a", "b", "c", "yes", "no")]
        assert words == [0, 0, 0, None, None]
    lines = {(line.student, line.task): line for line in mark(made.out, made.key).lines}
    assert (lines["s01", "word"].score, lines["s01", "word"].attempts) == (0, 3)


def test_after_the_last_attempt_an_answer_is_not_even_compared(made: Class, monkeypatch: pytest.MonkeyPatch) -> None:
    with desked(made) as served:
        for word in "abc":
            served.answer(made.token("s01"), "word", word)
        monkeypatch.setattr(PlainKey, "compare", lambda *_: pytest.fail("it was compared"))
        right, wrong = (served.ask("POST", "/answers", made.token("s01"), of) for of in (asked("yes"), asked("no!")))
        assert right.all == wrong.all and right.json()["score"] is None


def asked(word: str) -> dict[str, str]:
    return {"task": "word", "answer": word}


def test_at_once_no_more_attempts_are_marked_than_one_after_another(made: Class) -> None:
    desk = Desk([made.key])
    seat, told = desk.find(made.token("s01")), list[Any]()
    assert seat is not None
    starts = threading.Barrier(20)

    def ask(row: int) -> None:
        starts.wait()
        told.append(desk.answer(seat, "twice", [row]))

    threads = [threading.Thread(target=ask, args=(row,)) for row in range(1, 21)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    desk.close()
    logged = read_attempts(made.key)["s01", "twice"]
    assert sum(one.mark.score is not None for one in told) == MOST["rows"] == len(logged)


def test_a_reply_follows_from_quarters_and_attempts_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two students, whose answers lie elsewhere, and who are as far: every byte of every reply is the same.

    So it is with what happens on the way: as many comparisons, as many bytes on the disk.
    """
    made = small_class(tmp_path, ["s01", "s02"])
    compared, replies = list[int](), dict[str, list[bytes]]()
    near = PlainKey.compare

    def counted(key: PlainKey, task: Any, parts: frozenset[str]) -> Any:
        compared.append(len(parts))
        return near(key, task, parts)

    monkeypatch.setattr(PlainKey, "compare", counted)
    monkeypatch.setattr("pets.common.clock.now", lambda: "2026-01-01T00:00:00+00:00")
    work = dict[str, list[int]]()
    with desked(made) as served:
        for student in ("s01", "s02"):
            right = sorted(answers_of(made, student, "twice"))
            wrong = [row for row in range(1, 99) if row not in right]
            half, quarter = right[: -(-len(right) // 2)], right[: -(-len(right) // 4)]
            steps: list[Any] = [wrong[:4], wrong[4:8], quarter, half, [*half, *wrong[:1]][:-1], right, right]
            compared.clear()
            tokens, said = made.token(student), []
            for step in [*steps, [0], "x"]:
                said.append(served.ask("POST", "/answers", tokens, {"task": "twice", "answer": step}).all)
            said.append(served.ask("GET", "/progress", tokens).all)
            replies[student], work[student] = said, [*map(bool, compared)]
    assert replies["s01"] == replies["s02"] and work["s01"] == work["s02"] and len(work["s01"]) == 5
    told = b"".join(replies["s01"])
    for row in answers_of(made, "s01", "twice"):
        assert f'"{row}"'.encode() not in told and f"[{row}".encode() not in told


def test_hints_come_by_attempts_and_not_by_how_near_one_is(made: Class) -> None:
    right = sorted(answers_of(made, "s01", "twice"))
    near = [right[: len(right) - 1 - n] for n in range(3)]
    far = [[row] for row in range(1, 30) if row not in answers_of(made, "s02", "twice")][:3]
    with desked(made) as served:
        hints = [
            [served.answer(made.token(student), "twice", answer)["said"].partition("Hint: ")[2] for answer in answers]
            for student, answers in (("s01", near), ("s02", far))
        ]
    assert hints[0] == hints[1] == ["look at the keys", "the column is treatment", "the column is treatment"]


def test_a_token_answers_for_nobody_else(made: Class) -> None:
    with desked(made) as served:
        theirs = sorted(answers_of(made, "s02", "twice"))
        assert served.answer(made.token("s01"), "twice", theirs)["score"] < 100
        for body in ({"task": "twice", "answer": theirs, "student": "s02"}, {"task": "../s02/twice", "answer": theirs}):
            assert "score" not in served.ask("POST", "/answers", made.token("s01"), body).json()
        for token in (made.token("s01")[:-1], made.token("s01").upper(), made.token("s01") + "0", ATTEMPTS):
            assert served.ask("GET", "/progress", token).status == 401
    assert list(read_attempts(made.key)) == [("s01", "twice")]


def test_whatever_is_sent_is_a_problem_or_a_mark_and_never_an_answer(made: Class) -> None:
    draw = random.Random(11)
    right = made.answers("s01")
    good = [{"task": "twice", "answer": [1, 2, 3]}, {"task": "word", "answer": "x\ny"}, {"task": "visits", "answer": 7}]
    shown, seen = set[int](), set[str]()
    with desked(made, per_minute=10**6) as served:
        for _ in range(1500):
            body = json.dumps(form := mutated(draw.choice(good), draw)).encode()
            body = corrupted(body, draw) if draw.random() < 0.3 else body
            reply = served.ask("POST", "/answers", made.token("s01"), body)
            assert reply.status < 500, body
            shown.add(reply.status)
            told = reply.json()
            if reply.status == 200:
                assert set(told) == {"task", "score", "attempts", "left", "said"}
                assert told["score"] in (None, 0, 25, 50, 75) or form["answer"] in ([], "yes", right["visits"]), body
                seen.add(told["said"])
            else:
                assert reply.header("content-type") == MEDIA_TYPE and STATUS[told["code"]] == reply.status
                assert "Traceback" not in reply.body.decode() and str(made.key) not in reply.body.decode()
    assert shown >= {200, 400} and len(seen) < 40
    lines = (made.key / ATTEMPTS).read_bytes().splitlines()
    assert all(isinstance(json.loads(line), dict) for line in lines)  # a line of a text is no line of the log
    assert len(lines) == sum(map(len, read_attempts(made.key).values())) <= sum((8, 5, 3))
