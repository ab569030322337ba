"""Grants: who may ask about a dataset, as which project, and in which role. The log tells of each, and of its end.

The service's key signs them, as all entries; each names the subject who gave it. Budgets and policies are changed by
keys that are kept elsewhere (:mod:`pets.ledger.change`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pets.common.literals import printable
from pets.errors import ForbiddenError, LedgerError, UserError, did_you_mean, shown
from pets.ledger.db import access
from pets.ledger.db.row_types import text
from pets.ledger.ledger import Ledger

ROLES = ("analyst", "reviewer", "auditor", "custodian")
"""What somebody may be to a dataset: who asks; who approves; who reads the whole log; who refreshes and grants."""


@dataclass(frozen=True)
class Granted:
    """Leave for one analyst of one project.

    Attributes:
        roles: some of :data:`ROLES`, in that order.
        seq: the log entry that tells of it.
    """

    dataset: str
    project: str
    analyst: str
    roles: tuple[str, ...]
    seq: int


class Grants:
    """The grants in a ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def grant(
        self,
        dataset: str,
        project: str,
        analyst: str,
        roles: Sequence[str],
        *,
        by: str,
        keeper: tuple[str, str] | None = None,
    ) -> Granted:
        """Give leave, in place of what was given before to the same analyst of the same project.

        Args:
            by: the subject who gives it.
            keeper: the project and analyst who must be the dataset's custodian before (where it has grants) and after.

        Raises:
            UserError: for a name that is none, or a role that does not exist.
            ForbiddenError: where ``keeper`` is no custodian, or would be none.
            LedgerError: for a dataset that the ledger does not know.
        """
        names = _names(dataset, project, analyst, by)
        chosen = known_roles(roles)
        with self.ledger.writing() as (tx, now):
            if tx.dataset(dataset) is None:
                raise LedgerError(f"the ledger has no dataset {dataset!r}{did_you_mean(dataset, tx.dataset_names())}")
            made = Granted(dataset, project, analyst, chosen, tx.head.size)
            tx.append("grant", now, names | {"roles": list(chosen)}, {})
            row = {"dataset": dataset, "project": project, "analyst": analyst}
            _check_keeper(tx.connection, dataset, keeper, first=True)
            access.put_grant(tx.connection, row | {"roles": text(list(chosen)), "seq": made.seq, "revoked": False})
            _check_keeper(tx.connection, dataset, keeper)
        return made

    def end(self, dataset: str, project: str, analyst: str, *, by: str, keeper: tuple[str, str] | None = None) -> None:
        """Take leave away.

        Raises :class:`LedgerError` where there was none, and as :meth:`grant` does for ``keeper``.
        """
        names = _names(dataset, project, analyst, by)
        with self.ledger.writing() as (tx, now):
            found = access.granted(tx.connection, dataset, project, analyst)
            if found is None or found.revoked:
                raise LedgerError(
                    f"analyst {shown(analyst)} of project {shown(project)} has no grant for the dataset "
                    f"{shown(dataset)}; look at those there are"
                )
            row = {"dataset": dataset, "project": project, "analyst": analyst, "roles": found.roles}
            access.put_grant(tx.connection, row | {"seq": tx.head.size, "revoked": True})
            _check_keeper(tx.connection, dataset, keeper)
            tx.append("grant-end", now, names, {})

    def of(self, dataset: str, project: str, analyst: str) -> Granted | None:
        """What was given to one analyst of one project, and is in force."""
        with self.ledger.aside(writes=False) as (connection, _):
            row = access.granted(connection, dataset, project, analyst)
        return None if row is None or row.revoked else _granted(row)

    def all(self, dataset: str) -> list[Granted]:
        """Every grant in force."""
        with self.ledger.aside(writes=False) as (connection, _):
            return [_granted(row) for row in access.all_granted(connection, dataset)]

    def allows(self, dataset: str, project: str, analyst: str, role: str = "analyst") -> bool:
        """Whether an analyst may be this to a dataset: everybody, where there never was a grant for it."""
        with self.ledger.aside(writes=False) as (connection, _):
            if not access.ever_granted(connection, dataset):
                return True
            row = access.granted(connection, dataset, project, analyst)
        return row is not None and not row.revoked and role in _granted(row).roles

    def any(self, dataset: str) -> bool:
        """Whether there is, or ever was, one: then who has none may not ask, also once the last has ended."""
        with self.ledger.aside(writes=False) as (connection, _):
            return access.ever_granted(connection, dataset)


def _check_keeper(connection: Any, dataset: str, keeper: tuple[str, str] | None, *, first: bool = False) -> None:
    """Raises :class:`ForbiddenError` where this person is no custodian of the dataset.

    Looked at where the grant is written: two custodians who end each other's at one moment must not both succeed.

    Args:
        first: there may be no grant yet.
    """
    if keeper is None or (first and not access.ever_granted(connection, dataset)):
        return
    row = access.granted(connection, dataset, *keeper)
    if row is None or row.revoked or "custodian" not in _granted(row).roles:
        raise ForbiddenError(
            "whoever changes grants is custodian by a grant of their own, before and afterwards; yours has ended, or "
            "would: ask another custodian"
        )


def _names(dataset: str, project: str, analyst: str, by: str) -> dict[str, str]:
    """Who, as the log tells it; raises :class:`UserError` for a name that is none."""
    given = {"dataset": dataset, "project": project, "analyst": analyst, "by": by}
    return {label: printable(label, value) for label, value in given.items()}


def known_roles(roles: Sequence[str]) -> tuple[str, ...]:
    """Roles in the order of :data:`ROLES`; raises :class:`UserError` for none, or for one that does not exist."""
    if isinstance(roles, str) or not isinstance(roles, Sequence) or not roles:
        raise UserError(f"roles are a list of some of {', '.join(ROLES)}, not {shown(roles)}")
    for role in roles:
        if role not in ROLES:
            raise UserError(f"the role {shown(role)} does not exist{did_you_mean(role, ROLES)}")
    return tuple(role for role in ROLES if role in roles)


def _granted(row: Any) -> Granted:
    return Granted(row.dataset, row.project, row.analyst, tuple(json.loads(row.roles)), row.seq)
