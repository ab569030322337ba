"""Naming: a dataset's one grid is tabulated and protected once, and found again by whoever asks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from pets.common.codec import Json, digest
from pets.common.entropy import random_id
from pets.common.integers import array_of
from pets.errors import DataError, PolicyError, QueryError, UserError, shown
from pets.ledger.db.transaction import Transaction
from pets.ledger.repeats import answered
from pets.protection.budget import Cost
from pets.protection.protection import checked
from pets.protection.sdc import SDC
from pets.query_model.query import Query
from pets.release.rounded.rounded_table import ProtectedGrid
from pets.rows.linked import Linked
from pets.rows.snapshot import Snapshot
from pets.rows.tabulate import tabulate
from pets.sdc.grid import Grid
from pets.session.custody import Custody
from pets.session.disclosure.attack import Attack
from pets.session.disclosure.solving import check_engine
from pets.session.disclosure.told_book import left_since, looked, unleft
from pets.session.grid import words
from pets.session.grid.comparing import Compared, UnconfirmedError, compared, confirmed, word_of
from pets.session.guard import guarded
from pets.session.key_release import Asked, Chosen, Place


@dataclass(frozen=True)
class GridJob(Chosen):
    """The grid that is to be made, once; everything here comes from public knowledge."""

    grid: Grid
    protection: SDC
    snapshot: Snapshot | Linked
    key: str
    currency: str
    said: str

    @property
    def asked(self) -> Asked:
        plan = self.grid.plan
        form = {"pets": words.GRID, "query": plan.query.to_json()}
        asked = plan.table, words.what(words.GRID, plan), plan.digest, self.snapshot.id, form
        return Asked(*asked, Cost(self.currency, 0), None, unbounded=True)  # type: ignore[arg-type]

    def found(self, engine: str) -> tuple[Json | None, str]:
        return guarded(partial(_found, self, engine))

    def form(self, found: Json, schema: Json, at: Place) -> Json:
        terms = self.grid.plan, self.protection, schema, self.snapshot.id, at.data, self.said
        return found | words.base(words.GRID, *terms)

    def told(self, form: Json, engine: str) -> Json:
        return words.told(form, self.grid.plan, engine)


def _found(job: GridJob, engine: str) -> Json:
    return {"shown": protected(job.grid, job.protection, job.snapshot, engine)}


def protected(grid: Grid, protection: SDC, snapshot: Snapshot | Linked, engine: str) -> list[int]:
    """The cells as they are shown: the one place where the exact counts of a grid exist."""
    return list(protection.rule.shown(tabulate(grid.plan, snapshot, engine).reveal()).tolist())


def name_grid(custody: Custody, query: Query, protection: SDC, *, anew: bool, confirm: str | None) -> ProtectedGrid:
    """See :meth:`pets.Custodian.name_grid`."""
    grid = _gridded(custody, query, protection)
    seen = looked(custody, "")  # before the grids: who names one meanwhile is told of that, not of the book
    earlier, snapshot = grids(custody), custody.rows_of(grid.plan)
    if earlier:
        _check_earlier(earlier[-1], grid, protection, snapshot.id, anew=anew)
        if not anew or earlier[-1].snapshot_id == snapshot.id:
            return earlier[-1]
    said = confirmed(seen.book, grid, protection, snapshot.id, confirm, unleft(custody, seen))
    job = GridJob(grid, protection, snapshot, _key(custody, len(earlier)), custody.budget.currency, said)

    def still(tx: Transaction, now: float, ids: Sequence[str]) -> None:
        if left_since(tx, custody.account.dataset, seen):
            raise UnconfirmedError(
                "something left this dataset without noise while the grid was named, and more may follow of both: look "
                "at print(custodian.compare_grid(…)), and write the word that it ends with, name_grid(…, confirm='…')"
            )

    custody.sealed(job, None, again=False, first=still)
    # somebody may have named another one meanwhile, and then it is that one which tables come from
    first = grids(custody)[len(earlier)]
    _check_earlier(first, grid, protection, first.snapshot_id, anew=anew)
    return first


def compare_grid(custody: Custody, query: Query, protection: SDC, *, width: int, seconds: float) -> Compared:
    """See :meth:`pets.Custodian.compare_grid`. Of what is counted only what the rule shows is looked at."""
    grid = _gridded(custody, query, protection)
    seen, earlier, snapshot = looked(custody, ""), grids(custody), custody.rows_of(grid.plan)
    book, refused = seen.book, unleft(custody, seen)
    if earlier:
        _check_earlier(earlier[-1], grid, protection, snapshot.id, anew=True)
    if not book.entries:
        return Compared(Attack((), 0, (), 0, 0), (), word_of(book, grid, protection, snapshot.id, refused))
    check_engine()
    cells, incident = guarded(partial(protected, grid, protection, snapshot, custody.engine))
    if cells is None:
        number = custody.keep_incident(random_id()[:12], incident)
        raise DataError(f"the grid could not be counted; what went wrong is told by incident({number!r})")
    terms = book, grid, protection, snapshot.id, array_of(cells), earlier[-1].shown if earlier else None
    return compared(*terms, refused, atoms=custody.policy.sdc_atoms, width=width, seconds=seconds)


def _gridded(custody: Custody, query: Query, protection: SDC) -> Grid:
    """The grid of a question under a rule, within what the policy allows; no row is read."""
    check_rule(custody, protection)
    grid = Grid(custody.plan(query))
    if grid.cells > custody.policy.sdc_atoms:
        raise PolicyError(
            f"the grid has {grid.cells:,} cells and this custodian's policy allows {custody.policy.sdc_atoms:,} "
            "(sdc_atoms); use coarser bins or fewer columns"
        )
    if custody.policy.approval is not None:
        raise PolicyError(
            "a grid is named by the custodian alone, before others ask; open the data once with a policy without "
            "approval=, name the grid, and then open it with approval= again"
        )
    return grid


def _check_earlier(earlier: ProtectedGrid, grid: Grid, protection: SDC, snapshot: str, *, anew: bool) -> None:
    if (earlier.plan.digest, earlier.protection) != (grid.plan.digest, protection.to_json()):
        raise UserError(
            f"dataset {earlier.plan.dataset!r} has a grid already ({words.what(words.GRID, earlier.plan)}, by the rule "
            f"{earlier.protection.get('preset', 'of its own')!r}), and two of them could be subtracted from each "
            "other; release from that one"
        )
    if snapshot != earlier.snapshot_id and not anew:
        raise UserError(
            "the tables were refreshed since the grid was made, and releases stay on it: where a cell of a new grid "
            "shows another number, who knows that few people came or went learns of them; look at "
            "print(custodian.compare_grid(…)), decide that, and write name_grid(…, anew=True, confirm='…') with the "
            "word that it ends with, to make it of the new tables"
        )


def check_rule(custody: Custody, protection: object) -> None:
    """Refuse what is no rule of disclosure control, or one that the policy does not allow; no row is read."""
    if not isinstance(checked(protection), SDC):
        raise UserError(f"a grid is protected by a rule such as pets.SDC('hes'), not by {shown(protection)}")
    assert isinstance(protection, SDC)
    custody.policy.check_sdc(protection)


def grids(custody: Custody) -> list[ProtectedGrid]:
    """The grids of the dataset, oldest first: one, and one more for each refresh that the custodian let it follow."""
    found: list[ProtectedGrid] = []
    while (stored := answered(custody.account.ledger, _key(custody, len(found)))) is not None:
        form, certificate = map(json.loads, stored)
        found.append(ProtectedGrid.sealed(form, certificate))
    return found


def present(custody: Custody) -> ProtectedGrid:
    """The grid that questions are answered from.

    Raises:
        QueryError: where the dataset has none.
    """
    found = grids(custody)
    if not found:
        raise QueryError(
            "pets.SDC answers from the dataset's protected grid, and none is named yet; its custodian names it: "
            "custodian.name_grid(pets.query(…).group_by(…).agg(n=pets.count()), pets.SDC('hes'))"
        )
    return found[-1]


def _key(custody: Custody, number: int) -> str:
    """By what the ledger knows a dataset's grid again, whoever asks."""
    return digest(["pets.grid", custody.schema.dataset, number])
