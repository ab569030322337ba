"""Tables outside the grid, at once and cut short: many who look or decide, and a kill at each step of an approval.

The time-outs here only end a test that hangs; nothing is asserted of how long anything takes.
"""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pets.errors import HeldError, NotFoundError
from pets.ledger.db import reviews
from pets.ledger.ledger import Ledger
from pets.ledger.queued.kinds import TABLE
from pets.ledger.review.reviews import job_name
from pets.ledger.review.tables import looks
from pets.session.disclosure import solving
from pets.session.disclosure.finding import ATTACK, CLOSED
from tests.attacks import door_workers, ledger_workers
from tests.checked_tables import N, T, between, searched_here, total
from tests.doors import HES, asked, days, kept
from tests.ledgers import DATABASES, Place, verify

pytestmark = [pytest.mark.chance(0), pytest.mark.timeout(1800)]  # threads and processes; no number is looked at
HANGS = 900.0
COUNTS = [20, 31, 25, 44, 20, 33, 27, 22, 29, 35, 41, 38, 24]


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solving, "_replies", searched_here)


def at_once(acts: list[Callable[[], object]]) -> list[Any]:
    """What each gave or raised, all begun together."""
    begin, found = threading.Barrier(len(acts)), list[Any]([None] * len(acts))

    def run(place: int) -> None:
        begin.wait(HANGS)
        try:
            found[place] = acts[place]()
        except Exception as error:
            found[place] = error

    threads = [threading.Thread(target=run, args=(place,), daemon=True) for place in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANGS)
    assert not any(thread.is_alive() for thread in threads), "somebody waits for ever"
    return found


def tables(ledger: Ledger) -> list[Any]:
    with ledger.aside(writes=False) as (connection, _):
        return reviews.of_kind(connection, "checked-tables", TABLE)


@pytest.mark.parametrize("database", DATABASES)
def test_of_many_who_look_at_once_none_closes_all_others(database: str, new_place: Callable[[str], Place]) -> None:
    with new_place(database).open() as ledger:
        custodian = kept([1, 1, 40], ledger=ledger)
        total(custodian, days(0, 1))  # a number of the first day gives both days away, by whatever it is parted
        first = T.where(between(0, 0))
        queries = [first.agg(n=N), *(first.group_by(key).agg(n=N) for key in ("sex", "region"))]
        queries += [first.group_by("sex", "region").agg(n=N), first.group_by("sex").agg(m=N)]
        requests = [asked(custodian, query, f"a{i}", f"p{i}") for i, query in enumerate(queries)]
        found = at_once([lambda request=one: custodian.look(request) for one in requests])  # type: ignore[misc]
        states = [type(one).__name__ if isinstance(one, Exception) else one.state for one in found]
        assert states.count(ATTACK) == 1 and set(states) <= {ATTACK, CLOSED, "HeldError"}, states
        assert [any(look.tells for look in looks(row)) for row in tables(ledger)].count(True) == 1
        one = found[states.index(ATTACK)]
        custodian.approve(one.request, by="jo", finding=one.digest, anyway="both consented")
        for request in requests:
            if request != one.request:
                assert custodian.look(request).state != CLOSED
                break
        verify(ledger)


@pytest.mark.parametrize("database", DATABASES)
def test_of_many_who_decide_at_once_one_lets_a_table_leave(database: str, new_place: Callable[[str], Place]) -> None:
    with new_place(database).open() as ledger:
        custodian = kept(ledger=ledger)
        requests = [asked(custodian, days(0, last), f"a{last}") for last in range(1, 5)]
        digests = [custodian.look(one).digest for one in requests]

        def decide(place: int, who: str) -> Callable[[], object]:
            word = {"by": who, "finding": digests[place], "anyway": "a test wants it"}
            return lambda: custodian.approve(requests[place], **word)

        found = at_once([decide(place, who) for place in range(4) for who in ("jo", "kim")])
        refused = [one for one in found if one is not None]
        assert len(refused) == 7, "one table leaves, on one word"
        assert all(isinstance(one, (HeldError, NotFoundError)) for one in refused), refused
        with ledger.reading() as tx:
            said = [json.loads(body) for body, _, _ in tx.entries()]
        assert [one["event"] for one in said].count("review") == 1
        assert sum(row.state == "done" for row in tables(ledger)) == 1
        verify(ledger)


# killed ---------------------------------------------------------------------------------------------------------------

BEFORE = ("reserve-begin", "reserve-charged", "reserve-logged")
UNSEALED = ("reserve-committed", "data-opened", "measured", "seal-begin", "seal-logged", "seal-stored")
AFTER = ("seal-committed", "checkpoint-written")


def events(ledger: Ledger, job: str) -> list[str]:
    """What the log says of one request, and of the release that follows the word about it."""
    with ledger.reading() as tx:
        said = [json.loads(body) for body, _, _ in tx.entries()]
    at = next((i for i, one in enumerate(said) if one.get("job") == job_name(job)), None)
    if at is None:
        return []
    return [said[at]["event"], *(one["event"] for one in said if one.get("request") == said[at + 1]["request"])]


@pytest.mark.parametrize("database", DATABASES)
def test_a_kill_at_each_step_leaves_what_was_before_or_what_is_after(
    database: str, new_place: Callable[[str], Place], tmp_path: Path
) -> None:
    place, snapshots = new_place(database), str(tmp_path / "ready")
    with place.open() as ledger:
        kept(COUNTS, ledger=ledger, snapshots=snapshots)
    for step, point in enumerate((*BEFORE, *UNSEALED, *AFTER)):
        ahead, query = 2 * ledger_workers.LEASE * step, days(step, step)
        keeper = door_workers.custodian(place, snapshots, ahead)
        request = asked(keeper, query)
        finding = keeper.look(request).digest
        keeper.ledger.close()
        given = (place, snapshots, ahead, point, request, finding)
        assert ledger_workers.run(door_workers.approval_killed, *given, seconds=HANGS) == -signal.SIGKILL, point
        # one lease later the first to open the ledger closes what was left behind
        keeper = door_workers.custodian(place, snapshots, ahead + ledger_workers.LEASE + 1)
        session, row = keeper.session(analyst="ann"), next(one for one in tables(keeper.ledger) if one.id == request)
        if point in BEFORE:
            assert (row.state, events(keeper.ledger, request)) == ("held", []), point
            keeper.approve(request, by="jo", finding=finding, anyway="a test wants it")
        elif point in UNSEALED:
            assert (row.state, events(keeper.ledger, request)) == ("done", ["review", "started", "forfeited"]), point
            with pytest.raises(NotFoundError):
                keeper.approve(request, by="jo", finding=finding, anyway="a test wants it")
            again = asked(keeper, query)
            assert again != request
            found = keeper.look(again)
            assert not any("not sealed" in one for one in found.besides), "it is taken for told"
            keeper.approve(again, by="jo", finding=found.digest, anyway="a test wants it")
        else:
            assert (row.state, events(keeper.ledger, request)) == ("done", ["review", "started", "committed"]), point
        assert session.release(query, HES).form["shown"] == [[[(COUNTS[step] + 2) // 5 * 5]]]
        verify(keeper.ledger)
        keeper.ledger.close()
