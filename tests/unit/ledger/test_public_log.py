"""What the log and the files around a ledger tell and allow, and how its requests are read."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pets.errors import BudgetError, LedgerError
from pets.ledger.db.prepared import Prepared
from pets.ledger.ledger import Ledger
from tests.ledgers import MILLI, Place, account, ask, audit, opened, request, verify


def test_the_log_tells_no_part_of_a_second(place: Place) -> None:
    """How long an answer took depends on rows, and the log is public."""
    now = [1_800_000_000.9]

    def clock() -> float:
        now[0] += 0.123
        return now[0]

    with opened(place, clock=clock) as ledger:
        asker = account(ledger)
        for _ in range(5):
            ask(asker, request())
        asker.close(asker.reserve([request()]))
        with ledger.reading() as tx:
            times = [json.loads(body)["at"] for body, _, _ in tx.entries()]
        assert len(times) == 14 and {time[-10:] for time in times} == {".000+00:00"} and times == sorted(times)
        assert all(entry.at.microsecond == 0 for entry in asker.entries())
        assert ledger.published().at == times[-1]  # type: ignore[union-attr]
        verify(ledger)


def test_a_log_that_told_parts_of_seconds_goes_on(place: Place) -> None:
    """An older ledger's newest entry is never made to look younger than the next."""
    with opened(place, clock=lambda: 1_800_000_000.2) as ledger:
        with ledger.writing() as (tx, _):
            tx.connection.execute(sa.text("UPDATE pets_head SET at = 1800000000.75"))
        ask(account(ledger), request())
        with ledger.reading() as tx:
            assert tx.head.at == 1_800_000_000.75
        verify(ledger)


def test_only_the_owner_writes_what_lies_around_it(new_place: Callable[[str], Place]) -> None:
    place = new_place("sqlite")
    before = os.umask(0)
    try:
        with opened(place) as ledger:
            for _ in range(3):
                ask(account(ledger), request())
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in Path(place.keys).iterdir() if path.is_file()}
    assert {
        "ledger.db.checkpoint",
        "ledger.db.checkpoint.previous",
        "ledger.db.checkpoint.lock",
        "ledger.db.pub",
    } <= set(modes)
    assert {name for name, mode in modes.items() if mode & 0o022} == set()


def test_what_others_could_write_is_taken_from_them(new_place: Callable[[str], Place]) -> None:
    place = new_place("sqlite")
    with opened(place) as ledger:
        ask(account(ledger), request())
    for path in Path(place.keys).glob("*.checkpoint*"):
        path.chmod(0o666)
    with opened(place) as ledger:
        for _ in range(2):
            ask(account(ledger), request())
    assert all(not path.stat().st_mode & 0o022 for path in Path(place.keys).glob("*.checkpoint*"))


def test_requests_are_filtered_and_paged_by_the_database(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(place) as ledger:
        askers = {(p, a): account(ledger, milli=1000, project=p, analyst=a) for p in "pq" for a in "ab"}
        for turn in range(3):
            for asker in askers.values():
                ask(asker, request(milli=turn + 1))
        asker = askers["p", "a"]
        everything = asker.entries()
        assert len(everything) == 12
        assert asker.entries(last=5) == everything[-5:]
        mine = asker.entries(project="q", analyst="b")
        assert {(entry.project, entry.analyst) for entry in mine} == {("q", "b")} and len(mine) == 3
        assert asker.entries(project="q", last=2) == tuple(e for e in everything if e.project == "q")[-2:]
        assert asker.last_paid() == everything[-1].cost.loss
        ask(asker, request(milli=0, unbounded=True))
        assert asker.last_paid() == everything[-1].cost.loss and asker.unbounded() == 1
        asker.reserve([request("x", 5), request("y", 6), request("z", 0)])
        assert asker.last_paid() == 11 * MILLI, "one request of several questions"
        seen: list[str] = []
        inner = Prepared.__call__

        def noted(self: Prepared, connection: sa.Connection, values: Any) -> Any:
            found = inner(self, connection, values)
            seen.append(self._known[connection.dialect.name][0])
            return found

        monkeypatch.setattr(Prepared, "__call__", noted)
        asker.entries(last=2)
        assert any("LIMIT" in statement for statement in seen if "pets_requests" in statement)


def test_refusals_stop_filling_the_log(place: Place) -> None:
    now = [1_800_000_000.0]
    with opened(place, clock=lambda: now[0]) as ledger:
        asker = account(ledger)
        asker.max_denials = 5
        other = account(ledger, milli=None, project="q")
        for turn in range(9):
            with pytest.raises(BudgetError, match="no more than 5 refusals an hour" if turn >= 5 else "has room for"):
                asker.reserve([request(milli=5000)])
        assert len(asker.entries()) == 5
        with pytest.raises(BudgetError):
            other.reserve([request(milli=5000)])
        assert len(asker.entries()) == 6, "another analyst's refusals are entered"
        assert ask(asker, request(milli=1)), "what fits is answered"
        now[0] += 3601
        with pytest.raises(BudgetError):
            asker.reserve([request(milli=5000)])
        assert len(asker.entries()) == 8
        audit(ledger)
        verify(ledger)


@pytest.mark.parametrize("pool", [0, -1, True, 2.5, "5", 1001])
def test_a_pool_is_a_number_of_connections(pool: object) -> None:
    with pytest.raises(LedgerError, match="a pool is a whole number of connections"):
        Ledger(None, pool=pool)  # type: ignore[arg-type]


def test_the_pool_is_as_wide_as_it_was_made(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    from pets.errors import LedgerDownError
    from pets.ledger.db import store

    monkeypatch.setattr(store, "BUSY_SECONDS", 0.1)
    with opened(place, pool=2) as ledger:
        third = ledger.reading()
        with ledger.reading(), ledger.reading(), pytest.raises(LedgerDownError, match=r"pool=N\) for N threads"):
            third.__enter__()
        with ledger.reading(), ledger.reading():
            pass
