"""Processes that work on a ledger until they are killed."""

from __future__ import annotations

import contextlib
import hashlib
import multiprocessing as mp
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pets.errors import BudgetError, LedgerError
from pets.ledger import change, failpoint
from pets.ledger.account import Account
from pets.ledger.db import store
from pets.ledger.db.pool import turns
from pets.ledger.ledger import Ledger
from tests.ledgers import AT_ONCE, Place, account, cap, opened, request, seal

EXPECTED = ("still being answered", "failed after the data was opened", "longer than its lease", "closed before it")
"""What a worker may be told in passing, when others were killed under a key that it asks for again."""

_context = mp.get_context("forkserver")
_context.set_forkserver_preload(["tests.attacks.ledger_workers"])

LEASE = 900.0  # longer than all that is killed at one place takes on a busy machine


def _load_everything() -> None:
    """What is imported late (the driver, the signatures, the migrations) is imported before workers are forked."""
    import alembic.command  # noqa: F401
    import psycopg  # noqa: F401
    import sqlalchemy.dialects.postgresql.psycopg  # noqa: F401

    with contextlib.closing(Ledger()) as ledger:
        seal(account(ledger), account(ledger).reserve([request()])[0])


_load_everything()


def begin(work: Callable[..., None], *args: Any) -> Any:
    """A process of its own, forked from one in which everything is loaded and nothing is open."""
    process = _context.Process(target=work, args=args, daemon=True)
    process.start()
    return process


def run(work: Callable[..., None], *args: Any, seconds: float = 60) -> int:
    """The exit status of a process; negative: the signal that ended it."""
    process = begin(work, *args)
    process.join(seconds)
    if process.exitcode is None:
        process.kill()
        raise AssertionError("a worker hangs")
    return int(process.exitcode)


