"""Reviews over HTTP: what waits for a second person, and what they decide. For reviewers alone.

Of a table outside the grid they are told what was found of it, and nothing else of a row: a process that reads rows
looks at it, and lets it leave on their word.
"""

from __future__ import annotations

from typing import Any

from pets.common.codec import Json
from pets.errors import ForbiddenError, NotFoundError, UserError, shown
from pets.ledger.queued.job import check_key
from pets.ledger.queued.kinds import LET_OUT, LOOK, TABLE
from pets.ledger.review.reviews import MAX_NOTE, Held, Reviews
from pets.ledger.review.votes import Decision, known_decision
from pets.service.access.grants import check_grant
from pets.service.http.endpoint import Call, Endpoint, Later, Reply
from pets.service.http.questions import state_of
from pets.session.disclosure.finding import Finding
from pets.session.disclosure.finding_store import FindingStore

_MOST = 1000


def _reviews(call: Call) -> Reply:
    """Of every dataset for which this person is a reviewer."""
    limit = call.number("limit", 100, _MOST, 1)
    found = [held for name in _datasets(call) for held in _all(call).waiting(name, limit=limit)]
    return Reply({"reviews": [held.to_json() for held in found]})


def _review(call: Call) -> Reply:
    held = _found(call)
    return Reply({"review": held.to_json() | {"asked": held.job.asked}} | (held.answer or {}) | _finding(call, held))


def _finding(call: Call, held: Held) -> Json:
    """What was found of a table outside the grid, as far as a reviewer is told it; nothing where nobody looked."""
    form = FindingStore(call.service.ledger).get(held.id) if held.job.kind == TABLE else None
    try:
        return {} if form is None else {"finding": Finding.from_json(form).told}
    except UserError:  # it cannot be read any more, so a person looks once more
        return {}


def _look(call: Call) -> Later:
    """A process that reads rows looks at what a table outside the grid would tell."""
    call.fields(())
    held = _found(call)
    if held.job.kind != TABLE:
        raise UserError(f"the request {shown(held.id)} is for an answer that has no finding; approve or refuse it")
    return _put(call, held.job.dataset, LOOK, {"request": held.id})


def _let_out(call: Call, form: Json) -> Later:
    """The same lets it leave, on this reviewer's word."""
    held = _found(call)
    words = {"finding": form["finding"], "anyway": form.get("anyway", ""), "note": form.get("note", "")}
    for name, text in words.items():
        if not isinstance(text, str) or len(text) > MAX_NOTE or "\x00" in text:
            raise UserError(f"{name} is a text of at most {MAX_NOTE:,} letters, not {shown(text)}")
    return _put(call, held.job.dataset, LET_OUT, {"request": held.id} | words)


def _put(call: Call, dataset: str, kind: str, asked: Json) -> Later:
    check_key(call.key)
    service, who, wait = call.service, call.identity, call.wait
    whose = dataset, who.project, who.subject
    job = service.queue.put(*whose, kind, asked, call.key, max_waiting=service.limits.max_waiting)
    service.ensure()
    return Later(job, lambda: state_of(call, job.id), wait)


def _decide(call: Call) -> Reply | Later:
    form = call.fields((), ("decision", "reason", "note", "finding", "anyway"))
    decision, reason = known_decision(form.get("decision"), form.get("reason"))
    if decision is Decision.APPROVE and form.get("finding") is not None:
        return _let_out(call, form)
    for name in ("finding", "anyway"):
        if form.get(name):
            raise UserError(
                f"{name} is said where a table is approved that was looked at; leave it out, or name its finding"
            )
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
        "/reviews/{job}/look",
        _look,
        "Of a table outside the grid: have what it would tell looked at, where the rows are.",
        ("wait",),
        takes={},
    ),
    Endpoint(
        "POST",
        "/reviews/{job}",
        _decide,
        "Approve or refuse it; the log tells who did.",
        ("wait",),
        takes={"decision": "refuse", "reason": "may-disclose", "note": "a cell of one ward"},
    ),
)
