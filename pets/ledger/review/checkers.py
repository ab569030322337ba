"""Checkers: who may decide about an output. Never its author, and, unless rules allow it, no colleague of theirs."""

from __future__ import annotations

import json
from typing import Any

from pets.errors import ForbiddenError
from pets.ledger.db import access, outputs
from pets.ledger.db.transaction import Transaction
from pets.ledger.review.output import Rules, same_person


def check_checker(tx: Transaction, row: Any, by: str, *, project: str | None = None, login: bool = True) -> None:
    """Raises :class:`ForbiddenError` for who may not decide about an output.

    Args:
        row: of the output.
        by: the subject.
        project: in which the subject is logged in, where a login says so.
        login: whether a login says who it is, or a key of their own.
    """
    rules = Rules(**json.loads(row.rules))
    if same_person(by, row.analyst):
        raise ForbiddenError("nobody decides about an output of their own; another reviewer must")
    if rules.logins and not login:
        raise ForbiddenError(
            "votes about this output count only from whoever is logged in, or signs them; decide through the service "
            "(pets.connect), or with a key of your own that the custodians trust (--key)"
        )
    granted = access.all_granted(tx.connection, row.dataset)
    mine = [one for one in granted if same_person(one.analyst, by)]
    if access.ever_granted(tx.connection, row.dataset) and not any("reviewer" in json.loads(one.roles) for one in mine):
        raise ForbiddenError(
            f"nobody has granted {by} to review what concerns this dataset; ask the custodian for a grant"
        )
    if rules.own_project:
        return
    if (
        project == row.project
        or any(one.project == row.project for one in mine)
        or any(same_person(one, by) for one in outputs.askers(tx.connection, row.dataset, row.project))
    ):
        raise ForbiddenError(
            f"{by} is of the author's project, {row.project}, and this custodian's policy wants checkers who are not; "
            "ask somebody else"
        )
