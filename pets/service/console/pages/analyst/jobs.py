"""Jobs: what became of a question that was asked: it waits, it failed, or here is its answer."""

from __future__ import annotations

from urllib.parse import quote

from pets.common.codec import Json, canonical
from pets.service.client.reading import are_rounded
from pets.service.console.page import Html, Page, Redirect, Visit
from pets.service.console.pages.analyst.answers import Download, address, check_other, invented, real

KINDS = {
    "release": "Answer",
    "dummy": "Invented rows",
    "group_keys": "Group keys",
    "top_keys": "Most frequent keys",
    "rows_lost": "Rows that bounds leave out",
    "synthesise": "Synthetic table",
    "train": "Trained network",
    "refresh": "Refresh of the tables",
}
STATES = {
    "waiting": "waits for its turn",
    "running": "is being answered",
    "held": "waits for a second person’s approval",
    "done": "answered",
    "failed": "failed",
    "cancelled": "withdrawn",
}
_OPEN = ("waiting", "running", "held")
_PARTS = ("releases", "rows_lost", "keys", "top", "synthetic", "trained")
_SHOWN = 50


def told(job: Json) -> Json:
    """A job in words."""
    words = {"kind_said": KINDS.get(job["kind"], job["kind"]), "state_said": STATES.get(job["state"], job["state"])}
    return {"problem": None, "answering": True} | job | words | {"open": job["state"] in _OPEN}


def _jobs(visit: Visit) -> Html:
    after = {"after": visit.query["after"]} if "after" in visit.query else {}
    found = visit.ask("GET", "/queries", query={"limit": str(_SHOWN)} | after)
    values = {"jobs": [told(one) for one in found["jobs"]], "next": found.get("next", ""), "first": not after}
    return Html("analyst/jobs.html", values)


def _job(visit: Visit) -> Html:
    return Html("analyst/job.html", _became(visit))


def _part(visit: Visit) -> Html:
    """The same without the page around it, for a script that waits."""
    return Html("analyst/job_part.html", _became(visit))


def _became(visit: Visit) -> Json:
    """What became of a job; the numbers of its answer once their certificates were checked."""
    reply = visit.ask("GET", "/queries/{job}", path={"job": visit.path["job"]})
    job = told(reply["job"])
    values: Json = {"job": job, "dataset": job["dataset"], "answers": [], "file": None}
    found = [name for name in _PARTS if name in reply]
    if not found:
        return values
    forms = reply[found[0]]
    if job["kind"] == "dummy":
        return values | {"answers": invented(forms)}
    if found[0] in ("releases", "rows_lost") and not are_rounded(forms):
        return values | {"answers": real(visit, job["dataset"], forms if isinstance(forms, list) else [forms])}
    check_other(visit, job["dataset"], found[0], forms)
    kept = address(canonical(forms), "application/json")
    return values | {"file": Download(f"{job['kind_said']} (JSON)", f"{job['kind']}-{job['id'][:8]}.json", kept)}


def _cancel(visit: Visit) -> Redirect:
    number = visit.path["job"]
    visit.ask("DELETE", "/queries/{job}", path={"job": number})
    return Redirect(f"/jobs/{quote(number)}")


PAGES = (
    Page("GET", "/jobs", _jobs, nav="My questions"),
    Page("GET", "/jobs/{job}", _job),
    Page("GET", "/jobs/{job}/part", _part),
    Page("POST", "/jobs/{job}/cancel", _cancel),
)
