"""Account: one dataset in a ledger, as one analyst of one project sees it.

The order is the promise: a cost is reserved in every scope or in none, durably, before the data is opened; an answer is
sealed, durably, before it is shown; and what fails in between stays charged.
"""

from __future__ import annotations

import contextlib
import copy
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from pets.common.codec import Json
from pets.common.entropy import random_id
from pets.errors import BudgetError, InternalError, LedgerError, UserError
from pets.ledger import repeats, standing
from pets.ledger.db import listing, sql
from pets.ledger.db.row_types import Scope, moment
from pets.ledger.db.store import CommitUnknown
from pets.ledger.db.transaction import Transaction
from pets.ledger.events import Event
from pets.ledger.failpoint import failpoint
from pets.ledger.ledger import Ledger, close, public
from pets.ledger.log import attest
from pets.ledger.queued.ending import Ending
from pets.ledger.root import Root, open_root
from pets.ledger.states import Entry, Grant, Request, Sealed, Standing, State
from pets.protection.budget import Cost

First = Callable[[Transaction, float, Sequence[str]], None]
"""Of a transaction, its time, and the ids of the requests that it enters or answers."""

MAX_DENIALS, HOUR = 100, 3600.0
"""Refused requests of one analyst that the log enters within an hour."""


class Account:
    """Reserves, starts, seals and closes requests against one dataset's budget; safe from threads and processes.

    Args:
        approval: the policy's: then only jobs of a queue are answered; what is sealed for them is held ``"after"``.

    Attributes:
        ending: where one answer ends the job that this account is :meth:`under`: it is written with its commit.

    Raises:
        LedgerError, BudgetError: where the ledger knows the dataset otherwise: another unit, cap or currency, or the
            same source under another name.
    """

    def __init__(
        self,
        ledger: Ledger,
        root: Root,
        project: str,
        analyst: str,
        *,
        max_denials: int = MAX_DENIALS,
        approval: str | None = None,
    ) -> None:
        self.ledger = ledger
        self.max_denials, self.approval, self._holding = max_denials, approval, approval == "after"
        self.dataset = root.dataset
        self.scope: Scope = (project, analyst)
        self._key: str | None = None
        self._keys = itertools.count()
        self.ending: Ending | None = None
        self._begun: dict[str, float] = {}
        open_root(ledger, root)
        self.budget = self.standing().budget
        """As it was when the ledger was last looked at; a signed change may have come since."""

    def under(self, key: str) -> Account:
        """The same account for one job: what it reserves without a key is under this one, ``#0``, ``#1`` and so on."""
        made = copy.copy(self)
        made.__dict__.update(_key=key, _keys=itertools.count())
        return made

    # standing ---------------------------------------------------------------------------------------------------

    def standing(self) -> Standing:
        """The account now."""
        with self.ledger.reading() as tx:
            found = standing.standing(tx.dataset(self.dataset), tx.scopes(self.dataset, self.scope))
        self.budget = found.budget
        return found

    def entries(
        self,
        *,
        project: str | None = None,
        analyst: str | None = None,
        last: int | None = None,
        deliveries: bool = False,
    ) -> tuple[Entry, ...]:
        """The requests about the dataset, oldest first.

        Args:
            project, analyst: whose; left out, anybody's.
            last: the newest so many; left out, all.
            deliveries: whether those whose answer another had paid for are among them.
        """
        with self.ledger.reading() as tx:
            currency = tx.dataset(self.dataset).currency
            which: Any = {"project": project, "analyst": analyst, "last": last}
            found = [standing.entry(row, currency) for row in listing.of_dataset(tx.connection, self.dataset, **which)]
            if deliveries:
                more = listing.delivered(tx.connection, self.dataset, **which)
                found = sorted(found + [standing.delivery(row, currency) for row in more], key=lambda one: one.seq)
            return tuple(found if last is None else found[-last:])

    def last_paid(self) -> int | None:
        """What the newest request that cost something was charged, all its queries together, by anybody, in units."""
        with self.ledger.reading() as tx:
            return listing.last_paid(tx.connection, self.dataset)

    def unbounded(self) -> int:
        """How many requests without a finite guarantee were started, by anybody."""
        with self.ledger.reading() as tx:
            return len(tx.unbounded(self.dataset))

    def exact(self) -> tuple[bytes, ...]:
        """What was stored of each release of the dataset without a finite guarantee, by anybody, oldest first."""
        with self.ledger.reading() as tx:
            rows = [tx.request(name) for name, _, _ in tx.unbounded(self.dataset)]
        return tuple(bytes(row.release) for row in rows if row is not None and row.release is not None)

    # a request's life -------------------------------------------------------------------------------------------

    def reserve(
        self,
        requests: Sequence[Request],
        *,
        start: bool = True,
        again: bool = False,
        wait: float = 0.0,
        first: First | None = None,
    ) -> tuple[Grant, ...]:
        """Leave to answer all requests, or none; those that were answered before come back sealed, at no cost.

        Args:
            start: whether the data is opened at once (one durable transaction instead of two).
            again: whether an equal question is to be answered, and charged, anew.
            wait: seconds that may pass before they start, where that is longer than a lease: on answers of others.
            first: what is looked at, and entered, in the same transaction, before these; what it raises undoes all.

        Raises:
            BudgetError: when they do not all fit in every scope; nothing is charged.
            HeldError, NotApprovedError: a person must decide first, or has refused; nothing is charged.
            LedgerError: when the ledger cannot be written, or an idempotency key stands for something else.
        """
        failpoint("reserve-begin")
        repeats.check_asked(self.approval, self._key)
        self.ledger.sweep()
        requests = [self._named(request) for request in requests]
        ids = [random_id() for _ in requests]
        token = random_id()
        refusal: str | None = None
        grants: tuple[Grant, ...] = ()
        new: dict[str, Request] = {}
        known: dict[int, Sealed] = {}
        try:
            ahead = sql.before_reserving(self.dataset, self.scope, requests, again) if first is None else None
            with self.ledger.writing(ahead) as (tx, now):
                for place, request in enumerate(requests):
                    asked = self.scope, request, again, now
                    if (sealed := repeats.known(tx, self.dataset, *asked, holding=self._holding)) is not None:
                        known[place] = sealed
                new = {ids[i]: request for i, request in enumerate(requests) if i not in known}
                scopes = tx.scopes(self.dataset, self.scope)
                row = tx.dataset(self.dataset)
                standing.check_snapshots(row, new.values())
                self.budget = standing.standing(row, scopes).budget  # a signed change may have come since
                standing.check_conversion(self.budget, new.values())
                refusal = standing.refusal(scopes, list(new.values()), self.budget)
                if refusal and tx.denials(self.dataset, self.scope, moment(now - HOUR)) >= self.max_denials:
                    raise BudgetError(f"{refusal} (the log enters no more than {self.max_denials} refusals an hour)")
                state = State.DENIED if refusal else State.STARTED if start else State.RESERVED
                if first is not None and not refusal:
                    first(tx, now, [*new, *(one.request for one in known.values())])
                lease = now + max(wait, self.ledger.lease)
                standing.enter(tx, self.dataset, self.scope, new, state, token, now, row.epoch, lease)
                if not refusal:
                    earlier = tx.unbounded(self.dataset)
                    grants = tuple(standing.granted(row, scopes, requests, ids, known, token, earlier))
                failpoint("reserve-logged")
        except CommitUnknown as unknown:
            if not self.ledger.settled(lambda tx: all(tx.request(name) is not None for name in new), unknown):
                raise
        if refusal:
            self._tell("denied", *((name, request.cost) for name, request in new.items()))
            raise BudgetError(refusal)
        failpoint("reserve-committed")
        self._begun |= dict.fromkeys(new, time.monotonic())
        self._tell("started" if start else "reserved", *((name, request.cost) for name, request in new.items()))
        if known:
            self.ledger.catch_up()  # whoever sealed it may have died before the checkpoint told of it
        return grants

    def is_new(self, asked: str, key: str | None) -> bool:
        """Whether there is no answer to a question, nor a request of one's own under a key: then it was never paid for.

        A look, where :meth:`known` takes a transaction; most questions are new.
        """
        own = () if key is None else (sql.by_key(self.dataset, self.scope, key),)
        with self.ledger.aside(writes=False) as (connection, _):
            return not any(look(connection, values).first() for look, values in (*own, sql.by_asked(asked)))

    def known(self, requests: Sequence[Request]) -> tuple[Grant, ...] | None:
        """Answers that were paid for before, under their keys or to equal questions; ``None`` unless all were.

        Nothing is charged or written. Raises as :meth:`reserve` of a key that stands for something else.
        """
        with self.ledger.reading(sql.before_answering(self.dataset, self.scope, requests)) as tx:
            now, found = self.ledger.now(tx), {}
            for place, request in enumerate(requests):
                sealed = repeats.free(tx, self.dataset, self.scope, request, now, self.approval)
                if sealed is None:
                    return None
                found[place] = sealed
            row, scopes = tx.dataset(self.dataset), tx.scopes(self.dataset, self.scope)
            grants = tuple(standing.granted(row, scopes, requests, (), found, "", tx.unbounded(self.dataset)))
        self.ledger.catch_up()
        return grants

    def _named(self, request: Request) -> Request:
        if self._key is None or request.key is not None:
            return request
        return replace(request, key=f"{self._key}#{next(self._keys)}")

    def _tell(self, kind: str, *which: tuple[str, Cost]) -> None:
        """Tell whoever listens what became of requests, and, where they ended, how long after they began."""
        for name, cost in which:
            begun = None if kind in ("reserved", "started") else self._begun.pop(name, None)
            seconds = None if begun is None else time.monotonic() - begun
            whose = (self.dataset, *self.scope, name)
            told = Event(kind, time.time(), *whose, loss=cost.loss, delta=cost.delta, seconds=seconds)
            self.ledger.listeners.tell(told)

    def delivered(self, requests: Iterable[str]) -> None:
        """Tell whoever listens that answers go out now (held ones do not)."""
        if not self._holding or self._key is None:
            self._tell("delivered", *((name, Cost(self.budget.currency, 0)) for name in requests))

    def start(self, grants: Sequence[Grant]) -> None:
        """The data is about to be opened: from here on the charge stands, whatever happens."""
        with self.ledger.writing() as (tx, now):
            for grant in grants:
                if grant.sealed is None:
                    if not tx.start(grant.id, grant.token, now + self.ledger.lease):
                        raise LedgerError("the request was closed before it started; nothing was charged; ask again")
                    tx.append("started", now, public(tx.request(grant.id)), {})
        failpoint("start-committed")

    def seal(self, grant: Grant, release: bytes, digest: str, predicate: Json) -> Sealed:
        """Commit an answer: its bytes, its log entry and its certificate, all or nothing. Only then may it be shown.

        Raises :class:`LedgerError` when it cannot be committed; the charge stands and nothing may be shown.
        """
        failpoint("seal-begin")
        try:
            return self._seal(grant, release, digest, predicate)
        except LedgerError as error:
            raise LedgerError(f"{error}; this answer is not shown, and its charge stands") from None

    def _seal(self, grant: Grant, release: bytes, digest: str, predicate: Json) -> Sealed:
        note, size, signed = "", 0, b""
        try:
            with self.ledger.writing(sql.before_sealing(self.dataset, grant.id)) as (tx, now):
                row = tx.request(grant.id)
                if row is None or row.state != "started" or row.token != grant.token:
                    raise LedgerError("the request took longer than its lease and was closed")
                others = standing.others(tx, self.dataset, grant.id)
                cost, path = (row.loss, row.delta), tx.head.frontier.next_path()
                seq, said = tx.head.size, public(row)
                entry = tx.append("committed", now, said, {"release": digest, "snapshot": row.snapshot})
                tx.charge(self.dataset, self.scope, reserved=(-row.loss, -row.delta), spent=cost)
                tx.lived(self.dataset, *cost, finite=not row.unbounded)
                failpoint("seal-logged")
                note, size = self.ledger.checkpoint(tx), tx.head.size
                log = attest.place(self.ledger.origin, seq, entry, tx.head.hash, note, path)
                told = predicate | {"request_id": grant.id, "other_releases": others, "log": log}
                told["budget"] = standing.told(self.dataset, grant.standing, grant.before, cost, self.ledger.memory)
                signed = attest.certificate(digest, told, self.ledger.signer)
                if not tx.seal(grant.id, grant.token, release, signed, held=self._holding):
                    raise InternalError("a started request could not be sealed by its own worker")
                if self.ending is not None:
                    self.ending.write(tx.connection, now, grant.id, waits=False)
                failpoint("seal-stored")
        except CommitUnknown as unknown:
            found = self.ledger.settled(lambda tx: tx.request(grant.id), unknown)
            if found is None or found.state != "committed" or found.certificate != signed:
                raise
        failpoint("seal-committed")
        self.ledger.publish(note, size)
        self._tell("committed", (grant.id, Cost(self.budget.currency, *cost)))
        return Sealed(grant.id, release, signed, self.scope)

    def deliver(self, grant: Grant, made: Callable[[Standing], tuple[bytes, str, Json]]) -> Sealed:
        """Enter that an answer goes to somebody who asked the same as another had; each of them is entered once.

        Args:
            made: of the account as it is then: the answer's bytes as they are to be shown here, their digest, and what
                a certificate of them states. It is called while nobody else writes, so that both tell one account.
        """
        sealed, note, size = grant.sealed, "", 0
        if sealed is None:
            raise InternalError("only a sealed answer can be delivered")
        with self.ledger.writing(sql.before_delivering(self.dataset, grant.id, self.scope)) as (tx, now):
            if tx.delivery(grant.id, self.scope) is not None:  # by another thread, since it was looked up
                return repeats.shared(tx, tx.request(grant.id), self.scope)
            row, others = tx.request(grant.id), standing.others(tx, self.dataset, grant.id)
            others["dp"] -= not row.unbounded  # itself, which left before
            mine = {"project": self.scope[0], "analyst": self.scope[1], "loss": 0, "delta": 0}
            here = standing.standing(tx.dataset(self.dataset), tx.scopes(self.dataset, self.scope))
            release, digest, predicate = made(here)
            seq, path = tx.head.size, tx.head.frontier.next_path()
            said = public(row) | mine | {"epoch": here.epoch}
            entry = tx.append("delivered", now, said, {"release": digest, "snapshot": row.snapshot})
            note, size = self.ledger.checkpoint(tx), tx.head.size
            log = attest.place(self.ledger.origin, seq, entry, tx.head.hash, note, path)
            told = predicate | {"request_id": grant.id, "other_releases": others, "log": log}
            told["budget"] = standing.told(self.dataset, here, here.spent.loss, (0, 0), self.ledger.memory)
            signed = attest.certificate(digest, told, self.ledger.signer)
            tx.deliver(grant.id, self.scope, release, signed)
        self.ledger.publish(note, size)
        return Sealed(grant.id, release, signed, sealed.scope, delivered=True)

    def close(self, grants: Sequence[Grant]) -> None:
        """End whatever is still under way: what has started is forfeited (charged), what has not is voided."""
        if not grants:
            return
        with self.ledger.reading() as tx:
            if not any(self._mine(tx, grant) for grant in grants):
                return
        with self.ledger.writing() as (tx, now):
            rows = [row for grant in grants if (row := self._mine(tx, grant)) is not None]
            for row in rows:
                close(tx, row, now)
            failpoint("close-moved")
        failpoint("close-committed")
        for row in rows:
            kind = "forfeited" if row.state == "started" else "voided"
            self._tell(kind, (row.id, Cost(self.budget.currency, row.loss, row.delta)))

    def _mine(self, tx: Transaction, grant: Grant) -> Any:
        row = None if grant.sealed is not None else tx.request(grant.id)
        return row if row is not None and State(row.state).open and row.token == grant.token else None

    @contextlib.contextmanager
    def closing(self, grants: Sequence[Grant]) -> Iterator[None]:
        """Whatever is raised inside, no request stays under way; a ledger that cannot be written does not hide why.

        While it lasts the lease is renewed: a fit of an hour is not taken for one that was left behind.
        """
        with self.ledger.keeper.keeping(lambda: self._keep(grants)):
            try:
                yield
            except BaseException:
                with contextlib.suppress(UserError):
                    self.close(grants)
                raise

    def _keep(self, grants: Sequence[Grant]) -> None:
        with self.ledger.writing() as (tx, now):
            for grant in grants:
                tx.keep(grant.id, grant.token, now + self.ledger.lease)
