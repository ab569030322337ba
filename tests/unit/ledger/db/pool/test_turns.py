"""Threads that write to one SQLite file take turns: the first comes first, and nobody's end keeps the others."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from pets.errors import LedgerDownError
from pets.ledger.db import store
from pets.ledger.db.pool import turns
from pets.ledger.db.pool.idle import stirred
from pets.ledger.db.pool.turns import Turns
from tests.ledgers import MILLI, Place, account, ask, opened, request
from tests.services import until


def waiting(one: Turns, does: Callable[[], Any]) -> threading.Thread:
    """A thread that waits for a turn, by now."""

    def run() -> None:
        with one.one():
            does()

    before, thread = len(one._next), threading.Thread(target=run, daemon=True)
    thread.start()
    until(lambda: len(one._next) > before)
    return thread


def test_who_came_first_is_first() -> None:
    one, came = Turns(), []
    with one.one():
        crew = [waiting(one, lambda place=place: came.append(place)) for place in range(8)]  # type: ignore[misc]
        assert not came
    for thread in crew:
        thread.join(60)
    assert came == [*range(8)]
    with one.one():
        pass


def test_who_waits_too_long_is_told_and_keeps_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    one, came = Turns(), []
    with one.one():
        monkeypatch.setattr(turns, "BUSY_SECONDS", 0.05)
        with pytest.raises(sa.exc.TimeoutError), one.one():
            raise AssertionError("two at once")
        monkeypatch.setattr(turns, "BUSY_SECONDS", 60.0)
        thread = waiting(one, lambda: came.append(1))
    thread.join(60)
    assert came == [1]


def test_a_turn_that_ends_by_an_error_is_passed_on() -> None:
    one = Turns()
    with pytest.raises(ValueError), one.one():
        raise ValueError
    with one.one():
        pass


def test_a_thread_that_never_ends_its_turn_is_a_busy_database(
    new_place: Callable[[str], Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(new_place("sqlite")) as ledger:
        asker = account(ledger)
        with ledger._store._turns.one():  # type: ignore[union-attr]
            monkeypatch.setattr(turns, "BUSY_SECONDS", 0.05)
            with pytest.raises(LedgerDownError, match="another process holds it; ask again"):
                ask(asker, request())
        monkeypatch.setattr(turns, "BUSY_SECONDS", 60.0)
        ask(asker, request())


@pytest.mark.parametrize("idle", [0.0, 3600.0], ids=["asked", "used a moment ago"])
@pytest.mark.parametrize("how", ["write", "look"])
def test_a_connection_that_a_server_dropped_is_replaced(
    idle: float, how: str, new_place: Callable[[str], Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that was used a moment ago, which is not asked: its socket tells. No request of anybody's fails."""
    place = new_place("postgresql")
    monkeypatch.setattr(store, "IDLE", idle)
    with opened(place) as ledger:
        asker = account(ledger)
        ask(asker, request("before"))
        with psycopg.connect(place.address, autocommit=True) as connection:
            own = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            connection.execute(f"SELECT count(pg_terminate_backend(pid)) {own}")  # type: ignore[arg-type]
            until(lambda: connection.execute(f"SELECT count(*) {own}").fetchone() == (0,))  # type: ignore[arg-type]
        if how == "write":
            ask(asker, request("at once"))
        else:
            assert asker.standing().spent.loss == 10 * MILLI
        ask(asker, request("after"))


def test_a_connection_that_was_needed_once_stays_open(place: Place) -> None:
    """To open one costs more than what is asked over it, and requests come in crowds."""
    with opened(place, pool=9) as ledger:
        made: list[Any] = []
        sa.event.listen(ledger._store._engine, "connect", lambda *_: made.append(1))
        for _ in range(3):
            crowd = threading.Barrier(9)

            def look(crowd: threading.Barrier = crowd) -> None:
                with ledger.reading():
                    crowd.wait(240)

            crew = [threading.Thread(target=look) for _ in range(9)]
            for thread in crew:
                thread.start()
            for thread in crew:
                thread.join(240)
        assert len(made) == 8


def test_sqlite_waits_for_others_but_for_a_turn_to_write(new_place: Callable[[str], Place]) -> None:
    """On one connection, whatever it was used for before."""
    with opened(new_place("sqlite"), pool=1) as ledger:

        def patience(connection: sa.Connection) -> int:
            driver: Any = connection.connection.driver_connection
            return int(driver.execute("PRAGMA busy_timeout").fetchone()[0])

        for _ in range(2):
            with ledger.aside() as (connection, _):
                assert patience(connection) == 0
            with ledger.reading() as tx:
                assert patience(tx.connection) == 60_000
            with ledger.aside(durable=False) as (connection, _):
                assert patience(connection) == 0
            with ledger.aside(writes=False) as (connection, _):
                connection.execute(sa.text("SELECT 1"))
                assert patience(connection) == 60_000


def test_what_the_driver_has_closed_is_asked(new_place: Callable[[str], Place]) -> None:
    place = new_place("postgresql")
    with psycopg.connect(place.address) as connection:
        assert not stirred(connection)
    assert stirred(connection)
