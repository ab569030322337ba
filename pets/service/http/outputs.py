"""Outputs over HTTP: files that analysts hand in, and the votes of reviewers, whom a login names."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from pets.airlock.preflight import preflight
from pets.common.codec import Json
from pets.errors import ForbiddenError, NotFoundError, UserError, did_you_mean, shown
from pets.ledger.review.output import Output, same_person
from pets.ledger.review.outputs import Outputs
from pets.ledger.review.own_key import SignedVote
from pets.ledger.review.votes import OutputState
from pets.ledger.review.voting import Voting
from pets.service.access.grants import check_grant
from pets.service.http.endpoint import Call, Endpoint, Reply
from pets.session.airlock.airlock import rules_of

ACTS = ("approve", "return", "reject", "send-back", "comment", "withdraw", "resubmit")
"""What somebody may do to an output: the first four are its reviewers'."""

FIELDS = {
    "approve": ("digest", "note", "signed"),
    "return": ("digest", "reason", "note", "signed"),
    "reject": ("digest", "reason", "note", "signed"),
    "send-back": ("digest", "reason", "note", "signed"),
    "comment": ("words",),
    "withdraw": (),
    "resubmit": ("files", "context", "controls"),
}
"""By act, what is said with it."""

_OPTIONAL = ("reason", "note", "signed")


def _submit(call: Call) -> Reply:
    custodian = call.service.custodian(call.identity, call.path["dataset"])
    call.identity.require("analyst")
    check_grant(custodian, call.identity)
    form = call.fields(("files", "context", "controls"))
    whose: Json = {"dataset": custodian.schema.dataset, "rules": rules_of(custodian.policy)}
    whose |= {"project": call.identity.project, "analyst": call.identity.subject}
    made = _all(call).submit(_files(form), context=form["context"], controls=form["controls"], **whose)
    return Reply({"output": told(made)})


def _list(call: Call) -> Reply:
    """One's own, and, for a reviewer, those of others that wait."""
    me, limit = call.identity, call.number("limit", 100, 1000, 1)
    seen = call.service.datasets(me)
    mine = [one for one in _all(call).listed(scope=(me.project, me.subject), limit=limit) if one.dataset in seen]
    waiting = [] if "reviewer" not in me.roles else _waiting(call, seen, limit)
    return Reply({"outputs": [told(one) for one in mine], "waiting": [told(one) for one in waiting]})


def _waiting(call: Call, seen: list[str], limit: int) -> list[Output]:
    found: list[Output] = []
    for name in seen:
        try:
            check_grant(call.service.custodians[name], call.identity, "reviewer")
        except ForbiddenError:
            continue
        found += _all(call).waiting(name, by=call.identity.subject, limit=limit)
    return [one for one in found if not same_person(one.analyst, call.identity.subject)]


def _look(call: Call) -> Reply:
    """As its author sees it, with its files once they are released; or as a reviewer does, with its files."""
    found, mine = _found(call)
    reply: Json = {"output": told(found)}
    if mine and found.state is not OutputState.RELEASED:
        return Reply(reply)
    files = _all(call).files(found.id)
    said = found.manifest
    findings = (
        [] if mine or not files else [one.to_json() for one in preflight(files, said.context, said.controls).findings]
    )
    reply["files"] = {name: base64.b64encode(data).decode() for name, data in files.items()}
    return Reply(reply | {"findings": findings})


