"""Reviews: statements on held jobs, on held answers, and on what reviewers decided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from pets.ledger.db.tables import HELD, jobs, requests, reviews


def held(connection: sa.Connection, dataset: str | None, limit: int | None) -> list[Any]:
    """The jobs of a dataset, or of all, that wait for a person, the longest first."""
    query = sa.select(jobs).where(HELD)
    if dataset is not None:
        query = query.where(jobs.c.dataset == dataset)
    return list(connection.execute(query.order_by(jobs.c.at, jobs.c.id).limit(limit)).all())


def votes(connection: sa.Connection, job: str) -> list[Any]:
    """What was decided of a job, oldest first."""
    return list(connection.execute(sa.select(reviews).where(reviews.c.job == job).order_by(reviews.c.seq)).all())


def add(connection: sa.Connection, row: dict[str, Any]) -> None:
    """A reviewer's decision."""
    connection.execute(sa.insert(reviews), row)


def mark(connection: sa.Connection, names: Sequence[str], review: str) -> None:
    """Held answers are approved, or refused."""
    mine = requests.c.id.in_(names), requests.c.review == "held"
    connection.execute(sa.update(requests).where(*mine).values(review=review))
