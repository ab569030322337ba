"""Odometer: what a dataset's account shows to people — what is left, what its life has cost, who asked what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pets.budget import UNIT
from pets.codec import Json
from pets.ledger.account import Account
from pets.ledger.states import Entry, Standing
from pets.quote import Remaining

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
    paid = [entry.cost.loss for entry in account.entries() if entry.state.charged and entry.cost.loss]
    return Remaining(
        budget=budget,
        spent=standing.spent,
        left=left,
        epsilon=budget.describe(left)[0],
        delta=budget.conversion_delta,
        more=left.loss // paid[-1] if paid else None,
        lifetime=standing.lifetime,
        epoch=standing.epoch,
        durable=not account.ledger.memory,
    )


def history(entries: Sequence[Entry], currency: str) -> pd.DataFrame:
    """Every request about the dataset: when, who, what, what it cost and what became of it."""
    import pandas as pd

    loss = "rho" if currency == "zcdp" else "epsilon"
    rows = [
        {
            "at": entry.at.replace(microsecond=0),
            "project": entry.project,
            "analyst": entry.analyst,
            "table": entry.table,
            "what": entry.what,
            "question": entry.question[:12],
            "protection": entry.protection,
            "state": entry.state.value,
            loss: entry.cost.loss / UNIT if entry.state.charged else 0.0,
            "unbounded": entry.unbounded,
            "epoch": entry.epoch,
            "id": entry.id,
        }
        for entry in entries
    ]
    columns = ["at", "project", "analyst", "table", "what", "question", "protection", "state", loss]
    return pd.DataFrame(rows, columns=[*columns, "unbounded", "epoch", "id"])
