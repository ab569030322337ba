"""Answers from the grid: sums of its shown cells. No row is read, nothing is told that the grid does not tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from pets.common.codec import Json, digest
from pets.errors import BudgetError, PolicyError, QueryError
from pets.plan.plan import Plan
from pets.protection.budget import Cost
from pets.protection.sdc import SDC
from pets.query_model.query import Query
from pets.release.rounded.counts import Counts
from pets.release.rounded.rounded_table import ProtectedGrid, RoundedTable
from pets.rows.tabulate import tabulate
from pets.sdc.grid import Grid, Sum
from pets.session.custody import Custody
from pets.session.grid import words
from pets.session.grid.naming import check_rule, grids, present
from pets.session.guard import guarded
from pets.session.key_release import Asked, Chosen, Place

REFRESHED = (
    "The tables were refreshed since the grid was made: these are the people of then, until the custodian makes the "
    "grid anew."
)


@dataclass(frozen=True)
class RoundedJob(Chosen):
    """One question that is sums of a grid's cells; everything here comes from what was released."""

    plan: Plan
    protection: SDC
    source: ProtectedGrid
    sums: tuple[tuple[Sum, ...], ...]
    refreshed: bool
    key: str
    currency: str

    @property
    def asked(self) -> Asked:
        plan = self.plan
        form = {"pets": words.ROUNDED, "query": plan.query.to_json()}
        asked = plan.table, words.what(words.ROUNDED, plan), plan.digest, self.source.snapshot_id, form
        return Asked(*asked, Cost(self.currency, 0), None, unbounded=True)  # type: ignore[arg-type]

    def found(self, engine: str) -> tuple[Json | None, str]:
        return guarded(partial(_found, self))

    def form(self, found: Json, schema: Json, at: Place) -> Json:
        source = self.source
        grid = {"id": source.id, "digest": source.digest, "query": source.form["query"]}
        said = REFRESHED if self.refreshed else ""
        terms = self.plan, self.protection, schema, source.snapshot_id, at.data, said
        return found | words.base(words.ROUNDED, *terms) | {"grid": grid}

    def told(self, form: Json, engine: str) -> Json:
        return words.told(form, self.plan, engine)


def _found(job: RoundedJob) -> Json:
    ((cells,),) = job.source.counts()
    return {"counts": [[summed(one, cells).to_json() for one in several] for several in job.sums]}


def summed(one: Sum, cells: Counts) -> Counts:
    """The sums of cells in each group: of what is shown, of what is hidden, and of the ends of their intervals."""
    return Counts(*(one.of(part) for part in (cells.shown, cells.hidden, cells.low, cells.high)))


def rounded(
    custody: Custody, asked: Sequence[Query], protection: SDC, *, again: bool, key: str | None
) -> list[RoundedTable]:
    """The answers to questions under a rule of disclosure control; see :meth:`pets.Session.release`."""
    jobs = rounded_jobs(custody, asked, protection, again=again)
    names = [key if key is None or len(jobs) == 1 else f"{key}#{place}" for place in range(len(jobs))]
    found = (custody.sealed(job, name, again=False) for job, name in zip(jobs, names, strict=True))
    return [RoundedTable.sealed(*one) for one in found]


def rounded_jobs(custody: Custody, asked: Sequence[Query], protection: SDC, *, again: bool) -> list[RoundedJob]:
    """The same, ready to run: refused before anything is entered, where they cannot be answered."""
    check_rule(custody, protection)
    if again:
        raise BudgetError("pets.SDC draws no noise, so asked again it gives the same numbers; leave again=True out")
    for one in asked:
        if isinstance(one, Query) and one.display is not None:
            raise QueryError(
                "a rounded table is sealed as a whole; leave out HAVING, ORDER BY and LIMIT, which are for its reader"
            )
    plans = [custody.plan(one) for one in asked]
    custody.policy.check_numbers(sum(plan.size for plan in plans))
    source = present(custody) if custody.kind == "real" else _invented(custody, protection)
    if source.protection != protection.to_json():
        raise PolicyError(
            f"the dataset's grid is protected by {_rule_of(source)}, and other rules over the same cells could be "
            f"compared with it; ask with {_rule_of(source)}"
        )
    grid = Grid(source.plan)
    return [_job(custody, plan, protection, source, grid.sums(plan)) for plan in plans]


def _job(
    custody: Custody, plan: Plan, protection: SDC, source: ProtectedGrid, sums: tuple[tuple[Sum, ...], ...]
) -> RoundedJob:
    refreshed = custody.kind == "real" and bool(custody.tables) and _now(custody, source) != source.snapshot_id
    same = digest([source.digest, plan.digest, protection.to_json(), custody.policy.digest, refreshed])
    return RoundedJob(plan, protection, source, sums, refreshed, same, custody.budget.currency)


def _now(custody: Custody, source: ProtectedGrid) -> str:
    """The public id of the tables that would be read now."""
    return custody.rows_of(source.plan).id


def _rule_of(source: ProtectedGrid) -> str:
    settings = {name: part for name, part in source.protection.items() if name != "kind"}
    return f"pets.{SDC(**settings)!r}"


def _invented(custody: Custody, protection: SDC) -> ProtectedGrid:
    """The grid on invented rows: the one that was named here, else that of the real ones, tabulated on these."""
    if found := grids(custody):
        return found[-1]
    if custody.like is None:
        raise QueryError(
            "these invented rows know no grid: open them with session.dummy() where the dataset has one, or name one "
            "of theirs: session.name_grid(pets.query(…).group_by(…).agg(n=pets.count()), pets.SDC('hes'))"
        )
    real = present(custody.like)
    if real.protection != protection.to_json():
        return real  # refused, as on real rows
    shown = guarded(partial(_shown, custody, real, protection))[0]
    if shown is None:
        raise QueryError("the invented rows could not be counted; make others, with dummy(rows=…, seed=…)")
    return real.invented(shown, custody.rows_of(real.plan).id, words.DUMMY)


def _shown(custody: Custody, real: ProtectedGrid, protection: SDC) -> list[int]:
    counts = tabulate(real.plan, custody.rows_of(real.plan), custody.engine).reveal()
    return [int(one) for one in protection.rule.shown(counts)]
