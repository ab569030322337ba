"""Session: the face of a custody for one person who keeps the data and asks: every verb, the custodian's too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pets.common.arguments import plain_arguments
from pets.common.codec import Json
from pets.errors import UserError
from pets.ledger.ledger import Ledger
from pets.plan.contribution import Contribution
from pets.protection.budget import Budget
from pets.protection.policy import Policy
from pets.protection.protection import Protection
from pets.query_model.query import Query
from pets.schema.schema import Schema
from pets.session.custody import Custody
from pets.session.grid.verbs import GridVerbs
from pets.session.verbs.analyst_session import AnalystSession

if TYPE_CHECKING:
    import pandas as pd


class Session(GridVerbs, AnalystSession):
    """A custodian's data behind a schema and a budget, for one who is custodian and analyst alike.

    It has every verb of an analyst, and the custodian's own. Where several ask, a :class:`pets.Custodian` keeps the
    data and gives each a session.

    Args:
        schema: the public description of the tables, or a path to its YAML.
        data: one source a table, such as ``{"stays": "stays.csv"}`` (path, DataFrame, Arrow, Ibis table, SQL URL); a
            single source will do for a schema of one table. Without data a session quotes and makes dummies only.
        budget: what may ever be spent on this dataset. In a ledger that knows the dataset, leave it out.
        ledger: where the account is kept: a file such as ``"ledger.db"``, a ``postgresql://`` URL, or an open
            :class:`pets.Ledger`. Left out, the account lives in the memory of this process, and dies with it.
        project, analyst: who asks, for the account.
        policy: what the custodian allows.
        engine: ``"duckdb"``, ``"polars"`` or ``"spark"`` (on the Spark session of this process, or a local one);
            all give the same integers.
        snapshots: a folder for the prepared tables, or its ``file:///`` URL; left out, they are kept in memory. What
            Spark alone reads (its data frames, ``"table:NAME"``) is prepared there, and needs one that workers reach.
        progress: whether preparation that takes over a second shows a bar.

    Raises:
        SchemaError, DataError, BudgetError, UserError: each with the remedy, before any query is asked.
    """

    _opened = False  # whether the ledger is its own

    def __init__(
        self,
        schema: Schema | str | Path | Mapping[str, Any],
        data: Any = None,
        *,
        budget: Budget | None = None,
        ledger: str | Path | Ledger | None = None,
        project: str = "default",
        analyst: str = "local",
        policy: Policy | None = None,
        engine: str = "duckdb",
        snapshots: str | Path | None = None,
        progress: bool = True,
    ) -> None:
        super().__init__(
            Custody.open(
                schema,
                data,
                budget=budget,
                ledger=ledger,
                project=project,
                analyst=analyst,
                policy=policy,
                engine=engine,
                snapshots=snapshots,
                progress=progress,
            )
        )
        self._opened = not isinstance(ledger, Ledger)

    @classmethod
    def of(cls, custody: Custody) -> Session:
        """A session on a custody that is there already: for the custodian's own programs."""
        made = cls.__new__(cls)
        AnalystSession.__init__(made, custody)
        return made

    def close(self) -> None:
        if self._opened and not self.closed:
            self.ledger.close()
        super().close()

    def _hint(self) -> str:
        return "; how the rows were read: session.report()" if self.tables else ""

    @property
    def custody(self) -> Custody:
        """For the custodian's own programs: what holds the tables and the account. It reaches real rows."""
        return self._custody

    @property
    def reused(self) -> tuple[str, ...]:
        """The tables whose stored snapshot was opened; what ``data=`` holds for them is not read until a refresh."""
        return self._custody.reused

    @plain_arguments(UserError, "dummy", "write dummy(rows=1000, seed=0)")
    def dummy(self, rows: int = 1000, seed: int = 0, *, query: Query | None = None) -> Session:
        """As :meth:`AnalystSession.dummy`: on invented rows everybody is custodian and analyst alike."""
        return Session.of(self._custody.dummy(rows, seed, query))

    # data -------------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Make every snapshot anew from its source: new public ids, so that earlier answers are not reused.

        The source is the data that the session was opened with: rows that were added since (:meth:`append`) are lost,
        and a warning says so, unless a file or a table holds them by now. The budget is not renewed: people in the old
        and the new snapshot are the same people.
        """
        self._custody.refresh()

    @plain_arguments(UserError, "append", "write append({'stays': 'february.csv'})")
    def append(self, data: Any) -> None:
        """Add rows that arrived after all that the stored snapshots hold; those of before are not read again.

        The table's unit names a column of ``arrival``: nobody's earlier rows then change their ranks, and the snapshot
        is what it would be had all rows been given at once. Only a refresh leaves out who was deleted, corrected or
        opted out since. The budget is not renewed: people in the old and the new snapshot are the same people.

        Args:
            data: as for :class:`pets.Session`, the new rows alone.

        Raises:
            DataError: a late row, or a snapshot that cannot grow; it then stays as it was. Tables are added to one
                after the other.
        """
        self._custody.append(data)

    def report(self, table: str | None = None) -> Any:
        """For the custodian only: the fate of every row of a table. It holds exact counts of real rows."""
        return self._custody.report(table)

    def incident(self, number: str) -> str:
        """For the custodian only: what went wrong in a failed release. It may quote values of real rows."""
        return self._custody.incident(number)

    def contribute(
        self, query: Query, protection: Protection, *, honest: int, purpose: Json, check: Callable[[Json | None], None]
    ) -> Contribution:
        """One party's vector for a secure total, charged before data is opened: for ``pets.he`` and federations.

        ``check`` sees the public terms of the noise share that ``honest`` parties need, and may refuse before anything
        is charged; ``purpose`` goes into the ledger. Asked again, it is charged again. Raises as :meth:`release`.
        """
        return self._custody.contribute(query, protection, honest=honest, purpose=purpose, check=check)

    @property
    def ledger(self) -> Ledger:
        """Where the account is kept; its ``key`` verifies the certificates."""
        return self._custody.account.ledger

    @plain_arguments(UserError, "history", "write history(last=20)")
    def history(
        self, *, project: str | None = None, analyst: str | None = None, last: int | None = None
    ) -> pd.DataFrame:
        """Every request about this dataset, oldest first: when, who, what, what it cost and what became of it.

        A state ``delivered`` is an answer at no cost, since somebody else had paid for it; ``held`` waits for a second
        person, and ``refused`` was not approved, for the ``reason`` of that code.

        Args:
            project, analyst: whose; left out, anybody's.
            last: the newest so many; left out, all.
        """
        return self._requests(project, analyst, last, strangers=True)
