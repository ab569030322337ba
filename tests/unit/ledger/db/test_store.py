"""The ledger's file: whose it is."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from pathlib import Path

import pytest

import pets
from tests.ledgers import account, ask, request


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_the_ledger_is_its_owners_alone_whatever_the_umask(umask: int, tmp_path: Path) -> None:
    """The database, what SQLite keeps beside it while it is open, and the key; others may read the public key."""
    before = os.umask(umask)
    try:
        with pets.Ledger(tmp_path / "ledger.db") as ledger:
            ask(account(ledger), request())
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    finally:
        os.umask(before)
    private = {name: mode for name, mode in modes.items() if name.startswith("ledger.db") and name.count(".") == 1}
    private["ledger.db.key"] = modes["ledger.db.key"]
    assert "ledger.db" in private and set(private.values()) == {0o600}, modes


def test_a_new_file_that_another_opens_at_the_same_moment_is_waited_for(tmp_path: Path) -> None:
    """SQLite refuses to change a file's journal mode at once, without a wait, while somebody is about to write it."""
    file = tmp_path / "ledger.db"
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    done = threading.Timer(0.3, other.execute, ["COMMIT"])
    done.start()
    with pets.Ledger(file) as ledger:
        ask(account(ledger), request())
    done.join()
    other.close()
