"""The ledger's file: whose it is."""

from __future__ import annotations

import os
import stat
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
