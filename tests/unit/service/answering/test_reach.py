"""The watchdog's ledger: away for a while, it is said once, and looked at more and more seldom; lost, it is the end."""

from __future__ import annotations

import logging
from itertools import pairwise
from typing import Any

import pytest

from pets.errors import LedgerDownError, LedgerError
from pets.service.answering import reach
from pets.service.answering.reach import EVERY, SELDOM, Reach


class Away:
    """A ledger that is away or lost as a test wants."""

    def __init__(self) -> None:
        self.error: LedgerError | None = None
        self.looks = 0

    def check_same(self) -> None:
        self.looks += 1
        if self.error is not None:
            raise self.error


def test_a_ledger_that_is_away_is_said_once_and_looked_at_ever_more_seldom(caplog: pytest.LogCaptureFixture) -> None:
    ledger: Any = Away()
    over, now, looked = Reach(ledger), 0.0, []
    assert over.look(now) and not over.look(now + EVERY / 2)
    ledger.error = LedgerDownError("the ledger 'l' cannot be read (gone)")
    while now < 100:
        now, before = now + 0.5, ledger.looks
        assert not over.look(now) or ledger.error is None
        looked += [now] if ledger.looks > before else []
    waits = [after - before for before, after in pairwise(looked)]
    assert waits[:4] == [2, 4, 8, 8] and max(waits) == SELDOM and over.lost is None
    ledger.error = None
    while not over.look(now):
        now += 0.5
    assert over.look(now + EVERY) and over.look(now + 2 * EVERY)
    told = [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]
    assert told == [
        "the ledger cannot be reached; questions wait until it can (the ledger 'l' cannot be read (gone))",
        f"the ledger can be reached again, after {now - looked[0]:.0f} s",
    ]
    assert reach.EVERY == EVERY


def test_one_that_was_put_in_anothers_place_is_the_end(caplog: pytest.LogCaptureFixture) -> None:
    ledger: Any = Away()
    over = Reach(ledger)
    ledger.error = LedgerError("the ledger 'l' has lost entries")
    assert [over.look(n * 10.0) for n in range(5)] == [False] * 5
    assert over.lost == "the ledger 'l' has lost entries" and ledger.looks == 1
    assert [one.levelname for one in caplog.records] == ["ERROR"]
