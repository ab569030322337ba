"""File store: exact bytes by their digest, whole or not there."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pets.errors import LedgerError
from pets.ledger.ledger import Ledger
from pets.ledger.review.file_store import FileStore


def test_bytes_are_kept_by_their_digest(tmp_path: Path) -> None:
    for address in (None, tmp_path / "ledger.db"):
        with Ledger(address) as ledger:
            name = FileStore(ledger).put(b"one")
            assert name == hashlib.sha256(b"one").hexdigest() == FileStore(ledger).put(b"one")
            assert FileStore(ledger).get(name) == b"one"
            for other in ("0" * 64, "../ledger.db", ""):
                with pytest.raises(LedgerError, match="missing from the folder beside the ledger"):
                    FileStore(ledger).get(other)
    with Ledger(None) as another, pytest.raises(LedgerError):
        FileStore(another).get(name)


def test_what_was_altered_is_written_anew(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        store = FileStore(ledger)
        name = store.put(b"one")
        path = tmp_path / "ledger.db.outputs" / name
        path.write_bytes(b"two")
        with pytest.raises(LedgerError, match="was altered there"):
            store.get(name)
        assert store.put(b"one") == name and path.read_bytes() == b"one"


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        (tmp_path / "ledger.db.outputs").write_text("a file in its place")
        with pytest.raises(LedgerError, match="cannot be written; look at its owner"):
            FileStore(ledger).put(b"one")
