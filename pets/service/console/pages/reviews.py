"""Approvals: what waits for a second person, and the page on which they decide. Nobody decides about their own."""

from __future__ import annotations

import json
from urllib.parse import quote

from pets.common.codec import Json
from pets.errors import BusyError, PetsError
from pets.ledger.queued.kinds import LET_OUT, LOOK, TABLE
from pets.ledger.review.reviews import MAX_NOTE
from pets.ledger.review.votes import REASONS, Decision
from pets.service.client.reading import are_rounded
from pets.service.console.page import Answer, Html, Page, Redirect, Visit, said
from pets.service.console.pages.analyst import answers
from pets.service.wire.problems import error_of, status

_ROLES = ("reviewer",)
_WAIT = {"wait": "30"}  # seconds, for a process that reads rows
_LONGEST = 100_000  # letters of what is shown as it stands

WHY = {
    "not-needed": "it is not needed for the project",
    "out-of-scope": "it is not what the project was approved for",
    "may-disclose": "it may disclose something about a person",
    "unclear": "it is not clear what is asked, or why",
    "other": "another reason",
}
"""By reason for a refusal, what a reviewer chooses."""


def _all(visit: Visit) -> Answer:
    held = visit.ask("GET", "/reviews", query={"limit": "1000"})["reviews"]
    return Html("reviews/all.html", {"held": sorted(held, key=lambda one: float(one["at"]))})


def _one(visit: Visit) -> Answer:
    return _page(visit)


def _page(visit: Visit, error: PetsError | None = None) -> Answer:
    """What is asked, and the answer where that is held; after what was wrong with the last decision."""
    told = visit.ask("GET", "/reviews/{job}", path={"job": visit.path["job"]})
    held = told.pop("review")
    asked = held.pop("asked")
    finding = told.pop("finding", None)
    queries = asked.get("queries") or ([asked["query"]] if asked.get("query") else [])
    releases, other = _certified(visit, held, told)
    values = {
        "held": held,
        "questions": answers.question_lines(visit, held["dataset"], queries),
        "asked": _as_it_stands(asked),
        "answers": releases,
        "other": "" if other is None else _as_it_stands(other),
        "reasons": {reason: WHY[reason] for reason in REASONS[Decision.REFUSE]},
        "most": MAX_NOTE,
        "table": held["kind"] == TABLE,
        "finding": finding,
        "form": {
            "anyway": visit.form.get("anyway", ""),
            "reason": visit.form.get("reason", ""),
            "note": visit.form.get("note", ""),
        },
        "problem": "" if error is None else said(error),
    }
    return Html("reviews/one.html", values, 200 if error is None else status(error))


def _certified(visit: Visit, held: Json, told: Json) -> tuple[list[answers.Shown], Json | None]:
    """The protected answer where that is held: as releases, or as it stands; raises :class:`VerificationError`.

    No part of it is shown before its certificate was held against the ledger's key.
    """
    of = (held["project"], held["analyst"])
    if told.get("releases") and are_rounded(told["releases"]):
        answers.check_other(visit, held["dataset"], "releases", told["releases"], of=of)
        return [], {"releases": told["releases"]}
    if lines := told.get("releases") or ([told["rows_lost"]] if "rows_lost" in told else []):
        return answers.real(visit, held["dataset"], lines, of=of), None
    for name in ("keys", "top", "synthetic", "trained"):
        if name in told:
            answers.check_other(visit, held["dataset"], name, told[name], of=of)
            return [], {name: told[name]}
    return [], None


def _as_it_stands(form: Json) -> str:
    text = json.dumps(form, indent=2, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}\n… and {len(text) - _LONGEST:,} letters more"


def _decide(visit: Visit) -> Answer:
    number = {"job": visit.path["job"]}
    body = {"decision": visit.form.get("decision", ""), "note": visit.form.get("note", "").strip()}
    if body["decision"] == Decision.REFUSE.value:
        body["reason"] = visit.form.get("reason", "")
    elif visit.form.get("finding"):
        body |= {"finding": visit.form["finding"], "anyway": visit.form.get("anyway", "").strip()}
    try:
        if body["decision"] == LOOK:
            _check_done(visit.ask("POST", "/reviews/{job}/look", path=number, query=_WAIT, body={}))
            return Redirect(f"/reviews/{quote(visit.path['job'])}")
        _check_done(visit.ask("POST", "/reviews/{job}", path=number, query=_WAIT, body=body))
    except PetsError as error:
        return _page(visit, error)
    return Redirect("/reviews")


def _check_done(reply: Json) -> None:
    """Raises why a process that reads rows did not do what it was asked, or that it has not done it yet."""
    job = reply["job"]
    if job.get("kind") not in (LOOK, LET_OUT):
        return
    if job["state"] in ("waiting", "running"):
        raise BusyError("the table is still being looked at; load this page again in a moment", 5.0)
    if job.get("problem") is not None:
        raise error_of(job["problem"])


PAGES = (
    Page("GET", "/reviews", _all, _ROLES, nav="Approvals"),
    Page("GET", "/reviews/{job}", _one, _ROLES),
    Page("POST", "/reviews/{job}", _decide, _ROLES),
)
