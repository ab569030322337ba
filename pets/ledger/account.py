"""Account: one dataset in a ledger, as one analyst of one project sees it.

The order is the promise: a cost is reserved in every scope or in none, durably, before the data is opened; an answer is
sealed, durably, before it is shown; and what fails in between stays charged.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pets.common.codec import Json
from pets.common.entropy import random_id
from pets.errors import BudgetError, InternalError, LedgerError, UsedKeyError, UserError
from pets.ledger.db import sql
from pets.ledger.db.row_types import ROOT, Scope, ScopeRow, moment, parsed, text
from pets.ledger.db.store import CommitUnknown
from pets.ledger.db.transaction import Book
from pets.ledger.failpoint import failpoint
from pets.ledger.ledger import Ledger, close, public
from pets.ledger.log import attest
from pets.ledger.root import Root, open_root
from pets.ledger.states import Entry, Grant, Request, Sealed, Standing, State
from pets.protection.budget import DELTA_UNIT, Budget, Cost, told_apart


class Account:
    """Reserves, starts, seals and closes requests against one dataset's budget; safe from threads and processes.

    Raises:
        LedgerError, BudgetError: where the ledger knows the dataset otherwise: another unit, cap or currency, or the
            same source under another name.
    """

    def __init__(self, ledger: Ledger, root: Root, project: str, analyst: str) -> None:
        self.ledger = ledger
        self.dataset = root.dataset
        self.scope: Scope = (project, analyst)
        open_root(ledger, root)
        self.budget = self.standing().budget

    # standing ---------------------------------------------------------------------------------------------------

    def standing(self) -> Standing:
        """The account now."""
        with self.ledger.reading() as book:
            return _standing(book.dataset(self.dataset), book.scopes(self.dataset, self.scope))

    def entries(self) -> tuple[Entry, ...]:
        """Every request about the dataset, by anybody, oldest first."""
        with self.ledger.reading() as book:
            currency = book.dataset(self.dataset).currency
            return tuple(_entry(row, currency) for row in book.of_dataset(self.dataset))

    def exact(self) -> tuple[bytes, ...]:
        """What was stored of each release of the dataset without a finite guarantee, by anybody, oldest first."""
        with self.ledger.reading() as book:
            rows = [book.request(name) for name, _, _ in book.unbounded(self.dataset)]
        return tuple(bytes(row.release) for row in rows if row is not None and row.release is not None)

    # a request's life -------------------------------------------------------------------------------------------

    def reserve(self, requests: Sequence[Request], *, start: bool = True, again: bool = False) -> tuple[Grant, ...]:
        """Leave to answer all requests, or none; those that were answered before come back sealed, at no cost.

        Args:
            start: whether the data is opened at once (one durable transaction instead of two).
            again: whether an equal question is to be answered, and charged, anew.

        Raises:
            BudgetError: when they do not all fit in every scope; nothing is charged.
            LedgerError: when the ledger cannot be written, or an idempotency key stands for something else.
        """
        failpoint("reserve-begin")
        self.ledger.sweep()
        ids = [random_id() for _ in requests]
        token = random_id()
        refusal: str | None = None
        grants: tuple[Grant, ...] = ()
        new: dict[str, Request] = {}
        known: dict[int, Sealed] = {}
        try:
            with self.ledger.writing(sql.before_reserving(self.dataset, self.scope, requests, again)) as (book, now):
                known = {i: s for i, r in enumerate(requests) if (s := self._known(book, r, again, now)) is not None}
                new = {ids[i]: request for i, request in enumerate(requests) if i not in known}
                scopes = book.scopes(self.dataset, self.scope)
                row = book.dataset(self.dataset)
                _check_snapshots(row, new.values())
                refusal = self._refusal(scopes, list(new.values()))
                state = State.DENIED if refusal else State.STARTED if start else State.RESERVED
                self._enter_requests(book, new, state, token, now, row.epoch)
                if not refusal:
                    grants = tuple(_granted(row, scopes, requests, ids, known, token, book.unbounded(self.dataset)))
                failpoint("reserve-logged")
        except CommitUnknown as unknown:
            if not self.ledger.settled(lambda book: all(book.request(name) is not None for name in new), unknown):
                raise
        if refusal:
            raise BudgetError(refusal)
        failpoint("reserve-committed")
        if known:
            self.ledger.catch_up()  # whoever sealed it may have died before the checkpoint told of it
        return grants

    def _known(self, book: Book, request: Request, again: bool, now: float) -> Sealed | None:
        """The answer that was already paid for: under this idempotency key, or to this question."""
        if request.key is not None and (row := book.by_key(self.dataset, request.key)) is not None:
            # not the snapshot: another process may have made the same data ready under another name
            if (row.question, row.protection) != (request.question, text(request.protection)):
                raise UsedKeyError(f"the key {request.key!r} was used for another question; use a new key")
            if row.state == "committed":
                return Sealed(row.id, bytes(row.release), bytes(row.certificate))
            if row.state == "reserved" and row.lease < now:
                close(book, row, now)  # left behind before any data was opened: the key is free again
            elif row.state == "forfeited" or row.lease < now:
                raise UsedKeyError(
                    f"the request under key {request.key!r} failed after the data was opened; its charge stands; to "
                    "ask again, and be charged again, use a new key"
                )
            else:
                raise UsedKeyError(f"the request under key {request.key!r} is still being answered; ask again later")
        if not again and (row := book.by_asked(request.asked)) is not None:
            return Sealed(row.id, bytes(row.release), bytes(row.certificate))
        return None

    def _refusal(self, scopes: Sequence[ScopeRow], requests: Sequence[Request]) -> str | None:
        """Why the requests do not fit, from public numbers alone (``None``: they fit)."""
        cost = Cost(self.budget.currency, 0)
        for request in requests:
            cost = cost + request.cost
        for scope in scopes:
            if (left := scope.left) is None or (cost.loss <= left[0] and cost.delta <= left[1]):
                continue
            what = "this query" if len(requests) == 1 else f"these {len(requests)} queries"
            if cost.loss <= left[0]:
                delta, spare = told_apart(cost.delta / DELTA_UNIT, max(0, left[1]) / DELTA_UNIT)
                return (
                    f"{what} would cost δ = {delta} for thresholds and {_whose(scope)} has room for δ = {spare}; "
                    "nothing was spent; ask with a smaller delta"
                )
            room = Cost(cost.currency, max(0, left[0]), max(0, left[1]))
            asked, spare = told_apart(self.budget.describe(cost)[0], self.budget.describe(room)[0])
            at = f" (at δ = {self.budget.conversion_delta:g})" if self.budget.delta else ""
            return (
                f"{what} would cost ε = {asked} and {_whose(scope)} has room for ε = {spare}{at}; nothing was "
                "spent; ask with a smaller epsilon, or for less accuracy"
            )
        return None

    def _enter_requests(
        self, book: Book, new: Mapping[str, Request], state: State, token: str, now: float, epoch: int
    ) -> None:
        rows = []
        for name, request in new.items():
            row = {
                "id": name,
                "dataset": self.dataset,
                "project": self.scope[0],
                "analyst": self.scope[1],
                "key": None if state is State.DENIED else request.key,
                "asked": request.asked,
                "snapshot": request.snapshot,
                "epoch": epoch,
                "at": moment(now),
                "tbl": request.table,
                "what": request.what,
                "question": request.question,
                "protection": text(request.protection),
                # a cost that no budget holds is denied; the column need not hold it either
                "loss": min(request.cost.loss, _GREATEST),
                "delta": min(request.cost.delta, _GREATEST),
                "unbounded": request.unbounded,
                "state": state.value,
                "token": token,
                "lease": now + self.ledger.lease,
                "seq": book.head.size,
            }
            private = {"question": request.question, "query": request.query, "asked": request.asked, "key": request.key}
            book.append(state.value, now, public(_Row(row)), private | {"snapshot": request.snapshot})
            rows.append(row)
        if not rows:
            return
        if state is not State.DENIED:
            costs = [request.cost for request in new.values()]
            total = (sum(cost.loss for cost in costs), sum(cost.delta for cost in costs))
            book.charge(self.dataset, self.scope, reserved=total)
            failpoint("reserve-charged")
        book.add_requests(rows)

    def start(self, grants: Sequence[Grant]) -> None:
        """The data is about to be opened: from here on the charge stands, whatever happens."""
        with self.ledger.writing() as (book, now):
            for grant in grants:
                if grant.sealed is None:
                    if not book.start(grant.id, grant.token, now + self.ledger.lease):
                        raise LedgerError("the request was closed before it started; nothing was charged; ask again")
                    book.append("started", now, public(book.request(grant.id)), {})
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
            with self.ledger.writing(sql.before_sealing(self.dataset, grant.id)) as (book, now):
                row = book.request(grant.id)
                if row is None or row.state != "started" or row.token != grant.token:
                    raise LedgerError("the request took longer than its lease and was closed")
                others = self._others(book, grant.id)
                cost, path = (row.loss, row.delta), book.head.frontier.next_path()
                seq, said = book.head.size, public(row)
                entry = book.append("committed", now, said, {"release": digest, "snapshot": row.snapshot})
                book.charge(self.dataset, self.scope, reserved=(-row.loss, -row.delta), spent=cost)
                book.lived(self.dataset, *cost, finite=not row.unbounded)
                failpoint("seal-logged")
                note, size = self.ledger.checkpoint(book), book.head.size
                log = attest.place(self.ledger.origin, seq, entry, book.head.hash, note, path)
                told = predicate | {"request_id": grant.id, "other_releases": others, "log": log}
                told["budget"] = self._told(grant, cost)
                signed = attest.certificate(digest, told, self.ledger.signer)
                if not book.seal(grant.id, grant.token, release, signed):
                    raise InternalError("a started request could not be sealed by its own worker")
                failpoint("seal-stored")
        except CommitUnknown as unknown:
            found = self.ledger.settled(lambda book: book.request(grant.id), unknown)
            if found is None or found.state != "committed" or found.certificate != signed:
                raise
        failpoint("seal-committed")
        self.ledger.publish(note, size)
        return Sealed(grant.id, release, signed)

    def _others(self, book: Book, own: str) -> Json:
        """What else of this dataset has left by now: how many with a guarantee, and which without."""
        found = book.unbounded(self.dataset)
        without = [{"request_id": name, "at": at, "what": what} for name, at, what in found if name != own]
        return {"dp": book.dataset(self.dataset).releases, "unbounded": without}

    def _told(self, grant: Grant, cost: tuple[int, int]) -> Json:
        """The budget as the certificate tells it, in units of the currency."""
        standing = grant.standing
        budget = standing.budget
        return {
            "scope": self.dataset,
            "currency": budget.currency,
            "epoch": standing.epoch,
            "cap": budget.cap.loss,
            "charged": cost[0],
            "charged_delta": cost[1],
            "after": standing.spent.loss,
            "before": grant.before,
            "lifetime": standing.lifetime.loss,
            "ledger": "memory" if self.ledger.memory else "durable",
        }

    def close(self, grants: Sequence[Grant]) -> None:
        """End whatever is still under way: what has started is forfeited (charged), what has not is voided."""
        if not grants:
            return
        with self.ledger.reading() as book:
            if not any(self._mine(book, grant) for grant in grants):
                return
        with self.ledger.writing() as (book, now):
            for grant in grants:
                row = self._mine(book, grant)
                if row is not None:
                    close(book, row, now)
            failpoint("close-moved")
        failpoint("close-committed")

    def _mine(self, book: Book, grant: Grant) -> Any:
        row = None if grant.sealed is not None else book.request(grant.id)
        return row if row is not None and State(row.state).open and row.token == grant.token else None

    @contextlib.contextmanager
    def closing(self, grants: Sequence[Grant]) -> Iterator[None]:
        """Whatever is raised inside, no request stays under way; a ledger that cannot be written does not hide why.

        While it lasts the lease is renewed: a fit of an hour is not taken for one that was left behind.
        """
        done = threading.Event()
        keeper = threading.Thread(target=self._keep, args=(grants, done), daemon=True)
        keeper.start()
        try:
            yield
        except BaseException:
            with contextlib.suppress(UserError):
                self.close(grants)
            raise
        finally:
            done.set()
            keeper.join()

    def _keep(self, grants: Sequence[Grant], done: threading.Event) -> None:
        while not done.wait(self.ledger.lease / 3):
            with contextlib.suppress(UserError), self.ledger.writing() as (book, now):
                for grant in grants:
                    book.keep(grant.id, grant.token, now + self.ledger.lease)


_GREATEST = 2**63 - 1


class _Row:
    """A request's row before it is stored."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.__dict__.update(values)


