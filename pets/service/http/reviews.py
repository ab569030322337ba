"""Reviews over HTTP: what waits for a second person, and what they decide. For reviewers alone, and about no row."""

from __future__ import annotations

from typing import Any

from pets.errors import ForbiddenError, NotFoundError, UserError, shown
from pets.ledger.review.reviews import Held, Reviews
from pets.ledger.review.votes import known_decision
from pets.service.access.grants import check_grant
from pets.service.http.endpoint import Call, Endpoint, Reply

_MOST = 1000


def _reviews(call: Call) -> Reply:
    """Of every dataset for which this person is a reviewer."""
    limit = call.number("limit", 100, _MOST, 1)
    found = [held for name in _datasets(call) for held in _all(call).waiting(name, limit=limit)]
    return Reply({"reviews": [held.to_json() for held in found]})


def _review(call: Call) -> Reply:
    held = _found(call)
    return Reply({"review": held.to_json() | {"asked": held.job.asked}} | (held.answer or {}))


def _decide(call: Call) -> Reply:
    form = call.fields((), ("decision", "reason", "note"))
    decision, reason = known_decision(form.get("decision"), form.get("reason"))
    mine = {"by": call.identity.subject, "reason": reason, "note": _note(form.get("note", ""))}
    for dataset in _datasets(call):
        try:
            job = _all(call).decide(call.path["job"], decision, dataset=dataset, **mine)
        except NotFoundError:
            continue
        call.service.ensure()
        return Reply({"job": {"id": job.id, "state": job.state.value, "dataset": job.dataset}})
    raise _nothing(call)


def _note(value: Any) -> Any:
    if isinstance(value, str) and "\x00" in value:
        raise UserError("a note is words to read, and holds a NUL; leave that out")
    return value


def _all(call: Call) -> Reviews:
    return Reviews(call.service.ledger)


def _datasets(call: Call) -> list[str]:
    """Those that this person may review requests about; raises :class:`ForbiddenError` where there is none."""
    call.identity.require("reviewer")
    found, missing = [], None
    for name in call.service.datasets(call.identity):
        try:
            check_grant(call.service.custodian(call.identity, name), call.identity, "reviewer")
        except ForbiddenError as error:
            missing = error
        else:
            found.append(name)
    if missing is not None and not found:
        raise missing
    return found


def _found(call: Call) -> Held:
    for dataset in _datasets(call):
        try:
            return _all(call).find(call.path["job"], by=call.identity.subject, dataset=dataset)
        except NotFoundError:
            continue
    raise _nothing(call)


def _nothing(call: Call) -> NotFoundError:
    return NotFoundError(f"no request {shown(call.path['job'])} is held; GET /reviews lists those that are")


ENDPOINTS = (
    Endpoint("GET", "/reviews", _reviews, "For reviewers: the requests that wait for a second person.", ("limit",)),
    Endpoint("GET", "/reviews/{job}", _review, "What is asked, and the protected answer where that is held."),
    Endpoint(
        "POST",
        "/reviews/{job}",
        _decide,
        "Approve or refuse it; the log tells who did.",
        takes={"decision": "refuse", "reason": "may-disclose", "note": "a cell of one ward"},
    ),
)
