"""Reviews: statements on held jobs, on held answers, and on what reviewers decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


# what became of requests that a person must approve ------------------------------------------------------------------


def marked(connection: sa.Connection, dataset: str, whose: Mapping[str, str], last: int | None) -> list[Any]:
    """Charged requests whose answers are held or were refused: id, review, key, project and analyst; the newest."""
    wanted = [requests.c.dataset == dataset, requests.c.review.in_(("held", "refused"))]
    wanted += [requests.c[name] == value for name, value in whose.items()]
    told = (requests.c[name] for name in ("id", "review", "key", "project", "analyst"))
    return list(connection.execute(sa.select(*told).where(*wanted).order_by(requests.c.seq.desc()).limit(last)).all())


def refusals(connection: sa.Connection, dataset: str) -> list[Any]:
    """Jobs that were refused, and why: id, key, project, analyst, the requests that answered them, the reason."""
    told = (jobs.c[name] for name in ("id", "key", "project", "analyst", "request"))
    query = sa.select(*told, reviews.c.reason).join(jobs, jobs.c.id == reviews.c.job)
    query = query.where(jobs.c.dataset == dataset, jobs.c.review == "refused", reviews.c.decision == "refuse")
    return list(connection.execute(query.order_by(reviews.c.seq)).all())


def uncharged(
    connection: sa.Connection, dataset: str, whose: Mapping[str, str], now: float, last: int | None
) -> list[Any]:
    """Jobs that are held or were refused, are told so by now, and were charged nothing; the newest."""
    key = sa.func.coalesce(jobs.c.key, sa.literal("job:") + jobs.c.id)
    of_it = sa.func.substr(requests.c.key, 1, sa.func.length(key) + 1) == key + "#"
    paid = sa.select(requests.c.id).where(
        *(requests.c[name] == jobs.c[name] for name in ("dataset", "project", "analyst")),
        sa.or_(requests.c.key == key, of_it),
    )
    refused = sa.and_(jobs.c.state == "failed", jobs.c.review == "refused")
    wanted = [jobs.c.dataset == dataset, sa.or_(HELD, refused), jobs.c.shown <= now, ~paid.exists()]
    wanted += [jobs.c[name] == value for name, value in whose.items()]
    query = sa.select(jobs).where(*wanted).order_by(jobs.c.at.desc(), jobs.c.id.desc())
    return list(connection.execute(query.limit(last)).all())


# tables outside the grid --------------------------------------------------------------------------------------------


def of_kind(connection: sa.Connection, dataset: str, kind: str) -> list[Any]:
    """The jobs of a kind about a dataset, whatever became of them, oldest first."""
    mine = jobs.c.dataset == dataset, jobs.c.kind == kind
    return list(connection.execute(sa.select(jobs).where(*mine).order_by(jobs.c.at, jobs.c.id)).all())


def lost(connection: sa.Connection, request: str | None) -> bool:
    """Whether a request ended without an answer."""
    mine = requests.c.id == request, requests.c.state.in_(("forfeited", "voided"))
    return connection.execute(sa.select(requests.c.id).where(*mine)).first() is not None


def asked(connection: sa.Connection, dataset: str, project: str, kind: str) -> int:
    """How many jobs of a kind a project ever asked about a dataset, whatever became of them."""
    mine = jobs.c.dataset == dataset, jobs.c.project == project, jobs.c.kind == kind
    return int(connection.execute(sa.select(sa.func.count()).select_from(jobs).where(*mine)).scalar_one())
