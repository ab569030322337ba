"""A process that dies between any two steps of a request: the crash table of the ledger, line by line.

| the process died | what is found | what becomes of it |
| --- | --- | --- |
| before the reservation was committed | nothing | nothing happened; the same key asks anew |
| after it, before the start | RESERVED | VOIDED, refunded; the same key asks anew |
| after the start, before the seal was committed | STARTED | FORFEITED, charged; another key asks anew |
| after the seal was committed | COMMITTED | the same key gives the same bytes at no cost |
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pets.common.codec import canonical
from pets.errors import BudgetError, LedgerError
from pets.ledger import failpoint
from pets.ledger.account import Account
from pets.ledger.change import Change, apply, draft
from pets.ledger.root import Root
from pets.protection.budget import Budget
from tests.attacks import ledger_workers as workers
from tests.attacks.test_ledger_kills import read_diary
from tests.ledgers import DATABASES, MILLI, Place, account, ask, audit, opened, request, under_way, verify

pytestmark = pytest.mark.chance(0)  # processes; none of their numbers is looked at

NOTHING, RESERVED, STARTED, COMMITTED = "nothing", "reserved", "started", "committed"

# the worker, the place, whether it starts in a second step, and what is found there
DEATHS: list[tuple[Callable[..., None], str, bool, str]] = [
    (workers.request_killed, "reserve-begin", False, NOTHING),
    (workers.request_killed, "reserve-charged", False, NOTHING),
    (workers.request_killed, "reserve-logged", False, NOTHING),
    (workers.request_killed, "reserve-committed", False, STARTED),
    (workers.request_killed, "reserve-committed", True, RESERVED),
    (workers.request_killed, "start-committed", True, STARTED),
    (workers.request_killed, "data-opened", False, STARTED),
    (workers.request_killed, "measured", False, STARTED),
    (workers.request_killed, "seal-begin", False, STARTED),
    (workers.request_killed, "seal-logged", False, STARTED),
    (workers.request_killed, "seal-stored", False, STARTED),
    (workers.request_killed, "seal-committed", False, COMMITTED),
    (workers.request_killed, "checkpoint-written", False, COMMITTED),
    (workers.request_killed, "delivered", False, COMMITTED),
    (workers.failure_killed, "close-moved", False, STARTED),
    (workers.failure_killed, "close-moved", True, RESERVED),
    (workers.failure_killed, "close-committed", False, "forfeited"),
    (workers.failure_killed, "close-committed", True, "voided"),
    (workers.recovery_killed, "close-moved", False, STARTED),
    (workers.recovery_killed, "close-moved", True, RESERVED),
    (workers.recovery_killed, "close-committed", False, "forfeited"),
    (workers.recovery_killed, "close-committed", True, "voided"),
]
CHANGES = ("change-logged", "change-committed")
REVIEWS = {"review-logged", "review-committed"}  # (in tests/unit/ledger/review/test_reviews.py)
OUTPUTS = {"output-stored", "output-logged", "output-committed"}  # (in tests/unit/ledger/review/test_outputs.py)


def test_every_place_is_tried() -> None:
    assert {point for _, point, _, _ in DEATHS} | set(CHANGES) | REVIEWS | OUTPUTS == set(failpoint.POINTS)


def dies(kills: int, place: Place, diary: Path) -> None:
    with opened(place) as ledger:
        account(ledger)
    for stage, (work, point, two_steps, found) in enumerate(DEATHS):
        ahead = 2 * workers.LEASE * stage  # the clock goes on by more than a lease from stage to stage
        names = [f"{work.__name__} {point} {two_steps} {turn}" for turn in range(kills)]
        for name in names:
            assert workers.run(work, place, point, name, str(diary), two_steps, ahead) == -signal.SIGKILL, name
        # as it was left, before anybody cleans up
        with opened(place, lease=workers.LEASE, clock=clock(ahead), check=False) as ledger:
            rows = {name: _row(ledger, name) for name in names}
            for name, row in rows.items():
                # a voided request has let go of its key
                assert (NOTHING if row is None else row.state) == (NOTHING if found == "voided" else found), name
                if found in (RESERVED, STARTED) and work is not workers.recovery_killed:
                    with pytest.raises(LedgerError, match="still being answered"):
                        ask(account(ledger), request(name, 1, key=name))
            asked = {entry.question for entry in account(ledger).entries()}
            assert all((request(name).question in asked) == (found != NOTHING) for name in names)
        # one lease later the first to open the ledger closes what was left behind
        with opened(place, lease=workers.LEASE, clock=clock(ahead + workers.LEASE + 1)) as ledger:
            assert not under_way(ledger)
            asker, delivered = account(ledger), read_diary(diary)
            for name, row in rows.items():
                _retried(asker, name, found, row)
            audit(ledger, delivered)
            verify(ledger)


def clock(ahead: float) -> Callable[[], float]:
    return lambda: time.time() + ahead


def _row(ledger: Any, name: str) -> Any:
    with ledger.reading() as tx:
        return tx.by_key("d", ("p", "a"), name)


def _retried(asker: Account, name: str, found: str, row: Any) -> None:
    """The same request again, by whoever lost the connection: under the same key, and if need be under another."""
    before = asker.standing().spent.loss
    if found == COMMITTED:
        sealed = ask(asker, request(name, 1, key=name))[0]
        assert (sealed.request, sealed.release, sealed.certificate) == (row.id, row.release, row.certificate)
        assert asker.standing().spent.loss == before
        return
    if found in (STARTED, "forfeited"):
        with pytest.raises(LedgerError, match="its charge stands; to ask again, and be charged again, use a new key"):
            ask(asker, request(name, 1, key=name))
        assert asker.standing().spent.loss == before
        name = f"{name}, once more"
    sealed = ask(asker, request(name, 1, key=name))[0]
    assert asker.standing().spent.loss == before + MILLI
    assert ask(asker, request(name, 1, key=name))[0] == sealed and asker.standing().spent.loss == before + MILLI


@pytest.mark.timeout(2400)  # some three hundred processes, one after the other
@pytest.mark.parametrize("database", DATABASES)
def test_ten_deaths_at_every_place(database: str, new_place: Callable[[str], Place], tmp_path: Path) -> None:
    dies(10, new_place(database), tmp_path / "diary")


@pytest.mark.soak
@pytest.mark.parametrize("database", DATABASES)
def test_fifty_deaths_at_every_place(database: str, new_place: Callable[[str], Place], tmp_path: Path) -> None:
    dies(50, new_place(database), tmp_path / "diary")


@pytest.mark.parametrize("point", CHANGES)
def test_a_change_is_made_once_or_not_at_all(point: str, place: Place) -> None:
    with opened(place) as ledger:
        account(ledger)
    for turn in range(10):
        with opened(place) as ledger:
            details = {"project": "p", "analyst": "", "budget": Budget(epsilon=0.5 - turn / 100).to_json()}
            envelope = draft(Change(ledger.origin, "d", "cap", details, "less", ("one", "other")))
        assert workers.run(workers.change_killed, place, point, "", envelope) == -signal.SIGKILL
        with opened(place) as ledger:
            if point == "change-logged":
                assert account(ledger).standing().left.loss > (500 - 10 * turn) * MILLI, "half a change"
                apply(ledger, envelope)
            else:
                with pytest.raises(LedgerError, match="applied before"):
                    apply(ledger, envelope)
            assert account(ledger).standing().left.loss == (500 - 10 * turn) * MILLI
            with pytest.raises(BudgetError, match="project 'p' has room"):
                ask(account(ledger), request(milli=501))
            verify(ledger)


SESSIONS = {
    "reserve-logged": NOTHING,
    "data-opened": STARTED,
    "measured": STARTED,
    "seal-stored": STARTED,
    "seal-committed": COMMITTED,
    "delivered": COMMITTED,
}


@pytest.mark.parametrize("point", SESSIONS)
def test_a_session_dies(point: str, new_place: Callable[[str], Place], tmp_path: Path) -> None:
    """End to end: one charge, one answer, whenever the process ends and is started again."""
    place, found = new_place("sqlite"), SESSIONS[point]
    (tmp_path / "stays.csv").write_text("id,days\n" + "".join(f"p{i},{i % 9}\n" for i in range(40)))
    assert workers.run(workers.session_killed, place, point, str(tmp_path)) == -signal.SIGKILL
    with opened(place, check=False) as ledger, ledger.reading() as tx:
        row = tx.by_key("hospital", ("default", "local"), "k")
        assert (NOTHING if row is None else row.state) == found
    if found == STARTED:
        with pytest.raises(LedgerError, match="still being answered"):
            workers.ask_session(place, str(tmp_path))
        return
    releases = [workers.ask_session(place, str(tmp_path)) for _ in range(2)]
    assert releases[0].to_json() == releases[1].to_json()
    if found == COMMITTED:
        assert canonical(releases[0].form) == bytes(row.release)
    with opened(place) as ledger:
        audit(ledger)
        verify(ledger)
        assert [entry.state.value for entry in account_of(ledger).entries()] == [COMMITTED]


def account_of(ledger: Any) -> Account:
    return Account(ledger, Root("hospital", {"stays": "id"}, {}, None), "default", "local")
