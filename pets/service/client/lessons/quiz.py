"""A lesson's quiz that a marking service marks: answers are kept in the folder, and sent under the student's token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pets.errors import BusyError, UserError
from pets.service.client.transport import Transport
from pets.service.client.unreached import stranger
from pets.service.wire.errors import ServiceDownError
from pets.service.wire.harmless import harmless
from pets.synthetic.quiz.quiz import Mark, Place, Quiz
from pets.synthetic.quiz.task import Task

_PATIENCE = 30.0  # seconds for one answer


class LessonQuiz:
    """What ``pets.load`` makes of the quiz.json of a lesson's folder."""

    @staticmethod
    def load(path: str | Path = "quiz.json") -> Quiz:
        """The quiz, marked by the trainer's service where its file names one.

        Raises :class:`UserError` for a file that is none, and for an address to which no token may be sent.
        """
        quiz = Quiz.load(path)
        return quiz if quiz.place is None else quiz.marked_by(ServedMarks(quiz.place))


class ServedMarks:
    """Marks of a service.

    Args:
        place: where it is, and who asks.
        more: of :class:`~pets.service.client.transport.Transport`, in tests.

    Raises :class:`UserError` for an address that is none, or at which the token could be read on its way.
    """

    def __init__(self, place: Place, **more: Any) -> None:
        self._address = place.address
        self._transport = Transport(place.address, place.token, None, _PATIENCE, **more)

    def mark(self, task: Task, parts: frozenset[str]) -> Mark:
        """The mark; without a score where the service cannot be reached now: the answer then lies in the folder.

        Raises :class:`UserError` for what the service refuses.
        """
        answer = sorted(parts) if task.many else next(iter(parts))
        try:
            told = self._transport.post("answers", body={"task": task.name, "answer": answer})
        except (ServiceDownError, BusyError) as error:
            kept = f"kept in your folder, and not marked yet: {error}. Answer again later, or hand in the folder"
            return Mark(task.name, None, 0, kept)
        score, attempts, said = told.get("score"), told.get("attempts"), told.get("said")
        if not _whole(attempts, 10**6) or not isinstance(said, str) or not (score is None or _whole(score, 100)):
            raise UserError(stranger(self._address))
        return Mark(task.name, score, int(str(attempts)), harmless(said))


def _whole(value: object, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def checked_address(address: str) -> str:
    """The address of a service to which tokens of students may be sent.

    Raises :class:`UserError` for one that is none, or is on another machine and not https.
    """
    made = Transport(address, "lesson", None, _PATIENCE)
    made.close()
    return made.url
