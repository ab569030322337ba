"""Checking: what a table outside the grid would tell, with all that left before; at the custodian's side, no lock held.

The table is counted and rounded by its own rule; what is then looked for rests on what was told and on these shown
numbers alone, and on no other row. So whether it is proved follows from what everybody would see if it left: to let it
leave tells nothing besides it. What a person refused is taken for told here, as far as it was looked at, since a
refusal can tell as much as the table; and so is what was looked at, is not proved, and waits or was taken back.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from pets.common.codec import Json
from pets.common.entropy import random_id
from pets.errors import PetsError, QueryError, ReleaseFailedError, UserError
from pets.ledger.queued.job import QueuedJob, job_of
from pets.ledger.review.tables import Look, note_look
from pets.plan.plan import Plan
from pets.protection.protection import Protection
from pets.protection.rounding import Rounding
from pets.protection.sdc import SDC
from pets.query_model.query import Query
from pets.rows.linked import Linked
from pets.rows.snapshot import Snapshot
from pets.rows.tabulate import tabulate
from pets.sdc.book import REVIEWED, Told, rounded_ends, whose
from pets.sdc.closed import share_people
from pets.sdc.compare import Comparison, compared
from pets.sdc.counted import counts_of
from pets.session.custody import Custody
from pets.session.disclosure.attack import is_small, small_ends
from pets.session.disclosure.solving import Question, Verdict, solved
from pets.session.disclosure.told_book import Looked, looked
from pets.session.door.allowed import check_still
from pets.session.door.finding import ATTACK, CLOSED, PROVED, UNDECIDED, Finding
from pets.session.door.finding_store import FindingStore
from pets.session.guard import guarded

Shown = tuple[tuple[int, ...], ...]


def asked_of(custody: Custody, asked: Json) -> tuple[Plan, SDC]:
    """The plan and the rule of a request; raises :class:`UserError` where it is read otherwise than when it came."""
    try:
        plan = custody.plan(Query.from_json(asked["query"]))
        rule = Protection.from_json(asked["protection"])
    except (LookupError, TypeError, ValueError, PetsError) as error:
        raise UserError(
            f"this request cannot be read any more ({error}); refuse it, and let it be asked anew"
        ) from None
    if plan.digest != asked["question"] or not isinstance(rule, SDC):
        raise UserError("this request was made under another schema; refuse it, and let it be asked anew")
    return plan, rule


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
    """
    plan, rule = asked_of(custody, job.asked)
    check_still(custody, plan, rule)
    snapshot, before = custody.rows_of(plan), looked(custody.account, plan.digest)
    shown, incident = guarded(partial(shown_of, plan, rule, snapshot, custody.engine))
    if shown is None:
        number = custody.keep_incident(random_id()[:12], incident)
        raise ReleaseFailedError(f"the table could not be counted (incident {number}); nothing left; look at it")
    found = _Search(custody, job, plan, rule, shown, snapshot.id, before).found()
    FindingStore(custody.account.ledger).put(job.id, found.to_json())
    tells = found.state in (ATTACK, UNDECIDED)  # what is closed follows from others, and proved from nothing hidden
    note_look(custody.account.ledger, job.id, Look(found.snapshot, tells))
    return found


