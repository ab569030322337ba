"""A ledger that an older pets wrote opens, keeps what it held, and learns the newest tables."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from pets.errors import FailedKeyError, OtherQuestionError
from pets.ledger.db import tables
from pets.ledger.db.store import REVISION
from pets.ledger.publish import export
from tests.ledgers import MILLI, Place, account, ask, audit, opened, request, under_way, verify

VECTORS = Path(__file__).parents[2] / "vectors"


@pytest.fixture
def old(tmp_path: Path) -> Place:
    """Made by commit 7e73b62: three answers of two projects, and one request of every other fate."""
    (tmp_path / "ledger.db").write_bytes(gzip.decompress((VECTORS / "ledger-0001.db.gz").read_bytes()))
    for name, kept in (("key", "pem"), ("checkpoint", "note")):
        target = tmp_path / f"ledger.db.{name}"
        target.write_bytes((VECTORS / f"ledger-0001.{kept}").read_bytes())
        target.chmod(0o600)
    return Place(str(tmp_path / "ledger.db"), str(tmp_path))


def test_it_opens_with_all_that_it_held(old: Place, tmp_path: Path) -> None:
    with opened(old) as ledger:
        assert ledger.recovered == 1, "a request was left behind by a process that is long gone"
        asker = account(ledger, milli=None)
        assert [entry.state.value for entry in asker.entries()] == [
            *("committed", "committed", "committed", "forfeited", "voided", "denied", "forfeited")
        ]
        assert asker.standing().spent.loss == (10 + 20 + 5 + 7) * MILLI
        with ledger.reading() as tx:
            version = tx.connection.execute(sa.text(f"SELECT version_num FROM {tables.VERSION_TABLE}")).scalar()
            context = MigrationContext.configure(tx.connection, opts={"version_table": tables.VERSION_TABLE})
            assert (version, compare_metadata(context, tables.meta)) == (REVISION, [])
            first = tx.by_key("d", ("p", "a"), "first")
            # a constraint of the old table that a rebuilt one could have lost
            with pytest.raises(sa.exc.IntegrityError), tx.connection.begin_nested():
                tx.connection.execute(sa.text("UPDATE pets_requests SET state = 'unheard of'"))
        assert ask(asker, request("one", 10, key="first"))[0].release == bytes(first.release)
        assert len(ask(asker, request("new", 1))) == 1
        audit(ledger)
        verify(ledger)
        export.write(ledger, tmp_path / "log.jsonl", progress=False)
        (told,) = export.verify(tmp_path / "log.jsonl", progress=False).accounts
        assert (told.unbounded, told.charged.loss) == (1, asker.standing().spent.loss)
    with opened(old) as ledger:
        assert not under_way(ledger)


def test_its_keys_become_their_analysts_own(old: Place) -> None:
    with opened(old) as ledger:
        first, second = account(ledger, milli=None), account(ledger, milli=None, project="q", analyst="b")
        with pytest.raises(OtherQuestionError):
            ask(first, request("another", 1, key="first"))
        assert ask(second, request("another", 1, key="first"))
        with pytest.raises(FailedKeyError):
            ask(first, request("failed", 5, key="broken"))
        audit(ledger)
