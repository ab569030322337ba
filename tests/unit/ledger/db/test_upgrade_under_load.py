"""An upgrade while others are at work: an old process is refused, readers go on, and the new one migrates."""

from __future__ import annotations

import gzip
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import pets
from pets.errors import LedgerError
from pets.ledger.db import store, tables
from pets.ledger.db.store import REVISION, Store
from pets.ledger.db.upgrade import known_revisions
from pets.service.wire.problems import outward, status
from tests.ledgers import MILLI, account, ask, audit, request

VECTORS = Path(__file__).parents[3] / "vectors"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A ledger with the first tables."""
    path = tmp_path / "ledger.db"
    path.write_bytes(gzip.decompress((VECTORS / "ledger-0001.db.gz").read_bytes()))
    for name, kept in (("key", "pem"), ("checkpoint", "note")):
        target = tmp_path / f"ledger.db.{name}"
        target.write_bytes((VECTORS / f"ledger-0001.{kept}").read_bytes())
        target.chmod(0o600)
    return path


class Reader(threading.Thread):
    """An older process that reads on: one transaction that began before, and many short ones."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self.path, self.seen, self.failed, self.ended = path, 0, "", threading.Event()
        self.held = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self.held.execute("BEGIN")
        self.before = self.held.execute("SELECT count(*) FROM pets_requests").fetchone()
        self.begun = threading.Event()

    def run(self) -> None:
        try:
            with closing(sqlite3.connect(self.path, timeout=30.0)) as look:
                while not self.ended.is_set():
                    look.execute("SELECT id, state, loss FROM pets_requests").fetchall()
                    self.seen += 1
                    self.begun.set()
        except sqlite3.Error as error:
            self.failed = str(error)
        self.begun.set()


@pytest.fixture
def reader(old: Path) -> Iterator[Reader]:
    with closing(sqlite3.connect(old)) as look:
        look.execute("PRAGMA journal_mode=WAL")
    made = Reader(old)
    made.start()
    assert made.begun.wait(600)
    yield made
    made.ended.set()
    made.join(30)
    made.held.close()


def test_it_migrates_while_others_read(old: Path, reader: Reader) -> None:
    with pets.Ledger(old) as ledger:
        seen = reader.seen
        asker = account(ledger, milli=None)
        assert asker.standing().spent.loss == (10 + 20 + 5 + 7) * MILLI
        assert len(ask(asker, request("new", 1))) == 1
        audit(ledger)
        # the transaction that began before sees the tables as they were, and ends as it began
        assert reader.held.execute("SELECT count(*) FROM pets_requests").fetchone() == reader.before
        while reader.is_alive() and reader.seen <= seen:  # and what begins now reads on
            reader.join(0.01)
    assert reader.failed == ""
    with closing(sqlite3.connect(old)) as look:
        assert look.execute(f"SELECT version_num FROM {tables.VERSION_TABLE}").fetchall() == [(REVISION,)]


@pytest.mark.parametrize("newest", sorted(known_revisions())[:-1])
def test_an_old_process_is_refused_with_a_closed_code(
    tmp_path: Path, newest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ledger.db"
    with pets.Ledger(path) as ledger:
        ask(account(ledger), request())
    before = path.read_bytes()
    with monkeypatch.context() as as_it_was:
        as_it_was.setattr(store, "REVISION", newest)
        as_it_was.setattr(store, "known_revisions", lambda: [one for one in known_revisions() if one <= newest])
        with pytest.raises(LedgerError, match=r"newer pets.*upgrade pets") as refused:
            Store(str(path))
    assert (refused.value.code, status(refused.value)) == ("ledger", 503)
    assert str(path) not in outward("ledger", str(refused.value))
    assert path.read_bytes() == before
    with pets.Ledger(path) as ledger:
        audit(ledger)


def test_a_process_that_was_open_goes_on_after_an_upgrade(old: Path) -> None:
    """Migrations add, and take nothing away: what an older process asks of its tables is still answered."""

    def columns() -> dict[str, set[str]]:
        with closing(sqlite3.connect(old)) as look:
            names = [name for (name,) in look.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            return {name: {row[1] for row in look.execute(f"PRAGMA table_info({name})")} for name in names}

    before = columns()
    with pets.Ledger(old):
        after = columns()
    for name, held in before.items():
        assert held <= after[name], name
    # and what is new may be left out of an entry
    with closing(sqlite3.connect(old)) as look:
        for name, held in before.items():
            for _, column, _, needed, default, _ in look.execute(f"PRAGMA table_info({name})"):
                assert column in held or not needed or default is not None, f"{name}.{column}"
