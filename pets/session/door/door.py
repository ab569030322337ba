"""Door: a table that is no sum of the grid's cells waits for a person, and leaves by their word alone.

What its asker is told while it waits is the same whatever it would tell and whatever was found of it: it is put from
its plan alone, no row is read for it, and the check runs later, at the custodian's side. Its rule is the grid's, so
that nothing that was found chooses how it is rounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from pets.common.codec import Json, digest
from pets.common.literals import text as whole_text
from pets.errors import HeldError, QueryError, UserError, shown
from pets.ledger.db.transaction import Transaction
from pets.ledger.queued.job import QueuedJob
from pets.ledger.queued.kinds import TABLE
from pets.ledger.review import tables
from pets.ledger.review.reviews import LetOut, Reviews
from pets.plan.plan import Plan
from pets.protection.budget import Cost
from pets.protection.sdc import SDC
from pets.query_model.query import Query
from pets.release.rounded.reviewed_table import ReviewedTable
from pets.rows.linked import Linked
from pets.rows.snapshot import Snapshot
from pets.sdc.counted import counts_of
from pets.sdc.grid import Grid
from pets.session.custody import Custody
from pets.session.disclosure.finding import CLOSED, PROVED, Finding
from pets.session.disclosure.finding_store import FindingStore
from pets.session.disclosure.told_book import state_of
from pets.session.disclosure.untold import asked_of
from pets.session.door.allowed import check_plan, check_still
from pets.session.door.checking import shown_of
from pets.session.grid import words
from pets.session.grid.naming import present
from pets.session.guard import guarded
from pets.session.key_release import Asked, Chosen, Place

LEAST_DIGEST = 12
"""Letters of a finding's digest by which a decision names it."""


@dataclass(frozen=True)
class ReviewedJob(Chosen):
    """One table outside the grid; ``finding``: what a person let out of it (``None``: it is only looked for)."""

    plan: Plan
    protection: SDC
    snapshot: Snapshot | Linked
    key: str
    currency: str
    finding: Finding | None = None

    @property
    def asked(self) -> Asked:
        plan = self.plan
        form = {"pets": words.REVIEWED, "query": plan.query.to_json()}
        asked = plan.table, words.what(words.REVIEWED, plan), plan.digest, self.snapshot.id, form
        return Asked(*asked, Cost(self.currency, 0), None, unbounded=True)  # type: ignore[arg-type]

    def found(self, engine: str) -> tuple[Json | None, str]:
        return guarded(partial(_found, self, engine))

    def form(self, found: Json, schema: Json, at: Place) -> Json:
        finding = self.finding
        assert finding is not None
        review: Json = {"finding": finding.digest, "found": finding.state}
        review |= {"width": finding.width, "releases": finding.releases, "beside": finding.beside, "salt": finding.salt}
        terms = self.plan, self.protection, schema, self.snapshot.id, at.data
        told = {"guarantee": words.reviewed(self.protection, review), "review": review}
        return found | words.base(words.REVIEWED, *terms) | told

    def told(self, form: Json, engine: str) -> Json:
        return words.told(form, self.plan, engine)


def _found(job: ReviewedJob, engine: str) -> Json:
    """The table once more, which must be the very one that was looked at."""
    finding = job.finding
    counted = shown_of(job.plan, job.protection, job.snapshot, engine)
    if finding is None or counted != finding.shown:
        raise ValueError("this is not the table that a person let out")
    return {"shown": _by_output(job.plan, counted)}


def _by_output(plan: Plan, shown: Sequence[Sequence[int]]) -> list[list[list[int]]]:
    """Of each output of a plan, its counts as they are shown, of those of each block."""
    place = {one.measure: list(shown[at]) for at, one in enumerate(counts_of(plan))}
    return [[place[part] for part in output.parts] for output in plan.outputs]


def _job(custody: Custody, plan: Plan, protection: SDC, finding: Finding | None = None) -> ReviewedJob:
    snapshot = custody.rows_of(plan)
    same = digest(["pets.reviewed", plan.digest, snapshot.id, protection.to_json(), custody.policy.digest])
    return ReviewedJob(plan, protection, snapshot, same, custody.budget.currency, finding)


# who asks -------------------------------------------------------------------------------------------------------------


