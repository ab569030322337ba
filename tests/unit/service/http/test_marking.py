"""The marking service: what it takes, what it says, and what a student's quiz makes of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import pets
from pets.cli import main
from pets.errors import UserError
from pets.service.access.rates import Strangers
from pets.service.client.lessons.quiz import ServedMarks
from pets.service.wire.problems import MEDIA_TYPE
from pets.synthetic.lessons.attempts import read_attempts
from pets.synthetic.lessons.marking import check
from pets.synthetic.quiz.quiz import Place, Quiz
from tests.lessons import Class, Desked, desked, small_class
from tests.services import until


@pytest.fixture
def made(tmp_path: Path) -> Class:
    return small_class(tmp_path, ["s01", "s02"])


@pytest.fixture
def served(made: Class) -> Iterator[Desked]:
    with desked(made) as one:
        yield one


def quiz_of(made: Class, served: Desked, student: str = "s01") -> Quiz:
    """The quiz of a student's folder, whose requests are answered in this process."""
    quiz = Quiz.load(made.out / student / "quiz.json")
    assert quiz.place is not None
    return quiz.marked_by(ServedMarks(quiz.place, sent_by=httpx.MockTransport(served.carried), sleep=lambda _: None))


def test_an_answer_is_marked_with_a_score_a_hint_and_what_is_left(made: Class, served: Desked) -> None:
    token, (rows, visits) = made.token("s01"), made.found("s01")
    told = [served.answer(token, "twice", some) for some in ([], rows[:6], rows[:6], rows[:7], rows)]
    assert [(one["score"], one["attempts"], one["left"]) for one in told] == [
        (None, 0, 8),  # nothing is no attempt
        (50, 1, 7),
        (50, 1, 7),  # the same again is none
        (50, 2, 6),  # 7 of 11
        (100, 3, 5),
    ]
    assert [one["said"] for one in told[::2]] == [
        "not answered yet",
        "50 % (attempt 1 of 8). Hint: look at the keys",
        "right, 100 % (attempt 3 of 8). Count each once.",
    ]
    assert told[3]["said"].endswith("Hint: the column is treatment")
    assert served.answer(token, "visits", str(visits))["score"] == 100
    reply = served.ask("GET", "/progress", token)
    assert [(one["task"], one["score"], one["attempts"]) for one in reply.json()["tasks"]] == [
        ("twice", 100, 3),
        ("visits", 100, 1),
        ("word", None, 0),
    ]
    assert reply.header("pets-protocol") == "1" and reply.header("cache-control") == "no-store"
    assert served.ask("GET", "/healthz", None).json() == {"ok": True}
    theirs = served.ask("GET", "/progress", made.token("s02")).json()["tasks"]
    assert [one["attempts"] for one in theirs] == [0, 0, 0]


@pytest.mark.parametrize(
    ("body", "status", "code", "words"),
    [
        ({"task": "word"}, 400, "request", "the body lacks 'answer'"),
        ({"task": "word", "answer": "x", "student": "s02"}, 400, "request", "no place for 'student'"),
        ([], 400, "request", "one JSON object"),
        (b"{", 400, "request", "not JSON"),
        (b'{"task": "word", "task": "word", "answer": "x"}', 400, "request", "twice"),
        ({"task": "words", "answer": "x"}, 400, "request", "did you mean 'word'"),
        ({"task": ["word"], "answer": "x"}, 400, "request", "there is no task"),
        ({"task": "twice", "answer": "3"}, 400, "request", "the numbers of rows"),
        ({"task": "twice", "answer": list(range(1, 5003))}, 400, "request", "at most 5,000 parts here"),
        ({"task": "visits", "answer": {"a": 1}}, 400, "request", "one number"),
        (b'{"task": "word", "answer": "' + b"x" * 200_000 + b'"}', 413, "too-large", "200,000 bytes"),
    ],
)
def test_what_is_no_answer_is_one_sentence_and_no_attempt(
    made: Class, served: Desked, body: object, status: int, code: str, words: str
) -> None:
    reply = served.ask("POST", "/answers", made.token("s01"), body)
    assert (reply.status, reply.json()["code"]) == (status, code) and words in reply.json()["detail"]
    assert reply.header("content-type") == MEDIA_TYPE and read_attempts(made.key) == {}


