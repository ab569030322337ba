"""History: what one's own project asked of a dataset, what became of it, and what it cost."""

from __future__ import annotations

import math

import pandas as pd

from pets.common.codec import Json
from pets.service.console.page import Html, Page, Visit
from pets.service.console.pages.analyst.budget import left
from pets.session.history import read_form

OUTCOMES = {
    "reserved": "about to be answered",
    "started": "is being answered",
    "committed": "answer made",
    "delivered": "made before, at no cost",
    "denied": "refused: over the budget",
    "voided": "withdrawn, at no cost",
    "forfeited": "failed; stays charged",
    "held": "waits for a second person",
    "refused": "not approved",
}
"""What became of a request, by its state."""

_SHOWN = 200


def lines(form: Json) -> list[Json]:
    """A history as the endpoint gives it, for a page: the newest first."""
    found = read_form(form)
    return [_line({str(name): value for name, value in row.items()}) for row in found.to_dict("records")][::-1]


def _line(row: Json) -> Json:
    epsilon = float(row["epsilon"])
    said = f"{OUTCOMES.get(row['state'], row['state'])}" + (f" ({row['reason']})" if row.get("reason") else "")
    words = {"at": pd.Timestamp(row["at"]).timestamp(), "state_said": said}
    price = "" if not epsilon else "no finite ε" if math.isinf(epsilon) else f"ε = {epsilon:.4g}"
    return row | words | {"price": price or "nothing"}


def _history(visit: Visit) -> Html:
    dataset = visit.path["dataset"]
    at = {"dataset": dataset}
    found = visit.ask("GET", "/datasets/{dataset}/history", path=at, query={"last": str(_SHOWN)})
    values: Json = {"dataset": dataset, "lines": lines(found["history"]), "most": _SHOWN}
    values |= {"left": left(visit, dataset)}
    return Html("analyst/history.html", values)


PAGES = (Page("GET", "/datasets/{dataset}/history", _history),)