def reviewed(
    custody: Custody, asked: Sequence[Query], protection: SDC, *, key: str | None, grid: QueryError
) -> ReviewedTable:
    """A table that a person has let out; else it is in review.

    Args:
        grid: why it is no sum of the grid's cells.

    Raises:
        HeldError: it is in review.
        NotApprovedError: a person did not let it out.
        QueryError, PolicyError: as :func:`askable`.
    """
    job = askable(custody, asked, protection, grid=grid)
    plan = job.plan
    if (sealed := custody.known(job, key)) is not None:
        return ReviewedTable.sealed(*sealed)
    form = {"query": plan.query.to_json(), "protection": protection.to_json(), "question": plan.digest}
    account, most = custody.account, custody.policy.sdc_tables
    tables.check_decided(tables.ask(account.ledger, account.dataset, account.scope, form, job.key, most=most))
    raise grid


def askable(custody: Custody, asked: Sequence[Query], protection: SDC, *, grid: QueryError) -> ReviewedJob:
    """What may be asked for; nothing is put, and no row is read.

    Raises:
        QueryError, PolicyError: where no such table can be asked for; its plan alone decides that.
    """
    if custody.kind != "real" or custody.policy.sdc_review == "never":
        raise grid
    if len(asked) != 1:
        raise QueryError("a table outside the grid is decided about by itself; ask for each in a request of its own")
    plan, source = custody.plan(asked[0]), present(custody)
    if source.protection != protection.to_json() or _on_grid(Grid(source.plan), plan):
        raise grid
    check_plan(custody, plan, Grid(source.plan))
    return _job(custody, plan, protection)


def _on_grid(source: Grid, plan: Plan) -> bool:
    try:
        source.sums(plan)
    except QueryError:
        return False
    return True


# who decides ----------------------------------------------------------------------------------------------------------


def requested(custody: Custody, request: str, *, by: str | None = None) -> QueuedJob:
    """The request for a table that waits; raises :class:`NotFoundError` for any other.

    Args:
        by: who looks, as a reviewer: raises :class:`ForbiddenError` for whoever asked (left out: the custodian).
    """
    held = Reviews(custody.account.ledger).find(request, by=by, dataset=custody.account.dataset)
    if held.job.kind != TABLE:
        raise UserError(
            f"the request {shown(request)} is for an answer that has no such finding; decide it with approve('the id', "
            "by=…)"
        )
    return held.job


def let_out(custody: Custody, request: str, *, by: str, finding: str, anyway: str, note: str) -> ReviewedTable:
    """A person's word: the table leaves, if all is still as it was when they looked; see :meth:`Custodian.approve`."""
    job = requested(custody, request)
    plan, protection = asked_of(custody, job.asked)
    check_still(custody, plan, protection)
    found = _looked_at(custody, job, finding)
    if found.state == CLOSED:
        raise HeldError(
            "a table of some of these people was refused before, or was looked at, is not proved and waits, which "
            "tells of them; this one cannot leave; decide first about what waits, or refuse it, too"
        )
    if not isinstance(anyway, str):
        raise UserError(f"anyway is why it leaves although it is not proved, in words, not {shown(anyway)}")
    word = whole_text(anyway, UserError).strip()
    if found.state != PROVED and not word:
        raise HeldError(
            f"what was found of this table is {found.state!r}, and it leaves only on the word of a person who answers "
            "for it; write anyway='why it leaves all the same'"
        )
    asker = custody.scoped(job.project, job.analyst)
    made = _job(asker, plan, protection, found)
    if (made.snapshot.id, plan.digest, custody.policy.digest) != (found.snapshot, found.question, found.policy):
        raise HeldError("the rows or the policy are others since this table was looked at; look at it once more")
    shown_ = found.commitment(_by_output(plan, found.shown))
    terms = found.digest, found.state, found.width, found.releases, found.beside, shown_
    said = LetOut(by, *terms, word if found.state != PROVED else "", note)

    def first(tx: Transaction, now: float, ids: Sequence[str]) -> None:
        if state_of(tx, custody.account.dataset, plan.digest) != found.looked:
            raise HeldError("something left or was refused since this table was looked at; look at it once more")
        Reviews.let_out(tx, now, job.id, custody.account.dataset, said, ids[0])

    return ReviewedTable.sealed(*asker.sealed(made, None, again=False, first=first))


def _looked_at(custody: Custody, job: QueuedJob, digest_: str) -> Finding:
    form = FindingStore(custody.account.ledger).get(job.id)
    if form is None:
        raise HeldError("nobody has looked at what this table would tell; write custodian.look('the id') first")
    found = Finding.from_json(form)
    named = isinstance(digest_, str) and len(digest_) >= LEAST_DIGEST and found.digest.startswith(digest_)
    if not named or found.request != job.id:
        raise HeldError(
            "a decision names the digest of what was found, and this is not what was found last; look at it once more, "
            "and write finding='its digest'"
        )
    return found