class Diary:
    """What a worker delivered, line by line, in a file that outlives it."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o600)

    def note(self, *words: str) -> None:
        os.write(self._file, ("\t".join(words) + "\n").encode())


class Trouble(Exception):
    """A measurement fails."""


def writer(place: Place, number: int, seed: int, diary: str, lease: float, stop_after: int = 10**9) -> None:
    """Ask without end: alone and in batches, under keys, again, in two steps, with failures; spend every dataset."""
    told = Diary(diary)
    rng = random.Random(seed)
    try:
        ledger = place.open(lease=lease)
        dataset = 0
        asker = _opened(ledger, dataset, number)
        for turn in range(stop_after):
            found = _turn(asker, rng, told, f"{number}", turn)
            if not found:  # nothing of this budget is left, for this analyst
                dataset += 1
                asker = _opened(ledger, dataset, number)
    except Exception as error:
        told.note("error", type(error).__name__, str(error))
        raise


def _opened(ledger: Any, dataset: int, number: int) -> Account:
    project = f"p{number % 3}"
    found = account(ledger, f"d{dataset}", 1000, project, f"a{number}")
    with ledger.reading() as tx:
        capped = any(s.project == project and s.cap for s in tx.all_scopes(f"d{dataset}"))
    if not capped:
        cap(ledger, f"d{dataset}", (project, ""), 450)
    return found


def _turn(asker: Account, rng: random.Random, told: Diary, name: str, turn: int) -> bool:
    costs = [rng.randrange(1, 30) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
    key = f"k{name}-{rng.randrange(30)}" if rng.random() < 0.3 else None
    if key is not None:  # the same key always asks the same
        costs, wanted = [7], [request(f"{asker.dataset} {key}", 7, key=key)]
    elif rng.random() < 0.15:
        wanted = [request(f"{asker.dataset} shared {rng.randrange(20)}", 5)]
    else:
        wanted = [request(None, cost) for cost in costs]
    start = rng.random() < 0.7
    try:
        grants = asker.reserve(wanted, start=start, again=rng.random() < 0.1)
    except BudgetError:
        wanted, start = [request(None, 1)], True  # what is left is spent to the last unit
        try:
            grants = asker.reserve(wanted)
        except BudgetError:
            return False
    except LedgerError as error:
        if not any(text in str(error) for text in EXPECTED):
            raise
        return True
    try:
        with asker.closing(grants):
            if not start:
                asker.start(grants)
            for grant, one in zip(grants, wanted, strict=False):
                if grant.sealed is None and rng.random() < 0.1:
                    raise Trouble
                sealed = seal(asker, grant)
                seen = hashlib.sha256(sealed.release).hexdigest()
                told.note("delivered", sealed.request, seen, "" if one.key is None else f"{asker.dataset} {one.key}")
    except Trouble:
        pass
    except LedgerError as error:
        if not any(text in str(error) for text in EXPECTED):
            raise
    return True


# one request, killed at one place ------------------------------------------------------------------------------------


def kill_at(point: str, times: int = 1) -> None:
    """The process dies at a failpoint, the given time that it gets there."""
    left = [times]

    def hook(reached: str) -> None:
        if reached == point:
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)
                time.sleep(60)

    failpoint.hook = hook


def request_killed(place: Place, point: str, name: str, diary: str, two_steps: bool, ahead: float) -> None:
    """A whole request, as a session makes it."""
    ledger = place.open(lease=LEASE, clock=lambda: time.time() + ahead)
    asker = account(ledger)
    kill_at(point)
    grants = asker.reserve([request(name, 1, key=name)], start=not two_steps)
    with asker.closing(grants):
        if two_steps:
            asker.start(grants)
        failpoint.failpoint("data-opened")
        failpoint.failpoint("measured")
        sealed = seal(asker, grants[0])
        Diary(diary).note("delivered", sealed.request, hashlib.sha256(sealed.release).hexdigest(), name)
        failpoint.failpoint("delivered")


def failure_killed(place: Place, point: str, name: str, diary: str, two_steps: bool, ahead: float) -> None:
    """A request whose measurement fails, or that ends before it starts."""
    ledger = place.open(lease=LEASE, clock=lambda: time.time() + ahead)
    asker = account(ledger)
    kill_at(point)
    grants = asker.reserve([request(name, 1, key=name)], start=not two_steps)
    asker.close(grants)


def recovery_killed(place: Place, point: str, name: str, diary: str, two_steps: bool, ahead: float) -> None:
    """A request is left behind, and whoever cleans up is killed."""
    ledger = place.open(lease=AT_ONCE, clock=lambda: time.time() + ahead, check=False)
    ledger._swept = float("inf")  # those that were killed before are left as they are, until recover() is called
    account(ledger).reserve([request(name, 1, key=name)], start=not two_steps)
    kill_at(point)
    ledger.recover()


def session_killed(place: Place, point: str, folder: str) -> None:
    """A whole session: the places where the data was opened, measured and delivered are its own."""
    kill_at(point)
    ask_session(place, folder)


def ask_session(place: Place, folder: str) -> Any:
    """One request under one key, whoever asks."""
    import pets

    columns = {"id": pets.Identifier(), "days": pets.Integer(0, 9)}
    schema = pets.Schema({"stays": pets.Table(pets.Unit("id"), columns)}, dataset="hospital")
    data = None if (Path(folder) / "ready").exists() else f"{folder}/stays.csv"
    budget = pets.Budget(epsilon=1, delta=1e-6)
    with opened(place, lease=30.0) as ledger:
        session = pets.Session(schema, data, budget=budget, ledger=ledger, snapshots=f"{folder}/ready", progress=False)
        return session.release(pets.query("stays").agg(n=pets.count()), pets.DP(epsilon=0.1), key="k")


def change_killed(place: Place, point: str, name: str, envelope: dict[str, Any]) -> None:
    """A signed change."""
    ledger = place.open()
    kill_at(point)
    change.apply(ledger, envelope)


# many at once -------------------------------------------------------------------------------------------------------


def crowd(place: Place, number: int, threads: int, questions: int, diary: str) -> None:
    """A service: one open ledger, and many threads that ask it, each for an analyst of its own."""
    told = Diary(diary)
    patient()
    ledger = place.open(pool=threads, lease=PATIENCE)

    def ask(thread: int) -> None:
        try:
            asker = account(ledger, milli=1_000_000, project=f"p{number}", analyst=f"a{thread}")
            for turn in range(questions):
                # some things are asked by everybody; some need two steps; some fail
                wanted = [request("shared" if turn % 10 == 0 else None, 1) for _ in range(1 + turn % 2)]
                grants = asker.reserve(wanted, start=turn % 3 != 0)
                with contextlib.suppress(Trouble), asker.closing(grants):
                    if turn % 3 == 0:
                        asker.start(grants)
                    if turn % 7 == 6:
                        raise Trouble
                    for grant in grants:
                        sealed = seal(asker, grant)
                        seen = hashlib.sha256(sealed.release).hexdigest()
                        told.note("delivered", sealed.request, seen, "")
                asker.standing()
            told.note("done", str(number), str(thread))
        except BaseException as error:
            told.note("error", type(error).__name__, str(error))
            raise

    crew = [threading.Thread(target=ask, args=(thread,)) for thread in range(threads)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    ledger.close()


PATIENCE = 900.0
"""Seconds that one of a crowd waits for its turn, and that its leases last."""


def patient() -> None:
    """Wait for others much longer than a service does: on a busy machine thirty writers may each wait for minutes."""
    store.BUSY_SECONDS = turns.BUSY_SECONDS = PATIENCE
    store.TIMEOUTS.update(dict.fromkeys(store.TIMEOUTS, PATIENCE))


def stand_still(place: Place, diary: str) -> None:
    """Hold the head of the log, and stop: as a process that was suspended does."""
    store.TIMEOUTS["idle_in_transaction_session_timeout"] = 1.0
    ledger = place.open()
    with ledger.writing():
        Diary(diary).note("holds")
        os.kill(os.getpid(), signal.SIGSTOP)


# storms --------------------------------------------------------------------------------------------------------------


def weathering(place: Place, number: int, diary: str) -> None:
    """Ask one thing after another, and go on whatever happens to the database."""
    told = Diary(diary)
    turn = 0
    while True:
        try:
            ledger = place.open(lease=30.0)
            asker = account(ledger, milli=900_000)
            while True:
                key = f"{number} {turn}"
                sealed = _insist(asker, key)
                if sealed is not None:
                    told.note("delivered", sealed.request, hashlib.sha256(sealed.release).hexdigest(), key)
                turn += 1
        except LedgerError:  # it cannot even be opened
            time.sleep(0.05)


def _insist(asker: Account, key: str) -> Any:
    """The answer to one request, asked under the same key until its fate is known."""
    while True:
        try:
            grants = asker.reserve([request(key, 1, key=key)])
            with asker.closing(grants):
                return seal(asker, grants[0])
        except LedgerError as error:
            if any(text in str(error) for text in EXPECTED):
                return None
            time.sleep(0.05)


def recover(place: Place, at: float) -> None:
    """Clean up, at a moment that others choose too."""
    ledger = place.open(check=False)
    time.sleep(max(0.0, at - time.time()))
    ledger.recover()


def create(place: Place, at: float, diary: str) -> None:
    """Open a ledger that nobody has made yet, and its dataset."""
    time.sleep(max(0.0, at - time.time()))
    told = Diary(diary)
    try:
        ledger = place.open()
        account(ledger)
        told.note("opened", ledger.origin, ledger.key.id)
    except Exception as error:
        told.note("error", type(error).__name__, str(error))


def look(place: Place, diary: str) -> None:
    """Open the ledger, see what is spent, and leave politely."""
    ledger = place.open()
    Diary(diary).note("spent", str(account(ledger).standing().spent.loss))
    ledger.close()


def denied_and_killed(place: Place) -> None:
    """Ask for too much, which charges nothing, and die: the write-ahead log stays."""
    ledger = place.open()
    asker = account(ledger)
    with contextlib.suppress(BudgetError):
        asker.reserve([request(milli=10_000)])
    os.kill(os.getpid(), signal.SIGKILL)


def as_nobody(place: Place, diary: str) -> None:
    """Open the ledger without the right to write it."""
    if os.geteuid() == 0:
        os.setuid(65534)
    told = Diary(diary)
    try:
        place.open()
        told.note("opened")
    except LedgerError as error:
        told.note("refused", str(error))
