"""Uses: the data use register: for each project, what the ledger can say for its entry, and the entry as a file."""

from __future__ import annotations

from urllib.parse import quote

from pets.common.codec import canonical
from pets.errors import NotFoundError, did_you_mean, shown
from pets.ledger.publish.register import SAFES, DataUse, data_use
from pets.service.access.grants import check_whole_ledger
from pets.service.console.page import Answer, File, Html, Page, Visit

_READERS = ("auditor", "custodian")
_KINDS = {"json": "application/json", "csv": "text/csv; charset=utf-8"}


def _check(visit: Visit) -> None:
    """It tells of every dataset of the ledger; raises :class:`ForbiddenError` for whoever may not see them all."""
    visit.service.rates.take((visit.identity.project, visit.identity.subject))
    visit.identity.require(*_READERS)
    check_whole_ledger(visit.service.ledger, visit.identity, *_READERS)


def _all(visit: Visit) -> Answer:
    _check(visit)
    told = visit.register.published().history
    asked = [(one.name, request) for one in told.datasets.values() for request in one.asked.values()]
    projects = {
        project: {
            "datasets": sorted({name for name, request in asked if request.project == project}),
            "requests": sum(request.project == project for _, request in asked),
            "analysts": len({request.analyst for _, request in asked if request.project == project}),
        }
        for project in sorted({request.project for _, request in asked})
    }
    return Html("uses/all.html", {"projects": projects, "at": told.at})


def _entry(visit: Visit) -> DataUse:
    """Of the project that stands behind the question mark: a name may hold what an address cannot."""
    _check(visit)
    told, project = visit.register.published(), visit.query.get("project", "")
    known = {request.project for one in told.history.datasets.values() for request in one.asked.values()}
    if project not in known:
        raise NotFoundError(f"no project {shown(project)} has asked anything{did_you_mean(project, known)}")
    return data_use(told, project)


def _one(visit: Visit) -> Answer:
    found = _entry(visit)
    filled = {safe: [name for name in names if name in found.fields] for safe, names in SAFES.items()}
    safes = {safe: [(name, found.fields[name]) for name in names] for safe, names in filled.items()}
    return Html("uses/one.html", {"use": found, "safes": safes})


def _file(visit: Visit) -> Answer:
    found, kind = _entry(visit), visit.path["kind"]
    if kind not in _KINDS:
        raise NotFoundError(f"an entry is a file of JSON or CSV, and not {shown(kind)}; its page links both")
    name = quote(f"data-use-{found.project}.{kind}", safe="")
    body = canonical(found.to_json()) if kind == "json" else found.to_csv().encode()
    return File(body, _KINDS[kind], {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"})


PAGES = (
    Page("GET", "/uses", _all, _READERS, nav="Data uses"),
    Page("GET", "/uses/entry", _one, _READERS),
    Page("GET", "/uses/entry/{kind}", _file, _READERS),
)
