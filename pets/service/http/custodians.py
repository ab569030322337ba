"""The custodian over HTTP: grants, the account, incidents by number, a refresh, and how much happened. No row is read.

Each address is for a role that the login has and, where the dataset has grants, the grant too.
"""

from __future__ import annotations

from typing import Any

from pets.errors import NotFoundError, UserError
from pets.ledger.grants import Granted, Grants
from pets.ledger.publish.usage import failures, faults, usage
from pets.ledger.queued.job import check_key
from pets.ledger.queued.kinds import REFRESH
from pets.service.access.grants import check_whole_ledger
from pets.service.http.endpoint import Call, Endpoint, Later, Reply
from pets.service.http.questions import state_of

_MOST = 1000
_READERS = ("auditor", "custodian")

# who may do what ----------------------------------------------------------------------------------------------------


def _grants(call: Call) -> Reply:
    call.kept(*_READERS)
    return _listed(call)


def _grant(call: Call) -> Reply:
    call.kept("custodian")
    form = call.fields(("project", "analyst", "roles"))
    who, roles = (form["project"], form["analyst"]), form["roles"]
    grants, dataset = _all(call), call.path["dataset"]
    _check_keeps(call, who, roles if isinstance(roles, list) else [])
    made = grants.grant(dataset, *who, roles, by=call.identity.subject, keeper=_me(call))
    return Reply({"grant": _told(made), "open": False})


def _end(call: Call) -> Reply:
    call.kept("custodian")
    missing = [name for name in ("project", "analyst") if name not in call.query]
    if missing:
        raise UserError(f"whose grant ends is not said; add {missing[0]}= to the address")
    who = call.query["project"], call.query["analyst"]
    _check_keeps(call, who, [])
    if _all(call).of(call.path["dataset"], *who) is None:
        raise NotFoundError("there is no such grant; GET /datasets/{dataset}/grants lists those that there are")
    _all(call).end(call.path["dataset"], *who, by=call.identity.subject, keeper=_me(call))
    return _listed(call)


def _me(call: Call) -> tuple[str, str]:
    return call.identity.project, call.identity.subject


def _check_keeps(call: Call, changed: tuple[Any, Any], roles: list[Any]) -> None:
    """Whoever changes grants here still holds one as custodian afterwards, so that nobody shuts themselves out.

    Raises :class:`UserError` with the remedy where they would not.
    """
    me, dataset = _me(call), call.path["dataset"]
    if changed == me:
        if "custodian" not in roles:
            raise UserError(
                "you would take the role custodian from yourself; leave it among the roles, or have another custodian "
                "do it"
            )
    elif not _all(call).any(dataset):
        raise UserError(
            "this would be the first grant of the dataset, which then is closed to whoever has none, you too; give "
            f"yourself one first, as custodian: project {me[0]}, analyst {me[1]}"
        )


def _listed(call: Call) -> Reply:
    grants, dataset = _all(call), call.path["dataset"]
    return Reply({"grants": [_told(one) for one in grants.all(dataset)], "open": not grants.any(dataset)})


def _all(call: Call) -> Grants:
    return Grants(call.service.ledger)


def _told(one: Granted) -> dict[str, Any]:
    return {"project": one.project, "analyst": one.analyst, "roles": list(one.roles), "seq": one.seq}


# what happened ------------------------------------------------------------------------------------------------------


def _account(call: Call) -> Reply:
    custodian = call.kept(*_READERS)
    found = usage(call.service.ledger, call.path["dataset"], last=call.number("last", 100, _MOST, 1))
    left, answering = custodian.remaining().to_json(), call.service.answering()
    return Reply({"remaining": left, "answering": answering} | found)


def _incidents(call: Call) -> Reply:
    call.kept("custodian")
    ledger, last = call.service.ledger, call.number("last", 100, _MOST, 1)
    found = failures(ledger, call.path["dataset"], last=last)
    # what went wrong may quote rows, and never travels
    return Reply({"incidents": found, "faults": faults(ledger, last=last) if _whole(call) else []})


def _whole(call: Call) -> bool:
    """Whether somebody is custodian of every dataset of the ledger: a fault of the service is of none of them."""
    try:
        check_whole_ledger(call.service.ledger, call.identity, "custodian")
    except UserError:
        return False
    return True


def _events(call: Call) -> Reply:
    call.kept(*_READERS)
    counters = call.service.telemetry.counters
    return Reply({"since": int(counters.since), "counts": counters.of(call.path["dataset"])})


def _metrics(call: Call) -> Reply:
    """They tell of every dataset of the ledger."""
    call.identity.require(*_READERS)
    check_whole_ledger(call.service.ledger, call.identity, *_READERS)
    metrics = call.service.telemetry.metrics
    assert metrics is not None  # the address is there only where they are kept
    return Reply({}, text=metrics.text(), media=metrics.media_type)


def _refresh(call: Call) -> Later:
    call.kept("custodian")
    call.fields(())
    check_key(call.key)
    service, who, wait = call.service, call.identity, call.wait
    job = service.queue.put(
        *(call.path["dataset"], who.project, who.subject, REFRESH, {}, call.key),
        max_waiting=service.limits.max_waiting,
    )
    service.ensure()
    return Later(job, lambda: state_of(call, job.id), wait)


ENDPOINTS = (
    Endpoint("GET", "/datasets/{dataset}/grants", _grants, "For auditors and custodians: who may ask, in which role."),
    Endpoint(
        "POST",
        "/datasets/{dataset}/grants",
        _grant,
        "For custodians: give leave; the log tells who did.",
        takes={"project": "stroke-2026", "analyst": "amina", "roles": ["analyst"]},
    ),
    Endpoint(
        "DELETE",
        "/datasets/{dataset}/grants",
        _end,
        "For custodians: take leave away; the log tells who did.",
        ("project", "analyst"),
    ),
    Endpoint(
        "GET",
        "/datasets/{dataset}/account",
        _account,
        "For auditors and custodians: budgets, who asked how much, what was denied.",
        ("last",),
    ),
    Endpoint(
        "GET",
        "/datasets/{dataset}/incidents",
        _incidents,
        "For custodians: what failed, by number; what went wrong is read on the machine.",
        ("last",),
    ),
    Endpoint(
        "GET",
        "/datasets/{dataset}/events",
        _events,
        "For auditors and custodians: how often what happened, since this process began.",
    ),
    Endpoint(
        "POST",
        "/datasets/{dataset}/refresh",
        _refresh,
        "For custodians: make the tables anew from their data, in an answering process.",
        ("wait",),
        takes={},
    ),
)

METRICS = Endpoint(
    "GET",
    "/metrics",
    _metrics,
    "For Prometheus, with an auditor's token; where the service keeps them.",
    media="text/plain",
)
"""Not among the others: it is there only where it was asked for."""
