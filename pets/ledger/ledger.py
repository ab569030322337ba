"""Ledger: the database, the key that signs, the clock, and the checkpoint outside the database.

It opens only where it can be trusted: durable storage, its own key, and a log that holds all that was ever published.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from pets.common import signing
from pets.common.arguments import plain_arguments
from pets.common.entropy import random_id
from pets.common.signing import SigningKey, VerifyingKey
from pets.errors import LedgerError, UserError, VerificationError, shown
from pets.ledger.db import sql
from pets.ledger.db.keeper import Keeper
from pets.ledger.db.row_types import moment, parsed
from pets.ledger.db.store import POOL, CommitUnknown, Connection, Store
from pets.ledger.db.totals import check_totals
from pets.ledger.db.transaction import Transaction
from pets.ledger.events import Event, Listeners
from pets.ledger.failpoint import failpoint
from pets.ledger.incidents import Incidents
from pets.ledger.log.checkpoint import Checkpoint, dataset_id, newest, parse, publish, published_size

REBASE = "pets ledger recover --rebase --reason WHY --by NAME --by NAME"
LEASE = 30.0
"""Seconds that a request may be under way before others may close it; whoever answers it renews that all the while."""

SKEW = 60.0
"""Seconds that the clocks of two hosts may differ."""

SWEEP = 60.0
"""Seconds between two looks for requests that were left behind."""


class Ledger:
    """Everything that ever left, what it cost, and the proof.

    Attributes:
        label: the address, without a password (``in_file``: whether it is that of a file).
        key: the public half of the key that signs certificates and checkpoints.
        origin: the ledger's public name; it never changes.
        incidents: what went wrong in failed requests, for the custodian alone.
        listeners, keeper: whom this process tells of every change; and what renews leases.
        recovered: how many requests were left behind by others, and closed when it was opened.
    """

    @plain_arguments(LedgerError, "Ledger", "open one with pets.Ledger('ledger.db')")
    def __init__(
        self,
        address: str | Path | None = None,
        *,
        keys: str | Path | None = None,
        lease: float = LEASE,
        pool: int = POOL,
        clock: Callable[[], float] = time.time,
        check: bool = True,
    ) -> None:
        """Open a ledger, or make it.

        Args:
            address: a file (SQLite), a ``postgresql://`` URL, or nothing: memory, which dies with the process.
            keys: the folder of the signing key and the published checkpoint. Left out: beside the file; for PostgreSQL
                a folder in ``~/.pets``. Several hosts need the same folder.
            lease: seconds after which a request that was left behind is closed.
            pool: connections to the database that this process opens at most; threads beyond them wait for one.
            check: whether the log must hold all that was published. Only a recovery opens it otherwise.

        Raises:
            LedgerError: with the remedy, where the ledger cannot be kept safely or has lost entries.
        """
        if address is not None and (not isinstance(address, (str, Path)) or not str(address) or "\x00" in str(address)):
            raise LedgerError(f"a ledger is a file such as 'ledger.db' or a PostgreSQL URL, not {shown(address)}")
        if isinstance(lease, bool) or not isinstance(lease, (int, float)) or not 0 < lease < 10**7:
            raise LedgerError(f"a lease is a number of seconds above 0, not {shown(lease)}")
        if isinstance(pool, bool) or not isinstance(pool, int) or not 0 < pool <= 1000:
            raise LedgerError(f"a pool is a whole number of connections from 1 to 1000, not {shown(pool)}")
        self._clock, self.lease = clock, float(lease)
        self.listeners, self.keeper = Listeners(), Keeper(self.lease / 3)
        self._store = Store(None if address is None else str(address), pool)
        self.label, self.memory, self.in_file = self._store.label, self._store.memory, self._store.path is not None
        self._folder, stem = self._places(keys)
        self.checkpoint_path = None if self.memory else self._folder / f"{stem}.checkpoint"
        self.incidents = Incidents(None if self.memory else self._folder / f"{stem}.incidents")
        self.public_path = None if self.memory else self._folder / f"{stem}.pub"
        self._seen: tuple[int, bytes] = (0, b"")
        self._swept, self._lock, self.recovered = float("-inf"), threading.Lock(), 0
        self._signing = self._key(None if self.memory else self._folder / f"{stem}.key")
        self.key: VerifyingKey = self._signing.public
        with self.reading() as tx:
            self.origin = tx.head.origin
            if tx.head.key != self.key.raw.hex():
                raise LedgerError(
                    f"the ledger {self.label!r} is signed with another key than the one in {str(self._folder)!r}; "
                    "copy its key there from the host that made it"
                )
        if check:
            self.check()
            self.recovered = self.recover()
            self.publish()

    def __repr__(self) -> str:
        return f"<Ledger {self.origin} in {self.label}>"

    def __reduce__(self) -> NoReturn:
        raise UserError("a ledger is never pickled; open it again where it is needed")

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database; committed entries are safe without it, and no lease is renewed any more."""
        self.keeper.close()
        self._store.close()

    def _places(self, keys: str | Path | None) -> tuple[Path, str]:
        path = self._store.path
        stem = path.name if path is not None else "ledger"
        if keys is not None:
            return Path(keys), stem
        if path is not None:
            return path.parent, stem
        return Path.home() / ".pets" / hashlib.sha256(self.label.encode()).hexdigest()[:16], stem

    def _key(self, path: Path | None) -> SigningKey:
        """The key; a new ledger's is made first, so that no entry is ever without one."""
        with self._store.write() as connection:
            self._store.alone(connection)
            fresh = not Transaction.begun(connection)
            if fresh and self.checkpoint_path is not None and self.checkpoint_path.exists():
                raise LedgerError(
                    f"there is no ledger in {self.label!r}, but its published checkpoint is still there: restore the "
                    f"ledger from a backup; to begin a new one, first move {self.checkpoint_path.name} away"
                )
            if path is None:
                key = signing.ephemeral()
            elif fresh or path.exists():
                key = signing.load_or_make(path)
            else:
                raise LedgerError(
                    f"the ledger's signing key {str(path)!r} is missing; restore it from your backup of the keys, or "
                    "copy it from the host that made the ledger"
                )
            if fresh:
                origin = f"pets-ledger/{random_id()[:16]}"
                now = self._clock()
                Transaction.begin_log(connection, origin, key.public.raw.hex(), now)
                tx = Transaction(connection, writes=True)
                tx.append("ledger", now, {"origin": origin, "key": key.public.raw.hex(), "version": 1}, {})
                tx.finish()
        return key

    # transactions -----------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def reading(self, ahead: sql.Ahead | None = None) -> Iterator[Transaction]:
        """A look at the ledger; ``ahead`` as for :meth:`writing`."""
        with self._store.read(pipelined=ahead is not None) as connection:
            yield Transaction(connection, ahead=ahead or ())

    @contextlib.contextmanager
    def writing(self, ahead: sql.Ahead | None = None) -> Iterator[tuple[Transaction, float]]:
        """A durable transaction, and its time.

        Args:
            ahead: what will be asked for in any case, so that one round trip fetches it; within such a transaction
                only what is prepared may be asked (see :meth:`Store.write`).

        Raises :class:`LedgerError` where the clock runs behind the log, or the log behind what this process has seen.
        """
        with self._store.write(pipelined=ahead is not None) as connection:
            tx = Transaction(connection, writes=True, ahead=ahead or ())
            self._check_seen(tx, self._seen)
            yield tx, self.now(tx)
            tx.finish()
        # only what is durable counts as seen
        self._seen = max(self._seen, (tx.head.size, tx.head.hash))

    @contextlib.contextmanager
    def aside(self, *, writes: bool = True, **how: bool) -> Iterator[tuple[Connection, float]]:
        """A transaction beside the account and its log (see :meth:`Store.write`), or looks, each of its own moment."""
        with self._store.write(**how) if writes else self._store.glance() as connection:
            yield connection, self._clock()

    def time(self) -> float:
        """The clock's time, in seconds since 1970."""
        return self._clock()

    def now(self, tx: Transaction) -> float:
        """The time of the next entry: never before the newest one."""
        now = self._clock()
        if now < tx.head.at - SKEW:
            raise LedgerError(
                f"this machine's clock says {moment(now)}, and the ledger's newest entry is of {moment(tx.head.at)}; "
                "set the clock, or, if that entry was written by a clock that ran ahead, wait until then"
            )
        return max(now, tx.head.at)

    def _check_seen(self, tx: Transaction, seen: tuple[int, bytes]) -> None:
        size, chain = seen
        here = tx.head.hash if tx.head.size == size else tx.chain_at(size)
        if tx.head.size < size or (here != chain and size):
            self._fall_back(size, tx.head.size)

    def check_same(self) -> None:
        """Raises :class:`LedgerError` where the database is no longer the one that this process has seen.

        So it is once an older copy was put in its place, whatever was done to that since: this process counts on what
        was lost. What is there now counts as seen.
        """
        seen = self._seen  # first: what is entered meanwhile, the look finds
        with self.reading() as tx:
            self._check_seen(tx, seen)
        self._seen = max(self._seen, (tx.head.size, tx.head.hash))

    def _fall_back(self, published: int, found: int) -> NoReturn:
        raise LedgerError(
            f"the ledger {self.label!r} has lost entries: {published} were published and it holds {found} (or others "
            f"in their place), as after restoring an old backup; it stays closed. Restore the newest copy, or run: "
            f"{REBASE} (what was lost then counts as spent). Where either was done, start this process anew"
        )

    # checkpoints ------------------------------------------------------------------------------------------------

    def published(self) -> Checkpoint | None:
        """The checkpoint outside the database; raises :class:`VerificationError` when it is damaged."""
        try:
            note = None if self.checkpoint_path is None else newest(self.checkpoint_path, self.key)
            return None if note is None else parse(note.decode(), self.key)
        except (OSError, UnicodeDecodeError):
            raise VerificationError(f"the checkpoint {str(self.checkpoint_path)!r} cannot be read") from None

    def check(self) -> None:
        """As :meth:`check_same`; and :class:`LedgerError` where the log is behind its checkpoint."""
        try:
            # first what was published: whoever publishes meanwhile has committed what the later look will find
            found = self.published()
        except VerificationError as error:
            raise LedgerError(f"{error}; the ledger stays closed") from None
        with self.reading() as tx:
            self._check_published(tx, found)
        self.check_same()

    def _check_published(self, tx: Transaction, found: Checkpoint | None) -> None:
        if self.memory:
            return
        if found is None:
            if tx.any_requests():
                raise LedgerError(
                    f"the published checkpoint {str(self.checkpoint_path)!r} is missing, so nobody can tell whether "
                    f"the ledger lost entries; restore it, or run: {REBASE}"
                )
            return
        if found.origin != self.origin:
            raise LedgerError(
                f"the checkpoint {str(self.checkpoint_path)!r} is of another ledger; restore the right one"
            )
        if found.size > tx.head.size or tx.chain_at(found.size) != found.chain:
            self._fall_back(found.size, tx.head.size)
        check_totals(tx, found, self._totals(tx), self.label)

    def checkpoint(self, tx: Transaction) -> str:
        """The signed statement of what the log holds now."""
        head = tx.head
        root, totals = head.frontier.root(), self._totals(tx)
        made = Checkpoint(head.origin, head.size, root, head.hash, moment(head.at), totals)
        return made.signed(self._signing)

    def _totals(self, tx: Transaction) -> dict[str, tuple[int, ...]]:
        """By dataset id: what was charged, also in datasets that only an earlier checkpoint knew."""
        tx.send((sql.GET_LOST, {}), (sql.GET_TOTALS, {}))
        return tx.all_lost() | {dataset_id(name): parts for name, parts in tx.totals().items()}

    def publish(self, note: str | None = None, size: int | None = None) -> None:
        """Write a checkpoint outside the database (left out: of the log as it is)."""
        if self.checkpoint_path is None:
            return
        if note is None or size is None:
            with self.reading() as tx:
                note, size = self.checkpoint(tx), tx.head.size
        publish(self.checkpoint_path, note, size, self.key)
        failpoint("checkpoint-written")

    def catch_up(self, size: int | None = None) -> None:
        """Publish, if the log has grown since; with a ``size``, only where the checkpoint does not cover that much."""
        if self.checkpoint_path is not None:
            if size is None:
                with self.reading() as tx:
                    size = tx.head.size
            if published_size(self.checkpoint_path, self.key) < size:
                self.publish()

    @property
    def signer(self) -> SigningKey:
        """The key's handle: it signs, and shows nothing."""
        return self._signing

    # recovery ---------------------------------------------------------------------------------------------------

    def recover(self) -> int:
        """Close requests that were left behind: RESERVED ones are voided, STARTED ones forfeited. Returns how many.

        Safe at any time and from several processes: each request is closed once.
        """
        self._swept = self._clock()
        with self.reading() as tx:
            if not tx.expired(self._clock()):
                return 0
        with self.writing() as (tx, now):
            rows = tx.expired(now)
            for row in rows:
                close(tx, row, now)
            failpoint("close-moved")
        failpoint("close-committed")
        self.tell_closed(rows)
        return len(rows)

    def tell_closed(self, rows: Sequence[Any]) -> None:
        """Tell that requests were closed which others had left under way."""
        for row in rows:
            kind = "forfeited" if row.state == "started" else "voided"
            whose = (row.dataset, row.project, row.analyst, row.id)
            self.listeners.tell(Event(kind, self._clock(), *whose, loss=row.loss, delta=row.delta))

    def sweep(self) -> None:
        """:meth:`recover`, at most once a minute."""
        with self._lock:
            due = self._clock() - self._swept >= SWEEP
            if due:
                self._swept = self._clock()
        if due:
            self.recover()

    def settled(self, look: Callable[[Transaction], Any], unknown: CommitUnknown) -> Any:
        """What became of a transaction whose connection was lost while it was committed."""
        for wait in (0.05, 0.2, 1.0, 3.0, 6.0):
            with contextlib.suppress(LedgerError), self.reading() as tx:
                return look(tx)
            time.sleep(wait)
        raise unknown


def close(tx: Transaction, row: Any, now: float) -> None:
    """End a request that is under way: what has started stays charged, what has not is refunded."""
    scope, cost = (row.project, row.analyst), (row.loss, row.delta)
    back = (-row.loss, -row.delta)
    if row.state == "started":
        if not tx.forfeit(row):
            return
        tx.charge(row.dataset, scope, reserved=back, spent=cost)
        tx.lived(row.dataset, *cost)
        event = "forfeited"
    else:
        if not tx.void(row):
            return
        tx.charge(row.dataset, scope, reserved=back)
        event = "voided"
    tx.append(event, now, public(row), {})


def public(row: Any) -> dict[str, Any]:
    """What the log's public body says of a request: who, what and at what cost, without any constant of a filter."""
    return {
        "request": row.id,
        "dataset": row.dataset,
        "project": row.project,
        "analyst": row.analyst,
        "table": row.tbl,
        "what": row.what,
        "protection": parsed(row.protection),
        "epoch": row.epoch,
        "loss": row.loss,
        "delta": row.delta,
        "unbounded": bool(row.unbounded),
        # (requests from before it was entered have none, and no log is written anew)
        **({} if row.schema_digest is None else {"metadata_sha256": row.schema_digest}),
    }
