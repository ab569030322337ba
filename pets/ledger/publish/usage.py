"""Usage: a dataset's account for who keeps it: budgets of projects and analysts, who asked how much, denials, failures.

No row is read, and nothing in it depends on one but which requests failed and how long ago.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from pets.common.codec import Json, fraction, number
from pets.ledger.db import jobs, listing
from pets.ledger.db.row_types import ScopeRow, parsed
from pets.ledger.ledger import Ledger
from pets.ledger.states import State
from pets.protection.budget import Budget, Cost

STATES = (*(state.value for state in State), "delivered")
"""What became of a request; ``delivered`` are answers that another had paid for."""


def usage(ledger: Ledger, dataset: str, *, last: int) -> Json:
    """Scopes, how much each analyst asked, and the newest denials.

    Args:
        dataset: one that the ledger knows.
        last: so many denials at most.
    """
    with ledger.reading() as tx:
        budget = Budget.from_json(parsed(tx.dataset(dataset).budget))
        scopes = [_scope(one, budget) for one in tx.all_scopes(dataset)]
        asked: dict[tuple[str, str], Json] = {}
        for project, analyst, state, count in listing.tallied(tx.connection, dataset):
            asked.setdefault((project, analyst), dict.fromkeys(STATES, 0))[state] = count
        denied = listing.ended(tx.connection, dataset, State.DENIED.value, last)
        waiting, held = (jobs.standing_by(tx.connection, dataset, state) for state in ("waiting", "held"))
    whose = [{"project": project, "analyst": analyst} | counts for (project, analyst), counts in asked.items()]
    told = [{"id": row.id} | _request(row) | {"what": row.what} for row in denied]
    return {"scopes": scopes, "asked": whose, "denials": told, "waiting": waiting, "held": held}


def failures(ledger: Ledger, dataset: str, *, last: int) -> list[Json]:
    """Requests that failed after data was opened, the newest first, each with the number of what was kept of it."""
    with ledger.reading() as tx:
        rows = listing.ended(tx.connection, dataset, State.FORFEITED.value, last)
    return [{"incident": row.id[:12], "request": row.id} | _request(row) for row in rows]


def faults(ledger: Ledger, *, last: int) -> list[Json]:
    """Incidents that belong to no request of any dataset: of the service itself, the newest first."""
    with ledger.reading() as tx:
        known = listing.incident_numbers(tx.connection)
    found = [(number, at) for number, at in ledger.incidents.moments.items() if number not in known]
    return [{"incident": number, "at": int(at)} for number, at in found[:last]]


def _scope(row: ScopeRow, budget: Budget) -> Json:
    charged = Cost(budget.currency, *(r + s for r, s in zip(row.reserved, row.spent, strict=True)))
    cap = None if row.cap is None else Cost(budget.currency, *row.cap)
    return {
        "project": row.project,
        "analyst": row.analyst,
        "cap": None if row.cap is None else _parts(row.cap),
        "spent": _parts(row.spent),
        "reserved": _parts(row.reserved),
        "epsilon_cap": None if cap is None else _epsilon(cap, budget),
        "epsilon_spent": _epsilon(charged, budget),
    }


def _parts(amount: tuple[int, int]) -> Json:
    return {"loss": amount[0], "delta": amount[1]}


def _epsilon(cost: Cost, budget: Budget) -> str:
    """As decimal text, as numbers travel."""
    return str(number(fraction(budget.describe(cost)[0])))


def _request(row: Any) -> Json:
    at = int(dt.datetime.fromisoformat(row.at).timestamp())
    return {"project": row.project, "analyst": row.analyst, "at": at}
