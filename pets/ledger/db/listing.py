"""Listing: pages of a dataset's requests and deliveries, for people who look at its account. Nothing here writes."""

from __future__ import annotations

from functools import cache
from typing import Any

import sqlalchemy as sa

from pets.ledger.db.prepared import Prepared
from pets.ledger.db.tables import DENIED, FORFEITED, deliveries, log, requests

_TOLD = [column for column in requests.c if column.name not in ("release", "certificate")]
# (each by itself: an IN of values is written out at every execution)
_CHARGED = sa.and_(requests.c.state != "denied", requests.c.state != "voided")


def of_dataset(
    connection: sa.Connection,
    dataset: str | None = None,
    *,
    project: str | None = None,
    analyst: str | None = None,
    last: int | None = None,
) -> list[Any]:
    """Requests, oldest first, without the answers' bytes; ``last``: the newest so many."""
    wanted = {"dataset": dataset, "project": project, "analyst": analyst}
    given = {f"b_{name}": value for name, value in wanted.items() if value is not None}
    rows = _requests(tuple(given), last is not None)(connection, given | {"b_last": last})
    return list(reversed(list(rows)))


@cache
def _requests(given: tuple[str, ...], limited: bool) -> Prepared:
    query = sa.select(*_TOLD).where(*(requests.c[name.removeprefix("b_")] == sa.bindparam(name) for name in given))
    query = query.order_by(requests.c.seq.desc(), requests.c.id.desc())
    return Prepared(query.limit(sa.bindparam("b_last")) if limited else query)


def delivered(
    connection: sa.Connection,
    dataset: str,
    *,
    project: str | None = None,
    analyst: str | None = None,
    last: int | None = None,
) -> list[Any]:
    """Deliveries of answers to others than who paid, oldest first: the request, who got it, and the log's entry."""
    wanted = {"project": project, "analyst": analyst}
    given = {f"b_{name}": value for name, value in wanted.items() if value is not None}
    found = _deliveries(tuple(given), last is not None)
    return list(reversed(list(found(connection, given | {"b_dataset": dataset, "b_last": last}))))


@cache
def _deliveries(given: tuple[str, ...], limited: bool) -> Prepared:
    to = [deliveries.c.project.label("to_project"), deliveries.c.analyst.label("to_analyst")]
    query = (
        sa.select(*_TOLD, *to, deliveries.c.seq.label("entry"), log.c.body)
        .join(deliveries, deliveries.c.request == requests.c.id)
        .join(log, log.c.seq == deliveries.c.seq)
        .where(requests.c.dataset == sa.bindparam("b_dataset"))
        .where(*(deliveries.c[name.removeprefix("b_")] == sa.bindparam(name) for name in given))
        .order_by(deliveries.c.seq.desc())
    )
    return Prepared(query.limit(sa.bindparam("b_last")) if limited else query)


def tallied(connection: sa.Connection, dataset: str) -> list[tuple[str, str, str, int]]:
    """How many requests each analyst of each project made, by what became of them; ``delivered`` are the free ones."""
    asked = sa.select(requests.c.project, requests.c.analyst, requests.c.state, sa.func.count())
    asked = asked.where(requests.c.dataset == dataset)
    free = sa.select(deliveries.c.project, deliveries.c.analyst, sa.literal("delivered"), sa.func.count())
    free = free.join(requests, deliveries.c.request == requests.c.id).where(requests.c.dataset == dataset)
    found = [
        *connection.execute(asked.group_by(requests.c.project, requests.c.analyst, requests.c.state)),
        *connection.execute(free.group_by(deliveries.c.project, deliveries.c.analyst)),
    ]
    return sorted((project, analyst, state, int(number)) for project, analyst, state, number in found)


def ended(connection: sa.Connection, dataset: str, state: str, last: int) -> list[Any]:
    """Requests that were ``denied``, or ``forfeited``, the newest first, without the answers' bytes."""
    query = sa.select(*_TOLD).where(requests.c.dataset == dataset, {"denied": DENIED, "forfeited": FORFEITED}[state])
    return list(connection.execute(query.order_by(requests.c.seq.desc(), requests.c.id.desc()).limit(last)))


def incident_numbers(connection: sa.Connection) -> set[str]:
    """The numbers of the incidents of all requests that failed, about any dataset."""
    return set(connection.execute(sa.select(sa.func.substr(requests.c.id, 1, 12)).where(FORFEITED)).scalars())


def last_paid(connection: sa.Connection, dataset: str) -> int | None:
    """What the newest request that cost something was charged, all its queries together (``None``: there is none)."""
    newest = _NEWEST_PAID(connection, {"b_dataset": dataset}).first()
    if newest is None:
        return None
    own = {f"b_{name}": getattr(newest, name) for name in ("project", "analyst", "seq", "token")}
    first = _BEFORE(connection, own | {"b_dataset": dataset}).scalar()
    after = {"b_dataset": dataset, "b_first": -1 if first is None else first}
    return int(_TOGETHER(connection, own | after).scalar())


# what was asked in one request bears one token, and stands together in the log
_OWN = (
    requests.c.dataset == sa.bindparam("b_dataset"),
    requests.c.project == sa.bindparam("b_project"),
    requests.c.analyst == sa.bindparam("b_analyst"),
    requests.c.seq <= sa.bindparam("b_seq"),
)
_NEWEST_PAID = Prepared(
    sa.select(requests.c.project, requests.c.analyst, requests.c.seq, requests.c.token)
    .where(requests.c.dataset == sa.bindparam("b_dataset"), requests.c.loss > 0, _CHARGED)
    .order_by(requests.c.seq.desc(), requests.c.id.desc())
    .limit(1)
)
_BEFORE = Prepared(
    sa.select(requests.c.seq)
    .where(*_OWN, requests.c.token != sa.bindparam("b_token"))
    .order_by(requests.c.seq.desc())
    .limit(1)
)
_TOGETHER = Prepared(
    sa.select(sa.func.sum(requests.c.loss)).where(
        *_OWN, requests.c.token == sa.bindparam("b_token"), requests.c.seq > sa.bindparam("b_first"), _CHARGED
    )
)


def log_between(connection: sa.Connection, first: int, end: int) -> list[tuple[int, bytes, bytes]]:
    """Entries of the log from number ``first`` to before ``end``: number, public body, hash of the chain up to it."""
    query = sa.select(log.c.seq, log.c.body, log.c.hash).where(log.c.seq >= first, log.c.seq < end).order_by(log.c.seq)
    return [(row.seq, bytes(row.body), bytes(row.hash)) for row in connection.execute(query)]
