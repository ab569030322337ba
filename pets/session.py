"""Session: data + schema + budget. It quotes, releases, and keeps the account.

The order of a release is the guarantee: plan, noise and cost are fixed from public knowledge; the cost is reserved;
only then is the data opened; and what fails after that stays charged and says nothing.
"""

from __future__ import annotations

import datetime as dt
import importlib.util
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from pets import statement
from pets.budget import UNIT, Budget, Cost
from pets.codec import Json, canonical, digest
from pets.dp.calibrate import Noise, calibrate
from pets.entropy import random_id
from pets.errors import (
    BudgetError,
    PolicyError,
    QueryError,
    ReleaseFailedError,
    UserError,
    did_you_mean,
    missing_extra,
    shown,
)
from pets.forecast import forecast
from pets.holdings import Holdings
from pets.job import Job, measured
from pets.ledger.account import Account, Request
from pets.plan import make_plan
from pets.policy import Policy
from pets.protection import DP, Exact, Protection, Total
from pets.query import Query
from pets.quote import Quote, Remaining
from pets.release import Release
from pets.schema import Schema
from pets.tabulate import ENGINES

if TYPE_CHECKING:
    import pandas as pd

    from pets.synthetic.dataset import SyntheticRelease


class Session:
    """A custodian's data behind a schema and a budget.

    Args:
        schema: the public description of the tables, or a path to its YAML.
        data: one source a table, such as ``{"stays": "stays.csv"}`` (path, DataFrame, Arrow, Ibis table, SQL URL); a
            single source will do for a schema of one table. Without data a session quotes and makes dummies only.
        budget: what may ever be spent in this session.
        ledger: a persistent ledger. This version keeps the account in memory only and refuses anything else.
        project, analyst: who asks, for the account.
        policy: what the custodian allows.
        engine: ``"duckdb"`` or ``"polars"``; both give the same integers.
        snapshots: a folder for the prepared tables; left out, they are kept in memory.
        progress: whether preparation that takes over a second shows a bar.

    Raises:
        SchemaError, DataError, BudgetError, UserError: each with the remedy, before any query is asked.
    """

    def __init__(
        self,
        schema: Schema | str | Path | Mapping[str, Any],
        data: Any = None,
        *,
        budget: Budget | None = None,
        ledger: str | None = None,
        project: str = "default",
        analyst: str = "local",
        policy: Policy | None = None,
        engine: str = "duckdb",
        snapshots: str | Path | None = None,
        progress: bool = True,
    ) -> None:
        if not isinstance(budget, Budget):
            raise BudgetError(f"a session needs budget=pets.Budget(epsilon=…, delta=…), not {budget!r}")
        if ledger is not None:
            raise UserError("a ledger on disk is not in this version of pets; leave ledger out to account in memory")
        if not isinstance(engine, str) or engine not in ENGINES:
            raise UserError(f"engine {shown(engine)} does not exist{did_you_mean(engine, ENGINES)}")
        if engine == "polars" and importlib.util.find_spec("polars") is None:
            raise missing_extra("the engine 'polars'", "polars")
        self.schema = schema if isinstance(schema, Schema) else Schema.load(schema)
        self.project, self.analyst = _name("project", project), _name("analyst", analyst)
        self.policy = Policy() if policy is None else policy
        if not isinstance(self.policy, Policy):
            raise UserError(f"policy must be pets.Policy(…), not {shown(policy)}")
        self.engine = engine
        self._budget, self._account = budget, Account(budget)
        self._kind = "real"
        self._cache: dict[str, Release] = {}
        self._incidents: dict[str, str] = {}
        self._lock = threading.Lock()
        self._holdings = Holdings(self.schema, data, snapshots, progress=progress)

    def __repr__(self) -> str:
        return f"<Session on dataset {self.schema.dataset!r} ({self._kind} data): {', '.join(self._holdings.tables)}>"

    def __reduce__(self) -> Any:
        raise UserError("a session holds data and is never pickled; open it again where it is needed")

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that this session has data for."""
        return self._holdings.tables

    @property
    def reused(self) -> tuple[str, ...]:
        """The tables whose stored snapshot was opened; what ``data=`` holds for them is not read until a refresh."""
        return self._holdings.reused

    # data -------------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Make every snapshot anew from its source: new public ids, so that earlier answers are not reused.

        The budget is not renewed: people in the old and the new snapshot are the same people.
        """
        self._holdings.refresh()

    def report(self, table: str | None = None) -> Any:
        """For the custodian only: the fate of every row of a table. It holds exact counts of real rows."""
        return self._holdings.report(table)

    def incident(self, number: str) -> str:
        """For the custodian only: what went wrong in a failed release. It may quote values of real rows."""
        if not isinstance(number, str) or number not in self._incidents:
            raise UserError(f"there is no incident {shown(number)}{did_you_mean(number, self._incidents)}")
        return self._incidents[number]

    def dummy(self, rows: int = 1000, seed: int = 0) -> Session:
        """A session on invented rows of the same schema. It costs nothing, and there ``pets.Exact()`` is allowed."""
        from pets.synthetic.dummy import invent

        twin = Session(
            self.schema,
            invent(self.schema, rows, seed),
            budget=self._budget,
            project=self.project,
            analyst=self.analyst,
            policy=self.policy,
            engine=self.engine,
            progress=False,
        )
        twin._kind = "dummy"
        return twin

    def synthesise(self, rows: int | None = None, method: str = "dp", **settings: Any) -> SyntheticRelease:
        """A whole synthetic table: invented records with the statistics of the real ones.

        ``method="dp"`` needs ``epsilon=`` and carries its guarantee: noisy marginals are measured and charged like any
        release, and rows are drawn from a model of them. Other methods have no guarantee and are refused unless the
        custodian's policy allows them. :func:`pets.synthesis.synthesise` lists the settings. ``rows`` left out: the
        noisy number of rows.

        Raises:
            UserError: before any row is read; nothing is spent.
            ReleaseFailedError: after the data was opened; what was charged stands.
        """
        from pets.synthesis import synthesise

        return synthesise(self, rows, method, settings)

    # asking -----------------------------------------------------------------------------------------------------

    def quote(self, query: Query | Sequence[Query], protection: Protection) -> Quote:
        """Cost and expected error of a release, before spending; never reads rows."""
        if not isinstance(protection, DP):
            raise BudgetError("only a differentially private release has a cost; quote with pets.DP(epsilon=…)")
        noises, errors = [], []
        for one in _queries(query):
            plan = make_plan(one, self.schema)
            noise = calibrate(plan, protection, self._budget)
            noises.append(noise)
            errors.append(forecast(plan, noise.mechanism, noise.scales, protection.confidence))
        cost = _total([noise.cost for noise in noises], self._budget)
        left = self._account.left()
        epsilon, delta = noises[0].epsilon, noises[0].delta
        if len(noises) > 1:
            epsilon, delta = self._budget.describe(cost)
        more = left.loss // cost.loss
        return Quote(
            cost, epsilon, delta, noises[0].mechanism, tuple(errors), cost.fits(left), more, protection.confidence
        )

    @overload
    def release(self, query: Query, protection: Protection, *, again: bool = False) -> Release: ...

    @overload
    def release(self, query: Sequence[Query], protection: Protection, *, again: bool = False) -> list[Release]: ...

    def release(
        self, query: Query | Sequence[Query], protection: Protection, *, again: bool = False
    ) -> Release | list[Release]:
        """The protected answer to one query, or to several that are all paid for or none.

        The same question about the same snapshot under the same protection gives the identical release at no cost;
        ``again=True`` draws fresh noise and charges anew.

        Raises:
            QueryError, BudgetError, PolicyError: before any row is read; nothing is spent.
            ReleaseFailedError: after the data was opened; the charge stands.
        """
        if not isinstance(again, bool):
            raise UserError(f"again must be True or False, not {shown(again)}")
        jobs = [self._job(one, protection) for one in _queries(query)]
        answers = self._run(jobs, again=again)
        return answers[0] if isinstance(query, Query) else answers

    def _job(self, query: Query, protection: Protection) -> Job:
        plan = make_plan(query, self.schema)
        snapshot = self._holdings.snapshot(query.table)
        if isinstance(protection, DP):
            noise: Noise | None = calibrate(plan, protection, self._budget)
        elif isinstance(protection, Exact):
            if self._kind != "dummy":
                raise PolicyError(
                    "pets.Exact() answers on dummy data only; use session.dummy().release(…), or pets.DP(epsilon=…) "
                    "on real rows"
                )
            noise = None
        elif isinstance(protection, Total):
            if not self.policy.allow_unbounded:
                raise PolicyError(
                    "pets.Total() has no finite guarantee and this custodian's policy does not allow it; "
                    "use pets.DP(epsilon=…)"
                )
            noise = None
        else:
            raise BudgetError(
                f"a protection is pets.DP(epsilon=…), pets.Exact() or pets.Total(), not {shown(protection)}"
            )
        key = digest([snapshot.id, plan.digest, protection.to_json(), self.policy.digest])
        return Job(plan, protection, noise, snapshot, key)

    def _run(self, jobs: Sequence[Job], *, again: bool) -> list[Release]:
        """Reserve all, then open the data; the same question twice in one request is one question."""
        answers: dict[int, Release] = {}
        wanted: dict[int, Job] = {}
        first: dict[str, int] = {}
        for place, job in enumerate(jobs):
            with self._lock:
                known = None if again else self._cache.get(job.key)
            if known is not None:
                answers[place] = known
            elif again or job.key not in first:
                first[job.key] = place
                wanted[place] = job
        ids = self._account.reserve([self._request(job) for job in wanted.values()]) if wanted else ()
        try:
            for request_id, (place, job) in zip(ids, wanted.items(), strict=True):
                answers[place] = self._answer(request_id, job)
        finally:
            self._account.settle(ids)
        return [answers[place] if place in answers else answers[first[job.key]] for place, job in enumerate(jobs)]

    def _request(self, job: Job) -> Request:
        cost = self._nothing() if job.noise is None or self._kind == "dummy" else job.noise.cost
        return Request(
            project=self.project,
            analyst=self.analyst,
            table=job.plan.table,
            question=job.plan.digest,
            protection=canonical(job.protection.to_json()).decode(),
            cost=cost,
            unbounded=isinstance(job.protection, Total) and self._kind == "real",
        )

    def _nothing(self) -> Cost:
        return Cost(self._budget.currency, 0)

    def _answer(self, request_id: str, job: Job) -> Release:
        self._account.start(request_id)
        values, incident = measured(job, self.engine)
        if values is None:
            self._incidents[request_id[:12]] = incident
            raise ReleaseFailedError(
                f"the release failed after the data was opened (incident {request_id[:12]}); its charge stands; "
                "give the incident number to the custodian"
            )
        release = self._seal(request_id, job, values)
        self._account.commit(request_id)
        with self._lock:
            self._cache[job.key] = release
        return release

    def _seal(self, request_id: str, job: Job, values: Any) -> Release:
        noise = job.noise
        return Release._sealed(
            id=random_id(),
            dataset=self.schema.dataset,
            table=job.plan.table,
            query=job.plan.query,
            schema=self.schema,
            plan_digest=job.plan.digest,
            values=values,
            mechanism="none" if noise is None else noise.mechanism,
            scales=(0.0,) * len(job.plan.measures) if noise is None else noise.scales,
            protection=job.protection.to_json(),
            snapshot_id=job.snapshot.id,
            data=self._kind,
            cost=self._request(job).cost.to_json(),
            epsilon=None if noise is None else noise.epsilon,
            delta=None if noise is None else noise.delta,
            rho=None if noise is None else noise.rho,
            guarantee=statement.guarantee(job.plan, noise, self._kind),
            budget=self._gauge(),
            issued_at=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            project=self.project,
            analyst=self.analyst,
            notes=statement.notes(job.plan, noise, sum(entry.unbounded for entry in self._account.entries)),
        )

    # account ----------------------------------------------------------------------------------------------------

    def _gauge(self) -> Json:
        budget, spent = self._budget, self._account.spent
        epsilon, delta = budget.describe(spent)
        return {
            "currency": budget.currency,
            "cap": budget.cap.loss,
            "spent": spent.loss,
            "epsilon_cap": budget.epsilon,
            "epsilon_spent": epsilon,
            "delta": delta,
        }

    def remaining(self) -> Remaining:
        """What is left of the budget, in ε and δ and in "about N more queries like the last one"."""
        account, budget = self._account, self._budget
        left, spent = account.left(), account.spent
        paid = [entry.cost.loss for entry in account.entries if entry.state.charged and entry.cost.loss]
        return Remaining(
            budget=budget,
            spent=spent,
            left=left,
            epsilon=budget.describe(left)[0],
            delta=budget.conversion_delta,
            more=left.loss // paid[-1] if paid else None,
        )

    def history(self) -> pd.DataFrame:
        """Every request of this session: when, who, what, what it cost and what became of it."""
        import pandas as pd

        rows = []
        for entry in self._account.entries:
            rows.append(
                {
                    "at": entry.at.replace(microsecond=0),
                    "project": entry.project,
                    "analyst": entry.analyst,
                    "table": entry.table,
                    "question": entry.question[:12],
                    "protection": entry.protection,
                    "state": entry.state.value,
                    "rho" if self._budget.currency == "zcdp" else "epsilon": entry.cost.loss / UNIT
                    if entry.state.charged
                    else 0.0,
                    "unbounded": entry.unbounded,
                    "id": entry.id,
                }
            )
        loss = "rho" if self._budget.currency == "zcdp" else "epsilon"
        columns = ["at", "project", "analyst", "table", "question", "protection", "state", loss, "unbounded", "id"]
        return pd.DataFrame(rows, columns=columns)


def _queries(query: Query | Sequence[Query]) -> list[Query]:
    queries = [query] if isinstance(query, Query) else list(query) if isinstance(query, (list, tuple)) else []
    if not queries or not all(isinstance(one, Query) for one in queries):
        raise QueryError("pass one query, built from pets.query('table'), or a list of them")
    return queries


def _total(costs: Sequence[Cost], budget: Budget) -> Cost:
    total = Cost(budget.currency, 0)
    for cost in costs:
        total = total + cost
    return total


def _name(label: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > 128 or not value.isprintable():
        raise UserError(f"{label} must be a printable text of 1 to 128 characters, not {shown(value)}")
    return value
