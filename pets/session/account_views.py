"""Odometer: what a dataset's account shows to people — what is left, what its life has cost, who asked what."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pets.common.codec import Json, canonical, fraction
from pets.ledger.account import Account
from pets.ledger.queued.job import QueuedJob
from pets.ledger.review.fates import Fate, Fates
from pets.ledger.states import Entry, Standing, State
from pets.protection.budget import UNIT, Budget
from pets.query_model.query import Query
from pets.session.guarantee_text import what
from pets.session.quoting.quote import Remaining

if TYPE_CHECKING:
    import pandas as pd

_ROUNDING = 1e-4


def gauge(standing: Standing) -> Json:
    """The account after a release, as the release carries it.

    ``delta`` is what the spent ρ is told at and, where keys were released, the δ of their thresholds
    (``threshold_spent``, in units).
    """
    budget = standing.budget
    epsilon, delta = budget.describe(standing.spent)
    return {
        "currency": budget.currency,
        "cap": budget.cap.loss,
        "spent": standing.spent.loss,
        "left": standing.left.loss,
        "epsilon_cap": budget.epsilon,
        "epsilon_spent": epsilon,
        "delta": delta,
        "epoch": standing.epoch,
        "lifetime": standing.lifetime.loss,
    } | ({"threshold_spent": standing.spent.delta} if standing.spent.delta else {})


def remaining(account: Account) -> Remaining:
    """What is left of the budget, and how many more queries like the last paid one that is."""
    standing = account.standing()
    budget, left = standing.budget, standing.left
    paid = account.last_paid()
    return Remaining(
        budget=budget,
        spent=standing.spent,
        left=left,
        epsilon=budget.describe(left)[0],
        delta=budget.conversion_delta,
        more=left.loss // paid if paid else None,
        lifetime=standing.lifetime,
        epoch=standing.epoch,
        durable=not account.ledger.memory,
        unbounded=account.unbounded(),
    )


def history(
    entries: Sequence[Entry],
    budget: Budget,
    *,
    strangers: bool = True,
    told: Fates | None = None,
    last: int | None = None,
) -> pd.DataFrame:
    """Every request about the dataset: when (UTC), who, what, what became of it and what it cost.

    ``epsilon`` is what each request amounts to alone, at the budget's δ: infinite without a finite guarantee, and no
    part of a sum. What adds up is ``rho`` (in a pure ledger ``epsilon`` itself). ``delivered`` is the state of an
    answer that another had paid for; it costs nothing, and ``id`` names the request that paid, unless that was a
    stranger's and ``strangers`` are not to be seen. ``held`` waits for a second person, and ``refused`` was not
    approved, for the ``reason`` of that code: with a cost where the answer was made before, and without one (nor an
    ``id``) where it was not (``told``; of all these, ``last`` are the newest).
    """
    from pets.session.history import History

    told = told or Fates()
    rows: list[dict[str, Any]] = [
        {
            "at": entry.at.replace(microsecond=0, tzinfo=None),
            "project": entry.project,
            "analyst": entry.analyst,
            "what": entry.what,
            "state": "delivered" if entry.delivered else _fate(entry, told).state,
            "epsilon": _epsilon(entry, budget),
            "rho": entry.cost.loss / UNIT if entry.state.charged else 0.0,
            "unbounded": entry.unbounded,
            "table": entry.table,
            "protection": entry.protection,
            "epoch": entry.epoch,
            "question": entry.question[:12],
            "id": entry.id if strangers or not entry.delivered else "",
            "reason": "" if entry.delivered else _fate(entry, told).reason,
        }
        for entry in entries
    ]
    if told.uncharged:
        held = [line for job, fate in told.uncharged for line in _uncharged(job, fate)]
        rows = sorted(rows + held, key=lambda row: row["at"])
        rows = rows if last is None else rows[-last:]
    columns = ["at", "project", "analyst", "what", "state", "epsilon", "rho", "unbounded", "table", "protection"]
    if budget.currency == "pure":
        columns.remove("rho")
    return History(rows, columns=[*columns, "epoch", "question", "id", "reason"])


def _fate(entry: Entry, told: Fates) -> Fate:
    own = Fate(entry.state.value)
    return told.charged.get(entry.id, own) if entry.state is State.COMMITTED else own


_UNNAMED = {"group_keys": "keys", "rows_lost": "rows lost", "synthesise": "a synthetic table"}
"""What is asked, in the words of a line, by the kinds of question that have no query."""


def _uncharged(job: QueuedJob, fate: Fate) -> list[dict[str, Any]]:
    """The lines of a job that was charged nothing: one for each query, as each would have been charged."""
    form = job.asked
    queries = [Query.from_json(one) for one in form.get("queries", [form["query"]] if "query" in form else [])]
    named = [(what(one), one.table) for one in queries]
    if not named:
        by = form.get("by") or []
        words = " by ".join([_UNNAMED.get(job.kind, job.kind), *([", ".join(map(str, by))] if by else [])])
        named = [(words, form["table"] if isinstance(form.get("table"), str) else "")]
    protection = form.get("protection")
    line: dict[str, Any] = {
        "at": dt.datetime.fromtimestamp(int(job.at), dt.UTC).replace(tzinfo=None),
        "project": job.project,
        "analyst": job.analyst,
        "state": fate.state,
        "epsilon": 0.0,
        "rho": 0.0,
        "unbounded": False,
        "protection": "" if protection is None else canonical(protection).decode(),
        "epoch": 0,
        "question": "",
        "id": "",
        "reason": fate.reason,
    }
    return [line | {"what": words, "table": table} for words, table in named]


def _epsilon(entry: Entry, budget: Budget) -> float:
    if not entry.state.charged or entry.delivered:
        return 0.0
    if entry.unbounded and not entry.cost.loss:
        return math.inf
    return as_asked(budget.describe(entry.cost)[0], entry.protection)


def as_asked(charged: float, protection: str) -> float:
    """The ε that was asked for, where a charge is it but for rounding; else the charge.

    Scales are rounded so that a charge is a little less than what was asked, and promised.
    """
    try:
        asked = float(fraction(json.loads(protection).get("epsilon") or 0))
    except (ValueError, AttributeError, TypeError, OverflowError):  # what another party says may be anything
        return charged
    return asked if 0 <= asked - charged < _ROUNDING * asked else charged
