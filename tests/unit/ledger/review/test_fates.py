"""The history of requests that a second person must approve: held or refused, why, and what was charged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pets.ledger.ledger import Ledger
from pets.ledger.publish import show
from pets.ledger.publish.read_log import published
from pets.ledger.queue import Queue, QueuedJob
from pets.ledger.review.fates import Fate, Fates, fates
from pets.ledger.review.reviews import Reviews
from pets.session.account_views import history
from tests.ledgers import MILLI, Place, opened, request, seal
from tests.unit.ledger.review.test_reviews import account

QUERY = {"table": "t", "agg": [["n", {"agg": "count"}]]}
ASKED: dict[str, Any] = {"queries": [QUERY, QUERY | {"by": ["sex"]}], "protection": {"kind": "dp", "epsilon": "1"}}
HELD, NO = Fate("held"), Fate("refused", "unclear")


@pytest.fixture
def ledger(place: Place) -> Iterator[Ledger]:
    with opened(place) as ledger:
        account(ledger)
        yield ledger


def put(ledger: Ledger, analyst: str, project: str = "p", key: str | None = None, **more: Any) -> QueuedJob:
    return Queue(ledger).put("d", project, analyst, "release", ASKED, key, **more)


def answered(ledger: Ledger, question: str, analyst: str, project: str = "p", key: str | None = None) -> QueuedJob:
    """A job that is answered, and held."""
    put(ledger, analyst, project, key)
    job = Queue(ledger).claim("w")
    assert job is not None
    asker = account(ledger, analyst, project).under(job.ledger_key)
    sealed = [seal(asker, one) for one in asker.reserve([request(question, 10), request(f"{question} too", 10)])]
    assert Reviews(ledger).hold(job, ",".join(one.request for one in sealed), 0.0)
    return job


def lines(ledger: Ledger, **whose: Any) -> list[tuple[Any, ...]]:
    """State, reason and charge of each line."""
    told, entries = fates(ledger, "d", **whose), account(ledger).entries(deliveries=True, **whose)
    found = history(entries, account(ledger).budget, told=told, last=whose.get("last"))
    return [(row.state, row.reason, row.epsilon) for row in found.itertuples()]


def test_what_is_held_and_refused_afterwards_stays_charged(ledger: Ledger) -> None:
    first, second = answered(ledger, "one", "a"), answered(ledger, "other", "a", key="k")
    paid = 0.01
    assert lines(ledger) == [("held", "", paid)] * 4
    Reviews(ledger).decide(first.id, "refuse", by="jo", reason="unclear")
    Reviews(ledger).decide(second.id, "approve", by="jo")
    assert lines(ledger) == [("refused", "unclear", paid)] * 2 + [("committed", "", paid)] * 2
    assert account(ledger).standing().spent.loss == 40 * MILLI
    text = show.requests(published(ledger).history.dataset("d"))
    assert text.count("kept back (unclear)") == 2 and text.count("released") == 2


def test_what_is_held_and_refused_before_is_charged_nothing(ledger: Ledger) -> None:
    jobs = [put(ledger, "a", held=True), put(ledger, "a", held=True, key="k%"), put(ledger, "a", held=True)]
    assert lines(ledger) == [("held", "", 0.0)] * 6  # (a line for each query)
    Reviews(ledger).decide(jobs[1].id, "refuse", by="jo", reason="unclear")
    Reviews(ledger).decide(jobs[2].id, "approve", by="jo")
    assert sorted(lines(ledger)) == [("held", "", 0.0)] * 2 + [("refused", "unclear", 0.0)] * 2
    told = fates(ledger, "d")
    assert told.charged == {} and [(job.id, fate) for job, fate in told.uncharged] == [
        (jobs[0].id, HELD),
        (jobs[1].id, NO),
    ]
    found = history(account(ledger).entries(), account(ledger).budget, told=told)
    assert found["what"].tolist() == ["count", "count by sex"] * 2 and found["table"].tolist() == ["t"] * 4
    assert found["id"].tolist() == [""] * 4 and set(found["protection"]) == {'{"epsilon":"1","kind":"dp"}'}
    Queue(ledger).cancel(jobs[0].id, "p", "a")
    assert lines(ledger) == [("refused", "unclear", 0.0)] * 2


def test_each_sees_their_own_projects_alone_and_the_newest(ledger: Ledger) -> None:
    mine, theirs = answered(ledger, "one", "a"), answered(ledger, "two", "b", "q")
    before = put(ledger, "c", "q", held=True)
    for job in (mine, theirs):
        Reviews(ledger).decide(job.id, "refuse", by="jo", reason="unclear")
    own, other = fates(ledger, "d", project="p"), fates(ledger, "d", project="q")
    assert len(own.charged) == len(other.charged) == 2 and not {*own.charged} & {*other.charged}
    assert own.uncharged == [] and [job.id for job, _ in other.uncharged] == [before.id]
    assert {*own.charged.values(), *other.charged.values()} == {NO}
    assert fates(ledger, "d", project="q", analyst="c").charged == {}
    assert fates(ledger, "d", project="p", analyst="b") == Fates({}, [])
    assert len(fates(ledger, "d", last=1).charged) == 1 and len(lines(ledger, last=3)) == 3
    assert fates(ledger, "e") == Fates({}, [])


def test_before_its_tick_nothing_is_told(ledger: Ledger) -> None:
    put(ledger, "a")
    job = Queue(ledger).claim("w")
    assert job is not None
    assert Reviews(ledger).hold(job, None, ledger.time() + 3600)
    assert fates(ledger, "d") == Fates({}, [])


def test_an_equal_question_that_was_answered_with_it_is_refused_with_it(ledger: Ledger) -> None:
    first = answered(ledger, "one", "a")
    with ledger.reading() as tx:
        names = tx.connection.exec_driver_sql("SELECT request FROM pets_jobs").scalar()
    put(ledger, "b", "q")
    other = Queue(ledger).claim("w")
    assert other is not None and Reviews(ledger).hold(other, names, 0.0)
    assert [fate for _, fate in fates(ledger, "d", project="q").uncharged] == [HELD]
    Reviews(ledger).decide(first.id, "refuse", by="jo", reason="unclear")
    assert [fate for _, fate in fates(ledger, "d", project="q").uncharged] == [NO]
    assert fates(ledger, "d", project="q").charged == {}, "whose it was is not told"