def _act(call: Call) -> Reply:
    act = call.body.get("act")
    if act not in ACTS:
        raise UserError(f"{shown(act)} is nothing that is done to an output{did_you_mean(act, ACTS)}")
    form = call.fields(("act", *needed(act)), FIELDS[act])
    found, mine = _found(call)
    by, every = call.identity.subject, _all(call)
    if act == "comment":
        return Reply({"output": told(every.comment(found.id, form["words"], by=by))})
    if act in ("withdraw", "resubmit"):
        if not mine:
            raise ForbiddenError("this output is another analyst's; only who submitted it changes it or takes it back")
        if act == "withdraw":
            return Reply({"output": told(every.withdraw(found.id, by=by))})
        said = {name: form[name] for name in ("context", "controls")}
        return Reply({"output": told(every.resubmit(found.id, _files(form), by=by, **said))})
    given: dict[str, Any] = {"by": by, "project": call.identity.project, "login": True}
    given |= {"digest": form["digest"], "reason": form.get("reason"), "note": form.get("note", "")}
    given["key"] = SignedVote.from_json(form["signed"]) if "signed" in form else None
    voting = Voting(call.service.ledger)
    made = voting.send_back(found.id, **given) if act == "send-back" else voting.decide(found.id, act, **given)
    return Reply({"output": told(made)})


def needed(act: str) -> tuple[str, ...]:
    """What an act cannot be without."""
    return tuple(name for name in FIELDS[act] if name not in _OPTIONAL)


def _found(call: Call) -> tuple[Output, bool]:
    """An output, and whether it is one's own; else one is a reviewer of its dataset.

    Raises :class:`NotFoundError` for anybody else, in the same words as for one that never was.
    """
    me, name = call.identity, call.path["job"]
    nothing = NotFoundError(f"there is no output {shown(name)} for you; GET /airlock lists those that there are")
    try:
        found = _all(call).find(name, by=me.subject)
    except NotFoundError:
        raise nothing from None
    if found.dataset not in call.service.datasets(me):
        raise nothing
    if (found.project, found.analyst) == (me.project, me.subject):
        return found, True
    try:
        me.require("reviewer")
        check_grant(call.service.custodians[found.dataset], me, "reviewer")
    except ForbiddenError:
        raise nothing from None
    _all(call).check_checker(name, me.subject, project=me.project, login=True)
    return found, False


def _all(call: Call) -> Outputs:
    return Outputs(call.service.ledger)


def _files(form: Json) -> dict[str, bytes]:
    """By name, the bytes that were sent in base64; raises :class:`UserError`."""
    given = form["files"]
    if not isinstance(given, dict):
        raise UserError(f"files are the base64 of each by its name, not {shown(given)}")
    found = {}
    for name, text in given.items():
        try:
            found[name] = base64.b64decode(text, validate=True)
        except (binascii.Error, TypeError, ValueError):
            raise UserError(f"the file {shown(name)} is not sent in base64; send its bytes so") from None
    return found


def told(one: Output) -> Json:
    """An output as a reply tells of it."""
    names = ("id", "dataset", "project", "analyst", "turn", "digest", "voted")
    form: Json = {name: getattr(one, name) for name in names} | {"state": one.state.value, "needed": one.rules.needed}
    form |= {"at": int(one.at), "due": int(one.due)} | one.manifest.to_json()
    form["votes"] = [
        {"by": vote.reviewer, "decision": vote.decision.value, "reason": vote.reason, "note": vote.note}
        for vote in one.votes
    ]
    form["comments"] = [
        {"by": note.author, "words": note.text, "turn": note.turn, "at": int(note.at)} for note in one.comments
    ]
    return form


_OUTPUT: Json = {
    "files": {"stays.csv": "cmVnaW9uLG4KTm9ydGgsMTIwCg=="},
    "context": "Stays by region, for table 1 of the paper.",
    "controls": "Counts below 10 are hidden, the rest rounded to 5.",
}

ENDPOINTS = (
    Endpoint(
        "POST",
        "/datasets/{dataset}/airlock",
        _submit,
        "Ask that files may be taken out; other people decide.",
        takes=_OUTPUT,
    ),
    Endpoint("GET", "/airlock", _list, "One's own outputs; for reviewers, also those that wait for votes.", ("limit",)),
    Endpoint("GET", "/airlock/{job}", _look, "One output; for its reviewers, and once it is released, its files."),
    Endpoint(
        "POST",
        "/airlock/{job}",
        _act,
        "Vote about it, send it back, write about it, or, as its author, hand it in anew or withdraw it.",
        takes={"act": "approve", "digest": "5e884898da28", "note": "added up"},
    ),
)
