"""Lessons as students and trainers use them: their notebooks are run, and classes of a small lesson are prepared."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pandas as pd

from pets.service.http.marking.app import create_marking_app
from pets.synthetic.lessons.desk import MOST, Desk
from pets.synthetic.lessons.lesson import load_lesson
from pets.synthetic.lessons.making import prepare
from pets.synthetic.quiz.secret import Secret
from tests.asgi import Caller, Header, Reply


def run(folder: Path) -> dict[str, Any]:
    """Run a notebook's cells, in this process: what it releases is drawn from the test's seed."""
    names: dict[str, Any] = {"__name__": "__main__"}
    with chdir(folder):
        for cell in json.loads((folder / "lesson.ipynb").read_text("utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                exec(compile("".join(cell["source"]), f"{folder.name}, {cell['id']}", "exec"), names)
    return names


SMALL = """
lesson: small
title: A small lesson
about: Of dental visits.
minutes: 5
data:
  pack: dental
  people: 60
  faults:
    treated-twice: 0.05
tasks:
  twice:
    kind: rows
    question: Which rows are there twice?
    fault: treated-twice
    hints: [look at the keys, the column is treatment]
    lesson: Count each once.
  visits:
    kind: number
    question: How many visits?
    sql: SELECT count(*) FROM visits
    hints: [count the rows]
  word:
    kind: text
    question: Which word?
    answer: yes
"""
NOTEBOOK = "# Small\n\n```python\nimport pets\n```\n\ntwice visits word\n"
SECRETS = (Secret(bytes(range(32))), Secret(bytes(range(100, 132))))
AT = "http://localhost:8480"


def small_lesson(folder: Path, text: str = SMALL) -> Path:
    """A lesson of one's own."""
    folder.mkdir()
    (folder / "lesson.yaml").write_text(text, "utf-8")
    (folder / "lesson.md").write_text(NOTEBOOK, "utf-8")
    return folder


@dataclass(frozen=True)
class Class:
    """What a trainer prepared: folders to hand out, and the trainer's own."""

    out: Path
    key: Path

    def token(self, student: str) -> str:
        """Of a student, as it stands in what was handed out."""
        return str(json.loads((self.out / student / "quiz.json").read_text("utf-8"))["service"]["token"])

    def answers(self, student: str) -> dict[str, list[str]]:
        """The trainer's."""
        told = json.loads((self.key / f"{student}.json").read_text("utf-8"))
        return {task["name"]: task["answer"] for task in told["tasks"]}

    def found(self, student: str) -> tuple[list[int], int]:
        """What a student finds in the rows: those that are there twice, and how many visits there are."""
        data = self.out / student / "data"
        treatments = pd.read_csv(data / "treatments.csv", dtype=str)
        treatments.index += 1
        return list(treatments.index[treatments.treatment.duplicated()]), len(pd.read_csv(data / "visits.csv"))


def small_class(folder: Path, students: list[str], secret: Secret = SECRETS[0], service: str | None = AT) -> Class:
    """A class of the small lesson."""
    lesson = folder / "small"
    known = load_lesson(str(lesson if lesson.exists() else small_lesson(lesson)))
    made = Class(folder / "handout", folder / "trainer")
    prepare(known, students, secret, made.out, made.key, service=service)
    return made


class Desked:
    """The marking service of a class, asked in this process."""

    def __init__(self, desk: Desk, **more: Any) -> None:
        self.desk = desk
        self._caller = Caller(create_marking_app(desk, **more))

    def ask(self, method: str, path: str, token: str | None, body: Any = None) -> Reply:
        """The reply to a request; a body of bytes goes as it is."""
        headers: list[Header] = [] if token is None else [(b"authorization", f"Bearer {token}".encode("latin-1"))]
        headers += [] if body is None else [(b"content-type", b"application/json")]
        sent = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return self._caller.send(method, path, headers, sent)

    def answer(self, token: str, task: Any, answer: Any) -> Any:
        """What is said of an answer."""
        return self.ask("POST", "/answers", token, {"task": task, "answer": answer}).json()

    def carried(self, request: httpx.Request) -> httpx.Response:
        """A client's request, answered here."""
        headers = [(name.lower(), value) for name, value in request.headers.raw]
        reply = self._caller.send(request.method, request.url.raw_path.decode(), headers, request.read())
        return httpx.Response(reply.status, headers=list(reply.headers), content=reply.body)

    def close(self) -> None:
        """No more."""
        self._caller.close()
        self.desk.close()


@contextmanager
def desked(*classes: Class, most: dict[str, int] = MOST, **more: Any) -> Iterator[Desked]:
    """The marking service of some classes."""
    made = Desked(Desk([one.key for one in classes], most), **more)
    yield made
    made.close()