@dataclass(frozen=True)
class _Search:
    custody: Custody
    job: QueuedJob
    plan: Plan
    rule: SDC
    shown: Shown
    snapshot: str
    before: Looked

    @property
    def width(self) -> int:
        return max(self.custody.policy.sdc_width, self.rule.width)

    def found(self) -> Finding:
        """What is found, bound to what it is found of."""
        refused, closed, besides = self._refused()
        if closed:
            return self._made(CLOSED, 0, (), (), (), besides)
        tables, more = self._tables(refused)
        besides += more
        try:
            comparison = compared(tables, self.custody.policy.sdc_atoms)
        except QueryError as error:
            return self._made(UNDECIDED, 0, (), (), (), [*besides, f"{error}."])
        besides += comparison.besides
        sums, every = comparison.hidden()
        if not every:
            besides.append("Of very many pairs of cells not every one was looked at.")
        end = time.monotonic() + self.custody.policy.sdc_seconds
        question = Question(comparison.atoms.count, comparison.known, tuple(sums), self.width, None, _left(end))
        verdicts, ends = solved(question), small_ends(tables)
        lost = [one for one in verdicts if one.state == ATTACK and is_small(one, *ends)]
        old = self._known_before(comparison, question, lost, end)
        late = [one for one in verdicts if one.state == UNDECIDED]
        besides += dict.fromkeys(one.sentence for one in late if one.sentence)
        if late:
            besides.append(f"Of {len(late):,} sums of people nothing was decided in time.")
        new = [one.sentence for one in lost if one not in old]
        state = ATTACK if new else UNDECIDED if besides else PROVED
        known = [one.sentence for one in old]
        return self._made(state, len(sums), verdicts, new, known, besides)

    def _refused(self) -> tuple[list[tuple[str, Plan, Finding]], bool, list[str]]:
        """What was found of the tables that were refused; whether one closes these people; what is not compared."""
        found, closed, besides = list[tuple[str, Plan, Finding]](), False, list[str]()
        for row in self.before.refused:
            job = job_of(row)
            try:
                plan: Plan | None = asked_of(self.custody, job.asked)[0]
            except UserError:  # under another schema: nobody can tell whom it counts
                plan = None
            if plan is None or whose(plan) != whose(self.plan) or self._shares(plan):
                closed = True
                if row.review != "refused":
                    besides.append(f"Request {job.id} was looked at, is not proved, and has not left.")
                continue
            several, whole = self._found_of(str(job.asked["question"]))
            found += [(job.id, plan, one) for one in several]
            if not whole:
                besides.append(
                    "What was found of a table that was refused is lost or cannot be read, so it is not compared."
                )
        noted = self.before.seen.get(self.plan.digest, ((), ()))[1]
        if any(one.tells and one.snapshot != self.snapshot for one in noted):
            besides.append("This table was looked at when the rows were others, was not proved, and was let wait.")
        return found, closed, besides

    def _found_of(self, question: str) -> tuple[list[Finding], bool]:
        """What was found of a question, whoever asked it; and whether nothing of it is lost."""
        store, several = FindingStore(self.custody.account.ledger), list[Finding]()
        names, noted = self.before.seen.get(question, ((), ()))
        for name in names:
            try:
                several.append(Finding.from_json(store.get(name)))
            except UserError:
                if store.has(name):
                    return several, False
        return several, {one.snapshot for one in noted} <= {one.snapshot for one in several}

    def _shares(self, refused: Plan) -> bool:
        """Whether a refused table counts some of these people; where that cannot be told, it does."""
        try:
            return share_people(self.plan, refused, self.custody.policy.sdc_atoms)
        except QueryError:
            return True

    def _tables(self, refused: Sequence[tuple[str, Plan, Finding]]) -> tuple[list[Told], list[str]]:
        """Everything that counts these people, the table that is asked last; and what is not compared."""
        book, people = self.before.book, whose(self.plan)
        tables, besides = book.of(people), [f"{one}." for one in book.besides(people)]
        besides += [
            f"{one.name} counts the people of another time, and who came or went since is not looked at."
            for one in tables
            if one.snapshot != self.snapshot
        ]
        number = len(book.entries)
        for name, plan, one in refused:
            number += 1
            try:
                tables.append(_told(number, name, plan, Rounding.from_json(one.rule), one.shown, one.snapshot))
            except (PetsError, ValueError):
                besides.append("What was found of a table that was refused cannot be read, and is not compared.")
                continue
            if one.snapshot != self.snapshot:
                besides.append("A table that was refused counts the people of another time.")
        return [*tables, _told(number + 1, "", self.plan, self.rule.rule, self.shown, self.snapshot)], besides

    def _known_before(
        self, comparison: Comparison, question: Question, lost: Sequence[Verdict], end: float
    ) -> list[Verdict]:
        """Those that were derived as closely without the table that is asked, and leave as much open with it."""
        last = len(comparison.tables) - 1
        without = replace(question, known=tuple(one for one in question.known if one.table != last))
        first = solved(replace(without, sums=tuple(one.sum for one in lost), seconds=_left(end)))
        old = []
        for now, then in zip(lost, first, strict=True):
            if then.state != ATTACK or then.low is None or then.high is None:
                continue
            if then.low < then.high:  # both ends must still be possible
                asked = replace(question, sums=(now.sum,), width=then.high - then.low, seconds=_left(end))
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
            releases=len(self.before.book.entries),
            sums=sums,
            nonce=random_id(),
            attacks=attacks,
            before=before,
            besides=besides,
            tables=tuple(tables),
            pairs=tuple(pairs),
        )


def _told(number: int, name: str, plan: Plan, rule: Rounding, shown: Shown, snapshot: str) -> Told:
    low, high = rounded_ends(plan, rule, map(list, shown))
    return Told(number, name, snapshot, "", REVIEWED, plan, rule, tuple(low), tuple(high))


def _left(end: float) -> float:
    return max(0.0, end - time.monotonic())