def test_other_addresses_methods_and_kinds_are_refused(made: Class, served: Desked) -> None:
    token = made.token("s01")
    for method, path, status, code in (
        ("GET", "/answers", 405, "wrong-method"),
        ("POST", "/progress", 405, "wrong-method"),
        ("GET", "/", 404, "not-found"),
        ("GET", "/answers/../trainer/s01.json", 404, "not-found"),
        ("GET", "/openapi.json", 404, "not-found"),
        ("GET", "/progress?student=s02", 400, "request"),
    ):
        reply = served.ask(method, path, token)
        assert (reply.status, reply.json()["code"]) == (status, code), path
    reply = served.ask("POST", "/answers", token, None)  # without the header that says JSON
    assert (reply.status, reply.json()["code"]) == (415, "media-type")


def test_requests_are_limited_for_each_student(made: Class) -> None:
    with desked(made, per_minute=2) as served:
        asked = [served.ask("GET", "/progress", made.token("s01")) for _ in range(3)]
        assert [one.status for one in asked] == [200, 200, 429] and asked[2].json()["retry_after"] >= 1
        assert served.ask("GET", "/progress", made.token("s02")).status == 200


def test_tokens_that_nobody_has_are_all_refused_alike_and_tried_slowly(made: Class) -> None:
    with desked(made, strangers=Strangers(per_minute=4)) as served:
        wrong = [None, "", "x", "lesson_" + "0" * 64, "lesson_" + "é" * 9, "x" * 9000]
        replies = [served.ask("GET", "/progress", token) for token in wrong]
        assert {one.status for one in replies} == {401} and len({one.body for one in replies}) == 1
        more = [served.ask("GET", "/progress", f"lesson_{n:064d}").status for n in range(4)]
        assert more[-1] == 429
        # whoever was known before is known still, though all come from one address
        assert served.ask("GET", "/progress", made.token("s01")).status == 429
    with desked(made, strangers=Strangers(per_minute=4)) as served:
        assert served.ask("GET", "/progress", made.token("s01")).status == 200
        assert [served.ask("GET", "/progress", f"lesson_{n:064d}").status for n in range(5)][-1] == 429
        assert served.ask("GET", "/progress", made.token("s01")).status == 200


def test_a_token_ends_when_its_line_is_taken_out(made: Class) -> None:
    file = made.key / "tokens.csv"
    file.write_text("".join(line for line in file.read_text().splitlines(True) if not line.startswith("s01")), "utf-8")
    with desked(made) as served:
        statuses = [served.ask("GET", "/progress", made.token(student)).status for student in ("s01", "s02")]
        assert statuses == [401, 200] and served.desk.classes == {"A small lesson": 1}


