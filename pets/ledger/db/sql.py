"""Statements: what every request asks of the ledger's tables, and changes in them, prepared once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from pets.ledger.db.prepared import Prepared
from pets.ledger.db.row_types import Scope
from pets.ledger.db.tables import (
    DENIED,
    FORFEITED,
    OPEN,
    UNBOUNDED,
    changes,
    datasets,
    deliveries,
    head,
    log,
    lost,
    requests,
    scopes,
)
from pets.ledger.states import Request

_bind = sa.bindparam
HEAD = sa.select(head.c.origin, head.c.key, head.c.size, head.c.hash, head.c.peaks, head.c.at).where(head.c.id == 1)
_SET_HEAD = (
    sa.update(head)
    .where(head.c.id == 1)
    .values(size=_bind("b_size"), hash=_bind("b_hash"), peaks=_bind("b_peaks"), at=_bind("b_at"))
)
_HASH = sa.select(log.c.hash).where(log.c.seq == _bind("b_seq"))
_DATASET = sa.select(datasets).where(datasets.c.name == _bind("name"))
_OWN = sa.or_(
    scopes.c.project == "",
    sa.and_(scopes.c.project == _bind("b_project"), scopes.c.analyst.in_([_bind("b_none"), _bind("b_analyst")])),
)
_SCOPES = (
    sa.select(scopes).where(scopes.c.dataset == _bind("b_dataset"), _OWN).order_by(scopes.c.project, scopes.c.analyst)
)
_RESERVE = (
    sa.update(scopes)
    .where(scopes.c.dataset == _bind("b_dataset"), _OWN)
    .values(
        reserved_loss=scopes.c.reserved_loss + _bind("b_loss"),
        reserved_delta=scopes.c.reserved_delta + _bind("b_delta"),
        spent_loss=scopes.c.spent_loss + _bind("b_spent_loss"),
        spent_delta=scopes.c.spent_delta + _bind("b_spent_delta"),
    )
)
_LIVED = (
    sa.update(datasets)
    .where(datasets.c.name == _bind("b_name"))
    .values(
        releases=datasets.c.releases + _bind("b_releases"),
        lifetime_loss=datasets.c.lifetime_loss + _bind("b_loss"),
        lifetime_delta=datasets.c.lifetime_delta + _bind("b_delta"),
    )
)
_REQUEST = sa.select(requests).where(requests.c.id == _bind("b_id"))
_BY_KEY = sa.select(requests).where(
    requests.c.dataset == _bind("b_dataset"),
    requests.c.project == _bind("b_project"),
    requests.c.analyst == _bind("b_analyst"),
    requests.c.key == _bind("b_key"),
)
_KEY_OF_OTHERS = sa.select(sa.func.count()).where(
    requests.c.dataset == _bind("b_dataset"),
    requests.c.key == _bind("b_key"),
    sa.or_(requests.c.project != _bind("b_project"), requests.c.analyst != _bind("b_analyst")),
)
_DELIVERY = sa.select(deliveries).where(
    deliveries.c.request == _bind("b_request"),
    deliveries.c.project == _bind("b_project"),
    deliveries.c.analyst == _bind("b_analyst"),
)
_DENIALS = sa.select(sa.func.count()).where(
    requests.c.dataset == _bind("b_dataset"),
    requests.c.project == _bind("b_project"),
    requests.c.analyst == _bind("b_analyst"),
    DENIED,
    requests.c.at >= _bind("b_since"),
)
_BY_ASKED = (
    sa.select(requests)
    .where(requests.c.asked == _bind("b_asked"), requests.c.state == "committed")
    # one that waits for a person, or was refused, only where there is no other
    .order_by(
        sa.case((requests.c.review == "held", 1), (requests.c.review == "refused", 2), else_=0), requests.c.sealed
    )
    .limit(1)
)
_UNBOUNDED = (
    sa.select(requests.c.id, requests.c.at, requests.c.what)
    .where(
        requests.c.dataset == _bind("b_dataset"),
        UNBOUNDED,
        # whatever was started: what became of it afterwards says nothing of what had left by then
        requests.c.state.in_([_bind("b_started"), _bind("b_committed"), _bind("b_forfeited")]),
    )
    .order_by(requests.c.seq)
)
_FORFEITED = sa.select(sa.func.count()).where(requests.c.dataset == _bind("b_dataset"), FORFEITED)
_MOVE = sa.update(requests).where(
    requests.c.id == _bind("b_id"), requests.c.state == _bind("b_from"), requests.c.token == _bind("b_token")
)
_TO = _MOVE.values(state=_bind("b_to"))
_START = _MOVE.values(state="started", lease=_bind("b_lease"))
_VOID = _MOVE.values(state="voided", key=None)
_KEEP = _MOVE.values(lease=_bind("b_lease"))
_SEAL = _MOVE.values(
    state="committed",
    sealed=_bind("b_sealed"),
    release=_bind("b_release"),
    certificate=_bind("b_certificate"),
    review=_bind("b_review"),
)
_EXPIRED = sa.select(requests).where(OPEN, requests.c.lease < _bind("b_now")).order_by(requests.c.seq)
_CHANGES = sa.select(changes.c.envelope).where(changes.c.dataset == _bind("b_dataset")).order_by(changes.c.at)
_LOST_OF = sa.select(lost.c.loss, lost.c.delta).where(lost.c.id == _bind("b_id"))
_TOTALS = (
    sa.select(
        datasets.c.name,
        datasets.c.epoch,
        scopes.c.reserved_loss,
        scopes.c.reserved_delta,
        scopes.c.spent_loss,
        scopes.c.spent_delta,
        datasets.c.lifetime_loss,
        datasets.c.lifetime_delta,
    )
    .join(scopes, sa.and_(scopes.c.dataset == datasets.c.name, scopes.c.project == ""))
    .order_by(datasets.c.name)
)

# what every request passes, prepared
READ_HEAD, LOCK_HEAD = Prepared(HEAD), Prepared(HEAD.with_for_update())
READ_SCOPES, LOCK_SCOPES = Prepared(_SCOPES), Prepared(_SCOPES.with_for_update())
PUT_HEAD, PUT_LOG, PUT_REQUEST = Prepared(_SET_HEAD), Prepared(sa.insert(log)), Prepared(sa.insert(requests))
GET_DATASET, GET_TOTALS, GET_UNBOUNDED = Prepared(_DATASET), Prepared(_TOTALS), Prepared(_UNBOUNDED)
GET_REQUEST, GET_BY_KEY, GET_BY_ASKED = Prepared(_REQUEST), Prepared(_BY_KEY), Prepared(_BY_ASKED)
CHARGE, LIVE, GET_HASH, GET_LOST = Prepared(_RESERVE), Prepared(_LIVED), Prepared(_HASH), Prepared(sa.select(lost))
TO_STATE, TO_STARTED, TO_VOIDED, TO_SEALED = Prepared(_TO), Prepared(_START), Prepared(_VOID), Prepared(_SEAL)
TO_KEPT = Prepared(_KEEP)
GET_KEY_OF_OTHERS, GET_FORFEITED = Prepared(_KEY_OF_OTHERS), Prepared(_FORFEITED)
GET_DELIVERY, PUT_DELIVERY, GET_DENIALS = Prepared(_DELIVERY), Prepared(sa.insert(deliveries)), Prepared(_DENIALS)
PUT_SCOPE, PUT_DATASET = Prepared(sa.insert(scopes)), Prepared(sa.insert(datasets))
PUT_FIRST_HEAD = Prepared(sa.insert(head))
GET_EXPIRED, GET_CHANGES, GET_LOST_OF = Prepared(_EXPIRED), Prepared(_CHANGES), Prepared(_LOST_OF)

Question = tuple[Prepared, Mapping[str, Any]]
Ahead = Sequence[Question]


def own(dataset: str, scope: Scope) -> dict[str, Any]:
    """The parameters by which the statements find the root, the project and the analyst."""
    return {"b_dataset": dataset, "b_project": scope[0], "b_analyst": scope[1], "b_none": ""}


def request(name: str) -> Question:
    """A request, by its id."""
    return GET_REQUEST, {"b_id": name}


def before_answering(dataset: str, scope: Scope, requests: Sequence[Request]) -> Ahead:
    """What is looked at before anything is asked anew: whether it was paid for."""
    keys = {request.key for request in requests if request.key is not None}
    questions = {request.asked for request in requests}
    return (
        *(by_key(dataset, scope, key) for key in keys),
        *(by_asked(asked) for asked in questions),
    )


def by_key(dataset: str, scope: Scope, key: str) -> Question:
    """The request under an idempotency key, which is of one analyst of one project."""
    return GET_BY_KEY, {"b_dataset": dataset, "b_project": scope[0], "b_analyst": scope[1], "b_key": key}


def by_asked(asked: str) -> Question:
    """The first answer to a question, whoever asked it."""
    return GET_BY_ASKED, {"b_asked": asked}


def delivery(request: str, scope: Scope) -> Question:
    """What was delivered to somebody of an answer to another."""
    return GET_DELIVERY, {"b_request": request, "b_project": scope[0], "b_analyst": scope[1]}


def unbounded(dataset: str) -> Question:
    """What was started in it without a finite guarantee."""
    states = {"b_started": "started", "b_committed": "committed", "b_forfeited": "forfeited"}
    return GET_UNBOUNDED, {"b_dataset": dataset} | states


def forfeited(dataset: str) -> Question:
    """How many requests about it were charged and never answered."""
    return GET_FORFEITED, {"b_dataset": dataset}


def before_reserving(dataset: str, scope: Scope, requests: Sequence[Request], again: bool) -> Ahead:
    """What a reservation looks at."""
    known = before_answering(dataset, scope, requests)
    return (
        *(one for one in known if not (again and one[0] is GET_BY_ASKED)),
        (LOCK_SCOPES, own(dataset, scope)),
        (GET_DATASET, {"name": dataset}),
        unbounded(dataset),
    )


def before_sealing(dataset: str, name: str) -> Ahead:
    """What a seal looks at."""
    return (
        request(name),
        unbounded(dataset),
        forfeited(dataset),
        (GET_DATASET, {"name": dataset}),
    )


def before_delivering(dataset: str, request: str, scope: Scope) -> Ahead:
    """What a delivery looks at."""
    return *before_sealing(dataset, request), delivery(request, scope), (LOCK_SCOPES, own(dataset, scope))
