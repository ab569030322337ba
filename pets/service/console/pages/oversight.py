"""Oversight: for auditors and custodians: budgets, who asked what, what was refused, what failed, and a refresh."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pets.common.codec import Json, fraction
from pets.common.entropy import random_id
from pets.common.percent import budget_percent
from pets.errors import ForbiddenError, NotFoundError
from pets.service.console.page import Answer, Html, Page, Redirect, Visit
from pets.service.console.pages.analyst.history import OUTCOMES
from pets.service.console.rendering import epsilon, part
from pets.session.history import read_form
from pets.session.quoting.quote import Remaining

READERS = ("auditor", "custodian")

_LAST = (100, 1000, 10_000)
"""How many requests a page of the history has."""


@dataclass(frozen=True)
class Gauge:
    """A budget, and how far it is used.

    Attributes:
        label: whose it is.
        used, reserved: shares of the whole, 0 to 1; nothing is drawn beyond it.
        said: the same in words.
    """

    label: str
    used: float
    reserved: float
    said: str

    @property
    def full(self) -> bool:
        """Whether hardly anything is left."""
        return self.used + self.reserved >= 0.95


def gauge(label: str, scope: Json) -> Gauge | None:
    """That of a scope of the account; ``None`` where it has no limit of its own."""
    cap = scope["cap"]
    if cap is None:
        return None
    shares = [_share(scope[part], cap) for part in ("spent", "reserved")]
    used = min(1.0, shares[0])
    at = f"ε {epsilon(scope['epsilon_spent'])} of {epsilon(scope['epsilon_cap'])}"
    whose = f"its limit is used ({at})" if scope["project"] else "the budget is used"
    return Gauge(label, used, min(1.0 - used, shares[1]), f"{budget_percent(min(1.0, sum(shares)))} of {whose}")


def _share(part: Json, cap: Json) -> float:
    whole = fraction(str(cap["loss"]))
    return float(fraction(str(part["loss"])) / whole) if whole else 1.0


def datasets(visit: Visit) -> list[str]:
    """The names of those that are there for this person."""
    return [one["dataset"] for one in visit.ask("GET", "/datasets")["datasets"]]


# all datasets -----------------------------------------------------------------------------------------------------


def _all(visit: Visit) -> Answer:
    cards: list[Json] = []
    for name in datasets(visit):
        try:
            cards.append({"dataset": name, "told": _card(_account(visit, name, 1)), "refused": ""})
        except ForbiddenError as error:
            cards.append({"dataset": name, "told": None, "refused": str(error)})
    answering = all(card["told"] is None or card["told"]["answering"] for card in cards)
    return Html("oversight/all.html", {"cards": cards, "answering": answering})


def _account(visit: Visit, dataset: str, last: int) -> Json:
    at = {"dataset": dataset}
    return visit.ask("GET", "/datasets/{dataset}/account", path=at, query={"last": str(last)})


def _card(account: Json) -> Json:
    """What of an account stands on the page of all of them."""
    totals = Counter[str]()
    for one in account["asked"]:
        totals.update({name: count for name, count in one.items() if isinstance(count, int)})
    whole = next(one for one in account["scopes"] if one["project"] == "")
    return {
        "gauge": gauge("All projects together", whole),
        "remaining": Remaining.from_json(account["remaining"]),
        "totals": totals,
        "projects": len({one["project"] for one in account["asked"]}),
        "waiting": account["waiting"],
        "held": account["held"],
        "answering": account["answering"],
    }


# one dataset ------------------------------------------------------------------------------------------------------


def _one(visit: Visit) -> Answer:
    name = visit.path["dataset"]
    account = _account(visit, name, 50)
    limits = [one for one in account["scopes"] if one["project"] != ""]
    values = {
        **_card(account),
        "dataset": name,
        "gauges": [found for one in limits if (found := gauge(_whose(one), one)) is not None],
        "scopes": limits,
        "asked": sorted(account["asked"], key=lambda one: (one["project"], one["analyst"])),
        "denials": account["denials"],
        "custodian": "custodian" in visit.identity.roles,
        "key": random_id(),
    }
    return Html("oversight/one.html", values)


def _whose(scope: Json) -> str:
    return f"{scope['analyst']}, project {scope['project']}" if scope["analyst"] else f"Project {scope['project']}"


def _history(visit: Visit) -> Answer:
    dataset, asked = visit.path["dataset"], {name: visit.query.get(name, "").strip() for name in ("analyst", "last")}
    query = {"all": "true", "last": asked["last"] or str(_LAST[0])} | (
        {"analyst": asked["analyst"]} if asked["analyst"] else {}
    )
    told = visit.ask("GET", "/datasets/{dataset}/history", path={"dataset": dataset}, query=query)
    found: Iterable[Any] = read_form(told["history"]).to_dict("records")
    values = {"dataset": dataset, "lines": list(found)[::-1], "asked": asked, "choices": _LAST, "last": query["last"]}
    values["outcomes"] = OUTCOMES
    return Html("oversight/history.html", values)


def _incidents(visit: Visit) -> Answer:
    dataset = visit.path["dataset"]
    told = visit.ask("GET", "/datasets/{dataset}/incidents", path={"dataset": dataset})
    return Html("oversight/incidents.html", {"dataset": dataset} | told)


# a refresh --------------------------------------------------------------------------------------------------------


def _refresh(visit: Visit) -> Answer:
    """Asked once, however often the form is sent."""
    dataset = visit.path["dataset"]
    key = visit.form.get("key", "") or random_id()
    told = visit.ask("POST", "/datasets/{dataset}/refresh", path={"dataset": dataset}, body={}, key=key)
    return Redirect(f"/oversight/{part(dataset)}/refresh/{told['job']['id']}")


def _refreshed(visit: Visit) -> Answer:
    told = visit.ask("GET", "/queries/{job}", path={"job": visit.path["job"]}, query={"wait": "1"})
    job = told["job"]
    if job["kind"] != "refresh" or job["dataset"] != visit.path["dataset"]:
        raise NotFoundError("there is no such refresh of this dataset; its page begins one")
    values = {"dataset": job["dataset"], "job": job, "snapshots": told.get("snapshots")}
    return Html("oversight/refresh.html", values)


PAGES = (
    Page("GET", "/oversight", _all, READERS, nav="Oversight"),
    Page("GET", "/oversight/{dataset}", _one, READERS),
    Page("GET", "/oversight/{dataset}/history", _history, READERS),
    Page("GET", "/oversight/{dataset}/incidents", _incidents, ("custodian",)),
    Page("POST", "/oversight/{dataset}/refresh", _refresh, ("custodian",)),
    Page("GET", "/oversight/{dataset}/refresh/{job}", _refreshed, ("custodian",)),
)