def test_what_cannot_be_logged_is_no_attempt_and_tells_nothing(
    made: Class, served: Desked, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, write = made.token("s01"), os.write

    def full(file: int, data: memoryview) -> int:
        write(file, data[:5])
        raise OSError(28, "No space left on device", str(made.key))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        reply = served.ask("POST", "/answers", token, {"task": "word", "answer": "yes"})
    assert reply.status == 500 and "score" not in reply.json() and str(made.key) not in reply.body.decode()
    assert served.answer(token, "word", "yes") == {
        "task": "word",
        "score": 100,
        "attempts": 1,
        "left": 2,
        "said": "right, 100 % (attempt 1 of 3).",
    }
    assert [one.score for one in read_attempts(made.key)["s01", "word"]] == [100]


# a student's quiz -----------------------------------------------------------------------------------------------------


def test_a_quiz_is_marked_by_its_service_and_keeps_its_answers(made: Class, served: Desked) -> None:
    quiz, (rows, _) = quiz_of(made, served), made.found("s01")
    assert quiz["twice"].hints == () and quiz["twice"].lesson == ""  # they come from the service alone
    assert quiz.answer("twice", rows[:6]).said == "50 % (attempt 1 of 8). Hint: look at the keys"
    assert quiz.answer("word", " YES ").score == 100
    assert "50 % of 3 tasks" in repr(quiz) and quiz.attempts("twice") == 1
    folder = made.out / "s01"
    assert (folder / "answers" / "word.csv").read_text("utf-8") == "answer\nyes\n"
    again, marks = check(folder, lambda _: quiz_of(made, served))  # as R and SQL are marked
    assert [mark.score for mark in marks] == [50, 100] and again.attempts("twice") == 1
    with pytest.raises(UserError, match="the numbers of rows"):
        quiz.answer("twice", "x")


def test_where_the_service_is_away_the_answer_is_kept(made: Class) -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    quiz = Quiz.load(made.out / "s01" / "quiz.json")
    assert quiz.place is not None
    quiz.marked_by(ServedMarks(quiz.place, sent_by=httpx.MockTransport(away), sleep=lambda _: None))
    mark = quiz.answer("word", "yes")
    assert mark.score is None and "kept in your folder, and not marked yet" in mark.said
    assert (made.out / "s01" / "answers" / "word.csv").exists()


def saying(reply: object) -> httpx.MockTransport:
    """A service that says this, whatever it is asked."""
    return httpx.MockTransport(lambda _: httpx.Response(200, json=reply, headers={"pets-protocol": "1"}))


def test_a_service_that_is_none_steers_nothing(made: Class) -> None:
    replies = [
        {"task": "word", "score": 101, "attempts": 1, "said": "x"},
        {"task": "word", "score": True, "attempts": 1, "said": "x"},
        {"task": "word", "score": 0, "attempts": -1, "said": "x"},
        {"task": "word", "score": 0, "attempts": 1, "said": 5},
        {},
    ]
    for reply in replies:
        sent_by = httpx.MockTransport(
            lambda _, told=reply: httpx.Response(200, json=told, headers={"pets-protocol": "1"})
        )
        marks = ServedMarks(Place("http://localhost:1", "lesson_x"), sent_by=sent_by, sleep=lambda _: None)
        with pytest.raises(UserError, match="localhost:1"):
            marks.mark(Quiz.load(made.out / "s01" / "quiz.json")["word"], frozenset({"yes"}))
    said = {"task": "word", "score": 0, "attempts": 1, "said": "\x1b[2Jcleared"}
    marks = ServedMarks(Place("http://localhost:1", "lesson_x"), sent_by=saying(said))
    assert "\x1b" not in marks.mark(Quiz.load(made.out / "s01" / "quiz.json")["word"], frozenset({"yes"})).said


def test_a_token_is_sent_to_no_address_where_it_could_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = small_class(tmp_path, ["s01"], service="http://192.0.2.1:8480")
    with pytest.raises(UserError, match="could be read on its way; write https"):
        pets.load(made.out / "s01" / "quiz.json")
    for text in ('{"address": 5, "token": "x"}', '{"address": "http://localhost", "token": ""}', "[]"):
        told = json.loads((made.out / "s01" / "quiz.json").read_text("utf-8")) | {"service": json.loads(text)}
        (tmp_path / "quiz.json").write_text(json.dumps(told), "utf-8")
        with pytest.raises(UserError, match="is no quiz"):
            pets.load(tmp_path / "quiz.json")
    assert main.run(["learn", "secret", str(tmp_path / "t.secret")]) == 0
    (tmp_path / "class.csv").write_text("student\ns01\n", "utf-8")
    prepare = ["learn", "prepare", str(tmp_path / "small"), "--class", str(tmp_path / "class.csv")]
    prepare += ["--secret", str(tmp_path / "t.secret"), "--out", str(tmp_path / "o"), "--key", str(tmp_path / "k")]
    assert main.run([*prepare, "--service", "http://192.0.2.1"]) == 2
    assert "write https" in capsys.readouterr().err and not (tmp_path / "o").exists()
    assert main.run([*prepare, "--service", "https://marks.example.org/lesson/"]) == 0
    assert "pets learn serve" in capsys.readouterr().out
    told = json.loads((tmp_path / "o" / "s01" / "quiz.json").read_text("utf-8"))
    assert told["service"]["address"] == "https://marks.example.org/lesson"


@pytest.mark.chance(0)  # a process that draws nothing
def test_a_class_is_marked_by_a_process_of_its_own(made: Class, tmp_path: Path) -> None:
    said = tmp_path / "said.txt"
    with said.open("wb") as out:
        command = [sys.executable, "-m", "pets", "learn", "serve", "--key", str(made.key), "--port", "0"]
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    try:
        until(lambda: "Stop with Ctrl-C" in said.read_text("utf-8") or process.poll() is not None)
        told = said.read_text("utf-8")
        assert "Marking 'A small lesson' for 2 students." in told, told
        at = told.partition("Serving at ")[2].partition(". Stop")[0]
        file = made.out / "s01" / "quiz.json"
        file.write_text(file.read_text("utf-8").replace("http://localhost:8480", at), "utf-8")
        assert pets.load(file).answer("twice", made.found("s01")[0]).score == 100
        with urllib.request.urlopen(f"{at}/healthz") as reply:
            assert json.load(reply) == {"ok": True}
        second = subprocess.run(command, capture_output=True, text=True, check=False)
        assert second.returncode == 2 and "another service marks with" in second.stderr
    finally:
        process.terminate()
        assert process.wait() == 0
    assert "Stopped." in said.read_text("utf-8")
    assert [one.score for one in read_attempts(made.key)["s01", "twice"]] == [100]
