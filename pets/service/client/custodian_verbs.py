"""The custodian's verbs over a service: for a token with the role custodian, or auditor where they only read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pets.common.arguments import plain_arguments
from pets.common.codec import Json, fraction
from pets.common.entropy import random_id
from pets.errors import UserError
from pets.service.client.jobs import Jobs
from pets.service.client.transport import Transport
from pets.service.wire.harmless import harmless
from pets.session.quoting.quote import Remaining

if TYPE_CHECKING:
    import pandas as pd

_COUNTS = ("committed", "delivered", "denied", "forfeited", "voided", "reserved", "started")


@dataclass(frozen=True)
class AccountView:
    """A dataset's account as its custodian sees it.

    Attributes:
        remaining: what is left of the budget.
        scopes: the dataset (no project), each project (no analyst) and each analyst: ε that was spent, and its own cap.
        asked: by project and analyst, how many requests came to what.
        denials: the newest requests that no budget could pay.
        waiting, held: questions that wait for an answer, or for a person.
        answering: whether a process answers what waits.
    """

    remaining: Remaining
    scopes: pd.DataFrame
    asked: pd.DataFrame
    denials: pd.DataFrame
    waiting: int
    held: int
    answering: bool = True

    def __str__(self) -> str:
        waits = f"{self.waiting} questions wait to be answered, {self.held} for a person."
        waits += "" if self.answering else " No process answers now: start pets answer, or see the service's log."
        return f"{self.remaining}\n{self.asked.to_string(index=False)}\n{waits}"


class CustodianVerbs:
    """What only whoever keeps a dataset may do, and what an auditor may read of it, over a service.

    The service's word for all of it; the grants are entries of its signed log, too.
    """

    dataset: str
    _transport: Transport
    _jobs: Jobs

    def grants(self) -> pd.DataFrame:
        """Who may ask about the dataset, in which roles, and which entry of the log tells of it.

        It is empty where there never was a grant, and every login may ask; and where all have ended, and nobody may.

        Raises:
            ForbiddenError: for whoever is neither auditor nor custodian.
        """
        return _table(self._kept("grants").get("grants"), ("project", "analyst", "roles", "seq"))

    @plain_arguments(UserError, "grant", "write grant('stroke-2026', 'amina')")
    def grant(self, project: str, analyst: str, roles: Sequence[str] = ("analyst",)) -> None:
        """Give leave, in place of what that analyst of that project had; the log tells that you did.

        The first grant closes the dataset to whoever has none: it must be your own, with the role custodian.

        Raises:
            UserError: for a name or a role that is none, or where you would no longer be custodian.
            ForbiddenError: for whoever is no custodian.
        """
        several = [roles] if isinstance(roles, str) else list(roles)
        body = {"project": project, "analyst": analyst, "roles": several}
        self._transport.post("datasets", self.dataset, "grants", body=body)

    @plain_arguments(UserError, "end_grant", "write end_grant('stroke-2026', 'amina')")
    def end_grant(self, project: str, analyst: str) -> None:
        """Take leave away; the log tells that you did.

        Raises:
            NotFoundError: where there is no such grant.
            UserError: for your own: another custodian ends that.
            ForbiddenError: for whoever is no custodian.
        """
        self._transport.delete("datasets", self.dataset, "grants", project=project, analyst=analyst)

    @plain_arguments(UserError, "account", "write account(last=100)")
    def account(self, last: int = 100) -> AccountView:
        """Budgets of projects and analysts, who asked how much, and the newest denials.

        Raises:
            ForbiddenError: for whoever is neither auditor nor custodian.
        """
        told = self._kept("account", last=last)
        scopes = _table(told.get("scopes"), ("project", "analyst", "epsilon_spent", "epsilon_cap"))
        for name in ("epsilon_spent", "epsilon_cap"):
            scopes[name] = [None if one is None else float(fraction(one)) for one in scopes[name]]
        denials = _table(told.get("denials"), ("at", "project", "analyst", "what", "id"))
        return AccountView(
            Remaining.from_json(told.get("remaining")),
            scopes,
            _table(told.get("asked"), ("project", "analyst", *_COUNTS)),
            _dated(denials),
            int(told.get("waiting", 0)),
            int(told.get("held", 0)),
            told.get("answering") is not False,  # (an older service does not say)
        )

    @plain_arguments(UserError, "incidents", "write incidents(last=100)")
    def incidents(self, last: int = 100) -> pd.DataFrame:
        """Requests that failed after data was opened, the newest first, by the number under which the reason is kept.

        The reason may quote rows, and never travels: ``pets ledger incident NUMBER`` shows it on the service's machine.

        Raises:
            ForbiddenError: for whoever is no custodian.
        """
        told = self._kept("incidents", last=last).get("incidents")
        return _dated(_table(told, ("incident", "at", "project", "analyst", "request")))

    def events(self) -> dict[str, int]:
        """How often each event happened since the process that answers this began.

        Raises:
            ForbiddenError: for whoever is neither auditor nor custodian.
        """
        return {str(kind): int(count) for kind, count in dict(self._kept("events").get("counts", {})).items()}

    def refresh(self) -> dict[str, str]:
        """Have the tables made anew from their data, by a process of the service; gives their new public ids.

        What was spent stays spent, and an answer about the old rows is no answer about the new ones.

        Raises:
            UserError: where the service is given no data, with what to run on its machine; or it cannot be read.
            ForbiddenError: for whoever is no custodian.
        """
        reply = self._transport.post("datasets", self.dataset, "refresh", body={}, key=random_id(), wait=0.0)
        return snapshots(self._jobs.answered(reply).get("snapshots"))

    def _kept(self, what: str, last: int | None = None) -> Json:
        found: Json = harmless(self._transport.get("datasets", self.dataset, what, last=last))
        return found


def snapshots(form: Any) -> dict[str, str]:
    """By table, the public id of its snapshot, in the answer to a refresh."""
    if not isinstance(form, dict):
        raise UserError("the service answered with something that names no snapshot; tell whoever runs it")
    return {harmless(str(table)): harmless(str(name)) for table, name in form.items()}


def _table(rows: Any, columns: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UserError("the service answered with something that is no list; tell whoever runs it")
    return pd.DataFrame([[row.get(name) for name in columns] for row in rows], columns=list(columns))


def _dated(table: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    return table.assign(at=pd.to_datetime(table["at"], unit="s"))
