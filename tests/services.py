"""What the service's tests share: stored tables with canaries in them, and how a process opens them on any ledger."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd

import pets
from pets.common.codec import Json
from pets.ledger.queue import JobState, Queue, QueuedJob
from pets.service.answering import answers
from pets.service.opening import Opening
from pets.service.wire.asked import Asked
from pets.session.custody import Custody
from tests.ledgers import Place

CANARY = "canary7f"
"""In every id and in a value that is in no domain: nothing that is shown may hold it."""

SCHEMA = """
dataset: service-test
tables:
  stays:
    unit: {column: id, max_rows: 3}
    columns:
      id: {type: identifier}
      ward: {type: category, values: [a, b]}
      days: {type: integer, min: 0, max: 20}
      code: {type: text, max_length: 20}
"""
DP = pets.DP(epsilon=0.1)


def prepared(folder: Path) -> Path:
    """A folder with a schema, its rows and their stored snapshot."""
    folder.mkdir(exist_ok=True)
    (folder / "schema.yaml").write_text(SCHEMA, "utf-8")
    rows = pd.DataFrame(
        {
            "id": [f"{CANARY}-{i % 150}" for i in range(300)],
            "ward": ["a", "b", f"{CANARY}-ward"] * 100,
            "days": [i % 21 for i in range(300)],
            "code": [f"C{i % 2}" if i % 10 else f"{CANARY}-{i}" for i in range(300)],
        }
    )
    rows.to_csv(folder / "rows.csv", index=False)
    budget = pets.Budget(epsilon=1, delta=1e-6)
    pets.Session(folder / "schema.yaml", folder / "rows.csv", budget=budget, snapshots=folder / "snap", progress=False)
    return folder


def opening(folder: Path, place: Place, epsilon: float = 100, **more: Any) -> Opening:
    """How any process opens the stored tables on a ledger there."""
    budget = pets.Budget(epsilon=epsilon, delta=1e-6)
    given: dict[str, Any] = {
        "keys": place.keys,
        "budget": budget.to_json(),
        "threads": 1,
        "snapshots": str(folder / "snap"),
    }
    return Opening(str(folder / "schema.yaml"), place.address, **(given | more))


def question(days: int = 0, ward: str | None = None) -> pets.Query:
    """One of some questions that differ."""
    query = pets.query("stays").where(pets.col("days") >= days)
    query = query if ward is None else query.where(pets.col("ward") == ward)
    return query.group_by("ward").agg(n=pets.count())


def asked(*queries: pets.Query, protection: pets.DP = DP, again: bool = False) -> Json:
    """A release's request, as it waits."""
    return Asked("release", {"queries": list(queries), "protection": protection, "again": again}).to_json()


def answer_of(queue: Queue, job: QueuedJob) -> Json | None:
    """The answer of a job that is done, and may be shown."""
    found = answers.answer_of(queue, job)
    return None if found is None else dict(json.loads(found))


def free(custody: Custody, kind: str, form: Json, key: str | None) -> Json | None:
    """The answer to a question in its canonical form, where it was paid for before."""
    given = Asked.read(kind, form)
    found = answers.free(custody, given, answers.jobs_of(custody, given), key)
    written = found() if callable(found) else found
    return None if written is None else dict(json.loads(written))


def until(true: Callable[[], Any], seconds: float = 240) -> None:
    """Waits for what comes about at some time or other; what never does ends the test, long after."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError("it never came about")
        time.sleep(0.02)


def ended(queue: Queue, jobs: Iterable[QueuedJob], seconds: float = 240) -> list[QueuedJob]:
    """The jobs, once all have ended."""
    out: list[QueuedJob] = []

    def has_ended(job: QueuedJob) -> bool:
        found = queue.find(job.id, job.project, job.analyst)
        assert found is not None
        if found.state.ended or found.state is JobState.HELD:
            out.append(found)
            return True
        return False

    for job in jobs:
        until(lambda: has_ended(job), seconds)  # noqa: B023 (asked at once)
    return out


def rows_of_jobs(queue: Queue) -> str:
    """All that the table of jobs holds, as text."""
    import sqlalchemy as sa

    with queue.ledger.aside(writes=False) as (connection, _):
        return "\n".join(str(tuple(row)) for row in connection.execute(sa.text("SELECT * FROM pets_jobs")))
