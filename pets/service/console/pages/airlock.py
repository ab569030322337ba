"""The airlock's pages: what waits for votes, each file with what a pre-flight says of it, and the form to vote."""

from __future__ import annotations

import base64

from pets.airlock.findings import RULES
from pets.airlock.kinds import Kind, kind_of
from pets.common.codec import Json
from pets.errors import NotFoundError, PetsError
from pets.ledger.review.acts import MAX_WORDS
from pets.ledger.review.votes import REASONS, Decision
from pets.service.console.page import Answer, File, Html, Page, Redirect, Visit, said
from pets.service.wire.problems import status
from pets.session.airlock.shown import plain

_ROLES = ("reviewer",)
_LINES = 200  # of a file that are shown

WHY = {
    "small-counts": "counts of few people are shown",
    "missing-counts": "the numbers of people behind rates or means are missing",
    "missing-context": "it does not say what it is and what it is for",
    "missing-controls": "it does not say what was done so that it discloses nothing",
    "too-detailed": "it is more detailed than a person can check",
    "differencing": "with another table it shows a few people",
    "file-type": "a file holds more than it shows",
    "unclear": "it is not clear",
    "may-disclose": "it may disclose something about a person",
    "rows-of-people": "it holds rows of people",
    "out-of-scope": "it is not what the project was approved for",
    "not-allowed": "it may not leave at all",
    "other": "another reason",
}
"""By reason, what a checker chooses."""


def _all(visit: Visit) -> Answer:
    return Html("airlock/all.html", {"waiting": visit.ask("GET", "/airlock", query={"limit": "1000"})["waiting"]})


def _one(visit: Visit) -> Answer:
    return _page(visit)


def _page(visit: Visit, error: PetsError | None = None) -> Answer:
    told = _told(visit)
    files = [
        {"name": one["name"], "sha256": one["sha256"], "text": _text(one["name"], told["files"][one["name"]])}
        for one in told["output"]["files"]
        if one["name"] in told["files"]  # (those of a rejected output are deleted)
    ]
    asked = [{"text": f"{one['says']}; {one['remedy']}", "why": RULES[one["rule"]], **one} for one in told["findings"]]
    voted = any(one["by"] == visit.identity.subject for one in told["output"]["votes"])
    values = {
        "output": told["output"],
        "files": files,
        "findings": asked,
        "open": told["output"]["state"] in ("submitted", "partially-reviewed", "reviewed") and not voted,
        "returns": {one: WHY[one] for one in REASONS[Decision.RETURN]},
        "rejects": {one: WHY[one] for one in REASONS[Decision.REJECT]},
        "most": MAX_WORDS,
        "form": {name: visit.form.get(name, "") for name in ("reason", "note", "words")},
        "problem": "" if error is None else said(error),
    }
    return Html("airlock/one.html", values, 200 if error is None else status(error))


def _told(visit: Visit) -> Json:
    told = visit.ask("GET", "/airlock/{job}", path={"job": visit.path["job"]})
    if "files" not in told or "findings" not in told:
        raise NotFoundError("this output is not for you to decide about; look at the list of those that wait")
    return told


def _text(name: str, data: str) -> str:
    """The beginning of a file that is text; '' for a picture."""
    if kind_of(name) is Kind.PICTURE:
        return ""
    lines = base64.b64decode(data).decode("utf-8", "replace").splitlines()
    more = [f"… and {len(lines) - _LINES:,} lines more: take the whole file"] if len(lines) > _LINES else []
    return plain("\n".join([*lines[:_LINES], *more]))


def _file(visit: Visit) -> Answer:
    """A file as it was submitted, to be kept and not to be opened by the browser."""
    told, number = _told(visit), visit.path["number"]
    names = [one["name"] for one in told["output"]["files"]]
    if not number.isascii() or not number.isdigit() or int(number) >= len(names) or not told["files"]:
        raise NotFoundError("the output has no such file; look at the list of its files")
    headers = {"Content-Disposition": "attachment", "Content-Security-Policy": "sandbox; default-src 'none'"}
    return File(base64.b64decode(told["files"][names[int(number)]]), "application/octet-stream", headers)


def _act(visit: Visit) -> Answer:
    act, form = visit.form.get("act", ""), visit.form
    body = {"act": act}
    if act == "comment":
        body["words"] = form.get("words", "").strip()
    else:
        body["note"] = form.get("note", "").strip()
        if act in ("return", "reject", "send-back"):
            body["reason"] = form.get(f"reason-{'reject' if act == 'reject' else 'return'}", "")
        body["digest"] = form.get("digest", "")
    try:
        visit.ask("POST", "/airlock/{job}", path={"job": visit.path["job"]}, body=body)
    except PetsError as error:
        return _page(visit, error)
    return Redirect(f"/airlock/{visit.path['job']}" if act == "comment" else "/airlock")


PAGES = (
    Page("GET", "/airlock", _all, _ROLES, nav="Airlock"),
    Page("GET", "/airlock/{job}", _one, _ROLES),
    Page("POST", "/airlock/{job}", _act, _ROLES),
    Page("GET", "/airlock/{job}/files/{number}", _file, _ROLES),
)
