"""Custodian: it keeps a dataset's tables, budget and policy, and gives each analyst a session."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self, cast

from pets.common.arguments import plain_arguments
from pets.errors import UserError
from pets.ledger.events import Event, Listener
from pets.ledger.ledger import Ledger
from pets.ledger.review.reviews import Held, Reviews
from pets.protection.budget import Budget
from pets.protection.policy import Policy
from pets.rows.limits import Limits
from pets.rows.remarks import SHARE
from pets.rows.report import Report
from pets.schema.schema import Schema
from pets.session.custody import Custody
from pets.session.disclosure.verbs import DisclosureVerbs
from pets.session.door.verbs import DoorVerbs
from pets.session.grid.verbs import GridVerbs
from pets.session.quoting.quote import Remaining
from pets.session.session import Session
from pets.session.verbs.analyst_session import AnalystSession
from pets.session.verbs.closed import Closed
from pets.session.verbs.whose import CustodianNames

if TYPE_CHECKING:
    import pandas as pd

    from pets.session.airlock.airlock import CustodianAirlock


class Custodian(DisclosureVerbs, GridVerbs, DoorVerbs, CustodianNames):
    """Who keeps a dataset: its tables, its budget and its policy, for any number of analysts.

    ``custodian.session(analyst=…, project=…)`` is cheap: all sessions share the prepared tables, what was compiled for
    them, and the ledger. What only a custodian may do is here and not there.

    Args:
        schema, data, budget, ledger, policy, engine, snapshots, progress: as for :class:`pets.Session`.
        memory: what the engine may take, such as ``"4GB"``; left out, 60 % of the machine's memory.
        threads: how many the engine may use; left out, one a core. (Polars reads ``POLARS_MAX_THREADS`` instead.)

    Raises:
        SchemaError, DataError, BudgetError, UserError: each with the remedy, before any query is asked.
    """

    _sessions = AnalystSession

    def __init__(
        self,
        schema: Schema | str | Path | Mapping[str, Any],
        data: Any = None,
        *,
        budget: Budget | None = None,
        ledger: str | Path | Ledger | None = None,
        policy: Policy | None = None,
        engine: str = "duckdb",
        snapshots: str | Path | None = None,
        memory: str | None = None,
        threads: int | None = None,
        progress: bool = True,
    ) -> None:
        self._custody = Custody.open(
            schema,
            data,
            budget=budget,
            ledger=ledger,
            analyst="custodian",
            policy=policy,
            engine=engine,
            snapshots=snapshots,
            limits=Limits(memory, threads),
            progress=progress,
        )
        self._own, self._opened = Session.of(self._custody), not isinstance(ledger, Ledger)

    @classmethod
    def of(cls, custody: Custody) -> Custodian:
        """The custodian of a custody that is there already: for the custodian's own programs."""
        made = cls.__new__(cls)
        made._custody, made._own, made._opened = custody, Session.of(custody), False
        return made

    def close(self) -> None:
        """Let go of the rows, and of the ledger where this opened it: as :meth:`pets.Session.close`.

        Close the sessions that it gave first.
        """
        if self._opened and not self.closed:
            self.ledger.close()
        self._own.close()
        self._custody = cast(Custody, Closed("custodian"))

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._own.closed

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        if self.closed:
            return "<Custodian, closed>"
        return f"<Custodian of dataset {self.schema.dataset!r}: {', '.join(self.tables)}>"

    def __reduce__(self) -> NoReturn:
        raise UserError("a custodian holds data and is never pickled; open it again where it is needed")

    @plain_arguments(UserError, "session", "write session(analyst='amina', project='stroke-2026')")
    def session(self, *, analyst: str, project: str = "default") -> AnalystSession:
        """A session for one analyst in one project, on these tables and this ledger.

        Raises:
            UserError: for a name that is no printable text of 1 to 128 characters.
        """
        return AnalystSession(self._custody.scoped(project, analyst))

    @plain_arguments(UserError, "on", "write on('committed', print)")
    def on(self, event: str, call: Listener) -> None:
        """Call a function of the custodian's own with every event of a kind (``"*"``: of any) about this dataset.

        Each holds ids, a state, a cost and seconds, and never a value; :mod:`pets.ledger.events` lists the kinds. It is
        called in the thread in which the change happens, after it is durable; what it raises changes nothing.

        Raises:
            UserError: for an event that does not exist.
        """
        name = self.schema.dataset

        def told(found: Event) -> None:
            if found.dataset in ("", name):
                call(found)

        self.ledger.listeners.on(event, told if callable(call) else call)

    # what is public of the dataset ------------------------------------------------------------------------------

    @property
    def custody(self) -> Custody:
        """For the custodian's own programs: what holds the tables and the account. It reaches real rows."""
        return self._custody

    @property
    def schema(self) -> Schema:
        """The public description of the tables."""
        return self._custody.schema

    @property
    def policy(self) -> Policy:
        """What is allowed."""
        return self._custody.policy

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that there is data for."""
        return self._custody.tables

    @property
    def snapshots(self) -> dict[str, str]:
        """By table, the random public id of its snapshot."""
        return self._own.snapshots

    @property
    def reused(self) -> tuple[str, ...]:
        """The tables whose stored snapshot was opened; what ``data=`` holds for them is not read until a refresh."""
        return self._custody.reused

    # the custodian's verbs --------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """As :meth:`pets.Session.refresh`; every session asks the new snapshots from then on."""
        self._own.refresh()

    @plain_arguments(UserError, "append", "write append({'stays': 'february.csv'})")
    def append(self, data: Any) -> None:
        """As :meth:`pets.Session.append`; every session asks the new snapshots from then on."""
        self._own.append(data)

    def report(self, table: str | None = None) -> Report:
        """The fate of every row of a table. It holds exact counts of real rows."""
        return self._custody.report(table)

    def check(self, share: float = SHARE) -> tuple[str, ...]:
        """What to mend in the schema, each with its remedy; it holds shares of real rows.

        Args:
            share: of the rows, from which on a remark is made; of rows that are left out, which opening warns of, it
                is :data:`pets.rows.remarks.LOUD`.
        """
        told = [f"! {lost}" for lost in self._custody.left_out]
        told += [remark for table in self.tables for remark in self._custody.remarks(table, share)]
        return (*told, *filter(None, [self._custody.apart]))

    def incident(self, number: str) -> str:
        """What went wrong in a failed release, of any session. It may quote values of real rows."""
        return self._custody.incident(number)

    # approval ---------------------------------------------------------------------------------------------------

    def reviews(self) -> list[Held]:
        """The requests about this dataset that wait for a second person, where the policy asks for one.

        They are without their answers; :meth:`review` shows a protected answer that is held. No row is read.
        """
        return self._reviews.waiting(self.schema.dataset)

    def review(self, request: str) -> Held:
        """One held request by its id, with its protected answer where that is made already.

        Raises:
            NotFoundError: where no such request is held.
        """
        return self._reviews.find(request, dataset=self.schema.dataset)

    @plain_arguments(UserError, "approve", "write approve('the id', by='jo@hospital')")
    def approve(self, request: str, *, by: str, note: str = "", finding: str | None = None, anyway: str = "") -> None:
        """Let a held request be answered, or its answer be shown; the log tells who did.

        Args:
            by: who decides; never who asked.
            note: words of their own; the log has their digest alone.
            finding: of a table outside the grid: the digest of what :meth:`look` found of it, or its first 12 letters
                or more. Where anything is otherwise by then, nothing leaves.
            anyway: why such a table leaves although it is not proved, in words of their own; the log has their digest
                alone, and the certificate says that it was not proved.

        Raises:
            ForbiddenError: for who asked, or who has no grant as reviewer, where there are grants.
            HeldError, NotFoundError: where it was decided before, or never was; of a table outside the grid also where
                its finding is another by now, was not proved and nobody says why it leaves, or is closed by a refusal.
        """
        if finding is not None:
            from pets.session.door.door import let_out

            let_out(self._custody, request, by=by, finding=finding, anyway=anyway, note=note)
            return
        if anyway:
            raise UserError("anyway is said of a table that was looked at; name its finding, too: finding='its digest'")
        self._reviews.decide(request, "approve", by=by, note=note, dataset=self.schema.dataset)

    @plain_arguments(UserError, "refuse", "write refuse('the id', by='jo@hospital', reason='may-disclose')")
    def refuse(self, request: str, *, by: str, reason: str, note: str = "") -> None:
        """Leave a held request unanswered (it costs nothing), or its answer unshown (it stays charged).

        A refusal tells, too: of a table outside the grid it closes these people to further such tables, of whoever
        asks. To refuse by what is asked, before anybody looks at what it would tell, tells nothing of the people.

        Args:
            reason: of :data:`pets.ledger.review.votes.REASONS`; the log and whoever asked are told it, but of
                tables outside the grid, of which all have one reason there.
            by, note: as for :meth:`approve`, and so are the errors.
        """
        self._reviews.decide(request, "refuse", by=by, reason=reason, note=note, dataset=self.schema.dataset)

    @property
    def airlock(self) -> CustodianAirlock:
        """Files that analysts want to take out: what waits, what checkers decide, and what leaves."""
        from pets.session.airlock.airlock import CustodianAirlock

        return CustodianAirlock(self.ledger, self.schema.dataset)

    @property
    def _reviews(self) -> Reviews:
        return Reviews(self.ledger)

    # the account ------------------------------------------------------------------------------------------------

    @property
    def ledger(self) -> Ledger:
        """Where the account is kept; its ``key`` verifies the certificates."""
        return self._custody.account.ledger

    @property
    def budget(self) -> Budget:
        """All that may be spent, as the ledger holds it."""
        return self._custody.budget

    def remaining(self) -> Remaining:
        """What is left of the budget."""
        return self._own.remaining()

    def history(
        self, *, project: str | None = None, analyst: str | None = None, last: int | None = None
    ) -> pd.DataFrame:
        """Every request about this dataset, as :meth:`pets.Session.history`."""
        return self._own.history(project=project, analyst=analyst, last=last)