def _granted(
    row: Any,
    scopes: Sequence[ScopeRow],
    requests: Sequence[Request],
    ids: Sequence[str],
    known: Mapping[int, Sealed],
    token: str,
    earlier: tuple[tuple[str, str, str], ...],
) -> Iterator[Grant]:
    """One grant a request, each with the account as it is after it and those before it."""
    loss, delta = 0, 0
    for place, request in enumerate(requests):
        before = _standing(row, [scope.holding(loss, delta) for scope in scopes]).spent.loss
        if place not in known:
            loss, delta = loss + request.cost.loss, delta + request.cost.delta
        standing = _standing(row, [scope.holding(loss, delta) for scope in scopes])
        name = known[place].request if place in known else ids[place]
        yield Grant(name, token, standing, before, earlier, known.get(place))


def _standing(row: Any, scopes: Sequence[ScopeRow]) -> Standing:
    """The account in a dataset's row and its scopes, the root first."""
    currency, root = row.currency, scopes[0]
    lefts = [left for scope in scopes if (left := scope.left) is not None]
    return Standing(
        budget=_budget(row.budget),
        spent=Cost(currency, root.reserved[0] + root.spent[0], root.reserved[1] + root.spent[1]),
        left=Cost(currency, max(0, min(left[0] for left in lefts)), max(0, min(left[1] for left in lefts))),
        lifetime=Cost(currency, row.lifetime_loss + root.reserved[0], row.lifetime_delta + root.reserved[1]),
        epoch=row.epoch,
    )


