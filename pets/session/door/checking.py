"""Checking: what a table outside the grid would tell, with all that left before; at the custodian's side, no lock held.

The table is counted and rounded by its own rule; what is then looked for rests on what was told and on these shown
numbers alone, and on no other row. So whether it is proved follows from what everybody would see if it left: to let it
leave tells nothing besides it. What a person refused is taken for told here, as far as it was looked at, since a
refusal can tell as much as the table; and so is what was looked at, is not proved, and waits or was taken back. But
where the questions alone say that it cannot be compared, that it waits tells nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic

from pets.common.entropy import random_id
from pets.errors import HeldError, PolicyError, QueryError, ReleaseFailedError
from pets.ledger.queued.job import QueuedJob
from pets.ledger.review.tables import Look, beside, note_look
from pets.plan.plan import Plan
from pets.protection.sdc import SDC
from pets.rows.engine import stopping
from pets.rows.linked import Linked
from pets.rows.snapshot import Snapshot
from pets.rows.tabulate import tabulate
from pets.sdc.book import REVIEWED, Told, rounded_ends, whose
from pets.sdc.closed import share_people
from pets.sdc.compare import Comparison, compared
from pets.sdc.counted import counts_of
from pets.session.custody import Custody
from pets.session.disclosure.attack import is_small, small_ends
from pets.session.disclosure.finding import ATTACK, CLOSED, PROVED, UNDECIDED, Finding
from pets.session.disclosure.finding_store import FindingStore
from pets.session.disclosure.solving import Question, Verdict, solved
from pets.session.disclosure.told_book import Looked, Unleft, looked, unleft
from pets.session.disclosure.untold import LOST, asked_of
from pets.session.door.allowed import check_still
from pets.session.guard import guarded

Shown = tuple[tuple[int, ...], ...]
TRIES = 5
"""Times that a table is looked at while others look at other tables of the dataset."""

OTHERS = (
    "A table that was refused counts none of these people, but others of the dataset, and what it tells beside other "
    "tables is not compared."
)


def shown_of(plan: Plan, rule: SDC, snapshot: Snapshot | Linked, engine: str) -> Shown:
    """The table as its rule shows it. For code that reads rows inside :func:`pets.session.guard.guarded`."""
    values = tabulate(plan, snapshot, engine).reveal()
    return tuple(tuple(int(n) for n in rule.rule.shown(one.of(plan, values))) for one in counts_of(plan))


def examined(custody: Custody, job: QueuedJob) -> Finding:
    """What a requested table would tell; it is kept for the custodian, in place of what was found before.

    Raises:
        UserError: the request was made under another schema.
        PolicyError, QueryError: by the policy of now it cannot leave.
        ReleaseFailedError: the table cannot be counted; the incident is the custodian's.
        MissingExtraError: no engine is there to search with.
        HeldError: others look at tables of the dataset all the time.
    """
    plan, rule = asked_of(custody, job.asked)
    check_still(custody, plan, rule)
    for _ in range(TRIES):
        found, tells, before = _found(custody, job, plan, rule)
        FindingStore(custody.account.ledger).put(job.id, found.to_json())
        if note_look(custody.account.ledger, job.id, Look(found.snapshot, tells), before.notes):
            return found
    raise HeldError("others look at tables of this dataset at the same time; nobody was told anything; look once more")


def _found(custody: Custody, job: QueuedJob, plan: Plan, rule: SDC) -> tuple[Finding, bool, Looked]:
    """What is found, within the policy's time; whether it would tell that the table waits; and beside what it was."""
    seconds = custody.policy.sdc_seconds
    end = monotonic() + seconds
    snapshot, before = custody.rows_of(plan), looked(custody, plan.digest)
    with stopping.within(seconds):
        shown, incident = guarded(partial(shown_of, plan, rule, snapshot, custody.engine))
    if monotonic() >= end:  # an engine that cannot be interrupted may have come to its end all the same
        raise PolicyError(
            f"the table could not be counted in {seconds:,} seconds, which the policy allows (sdc_seconds); nothing "
            "left; allow more, or refuse it"
        )
    if shown is None:
        number = custody.keep_incident(random_id()[:12], incident)
        raise ReleaseFailedError(f"the table could not be counted (incident {number}); nothing left; look at it")
    return *_Search(custody, job, plan, rule, shown, snapshot.id, before, end).found(), before


