"""What an answering process does for a reviewer about tables outside the grid, whatever whoever listens has checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from pets.errors import ForbiddenError, NotFoundError
from pets.ledger.ledger import Ledger
from pets.ledger.queue import Queue
from pets.ledger.queued.kinds import LET_OUT, LOOK
from pets.service.answering.deciding import decided
from pets.session.disclosure import solving
from pets.session.disclosure.finding_store import FindingStore
from tests.checked_tables import searched_here
from tests.doors import asked, days, kept


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solving, "_replies", searched_here)


def test_whoever_asked_looks_at_none_of_their_own(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        keeper, queue = kept(ledger=ledger), Queue(ledger)
        request = asked(keeper, days(0, 1))
        for who, mine in (("ann", True), ("Ann", True), ("jo", False)):
            job = queue.put("checked-tables", "board", who, LOOK, {"request": request}, None)
            if mine:
                with pytest.raises(ForbiddenError, match="of their own"):
                    decided(keeper.custody, job)
                assert not FindingStore(ledger).has(request)
            else:
                assert decided(keeper.custody, job) == {"table": {"request": request, "done": "look"}}


def test_a_table_that_left_is_let_out_by_nobody_again(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        keeper, queue = kept(ledger=ledger), Queue(ledger)
        request = asked(keeper, days(0, 1))
        words = {"request": request, "finding": keeper.look(request).digest, "anyway": "", "note": ""}
        job = queue.put("checked-tables", "board", "jo", LET_OUT, words, None)
        assert decided(keeper.custody, job)["table"]["done"] == "let_out"
        with pytest.raises(NotFoundError):
            decided(keeper.custody, job)
