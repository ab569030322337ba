"""What a person let leave and was never sealed: as much as it can have told is taken for told, and no more is lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import pets
from pets.errors import ReleaseFailedError
from pets.ledger.ledger import Ledger
from pets.ledger.queue import Queue
from pets.session.disclosure.finding import PROVED, UNDECIDED
from pets.session.disclosure.told_book import looked
from pets.session.door import door
from tests.checked_tables import N, T, total
from tests.doors import HES, asked, days, kept
from tests.ledgers import verify


def forfeited(custodian: pets.Custodian, query: pets.Query) -> None:
    """A table that a person let leave, and of which nothing was sealed."""
    request = asked(custodian, query)
    found = custodian.look(request)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(door, "shown_of", lambda *_: ((15,),))
        with pytest.raises(ReleaseFailedError):
            custodian.approve(request, by="jo", finding=found.digest, anyway="a test wants it")
    assert list(custodian.history()["state"])[-1] == "forfeited"


def test_what_was_never_sealed_does_not_keep_all_others_undecided() -> None:
    custodian = kept()
    forfeited(custodian, days(0, 1))
    found = custodian.look(asked(custodian, days(2, 3)))
    assert (found.state, found.besides, found.releases) == (PROVED, (), 2)
    custodian.approve(found.request, by="jo", finding=found.digest)
    assert custodian.attack().releases == 3
    verify(custodian.ledger)


def test_it_is_taken_for_told() -> None:
    # 10 people are known; who has the table that was to leave knows 8 to 12 of one day, so 0 to 2 of the other
    first, second = (kept([9, 1, 40]) for _ in range(2))
    for custodian in (first, second):
        total(custodian, days(0, 1))
    forfeited(second, days(0, 0))
    one, two = (custodian.look(asked(custodian, days(1, 2), "bob")) for custodian in (first, second))
    assert len(two.attacks) + len(two.before) > len(one.attacks) + len(one.before)
    assert any("release 3" in said for said in two.attacks + two.before)
    assert bool(second.attack()) and not first.attack()


def test_a_lost_finding_of_it_is_mended_by_the_same_table_once_more(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        custodian = kept(ledger=ledger)
        forfeited(custodian, days(0, 1))
        shutil.rmtree(tmp_path / "ledger.db.findings")
        found = custodian.look(asked(custodian, days(2, 3)))
        assert found.state == UNDECIDED and "not sealed" in "".join(found.besides)
        again = asked(custodian, days(0, 1))
        custodian.approve(again, by="jo", finding=custodian.look(again).digest, anyway="so that others are decided")
        assert custodian.look(found.request).state == PROVED, "the same rows show the same numbers"


def test_a_finding_of_other_rows_is_not_taken_for_it(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        custodian = kept(ledger=ledger)
        forfeited(custodian, days(0, 1))
        custodian.refresh()
        again = asked(custodian, days(0, 1))
        found = custodian.look(again)
        assert "people of another time" in "".join(found.besides) and "not sealed" not in "".join(found.besides)


def test_an_exact_table_that_was_never_sealed_is_mended_likewise(monkeypatch: pytest.MonkeyPatch) -> None:
    custodian = kept()
    with monkeypatch.context() as patch:
        patch.setattr("pets.session.answering.measured", lambda *_: (None, "lost"))
        with pytest.raises(ReleaseFailedError):
            total(custodian, T.agg(n=N))
    assert len(looked(custodian.custody, "").book.besides("")) == 2
    assert any("not sealed" in one for one in custodian.attack().besides)
    total(custodian, T.agg(n=N))
    assert not any("not sealed" in one for one in custodian.attack().besides)


def test_what_left_for_somebody_else_waits_for_nobody() -> None:
    custodian = kept([1, 1, 40, 40])
    total(custodian, days(0, 1))
    first, second = asked(custodian, days(0, 0)), asked(custodian, days(0, 0), "bob")
    custodian.look(first)
    Queue(custodian.ledger).cancel(first, "default", "ann")
    custodian.approve(second, by="jo", finding=custodian.look(second).digest, anyway="both consented")
    assert custodian.session(analyst="bob").release(days(0, 0), HES).form["shown"]
    assert not looked(custodian.custody, "").refused