@dataclass(frozen=True)
class _Search:
    custody: Custody
    job: QueuedJob
    plan: Plan
    rule: SDC
    shown: Shown
    snapshot: str
    before: Looked
    end: float

    def in_time(self) -> None:
        """Raises where the policy's time is over."""
        if monotonic() >= self.end:
            raise TimeoutError(
                f"the {self.custody.policy.sdc_seconds:,} seconds that the policy allows (sdc_seconds) were not enough "
                "to compare it; allow more, or ask for coarser groups"
            )

    @property
    def width(self) -> int:
        return max(self.custody.policy.sdc_width, self.rule.width)

    def found(self) -> tuple[Finding, bool]:
        """What is found, bound to what it is found of; and whether it would tell that the table does not leave.

        That does not where it is closed, which follows from others, nor where it is proved, nor where the questions
        alone say that it cannot be compared. Once it was compared, one that is undecided tells as one that is an
        attack does, though everybody may know that it cannot be proved: else another would leave beside the first and
        not beside the second, and tell which of them it is.
        """
        refused, closed, besides, tells = self._refused()
        if closed:
            return self._made(CLOSED, 0, (), (), (), besides), False
        tables, more = self._tables(refused)
        besides += more
        try:
            comparison = compared(tables, self.custody.policy.sdc_atoms, self.in_time)
            sums, every = comparison.hidden(self.in_time)
        except (QueryError, TimeoutError) as error:
            late = isinstance(error, TimeoutError)
            return self._made(UNDECIDED, 0, (), (), (), [*besides, f"{error}."]), tells or late
        besides += comparison.besides
        if not every:
            besides.append("Of very many pairs of cells not every one was looked at.")
        question = Question(comparison.atoms.count, comparison.known, tuple(sums), self.width, None, _left(self.end))
        verdicts, ends = solved(question), small_ends(tables)
        lost = [one for one in verdicts if one.state == ATTACK and is_small(one, *ends)]
        waiting = [table for one in refused if not one.closes for table in one.tables]
        old = self._known_before(comparison, question, lost, waiting)
        open_ = [one for one in verdicts if one.state == UNDECIDED]
        besides += dict.fromkeys(one.sentence for one in open_ if one.sentence)
        if open_:
            besides.append(f"Of {len(open_):,} sums of people nothing was decided in time.")
        new = [one.sentence for one in lost if one not in old]
        state = ATTACK if new else UNDECIDED if besides else PROVED
        known = [one.sentence for one in old]
        return self._made(state, len(sums), verdicts, new, known, besides), state != PROVED

    def _refused(self) -> tuple[list[Unleft], bool, list[str], bool]:
        """The tables that were refused; whether one closes these people; what is not compared; whether any waits."""
        found, closed, besides, waits = list[Unleft](), False, list[str](), False
        for one in unleft(self.custody, self.before, proved=True):
            shares = one.plan is None or self._shares(one.plan)
            if shares and one.closes:
                closed = True
                if one.row.review != "refused":
                    besides.append(f"Request {one.row.id} was looked at, is not proved, and has not left.")
                continue
            waits = waits or one.row.review != "refused"
            if one.plan is None or whose(one.plan) != whose(self.plan):
                if (one.tables or not one.whole) and (one.closes or shares):
                    besides.append(OTHERS)
                continue
            found.append(one)
            if not one.whole:
                besides.append(LOST)
        noted = self.before.seen.get(self.plan.digest, ((), ()))[1]
        if any(one.tells and one.snapshot != self.snapshot for one in noted):
            besides.append("This table was looked at when the rows were others, was not proved, and was let wait.")
            waits = True
        return found, closed, besides, waits

    def _shares(self, refused: Plan) -> bool:
        """Whether a refused table counts some of these people; where that cannot be told (in time), it does."""
        try:
            return share_people(self.custody.schema, self.plan, refused, self.custody.policy.sdc_atoms, self.in_time)
        except (QueryError, TimeoutError):
            return True

    def _tables(self, refused: Sequence[Unleft]) -> tuple[list[Told], list[str]]:
        """Everything that counts these people, the table that is asked last; and what is not compared."""
        book, people = self.before.book, whose(self.plan)
        untold = [table for one in refused for table in one.tables]
        besides = [f"{one}." for one in book.besides(people)]
        besides += [
            f"{one.name} counts the people of another time, and who came or went since is not looked at."
            for one in (*book.of(people), *untold)
            if one.snapshot != self.snapshot
        ]
        number, rule, shown = len(book.entries) + 1, self.rule.rule, self.shown
        low, high = rounded_ends(self.plan, rule, map(list, shown))
        asked = Told(number, "", self.snapshot, "", REVIEWED, self.plan, rule, tuple(low), tuple(high))
        return [*book.of(people), *untold, asked], besides

    def _known_before(
        self, comparison: Comparison, question: Question, lost: Sequence[Verdict], waiting: Sequence[Told]
    ) -> list[Verdict]:
        """Those that were derived as closely without the table that is asked, and leave as much open with it.

        Nor with what is proved and waits, which nobody knows yet.
        """
        last = len(comparison.tables) - 1
        new = {last, *(at for at, one in enumerate(comparison.tables) if any(one is other for other in waiting))}
        without = replace(question, known=tuple(one for one in question.known if one.table not in new))
        first = solved(replace(without, sums=tuple(one.sum for one in lost), seconds=_left(self.end)))
        old = []
        for now, then in zip(lost, first, strict=True):
            if then.state != ATTACK or then.low is None or then.high is None:
                continue
            if then.low < then.high:  # both ends must still be possible
                asked = replace(question, sums=(now.sum,), width=then.high - then.low, seconds=_left(self.end))
                if solved(asked)[0].state != PROVED:
                    continue
            old.append(now)
        return old

    def _made(self, state: str, sums: int, verdicts: Sequence[Verdict], *told: Sequence[str]) -> Finding:
        tables: dict[tuple[int, ...], int] = {}
        pairs = []
        for one in verdicts:
            if one.pair is not None:
                first, second = (tables.setdefault(table, len(tables)) for table in one.pair)
                pairs.append((one.sum.atoms, first, second))
        attacks, before, besides = (tuple(dict.fromkeys(part)) for part in told)
        return Finding(
            request=self.job.id,
            question=self.plan.digest,
            snapshot=self.snapshot,
            policy=self.custody.policy.digest,
            looked=self.before.state,
            rule=self.rule.rule.to_json(),
            shown=self.shown,
            width=self.width,
            state=state,
            releases=len(self.before.compared),
            beside=beside(self.before.compared),
            sums=sums,
            nonce=random_id(),
            salt=random_id(),
            attacks=attacks,
            before=before,
            besides=besides,
            tables=tuple(tables),
            pairs=tuple(pairs),
        )


def _left(end: float) -> float:
    return max(0.0, end - monotonic())
