"""Back-ups as the page on them makes them, with each database's own tools, taken while others write."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pets.errors import LedgerError
from pets.ledger.rebase import rebase
from tests.ledgers import MILLI, Place, account, ask, audit, opened, request, verify
from tests.restores import dump, restore


class Writer(threading.Thread):
    """Somebody who asks and asks."""

    def __init__(self, asker: Any) -> None:
        super().__init__(daemon=True)
        self.asker, self.ended, self.asked = asker, threading.Event(), threading.Event()

    def run(self) -> None:
        while not self.ended.is_set():
            ask(self.asker, request(milli=1))
            self.asked.set()


@pytest.fixture
def ground(place: Place, tmp_path: Path) -> tuple[Place, Callable[[], Path]]:
    count = iter(range(10))

    def copied() -> Path:
        to = tmp_path / f"backup-{next(count)}"
        dump(place, to)
        return to

    return place, copied


def test_a_copy_under_load_is_whole_and_an_old_one_stays_closed(ground: tuple[Place, Callable[[], Path]]) -> None:
    place, copied = ground
    with opened(place) as ledger:
        writer = Writer(account(ledger))
        writer.start()
        assert writer.asked.wait(600)
        old = copied()
        writer.ended.set()
        writer.join(60)
        ask(account(ledger), request(milli=20))
        spent = account(ledger).standing().spent.loss
        new = copied()
    restore(place, new)  # the newest is what was published: it opens as it was
    with opened(place) as ledger:
        audit(ledger)
        verify(ledger)
        assert account(ledger, milli=None).standing().spent.loss == spent
    restore(place, old)
    with pytest.raises(LedgerError, match=r"lost entries.*recover --rebase") as refused:
        place.open()
    assert refused.value.code == "ledger"
    with opened(place, check=False) as ledger:
        rebase(ledger, "disk failed", ("A. One", "B. Two"))
    with opened(place) as ledger:
        audit(ledger)
        verify(ledger)
        assert account(ledger, milli=None).standing().spent.loss == spent >= 21 * MILLI
