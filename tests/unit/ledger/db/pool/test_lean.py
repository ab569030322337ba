"""Connections to a server of databases: those that a crowd opened are let go, but for a few, once nobody needs them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from pets.errors import LedgerDownError
from pets.ledger.db import jobs, store
from pets.ledger.db.pool import lean
from pets.ledger.ledger import Ledger
from tests.ledgers import Place, account, ask, audit, opened, request
from tests.services import until

OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


class Counted:
    """A ledger in PostgreSQL, and how many connections it has open."""

    def __init__(self, place: Place, ledger: Ledger, watch: Any) -> None:
        self.place, self.ledger, self._watch = place, ledger, watch
        self.pool: Any = ledger._store._engine.pool

    @property
    def there(self) -> int:
        """As the server tells."""
        return int(self._watch.execute(f"SELECT count(*) {OTHERS}").fetchone()[0])

    def drop(self) -> None:
        """The server ends all of them."""
        self._watch.execute(f"SELECT count(pg_terminate_backend(pid)) {OTHERS}")
        until(lambda: self.there == 0)

    def crowd(self, many: int) -> None:
        """So many at once."""
        with contextlib.ExitStack() as stack:
            for _ in range(many):
                stack.enter_context(self.ledger.aside(writes=False))

    def look(self) -> None:
        with self.ledger.aside(writes=False) as (connection, _):
            assert jobs.by_id(connection, "none") is None


@pytest.fixture
def counted(new_place: Callable[[str], Place]) -> Iterator[Counted]:
    place = new_place("postgresql")
    with opened(place) as ledger, psycopg.connect(place.address, autocommit=True) as watch:
        account(ledger)
        yield Counted(place, ledger, watch)


def test_what_a_crowd_opened_stays_while_it_is_young(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lean, "RESTS", 3600.0)
    counted.crowd(12)
    for _ in range(20):
        counted.look()
    assert (counted.pool.checkedin(), counted.there) == (12, 12)


def test_those_that_rest_are_let_go_but_for_a_few(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lean, "RESTS", 3600.0)
    counted.crowd(store.POOL)
    monkeypatch.setattr(lean, "RESTS", 0.0)
    left = []
    for _ in range(store.POOL):
        counted.look()
        left.append(counted.pool.checkedin())
    assert left == [*range(store.POOL - 1, lean.KEPT, -1), *[lean.KEPT] * 6]
    until(lambda: counted.there == lean.KEPT)
    monkeypatch.setattr(lean, "RESTS", 3600.0)
    counted.crowd(store.POOL)
    assert counted.pool.checkedin() == store.POOL, "as many are there for the next crowd"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counted.pool, "_timeout", 0.05)
        with pytest.raises(LedgerDownError, match="more threads ask than it has connections"):
            counted.crowd(store.POOL + 1)
    ask(account(counted.ledger), request())
    audit(counted.ledger)


# a server that ends a connection once it was looked at -------------------------------------------------------------


def test_a_glance_whose_connection_is_lost_is_asked_once_more(counted: Counted) -> None:
    counted.look()
    with counted.ledger.aside(writes=False) as (connection, _):
        counted.drop()
        assert jobs.by_id(connection, "none") is None
        counted.drop()
        assert jobs.waiting(connection) == 0, "each is of its own moment"
    counted.look()


def test_what_is_part_of_a_transaction_is_not_asked_once_more(counted: Counted) -> None:
    for way in ("reading", "writing"):
        with (
            pytest.raises(LedgerDownError, match="look after the database and ask again"),
            getattr(counted.ledger, way)() as found,
        ):
            tx = found if way == "reading" else found[0]
            counted.drop()
            tx.dataset("d")
    with (
        pytest.raises(LedgerDownError),
        counted.ledger.aside(writes=False) as (connection, _),
    ):
        assert connection.execute(sa.text("SELECT 1")).scalar() == 1  # several looks that SQLAlchemy takes as one
        counted.drop()
        jobs.by_id(connection, "none")
    ask(account(counted.ledger), request())
    audit(counted.ledger)