@functools.lru_cache(maxsize=256)
def _budget(form: str) -> Budget:
    return Budget.from_json(parsed(form))


def _check_snapshots(row: Any, requests: Iterable[Request]) -> None:
    """A renewed budget is for the new data that its signed change names, and for no other."""
    admitted = parsed(row.snapshots)
    for request in requests:
        # (a page about the whole dataset is of no snapshot, and spends nothing)
        if admitted and request.snapshot and request.snapshot not in admitted:
            raise BudgetError(
                "the budget was renewed for other data than this snapshot; open the session with the snapshots= folder "
                "that holds the renewed one, or have this one admitted (pets ledger change --snapshot)"
            )


def _entry(row: Any, currency: Any) -> Entry:
    import datetime as dt

    return Entry(
        id=row.id,
        at=dt.datetime.fromisoformat(row.at),
        project=row.project,
        analyst=row.analyst,
        table=row.tbl,
        what=row.what,
        question=row.question,
        protection=row.protection,
        cost=Cost(currency, row.loss, row.delta),
        state=State(row.state),
        unbounded=bool(row.unbounded),
        epoch=row.epoch,
    )


def _whose(scope: ScopeRow) -> str:
    if (scope.project, scope.analyst) == ROOT:
        return "the budget"
    return f"analyst {scope.analyst!r}" if scope.analyst else f"project {scope.project!r}"
