"""Odometer: what a dataset's account shows to people — what is left, what its life has cost, who asked what."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pets.common.codec import Json
from pets.ledger.account import Account
from pets.ledger.states import Entry, Standing
from pets.protection.budget import UNIT, Budget
from pets.session.quoting.quote import Remaining

if TYPE_CHECKING:
    import pandas as pd


def gauge(standing: Standing) -> Json:
    """The account after a release, as the release carries it."""
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
    }


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


def history(entries: Sequence[Entry], budget: Budget) -> pd.DataFrame:
    """Every request about the dataset: when (UTC), who, what, what became of it and what it cost.

    ``epsilon`` is what each request amounts to alone, at the budget's δ: infinite without a finite guarantee, and no
    part of a sum. What adds up is ``rho`` (in a pure ledger ``epsilon`` itself).
    """
    from pets.session.history import History

    rows = [
        {
            "at": entry.at.replace(microsecond=0, tzinfo=None),
            "project": entry.project,
            "analyst": entry.analyst,
            "what": entry.what,
            "state": entry.state.value,
            "epsilon": _epsilon(entry, budget),
            "rho": entry.cost.loss / UNIT if entry.state.charged else 0.0,
            "unbounded": entry.unbounded,
            "table": entry.table,
            "protection": entry.protection,
            "epoch": entry.epoch,
            "question": entry.question[:12],
            "id": entry.id,
        }
        for entry in entries
    ]
    columns = ["at", "project", "analyst", "what", "state", "epsilon", "rho", "unbounded", "table", "protection"]
    if budget.currency == "pure":
        columns.remove("rho")
    return History(rows, columns=[*columns, "epoch", "question", "id"])


def _epsilon(entry: Entry, budget: Budget) -> float:
    if not entry.state.charged:
        return 0.0
    return math.inf if entry.unbounded and not entry.cost.loss else budget.describe(entry.cost)[0]
