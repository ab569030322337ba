"""Analyst session: the verbs of whoever asks, on a custody that somebody else keeps.

The order of a release is the guarantee: plan, noise and cost are fixed from public knowledge; the cost is reserved;
only then is the data opened; and what fails after that stays charged and says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, cast

from pets.common.arguments import plain_arguments
from pets.dp.key_threshold import KeyNoise
from pets.dp.selection import TopNoise
from pets.errors import QueryError, UserError
from pets.ledger.review.fates import fates
from pets.plan.key_plan import KeyPlan
from pets.plan.plan import Plan
from pets.plan.selection.top_plan import TopPlan
from pets.protection.budget import Budget, Cost
from pets.protection.policy import Policy
from pets.protection.protection import DP, Protection
from pets.protection.sdc import SDC
from pets.query_model.query import Query
from pets.release.bounding.rows_lost import RowsLost
from pets.release.keys.released_keys import ReleasedKeys
from pets.release.keys.top_keys import TopKeys
from pets.release.release import Release
from pets.release.rounded.rounded_table import RoundedTable
from pets.schema.schema import Schema
from pets.session import account_views
from pets.session.custody import Custody
from pets.session.quoting.quote import Quote, Remaining
from pets.session.quoting.quoted import quoted
from pets.session.verbs.analyst_verbs import AnalystVerbs
from pets.session.verbs.closed import Closed
from pets.session.verbs.training import TrainingVerbs

if TYPE_CHECKING:
    import pandas as pd

    from pets.session.airlock.airlock import AnalystAirlock
    from pets.synthetic.synthetic_release import SyntheticRelease


class AnalystSession(TrainingVerbs, AnalystVerbs):
    """One analyst's session in one project, on tables that a :class:`pets.Custodian` keeps.

    It quotes, releases and shows what this project asked; nothing that is for custodians alone is on it. What is
    public of the dataset is seen here too: what all projects together have spent, and that a question was asked before
    (it then costs nothing). It holds no rows: sessions of one custodian share its tables, and each takes a few
    kilobytes and no thread.
    """

    def __init__(self, custody: Custody) -> None:
        self._custody = custody

    def close(self) -> None:
        self._custody = cast(Custody, Closed("session"))

    @property
    def closed(self) -> bool:
        return isinstance(self._custody, Closed)

    def __repr__(self) -> str:
        if self.closed:
            return f"<{type(self).__name__}, closed>"
        # a constant: what it prints may be an analyst's, and must not depend on a row
        return (
            f"<{type(self).__name__} on dataset {self.schema.dataset!r} ({self._custody.kind} data): "
            f"{', '.join(self.tables)}{self._hint()}>"
        )

    def _hint(self) -> str:
        return ""

    def __reduce__(self) -> NoReturn:
        raise UserError("a session holds data and is never pickled; open it again where it is needed")

    @property
    def schema(self) -> Schema:
        return self._custody.schema

    @property
    def policy(self) -> Policy:
        return self._custody.policy

    @property
    def engine(self) -> str:
        return self._custody.engine

    @property
    def project(self) -> str:
        return self._custody.project

    @property
    def analyst(self) -> str:
        return self._custody.analyst

    @property
    def tables(self) -> tuple[str, ...]:
        return self._custody.tables

    @property
    def snapshots(self) -> dict[str, str]:
        return {name: self._custody.snapshot(name).id for name in self.tables}

    @property
    def budget(self) -> Budget:
        return self._custody.budget

    @property
    def _kind(self) -> str:
        return self._custody.kind

    @plain_arguments(UserError, "dummy", "write dummy(rows=1000, seed=0)")
    def dummy(self, rows: int = 1000, seed: int = 0, *, query: Query | None = None) -> AnalystSession:
        return AnalystSession(self._custody.dummy(rows, seed, query))

    def synthesise(self, rows: int | None = None, method: str = "dp", **settings: Any) -> SyntheticRelease:
        from pets.session.synthesis.synthesise import synthesise

        return synthesise(self._custody, rows, method, settings)

    @property
    def airlock(self) -> AnalystAirlock:
        """Files that this analyst takes out, once other people have approved them."""
        from pets.session.airlock.airlock import AnalystAirlock

        ledger = self._custody.account.ledger
        return AnalystAirlock(ledger, self.schema.dataset, self.project, self.analyst, self.policy)

    def remaining(self) -> Remaining:
        return account_views.remaining(self._custody.account)

    # steps of the verbs -----------------------------------------------------------------------------------------

    def _left(self) -> Cost:
        return self._custody.standing().left

    def _snapshot(self, table: str) -> str:
        return self._custody.snapshot(table).id

    def _plan(self, query: Query) -> Plan:
        return self._custody.plan(query)

    def _quoted(self, asked: Sequence[Query], protection: Protection, lost: Mapping[str, RowsLost]) -> Quote:
        return quoted(map(self._custody.plan, asked), protection, self.budget, self._left, lost)

    def _sealed(self, asked: Sequence[Query], protection: Protection, *, again: bool, key: str | None) -> list[Release]:
        jobs = [self._custody.job(one, protection) for one in asked]
        self.policy.check_numbers(sum(job.plan.size for job in jobs))
        return self._custody.release(jobs, key, again=again)

    def _known(self, query: Query, protection: Protection) -> bool:
        return self._custody.answered([self._custody.job(query, protection)]) is not None

    def _rounded(self, asked: Sequence[Query], protection: SDC, *, again: bool, key: str | None) -> list[RoundedTable]:
        from pets.session.grid.answers import rounded

        try:
            return list(rounded(self._custody, asked, protection, again=again, key=key))
        except QueryError as outside:
            from pets.session.door.door import reviewed

            return [reviewed(self._custody, asked, protection, key=key, grid=outside)]

    def _key_terms(self, asked: Mapping[str, Any]) -> tuple[KeyPlan, KeyNoise]:
        return self._custody.key_terms(**asked)

    def _group_keys(self, asked: Mapping[str, Any], *, again: bool, key: str | None) -> ReleasedKeys:
        terms, protection = self._key_terms(asked), asked["protection"]
        return self._custody.keys(terms, protection, asked["delta"], again=again, key=key)

    def _top_terms(self, query: Query, k: int, protection: Protection) -> tuple[TopPlan, TopNoise]:
        return self._custody.top_terms(query, k, protection)

    def _top_keys(self, query: Query, k: int, protection: Protection, *, again: bool, key: str | None) -> TopKeys:
        terms = self._top_terms(query, k, protection)
        assert isinstance(protection, DP)
        return self._custody.top(terms, protection, again=again, key=key)

    def _entries(self, project: str | None, analyst: str | None, last: int | None, *, strangers: bool) -> pd.DataFrame:
        entries = self._custody.entries(project=project, analyst=analyst, last=last)
        account = self._custody.account
        told = fates(account.ledger, account.dataset, project=project, analyst=analyst, last=last)
        return account_views.history(entries, self.budget, strangers=strangers, told=told, last=last)
