"""Work: several questions, each chosen after the answers before it, that are paid for as one, before the first.

Reserving the whole price at the start is what keeps a long job from being refused half way, with a part of the budget
gone and nothing to show for it. The ledger holds one entry; what fails after the first question leaves it charged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pets.common.codec import Json, canonical
from pets.errors import InternalError, ReleaseFailedError
from pets.protection.budget import Cost
from pets.release.release import Release
from pets.release.release_form import work_form
from pets.session.job import Job

Answer = Callable[[Job], Release]


@dataclass(frozen=True)
class Work:
    """The terms of a work, all of them public.

    Attributes:
        table, what: the table, and what is asked of it without any constant.
        question: the same for the same work.
        snapshot: the public id of the snapshot that all questions are about.
        protection: of all answers together.
        price: of all answers together.
        guarantee: what they promise together.
        terms: what a certificate states of the noise.
        delta: the δ of the budget at which the price was reckoned; ``None`` where none was needed.
    """

    table: str
    what: str
    question: str
    snapshot: str
    protection: Json
    price: Cost
    guarantee: str
    terms: Json
    delta: float | None = None


class Answers:
    """Answers the questions of a work that was charged, within its price; or, where it was answered before, again.

    Attributes:
        releases: the answers so far.
        certificate: of all answers, once they are sealed.
        question: the digest of what was asked.
    """

    def __init__(self, work: Work, answer: Answer, stored: Sequence[Release] | None) -> None:
        self.releases: list[Release] = []
        self.certificate: Json | None = None
        self.question = work.question
        self._work, self._answer, self._stored = work, answer, stored
        self._left = work.price.loss

    def __call__(self, jobs: Sequence[Job]) -> list[Release]:
        """Answer some questions more.

        Raises:
            ReleaseFailedError: when an answer fails; the charge stands.
        """
        for job in jobs:
            self.releases.append(self._one(job))
        return self.releases[-len(jobs) :]

    def _one(self, job: Job) -> Release:
        if job.snapshot.id != self._work.snapshot:
            raise ReleaseFailedError(
                f"the data of table {self._work.table!r} was refreshed while a work on it was under way; its charge "
                "stands; ask again"
            )
        if self._stored is None:
            cost = 0 if job.noise is None else job.noise.cost.loss
            if cost > self._left:
                raise InternalError("a work asked for more than was charged for it")
            self._left -= cost
            return self._answer(job)
        place = len(self.releases)
        if place >= len(self._stored) or self._stored[place].plan.digest != job.plan.digest:
            # (the choice of questions rests on floating-point numbers, which may differ between machines)
            raise ReleaseFailedError(
                "this work was answered before, but would take another course on this machine; ask for the data set "
                "that was saved then, or use again=True, which is charged again"
            )
        return self._stored[place]

    def form(self) -> Json:
        """What is sealed: every answer, in order."""
        return work_form(self.question, [one.form for one in self.releases])


def stored(sealed: bytes) -> list[Release]:
    """The answers of a work that was sealed."""
    import json

    form: Any = json.loads(sealed)
    return [Release.from_json(canonical(one)) for one in form["releases"]]
