"""Tables: requests for tables outside the grid, as they are put: each is held for a person, whatever it would tell.

That somebody looked at one is noted in the ledger's row of it, in the place of the worker that it never has: neither
whoever asked nor the log is told.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pets.common.codec import Json, digest
from pets.common.entropy import random_id
from pets.errors import HeldError, InternalError, NotApprovedError, OtherQuestionError, PolicyError
from pets.ledger.db import jobs, reviews
from pets.ledger.db.row_types import text
from pets.ledger.ledger import Ledger
from pets.ledger.queued.job import JobState, QueuedJob, told
from pets.ledger.queued.kinds import TABLE

IN_REVIEW = (
    "this table is no sum of the grid's cells, so it is in review: another person decides whether it leaves, and "
    "nothing was released; ask again later"
)
"""What whoever asked is told until a person has decided, whatever the table would tell and whatever was found of it."""
_LOOKS = "\nlooks"  # no project's name: whoever notes a look at a table of a dataset is alone


def ask(ledger: Ledger, dataset: str, scope: tuple[str, str], asked: Json, key: str, *, most: int) -> QueuedJob:
    """The request for a table, which is put where it is new; one that was taken back, or never sealed, is put anew.

    Args:
        scope: the project and the analyst who ask.
        key: the same for the same table of the same rows.
        most: tables outside the grid that a project may ever ask for.

    Raises:
        PolicyError: where it has asked for so many, whatever became of them.
    """
    row: dict[str, Any] = {"id": random_id(), "dataset": dataset, "project": scope[0], "analyst": scope[1]}
    row |= {"kind": TABLE, "asked": text(asked), "digest": digest([TABLE, asked]), "key": f"table:{key}"}
    row |= {"lease": 0.0, "token": "", "worker": "", "tries": 0, "shown": 0.0}
    row |= {"state": JobState.HELD.value, "review": "before"}
    ledger.sweep()
    with ledger.aside() as (connection, now):
        jobs.alone(connection, dataset, scope[0])
        known = jobs.by_key(connection, dataset, scope, row["key"])
        if known is not None and known.state == JobState.DONE.value and reviews.lost(connection, known.request):
            # a person let it out, and it was never sealed: each request is decided once, so it waits as another one
            jobs.move(connection, known.id, known.state, None, state=JobState.CANCELLED.value, key=None)
            known = None
        if known is None:
            if reviews.asked(connection, dataset, scope[0], TABLE) >= most:
                raise PolicyError(
                    f"this project has asked for {most:,} tables outside the grid, and this custodian's policy allows "
                    "no more (sdc_tables); ask for sums of the grid's cells, or with pets.DP(epsilon=…)"
                )
            if not jobs.add(connection, row | {"at": now}):
                raise InternalError("a new job was there already")
            known = jobs.by_key(connection, dataset, scope, row["key"])
        elif known.digest != row["digest"]:
            raise OtherQuestionError(f"the key {row['key']!r} was used for another question; ask under another name")
        elif known.state == JobState.CANCELLED.value:
            jobs.move(connection, known.id, known.state, None, state=JobState.HELD.value)
            known = jobs.by_id(connection, known.id)
        return told(known, now)


@dataclass(frozen=True, order=True)
class Look:
    """That somebody looked at what a table would tell.

    Attributes:
        snapshot: the public id of the rows.
        tells: whether it may tell of them that the table is not let out: it was not proved, by what it would show.
    """

    snapshot: str
    tells: bool


def looks(row: Any) -> tuple[Look, ...]:
    """What is noted of the looks at a table, of its row."""
    return tuple(Look(*one) for one in json.loads(row.worker)) if row.worker else ()


def question(row: Any) -> str:
    """The digest of the plan that a table is asked by, of its row: who asks the same has another row."""
    return str(json.loads(row.asked)["question"])


Notes = tuple[tuple[str, str], ...]


def notes_of(rows: Sequence[Any], asked: str) -> Notes:
    """What is noted of looks at tables, of their rows, but of those that ask the question ``asked``."""
    return tuple((row.id, row.worker) for row in rows if row.worker and question(row) != asked)


def note_look(ledger: Ledger, job: str, look: Look, notes: Notes) -> bool:
    """Note that somebody looked at a table, before they are told what was found; it stays noted.

    Args:
        notes: what was noted of other tables when it was looked at.

    Returns:
        Whether it is noted: not where meanwhile another table was looked at. Each of the two would then close the other
        for ever, or leave without the other: whoever comes second looks anew, and finds the first one's note.
    """
    with ledger.aside() as (connection, _):
        row = jobs.by_id(connection, job)
        jobs.alone(connection, row.dataset, _LOOKS)
        jobs.alone(connection, row.dataset, row.project)
        row = jobs.by_id(connection, job)
        tables = reviews.of_kind(connection, row.dataset, TABLE)
        if notes_of(tables, question(row)) != notes:
            return False
        noted = text([[one.snapshot, one.tells] for one in sorted({*looks(row), look})])
        if not jobs.move(connection, job, row.state, None, worker=noted):
            raise HeldError("this request was decided or taken back meanwhile; look at those that are held")
    return True


def beside(requests: Sequence[str]) -> str:
    """The digest of the requests whose releases a table was compared with, as the log has it."""
    return digest(["pets.compared", sorted(requests)])


def check_decided(job: QueuedJob) -> None:
    """Raises what whoever asked is told while a table is in review, or once it was refused."""
    if job.state is JobState.FAILED and job.problem is not None:
        raise NotApprovedError(str(job.problem["message"]))
    raise HeldError.of(f"{IN_REVIEW} (request {job.id})", job.id)
