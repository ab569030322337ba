"""A look takes so many seconds as the policy says, for all that it does; and two at once do not close each other."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

import pets
from pets.errors import HeldError, PolicyError
from pets.ledger.db import jobs
from pets.ledger.review.tables import looks
from pets.session.disclosure import solving
from pets.session.disclosure.finding import ATTACK, CLOSED, PROVED, UNDECIDED
from pets.session.disclosure.told_book import looked
from pets.session.door import checking
from tests.checked_tables import N, T, between, total
from tests.doors import asked, days, kept, let_out


def clock(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """A clock that stands still, and of which no time is left once it was looked at so often."""
    times = itertools.count()
    monkeypatch.setattr(checking, "monotonic", lambda: 0.0 if next(times) < after else 10.0**6)


@pytest.mark.parametrize("after", range(2, 13))
def test_whatever_takes_long_is_undecided_and_no_search_begins(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    custodian, searched = kept(), list[float]()
    request = asked(custodian, days(0, 1))

    def replies(question: Any) -> None:
        searched.append(question.seconds)

    monkeypatch.setattr(solving, "_replies", replies)
    clock(monkeypatch, after)
    found = custodian.look(request)
    assert found.state == UNDECIDED and all(seconds > 0 for seconds in searched)
    assert searched or "sdc_seconds" in "".join(found.besides) or "in time" in "".join(found.besides)


def test_no_search_begins_once_all_is_set_up_and_no_time_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    custodian, looked_at = kept(), itertools.count()
    request = asked(custodian, days(0, 1))
    monkeypatch.setattr(solving, "_replies", lambda question: None)
    monkeypatch.setattr(checking, "monotonic", lambda: 0.0 * next(looked_at))
    custodian.look(request)
    last = next(looked_at) - 2  # by which the search is told how long it may take; then so is that without this table
    searched = list[float]()
    monkeypatch.setattr(solving, "_replies", lambda question: searched.append(question.seconds))
    clock(monkeypatch, last)
    found = custodian.look(request)
    assert found.state == UNDECIDED and searched == [] and "in time" in "".join(found.besides)
    clock(monkeypatch, last + 1)
    custodian.look(request)
    assert searched == [60.0]


def test_what_a_refusal_closes_is_closed_where_time_ran_out(monkeypatch: pytest.MonkeyPatch) -> None:
    custodian = kept()
    custodian.refuse(asked(custodian, days(4, 5)), by="jo", reason="out-of-scope")
    request = asked(custodian, days(0, 1))
    clock(monkeypatch, 2)
    assert custodian.look(request).state == CLOSED, "whether it shares people with it was not seen"


@pytest.mark.parametrize("engine", ["interrupted", "duckdb", "polars"])
def test_a_table_that_takes_long_to_be_counted_is_no_incident(monkeypatch: pytest.MonkeyPatch, engine: str) -> None:
    """Nor is one that was counted all the same, after its time, by an engine that nobody can interrupt."""
    custodian = kept(engine="duckdb" if engine == "interrupted" else engine)
    request, other = asked(custodian, days(0, 1)), asked(custodian, days(1, 2), "bob")
    with pytest.MonkeyPatch.context() as patch:
        if engine == "interrupted":
            patch.setattr(checking, "tabulate", None)
        clock(patch, 1)
        with pytest.raises(PolicyError, match="could not be counted in 60 seconds"):
            custodian.look(request)
    assert [one.id for one in custodian.reviews()] == [request, other]
    assert looked(custodian.custody, "").notes == () and custodian.look(other).state != CLOSED


def test_what_was_not_compared_in_time_closes_its_people_while_it_waits() -> None:
    for searched in (False, True):
        custodian = kept()
        request, other = asked(custodian, days(0, 1)), asked(custodian, days(1, 2), "bob")
        with pytest.MonkeyPatch.context() as patch:
            if searched:
                patch.setattr(solving, "_replies", lambda question: None)  # nothing came of it in time
            else:
                clock(patch, 3)
            assert custodian.look(request).state == UNDECIDED
        assert custodian.look(other).state == CLOSED, searched


# at the same time ---------------------------------------------------------------------------------------------------


def both() -> tuple[pets.Custodian, str, str]:
    """Two people came on two days, by an exact total; a number of either day gives both away."""
    custodian = kept([1, 1, 40])
    total(custodian, days(0, 1))
    by_sex = T.where(between(0, 0)).group_by("sex").agg(n=N)
    return custodian, asked(custodian, days(0, 0)), asked(custodian, by_sex, "bob", "elsewhere")


def test_two_looks_at_once_do_not_close_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    custodian, first, second = both()
    usual, within = checking.looked, list[Any]()

    def meanwhile(*given: Any) -> Any:
        seen = usual(*given)
        if not within:
            within.append(None)
            within.append(custodian.look(second).state)
        return seen

    monkeypatch.setattr(checking, "looked", meanwhile)
    assert custodian.look(first).state == CLOSED, "the other one was there first"
    assert within[1] == ATTACK
    found = custodian.look(second)
    assert found.state == within[1], "and can still leave"
    custodian.approve(second, by="jo", finding=found.digest, anyway="a test wants it")
    assert custodian.look(first).state != CLOSED


def test_what_leaves_beside_a_proved_table_that_waits_tells_nothing_of_it() -> None:
    """8 to 12 came on the first day, 20 on the next two. The second day is proved where it shows 15, not where 20: did
    the first two together leave beside it, 17 came on the second day at most, and 3 or 4 on the third."""
    states = {}
    for second, third in ((17, 3), (18, 2)):
        custodian = kept([12, second, third, 40])
        total(custodian, days(1, 2))
        assert let_out(custodian, days(0, 0)).state == PROVED
        waits = custodian.look(asked(custodian, days(1, 1))).state
        states[waits] = custodian.look(asked(custodian, days(0, 1))).state
    assert states == {PROVED: ATTACK, ATTACK: CLOSED}


def test_whoever_is_never_alone_is_told_so_and_nothing_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    custodian, first, _ = both()
    monkeypatch.setattr(checking, "note_look", lambda *_: False)
    with pytest.raises(HeldError, match="at the same time; nobody was told anything; look once more"):
        custodian.look(first)
    with custodian.ledger.aside(writes=False) as (connection, _):
        assert looks(jobs.by_id(connection, first)) == ()
    assert looked(custodian.custody, "").notes == ()
