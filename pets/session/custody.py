"""Custody: the one object that holds a custodian's tables, account and answers; every verb reaches rows through it.

One custody, many sessions: :meth:`Custody.scoped` gives the same tables and the same ledger to another project or
analyst. It is the custodian's, in the custodian's process; what an analyst gets is a release.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NoReturn

from pets.common.codec import Json, digest, fraction, number
from pets.common.entropy import random_id
from pets.common.literals import printable
from pets.dp.calibrate import Noise, calibrate
from pets.dp.key_threshold import KeyNoise
from pets.dp.selection import TopNoise
from pets.dp.shares import party_terms
from pets.errors import BudgetError, LedgerError, PolicyError, UserError, did_you_mean, missing_extra, shown
from pets.ledger.account import Account, First
from pets.ledger.ledger import Ledger
from pets.ledger.root import Root, check_begun, check_root
from pets.ledger.states import Entry, Standing
from pets.plan.contribution import Contribution
from pets.plan.key_plan import KeyPlan
from pets.plan.plan import Plan, make_plan
from pets.plan.selection.top_plan import TopPlan
from pets.protection.budget import Budget
from pets.protection.policy import Policy
from pets.protection.protection import DP, Exact, Protection, Total, unknown
from pets.query_model.expression import Filter
from pets.query_model.query import Query
from pets.release.keys.released_keys import ReleasedKeys
from pets.release.keys.top_keys import TopKeys
from pets.release.release import Release
from pets.rows.limits import Limits
from pets.rows.linked import Linked
from pets.rows.remarks import LeftOut
from pets.rows.report import Report
from pets.rows.snapshot import Snapshot
from pets.rows.spark.spark_session import beside
from pets.rows.tabulate import ENGINES, PACKAGES
from pets.schema.schema import Schema
from pets.session.answering import Answering, Told
from pets.session.batch import Answers, Work
from pets.session.job import Job
from pets.session.key_release import Chosen, KeyJob
from pets.session.quoting.terms import PublicTerms
from pets.session.selection.top_release import TopJob
from pets.session.tables import Holdings, origins

Kind = Literal["real", "dummy"]
KeyTerms = tuple[KeyPlan, KeyNoise]


class Custody:
    """A custodian's tables behind a policy and an account.

    Args:
        schema: what is public of the tables.
        tables: the prepared tables.
        account: one dataset of a ledger, as one analyst of one project sees it.
        policy: what the custodian allows.
        engine: of :data:`pets.rows.tabulate.ENGINES`.
        kind: ``"dummy"`` where every row is invented: nothing is charged then, and exact answers are allowed.
    """

    def __init__(
        self,
        schema: Schema,
        tables: Holdings,
        account: Account,
        *,
        policy: Policy | None = None,
        engine: str = "duckdb",
        kind: Kind = "real",
    ) -> None:
        self.schema = schema
        self.account = account
        self.policy = Policy() if policy is None else policy
        self.engine = engine
        self.kind: Kind = kind
        self.like: Custody | None = None  # of invented tables: the custody whose schema they have
        self._tables = tables
        self._answering = Answering(account, schema, engine, kind)

    @classmethod
    def open(
        cls,
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
        limits: Limits | None = None,
    ) -> Custody:
        """Tables from their sources and an account in a ledger; arguments and errors as for :class:`pets.Session`."""
        if not isinstance(budget, Budget) and (budget is not None or ledger is None):
            raise BudgetError(f"a session needs budget=pets.Budget(epsilon=…, delta=…), not {shown(budget)}")
        if not isinstance(engine, str) or engine not in ENGINES:
            raise UserError(f"engine {shown(engine)} does not exist{did_you_mean(engine, ENGINES)}")
        if not importlib.util.find_spec(PACKAGES[engine]):
            raise missing_extra(f"the engine {engine!r}", engine)
        if engine == "spark":
            beside()  # found out in a release, that no Spark runs here would be charged
        known = schema if isinstance(schema, Schema) else Schema.load(schema)
        scope = printable("project", project), printable("analyst", analyst)
        if policy is not None and not isinstance(policy, Policy):
            raise UserError(f"policy must be pets.Policy(…), not {shown(policy)}")
        # what the ledger refuses is refused before a table is prepared
        book, root = _opened(ledger, known, budget), _root(known, data, snapshots, budget)
        check_root(book, root)
        tables = Holdings(known, data, snapshots, progress=progress, limits=limits, engine=engine)
        allowed = Policy() if policy is None else policy
        account = Account(book, root, *scope, max_denials=allowed.max_denials, approval=allowed.approval)
        return cls(known, tables, account, policy=allowed, engine=engine)

    @classmethod
    def invented(
        cls, schema: Schema, tables: Holdings, budget: Budget, scope: tuple[str, str], policy: Policy, engine: str
    ) -> Custody:
        """Custody of invented rows, with an account in memory that nothing is charged to."""
        account = Account(Ledger(None), _root(schema, None, None, budget), *scope)
        return cls(schema, tables, account, policy=policy, engine=engine, kind="dummy")

    def dummy(self, rows: int, seed: int, query: Query | None) -> Custody:
        """Custody of invented tables of the same schema; see :meth:`pets.Session.dummy`."""
        from pets.session.dummy_tables import DummyTables

        tables = DummyTables(self.schema, rows, seed, query)
        made = Custody.invented(self.schema, tables, self.budget, self.account.scope, self.policy, self.engine)
        made.like = self
        return made

    def scoped(self, project: str, analyst: str) -> Custody:
        """The same tables, ledger and policy for another project or analyst."""
        scope = printable("project", project), printable("analyst", analyst)
        rules: Any = {"max_denials": self.policy.max_denials, "approval": self.account.approval}
        account = Account(self.account.ledger, _root(self.schema, None, None, None), *scope, **rules)
        return Custody(self.schema, self._tables, account, policy=self.policy, engine=self.engine, kind=self.kind)

    def under(self, key: str) -> Custody:
        """The same for one job: every charge without an idempotency key of its own is made under this one."""
        account = self.account.under(key)
        return Custody(self.schema, self._tables, account, policy=self.policy, engine=self.engine, kind=self.kind)

    def __repr__(self) -> str:
        return f"<Custody of dataset {self.schema.dataset!r} ({self.kind} data): {', '.join(self.tables)}>"

    def __reduce__(self) -> NoReturn:
        raise UserError("a custody holds data and is never pickled; open it again where it is needed")

    # tables -----------------------------------------------------------------------------------------------------

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that there is data for."""
        return self._tables.tables

    @property
    def reused(self) -> tuple[str, ...]:
        """The tables whose stored snapshot was opened."""
        return self._tables.reused

    def snapshot(self, table: str) -> Snapshot:
        """A table's prepared, real rows, for code inside :func:`pets.session.guard.guarded`; raises QueryError."""
        return self._tables.snapshot(table)

    def rows_of(self, plan: Plan) -> Snapshot | Linked:
        """The prepared rows that a plan reads: of one table, or of the tables from which people are made; real ones.

        Raises:
            QueryError: where there is no data for them, or they cannot be read together; no row decides that.
        """
        return self.snapshot(plan.table) if plan.people_of is None else self._tables.people_answering(plan)

    def linked(self, tables: Iterable[str]) -> Linked:
        """Prepared rows of several tables, in which one code is one person, real ones; raises QueryError by no row."""
        return self._tables.linked(tables)

    @property
    def apart(self) -> str:
        """For the custodian: what to do where the tables with a person were not all made together; else empty."""
        return self._tables.apart

    def refresh(self) -> None:
        """Make every snapshot anew from its source, under new public ids."""
        self._tables.refresh()

    def append(self, data: Any) -> None:
        """Add later rows to stored snapshots; see :meth:`pets.Session.append`."""
        self._tables.append(data)

    def report(self, table: str | None) -> Report:
        """The fate of every row of a table: exact counts of real rows."""
        return self._tables.report(table)

    def remarks(self, table: str, share: float) -> tuple[str, ...]:
        """What to mend in a table's schema; shares of real rows: see :meth:`pets.rows.report.Report.remarks`."""
        return self._tables.remarks(table, share)

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """The tables of which too many rows lack a value that the schema demands, for the custodian alone."""
        return self._tables.left_out

    def incident(self, number: str) -> str:
        """What went wrong in a failed release, of this or another session on the ledger; it may quote real rows."""
        return self.account.ledger.incidents.read(number)

    def keep_incident(self, number: str, text: str) -> str:
        """Keep what went wrong while rows were read, for the custodian alone; gives its number."""
        self.account.ledger.incidents.note(number, text)
        return number

    # account ----------------------------------------------------------------------------------------------------

    @property
    def project(self) -> str:
        """The project that asks, for the account."""
        return self.account.scope[0]

    @property
    def analyst(self) -> str:
        """Who asks, for the account."""
        return self.account.scope[1]

    @property
    def budget(self) -> Budget:
        """All that may be spent, as the ledger holds it."""
        return self.account.budget

    @property
    def public(self) -> PublicTerms:
        """What decides the terms of every question."""
        return PublicTerms(self.schema, self.policy, self.budget)

    def standing(self) -> Standing:
        """What was spent and what is left."""
        return self.account.standing()

    def entries(
        self, *, project: str | None = None, analyst: str | None = None, last: int | None = None
    ) -> tuple[Entry, ...]:
        """The requests about the dataset, deliveries among them, oldest first: see that of the account."""
        return self.account.entries(project=project, analyst=analyst, last=last, deliveries=True)

    # answers ----------------------------------------------------------------------------------------------------

    def plan(self, query: Query) -> Plan:
        """What a question measures, within the policy's limits on one question, which are looked at before any work.

        Raises:
            QueryError, PolicyError: what is asked cannot be answered so, or not here.
        """
        return self.public.plan(query)

    def job(self, query: Query, protection: Protection, *, limited: bool = True) -> Job:
        """One query under one protection, ready to run: its terms come from public knowledge, and no row is read.

        ``limited=False`` is for questions that pets itself asks, and keeps small by rules of its own.

        Raises:
            QueryError, BudgetError: what is asked cannot be answered so.
            PolicyError: the protection is not allowed on these rows.
        """
        plan = self.plan(query) if limited else make_plan(query, self.schema)
        snapshot = self._tables.answering(query) if plan.people_of is None else self.rows_of(plan)
        if isinstance(protection, DP):
            noise: Noise | None = calibrate(plan, protection, self.budget)
        elif isinstance(protection, Exact):
            if self.kind != "dummy":
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
            raise unknown(protection)
        key = digest([snapshot.id, plan.digest, protection.to_json(), self.policy.digest])
        return Job(plan, protection, noise, snapshot, key)

    def release(self, jobs: Sequence[Job], key: str | None = None, *, again: bool = False) -> list[Release]:
        """The answers to jobs that are all paid for or none; see :meth:`pets.Session.release`."""
        return self._answering.release(jobs, key, again=again)

    def answered(self, jobs: Sequence[Job], key: str | None = None) -> Told | None:
        """The answers to jobs that were all paid for before: see :meth:`pets.session.answering.Answering.answered`."""
        return self._answering.answered(jobs, key)

    def check_room(self, jobs: Sequence[Job], *, again: bool) -> None:
        """Refuse jobs that do not fit now, in the words of the account; nothing is entered."""
        self._answering.check_room(jobs, again=again)

    def key_terms(
        self,
        table: str,
        by: Sequence[str],
        protection: Protection,
        *,
        where: Filter | None,
        groups: int | None,
        delta: float | None,
    ) -> KeyTerms:
        """The plan and the noise of a release of keys; see :meth:`pets.Session.group_keys`. No row is read."""
        return self.public.keys(table, by, protection, where=where, groups=groups, delta=delta)

    def keys(
        self, terms: KeyTerms, protection: DP, delta: float | None, *, again: bool, key: str | None = None
    ) -> ReleasedKeys:
        """The keys that enough people have, paid for once; see :meth:`pets.Session.group_keys`."""
        plan, noise = terms
        snapshot = self._tables.snapshot(plan.table)
        # as it was asked: what a budget of then made of it is told by the answer, and no reason to pay for it anew
        settings = [protection.to_json(), None if delta is None else number(fraction(delta)), self.policy.digest]
        job = KeyJob(plan, protection, noise, snapshot, digest([snapshot.id, plan.digest, *settings]))
        return ReleasedKeys.sealed(*self._answering.keys(job, key, again=again))

    def top_terms(self, query: Query, k: int, protection: Protection) -> tuple[TopPlan, TopNoise]:
        """The plan and the noise of a choice of groups; see :meth:`pets.Session.top_keys`. No row is read."""
        return self.public.top(query, k, protection)

    def top(self, terms: tuple[TopPlan, TopNoise], protection: DP, *, again: bool, key: str | None = None) -> TopKeys:
        """The k groups with the greatest counts, paid for once; see :meth:`pets.Session.top_keys`."""
        top, noise = terms
        snapshot = self.rows_of(top.plan)
        same = digest([snapshot.id, top.digest, protection.to_json(), self.policy.digest])
        return TopKeys.sealed(*self._answering.keys(TopJob(top, protection, noise, snapshot, same), key, again=again))

    def sealed(self, job: Chosen, key: str | None, *, again: bool, first: First | None = None) -> tuple[Json, Json]:
        """The sealed form of what a job releases, and its certificate; entered and paid for once."""
        return self._answering.keys(job, key, again=again, first=first)

    def known(self, job: Chosen, key: str | None) -> tuple[Json, Json] | None:
        """The same, where it was sealed before; else ``None``."""
        return self._answering.keys_known(job, key)

    def contribute(
        self, query: Query, protection: Protection, *, honest: int, purpose: Json, check: Callable[[Json | None], None]
    ) -> Contribution:
        """One party's vector for a secure total, charged before data is opened; see :meth:`pets.Session.contribute`."""
        job = self.job(query, protection)
        if isinstance(protection, DP):
            job = replace(job, share=party_terms(job.plan, protection, self.budget, honest))
        check(None if job.share is None else job.share.to_json())
        return self._answering.contribute(job, purpose)

    def work(self, work: Work, *, again: bool) -> AbstractContextManager[Answers]:
        """Questions asked one after another, charged as one before the first, sealed after the last."""
        return self._answering.work(work, again=again)

    @contextmanager
    def unbounded(self, table: str, what: str, question: str, protection: Json, snapshot: str = "") -> Iterator[str]:
        """Something without a finite guarantee is about to leave: allowed by policy, and entered before it is made.

        On success it is committed, on failure it stays on the account (data was opened); on dummy data nothing is
        entered. Gives an incident's number. Raises PolicyError where the policy allows none; nothing is entered.
        """
        if self.kind == "dummy":
            yield random_id()[:12]
            return
        if not self.policy.allow_unbounded:
            raise PolicyError(
                "this has no finite guarantee and this custodian's policy does not allow it; use method='dp', or open "
                "the session with policy=pets.Policy(allow_unbounded=True)"
            )
        with self._answering.unbounded(table, what, question, protection, snapshot) as number:
            yield number


def _opened(ledger: str | Path | Ledger | None, schema: Schema, budget: Budget | None) -> Ledger:
    """The ledger; one that outlives the process needs a dataset with a name of its own."""
    if ledger is not None and schema.dataset == Schema.UNNAMED:
        raise LedgerError(
            "a ledger keeps its account by dataset, and the schema names none; write 'dataset: hospital-stays' in it"
        )
    check_begun(ledger, schema.dataset, budget)
    return ledger if isinstance(ledger, Ledger) else Ledger(ledger)


def _root(schema: Schema, data: Any, snapshots: str | Path | None, budget: Budget | None) -> Root:
    units = {name: table.unit.column or "" for name, table in schema.tables.items()}
    return Root(schema.dataset, units, origins(schema, data, snapshots), budget)
