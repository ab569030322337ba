"""Listing: pages of a dataset's requests and deliveries, for people who look at its account. Nothing here writes."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from pets.ledger.db.tables import deliveries, log, requests

_TOLD = [column for column in requests.c if column.name not in ("release", "certificate")]
_CHARGED = requests.c.state.not_in(["denied", "voided"])


def of_dataset(
    connection: sa.Connection,
    dataset: str | None = None,
    *,
    project: str | None = None,
    analyst: str | None = None,
    last: int | None = None,
) -> list[Any]:
    """Requests, oldest first, without the answers' bytes; ``last``: the newest so many."""
    query = sa.select(*_TOLD)
    for column, wanted in (
        (requests.c.dataset, dataset),
        (requests.c.project, project),
        (requests.c.analyst, analyst),
    ):
        if wanted is not None:
            query = query.where(column == wanted)
    query = query.order_by(requests.c.seq.desc(), requests.c.id.desc()).limit(last)
    return list(reversed(connection.execute(query).all()))


def delivered(
    connection: sa.Connection,
    dataset: str,
    *,
    project: str | None = None,
    analyst: str | None = None,
    last: int | None = None,
) -> list[Any]:
    """Deliveries of answers to others than who paid, oldest first: the request, who got it, and the log's entry."""
    to = [deliveries.c.project.label("to_project"), deliveries.c.analyst.label("to_analyst")]
    query = (
        sa.select(*_TOLD, *to, deliveries.c.seq.label("entry"), log.c.body)
        .join(deliveries, deliveries.c.request == requests.c.id)
        .join(log, log.c.seq == deliveries.c.seq)
        .where(requests.c.dataset == dataset)
    )
    for column, wanted in ((deliveries.c.project, project), (deliveries.c.analyst, analyst)):
        if wanted is not None:
            query = query.where(column == wanted)
    return list(reversed(connection.execute(query.order_by(deliveries.c.seq.desc()).limit(last)).all()))


def last_paid(connection: sa.Connection, dataset: str) -> int | None:
    """What the newest request that cost something was charged, all its queries together (``None``: there is none)."""
    paid = sa.select(requests).where(requests.c.dataset == dataset, requests.c.loss > 0, _CHARGED)
    newest = connection.execute(paid.order_by(requests.c.seq.desc(), requests.c.id.desc()).limit(1)).first()
    if newest is None:
        return None
    # what was asked in one request bears one token, and stands together in the log
    own = (
        requests.c.dataset == dataset,
        requests.c.project == newest.project,
        requests.c.analyst == newest.analyst,
        requests.c.seq <= newest.seq,
    )
    before = sa.select(requests.c.seq).where(*own, requests.c.token != newest.token).order_by(requests.c.seq.desc())
    first = connection.execute(before.limit(1)).scalar()
    same = (requests.c.token == newest.token, requests.c.seq > (-1 if first is None else first))
    return int(connection.execute(sa.select(sa.func.sum(requests.c.loss)).where(*own, *same, _CHARGED)).scalar_one())


def log_between(connection: sa.Connection, first: int, end: int) -> list[tuple[int, bytes, bytes]]:
    """Entries of the log from number ``first`` to before ``end``: number, public body, hash of the chain up to it."""
    query = sa.select(log.c.seq, log.c.body, log.c.hash).where(log.c.seq >= first, log.c.seq < end).order_by(log.c.seq)
    return [(row.seq, bytes(row.body), bytes(row.hash)) for row in connection.execute(query)]
