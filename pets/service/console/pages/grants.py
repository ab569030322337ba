"""Grants: who may ask about a dataset, in which role; for auditors to read, and for custodians to give and to end."""

from __future__ import annotations

from pets.errors import PetsError, UserError
from pets.ledger.grants import ROLES
from pets.service.console.page import Answer, Html, Page, Redirect, Visit, said
from pets.service.console.pages.oversight import READERS
from pets.service.console.rendering import part
from pets.service.wire.problems import status

_ADDRESS = "/datasets/{dataset}/grants"


def _grants(visit: Visit) -> Answer:
    return _page(visit)


def _page(visit: Visit, error: PetsError | None = None) -> Answer:
    """The list, and what was wrong with the last form."""
    dataset = visit.path["dataset"]
    told = visit.ask("GET", _ADDRESS, path={"dataset": dataset})
    values = {
        "dataset": dataset,
        "grants": sorted(told["grants"], key=lambda one: (one["project"], one["analyst"])),
        "open": told["open"],
        "custodian": "custodian" in visit.identity.roles,
        "roles": ROLES,
        "form": {"project": visit.form.get("project", ""), "analyst": visit.form.get("analyst", "")},
        "ticked": visit.several("role") or ["analyst"],
        "problem": "" if error is None else said(error),
    }
    return Html("oversight/grants.html", values, 200 if error is None else status(error))


def _give(visit: Visit) -> Answer:
    names = {name: visit.form.get(name, "").strip() for name in ("project", "analyst")}
    try:
        if not visit.several("role"):
            raise UserError("a grant is for a role; tick at least one")
        body = names | {"roles": visit.several("role")}
        visit.ask("POST", _ADDRESS, path={"dataset": visit.path["dataset"]}, body=body)
    except PetsError as error:
        return _page(visit, error)
    return _back(visit)


def _end(visit: Visit) -> Answer:
    names = {name: visit.form.get(name, "") for name in ("project", "analyst")}
    try:
        visit.ask("DELETE", _ADDRESS, path={"dataset": visit.path["dataset"]}, query=names)
    except PetsError as error:
        return _page(visit, error)
    return _back(visit)


def _back(visit: Visit) -> Redirect:
    return Redirect(f"/oversight/{part(visit.path['dataset'])}/grants")


PAGES = (
    Page("GET", "/oversight/{dataset}/grants", _grants, READERS),
    Page("POST", "/oversight/{dataset}/grants", _give, ("custodian",)),
    Page("POST", "/oversight/{dataset}/grants/end", _end, ("custodian",)),
)
