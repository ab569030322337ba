"""Jobs: questions that a service answers in its own time: asked once, waited for, and fetched later."""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import sleep
from typing import Any

from pets.common.codec import Json
from pets.common.entropy import random_id
from pets.common.progress import bar
from pets.errors import BusyError, HeldError, InProgressError, UserError, shown
from pets.service.client.transport import Transport
from pets.service.wire.asked import Asked
from pets.service.wire.errors import ServiceDownError
from pets.service.wire.harmless import harmless
from pets.service.wire.problems import error_of

_WAITS = (1.0, 1.0, 2.0, 5.0, 10.0)
"""Seconds that the service may wait with its reply, at first few so that progress shows, then the last of them."""

_PATIENCE = 600.0
"""Seconds that a question is asked again under a key under which one is still being answered."""

_OPEN = ("waiting", "running")

_ABSENT = "Waiting: no process answers there now; whoever runs the service can start one"


class Jobs:
    """The jobs of one connection. A question has a key of its own: it is charged once, however often it is sent."""

    def __init__(self, transport: Transport, dataset: str, *, progress: bool, clock: Callable[[], float]) -> None:
        self._transport, self._dataset, self._progress, self._clock = transport, dataset, progress, clock

    def put(self, asked: Asked, key: str | None, wait: float = _WAITS[0]) -> Json:
        """Ask; gives the service's first reply, with the answer where it has one."""
        body = {"kind": asked.kind} | asked.to_json()
        name = random_id() if key is None else key
        again = f"ask the same again with key={name!r}, and it is charged once"
        if asked.kind == "synthesise":
            again = "look at connection.history() before you ask again"
        try:
            return self._sent(body, name, wait)
        except KeyboardInterrupt:
            print(f"Whether the service has the question is not known: {again}", file=sys.stderr)
            raise
        except ServiceDownError as error:
            raise ServiceDownError(f"{error}; whether it has the question is not known: {again}") from None

    def _sent(self, body: Json, key: str, wait: float) -> Json:
        """The first reply, waited for where what came under this key is still being answered."""
        waited = 0.0
        while True:
            try:
                return self._transport.post("datasets", self._dataset, "queries", body=body, key=key, wait=wait)
            except InProgressError as error:
                pause = min(_WAITS[-1], max(_WAITS[0], error.retry_after or 0.0))
                if waited + pause > _PATIENCE:
                    raise
            except BusyError:
                if not wait:
                    raise
                wait, pause = 0.0, 0.0
            self._pause(pause)
            waited += pause

    def answered(self, reply: Json) -> Json:
        """The answer, once it is there; Ctrl-C leaves the job and says how to fetch its answer.

        Raises:
            PetsError: what the session raised that answered it, of the same class and with the same sentence.
            HeldError: where a person must approve it first.
        """
        number = _number(reply)
        try:
            return self._waited(reply)
        except KeyboardInterrupt:
            print(
                f"The question goes on without you; its answer is fetched by: connection.fetch({number!r})",
                file=sys.stderr,
            )
            raise
        except ServiceDownError as error:
            raise ServiceDownError(
                f"{error}; the service has the question: fetch its answer later with connection.fetch({number!r})"
            ) from None

    def _waited(self, reply: Json) -> Json:
        with bar(1, "Waiting for the service", show=self._progress) as shown_bar:
            polls = 0
            while (state := state_of(reply)) in _OPEN:
                shown_bar.at(_ABSENT if unanswered(reply) else "Waiting for the service")
                wait, began = _WAITS[min(polls, len(_WAITS) - 1)], self._clock()
                reply, polls = self._looked(_number(reply), wait), polls + 1
                if state_of(reply) in _OPEN and self._clock() - began < wait / 2:
                    self._pause(wait / 2)  # it did not wait
        if state == "done":
            return reply
        raise _end(reply, state)

    def _looked(self, number: str, wait: float) -> Json:
        try:
            return self.look(number, wait)
        except BusyError:  # so many wait there already that this one may not: it looks now and then
            return self.look(number)

    def _pause(self, seconds: float) -> None:
        sleep(seconds)

    def look(self, number: str, wait: float = 0.0) -> Json:
        """What became of a job."""
        return self._transport.get("queries", number, wait=wait)

    def cancel(self, number: str) -> Json:
        """Ask no more for it; what had begun stays charged."""
        return self._transport.delete("queries", number)


class Pending:
    """A question that a service was asked, and whose answer is fetched later.

    Attributes:
        id: under which the service knows it: ``connection.fetch(id)`` gives its answer, in another notebook too.
    """

    def __init__(self, reply: Json, jobs: Jobs, read: Callable[[Json], Any]) -> None:
        self.id = _number(reply)
        self._reply, self._jobs, self._read = reply, jobs, read

    @property
    def state(self) -> str:
        """``waiting``, ``running``, ``done``, ``failed``, ``cancelled`` or ``held`` (a person must approve it)."""
        if state_of(self._reply) in (*_OPEN, "held"):
            self._reply = self._jobs.look(self.id)
        return state_of(self._reply)

    def result(self) -> Any:
        """The answer, waited for; raises what the verb raises that asked."""
        if state_of(self._reply) == "held":  # it may have been approved since
            self._reply = self._jobs.look(self.id)
        self._reply = self._jobs.answered(self._reply)
        return self._read(self._reply)

    def cancel(self) -> str:
        """Take the question back, and say its state: what had begun stays charged."""
        self._reply = self._jobs.cancel(self.id)
        return state_of(self._reply)

    def __repr__(self) -> str:
        state = state_of(self._reply)
        then = "looks whether a second person has approved it" if state == "held" else "waits for its answer"
        return f"<Pending {self.id or 'answered'}: {state}; .result() {then}>"


def state_of(reply: Json) -> str:
    """The state of a job; an answer that was known before had none, and is done."""
    job = reply.get("job")
    return harmless(str(job.get("state"))) if isinstance(job, dict) else "done"


def unanswered(reply: Json) -> bool:
    """Whether the service says that nobody answers what waits."""
    job = reply.get("job")
    return isinstance(job, dict) and job.get("answering") is False


def kind_of(reply: Json) -> str:
    """What kind of question a job is; ``""`` where that is not said."""
    job = reply.get("job")
    return harmless(str(job.get("kind", ""))) if isinstance(job, dict) else ""


def _number(reply: Json) -> str:
    job = reply.get("job")
    number = job.get("id", "") if isinstance(job, dict) else ""
    if not isinstance(number, str):
        raise UserError(f"the service named a job {shown(number)}; tell whoever runs it")
    return harmless(number)


def _end(reply: Json, state: str) -> Exception:
    number = _number(reply)
    if state == "held":
        return HeldError.of(
            "the service has the question, and nothing of its answer is shown before a second person approves it; "
            f"fetch it later with connection.fetch({number!r}), which says so if they refuse",
            number,
        )
    if state == "cancelled":
        return UserError(f"the question {number} was taken back before it was answered; ask it again")
    if state == "failed":
        return error_of(reply["job"].get("problem"))
    return UserError(f"the service says that the question {number} is {shown(state)}; install the pets that it has")
