"""Public: what a dataset shows before anything is asked, one's own history, and whether the service lives."""

from __future__ import annotations

from pets.common.version import __version__
from pets.errors import BusyError, LedgerDownError, PetsError, UserError, shown
from pets.ledger.grants import ROLES
from pets.service.access.grants import check_grant
from pets.service.http.endpoint import PROTOCOL, Call, Endpoint, Reply
from pets.service.wire.device_login import DeviceLogin
from pets.session.history import form_of


def _healthz(_: Call) -> Reply:
    return Reply({"ok": True})


def _readyz(call: Call) -> Reply:
    try:
        call.service.ledger.check()
        with call.service.ledger.reading() as tx:
            call.service.ledger.now(tx)  # (the clock may have been set back)
    except PetsError:
        # why is for whoever runs the service: it names places on its machines
        raise LedgerDownError("the account cannot be kept now; ask again later") from None
    if not call.service.answering():
        raise BusyError(
            "no process answers now, and questions wait; whoever runs the service starts one (pets answer), or finds "
            "in its log why none can",
            60.0,
        )
    return Reply({"ready": True})


def _version(_: Call) -> Reply:
    return Reply({"protocol": int(PROTOCOL), "pets": __version__})


def _login(call: Call) -> Reply:
    """(A host's own login, a function, tells nothing of itself.)"""
    told = getattr(call.service.auth, "login", None)
    return Reply({"login": told.to_json() if isinstance(told, DeviceLogin) else None})


def _datasets(call: Call) -> Reply:
    who, service = call.identity, call.service
    listed = [{"dataset": one, "tables": [*service.custodians[one].tables]} for one in service.datasets(who)]
    return Reply({"analyst": who.subject, "project": who.project, "roles": sorted(who.roles), "datasets": listed})


def _schema(call: Call) -> Reply:
    session = call.service.session(call.identity, call.path["dataset"])
    return Reply(
        {
            "schema": session.schema.to_json(),
            "policy": session.policy.to_json(),
            "engine": session.engine,
            "tables": [*session.tables],
            "snapshots": session.snapshots,
        }
    )


def _budget(call: Call) -> Reply:
    session = call.service.session(call.identity, call.path["dataset"])
    return Reply({"remaining": session.remaining().to_json()})


def _history(call: Call) -> Reply:
    last = call.number("last", 1000, 10_000, 1)
    custodian = call.service.custodian(call.identity, call.path["dataset"])
    every = call.query.get("all", "false")
    if every not in ("true", "false"):
        raise UserError(f"all must be true or false, not {shown(every)}")
    if every == "true":
        found = call.kept("auditor", "custodian").history(analyst=call.query.get("analyst"), last=last)
    else:
        check_grant(custodian, call.identity, *ROLES)
        session = call.service.session(call.identity, call.path["dataset"])
        unseen = call.service.queue.unseen(call.path["dataset"], call.identity.project)
        found = session.history(analyst=call.query.get("analyst"), last=last)
        # (looked up before the entries: what ends in between is told a tick too late rather than too soon)
        early = found["id"].isin(unseen) & found["state"].isin(["committed", "forfeited", "held", "refused"])
        found.loc[early, ["state", "reason"]] = "started", ""
    return Reply({"history": form_of(found)})


ENDPOINTS = (
    Endpoint("GET", "/healthz", _healthz, "Whether the process lives.", opened=True, limited=False),
    Endpoint(
        "GET",
        "/readyz",
        _readyz,
        "Whether the account can be kept, and a process answers.",
        opened=True,
        limited=False,
    ),
    Endpoint("GET", "/version", _version, "The version of the protocol, and of pets.", opened=True),
    Endpoint("GET", "/login", _login, "At which provider, and as which client, one logs in with a code.", opened=True),
    Endpoint("GET", "/datasets", _datasets, "Who asks, and the datasets that they may ask about."),
    Endpoint("GET", "/datasets/{dataset}/schema", _schema, "What is public of a dataset: all that a question needs."),
    Endpoint("GET", "/datasets/{dataset}/budget", _budget, "What is left of the budget."),
    Endpoint(
        "GET",
        "/datasets/{dataset}/history",
        _history,
        "One's own project's requests; with all=true, for auditors, every project's.",
        ("last", "analyst", "all"),
    ),
)
